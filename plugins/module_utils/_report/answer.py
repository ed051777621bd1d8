# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report answers first: one sentence, one verdict, and how many of what. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .judgement import Outcome
from .outcome import Standing
from .text import count, listed, words

_Entry = Mapping[str, Any]


def answer(
    hosts: Sequence[_Entry], unknown: Mapping[str, str], failure: str | None
) -> dict[str, Any]:
    """Return the answer of a document with these hosts.

    ``unknown`` are domains whose statuses are a problem, with these; ``failure`` is why the pairs
    are not known, if they are not.
    """
    told = Counter(Outcome(host["outcome"]) for host in hosts)
    verdicts = {host["verdict"] for host in hosts}
    verdict = next((one for one in ("failed", "drift") if one in verdicts), "clean")
    return {
        "verdict": "failed" if failure else verdict,
        "text": _sentence(told, failure, unknown),
        "failure": failure,
        "hosts": {"total": len(hosts), **{one.value: told[one] for one in Outcome}},
        "unknown": dict(sorted(unknown.items())),
        "counts": _counts(hosts),
        "tests": _test_counts(hosts),
    }


# What a sentence says of one host that came out so, and of several.
_SAID = {
    Outcome.FAILED: ("failed", "failed"),
    Outcome.NOT_JUDGED: ("could not be judged", "could not be judged"),
    Outcome.HELD: ("was held back", "were held back"),
    Outcome.TO_LOOK_AT: ("needs a look", "need a look"),
    Outcome.DRIFTED: ("differs", "differ"),
    Outcome.TO_CHANGE: ("would be changed", "would be changed"),
    Outcome.CHANGED: ("was changed", "were changed"),
    Outcome.SKIPPED: ("has no such service", "have no such service"),
    Outcome.IN_PLACE: ("is as it should be", "are as they should be"),
}


def _sentence(told: Counter[Outcome], failure: str | None, unknown: Mapping[str, str]) -> str:
    """Return the answer as one sentence; ``unknown`` are domains whose statuses are a problem."""
    if failure:
        return f"The MX/address pairs are not known: {failure}"
    total = told.total()
    parts = [(told[one], _SAID[one]) for one in Outcome if told[one]]
    also = ""
    if unknown:
        statuses = listed(words(status) for status in sorted(set(unknown.values())))
        verb = "needs a look" if len(unknown) == 1 else "need a look"
        also = f"; {count(len(unknown), 'domain')} {verb} ({statuses})"
    if len(parts) == 1:
        number, said = parts[0]
        one = {1: "The one host", 2: "Both hosts"}.get(number, f"All {number} hosts")
        return f"{one} {said[number > 1]}{also}."
    listing = ", ".join(f"{number} {said[number > 1]}" for number, said in parts)
    return f"Of {count(total, 'host')} {listing}{also}." if parts else "No host took part."


def _counts(hosts: Sequence[_Entry]) -> dict[str, int]:
    """Count pairs of host and domain by how they stand; the stuck ones stand somehow, too."""
    found: Counter[str] = Counter()
    for host in hosts:
        found.update({one: len(numbers) for one, numbers in host["standing"].items()})
    stuck = [one["listed"] for host in hosts for one in (host["queue"] or {}).get("stuck", ())]
    return {
        "total": found.total(),
        **{one.value: found[one.value] for one in Standing},
        "stuck": sum(stuck),
        "stuck_unlisted": len(stuck) - sum(stuck),
    }


def _test_counts(hosts: Sequence[_Entry]) -> dict[str, int]:
    """Count the test messages by their verdicts, and what a limit left out."""
    found: Counter[str] = Counter()
    for host in hosts:
        if tests := host["tests"]:
            found.update(result["verdict"] for result in tests["results"])
            found["not_tested"] += tests["not_tested"]
    return dict(sorted((+found).items()))
