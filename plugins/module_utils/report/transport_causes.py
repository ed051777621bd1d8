# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why mail waits on a Transport server: one cause for each domain, where the results show it. Pure.

Three causes look alike in a queue, as ``451 4.4.0`` in *Retry*, and want different cures: the name
servers of the far side ignore or mishandle AAAA (KB972744), the own DNS does not answer, or the far
server does not take the mail. What none of them explains is *not known*, never the likeliest.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..delivery.transport_errors import LastError, Trouble, parse_last_error
from .text import count, failure_text, listed, words

_AAAA_CODE = "aaaa_trouble"
_SMART_HOSTS = "smarthostconnectordelivery"
#: So many domains with different name servers do not fail at once by chance.
_SEVERAL = 2
_TIMED_OUT, _REFUSED = 10060, 10061  # Windows Sockets


class Kind(StrEnum):
    """What keeps the mail for a domain."""

    REMOTE_AAAA = "remote_aaaa"
    OWN_DNS = "own_dns"
    FAR_SIDE = "far_side"
    NO_ROUTE = "no_route"
    UNDELIVERABLE = "undeliverable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause, in a sentence for a person, and the observations that it rests on."""

    kind: Kind
    sentence: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """One domain that waits: its last error, and what DNS tells of it here."""

    domain: str
    error: LastError | None
    resolved: Mapping[str, Any] | None
    by_smart_hosts: bool

    @property
    def status(self) -> str:
        return str(self.resolved["status"]) if self.resolved else ""

    @property
    def aaaa(self) -> list[str]:
        warnings = (self.resolved or {}).get("warnings") or ()
        return [
            f"AAAA of {one['name']} at {one['nameserver']}: {words(one['kind'])}"
            for one in warnings
            if one["code"] == _AAAA_CODE
        ]

    @property
    def asks_dns(self) -> bool:
        """Whether DNS for this very domain is what failed."""
        dns = self.error is not None and self.error.trouble is Trouble.DNS
        return dns and not self.by_smart_hosts


def causes(queue: Mapping[str, Any], domains: Mapping[str, Mapping[str, Any]]) -> dict[str, Cause]:
    """Return the cause for each domain that waits.

    ``queue`` is a result of queue_info with family transport, ``domains`` are the domains of a
    result of mx_pairs (best with ``evidence``), by name.
    """
    cases = [_case(entry, queue, domains) for entry in queue.get("queues") or ()]
    return {case.domain: _cause(case, cases) for case in cases}


def _case(
    entry: Mapping[str, Any], queue: Mapping[str, Any], domains: Mapping[str, Mapping[str, Any]]
) -> _Case:
    name = str(entry["domain"])
    mine = [one for one in queue.get("transport_queues") or () if name in one["domains"]]
    told = next((one["last_error"] for one in mine if one.get("last_error")), None)
    error = parse_last_error(entry.get("last_error") or told)
    smart = bool(mine) and all(str(one["delivery_type"]).casefold() == _SMART_HOSTS for one in mine)
    return _Case(name, error, domains.get(name), smart)


def _cause(case: _Case, every: Sequence[_Case]) -> Cause:
    if case.status in {"null_mx", "no_such_domain"}:
        return Cause(Kind.UNDELIVERABLE, f"It can never be delivered: {words(case.status)}.")
    if case.error is None:
        return Cause(Kind.UNKNOWN, "Not known: Exchange has told no error yet.")
    if case.asks_dns:
        return _dns_cause(case, every)
    return _other_cause(case.error, every)


def _other_cause(error: LastError, every: Sequence[_Case]) -> Cause:
    evidence = (error.line,)
    match error.trouble:
        case Trouble.REFUSED:
            said = error.said.line if error.said else error.line
            who = error.address or error.target or "The far server"
            return Cause(Kind.FAR_SIDE, f"Cause: the far side. {who} answered: {said}", evidence)
        case Trouble.NO_CONNECTION:
            return _no_connection(error, every)
        case Trouble.NO_ROUTE:
            return Cause(Kind.NO_ROUTE, "No Send connector takes mail for this domain.", evidence)
        case Trouble.DNS:
            why = "a smart host of its connector cannot be found in DNS"
        case _:
            why = "the error does not tell"
    return Cause(Kind.UNKNOWN, f"Not known: {why}.", evidence)


def _dns_cause(case: _Case, every: Sequence[_Case]) -> Cause:
    """Tell the causes of ``451 4.4.0 DNS query failed`` apart by what DNS answers here."""
    if case.aaaa:
        return Cause(
            Kind.REMOTE_AAAA,
            "Cause: name servers of the far side ignore or mishandle AAAA, so Exchange finds no"
            " address at all (KB972744). Pinning the domain to its MX addresses helps.",
            tuple(case.aaaa),
        )
    alike = [one for one in every if one.asks_dns and not one.aaaa]
    silent = [one for one in alike if one.status == "temporary_failure"]
    if case.status == "temporary_failure":
        failed = (case.resolved or {}).get("failures") or ()
        evidence = tuple(failure_text(one) for one in failed if one.get("needed", True))
        if len(silent) == len(alike) >= _SEVERAL:
            return Cause(
                Kind.OWN_DNS,
                f"Cause: the own DNS. None of the {count(len(alike), 'domain')} that wait for DNS"
                " is answered from here either.",
                evidence,
            )
        return Cause(Kind.UNKNOWN, "Not known: DNS does not answer from here either.", evidence)
    return _answered_here(case, alike)


def _answered_here(case: _Case, alike: Sequence[_Case]) -> Cause:
    """DNS fails on the host and not here."""
    fine = [one for one in alike if one.status == "ok" and one.resolved is not None]
    checked = [one for one in fine if (one.resolved or {}).get("evidence") is not None]
    if case not in fine:
        return Cause(
            Kind.UNKNOWN, f"Not known: DNS tells here {words(case.status) or 'nothing about it'}."
        )
    if case not in checked:
        return Cause(
            Kind.UNKNOWN,
            "Not known: DNS answers here, and AAAA was not asked (mx_delivery_evidence).",
        )
    if len(checked) == len(alike) >= _SEVERAL:
        return Cause(
            Kind.OWN_DNS,
            f"Cause: the DNS that this host asks. It fails for {count(len(alike), 'domain')}, and"
            " name servers asked from here answer for all of them, AAAA too.",
            (f"asked from here: {listed(one.domain for one in checked)}",),
        )
    return Cause(
        Kind.UNKNOWN,
        "Not known: DNS answers here, AAAA too. Ask the name servers of this host (see"
        " external_dns and the adapters).",
    )


def _no_connection(error: LastError, every: Sequence[_Case]) -> Cause:
    where = error.address or error.target or "its servers"
    how = {_REFUSED: "refused the connection", _TIMED_OUT: "did not answer"}.get(
        error.winsock or 0, "took no connection"
    )
    alike = sum(
        one.error is not None and one.error.trouble is Trouble.NO_CONNECTION for one in every
    )
    several = (
        f" So do those of {count(alike - 1, 'other domain')}: see whether port 25 is open outwards."
        if alike >= _SEVERAL
        else ""
    )
    return Cause(Kind.FAR_SIDE, f"Cause: the far side. {where} {how}.{several}", (error.line,))
