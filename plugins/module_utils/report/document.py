# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run did, or an audit found, on all hosts: one document that all reports are made of. Pure.

Input are the results of the tasks: of mx_pairs once, of imc_delivery or transport_delivery,
delivery_test, queue_info and exchange_info for each host. Nothing is concluded that they do not
say. docs/report-schema.json describes the document; its version counts up there and here.

Domains stand in one list, and hosts name them by their number in it, so that a thousand hosts with
a thousand domains are a few million small numbers at most and never as many texts.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .changes import Changes, Domains
from .host_entry import Host, host_entry
from .judgement import Judge, Outcome
from .organisations import Organisations
from .outcome import HostOutcome, Standing, status_for
from .text import cleaned, count, listed, words

SCHEMA_VERSION = "1.0"

_PAIR = ("preference", "exchange", "address", "ttl")
_EVERY_DOMAIN = ("domain", "pairs", "warnings", "failures", "views", "evidence")


@dataclass(frozen=True, slots=True)
class Run:
    """Which run this is. Times are UTC, as ``2026-11-23T11:45:07Z``; ``started_at`` may be unknown.

    ``login`` is the user on the controller, ``awx`` the job and user of AWX where it is one.
    ``brake`` is why a limit on the changes of the whole run stops it, or would.
    """

    kind: str
    check_mode: bool
    finished_at: str
    started_at: str | None = None
    id: str | None = None
    login: str | None = None
    awx: Mapping[str, str] | None = None
    brake: str | None = None
    collection: str = ""
    ansible: str = ""
    fail_on: Sequence[str] = ()

    @property
    def judge(self) -> Judge:
        """By what the hosts of this run are judged."""
        audit = self.kind == "audit"
        return Judge(audit, audit or self.check_mode, frozenset(self.fail_on))


def build(run: Run, resolved: Mapping[str, Any], hosts: Sequence[HostOutcome]) -> dict[str, Any]:
    """Return the document.

    ``resolved`` is the result of mx_pairs or mx_lock, whatever became of it. All texts in the
    document are cleaned: hosts and name servers wrote some of them.
    """
    told = {entry["domain"]: entry for entry in resolved.get("domains") or ()}
    moved = {entry["domain"]: entry for entry in (resolved.get("lock") or {}).get("moved") or ()}
    domains = Domains([_domain(entry, moved.get(name)) for name, entry in told.items()])
    changes, organisations = Changes(domains), Organisations()
    narrowed: dict[tuple[str, ...], dict[str, str]] = {}
    entries: list[Host] = []
    for host in hosts:
        families = tuple(host.families)
        statuses = narrowed.get(families)
        if statuses is None:
            statuses = {name: status_for(entry, families) for name, entry in told.items()}
            narrowed[families] = statuses
        entries.append(host_entry(host, statuses, run.judge, changes, organisations))
    document = {
        "schema_version": SCHEMA_VERSION,
        "run": _run(run, resolved),
        "answer": _answer(resolved, entries),
        "domains": domains.entries,
        "changes": changes.entries,
        "hosts": [host.entry for host in entries],
        "organisations": organisations.entries(),
    }
    clean: dict[str, Any] = cleaned(document)
    return clean


def _domain(entry: Mapping[str, Any], moved: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a domain with what is known of it; evidence that says nothing is left out."""
    more = {key: value for key, value in entry.items() if key not in _EVERY_DOMAIN}
    evidence = {key: value for key, value in (entry.get("evidence") or {}).items() if value}
    result = {
        "name": entry["domain"],
        **more,
        "pairs": [_pair(pair) for pair in entry.get("pairs") or ()],
        "warnings": list(entry.get("warnings") or ()),
        "failures": list(entry.get("failures") or ()),
        "views": [
            {**view, "pairs": [_pair(pair) for pair in view.get("pairs") or ()]}
            for view in entry.get("views") or ()
        ],
    }
    if evidence:
        result["evidence"] = evidence
    if moved is not None:
        result["moved"] = {side: _side(moved.get(side) or {}) for side in ("lock", "live")}
    return result


def _pair(pair: Mapping[str, Any]) -> dict[str, Any]:
    return {key: pair.get(key) for key in _PAIR}


def _side(side: Mapping[str, Any]) -> dict[str, Any]:
    pairs = side.get("pairs") or ()
    return {"status": side.get("status"), "pairs": [_pair(pair) for pair in pairs]}


def _run(run: Run, resolved: Mapping[str, Any]) -> dict[str, Any]:
    lock = resolved.get("lock")
    stats = resolved.get("stats") or {}
    return {
        "id": run.id,
        "kind": run.kind,
        "check_mode": run.check_mode,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "by": {"login": run.login, "awx": dict(run.awx) if run.awx else None},
        "collection": run.collection,
        "ansible": run.ansible,
        "fail_on": list(run.fail_on),
        "brake": run.brake or None,
        "dns": {"questions": stats.get("questions"), "seconds": stats.get("seconds")},
        "lock": lock
        and {
            "path": lock.get("path"),
            "resolved_at": lock.get("resolved_at"),
            "stale": bool(lock.get("stale")),
            "stale_domains": list(lock.get("stale_domains") or ()),
            "compared": bool(lock.get("compared")),
        },
    }


def _answer(resolved: Mapping[str, Any], entries: Sequence[Host]) -> dict[str, Any]:
    failure = None
    if resolved.get("failed") or resolved.get("unreachable"):
        failure = str(resolved.get("msg") or "the pairs could not be computed")
    told = Counter(Outcome(entry.entry["outcome"]) for entry in entries)
    verdicts = {entry.entry["verdict"] for entry in entries}
    unknown = dict(pair for entry in entries for pair in entry.unknown.items())
    verdict = next((one for one in ("failed", "drift") if one in verdicts), "clean")
    return {
        "verdict": "failed" if failure else verdict,
        "text": _sentence(told, failure, unknown),
        "failure": failure,
        "hosts": {"total": len(entries), **{one.value: told[one] for one in Outcome}},
        "counts": _counts(entries),
        "tests": _test_counts(entries),
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


def _counts(entries: Sequence[Host]) -> dict[str, int]:
    """Count pairs of host and domain by how they stand; the stuck ones stand somehow, too."""
    found: Counter[Standing] = Counter()
    for entry in entries:
        found.update(entry.standing.values())
    stuck = [
        one["listed"] for entry in entries for one in (entry.entry["queue"] or {}).get("stuck", ())
    ]
    return {
        "total": found.total(),
        **{one.value: found[one] for one in Standing},
        "stuck": sum(stuck),
        "stuck_unlisted": len(stuck) - sum(stuck),
    }


def _test_counts(entries: Sequence[Host]) -> dict[str, int]:
    """Count the test messages by their verdicts, and what a limit left out."""
    found: Counter[str] = Counter()
    for entry in entries:
        tests = entry.entry["tests"]
        if tests:
            found.update(result["verdict"] for result in tests["results"])
            found["not_tested"] += tests["not_tested"]
    return dict(sorted((+found).items()))
