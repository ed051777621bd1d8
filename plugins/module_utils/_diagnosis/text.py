# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why mail waits, and what would help: text for a person. Pure.

Input are the results of exchange_info, queue_info and, in check mode, imc_delivery or
transport_delivery for each host, and of mx_pairs_info once.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._imc.setting import VALUE_NAME
from .._report.paragraph import paragraph
from .._report.text import clean, count, listed, reason, wrapped
from .case import Case, Patient, cases
from .causes import causes
from .kinds import Cause, Kind

#: Domains of one host that are explained; of more, how many there are.
MOST_EXPLAINED = 20
#: What does not tell whether pinning would help, though it is sure itself.
_OPEN = frozenset({Kind.UNKNOWN, Kind.UNREACHABLE})

Domains = Mapping[str, Mapping[str, Any]]
Finding = tuple[Case, list[Cause]]


def diagnosis(
    resolved: Mapping[str, Any], patients: Sequence[Patient], *, suffixes: Sequence[str] = ()
) -> list[str]:
    """Return the explanation; ``suffixes`` are those the administrator named besides the hosts'."""
    domains = {domain["domain"]: domain for domain in resolved.get("domains") or ()}
    trouble = reason("", resolved)
    lines = [f"DNS was not asked: {trouble}", ""] if trouble else []
    pinned: set[str] = set()
    for patient in patients:
        found = findings(patient, domains, suffixes)
        pinned.update(case.domain for case, known in found if _cured_by_pinning(case, known))
        lines += [*_host(patient, found), ""]
    lines += _advice(patients, sorted(pinned))
    return [part for line in lines for part in wrapped(clean(line))]


def findings(patient: Patient, domains: Domains, suffixes: Sequence[str]) -> list[Finding]:
    """Return the causes of each domain that is stuck on a host that could be looked at."""
    if failure_of(patient):
        return []
    every = cases(patient, domains, suffixes)
    return [(case, causes(case, every)) for case in every]


def failure_of(patient: Patient) -> str:
    """Return why nothing is known of a host, or nothing.

    What pinning would change is not needed to explain what waits.
    """
    needed = [patient.info, patient.queue]
    if not patient.transport:
        needed.append(patient.planned)
    return reason(patient.name, *needed)


def _cured_by_pinning(case: Case, known: Sequence[Cause]) -> bool:
    """Whether pinning the domain would help, and would change anything."""
    shown = [cause for cause in known if cause.sure and cause.kind not in _OPEN]
    wanted = any(cause.pin for cause in shown or known)
    return wanted and case.status == "ok" and (case.transport or case.repins or case.by_hand)


def _host(patient: Patient, found: Sequence[Finding]) -> Iterator[str]:
    failure = failure_of(patient)
    if failure:
        yield f"{patient.name}: {failure}"
        return
    info, queue = patient.info or {}, patient.queue or {}
    waiting = queue.get("files", 0)
    yield (
        f"{patient.name}: Exchange {info.get('version') or 'of an unknown version'}, "
        + ("" if patient.transport else f"service {queue.get('service')}, ")
        + (f"{count(waiting, 'message')} waiting" if waiting else "nothing waits")
    )
    yield f"  {_names_asked(info) if patient.transport else _search_list(patient)}"
    entries = {one["domain"]: one for one in queue.get("queues") or ()}
    returned = [one.get("domain") for one in queue.get("returned") or ()]
    for case, known in found[:MOST_EXPLAINED]:
        waits = entries[case.domain]
        since = f" since {waits['oldest']}" if waits.get("oldest") else ""
        came = returned.count(case.domain)
        back = f"; {came} came back of late" if came else ""
        yield f"  {case.domain}: {count(waits['messages'], 'message')}{since}{back}"
        yield f"    {paragraph(case, known)}"
    if len(found) > MOST_EXPLAINED:
        yield f"  and {len(found) - MOST_EXPLAINED} more domains"
    # What the logs do not tell matters only where something waits.
    notes = [*(info.get("notes") or ()), *((queue.get("notes") or ()) if found else ())]
    for note in (*notes, *_failed_looks(patient)):
        yield f"  Note: {note}"


def _failed_looks(patient: Patient) -> Iterator[str]:
    """Say what is missing of that which an explanation can do without."""
    planned = patient.planned if patient.transport else None
    if planned and not planned.get("refused") and (failure := reason(patient.name, planned)):
        yield f"The organisation's Send connectors were not seen. {failure}"
    if patient.tested and (failure := reason(patient.name, patient.tested)):
        yield f"Test messages could not be sent. {failure}"


def _search_list(patient: Patient) -> str:
    """Say whether the connector appends something to names."""
    resolver = (patient.info or {}).get("resolver") or {}
    if patient.misspelled:
        return (
            f"The registry value is stored as {resolver['stored_name']}, a spelling that does not"
            " count: names get the search list appended (Q150969)."
        )
    if patient.appends:
        return f"{VALUE_NAME} is not set: names get the search list appended (Q150969)."
    return f"{VALUE_NAME} is set: names are looked up as they are."


def _names_asked(info: Mapping[str, Any]) -> str:
    """Say whom a Transport server asks for names, and what Windows appends to them."""
    servers = info.get("servers") or ()
    mine: Mapping[str, Any] = next(
        (one for one in servers if one["name"] == info.get("server")), {}
    )
    dns = mine.get("external_dns") or {}
    asked = listed(dns.get("servers") or ())
    if not asked:
        asked = "those of its adapters" if dns.get("adapter_enabled") else "not known"
    resolver = info.get("resolver") or {}
    appended = listed(resolver.get("search_list") or ())
    told = f"names may get {appended} appended" if appended else "what is appended is not known"
    return f"Name servers for outbound mail: {asked}; {told}."


def _advice(patients: Sequence[Patient], pinned: Sequence[str]) -> Iterator[str]:
    appending = [one.name for one in patients if not failure_of(one) and one.appends]
    if not (pinned or appending):
        yield "Nothing is left that this collection could do."
        return
    yield "What would help"
    if appending:
        yield f"  Switch the search list off on {listed(appending)}."
    if pinned:
        yield f"  List in mx_delivery_domains: {', '.join(pinned)}."
    yield "  postmaster.exchange.audit shows the change, postmaster.exchange.enforce makes it."
