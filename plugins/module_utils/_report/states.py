# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of hosts and domains, the verdict that follows from them, and their words. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .text import count, listed

#: The choice of ``fail_on`` that is not a status of a domain.
STUCK = "stuck"
#: Results of test messages that do not count as a problem.
RELAYED = "relayed"
ARRIVED = frozenset({"delivered", RELAYED, "would_send"})
#: The result of a host that has no way to send one.
NOT_TESTED = "not_tested"


class State(StrEnum):
    """The state of a host, or of a domain on a host, after a run; the worst comes first.

    UNKNOWN could not be checked, REFUSED was not allowed or not possible to change, NOT_PROVED was
    changed by this or an earlier run without a delivered test message since, KEPT was left as it is
    because of a DNS status or an option. REFUSED and KEPT come with a reason.
    """

    FAILED = "failed"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    NOT_PROVED = "not_proved"
    WOULD_CHANGE = "would_change"
    CHANGED = "changed"
    KEPT = "kept"
    UP_TO_DATE = "up_to_date"


#: Verdicts, the worst first. Each is an argument of the module delivery_verdict.
VERDICTS = {"failed": "failed", "unjudged": "not checked", "drift": "drift", "clean": "clean"}

#: The words for a domain's state, in the order in which a report lists them.
DOMAIN_WORDS = {
    State.FAILED: "failed",
    State.UNKNOWN: "not checked",
    State.REFUSED: "not changed",
    State.NOT_PROVED: "changed, not proved",
    State.WOULD_CHANGE: "pending",
    State.CHANGED: "changed",
    State.UP_TO_DATE: "up to date",
    State.KEPT: "kept",
}
HOST_WORDS = {
    State.FAILED: "failed",
    State.UNKNOWN: "not checked",
    State.REFUSED: "not changed",
    State.NOT_PROVED: "changed, not proved",
    State.WOULD_CHANGE: "pending",
    State.CHANGED: "changed",
    State.KEPT: "no such service",
    State.UP_TO_DATE: "up to date",
}
STATUS_WORDS = {
    "ok": "ok",
    "null_mx": "accepts no mail (null MX)",
    "no_such_domain": "does not exist",
    "no_address": "no usable address",
    "loop": "only own hosts",
    "temporary_failure": "DNS lookup failed",
    "disagreement": "name servers disagree",
    "moving": "addresses change too often to be pinned",
}
REASON_WORDS = {
    **STATUS_WORDS,
    "by_hand": "must be entered by hand",
    "conflict": "existing settings in the way",
    "limit": "run not started on this host",
}
FAMILY_WORDS = {"imc": "4.0 to 5.5", "transport": "2010 to SE"}

# The words of the answer for one host in a state, and for several.
_SENTENCE = {
    State.FAILED: ("failed", "failed"),
    State.UNKNOWN: ("could not be checked", "could not be checked"),
    State.REFUSED: ("was not changed", "were not changed"),
    State.NOT_PROVED: ("has changes without proof", "have changes without proof"),
    State.WOULD_CHANGE: ("would change", "would change"),
    State.CHANGED: ("was changed", "were changed"),
    State.KEPT: ("has no such service", "have no such service"),
    State.UP_TO_DATE: ("is up to date", "are up to date"),
}
_DRIFT = ("has drift", "have drift")


@dataclass(frozen=True, slots=True)
class Judge:
    """How a run is judged; ``proposed`` is one that changed nothing, as every audit is.

    ``fail_on`` are the statuses of domains that are a problem, and ``stuck``.
    """

    audit: bool
    proposed: bool
    fail_on: frozenset[str]

    @classmethod
    def of_run(cls, run: Mapping[str, Any]) -> Judge:
        """Return how the run of a document is judged."""
        audit = run["kind"] in {"audit", "diagnose"}
        return cls(audit, audit or bool(run["check_mode"]), frozenset(run["fail_on"]))

    def verdict(self, state: State, problems: Mapping[str, str]) -> str:
        """Return the verdict on a host; ``problems`` are its domains with a status of fail_on.

        An audit fails nothing: a host it cannot vouch for is unjudged.
        """
        if state is State.UNKNOWN or ((state is State.FAILED or problems) and self.audit):
            return "unjudged"
        open_ = state in {State.REFUSED, State.NOT_PROVED}
        if state is State.FAILED or problems or (open_ and not self.audit):
            return "failed"
        return "drift" if self.audit and (open_ or state is State.WOULD_CHANGE) else "clean"


def worst(verdicts: Sequence[str]) -> str:
    """Return the worst of some verdicts, ``clean`` for an empty list."""
    return next((verdict for verdict in VERDICTS if verdict in verdicts), "clean")


