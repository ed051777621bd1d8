# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zones signed by ldns-signzone, as they should be and broken in every usual way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from peer_programs import output, program

from .servers import zone_text

_ALGORITHM = "ECDSAP256SHA256"
_LONG_AGO = ("20200101000000", "20200201000000")

Mend = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Child:
    """A zone below the signed parent.

    ``signed``: whether it is; ``delegation``: whose key the parent names (``own``, ``other``, or
    nothing); ``expired``: whether the signatures are; ``spoil``: what is done to the signed file.
    """

    records: str
    signed: bool = True
    delegation: str = "own"
    expired: bool = False
    spoil: Mend = lambda text: text
    nsec3: bool = False


def without_signature_of(rdtype: str) -> Mend:
    """Return what takes the signatures over one type out of a zone file."""

    def spoil(text: str) -> str:
        lines = text.splitlines(keepends=True)
        kept = [line for line in lines if f"RRSIG\t{rdtype} " not in line]
        assert len(kept) < len(lines), f"no signature over {rdtype}"
        return "".join(kept)

    return spoil


def altered(old: str, new: str) -> Mend:
    """Return what forges a record after the signature was made."""

    def spoil(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return spoil


def sign(folder: Path, parent: str, records: str, children: Mapping[str, Child]) -> dict[str, str]:
    """Return the zone files of a signed parent and its children, by origin.

    The key of the parent, to be trusted, is left in ``anchor.key``.
    """
    files: dict[str, str] = {}
    delegations = ""
    for label, child in children.items():
        origin = f"{label}.{parent}"
        delegations += f"{label} NS ns.{label}\nns.{label} A 127.0.0.1\n"
        key = _key(folder, origin)
        text = zone_text(origin, child.records)
        if child.signed:
            text = child.spoil(_signed(folder, origin, text, key, child))
        if child.delegation:
            named = key if child.delegation == "own" else _key(folder, origin)
            delegations += (folder / f"{named}.ds").read_text()
        files[origin] = text
    key = _key(folder, parent)
    (folder / "anchor.key").write_text((folder / f"{key}.key").read_text())
    text = zone_text(parent, records + delegations)
    files[parent] = _signed(folder, parent, text, key, Child(records=""))
    return files


def _key(folder: Path, origin: str) -> str:
    """Make a key of a zone, and return the base name of its files."""
    command = (program("ldns-keygen"), "-k", "-a", _ALGORITHM, "-r", "/dev/urandom", origin)
    return output(*command, cwd=folder).strip()


def _signed(folder: Path, origin: str, text: str, key: str, child: Child) -> str:
    (folder / origin).write_text(text)
    times = ("-i", _LONG_AGO[0], "-e", _LONG_AGO[1]) if child.expired else ()
    denial = ("-n",) if child.nsec3 else ()
    signer = program("ldns-signzone")
    output(signer, *denial, *times, "-f", f"{origin}.signed", origin, key, cwd=folder)
    return (folder / f"{origin}.signed").read_text()
