# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains to pairs a second: mx_pairs_info beside what else asks DNS, on one machine, in one run.

    python benchmarks/pairs.py [--domains 5000 50000] [--delay 0 20]

NSD serves the domains (three MX each, 60 % of them on shared exchange hosts), Unbound resolves them
and is warm, all on loopback. A delay is that of a small proxy, in milliseconds for each reply.
Contenders that would take minutes get fewer domains, unless --whole is given, and the table says
how many. A run that other programs held up tells little. The last line shows by how much max_rate
limits what leaves.

adnshost asks port 53 only, so this runs as root. It has one socket for all, for which Linux keeps
too little by default: answers are lost and asked for again two seconds later. So the default for
all sockets (net.core.rmem_default) is raised meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / "tests" / "lab")]

import measure  # noqa: E402 - the path comes first
from dns_peers.servers import Server, nsd, unbound, zone_text  # noqa: E402
from peer_programs import free_address  # noqa: E402

ZONE = "bench.example"
_SHARED = 0.6
_GROUPS = 50  # of shared exchange hosts, three each
_WARM = 2  # runs of ours before anything is measured
_ROOM = 4 << 20  # octets of answers that may wait in a socket
_RMEM = Path("/proc/sys/net/core/rmem_default")
_ENOUGH = 10.0  # seconds of measuring one contender, after which it is not run again
_LIMIT = 1000  # questions a second, to see that the limit holds
ALL = 1_000_000
_HEAD = (
    "",
    "domains",
    "pairs",
    "asked",
    "seconds",
    "domains/s",
    "ratio",
    "CPU ms/domain",
    "held up s",
    "MiB",
    "KiB/domain",
)


@dataclass(frozen=True, slots=True)
class Contender:
    """What is measured: the name in pairs_contender.py, its window, and the most domains that it
    gets without and with a delay."""

    name: str
    window: int = 0
    most: int = ALL
    most_delayed: int = ALL
    needs: str = ""

    @property
    def title(self) -> str:
        """What the table calls it."""
        return f"{self.name} ({self.window})" if self.window else self.name


CONTENDERS = [
    Contender("ours"),
    Contender("ours", 200),
    Contender("play"),
    Contender("adnshost", 60, needs="adnshost"),
    Contender("adnshost", 200, needs="adnshost"),
    Contender("aiodns", 200),
    Contender("dig", most_delayed=200, needs="dig"),
    Contender("dnspython", most=5000, most_delayed=200),
    Contender("community.dns", most=100, most_delayed=100),
    Contender("halves"),
    Contender("floor", 500),
    Contender("reading", 500),
    Contender("dnsperf", needs="dnsperf"),
]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one contender took in one run; memory in KiB, ``base`` before it began.

    ``held`` are the seconds that it could have run and had no core: a run that was held up says
    nothing about the contender.
    """

    contender: Contender
    domains: int
    asked: int
    pairs: int
    seconds: float
    cpu: float
    held: float
    memory: int
    base: int

    def row(self, first: float) -> list[str]:
        """Return the line of a table; ratios are to ``first`` domains a second."""
        rate = self.domains / self.seconds
        return [
            self.contender.title,
            str(self.domains),
            str(self.pairs or "-"),
            str(self.asked),
            f"{self.seconds:.2f}",
            f"{rate:.0f}",
            f"{rate / first:.3f}",
            f"{1000 * self.cpu / self.domains:.3f}",
            f"{self.held:.2f}" if self.held else "-",
            f"{self.memory / 1024:.0f}" if self.memory else "-",
            f"{(self.memory - self.base) / self.domains:.1f}" if self.base else "-",
        ]


@dataclass(frozen=True, slots=True)
class Bench:
    """The name servers, and how the contenders are run against them."""

    server: Server
    folder: Path
    runs: int

    def best(self, contender: Contender, address: str, domains: list[str]) -> Measured:
        """Return the run of median speed; long ones are run once."""
        found: list[Measured] = []
        while len(found) < self.runs and sum(one.seconds for one in found) < _ENOUGH:
            found.append(self.measured(contender, address, domains))
        middle = statistics.median_high(one.seconds for one in found)
        return next(one for one in found if one.seconds == middle)

    def measured(
        self, contender: Contender, address: str, domains: list[str], rate: int = 0
    ) -> Measured:
        """Run one contender in its own process, and see what it took and what was asked."""
        file = self.folder / "domains"
        file.write_text("\n".join(domains) + "\n")
        before = self.server.asked()
        command = [sys.executable, str(HERE / "pairs_contender.py"), contender.name, address]
        done = subprocess.run(
            [*command, str(file), str(contender.window), str(rate)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            text=True,
        )
        told = json.loads(done.stdout)
        return Measured(contender, len(domains), self.server.asked() - before, **told)


def _home(index: int) -> str:
    """Return below which label of the zone the exchanges of a domain are."""
    draw = random.Random(index)
    return f"shared{draw.randrange(_GROUPS)}" if draw.random() < _SHARED else f"d{index:06}"


def questions(domains: list[str]) -> list[tuple[str, str]]:
    """Return the questions that the pairs of domains take, each once."""
    homes = dict.fromkeys(_home(int(domain[1:7])) for domain in domains)
    exchanges = [f"mx{host}.{home}.{ZONE}" for home in homes for host in range(3)]
    return [*((domain, "MX") for domain in domains), *((name, "A") for name in exchanges)]


def zone(number: int) -> tuple[str, list[str]]:
    """Return the zone's records, and the domains in it."""
    domains = []
    lines = [f"mx{h}.shared{g} A 21.0.{h}.{g}" for g in range(_GROUPS) for h in range(3)]
    for index in range(number):
        domains.append(f"d{index:06}.{ZONE}")
        where = _home(index)
        for host in range(3):
            lines.append(f"d{index:06} MX {10 * (host + 1)} mx{host}.{where}")
            if not where.startswith("shared"):
                octets = (20, host, index >> 8 & 255, index & 255)
                lines.append(f"mx{host}.{where} A {'.'.join(map(str, octets))}")
    return "\n".join(lines) + "\n", domains


