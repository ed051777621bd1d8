# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One domain that waits in one paragraph: the cause, what it rests on, and what to do. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._diagnosis.case import Case
from .._diagnosis.kinds import Cause, Kind

_MOST_EVIDENCE = 3
# What Exchange 2013 and later add to every such error, and says nothing.
_PADDING = (
    "Attempted failover to alternate host, but that did not succeed. Either there are no alternate"
    " hosts, or delivery failed to all alternate hosts."
)
#: What pinning gives up, or may change; each with the sentence of mx_pairs_info.
_MIND = ("mx_is_cname",)


def paragraph(case: Case, known: Sequence[Cause]) -> str:
    """Return the paragraph; ``known`` are the causes, the best first."""
    return " ".join(_sentences(case, known))


def _sentences(case: Case, known: Sequence[Cause]) -> Iterator[str]:
    first, *others = known
    yield f"{'Not known' if first.kind is Kind.UNKNOWN else 'Cause'}: {first.sentence}."
    for text in first.evidence[:_MOST_EVIDENCE]:
        yield f"{text[0].upper()}{text[1:]}."
    if case.error:
        where = f" ({case.source})" if case.source else ""
        yield f"Last error: {case.error.line.replace(_PADDING, '[...]')}{where}."
    if case.foreign:
        yield f"The connector {case.foreign!r}, which is not of this collection, takes the domain."
    for cause in others:
        yield f"{'Besides' if cause.sure else 'Possible too'}: {cause.sentence}."
    remedies = dict.fromkeys(cause.remedy for cause in known if cause.remedy)
    if remedies:
        yield f"To do: {' '.join(remedies)}"
    if any(cause.pin for cause in known):
        for note in case.notes(*_MIND)[:_MOST_EVIDENCE]:
            yield f"Mind that {note['message']}."
