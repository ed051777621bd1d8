# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a host, in sentences, and the verdict that follows from them. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .outcome import HostOutcome, changed_domains, differs, switch_changed
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

    @property
    def verdict(self) -> str:
        """The verdict on a host that came out so: ``clean``, ``drift`` or ``failed``."""
        if self in {Outcome.FAILED, Outcome.NOT_JUDGED, Outcome.HELD, Outcome.TO_LOOK_AT}:
            return "failed"
        return "drift" if self is Outcome.DRIFTED else "clean"


def outcome(host: HostOutcome, judge: Judge, found: Sequence[str]) -> Outcome:
    """Return how a host came out; ``found`` is what ``problems`` says of it."""
    drifted = judge.audit and _is_drift(host)
    if host.failure:
        return Outcome.NOT_JUDGED if judge.audit else Outcome.FAILED
    if host.held:
        return Outcome.HELD
    if len(found) > drifted:
        return Outcome.TO_LOOK_AT
    if host.skipped:
        return Outcome.SKIPPED
    return _difference(host, judge)


def _difference(host: HostOutcome, judge: Judge) -> Outcome:
    if judge.audit:
        return Outcome.DRIFTED if _is_drift(host) else Outcome.IN_PLACE
    if not differs(host.enforced or {}):
        return Outcome.IN_PLACE
    return Outcome.TO_CHANGE if judge.proposed else Outcome.CHANGED


def _is_drift(host: HostOutcome) -> bool:
    """Whether a host that was looked at differs from what is wanted."""
    if host.failure or host.held or host.skipped or host.enforced is None:
        return False
    return differs(host.enforced) or bool(host.enforced.get("worksheet"))


def problems(host: HostOutcome, statuses: Mapping[str, str], judge: Judge) -> Iterator[str]:
    """Say what is wrong with a host; ``statuses`` are those of its domains."""
    if host.failure or host.held:
        yield host.failure or f"not begun: {host.held}"
        return
    if host.skipped or host.enforced is None:
        return
    if judge.audit and _is_drift(host):
        yield _drift(host.enforced)
    for status in sorted(judge.fail_on - {STUCK}):
        unknown = [domain for domain in host.domains if statuses.get(domain) == status]
        if unknown:
            yield f"{listed(unknown)} left as it is ({words(status)})"
    if not judge.audit and host.enforced.get("worksheet"):
        yield _by_hand(host.enforced)
    if not judge.audit:
        yield from _test_problems(host.tested)
    if STUCK in judge.fail_on:
        yield from _queue_problems(host.queue)


def _drift(enforced: Mapping[str, Any]) -> str:
    what = []
    if switch_changed(enforced):
        what.append("the search list switch")
    domains = sorted(changed_domains(enforced))
    if domains:
        thing = "Send connectors" if "steps" in enforced else "routes"
        what.append(f"the {thing} of {listed(domains)}")
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
    brake = enforced.get("brake")
    if not brake or not brake.get("exceeded"):
        return None
    return {"refused": bool(brake.get("refused")), "text": str(brake.get("text") or "")}
