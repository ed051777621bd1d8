# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a run as JUnit XML, as Jenkins and GitLab read it. Pure.

A test suite is a host. It has a test case for the host itself, and one for each of its domains. For
every family of Exchange, a failure is mail with a problem: an audit found drift,
something has to be done by hand, or mail did not arrive. An error is what failed or could not be
checked; what the run did not start is skipped.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from .._run.routes import GONE_STATUSES
from .host_result import error_text
from .states import ARRIVED, REASON_WORDS, STUCK, State

#: The name of the test case for the host itself; no domain has it.
HOST_CASE = "(host)"

_Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A test case. Without a kind it passed; kinds are ``failure``, ``error`` and ``skipped``."""

    name: str
    kind: str = ""
    type: str = ""
    message: str = ""
    details: str = ""


def junit(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the file in pieces, a host at a time, so that a fleet's never is in memory at once."""
    run = document["run"]
    changing = []
    for organisation in document["organisations"]:
        by_domain: dict[str, list[_Entry]] = {}
        for connector in organisation["connectors"]:
            for domain in connector["domains"] if connector["action"] else ():
                by_domain.setdefault(domain, []).append(connector)
        changing.append(by_domain)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    title = f"postmaster.exchange.{run['kind']}"
    yield f"<testsuites {_attributes(name=title)}>\n"
    if failure := document["answer"]["failure"]:
        case = Case("DNS", "error", "resolve", failure)
        yield from _suite("(run)", [case], run)
    for host in document["hosts"]:
        connectors = {} if host["organisation"] is None else changing[host["organisation"]]
        yield from _suite(host["name"], _Host(document, host, connectors).cases(), run)
    yield "</testsuites>\n"


