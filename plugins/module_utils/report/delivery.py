# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the role did, or an audit found, on all hosts: text for a person. Pure.

Input are the results of the tasks: of mx_pairs once, of imc_delivery or transport_delivery, and
delivery_test, for each host. Nothing is concluded that they do not say.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .hosts import host_lines
from .outcome import HostOutcome, changed_domains, switch_changed
from .text import columns, count, failure_text, listed, words, wrapped

#: Domains shown one by one; of more, only those that are not simply all right.
MOST_DOMAINS = 20
#: Warnings of mx_pairs about protections that mail to a bare address goes without.
_DEFEATED = frozenset({"tlsa", "mta_sts"})


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
    lines = [*_domain_lines(resolved), "", *host_lines(hosts, statuses, audit=audit)]
    if known := list(_worth_knowing(resolved, hosts)):
        lines += ["", "To know"]
        for text in known:
            lines += wrapped(f"  {text}")
    if problems:
        lines += ["", "To look at"]
        for host, text in problems.items():
            lines += wrapped(f"  {host}: {text}")
    return Report(lines, problems)


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


def _worth_knowing(resolved: Mapping[str, Any], hosts: Sequence[HostOutcome]) -> Iterator[str]:
    """Say what DNS tells of domains besides where their mail goes, as far as it concerns a host."""
    pinned = {name for host in hosts if host.transport for name in host.domains}
    for domain in resolved["domains"]:
        for note in domain.get("warnings") or ():
            if note["code"] in _DEFEATED and domain["domain"] in pinned:
                yield f"{domain['domain']}: {note['message']}."
    for suffix in dict.fromkeys(suffix for host in hosts for suffix in host.appends):
        yield from _astray(suffix, resolved, [host for host in hosts if suffix in host.appends])


def _astray(
    suffix: str, resolved: Mapping[str, Any], hosts: Sequence[HostOutcome]
) -> Iterator[str]:
    """Warn of names that DNS knows with a suffix that Windows may append to them (Q150969)."""
    concerned = {name for host in hosts for name in host.domains}
    found = {
        note["name"]: note["answer"]
        for domain in resolved["domains"]
        if domain["domain"] in concerned
        for note in domain.get("warnings") or ()
        if note["code"] == "search_list_hijack" and note["suffix"] == suffix
    }
    if found:
        yield (
            f"Windows on {listed(host.name for host in hosts)} may append {suffix} to names, and"
            f" DNS has answers for {listed(found)} ({listed(dict.fromkeys(found.values()))}): mail"
            " that is not pinned may be led astray there (Q150969)."
        )


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
        thing = "Send connectors" if "steps" in enforced else "routes"
        what.append(f"the {thing} of {listed(domains)}")
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
