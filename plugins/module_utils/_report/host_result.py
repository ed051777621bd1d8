# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run did, or found, on one host: the one reading of a result of mail_delivery. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from .._imc.host import VALUE_NAME
from .._run.changed_domains import (
    changed_domains,
    changed_external_dns,
    differs,
    switch_changed,
    worth_testing,
)
from .._run.routes import GONE_STATUSES, UNKNOWN_STATUSES
from .states import ARRIVED, NOT_TESTED, RELAYED, STATUS_WORDS, STUCK, Judge, State
from .text import count, failure_of, listed, words

Result = Mapping[str, Any]

#: The keys of an error in a report, all of them always there.
ERROR_KEYS = (
    "code",
    "enhanced",
    "text",
    "error_class",
    "origin",
    "address",
    "host_name",
    "winsock",
)
NOT_CHECKED = "not checked: the run has no result of this host"

_NONEXISTENT = "no_such_domain"
_NEVER_PINNED = "no host has a pin of it (check the spelling, or take it off the list)"
_VERSIONS = {"ipv4": 4, "ipv6": 6}
# Keys of a failed result for the state of the host after a change.
_LEFT = ("failed", "unreachable", "msg", "rolled_back", "state", "backup", "refused")


@dataclass(frozen=True, slots=True)
class HostResult:
    """One host with the parts of its result, as the modules return them; None for what did not run.

    ``family`` is ``imc``, ``transport`` (Exchange 2010 to SE), or empty if it is not known.
    ``compared`` is the delivery part of a comparison before the run. ``needed`` are results that
    this one depends on, such as the one of DNS. ``held`` is why the run did not start on this host.
    ``families`` are the kinds of addresses that it takes, ``suffixes`` those that names may get.
    ``untested`` are domains without a test message by their entries, and ``pinned`` those that
    some host of the run has a pin of.
    """

    name: str
    domains: Sequence[str]
    delivery: Result | None = None
    tests: Result | None = None
    family: str = "imc"
    needed: Sequence[Result] = ()
    exchange: Result | None = None
    compared: Result | None = None
    queue: Result | None = None
    backups: Result | None = None
    rights: Result | None = None
    held: str = ""
    families: Sequence[str] = ("ipv4",)
    suffixes: Sequence[str] = ()
    untested: Sequence[str] = ()
    pinned: frozenset[str] = frozenset()

    @classmethod
    def read(
        cls,
        name: str,
        routes: Result,
        result: Result | None,
        compared: Result | None = None,
        *,
        held: str = "",
    ) -> HostResult:
        """Return a host of a run.

        ``routes`` is the result of delivery_routes, or of mx_pairs_info or mx_lock_info with
        domains that count for every host. ``result`` and ``compared`` are results of mail_delivery,
        None if that did not run on the host.
        """
        result, compared = _with_outcome(result), _with_outcome(compared)
        wishes: Result = {"domains": [entry["domain"] for entry in routes.get("domains") or ()]}
        needed = [routes]
        if "hosts" in routes:
            number = routes["hosts"].get(name)
            wishes = {} if number is None else routes["settings"][number]
            if message := (routes.get("failures") or {}).get(name):
                needed.insert(0, {"failed": True, "msg": message})
        parts = [part for part in (result, compared) if part is not None]
        families = [part.get("family") for part in parts] + [wishes.get("family")]
        families.append((routes.get("families") or {}).get(name))
        family = next((one for one in families if one in {"imc", "transport"}), "")
        delivery = _delivery(result)
        return cls(
            name=name,
            domains=wishes.get("domains") or (),
            delivery=delivery,
            tests=next((part["tests"] for part in parts if part.get("tests")), None),
            family=family,
            needed=needed,
            exchange=next((part["exchange"] for part in parts if part.get("exchange")), None),
            compared=_delivery(compared),
            queue=(result or {}).get("queue"),
            backups=(result or {}).get("backups"),
            rights=(result or {}).get("rights"),
            held="" if delivery and not delivery.get("no_backup") else held,
            families=("ipv4",) if family == "imc" else tuple(wishes.get("families") or ("ipv4",)),
            suffixes=tuple(wishes.get("search_list") or ()),
            untested=tuple(wishes.get("untested") or ()),
        )

    @property
    def failure(self) -> str:
        """Why nothing is known of this host, or nothing. A host that is held has not failed."""
        parts = (*self.needed, self.exchange, self.compared, self.delivery)
        text = next(filter(None, map(failure_of, parts)), "")
        if not text and self.delivery is None and not self.held:
            text = NOT_CHECKED
        return text.removeprefix(f"{self.name}: ")

    @property
    def unfit(self) -> bool:
        """Whether the host failed before anything could be changed there."""
        return any(map(failure_of, (*self.needed, self.exchange, self.compared)))

    @property
    def unreachable(self) -> bool:
        """Whether a task could not reach this host."""
        parts = (self.exchange, self.compared, self.delivery, self.rights, self.tests, self.backups)
        return any(part.get("unreachable") for part in parts if part)

    @property
    def skipped(self) -> str:
        """Why there is nothing to do on this host, or nothing."""
        if self.delivery and self.delivery.get("skipped"):
            return str(self.delivery.get("skip_reason") or "no such service")
        return ""

    @property
    def shown(self) -> Result:
        """The delivery part to show: of the run, or else of the comparison before it."""
        return {} if self.failure else self.delivery or self.compared or {}

    @property
    def deferred(self) -> bool:
        """Whether it leaves the changes of its organisation to another host."""
        return bool(self.delivery and self.delivery.get("deferred"))

    @property
    def same_as(self) -> str:
        """The host that would change its organisation in check mode, so that this one would not."""
        return str((self.delivery or {}).get("same_as") or "")

    @property
    def version(self) -> str | None:
        """The version of Exchange, such as 5.5 or 2019, from the first part that has it."""
        parts = (self.exchange, self.delivery, self.queue, self.tests)
        return next((str(part["version"]) for part in parts if part and part.get("version")), None)

    @property
    def switch(self) -> dict[str, Any] | None:
        """The registry value before and afterwards."""
        registry = self.shown.get("registry")
        if not registry:
            return None
        values = {side: registry.get(side) for side in ("before", "after")}
        return {**values, "changed": switch_changed(self.shown)}

    @property
    def conflicts(self) -> list[tuple[str, str]]:
        """The domains that Exchange's own settings keep from being pinned, with the reason."""
        conflicts = []
        for one in (self.delivery or {}).get("refused") or ():
            connector, reason = one.get("connector"), str(one.get("reason") or "")
            text = f"the connector {connector!r} {reason}" if connector else reason
            conflicts.append((str(one["domain"]), text))
        return conflicts

    def search_list(self, *, proposed: bool) -> dict[str, Any] | None:
        """Return what the host may append to names, in lower case, and its origin.

        ``disabled`` is whether the service appends nothing (Q150969), None if that is not known.
        """
        resolver = (self.exchange or {}).get("resolver") or {}
        names = appended(self.family, self.exchange, self.suffixes)
        suffixes = list(dict.fromkeys(name.lower().strip(".") for name in names))
        if not resolver and not suffixes:
            return None
        disabled = resolver.get("search_list_disabled")
        if registry := (self.delivery or self.compared or {}).get("registry"):
            value = registry.get("before" if proposed else "after")
            disabled = bool(value and value.get("name") == VALUE_NAME and value.get("data"))
        return {"suffixes": suffixes, "source": resolver.get("source"), "disabled": disabled}

    @property
    def unproved(self) -> dict[str, Result]:
        """The domains that were changed without a delivered test message since."""
        shown = self.shown.get("unproved") or ()
        return {str(one["domain"]): one for one in shown}

    def changed_domains(self) -> list[str]:
        """Return the domains with a changed route or connector."""
        return changed_domains(self.delivery or {})

    # -- states

    def state(self, judge: Judge) -> State:
        """Return the host's state, independent of the DNS status of its domains."""
        if self.failure:
            return State.UNKNOWN if judge.audit or self.unreachable else State.FAILED
        if self.held:
            return State.REFUSED
        if self.skipped:
            return State.KEPT
        if any(self._action_required(judge)):
            return State.FAILED
        return self._difference(judge)

    def _difference(self, judge: Judge) -> State:
        """Return the state of a host that was checked and has no problem."""
        delivery = self.delivery or {}
        different = differs(delivery)
        if judge.audit:
            different = different or bool(delivery.get("worksheet"))
            if self.conflicts and not different:
                return State.REFUSED
        elif self.same_as:
            different = False
        elif self.deferred and (changed_domains(delivery) or changed_external_dns(delivery)):
            return State.WOULD_CHANGE
        if different and judge.proposed:
            return State.WOULD_CHANGE
        if self.unproved:
            return State.NOT_PROVED
        return State.CHANGED if different else State.UP_TO_DATE

    def domain_states(
        self, statuses: Mapping[str, str], judge: Judge
    ) -> tuple[dict[str, State], dict[str, str]]:
        """Return the state of each domain, and the reason of each that is kept or refused.

        ``statuses`` are those of DNS for this host. Changing domains that the host does not list
        come last. A skipped host has an empty list.
        """
        if self.skipped:
            return {}, {}
        if self.failure or self.delivery is None:
            state = self.state(judge)
            reasons = dict.fromkeys(self.domains, "limit") if state is State.REFUSED else {}
            return dict.fromkeys(self.domains, state), reasons
        found_made = bool(self.same_as) and not judge.audit
        changed = {} if found_made else dict.fromkeys(self.changed_domains())
        proposed = judge.proposed or self.deferred
        difference = State.WOULD_CHANGE if proposed else State.CHANGED
        states: dict[str, State] = {}
        reasons = {row["domain"]: "by_hand" for row in self.delivery.get("worksheet") or ()}
        reasons |= {domain: "conflict" for domain, _text in self.conflicts}
        for domain in self.domains:
            status = statuses.get(domain, "")
            if status in UNKNOWN_STATUSES:
                states[domain], reasons[domain] = State.KEPT, status
            elif domain in reasons:
                states[domain] = State.REFUSED
            elif domain in changed:
                states[domain] = difference
            elif status in GONE_STATUSES:
                states[domain], reasons[domain] = State.KEPT, status
            else:
                states[domain] = State.UP_TO_DATE
        states |= {domain: difference for domain in changed if domain not in states}
        for domain in self.unproved:
            if states.get(domain) not in {State.REFUSED, State.WOULD_CHANGE}:
                states[domain] = State.NOT_PROVED
                reasons.pop(domain, None)
        return states, {domain: why for domain, why in reasons.items() if domain in states}

    @property
    def unpinned(self) -> frozenset[str] | None:
        """The domains that do not exist in DNS and have no pin here; None if that is unknown."""
        names = self.shown.get("unpinned")
        return None if names is None else frozenset(map(str, names))

    def problem_domains(self, statuses: Mapping[str, str], judge: Judge) -> dict[str, str]:
        """Return the host's domains with a status of fail_on, each with its status.

        One that does not exist counts if no host has a pin of it.
        """
        if self.failure or self.held or self.skipped:
            return {}
        known = {domain: statuses.get(domain, "") for domain in self.domains}
        found = {domain: status for domain, status in known.items() if status in judge.fail_on}
        unpinned = (self.unpinned or frozenset()) - self.pinned
        return {x: status for x, status in found.items() if status != _NONEXISTENT or x in unpinned}

    def problems(self, judge: Judge, by_status: Mapping[str, str]) -> list[str]:
        """Return what is wrong, in sentences; ``by_status`` is what ``problem_domains`` returns."""
        if self.failure or self.held:
            return [self.failure or f"not changed: {self.held}"]
        if self.skipped:
            return []
        sentences = []
        if judge.audit and (differs(self.delivery or {}) or (self.delivery or {}).get("worksheet")):
            sentences.append(self._drift())
        for status in sorted(set(by_status.values())):
            names = [domain for domain, one in by_status.items() if one == status]
            end = "nothing changed"
            if status == _NONEXISTENT:
                end = f"and {_NEVER_PINNED}"
            sentences.append(f"{listed(names)}: {STATUS_WORDS.get(status, status)}, {end}")
        if judge.audit:
            sentences += self._conflict_texts()
        return [*sentences, *self._action_required(judge), *self._not_proved()]

    def _not_proved(self) -> Iterator[str]:
        """Yield what was changed without a delivered test message, if no message shows that."""
        shown = {one["domain"] for one in (self.tests or {}).get("results") or ()}
        alike: dict[tuple[str, str, str], list[str]] = {}
        for domain, one in self.unproved.items():
            if domain not in shown:
                key = str(one["since"]), str(one["run"]), str(one.get("left_to") or "")
                alike.setdefault(key, []).append(domain)
        for (since, run, other), names in alike.items():
            by = f" by the run {run}" if run else ""
            end = f"; the run {other} tests it now" if other else ""
            yield (
                f"{listed(names)}: changed at {since}{by}, not proved: no test message has been"
                f" delivered since{end}"
            )

    def _action_required(self, judge: Judge) -> Iterator[str]:
        """Yield what an administrator has to do on a host that was checked, besides a drift."""
        if not judge.audit:
            if (self.delivery or {}).get("worksheet"):
                yield self._by_hand()
            yield from self._conflict_texts()
            tests = self.tests if self.tests and not self.tests.get("skipped") else {}
            if failure := failure_of(tests, "the delivery test failed"):
                yield failure.removeprefix(f"{self.name}: ")
            else:
                yield from undelivered(tests)
        if STUCK in judge.fail_on and self.queue is not None:
            if failure := failure_of(self.queue, "the queue could not be read"):
                yield failure.removeprefix(f"{self.name}: ")
            elif names := self.queue.get("stuck_domains"):
                yield f"mail to {listed(names)} is delayed in the queue"

    def _conflict_texts(self) -> list[str]:
        return [f"{domain}: {text}" for domain, text in self.conflicts]

    def _drift(self) -> str:
        delivery = self.delivery or {}
        changes = ["the search list switch"] if switch_changed(delivery) else []
        if names := sorted(self.changed_domains()):
            thing = "Send connectors" if "steps" in delivery else "routes"
            changes.append(f"the {thing} of {listed(names)}")
        if names := changed_external_dns(delivery):
            changes.append(f"the external DNS of {listed(names)}")
        if not changes and not delivery.get("changed"):
            return self._by_hand()
        limit = limit_of(delivery)
        sentence = f"enforce would change {' and '.join(changes) or 'the state of the service'}"
        if limit and limit["refused"]:
            sentence = f"enforce would refuse: {limit['text']}"
        return f"{sentence}; {self._by_hand()}" if delivery.get("worksheet") else sentence

    def _by_hand(self) -> str:
        rows = count(len((self.delivery or {})["worksheet"]), "row")
        return f"{rows} to enter by hand, because imccopy is missing (see the warning)"

    # -- parts of a report

    def service_entry(self, judge: Judge) -> dict[str, Any] | None:
        """Return the state of the service MSExchangeIMC, and its restarts."""
        service = self.shown.get("service")
        if service is None:
            return None
        restart = bool(self.shown.get("restarted"))
        return {
            "state": service.get("state"),
            "restarted": restart and not judge.proposed,
            "to_restart": restart and judge.proposed,
            "restart_required": bool(self.shown.get("restart_required")),
        }

    def left_entry(self) -> dict[str, Any] | None:
        """Return how a failed change left the host."""
        delivery = self.delivery or {}
        if "rolled_back" not in delivery or not delivery.get("failed"):
            return None
        return {"rolled_back": bool(delivery["rolled_back"]), "state": delivery.get("state")}

    def tests_entry(self, statuses: Mapping[str, str]) -> dict[str, Any] | None:
        """Return the test messages, each still with the name of its domain."""
        if self.tests is None or self.tests.get("skipped"):
            return None
        results = self.tests.get("results") or ()
        sent = [one for one in results if one["verdict"] != NOT_TESTED]
        pinned = [domain for domain in self.domains if statuses.get(domain) == "ok"]
        left_out = worth_testing(self.delivery or {}, pinned)
        left_out -= {*self.untested, *(one["domain"] for one in results)}
        retried = self.tests.get("retried") or ()
        return {
            "failure": failure_of(self.tests, "the delivery test failed") or None
            if not results
            else None,
            "results": [_test_entry(result) for result in sent],
            "not_tested": len(results) - len(sent) + (len(left_out) if results else 0),
            "retried": sum(len(queue.get("domains") or ()) for queue in retried),
        }

    def queue_entry(self) -> dict[str, Any] | None:
        """Return the queue of the host and the domains with delayed mail there."""
        queue = self.queue
        if queue is None or queue.get("skipped"):
            return None
        edges = [str(name) for name in queue.get("out_of_sight") or ()]
        if failure := failure_of(queue, "the queue could not be read"):
            return {"failure": failure, "messages": None, "stuck": [], "out_of_sight": edges}
        waiting = {entry["domain"]: entry for entry in queue.get("queues") or ()}
        stuck = []
        for name in queue.get("stuck_domains") or ():
            entry = waiting.get(name, {})
            stuck.append(
                {
                    "domain": name,
                    "listed": name in self.domains,
                    "messages": entry.get("messages"),
                    "oldest": entry.get("oldest"),
                    "error": error_entry(entry.get("error")),
                }
            )
        return {
            "failure": None,
            "messages": queue.get("files"),
            "stuck": stuck,
            "out_of_sight": edges,
        }


