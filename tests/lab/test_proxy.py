# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's web proxy does what tinyproxy does, and clients tell the same of both."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import peer_programs
import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    HostUnreachable,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import options, winrs
from exchange_lab.windows.certificates import TestAuthority
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.proxy import Proxy
from exchange_lab.windows.winrm_server import WinRMServer

USER, PASSWORD, LOGIN = "operator", "S3cret-Passw0rd", "someone:geheim"
CLOSED = 9


class Site:
    """A host with WinRM over TLS, and a proxy that may reach it and a port where nobody listens."""

    def __init__(self, folder: Path, server: WinRMServer) -> None:
        host = LabHost("EX1", folder / "disk", users={USER: PASSWORD}, time_scale=0.05)
        (folder / "ca").mkdir()
        authority = TestAuthority(folder / "ca")
        self.ca_file = str(authority.ca_file)
        self.port = server.add(host, certificate=authority.issue("localhost")).port
        self.proxy = 0

    def say(self, *, login: str = LOGIN, port: int = 0) -> str:
        """Log in through the proxy, and return what the host says."""
        given = {
            "host": "localhost",
            "port": port or self.port,
            "scheme": "https",
            "user": USER,
            "password": PASSWORD,
            "ca_cert": self.ca_file,
            "connect_timeout": 5,
            "proxy": f"http://{login}@127.0.0.1:{self.proxy}",
        }
        with contextlib.closing(winrs.connect(options.from_params(given))) as shell:
            return shell.run("echo %COMPUTERNAME%").stdout.decode().strip()


@pytest.fixture(params=["lab", pytest.param("tinyproxy", marks=pytest.mark.peers)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with WinRMServer() as server:
        made = Site(tmp_path, server)
        if request.param == "lab":
            reached = {f"localhost:{port}": ("127.0.0.1", port) for port in (made.port, CLOSED)}
            with Proxy(reached, login=LOGIN) as proxy:
                made.proxy = proxy.port
                yield made
        else:
            with _tinyproxy(tmp_path / "tinyproxy", (made.port, CLOSED)) as made.proxy:
                yield made


@contextlib.contextmanager
def _tinyproxy(folder: Path, ports: tuple[int, ...]) -> Iterator[int]:
    program, port = peer_programs.program("tinyproxy"), peer_programs.free_port()
    folder.mkdir()
    lines = [f"Port {port}", "Listen 127.0.0.1", "Allow 127.0.0.1", "Timeout 60"]
    lines += [f"BasicAuth {LOGIN.replace(':', ' ')}", *(f"ConnectPort {one}" for one in ports)]
    (folder / "tinyproxy.conf").write_text("\n".join(lines) + "\n")

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    command = [program, "-d", "-c", str(folder / "tinyproxy.conf")]
    with peer_programs.running(command, listens, folder):
        yield port


def test_it_tunnels(site: Site) -> None:
    assert site.say() == "EX1"


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"login": "someone:falsch"}, "the proxy requires a login, or rejects this one"),
        ({"port": 10}, "the proxy does not allow a connection to this host and port"),
        ({"port": CLOSED}, "the proxy could not reach the host"),
    ],
)
def test_what_it_refuses(site: Site, how: dict[str, object], sentence: str) -> None:
    with pytest.raises(HostUnreachable, match=sentence):
        site.say(**how)  # type: ignore[arg-type]
