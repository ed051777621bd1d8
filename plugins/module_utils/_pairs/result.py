# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a run as the dictionary that a task returns (rule 21).

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from .model import DomainResult, Evidence, Failure, Note, Outcome, Pair, Status

_MAX_NAMED = 5  # domains named in one warning

_TOLD = {
    Status.TEMPORARY_FAILURE: "Could not be resolved now, keeping what is pinned",
    Status.DISAGREEMENT: "Told differently by the name servers, keeping what is pinned",
    Status.LOOP: "Only our own hosts are exchanges, keeping what is pinned",
    Status.NO_ADDRESS: "No exchange has a usable address, keeping what is pinned",
    Status.NO_SUCH_DOMAIN: "No such domain",
    Status.NULL_MX: "Takes no mail (null MX)",
}


def as_dict(outcome: Outcome, started: datetime) -> dict[str, Any]:
    """Return the task result; ``started`` is when the first question was asked (UTC)."""
    untils = {ttl: _until(started, ttl) for ttl in {result.ttl for result in outcome.results}}
    domains = [_domain(result, untils[result.ttl]) for result in outcome.results]
    return {
        "changed": False,
        "domains": domains,
        "pairs": [
            {"domain": domain["domain"], **pair} for domain in domains for pair in domain["pairs"]
        ],
        "routes": [
            {
                "domain": result.domain,
                "status": result.status.value,
                "addresses": [pair.address for pair in result.pairs],
            }
            for result in outcome.results
        ],
        "stats": {
            "domains": len(outcome.results),
            "questions": outcome.stats.questions,
            "cache_hits": outcome.stats.cache_hits,
            "retries": outcome.stats.retries,
            "tcp": outcome.stats.tcp,
            "seconds": round(outcome.stats.seconds, 3),
        },
        "warnings": _warnings(outcome),
    }


def _until(started: datetime, ttl: int | None) -> str | None:
    if ttl is None:
        return None
    return (started + timedelta(seconds=ttl)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _domain(result: DomainResult, until: str | None) -> dict[str, Any]:
    return {
        "domain": result.domain,
        "status": result.status.value,
        "implicit_mx": result.implicit_mx,
        "pairs": [_pair(pair) for pair in result.pairs],
        "ttl": result.ttl,
        "valid_until": until,
        "warnings": [_note(note) for note in result.notes],
        "failures": [_failure(failure) for failure in result.failures],
        "views": [
            {
                "nameserver": view.nameserver,
                "status": view.status.value,
                "pairs": [_pair(pair) for pair in view.pairs],
            }
            for view in result.views
        ],
        "evidence": result.evidence and _evidence(result.evidence),
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "preference": pair.preference,
        "exchange": pair.exchange,
        "address": pair.address,
        "ttl": pair.ttl,
    }


def _note(note: Note) -> dict[str, Any]:
    return {"code": note.code, "message": note.message, **dict(note.facts)}


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "name": failure.question.name,
        "type": failure.question.rdtype.name,
        "kind": failure.kind.value,
        "nameserver": failure.nameserver,
        "message": failure.message,
        "needed": failure.needed,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "authentic": evidence.authentic,
    }


def _warnings(outcome: Outcome) -> list[str]:
    """Return a few lines to be seen: one for each status and each code, whatever the number."""
    named: dict[str, list[str]] = {}
    for result in outcome.results:
        if result.status in _TOLD:
            named.setdefault(_TOLD[result.status], []).append(result.domain)
    for result in outcome.results:
        for code in dict.fromkeys(note.code for note in result.notes):
            named.setdefault(f"Warning {code}", []).append(result.domain)
    lines = [f"{what}: {listed(domains)}" for what, domains in named.items()]
    reason = first_reason(outcome.results)
    if reason:
        lines.append(f"Questions to name servers failed; {reason}")
    return [*(note.message for note in outcome.notes), *lines]


def first_reason(results: Iterable[DomainResult]) -> str:
    """Return, for a sentence, the first question that failed and that pairs depend on."""
    for result in results:
        for failure in result.failures:
            if failure.needed:
                question = failure.question
                return (
                    f"first: {question.rdtype.name} of {question.name}: {failure.kind.value} at "
                    f"{failure.nameserver}, {failure.message}"
                )
    return ""


def listed(names: list[str]) -> str:
    """Return some names for a sentence, and how many more there are."""
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return f"{', '.join(names[:_MAX_NAMED])}{more}"