def _with_outcome(result: Result | None) -> Result | None:
    """Return a result of mail_delivery with the flag that its ``outcome`` names, such as failed."""
    return {**result, result["outcome"]: True} if result and result.get("outcome") else result


def _delivery(result: Result | None) -> Result | None:
    """Return the delivery part of a result of mail_delivery.

    It counts as failed if the host failed before it, or if the failed part is unknown.
    """
    if result is None or "false_condition" in result:
        return None
    part: Result | None = result.get("delivery")
    if failure_of(result) and result.get("failed_part") in {None, "exchange", "delivery"}:
        return {**(part or {}), **{key: result[key] for key in _LEFT if key in result}}
    return part


def _test_entry(result: Result) -> dict[str, Any]:
    """Return one message; who has it if it was relayed, and what helps to trace it if it waits."""
    entry = {key: result.get(key) for key in ("domain", "verdict", "time", "seconds")}
    if result["verdict"] == RELAYED:
        entry["reason"] = result.get("reason")
    if result["verdict"] not in ARRIVED:
        entry |= {key: result.get(key) for key in ("recipient", "message_id", "reason")}
        entry["error"] = error_entry(result.get("error"))
    return entry


def error_entry(error: Result | None) -> dict[str, Any] | None:
    """Return an error of a server or of Exchange with all of ``ERROR_KEYS``."""
    return {key: error.get(key) for key in ERROR_KEYS} if error else None


