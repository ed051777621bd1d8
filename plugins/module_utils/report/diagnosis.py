# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why mail waits, and what would help: text for a person. Pure.

Input are the results of exchange_info, queue_info and, in check mode, imc_delivery for each host,
and of mx_pairs once. A cause is named only where the results show it.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..imc.setting import VALUE_NAME
from .outcome import changed_domains
from .text import count, failure_text, listed, reason, words, wrapped
from .transport_diagnosis import Host, cured_by_pinning, host_lines, is_transport

#: Domains of one host that are explained; of more, how many there are.
MOST_EXPLAINED = 20
#: Warnings of mx_pairs that a reader of a diagnosis has to know, besides those named as causes.
_WORTH_TELLING = frozenset({"aaaa_trouble", "mx_is_cname", "mx_is_address", "tlsa", "mta_sts"})


@dataclass(frozen=True, slots=True)
class Patient:
    """One host: the results of its tasks; None for a task that did not run."""

    name: str
    info: Mapping[str, Any] | None = None
    queue: Mapping[str, Any] | None = None
    planned: Mapping[str, Any] | None = None

    @property
    def failure(self) -> str:
        """Why nothing is known of this host, or nothing."""
        return reason(self.name, self.info, self.queue, self.planned)

    @property
    def appends(self) -> bool:
        """Whether the connector appends its search list to names (Q150969)."""
        if is_transport(self.info):
            return False  # no such switch there
        resolver = (self.info or {}).get("resolver") or {}
        return not resolver.get("search_list_disabled") or self.misspelled

    @property
    def misspelled(self) -> bool:
        """Whether the registry value is there in a spelling that does not count."""
        name = ((self.info or {}).get("resolver") or {}).get("stored_name")
        return name is not None and name != VALUE_NAME

    @property
    def suffixes(self) -> list[str]:
        """What it appends, in lower case."""
        resolver = (self.info or {}).get("resolver") or {}
        known = [resolver.get("domain") or "", *(resolver.get("search_list") or ())]
        return list(dict.fromkeys(name.lower().strip(".") for name in known if name))


def diagnosis(
    resolved: Mapping[str, Any], patients: Sequence[Patient], *, suffixes: Sequence[str] = ()
) -> list[str]:
    """Return the explanation; ``suffixes`` are those the administrator named besides the hosts'."""
    domains = {domain["domain"]: domain for domain in resolved["domains"]}
    lines: list[str] = []
    for patient in patients:
        lines += [*_host(patient, domains, suffixes), ""]
    lines += _advice(patients, domains)
    return [part for line in lines for part in wrapped(line)]


def _host(
    patient: Patient, domains: Mapping[str, Mapping[str, Any]], suffixes: Sequence[str]
) -> Iterator[str]:
    if patient.failure:
        yield f"{patient.name}: {patient.failure}"
        return
    info, queue = patient.info or {}, patient.queue or {}
    if is_transport(info):
        appended = [*patient.suffixes, *(suffix.lower().strip(".") for suffix in suffixes)]
        host = Host(patient.name, info, queue)
        yield from host_lines(host, domains, appended, most=MOST_EXPLAINED)
        return
    version = info.get("version") or "of an unknown version"
    waiting = queue.get("files", 0)
    yield (
        f"{patient.name}: Exchange {version}, service {queue.get('service')}, "
        + (f"{count(waiting, 'message')} waiting" if waiting else "nothing waits")
    )
    yield f"  {_search_list(patient)}"
    stuck = set(queue.get("stuck_domains") or ())
    queues = [one for one in queue.get("queues") or () if one["domain"] in stuck]
    for one in queues[:MOST_EXPLAINED]:
        yield from _domain(patient, one, domains.get(one["domain"]), suffixes)
    if len(queues) > MOST_EXPLAINED:
        yield f"  and {len(queues) - MOST_EXPLAINED} more domains"
    # What the logs do not tell matters only where something waits.
    for note in (*(info.get("notes") or ()), *((queue.get("notes") or ()) if queues else ())):
        yield f"  Note: {note}"


