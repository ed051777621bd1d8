# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""delv (BIND): what it says about one answer, validated from the same key, without a resolver."""

from __future__ import annotations

import subprocess
from pathlib import Path

from peer_programs import program

from .servers import Server

AUTHENTIC, UNSIGNED, BOGUS = "authentic", "unsigned", "bogus"
_SAYINGS = {
    "; fully validated": AUTHENTIC,
    "; negative response, fully validated": AUTHENTIC,
    "; unsigned answer": UNSIGNED,
    "; negative response, unsigned answer": UNSIGNED,
}


def trusted(anchor: Path) -> Path:
    """Return the file that makes delv trust a DNSKEY record."""
    words = anchor.read_text().partition(";")[0].split()
    at = words.index("DNSKEY") + 1
    numbers, key = " ".join(words[at : at + 3]), "".join(words[at + 3 :])
    file = anchor.with_name("delv.anchor")
    file.write_text(f'trust-anchors {{ {words[0]} static-key {numbers} "{key}"; }};\n')
    return file


def verdicts(server: Server, root: str, anchor: Path, name: str, rdtype: str) -> set[str]:
    """Return what delv says of each part of an answer, an alias being one part."""
    where = (f"@{server.address}", "-p", str(server.port))
    trust = ("-a", str(anchor), f"+root={root}")
    command = [program("delv"), *where, *trust, name, rdtype]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    said = {_SAYINGS[line] for line in done.stdout.splitlines() if line in _SAYINGS}
    if said:
        return said
    assert "resolution failed" in done.stderr, done
    return {BOGUS}
