# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run did, or an audit found, on all hosts: the one document behind every report. Pure.

docs/report-schema.json describes it; its version counts up there and here. Domains and changes are
listed once, and hosts refer to them by number, so that a thousand hosts with a thousand domains are
a few million small numbers at most, and never as many texts.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .._run.changed_domains import Rows, rows_by_domain, table_rows
from .host_result import HostResult, limit_of, status_for
from .organisations import Organisations, settle
from .states import Judge, State, answer
from .text import cleaned, failure_of

SCHEMA_VERSION = "2.0"

_PAIR = ("preference", "exchange", "address", "ttl")
_UNPROVED = ("since", "run", "backup", "verdict", "reason")
_EVERY_DOMAIN = ("domain", "pairs", "warnings", "failures", "views", "evidence")
# The flag of a row of the route table if an administrator set no other.
_USUAL_FLAG = "0"


@dataclass(frozen=True, slots=True)
class Run:
    """Which run this is. Times are UTC, as ``2026-11-23T11:45:07Z``; ``started_at`` may be unknown.

    ``login`` is the user on the controller, ``awx`` the job and user of AWX if it is one.
    ``limit`` is why a limit on the changes of the whole run stops it, or would. ``note`` is why
    the run is made.
    """

    kind: str
    check_mode: bool
    finished_at: str
    started_at: str | None = None
    id: str | None = None
    login: str | None = None
    awx: Mapping[str, str] | None = None
    limit: str | None = None
    collection: str = ""
    ansible: str = ""
    fail_on: Sequence[str] = ()
    note: str = ""

    def to_dict(self, resolved: Mapping[str, Any]) -> dict[str, Any]:
        """Return it as plain data, with the facts in ``resolved`` about DNS and the lock file."""
        run = {**asdict(self), "fail_on": list(self.fail_on), "limit": self.limit or None}
        run["note"] = self.note or None
        lock, stats = resolved.get("lock"), resolved.get("stats") or {}
        login, awx = run.pop("login"), run.pop("awx")
        return {
            **run,
            "by": {"login": login, "awx": awx or None},
            "dns": {"questions": stats.get("questions"), "seconds": stats.get("seconds")},
            "lock": lock
            and {
                "path": lock.get("path"),
                "resolved_at": lock.get("resolved_at"),
                "stale": bool(lock.get("stale")),
                "stale_domains": list(lock.get("stale_domains") or ()),
                "compared": bool(lock.get("compared")),
            },
            "slices": None,
        }


@dataclass(slots=True)
class Domains:
    """The domains of a report by number. One that DNS was not asked about is added when named."""

    entries: list[dict[str, Any]]
    _numbers: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._numbers = {entry["name"]: number for number, entry in enumerate(self.entries)}

    def number(self, name: str) -> int:
        """Return the number of a domain."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.entries)
            self.entries.append({"name": name, "status": None, "pairs": []})
        return number


@dataclass(slots=True)
class Changes:
    """All different changes of route tables by number; hosts with the same change share it."""

    domains: Domains
    entries: list[dict[str, Any]] = field(default_factory=list)
    _numbers: dict[tuple[object, ...], int] = field(default_factory=dict)

    def of_table(self, delivery: Mapping[str, Any]) -> list[int]:
        """Return the numbers of what a result of imc_delivery changes in its table."""
        before, after = table_rows(delivery)
        if before == after:
            return []
        return [self.number(*change) for change in _table_changes(before, after)]

    def number(self, domain: str, before: Sequence[str], after: Sequence[str]) -> int:
        """Return the number of a change; one without a domain is of malformed rows."""
        key = (domain, tuple(before), tuple(after))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.entries)
            place = self.domains.number(domain) if domain else None
            self.entries.append({"domain": place, "before": list(before), "after": list(after)})
        return number


def _table_changes(before: Rows, after: Rows) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each domain with a changed route, its old and new places; malformed rows last."""

    def places(routes: Sequence[tuple[str, str]]) -> list[str]:
        return [
            address if flag == _USUAL_FLAG else f"{address} flag {flag}" for address, flag in routes
        ]

    old, new = rows_by_domain(before), rows_by_domain(after)
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            yield name, places(old.get(name, ())), places(new.get(name, ()))
    old_raw, new_raw = ([row["raw"] for row in rows if "raw" in row] for rows in (before, after))
    if old_raw != new_raw:
        yield "", old_raw, new_raw


