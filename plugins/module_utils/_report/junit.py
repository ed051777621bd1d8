# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a run as JUnit XML, as Jenkins and GitLab read it. Pure.

A test suite is a host. It has a test case for each of its domains, after one for the host itself. A
failure is a difference that an audit found, or mail that did not arrive; an error is what could not
be judged; what was not begun is skipped.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from .judgement import ARRIVED, STUCK, Outcome
from .outcome import Standing
from .text import words

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
    connectors = [_by_domain(one["connectors"]) for one in document["organisations"]]
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    title = f"postmaster.exchange.{run['kind']}"
    yield f"<testsuites {_attributes(name=title)}>\n"
    if failure := document["answer"]["failure"]:
        case = Case("MX/address pairs", "error", "resolve", failure)
        yield from _suite("(run)", [case], run)
    for host in document["hosts"]:
        found = {} if host["organisation"] is None else connectors[host["organisation"]]
        yield from _suite(host["name"], _Host(document, host, found).cases(), run)
    yield "</testsuites>\n"


def _by_domain(connectors: Sequence[_Entry]) -> dict[str, list[_Entry]]:
    """Return the connectors that something becomes of by their domains."""
    found: dict[str, list[_Entry]] = {}
    for connector in connectors:
        for domain in connector["domains"] if connector["action"] else ():
            found.setdefault(domain, []).append(connector)
    return found


@dataclass(slots=True)
class _Host:
    """What turns one host of a document into test cases."""

    document: _Entry
    host: _Entry
    connectors: Mapping[str, Sequence[_Entry]]
    audit: bool = field(init=False)
    fail_on: frozenset[str] = field(init=False)
    tests: dict[int, _Entry] = field(init=False)
    stuck: dict[str, _Entry] = field(init=False)
    changes: dict[int, _Entry] = field(init=False)

    def __post_init__(self) -> None:
        run, host = self.document["run"], self.host
        self.audit = run["kind"] == "audit"
        self.fail_on = frozenset(run["fail_on"])
        self.tests = {one["domain"]: one for one in (host["tests"] or {}).get("results", ())}
        self.stuck = {one["domain"]: one for one in (host["queue"] or {}).get("stuck", ())}
        changes = (self.document["changes"][number] for number in host["changes"])
        self.changes = {change["domain"]: change for change in changes}

    def cases(self) -> list[Case]:
        """Return the cases of the host, its own first."""
        found = {
            number: Standing(one)
            for one, numbers in self.host["standing"].items()
            for number in numbers
        }
        return [self._own(), *(self._case(number, found[number]) for number in sorted(found))]

    def _own(self) -> Case:
        outcome, said = self.host["outcome"], "; ".join(self.host["problems"])
        if outcome in {Outcome.FAILED, Outcome.NOT_JUDGED}:
            return Case(HOST_CASE, "error", outcome, said)
        if outcome == Outcome.HELD:
            return Case(HOST_CASE, "skipped", message=said)
        if outcome == Outcome.SKIPPED:
            return Case(HOST_CASE, "skipped", message=self.host["skipped"] or "no such service")
        kind = self._trouble()
        return Case(HOST_CASE, *kind, said) if kind else Case(HOST_CASE)

    def _trouble(self) -> tuple[str, str] | None:
        """Return kind and type of what is wrong with the host besides its domains, or nothing."""
        if (self.host["tests"] or {}).get("failure"):
            return "error", "delivery_test"
        if STUCK in self.fail_on:
            if (self.host["queue"] or {}).get("failure"):
                return "error", "queue"
            if not all(one["listed"] for one in self.stuck.values()):
                return "failure", STUCK
        return ("failure", "drift") if self.audit and self._itself_differs() else None

    def _itself_differs(self) -> bool:
        """Whether the host's switch differs, or its service, while no route does."""
        service = self.host["service"] or {}
        switched = bool((self.host["switch"] or {}).get("changed"))
        return switched or (bool(service.get("to_restart")) and not self.changes)

    def _case(self, number: int, standing: Standing) -> Case:
        name = str(self.document["domains"][number]["name"])
        test, stuck = self.tests.get(number), self.stuck.get(name)
        if test and test["verdict"] not in ARRIVED:
            why = test["error"] or test["reason"]
            return Case(name, "failure", "undelivered", f"test message {test['verdict']}: {why}")
        if stuck and STUCK in self.fail_on:
            why = stuck["last_error"] or "no error is known"
            return Case(name, "failure", STUCK, f"mail is stuck: {why}")
        if standing in {Standing.UNKNOWN, Standing.GONE}:
            return self._by_status(number, name, standing)
        if standing is Standing.DRIFTED and self.audit:
            details = "\n".join(self._difference(number, name))
            return Case(name, "failure", "drift", "differs from what is wanted", details)
        return Case(name, *_PLAIN.get(standing, ()))

    def _by_status(self, number: int, name: str, standing: Standing) -> Case:
        """Return the case of a domain of which DNS tells no addresses."""
        status = self.document["domains"][number]["status"]
        if status == "ok":  # its addresses are of a kind that this host does not take
            status = "no_address"
        message = f"left as it is: {words(status)}"
        if status in self.fail_on:
            return Case(name, "error", status, message)
        if standing is Standing.UNKNOWN:
            return Case(name, "skipped", message=message)
        return Case(name)

    def _difference(self, number: int, name: str) -> Iterator[str]:
        """Yield what is and what is wanted of one domain, as lines of a diff."""
        if change := self.changes.get(number):
            yield from (f"-{place}" for place in change["before"])
            yield from (f"+{place}" for place in change["after"])
        for connector in self.connectors.get(name, ()):
            yield f"{connector['action']} Send connector {connector['name']}"
            for mark, side in (("-", connector["before"]), ("+", connector["after"])):
                yield from (f"{mark}{one}" for one in (side or {}).get("smart_hosts", ()))


