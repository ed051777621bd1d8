# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host of a report as plain data: what its tasks returned, and what it is judged. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._imc.setting import VALUE_NAME
from .._run.changed_domains import changed_domains, deferred, switch_changed, worth_testing
from .changes import Changes
from .judgement import (
    ARRIVED,
    Judge,
    brake_of,
    failure_of,
    outcome,
    problems,
    said,
    unknown_domains,
    verdict,
)
from .organisations import Organisations
from .outcome import HostOutcome, Standing, appended, standings


@dataclass(frozen=True, slots=True)
class Host:
    """A host's entry, how its domains stand, and those whose statuses are a problem."""

    entry: dict[str, Any]
    standing: dict[str, Standing]
    unknown: Mapping[str, str]


def host_entry(
    host: HostOutcome,
    statuses: Mapping[str, str],
    judge: Judge,
    changes: Changes,
    organisations: Organisations,
) -> Host:
    """Return what a report says of a host; ``statuses`` are its domains' by mx_pairs_info."""
    changed = dict.fromkeys(changed_domains(host.enforced or {}))
    standing = standings(host, statuses, changed, proposed=judge.proposed)
    unknown = unknown_domains(host, statuses, judge)
    found = list(problems(host, judge, unknown, changed))
    came_out = outcome(host, judge)
    enforced = {} if host.failure else host.enforced or host.planned or {}
    grouped: dict[str, list[int]] = {}
    for domain, one in standing.items():
        grouped.setdefault(one.value, []).append(changes.domains.number(domain))
    entry = {
        "name": host.name,
        "family": host.family or None,
        "version": _version(host),
        "organisation": organisations.number(host),
        "deferred": deferred(host.enforced),
        "outcome": came_out.value,
        "verdict": verdict(came_out, unknown),
        "problems": found,
        "failure": host.failure or None,
        "unreachable": host.unreachable,
        "held": host.held or None,
        "skipped": (host.enforced or {}).get("skip_reason") if host.skipped else None,
        "standing": {one.value: grouped[one.value] for one in Standing if one.value in grouped},
        "changes": changes.of_routes(enforced),
        "switch": _switch(enforced),
        "search_list": _search_list(host, judge),
        "service": _service(enforced, judge),
        "worksheet": list(enforced.get("worksheet") or ()),
        "brake": brake_of(host.enforced or host.planned or {}),
        "warnings": [] if host.family == "transport" else _texts(enforced.get("warnings")),
        "backup": (host.enforced or {}).get("backup"),
        "left": _left(host.enforced or {}),
        "tests": _tests(host, statuses, changes),
        "queue": _queue(host),
    }
    return Host(entry, standing, unknown)


def _version(host: HostOutcome) -> str | None:
    """Return the version of Exchange from whichever task was told it."""
    told = ((one or {}).get("version") for one in (host.info, host.queue, host.tested))
    return next((str(version) for version in told if version), None)


def _switch(enforced: Mapping[str, Any]) -> dict[str, Any] | None:
    registry = enforced.get("registry")
    if not registry:
        return None
    return {
        "before": registry.get("before"),
        "after": registry.get("after"),
        "changed": switch_changed(enforced),
    }


def _search_list(host: HostOutcome, judge: Judge) -> dict[str, Any] | None:
    """Return what the host may append to names, in lower case, and where it has it from."""
    resolver = (host.info or {}).get("resolver") or {}
    names = appended(host.family, host.info, host.suffixes)
    suffixes = list(dict.fromkeys(name.lower().strip(".") for name in names))
    if not resolver and not suffixes:
        return None
    switched = _switched_off(host, judge)
    return {
        "suffixes": suffixes,
        "source": resolver.get("source"),
        "disabled": resolver.get("search_list_disabled") if switched is None else switched,
    }


def _switched_off(host: HostOutcome, judge: Judge) -> bool | None:
    """Whether the service is told to append nothing (Q150969), None where that was not seen."""
    registry = (host.enforced or host.planned or {}).get("registry")
    if not registry:
        return None
    value = registry.get("before" if judge.proposed else "after")
    return bool(value and value.get("name") == VALUE_NAME and value.get("data"))


def _service(enforced: Mapping[str, Any], judge: Judge) -> dict[str, Any] | None:
    service = enforced.get("service")
    if service is None:
        return None
    restart = bool(enforced.get("restarted"))
    return {
        "state": service.get("state"),
        "restarted": restart and not judge.proposed,
        "to_restart": restart and judge.proposed,
        "restart_required": bool(enforced.get("restart_required")),
    }


def _left(enforced: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return in which state a change that failed left the host."""
    if "rolled_back" not in enforced or not enforced.get("failed"):
        return None
    return {"rolled_back": bool(enforced["rolled_back"]), "state": enforced.get("state")}


def _tests(
    host: HostOutcome, statuses: Mapping[str, str], changes: Changes
) -> dict[str, Any] | None:
    tested = host.tested
    if tested is None or tested.get("skipped"):
        return None
    results = tested.get("results") or ()
    pinned = [domain for domain in host.domains if statuses.get(domain) == "ok"]
    worth = worth_testing(host.enforced or {}, pinned)
    left_out = len(worth.difference(result["domain"] for result in results))
    return {
        "failure": None if results else failure_of(tested, "the delivery test failed") or None,
        "results": [_test(result, changes) for result in results],
        "not_tested": left_out if results else 0,
        "retried": sum(len(queue.get("domains") or ()) for queue in tested.get("retried") or ()),
    }


def _test(result: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """Return one message; what helps to trace it only where it did not arrive."""
    verdict = result["verdict"]
    entry = {
        "domain": changes.domains.number(result["domain"]),
        "verdict": verdict,
        "time": result.get("time"),
        "seconds": result.get("seconds"),
    }
    if verdict in ARRIVED:
        return entry
    return {
        **entry,
        "recipient": result.get("recipient"),
        "message_id": result.get("message_id"),
        "reason": result.get("reason"),
        "error": said(result.get("error") or {}) or None,
    }


def _queue(host: HostOutcome) -> dict[str, Any] | None:
    """Return what waits on the host, and which domains are stuck there."""
    queue = host.queue
    if queue is None or queue.get("skipped"):
        return None
    if failure := failure_of(queue, "the queue could not be looked into"):
        return {"failure": failure, "messages": None, "stuck": []}
    waiting = {one["domain"]: one for one in queue.get("queues") or ()}
    listed_here = set(host.domains)
    return {
        "failure": None,
        "messages": queue.get("files"),
        "stuck": [
            {
                "domain": name,
                "listed": name in listed_here,
                **{
                    key: waiting.get(name, {}).get(key)
                    for key in ("messages", "oldest", "last_error", "address")
                },
            }
            for name in queue.get("stuck_domains") or ()
        ],
    }


def _texts(given: object) -> list[str]:
    return [str(text) for text in given] if isinstance(given, list | tuple) else []