def build(run: Run, resolved: Mapping[str, Any], hosts: Sequence[HostResult]) -> dict[str, Any]:
    """Return the document; all texts in it are cleaned, for hosts and name servers wrote some.

    ``resolved`` is the result of delivery_routes, mx_pairs_info or mx_lock_info, also a failed one.
    """
    known = {entry["domain"]: entry for entry in resolved.get("domains") or ()}
    moved = {entry["domain"]: entry for entry in (resolved.get("lock") or {}).get("moved") or ()}
    domains = Domains([_domain(entry, moved.get(name)) for name, entry in known.items()])
    changes, organisations = Changes(domains), Organisations()
    plain_run = run.to_dict(resolved)
    judge = Judge.of_run(plain_run)
    by_families: dict[tuple[str, ...], dict[str, str]] = {}
    pins = {x for one in hosts if one.unpinned is not None for x in {*one.domains} - one.unpinned}
    hosts = [replace(host, pinned=frozenset(pins)) for host in hosts]
    entries: list[dict[str, Any]] = []
    problems: dict[str, str] = {}
    for host in hosts:
        families = tuple(host.families)
        statuses = by_families.get(families)
        if statuses is None:
            statuses = {name: status_for(entry, families) for name, entry in known.items()}
            by_families[families] = statuses
        problems |= host.problem_domains(statuses, judge)
        entries.append(host_entry(host, statuses, judge, changes, organisations))
    settle(entries)
    document: dict[str, Any] = cleaned(
        {
            "schema_version": SCHEMA_VERSION,
            "run": plain_run,
            "answer": answer(
                entries, plain_run, problems, failure_of(resolved, "no result of DNS") or None
            ),
            "domains": domains.entries,
            "changes": changes.entries,
            "hosts": entries,
            "organisations": organisations.entries(),
        }
    )
    return document


def host_entry(
    host: HostResult,
    statuses: Mapping[str, str],
    judge: Judge,
    changes: Changes,
    organisations: Organisations,
) -> dict[str, Any]:
    """Return one host as plain data; ``statuses`` are those of DNS for its domains."""
    state = host.state(judge)
    by_status = host.problem_domains(statuses, judge)
    states, reasons = host.domain_states(statuses, judge)
    by_state: dict[str, list[int]] = {}
    by_reason: dict[str, list[int]] = {}
    for domain, one in states.items():
        by_state.setdefault(one.value, []).append(changes.domains.number(domain))
    for domain, why in reasons.items():
        by_reason.setdefault(why, []).append(changes.domains.number(domain))
    tests = host.tests_entry(statuses)
    for result in (tests or {}).get("results", ()):
        result["domain"] = changes.domains.number(result["domain"])
    unproved = [
        {**{key: one.get(key) or None for key in _UNPROVED}, "domain": changes.domains.number(name)}
        for name, one in host.unproved.items()
    ]
    delivery = host.delivery or {}
    warnings = () if host.family == "transport" else host.shown.get("warnings") or ()
    return {
        "name": host.name,
        "family": host.family or None,
        "version": host.version,
        "organisation": organisations.number(host),
        "deferred": host.deferred,
        "state": state.value,
        "verdict": judge.verdict(state, by_status),
        "reason": host.failure or host.held or host.skipped or None,
        "unreachable": host.unreachable,
        "problems": host.problems(judge, by_status),
        "domains": {one.value: by_state[one.value] for one in State if one.value in by_state},
        "reasons": by_reason,
        "changes": changes.of_table(host.shown),
        "switch": host.switch,
        "search_list": host.search_list(proposed=judge.proposed),
        "service": host.service_entry(judge),
        "worksheet": list(host.shown.get("worksheet") or ()),
        "limit": limit_of(host.delivery or host.compared or {}),
        "warnings": [str(text) for text in warnings],
        "backup": delivery.get("backup"),
        "left": host.left_entry(),
        "tests": tests,
        "unproved": unproved,
        "queue": host.queue_entry(),
    }


def _domain(entry: Mapping[str, Any], moved: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a domain as DNS has it; ``moved`` is where the lock file differs from DNS."""

    def pairs(of: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [{key: pair.get(key) for key in _PAIR} for pair in of.get("pairs") or ()]

    more = {key: value for key, value in entry.items() if key not in _EVERY_DOMAIN}
    evidence = {key: value for key, value in (entry.get("evidence") or {}).items() if value}
    result = {
        "name": entry["domain"],
        **more,
        "pairs": pairs(entry),
        "warnings": list(entry.get("warnings") or ()),
        "failures": list(entry.get("failures") or ()),
        "views": [{**view, "pairs": pairs(view)} for view in entry.get("views") or ()],
    }
    if entry.get("evidence") is not None:
        result["evidence"] = evidence
    if moved is not None:
        sides = {side: moved.get(side) or {} for side in ("lock", "live")}
        result["moved"] = {
            side: {"status": one.get("status"), "pairs": pairs(one)} for side, one in sides.items()
        }
    return result
