# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains to pairs a second: mx_pairs beside what else asks DNS, on one machine, in one run.

    python benchmarks/pairs.py [--domains 5000 50000] [--delay 0 20]

NSD serves the domains (three MX each, 60 % of them on shared exchange hosts), Unbound resolves them
and is warm, all on loopback. A delay is that of a small proxy, in milliseconds for each reply.
Contenders that would take minutes get fewer domains, and the table says how many. adnshost asks
port 53 only, so this runs as root.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "lab")]

from dns_peers.servers import nsd, unbound, zone_text  # noqa: E402 - the path comes first
from peer_programs import free_address  # noqa: E402

HERE = Path(__file__).parent
ZONE = "bench.example"
_SHARED = 0.6
_GROUPS = 50  # of shared exchange hosts, three each
_WARM = 2  # runs of ours before anything is measured


@dataclass(frozen=True, slots=True)
class Contender:
    """What is measured: the name in pairs_contender.py, domains under way, and the most domains
    that it gets without and with a delay."""

    name: str
    window: int
    most: int
    most_delayed: int

    @property
    def outside(self) -> bool:
        """Whether a program does the work that Python only starts."""
        return self.name in {"adnshost", "dig"}

    @property
    def title(self) -> str:
        """What the table calls it."""
        return f"{self.name} ({self.window})" if self.window else self.name


ENOUGH = 1_000_000
CONTENDERS = [
    Contender("ours", 0, ENOUGH, ENOUGH),
    Contender("ours", 500, ENOUGH, ENOUGH),
    Contender("adnshost", 60, ENOUGH, ENOUGH),
    Contender("adnshost", 200, ENOUGH, ENOUGH),
    Contender("aiodns", 200, ENOUGH, ENOUGH),
    Contender("dig", 0, ENOUGH, 200),
    Contender("dnspython", 0, 5000, 200),
]


@dataclass(frozen=True, slots=True)
class Measured:
    """One row: seconds are of the wall clock, CPU seconds of the contender alone."""

    title: str
    domains: int
    pairs: int
    seconds: float
    cpu: float
    memory: int  # KiB, the largest resident set

    @property
    def rate(self) -> float:
        """Domains a second."""
        return self.domains / self.seconds


def zone(number: int) -> tuple[str, list[str]]:
    """Return the zone's records and the domains in it."""
    random.seed(number)
    domains = []
    lines = [f"mx{h}.shared{g} A 192.0.{h}.{g}" for g in range(_GROUPS) for h in range(3)]
    for index in range(number):
        domains.append(f"d{index:06}.{ZONE}")
        shared = random.random() < _SHARED
        where = f"shared{random.randrange(_GROUPS)}" if shared else f"d{index:06}"
        for host in range(3):
            lines.append(f"d{index:06} MX {10 * (host + 1)} mx{host}.{where}")
            if not shared:
                octets = (10, host, index >> 8 & 255, index & 255)
                lines.append(f"mx{host}.{where} A {'.'.join(map(str, octets))}")
    return "\n".join(lines) + "\n", domains


@contextlib.contextmanager
def delayed(address: str, port: int, delay: float) -> Iterator[str]:
    """Yield an address at whose port 53 the same is answered, later."""
    if not delay:
        yield address
        return
    front = free_address(53)
    command = [sys.executable, HERE / "delay_proxy.py", front, "53", address, str(port), str(delay)]
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE) as proxy:
        time.sleep(0.5)
        try:
            yield front
        finally:
            proxy.terminate()


def measure(contender: Contender, address: str, domains: list[str], folder: Path) -> Measured:
    """Run one contender in its own process, and see what it took."""
    file = folder / "domains"
    file.write_text("\n".join(domains) + "\n")
    command = [sys.executable, str(HERE / "pairs_contender.py"), contender.name, address, "53"]
    with subprocess.Popen(
        [*command, str(file), str(contender.window)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        said = process.stdout.read() if process.stdout else ""
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    pairs, seconds, cpu = said.split()
    # The CPU time of programs that Python only started is in what the whole process used.
    whole = used.ru_utime + used.ru_stime
    return Measured(
        contender.title,
        len(domains),
        int(pairs),
        float(seconds),
        whole if contender.outside else float(cpu),
        used.ru_maxrss,
    )


def table(rows: list[Measured]) -> Iterator[str]:
    """Yield the lines of a table; ratios are to the first row."""
    heads = f"{'domains':>9}{'pairs':>9}{'seconds':>9}{'domains/s':>11}{'ratio':>8}{'CPU s':>8}"
    yield f"  {'':<16}{heads}{'MiB':>7}"
    first = rows[0].rate
    for row in rows:
        yield (
            f"  {row.title:<16}{row.domains:>9}{row.pairs:>9}{row.seconds:>9.2f}{row.rate:>11.0f}"
            f"{row.rate / first:>8.2f}{row.cpu:>8.2f}{row.memory / 1024:>7.0f}"
        )


def main() -> int:
    """Print a table for each number of domains and each delay."""
    parser = argparse.ArgumentParser(description="Domains to pairs a second.")
    parser.add_argument("--domains", type=int, nargs="+", default=[5000, 50000])
    parser.add_argument("--delay", type=float, nargs="+", default=[0.0, 20.0])
    parser.add_argument("--only", nargs="*", help="names of contenders")
    chosen = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for number in chosen.domains:
        records, domains = zone(number)
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for name in ("nsd", "unbound"):
                (folder / name).mkdir()
            authority = stack.enter_context(nsd(folder / "nsd", {ZONE: zone_text(ZONE, records)}))
            also = free_address(53)
            lines = ("msg-cache-size: 256m", "rrset-cache-size: 512m", "cache-min-ttl: 3600")
            server = stack.enter_context(
                unbound(folder / "unbound", {ZONE: authority.port}, lines=lines, also=also)
            )
            for _unused in range(_WARM):
                measure(CONTENDERS[0], also, domains, folder)
            for delay in chosen.delay:
                print(f"\n{number} domains, {delay:g} ms added to each reply")
                with delayed(server.address, server.port, delay) as address:
                    rows = []
                    for one in CONTENDERS:
                        if chosen.only and one.name not in chosen.only:
                            continue
                        most = one.most_delayed if delay else one.most
                        where = address if delay else also
                        rows.append(measure(one, where, domains[:most], folder))
                print("\n".join(table(rows)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
