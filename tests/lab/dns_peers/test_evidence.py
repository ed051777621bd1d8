# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rule 19: MTA-STS and TLSA, with records from NSD and the policy from OpenSSL's own web server."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.https import system_context
from exchange_lab.windows.certificates import TestAuthority
from peer_programs import free_address, program, running

from .ask import one
from .servers import Server, nsd, zone_text

pytestmark = pytest.mark.peers

DOMAIN = "sts.example"
_HTTPS = 443
_POLICY = "version: STSv1\r\nmode: {mode}\r\nmx: *.sts.example\r\nmax_age: 86400\r\n"

Publish = Callable[..., None]


@pytest.fixture(scope="module")
def web_address() -> str:
    """An address of loopback at which nobody listens on the port for HTTPS."""
    if os.geteuid() != 0:
        pytest.skip("only root may listen on port 443")
    return free_address(_HTTPS)


@pytest.fixture(scope="module")
def announcing(web_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """NSD, with a domain that announces a policy and whose exchange publishes TLSA."""
    records = (
        f'@ MX 10 mx\nmx A 192.0.2.1\n_mta-sts TXT "v=STSv1; id=1;"\nmta-sts A {web_address}\n'
        "_25._tcp.mx TLSA 3 1 1 " + "ab" * 32 + "\n"
    )
    folder = tmp_path_factory.mktemp("announcing")
    with nsd(folder, {DOMAIN: zone_text(DOMAIN, records)}) as server:
        yield server


@pytest.fixture(scope="module")
def authority_of_policy(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """Who issues the certificates of the web server."""
    return TestAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def publish(
    web_address: str, authority_of_policy: TestAuthority, tmp_path: Path
) -> Iterator[Publish]:
    """Return a function that runs "openssl s_server" with one answer, for one name."""
    with contextlib.ExitStack() as stack:

        def start(answer: str, name: str = f"mta-sts.{DOMAIN}") -> None:
            page = tmp_path / ".well-known" / "mta-sts.txt"
            page.parent.mkdir()
            page.write_bytes(answer.encode())
            issued = authority_of_policy.issue(name)
            where = ("-accept", f"{web_address}:{_HTTPS}")
            keys = ("-cert", str(issued.cert_file), "-key", str(issued.key_file))
            command = [program("openssl"), "s_server", "-quiet", "-HTTP", *where, *keys]
            stack.enter_context(running(command, _listens(web_address), tmp_path))

        yield start


@pytest.fixture
def trusted(authority_of_policy: TestAuthority, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the system trust the issuer, as an administrator would by OpenSSL's own variable."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_of_policy.ca_file))
    system_context.cache_clear()
    yield
    system_context.cache_clear()


def _listens(address: str) -> Callable[[], bool]:
    def ready() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((address, _HTTPS), 1):
            return True
        return False

    return ready


def _answer(text: str, *header: str, status: str = "200 OK") -> str:
    lines = (f"HTTP/1.0 {status}", *(header or ("Content-Type: text/plain",)), "", text)
    return "\r\n".join(lines)


def _evidence(server: Server) -> tuple[dict[str, Any], list[str]]:
    found = one(server, domain=DOMAIN, evidence=True)
    assert found["status"] == "ok"
    assert found["evidence"]["tlsa"] == [f"mx.{DOMAIN}"]
    assert found["evidence"]["mta_sts"] == "v=STSv1; id=1;"
    messages = [x["message"] for x in found["warnings"] if x["code"] == "mta_sts"]
    return found["evidence"]["mta_sts_policy"], messages


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("mode", "warned"), [("enforce", 1), ("testing", 0), ("none", 0)])
def test_rule_19_a_policy(announcing: Server, publish: Publish, mode: str, warned: int) -> None:
    publish(_answer(_POLICY.format(mode=mode)))
    policy, messages = _evidence(announcing)
    assert policy == {"mode": mode, "mx": [f"*.{DOMAIN}"], "max_age": 86400, "reason": ""}
    assert len(messages) == warned


def test_rule_19_a_policy_of_an_issuer_that_the_system_does_not_trust(
    announcing: Server, publish: Publish
) -> None:
    publish(_answer(_POLICY.format(mode="enforce")))
    policy, (message,) = _evidence(announcing)
    assert policy["mode"] is None
    assert "unable to get local issuer certificate" in policy["reason"]
    assert policy["reason"] in message


@pytest.mark.usefixtures("trusted")
def test_rule_19_a_policy_under_another_name(announcing: Server, publish: Publish) -> None:
    publish(_answer(_POLICY.format(mode="enforce")), "www.sts.example")
    policy, _messages = _evidence(announcing)
    assert policy["mode"] is None
    assert "Hostname mismatch" in policy["reason"]


@pytest.mark.usefixtures("trusted")
def test_rule_19_a_policy_elsewhere(announcing: Server, publish: Publish) -> None:
    moved = "Location: https://www.sts.example/"
    publish(_answer("", moved, status="301 Moved Permanently"))
    policy, _messages = _evidence(announcing)
    assert policy["mode"] is None
    assert "redirect 301" in policy["reason"]


def test_rule_19_nobody_serves_the_policy(announcing: Server) -> None:
    policy, (message,) = _evidence(announcing)
    assert policy["mode"] is None
    assert "connection refused" in message
