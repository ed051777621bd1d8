# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NSD and Unbound, each from a configuration of its own in a temporary folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query
from peer_programs import free_port, output, program, running

SOA = "@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 60\n@ 3600 IN NS ns\nns 3600 A 127.0.0.1\n"
TTL = "$TTL 300\n"  # as the lab's server has it


@dataclass(frozen=True, slots=True)
class Server:
    """A name server that runs; ``control`` is the command that asks it for its counters.

    ``also`` is an address at whose port 53 it listens besides.
    """

    port: int
    control: tuple[str, ...] = ()
    also: str = ""
    address: str = "127.0.0.1"

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"

    def _counters(self) -> dict[str, str]:
        lines = output(*self.control, "stats_noreset").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def asked(self) -> int:
        """Return how many questions Unbound got."""
        return int(self._counters()["total.num.queries"])

    def queries(self) -> dict[str, int]:
        """Return what NSD counted: all questions as ``all``, and those of each type."""
        told = self._counters()
        types = {
            name.removeprefix("num.type."): int(number)
            for name, number in told.items()
            if name.startswith("num.type.")
        }
        return {"all": int(told["num.queries"])} | types


def zone_text(origin: str, records: str) -> str:
    """Return a whole zone file, with the same times to live as in the lab."""
    return f"$ORIGIN {origin.rstrip('.')}.\n{TTL}{SOA}{records}"


@contextlib.contextmanager
def nsd(folder: Path, zones: Mapping[str, str], unreadable: Sequence[str] = ()) -> Iterator[Server]:
    """Run NSD with some whole zone files; zones that cannot be read are answered with SERVFAIL."""
    port = free_port()
    config = [
        "server:",
        f"  ip-address: 127.0.0.1@{port}",
        '  username: ""',
        '  database: ""',
        f'  zonesdir: "{folder}"',
        f'  pidfile: "{folder}/pid"',
        f'  xfrdfile: "{folder}/xfrd"',
        f'  zonelistfile: "{folder}/zones"',
        f'  cookie-secret-file: "{folder}/cookies"',
        "  rrl-ratelimit: 0",
        "  round-robin: yes",
        "  ipv4-edns-size: 4096",
        "remote-control:",
        "  control-enable: yes",
        f"  control-interface: {folder}/control",
    ]
    for origin in (*zones, *unreadable):
        file = folder / f"{origin}zone"
        if origin in zones:
            file.write_text(zones[origin])
        config += ["zone:", f'  name: "{origin}"', f'  zonefile: "{file}"']
    file = folder / "nsd.conf"
    file.write_text("\n".join(config) + "\n")
    control = (program("nsd-control"), "-c", str(file))
    with running([program("nsd"), "-d", "-c", str(file)], lambda: _answers(port), folder):
        yield Server(port, control)


@contextlib.contextmanager
def unbound(
    folder: Path,
    stubs: Mapping[str, int],
    *,
    anchors: Sequence[Path] = (),
    lines: Sequence[str] = (),
    also: str = "",
    counting: bool = False,
) -> Iterator[Server]:
    """Run Unbound, which asks for each zone at a port of loopback.

    ``anchors`` are files with the DNSKEY or DS records it trusts, ``lines`` more of its server
    clause; ``also`` is an address at whose port 53 it listens besides. With ``counting`` it can be
    asked for its counters.
    """
    port = free_port()
    config = [
        "server:",
        "  interface: 127.0.0.1",
        f"  port: {port}",
        *([f"  interface: {also}@53"] if also else []),
        '  username: ""',
        '  chroot: ""',
        '  pidfile: ""',
        f'  directory: "{folder}"',
        "  use-syslog: no",
        "  do-not-query-localhost: no",
        "  do-ip6: no",
        "  num-threads: 1",
        "  so-rcvbuf: 1m",
        "  outgoing-range: 4096",
        "  rrset-roundrobin: yes",
        "  max-udp-size: 4096",
        "  trust-anchor-signaling: no",
        '  module-config: "validator iterator"',
        *(f'  trust-anchor-file: "{file}"' for file in anchors),
        *(f"  {line}" for line in lines),
        "remote-control:",
        f"  control-enable: {'yes' if counting else 'no'}",
        f"  control-interface: {folder}/control",
        "  control-use-cert: no",
    ]
    for origin, authority in stubs.items():
        config += ["stub-zone:", f'  name: "{origin}"', f"  stub-addr: 127.0.0.1@{authority}"]
    file = folder / "unbound.conf"
    file.write_text("\n".join(config) + "\n")
    with running([program("unbound"), "-d", "-c", str(file)], lambda: _answers(port), folder):
        control = (program("unbound-control"), "-c", str(file)) if counting else ()
        yield Server(port, control, also)


def _answers(port: int) -> bool:
    question = dns.message.make_query(".", "SOA")
    with contextlib.suppress(OSError, dns.exception.Timeout):
        dns.query.udp(question, "127.0.0.1", port=port, timeout=0.5)
        return True
    return False
