# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the role did, or an audit found, on all hosts: text for a person. Pure.

Input are the results of the tasks: of mx_pairs once, of imc_delivery and delivery_test for each
host. Nothing is concluded that they do not say.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..imc.desired import GONE_STATUSES, UNKNOWN_STATUSES
from .text import columns, count, failure_text, listed, reason, words, wrapped

#: Domains shown one by one; of more, only those that are not simply all right.
MOST_DOMAINS = 20


class Standing(StrEnum):
    """How a domain stands on a host after the run."""

    CHANGED = "changed"
    IN_PLACE = "in place"
    GONE = "gone"
    UNKNOWN = "unknown"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """What the tasks of one host returned; None for a task that did not run."""

    name: str
    domains: Sequence[str]
    enforced: Mapping[str, Any] | None = None
    tested: Mapping[str, Any] | None = None

    @property
    def failure(self) -> str:
        """Why nothing is known of this host, or nothing."""
        return reason(self.name, self.enforced)

    @property
    def skipped(self) -> bool:
        """Whether there was nothing to do here, as an option says."""
        return bool(self.enforced and self.enforced.get("skipped"))


@dataclass(frozen=True, slots=True)
class Report:
    """The text, and for each host that needs somebody what is wrong there."""

    lines: list[str]
    problems: dict[str, str]


def report(
    resolved: Mapping[str, Any],
    hosts: Sequence[HostOutcome],
    *,
    audit: bool = False,
    fail_on: Sequence[str] = (),
) -> Report:
    """Return the report of a run; ``audit`` says that the changes are only proposed.

    ``fail_on`` are the statuses of a domain that are a problem of every host that asks for it.
    """
    statuses = {domain["domain"]: domain["status"] for domain in resolved["domains"]}
    problems = {
        host.name: "; ".join(found)
        for host in hosts
        if (found := list(_problems(host, statuses, audit=audit, fail_on=frozenset(fail_on))))
    }
    lines = [*_domain_lines(resolved), "", *_host_lines(hosts, statuses, audit=audit)]
    if problems:
        lines += ["", "To look at"]
        for host, text in problems.items():
            lines += wrapped(f"  {host}: {text}")
    return Report(lines, problems)


def changed_domains(enforced: Mapping[str, Any]) -> list[str]:
    """Return the domains whose rows a result of imc_delivery changes, in the table's order."""
    table = enforced.get("routes") or {}
    before, after = _rows(table.get("before", ())), _rows(table.get("after", ()))
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def switch_changed(enforced: Mapping[str, Any]) -> bool:
    """Whether a result of imc_delivery changes the registry value."""
    registry = enforced.get("registry") or {}
    return bool(registry.get("before") != registry.get("after"))


def worth_testing(enforced: Mapping[str, Any], pinned: Collection[str]) -> set[str]:
    """Return those of the domains that are pinned whose way out of the host is a new one.

    The registry value changes how the host finds every domain, and so the restart after it.
    """
    if enforced.get("worksheet"):
        return set()  # the rows are not there yet
    if switch_changed(enforced):
        return set(pinned)
    return set(pinned).intersection(changed_domains(enforced))