def _search_list(patient: Patient) -> str:
    resolver = (patient.info or {}).get("resolver") or {}
    if patient.misspelled:
        return (
            f"The registry value is stored as {resolver['stored_name']}, a spelling that does not"
            " count: names get the search list appended (Q150969)."
        )
    if patient.appends:
        return f"{VALUE_NAME} is not set: names get the search list appended (Q150969)."
    return f"{VALUE_NAME} is set: names are looked up as they are."


def _domain(
    patient: Patient,
    waiting: Mapping[str, Any],
    domain: Mapping[str, Any] | None,
    suffixes: Sequence[str],
) -> Iterator[str]:
    since = f" since {waiting['oldest']}" if waiting.get("oldest") else ""
    yield f"  {waiting['domain']}: {count(waiting['messages'], 'message')}{since}"
    if waiting.get("last_error"):
        yield f"    said last: {waiting['last_error']}"
    if domain is None:
        return
    for sentence in _causes(patient, domain, suffixes):
        yield f"    {sentence}"


def _causes(patient: Patient, domain: Mapping[str, Any], suffixes: Sequence[str]) -> Iterator[str]:
    status, warnings = domain["status"], domain.get("warnings") or ()
    appended = {*patient.suffixes, *(suffix.lower().strip(".") for suffix in suffixes)}
    if patient.appends:
        for warning in warnings:
            if warning["code"] == "search_list_hijack" and warning["suffix"] in appended:
                yield f"Cause: {warning['message']}."
    if status == "ok":
        yield from _exchanges(patient, domain)
    elif status in {"null_mx", "no_such_domain"}:
        yield f"It can never be delivered: {words(status)}."
    else:
        yield f"DNS does not tell now where it goes: {words(status)}."
    yield from (f"{note['message']}." for note in warnings if note["code"] in _WORTH_TELLING)
    for failure in domain.get("failures") or ():
        if failure.get("needed", True):
            yield f"{failure_text(failure)}."


def _exchanges(patient: Patient, domain: Mapping[str, Any]) -> Iterator[str]:
    pairs = domain["pairs"]
    exchanges = len({pair["exchange"] for pair in pairs})
    if exchanges > 1:
        yield (
            f"It has {exchanges} exchanges with {count(len(pairs), 'address')}"
            " (several MX records are the pattern of Q169781)."
        )
    if domain["domain"] in changed_domains(patient.planned or {}):
        yield f"Pinning would lead it to {listed(pair['address'] for pair in pairs)}."
    elif (patient.planned or {}).get("worksheet"):
        yield f"To be pinned by hand: {listed(pair['address'] for pair in pairs)}."
    else:
        yield "It is pinned to these addresses already: look at what the far servers say."


def _advice(patients: Sequence[Patient], domains: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    sound = [patient for patient in patients if not patient.failure]
    pinnable = sorted({name for patient in sound for name in _pinnable(patient, domains)})
    appending = [patient.name for patient in sound if patient.appends]
    if not (pinnable or appending):
        yield "Nothing is left that this collection could do."
        return
    yield "What would help"
    if appending:
        yield f"  Switch the search list off on {listed(appending)}."
    if pinnable:
        yield f"  List in mx_delivery_domains: {', '.join(pinnable)}."
    yield "  postmaster.exchange.audit shows the change, postmaster.exchange.enforce makes it."


def _pinnable(patient: Patient, domains: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the stuck domains of a host that pinning would lead elsewhere than now."""
    if is_transport(patient.info):
        yield from cured_by_pinning(patient.queue or {}, domains)
        return
    planned = patient.planned or {}
    by_hand = {row["domain"] for row in planned.get("worksheet") or ()}
    changed = by_hand.union(changed_domains(planned))
    for name in (patient.queue or {}).get("stuck_domains") or ():
        if name in changed and domains.get(name, {}).get("status") == "ok":
            yield name