# Kind, type and message where these depend on nothing else.
_PLAIN = {
    Standing.FAILED: ("skipped", "", "the host failed, or could not be judged"),
    Standing.HELD: ("skipped", "", "the host was not begun"),
    Standing.BY_HAND: ("failure", "by_hand", "to be entered by hand, since there is no imccopy"),
}


def _suite(name: str, cases: Sequence[Case], run: _Entry) -> Iterator[str]:
    numbers = _numbers(Counter(case.kind for case in cases))
    # The times of JUnit have no zone.
    stamp = str(run["finished_at"]).removesuffix("Z")
    yield f"<testsuite {_attributes(name=name, **numbers, timestamp=stamp)}>\n"
    # Jenkins takes what stands ahead of the last dot for a package, so a class has none of its own.
    class_name = f"{run['kind']}.{name.replace('.', '_')}"
    yield "".join(_element(case, class_name) for case in cases)
    yield "</testsuite>\n"


def _element(case: Case, class_name: str) -> str:
    start = f"<testcase {_attributes(classname=class_name, name=case.name)}"
    if not case.kind:
        return f"{start}/>\n"
    given = {"message": case.message, **({"type": case.type} if case.type else {})}
    inner = f"<{case.kind} {_attributes(**given)}"
    inner += f">{escape(case.details)}</{case.kind}>" if case.details else "/>"
    return f"{start}>{inner}</testcase>\n"


def _numbers(kinds: Mapping[str, int]) -> dict[str, str]:
    return {
        "tests": str(sum(kinds.values())),
        "failures": str(kinds.get("failure", 0)),
        "errors": str(kinds.get("error", 0)),
        "skipped": str(kinds.get("skipped", 0)),
    }


def _attributes(**values: str) -> str:
    """Return attributes; a line feed in a value survives XML's normalisation as a reference."""
    return " ".join(
        f'{name}="{escape(value).replace(chr(10), "&#10;")}"' for name, value in values.items()
    )