def error_text(error: Result | None) -> str:
    """Return an error as its server wrote it: ``421 4.3.2 Service not available``."""
    parts = (error or {}).get("code"), (error or {}).get("enhanced"), (error or {}).get("text")
    return " ".join(str(part) for part in parts if part)


def undelivered(tests: Result) -> Iterator[str]:
    """Yield a sentence for each test message that was not delivered."""
    for result in tests.get("results") or ():
        if result["verdict"] not in {*ARRIVED, NOT_TESTED}:
            why = error_text(result.get("error")) or result.get("reason")
            sentence = f"test message to {result['domain']} {words(result['verdict'])}"
            yield f"{sentence} ({why})" if why else sentence


def limit_of(delivery: Result) -> dict[str, Any] | None:
    """Return the limit that a host's changes exceed, or None."""
    limit = delivery.get("change_limit")
    if not limit or not limit.get("exceeded"):
        return None
    return {"refused": bool(limit.get("refused")), "text": str(limit.get("text") or "")}


def appended(family: str, exchange: Result | None, suffixes: Sequence[str]) -> list[str]:
    """Return what may be appended to names on a host, as it is written.

    ``exchange`` is the result of exchange_info, ``suffixes`` are those of the inventory. The
    connector of Exchange 4.0 to 5.5 appends its TCP/IP domain, too.
    """
    resolver = (exchange or {}).get("resolver") or {}
    own = () if family == "transport" else (resolver.get("domain"),)
    return [name for name in (*own, *(resolver.get("search_list") or ()), *suffixes) if name]


def status_for(domain: Result, families: Collection[str]) -> str:
    """Return the DNS status of a domain for a host that takes these addresses only."""
    status = str(domain["status"])
    versions = {_VERSIONS[name] for name in families}
    pairs = domain.get("pairs") or ()
    if status == "ok" and not any(
        ip_address(pair["address"]).version in versions for pair in pairs
    ):
        return "no_address"
    return status