@contextlib.contextmanager
def delayed(server: Server, delay: float) -> Iterator[str]:
    """Yield an address at whose port 53 the server answers, ``delay`` milliseconds later."""
    if not delay:
        yield server.also
        return
    front = free_address(53)
    behind = [server.address, server.port, delay]
    command = [sys.executable, HERE / "delay_proxy.py", front, "53", *behind]
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE) as proxy:
        time.sleep(0.5)
        try:
            yield front
        finally:
            proxy.terminate()


def link_checkout() -> None:
    """Let Python and Ansible find this checkout as the collection."""
    link = ROOT / ".build" / "ansible_collections" / "postmaster" / "exchange"
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(ROOT, target_is_directory=True)


@contextlib.contextmanager
def roomy_sockets() -> Iterator[bool]:
    """Let Linux keep more of what has not been read yet; yield whether it could be had."""
    before = _RMEM.read_text()
    try:
        _RMEM.write_text(str(_ROOM))
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        _RMEM.write_text(before)


@contextlib.contextmanager
def bench(records: str, runs: int) -> Iterator[Bench]:
    """Start NSD and Unbound with the records."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("nsd", "unbound"):
            (folder / name).mkdir()
        authority = stack.enter_context(nsd(folder / "nsd", {ZONE: zone_text(ZONE, records)}))
        lines = ("msg-cache-size: 256m", "rrset-cache-size: 512m", "cache-min-ttl: 3600")
        server = stack.enter_context(
            unbound(
                folder / "unbound",
                {ZONE: authority.port},
                lines=lines,
                also=free_address(53),
                counting=True,
            )
        )
        yield Bench(server, folder, runs)


def compared(
    one: Bench, contenders: list[Contender], domains: list[str], delay: float, *, whole: bool
) -> list[list[str]]:
    """Return the rows of a table; ratios are to the first of them."""
    rows = []
    with delayed(one.server, delay) as address:
        for contender in contenders:
            most = ALL if whole else contender.most_delayed if delay else contender.most
            rows.append(one.best(contender, address, domains[:most]))
    first = rows[0].domains / rows[0].seconds
    return [row.row(first) for row in rows]


def limited(one: Bench, domains: list[str]) -> str:
    """Return what max_rate does."""
    found = one.measured(CONTENDERS[0], one.server.also, domains, _LIMIT)
    return (
        f"max_rate {_LIMIT}: {found.asked} questions in {found.seconds:.2f} s,"
        f" {found.asked / found.seconds:.0f} a second"
    )


def main() -> int:
    """Print a table for each number of domains and each delay."""
    parser = argparse.ArgumentParser(description="Domains to pairs a second.")
    parser.add_argument("--domains", type=int, nargs="+", default=[5000, 50000])
    parser.add_argument("--delay", type=float, nargs="+", default=[0.0, 20.0])
    parser.add_argument("--only", nargs="*", help="names of contenders")
    parser.add_argument(
        "--whole", action="store_true", help="all domains, also where it takes long"
    )
    parser.add_argument("--runs", type=int, default=3, help="the median of so many is shown")
    chosen = parser.parse_args()
    # However it ends, the machine's own setting comes back.
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(128 + signal.SIGTERM))
    contenders = [x for x in CONTENDERS if not chosen.only or x.name in chosen.only]
    missing = {x.needs for x in contenders if x.needs and not shutil.which(x.needs)}
    contenders = [x for x in contenders if x.needs not in missing]
    link_checkout()
    print(measure.machine())
    with roomy_sockets() as roomy:
        if missing or not roomy:
            print(f"not installed: {missing or 'nothing'}; room in sockets: {roomy}")
        for number in chosen.domains:
            records, domains = zone(number)
            count = len(questions(domains))
            with bench(records, chosen.runs) as one:
                for _unused in range(_WARM):
                    one.measured(CONTENDERS[0], one.server.also, domains)
                for delay in chosen.delay:
                    print(f"\n{number} domains, {count} questions, {delay:g} ms for each reply")
                    rows = compared(one, contenders, domains, delay, whole=chosen.whole)
                    print(measure.table(_HEAD, rows), flush=True)
                print(limited(one, domains[:1000]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
