# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""adnshost (GNU adns): MX records with their addresses, as another resolver library puts them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

from peer_programs import program

# adns loses answers where it has far more questions under way than a socket buffer holds.
_WINDOW = 100
_HEAD = re.compile(r'^(\d+) (\d+) (\w+) \d+ (\w+) (\S+) (\d+) (\S+) "[^"]*"$')
_MX = re.compile(r'^\S+ \d+ MX (\d+) (\S+) (\w+) \d+ (\w+) "[^"]*" (?:\?|\( (.*)\))$')


@dataclass(slots=True)
class Told:
    """What adns says of one domain: its status, and each MX as (preference, exchange, status,
    addresses); ``ttl`` is the smallest of all that was read."""

    status: str
    ttl: int
    mx: list[tuple[int, str, str, tuple[str, ...]]] = field(default_factory=list)


def adnshost(address: str, domains: Sequence[str]) -> dict[str, Told]:
    """Ask the resolver at port 53 of an address for the MX of all domains."""
    found: dict[str, Told] = {}
    for start in range(0, len(domains), _WINDOW):
        window = domains[start : start + _WINDOW]
        found |= _asked(address, window)
    return found


def _asked(address: str, domains: Sequence[str]) -> dict[str, Told]:
    options = ("--asynch", "--config", f"nameserver {address}", "-tmx", "-A4", "-Cl", "-Tt", "-f")
    lines = "".join(f"{name}\n" for name in domains)
    done = subprocess.run(
        (program("adnshost"), *options), check=False, input=lines, capture_output=True, text=True
    )
    assert not done.stderr, done.stderr
    rows = iter(done.stdout.splitlines())
    found: dict[str, Told] = {}
    for row in rows:
        head = _HEAD.match(row)
        assert head, row
        told = found[head[5]] = Told(head[4], int(head[6]))
        for _record in range(int(head[2])):
            record = next(rows)
            mx = _MX.match(record)
            assert mx, record
            told.mx.append(
                (int(mx[1]), mx[2], mx[4], tuple((mx[5] or "").replace("INET ", "").split()))
            )
    assert set(found) == set(domains)
    return found