@dataclass(slots=True)
class _Host:
    """One host of a document, to be turned into test cases."""

    document: _Entry
    host: _Entry
    connectors: Mapping[str, Sequence[_Entry]]
    audit: bool = field(init=False)
    delay_fails: bool = field(init=False)
    fail_on: frozenset[str] = field(init=False)
    tests: dict[int, _Entry] = field(init=False)
    stuck: dict[str, _Entry] = field(init=False)
    changes: dict[int, _Entry] = field(init=False)

    def __post_init__(self) -> None:
        run, host = self.document["run"], self.host
        self.audit = run["kind"] == "audit"
        self.fail_on = frozenset(run["fail_on"])
        self.delay_fails = STUCK in self.fail_on or run["kind"] == "diagnose"
        self.tests = {one["domain"]: one for one in (host["tests"] or {}).get("results", ())}
        self.stuck = {one["domain"]: one for one in (host["queue"] or {}).get("stuck", ())}
        changes = (self.document["changes"][number] for number in host["changes"])
        self.changes = {change["domain"]: change for change in changes}

    def cases(self) -> list[Case]:
        """Return the cases of the host, its own first."""
        states = {
            number: State(state)
            for state, numbers in self.host["domains"].items()
            for number in numbers
        }
        reasons = {
            number: reason for reason, some in self.host["reasons"].items() for number in some
        }
        domains = [
            self._case(number, states[number], reasons.get(number, "")) for number in sorted(states)
        ]
        return [self._own(), *domains]

    def _own(self) -> Case:
        """Return the case of the host itself."""
        state, text = State(self.host["state"]), "; ".join(self.host["problems"])
        if self.host["reason"] is not None:
            if state in {State.FAILED, State.UNKNOWN}:
                return Case(HOST_CASE, "error", state, text)
            return Case(HOST_CASE, "skipped", message=text or self.host["reason"])
        service = self.host["service"] or {}
        switched = bool((self.host["switch"] or {}).get("changed"))
        unlisted = not all(one["listed"] for one in self.stuck.values())
        wrong = (
            ("error", "delivery_test", (self.host["tests"] or {}).get("failure")),
            ("error", "queue", STUCK in self.fail_on and (self.host["queue"] or {}).get("failure")),
            ("failure", STUCK, self.delay_fails and unlisted),
            ("failure", "drift", self.audit and (switched or self._dns_changes())),
            ("failure", "drift", self.audit and service.get("to_restart") and not self.changes),
        )
        kind, type_, _wrong = next((one for one in wrong if one[2]), ("", "", False))
        return Case(HOST_CASE, kind, type_, text if kind else "")

    def _dns_changes(self) -> bool:
        """Return true if external DNS of the host's organisation has drift."""
        if self.host["organisation"] is None:
            return False
        settings = self.document["organisations"][self.host["organisation"]]["external_dns"]
        return any(one["changed"] for one in settings)

    def _case(self, number: int, state: State, reason: str) -> Case:
        """Return the case of one of its domains."""
        name = str(self.document["domains"][number]["name"])
        test, stuck = self.tests.get(number), self.stuck.get(name)
        if test and test["verdict"] not in ARRIVED:
            why = error_text(test["error"]) or test["reason"]
            case = Case(name, "failure", "undelivered", f"test message {test['verdict']}: {why}")
        elif stuck and self.delay_fails:
            why = error_text(stuck["error"]) or "no error known"
            case = Case(name, "failure", STUCK, f"mail is delayed in the queue: {why}")
        elif state in {State.FAILED, State.UNKNOWN}:
            case = Case(name, "skipped", message="the host failed, or could not be checked")
        elif state is State.REFUSED:
            kind = "skipped" if reason == "limit" else "failure"
            case = Case(name, kind, reason, REASON_WORDS[reason])
        elif state is State.KEPT:
            known = "" if reason in GONE_STATUSES else "skipped"
            kind = "error" if reason in self.fail_on else known
            case = Case(name, kind, reason, f"nothing changed: {REASON_WORDS[reason]}")
        elif state is State.NOT_PROVED:
            text = "changed, not proved: no test message has been delivered since"
            case = Case(name, "failure", state, text)
        elif state is State.WOULD_CHANGE and self.audit:
            details = "\n".join(self._difference(number, name))
            case = Case(name, "failure", "drift", "enforce would change it", details)
        else:
            case = Case(name)
        return case

    def _difference(self, number: int, name: str) -> Iterator[str]:
        """Yield the present state of a domain and the desired one, as lines of a diff."""
        if change := self.changes.get(number):
            yield from (f"-{place}" for place in change["before"])
            yield from (f"+{place}" for place in change["after"])
        for connector in self.connectors.get(name, ()):
            yield f"{connector['action']} Send connector {connector['name']}"
            for mark, side in (("-", connector["before"]), ("+", connector["after"])):
                yield from (f"{mark}{one}" for one in (side or {}).get("smart_hosts", ()))


def _suite(name: str, cases: Sequence[Case], run: _Entry) -> Iterator[str]:
    kinds = Counter(case.kind for case in cases)
    numbers = {
        "tests": str(len(cases)),
        "failures": str(kinds["failure"]),
        "errors": str(kinds["error"]),
        "skipped": str(kinds["skipped"]),
    }
    # The times of JUnit have no zone.
    stamp = str(run["finished_at"]).removesuffix("Z")
    yield f"<testsuite {_attributes(name=name, **numbers, timestamp=stamp)}>\n"
    # Jenkins takes the part ahead of the last dot for a package, so a class has none of its own.
    class_name = f"{run['kind']}.{name.replace('.', '_')}"
    for case in cases:
        element = f"<testcase {_attributes(classname=class_name, name=case.name)}"
        if case.kind:
            given = {"message": case.message, **({"type": case.type} if case.type else {})}
            inner = f"<{case.kind} {_attributes(**given)}"
            inner += f">{escape(case.details)}</{case.kind}>" if case.details else "/>"
            yield f"{element}>{inner}</testcase>\n"
        else:
            yield f"{element}/>\n"
    yield "</testsuite>\n"


def _attributes(**values: str) -> str:
    """Return attributes; a line feed becomes a reference, or XML's normalisation would drop it."""
    return " ".join(
        f'{name}="{escape(value).replace(chr(10), "&#10;")}"' for name, value in values.items()
    )
