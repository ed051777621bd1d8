# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's name server beside real ones: mx_pairs gets the same from it, from NSD, from Unbound.

NSD serves the same zones; Unbound resolves by asking that NSD. All of it on loopback.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils.pairs.module import run
from ansible_collections.postmaster.exchange.plugins.module_utils.pairs.spec import ARGUMENT_SPEC
from exchange_lab.mail.dns_server import DnsServer
from exchange_lab.scenario import LOCAL_ZONE, NESTLE

pytestmark = pytest.mark.peers

_SOA = "@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 60\n@ 3600 IN NS ns\nns 3600 A 127.0.0.1\n"
_MANY = "".join(f"@ MX {10 + number} mx{number:03}\n" for number in range(60)) + "".join(
    f"mx{number:03} A 192.0.2.{number}\nmx{number:03} AAAA 2001:db8::{number:x}\n"
    for number in range(60)
)
ZONES = {
    "hq.example": LOCAL_ZONE,
    "nestle.com": NESTLE,
    "implicit.example": "@ A 192.0.2.1\n@ A 192.0.2.2\n",
    "null.example": "@ MX 0 .\n",
    "nulls.example": "@ MX 0 .\n@ MX 10 mx\nmx A 192.0.2.3\n",
    "alias.example": "@ MX 10 mx\nmx CNAME real\nreal A 192.0.2.4\nwww CNAME nestle.com.\n"
    "lost CNAME nosuch.nestle.com.\na CNAME b\nb CNAME a\n",
    "empty.example": "@ TXT nothing\nlow.deep A 192.0.2.5\n",
    "dangling.example": "@ MX 10 gone\n@ MX 20 mx\nmx A 192.0.2.6\nother MX 10 gone\n",
    "literal.example": "@ MX 10 192.0.2.7.\n@ MX 20 mx\nmx A 192.0.2.8\n",
    "family.example": "@ MX 10 six\n@ MX 20 four\nsix AAAA 2001:db8::1\nfour A 192.0.2.9\n",
    "wild.example": "*.sub MX 5 mx\nmx A 192.0.2.10\n",
    "many.example": _MANY,
}
DOMAINS = [
    *ZONES,
    *(f"{name}.alias.example" for name in ("www", "lost", "a")),
    *(f"{name}.empty.example" for name in ("deep", "nosuch")),
    "other.dangling.example",
    "any.sub.wild.example",
    "sub.wild.example",
    "nosuch.nestle.com",
    "NESTLE.com.",
]


def _free_port() -> int:
    """A port that is free for UDP and TCP now."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        port: int = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        return port


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@contextlib.contextmanager
def _running(command: list[str], port: int, folder: Path) -> Iterator[int]:
    """A name server in the foreground, once it answers; yields its port."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        question = dns.message.make_query("nestle.com", "SOA")
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError, dns.exception.Timeout):
                dns.query.udp(question, "127.0.0.1", port=port, timeout=0.5)
                break
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def nsd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """NSD with the same zones."""
    program, folder, port = _program("nsd"), tmp_path_factory.mktemp("nsd"), _free_port()
    config = [
        "server:",
        f"  ip-address: 127.0.0.1@{port}",
        '  username: ""',
        '  database: ""',
        f'  zonesdir: "{folder}"',
        f'  pidfile: "{folder}/pid"',
        f'  xfrdfile: "{folder}/xfrd"',
        f'  zonelistfile: "{folder}/zones"',
        "  rrl-ratelimit: 0",
        "remote-control:",
        "  control-enable: no",
    ]
    for origin, text in {**ZONES, ".": ""}.items():
        file = folder / f"{origin}zone"
        file.write_text(f"$ORIGIN {origin.rstrip('.')}.\n$TTL 3600\n{_SOA}{text}")
        config += ["zone:", f'  name: "{origin}"', f'  zonefile: "{file}"']
    (folder / "nsd.conf").write_text("\n".join(config) + "\n")
    with _running([program, "-d", "-c", str(folder / "nsd.conf")], port, folder):
        yield port


@pytest.fixture(scope="module")
def unbound(tmp_path_factory: pytest.TempPathFactory, nsd: int) -> Iterator[int]:
    """Unbound, which finds everything at that NSD."""
    program, folder, port = _program("unbound"), tmp_path_factory.mktemp("unbound"), _free_port()
    config = [
        "server:",
        "  interface: 127.0.0.1",
        f"  port: {port}",
        '  username: ""',
        '  chroot: ""',
        '  pidfile: ""',
        f'  directory: "{folder}"',
        "  use-syslog: no",
        "  do-not-query-localhost: no",
        '  module-config: "iterator"',
        "  num-threads: 1",
        "remote-control:",
        "  control-enable: no",
    ]
    for origin in (*ZONES, "."):
        config += ["stub-zone:", f'  name: "{origin}"', f"  stub-addr: 127.0.0.1@{nsd}"]
    (folder / "unbound.conf").write_text("\n".join(config) + "\n")
    with _running([program, "-d", "-c", str(folder / "unbound.conf")], port, folder):
        yield port


def pairs(port: int, *, families: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """What mx_pairs makes of all domains, without what only a cache changes."""
    options = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
    given = {
        "domains": DOMAINS,
        "nameservers": ["127.0.0.1"],
        "port": port,
        "families": families,
        "allow_private": True,
        "search_list": ["hq.example"],
    }
    result = run({**options, **given}, Context(host="controller"))
    return {
        domain["domain"]: {
            "status": domain["status"],
            "implicit": domain["implicit_mx"],
            "pairs": [(p["preference"], p["exchange"], p["address"]) for p in domain["pairs"]],
            "warnings": sorted(warning["message"] for warning in domain["warnings"]),
        }
        for domain in result["domains"]
    }


@pytest.mark.parametrize("families", [("ipv4",), ("ipv4", "ipv6")], ids="+".join)
def test_all_name_servers_lead_to_the_same_pairs(
    nsd: int, unbound: int, families: tuple[str, ...]
) -> None:
    with DnsServer({**ZONES, ".": "@ NS ns.lab.invalid."}) as server:
        ours = pairs(server.port, families=families)
    assert {told["status"] for told in ours.values()} >= {"ok", "null_mx", "no_such_domain"}
    assert len(ours["many.example"]["pairs"]) == 60 * len(families)
    assert pairs(nsd, families=families) == ours
    assert pairs(unbound, families=families) == ours
