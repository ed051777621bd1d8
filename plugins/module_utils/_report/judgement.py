# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a host, in sentences, and the verdict that follows from them. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .._run.changed_domains import changed_domains, deferred, differs, switch_changed
from .outcome import HostOutcome
from .text import count, listed, words

#: The choice of ``fail_on`` that is no status of a domain.
STUCK = "stuck"
ARRIVED = frozenset({"delivered", "would_send"})


@dataclass(frozen=True, slots=True)
class Judge:
    """What a host is judged by: the kind of the run, and the statuses that are a problem.

    ``audit`` is a run whose differences are its findings; ``proposed`` one that changed nothing.
    """

    audit: bool
    proposed: bool
    fail_on: frozenset[str]


def proposes(run: Mapping[str, Any]) -> bool:
    """Whether a run of a document only shows what another one would change."""
    return bool(run["kind"] == "audit" or run["check_mode"])


class Outcome(StrEnum):
    """How a host came out of a run, worst first."""

    FAILED = "failed"
    NOT_JUDGED = "not_judged"
    HELD = "held"
    TO_LOOK_AT = "to_look_at"
    DRIFTED = "drifted"
    TO_CHANGE = "to_change"
    CHANGED = "changed"
    SKIPPED = "skipped"
    IN_PLACE = "in_place"


_FAILED = frozenset({Outcome.FAILED, Outcome.NOT_JUDGED, Outcome.HELD, Outcome.TO_LOOK_AT})


def outcome(host: HostOutcome, judge: Judge) -> Outcome:
    """Return how a host came out; that DNS does not tell of a domain is not the host's doing."""
    if host.failure:
        return Outcome.NOT_JUDGED if judge.audit else Outcome.FAILED
    if host.held:
        return Outcome.HELD
    if host.skipped:
        return Outcome.SKIPPED
    if any(_troubles(host, judge)):
        return Outcome.TO_LOOK_AT
    return _difference(host, judge)


def verdict(came_out: Outcome, unknown: Mapping[str, str]) -> str:
    """Return the verdict on a host: ``clean``, ``drift`` or ``failed``.

    ``unknown`` are its domains whose statuses are a problem.
    """
    if came_out in _FAILED or unknown:
        return "failed"
    return "drift" if came_out is Outcome.DRIFTED else "clean"


def _difference(host: HostOutcome, judge: Judge) -> Outcome:
    if judge.audit:
        return Outcome.DRIFTED if _is_drift(host) else Outcome.IN_PLACE
    if deferred(host.enforced) and changed_domains(host.enforced or {}):
        return Outcome.TO_CHANGE
    if not differs(host.enforced or {}):
        return Outcome.IN_PLACE
    return Outcome.TO_CHANGE if judge.proposed else Outcome.CHANGED


def _is_drift(host: HostOutcome) -> bool:
    """Whether a host that was looked at differs from what is wanted."""
    if host.failure or host.held or host.skipped or host.enforced is None:
        return False
    return differs(host.enforced) or bool(host.enforced.get("worksheet"))


def unknown_domains(host: HostOutcome, statuses: Mapping[str, str], judge: Judge) -> dict[str, str]:
    """Return those of a host's domains whose statuses are a problem, with their statuses.

    ``statuses`` are those of mx_pairs_info for this host.
    """
    if host.failure or host.held or host.skipped:
        return {}
    found = {domain: statuses.get(domain, "") for domain in host.domains}
    return {domain: status for domain, status in found.items() if status in judge.fail_on}


def problems(
    host: HostOutcome, judge: Judge, unknown: Mapping[str, str], changed: Collection[str]
) -> Iterator[str]:
    """Say what is wrong with a host; ``unknown`` is what ``unknown_domains`` tells of it.

    ``changed`` are the domains whose way changes there.
    """
    if host.failure or host.held:
        yield host.failure or f"not begun: {host.held}"
        return
    if host.skipped:
        return
    if judge.audit and host.enforced and _is_drift(host):
        yield _drift(host.enforced, changed)
    for status in sorted(set(unknown.values())):
        names = [domain for domain, one in unknown.items() if one == status]
        yield f"{listed(names)} left as it is ({words(status)})"
    yield from _troubles(host, judge)


def _troubles(host: HostOutcome, judge: Judge) -> Iterator[str]:
    """Say what somebody has to see to on a host that was looked at, besides a difference."""
    if not judge.audit:
        if (host.enforced or {}).get("worksheet"):
            yield _by_hand(host.enforced or {})
        yield from _test_problems(host.tested)
    if STUCK in judge.fail_on:
        yield from _queue_problems(host.queue)


def _drift(enforced: Mapping[str, Any], changed: Collection[str]) -> str:
    what = []
    if switch_changed(enforced):
        what.append("the search list switch")
    if changed:
        thing = "Send connectors" if "steps" in enforced else "routes"
        what.append(f"the {thing} of {listed(sorted(changed))}")
    if not what and not enforced.get("changed"):
        return _by_hand(enforced)
    brake = brake_of(enforced)
    sentence = f"enforce would change {' and '.join(what) or 'the state of the service'}"
    if brake and brake["refused"]:
        sentence = f"enforce would refuse: {brake['text']}"
    by_hand = f"; {_by_hand(enforced)}" if enforced.get("worksheet") else ""
    return sentence + by_hand


def _by_hand(enforced: Mapping[str, Any]) -> str:
    return (
        f"{count(len(enforced['worksheet']), 'row')} to enter by hand, since there is no"
        " imccopy (the warning lists them)"
    )


def _test_problems(tested: Mapping[str, Any] | None) -> Iterator[str]:
    if tested is None or tested.get("skipped"):
        return
    if failure := failure_of(tested, "the delivery test failed"):
        yield failure
        return
    for result in tested.get("results") or ():
        if result["verdict"] not in ARRIVED:
            why = said(result.get("error") or {}) or result.get("reason")
            yield f"test to {result['domain']} {result['verdict']}" + (f" ({why})" if why else "")


def _queue_problems(queue: Mapping[str, Any] | None) -> Iterator[str]:
    if queue is None:
        return
    if failure := failure_of(queue, "the queue could not be looked into"):
        yield failure
    elif stuck := queue.get("stuck_domains"):
        yield f"mail to {listed(stuck)} is stuck"


def failure_of(result: Mapping[str, Any], otherwise: str) -> str:
    """Return why a task failed, or nothing."""
    if result.get("failed") or result.get("unreachable"):
        return str(result.get("msg") or otherwise)
    return ""


def said(error: Mapping[str, Any]) -> str:
    """Return what a server said, as it said it."""
    parts = (error.get("code"), error.get("enhanced"), error.get("text"))
    return " ".join(str(part) for part in parts if part)


def brake_of(enforced: Mapping[str, Any]) -> dict[str, Any] | None:
    brake = enforced.get("change_limit")
    if not brake or not brake.get("exceeded"):
        return None
    return {"refused": bool(brake.get("refused")), "text": str(brake.get("text") or "")}