def answer(
    hosts: Sequence[Mapping[str, Any]],
    run: Mapping[str, Any],
    problems: Mapping[str, str],
    failure: str | None,
) -> dict[str, Any]:
    """Return the answer of a document: its verdict, one sentence, and how many of what.

    ``problems`` are the domains with a status of fail_on; ``failure`` is why DNS could not be
    asked, if it could not.
    """
    states = Counter(State(host["state"]) for host in hosts)
    domains: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    stuck: Counter[bool] = Counter()
    organisations: dict[int, list[Mapping[str, Any]]] = {}
    for host in hosts:
        if host["organisation"] is None:
            domains.update({state: len(numbers) for state, numbers in host["domains"].items()})
            reasons.update({reason: len(numbers) for reason, numbers in host["reasons"].items()})
        else:
            organisations.setdefault(host["organisation"], []).append(host)
        stuck.update(entry["listed"] for entry in (host["queue"] or {}).get("stuck", ()))
        if host["tests"]:
            tests.update(result["verdict"] for result in host["tests"]["results"])
            tests["not_tested"] += host["tests"]["not_tested"]
    for members in organisations.values():  # hosts that share their connectors
        domains.update(_once(members, "domains", tuple(State)).values())
        reasons.update(_once(members, "reasons", tuple(REASON_WORDS)).values())
    return {
        "verdict": "failed" if failure else worst([host["verdict"] for host in hosts]),
        "text": _sentence(states, run, problems, failure),
        "failure": failure,
        "hosts": {"total": len(hosts), **{state.value: states[state] for state in State}},
        "problems": dict(sorted(problems.items())),
        "counts": {
            "total": domains.total(),
            **{state.value: domains[state] for state in State},
            "reasons": dict(sorted(reasons.items())),
            "stuck": stuck[True],
            "stuck_unlisted": stuck[False],
        },
        "tests": dict(sorted((+tests).items())),
    }


def _once(hosts: Sequence[Mapping[str, Any]], key: str, order: Sequence[str]) -> dict[int, str]:
    """Return each domain (by number) of an organisation with the first state that a host has."""
    found: dict[int, str] = {}
    for state in order:
        for host in hosts:
            for number in host[key].get(state, ()):
                found.setdefault(number, str(state))
    return found


def _sentence(
    states: Counter[State], run: Mapping[str, Any], problems: Mapping[str, str], failure: str | None
) -> str:
    if failure:
        return f"DNS could not be asked: {failure}"
    also = ""
    if problems:
        statuses = listed(STATUS_WORDS.get(one, one) for one in sorted(set(problems.values())))
        verb = "needs" if len(problems) == 1 else "need"
        also = f"; {count(len(problems), 'domain')} {verb} attention ({statuses})"
    total = states.total()
    if states[State.REFUSED] == total > 0 and run["limit"] and run["kind"] == "enforce":
        return f"No host was changed: limit exceeded{also}."
    audit = run["kind"] == "audit"
    parts = [
        (states[state], _DRIFT if audit and state is State.WOULD_CHANGE else _SENTENCE[state])
        for state in State
        if states[state]
    ]
    if len(parts) == 1:
        number, phrase = parts[0]
        every = {1: "The only host", 2: "Both hosts"}.get(number, f"All {number} hosts")
        return f"{every} {phrase[number > 1]}{also}."
    listing = ", ".join(f"{number} {phrase[number > 1]}" for number, phrase in parts)
    return f"Of {count(total, 'host')}, {listing}{also}." if parts else "No host took part."


def out_of_sight(edges: Sequence[str]) -> str:
    """Return the sentence on mail that no server inside the organisation shows."""
    one = len(edges) == 1
    return (
        f"Mail that waits on the Edge {'server' if one else 'servers'} {listed(edges)} is not"
        " in this report; check the queues there with Get-Queue."
    )


def states_text(counts: Mapping[str, int], reasons: Mapping[str, int] | None = None) -> str:
    """Return how many domains are in which state: ``2 pending, 1 kept (does not exist)``."""
    parts = []
    for state, word in DOMAIN_WORDS.items():
        if number := counts.get(state.value, 0):
            parts.append(f"{number} {word}")
            if state is State.KEPT and reasons:
                known = {code: n for code, n in reasons.items() if code in STATUS_WORDS}
                why = [
                    STATUS_WORDS[code] if n == number else f"{n} {STATUS_WORDS[code]}"
                    for code, n in known.items()
                ]
                parts[-1] += f" ({', '.join(why)})" if why else ""
    return ", ".join(parts)