def _rows(rows: Sequence[Mapping[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """Return where each domain leads, in order, by its name in lower case."""
    table: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        if "domain" in row:
            table[row["domain"].lower()].append((row["address"].lower(), row["flag"]))
    return dict(table)


def _standings(host: HostOutcome, statuses: Mapping[str, str]) -> Counter[Standing]:
    enforced = host.enforced or {}
    changed = set(changed_domains(enforced))
    by_hand = {row["domain"] for row in enforced.get("worksheet") or ()}
    standings: Counter[Standing] = Counter()
    for domain in host.domains:
        status = statuses.get(domain, "")
        if status in UNKNOWN_STATUSES:
            standings[Standing.UNKNOWN] += 1
        elif domain in by_hand:
            standings[Standing.BY_HAND] += 1
        elif domain in changed:
            standings[Standing.CHANGED] += 1
        elif status in GONE_STATUSES:
            standings[Standing.GONE] += 1
        else:
            standings[Standing.IN_PLACE] += 1
    others = changed.difference(host.domains)
    standings[Standing.CHANGED] += len(others)
    return +standings


def _domain_lines(resolved: Mapping[str, Any]) -> Iterator[str]:
    domains, stats = resolved["domains"], resolved["stats"]
    pairs = sum(len(domain["pairs"]) for domain in domains)
    yield (
        f"{count(len(domains), 'domain')}, {count(pairs, 'pair')}"
        f" ({count(stats['questions'], 'question')}, {stats['seconds']:.2f} s)"
    )
    shown = domains
    if len(domains) > MOST_DOMAINS:
        shown = [domain for domain in domains if domain["status"] != "ok"]
    if shown:
        yield from columns(
            [(domain["domain"], _leads_to(domain)) for domain in shown[:MOST_DOMAINS]]
        )
    if len(shown) > MOST_DOMAINS:
        yield f"  and {len(shown) - MOST_DOMAINS} more that are not all right"


def _leads_to(domain: Mapping[str, Any]) -> str:
    status = domain["status"]
    if status == "ok":
        return listed(pair["address"] for pair in domain["pairs"])
    told = {
        "null_mx": "takes no mail (null MX)",
        "no_such_domain": "does not exist",
    }.get(status, f"not known now ({words(status)}): its routes stay as they are")
    failures = domain.get("failures") or ()
    return f"{told} ({failure_text(failures[0])})" if failures else told


def _host_lines(
    hosts: Sequence[HostOutcome], statuses: Mapping[str, str], *, audit: bool
) -> Iterator[str]:
    yield count(len(hosts), "host")
    heading = ("host", "routes", "search list", "service", "test messages")
    width = len(heading) - (1 if audit else 0)
    rows = [_host_row(host, statuses, audit=audit) for host in hosts]
    yield from columns([row[:width] for row in (heading, *rows)])


def _host_row(
    host: HostOutcome, statuses: Mapping[str, str], *, audit: bool
) -> tuple[str, str, str, str, str]:
    if host.failure:
        return host.name, "failed", "", "", ""
    if host.skipped or host.enforced is None:
        return host.name, "no such service here", "", "", ""
    found = _standings(host, statuses)
    change = "to change" if audit else str(Standing.CHANGED)
    routes = ", ".join(
        f"{found[one]} {change if one is Standing.CHANGED else one}"
        for one in Standing
        if found[one]
    )
    switched = switch_changed(host.enforced)
    return (
        host.name,
        routes or "none listed",
        change if switched else str(Standing.IN_PLACE),
        _service_cell(host.enforced, audit=audit),
        _test_cell(host, statuses),
    )


def _service_cell(enforced: Mapping[str, Any], *, audit: bool) -> str:
    if enforced.get("restarted"):
        return "to restart" if audit else "restarted"
    if enforced.get("restart_required"):
        return "restart needed"
    state = (enforced.get("service") or {}).get("state", "")
    return "not touched" if state in {"", "running"} else f"{state}, not touched"


def _test_cell(host: HostOutcome, statuses: Mapping[str, str]) -> str:
    if host.tested is None or host.tested.get("skipped"):
        return "none"
    if "results" not in host.tested:
        return "failed"
    results = host.tested["results"]
    verdicts = Counter(words(result["verdict"]) for result in results)
    pinned = [domain for domain in host.domains if statuses.get(domain) == "ok"]
    untested = len(worth_testing(host.enforced or {}, pinned)) - len(results)
    if untested > 0:  # a limit was set
        verdicts["not tested"] = untested
    return ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items()) or "none"


def _problems(
    host: HostOutcome, statuses: Mapping[str, str], *, audit: bool, fail_on: frozenset[str]
) -> Iterator[str]:
    if host.failure:
        yield host.failure
        return
    if host.skipped or host.enforced is None:
        return
    if audit and host.enforced.get("changed"):
        yield _drift(host.enforced)
    for status in sorted(fail_on):
        unknown = [domain for domain in host.domains if statuses.get(domain) == status]
        if unknown:
            yield f"{listed(unknown)} left as it is ({words(status)})"
    if host.enforced.get("worksheet"):
        yield (
            f"{count(len(host.enforced['worksheet']), 'row')} to enter by hand, since there is no"
            " imccopy (the warning lists them)"
        )
    if not audit:
        yield from _test_problems(host.tested)


def _drift(enforced: Mapping[str, Any]) -> str:
    what = []
    if switch_changed(enforced):
        what.append("the search list switch")
    domains = sorted(changed_domains(enforced))
    if domains:
        what.append(f"the routes of {listed(domains)}")
    return f"enforce would change {' and '.join(what) or 'the state of the service'}"


def _test_problems(tested: Mapping[str, Any] | None) -> Iterator[str]:
    if tested is None or tested.get("skipped"):
        return
    if tested.get("failed"):
        yield str(tested.get("msg") or "the delivery test failed")
        return
    for result in tested.get("results") or ():
        if result["verdict"] not in {"delivered", "would_send"}:
            why = _said(result.get("error") or {}) or result.get("reason")
            yield f"test to {result['domain']} {result['verdict']}" + (f" ({why})" if why else "")


def _said(error: Mapping[str, Any]) -> str:
    """Return what a server said, as it said it."""
    parts = (error.get("code"), error.get("enhanced"), error.get("text"))
    return " ".join(str(part) for part in parts if part)
