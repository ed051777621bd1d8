# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How mx_pairs_info differs from dig with naive sums and from adns, and by which rule it may.

Each reason is read from the raw answers or from the zones, never from what mx_pairs_info says about
itself; a difference without a reason is ``UNEXPLAINED``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .adnshost import Told
from .generated import Generated
from .naive import Found

UNEXPLAINED = "unexplained"
_IMPLICIT = "rule 4: an implicit MX is left to whoever asks"
_NULL = "rule 5: a null MX is a status of its own"
_ALIAS = "rule 6: an alias of an alias is followed"
_LITERAL = "rule 7: an address is not asked about"
_TWICE = "rule 12: an address counts once"
_PART = "rule 14: some pairs are not the pairs"

Pair = tuple[int, str, str]
Result = Mapping[str, Any]


def aliases_of(generated: Generated) -> dict[str, str]:
    """Return what each alias leads to, from the zones as they are written."""
    records = [line.split() for text in generated.zones.values() for line in text.splitlines()]
    return {
        owner.rstrip("."): data[0].rstrip(".")
        for owner, _ttl, rdtype, *data in records
        if rdtype == "CNAME"
    }


def from_naive(result: Result, found: Found) -> str:
    """Return nothing if both know the same pairs, else the rule by which they differ."""
    naive = [pair[:3] for pair in found.pairs]
    ours = (result["status"], _pairs(result))
    if ours == (_naive_status(found), naive):
        return ""
    return _first(
        (_NULL, found.mx == ["0 ."] and ours == ("null_mx", [])),
        (_PART, bool(found.failed) and ours == ("temporary_failure", [])),
        (_TWICE, ours == ("ok", _folded(naive)) and len(ours[1]) < len(naive)),
    )


def from_naive_times(result: Result, found: Found) -> str:
    """Return nothing if both tell the same times to live, else the rule by which they differ."""
    known = {pair[:3]: pair[3] for pair in found.pairs}
    told = [pair["ttl"] for pair in result["pairs"]]
    unknown = result["status"] == "temporary_failure" and result["ttl"] is None
    if unknown or (result["ttl"], told) == (found.ttl, [known[pair] for pair in _pairs(result)]):
        return ""
    names = [entry.split()[1].rstrip(".") for entry in found.mx]
    return _first((_LITERAL, any(name.replace(".", "").isdigit() for name in names)))


def from_adns(result: Result, told: Told, aliases: Mapping[str, str]) -> str:
    """Return nothing if both know the same pairs, else the rule by which they differ."""

    def too_far(name: str) -> bool:
        """Whether it takes more than the one alias that adns follows."""
        return aliases.get(name, "") in aliases

    theirs = sorted((mx[0], mx[1], address) for mx in told.mx for address in mx[3])
    ours = (result["status"], sorted(_pairs(result)))
    if ours == (_adns_status(told, theirs), theirs):
        return ""
    unasked = {mx[1] for mx in told.mx if mx[2] == "prohibitedcname" and too_far(mx[1])}
    rest = [pair for pair in ours[1] if pair[1] not in unasked]
    more = {pair[2] for pair in ours[1]} - {pair[2] for pair in rest}
    implicit = {pair[:2] for pair in ours[1]} == {(0, result["domain"])}
    failed = any(mx[2] == "rcodeservfail" for mx in told.mx)
    return _first(
        (_IMPLICIT, told.status == "nodata" and implicit),
        (_NULL, [mx[:2] for mx in told.mx] == [(0, ".")] and ours == ("null_mx", [])),
        (_ALIAS, told.status == "prohibitedcname" and too_far(result["domain"])),
        (_PART, failed and ours == ("temporary_failure", [])),
        (_ALIAS, bool(unasked) and rest == [x for x in _folded(theirs) if x[2] not in more]),
        (_TWICE, ours == ("ok", _folded(theirs)) and len(ours[1]) < len(theirs)),
    )


def _first(*reasons: tuple[str, bool]) -> str:
    return next((rule for rule, holds in reasons if holds), UNEXPLAINED)


def _pairs(result: Result) -> list[Pair]:
    return [(p["preference"], p["exchange"], p["address"]) for p in result["pairs"]]


def _folded(pairs: list[Pair]) -> list[Pair]:
    """Return pairs in their order, of each address the first."""
    best: dict[str, Pair] = {}
    for pair in pairs:
        best.setdefault(pair[2], pair)
    return list(best.values())


def _naive_status(found: Found) -> str:
    if found.status == "NXDOMAIN":
        return "no_such_domain"
    if found.pairs:
        return "ok"
    return "temporary_failure" if found.failed else "no_address"


def _adns_status(told: Told, pairs: list[Pair]) -> str:
    known = {"nxdomain": "no_such_domain", "rcodeservfail": "temporary_failure"}
    return known.get(told.status, "ok" if pairs else "no_address")
