# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is behind ``451 4.4.0 DNS query failed`` of Exchange 2010 and later. Pure.

The same error has several causes: the name servers of the far side ignore or mishandle AAAA
(KB972744), the own DNS does not answer, or something that does not show from here. DNS as the
controller sees it tells them apart. It is no proof of what the host sees, so one domain alone never
proves anything about the own DNS.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._report.text import count, failure_text, listed, words
from .case import Case
from .kinds import Cause, Kind

#: So many domains with different name servers do not fail at once by chance.
_SEVERAL = 2
_MOST_EVIDENCE = 3


def dns_causes(case: Case, every: Sequence[Case]) -> Iterator[Cause]:
    """Yield the one cause of a failed query, or why none shows."""
    if not (case.transport and case.asks_dns) or case.status in {"null_mx", "no_such_domain"}:
        return
    aaaa = troubled(case)
    if aaaa:
        yield Cause(
            Kind.REMOTE_AAAA,
            "name servers of the far side ignore or mishandle AAAA, so Exchange finds no address"
            " at all (KB972744)",
            f"Pin the domain to {listed(case.addresses)}." if case.addresses else "",
            tuple(aaaa[:_MOST_EVIDENCE]),
            pin=bool(case.addresses),
        )
        return
    alike = [one for one in every if one.asks_dns and not troubled(one)]
    if case.status == "temporary_failure":
        yield _silent(case, alike)
    else:
        yield _answered_here(case, alike)


def troubled(case: Case) -> list[str]:
    """Return which servers fail on AAAA, each once for all names it fails on in the same way."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in case.notes("aaaa_trouble"):
        found.setdefault((str(one["nameserver"]), str(one["kind"])), []).append(str(one["name"]))
    return [
        f"AAAA of {listed(names)} at {server}: {words(kind)}"
        for (server, kind), names in found.items()
    ]


def failures(case: Case) -> tuple[str, ...]:
    """Return the questions about a domain that it depends on and that got no answer."""
    failed = (case.resolved or {}).get("failures") or ()
    return tuple(failure_text(one) for one in failed if one.get("needed", True))


def _silent(case: Case, alike: Sequence[Case]) -> Cause:
    evidence = failures(case)[:_MOST_EVIDENCE]
    if all(one.status == "temporary_failure" for one in alike) and len(alike) >= _SEVERAL:
        return Cause(
            Kind.OWN_DNS,
            f"the own DNS. None of the {count(len(alike), 'domain')} that wait for DNS is answered"
            " from here either",
            "See to the name servers that this host and the controller ask.",
            evidence,
        )
    return Cause(
        Kind.UNKNOWN,
        "DNS does not answer from here either",
        "Look again later; its name servers may be out of order.",
        evidence,
    )


def _answered_here(case: Case, alike: Sequence[Case]) -> Cause:
    """DNS fails on the host and not here."""
    fine = [one for one in alike if one.status == "ok"]
    checked = [one for one in fine if (one.resolved or {}).get("evidence") is not None]
    if case not in fine:
        return Cause(Kind.UNKNOWN, f"DNS tells here {words(case.status) or 'nothing about it'}")
    if case not in checked:
        return Cause(
            Kind.UNKNOWN,
            "DNS answers here, and AAAA was not asked",
            "Set mx_delivery_evidence: true and look again.",
        )
    if len(checked) == len(alike) >= _SEVERAL:
        return Cause(
            Kind.OWN_DNS,
            f"the DNS that this host asks. It fails for {count(len(alike), 'domain')}, and name"
            " servers asked from here answer for all of them, AAAA too",
            "See to the name servers of this host (external_dns and the adapters). Until then the"
            f" domain can be pinned to {listed(case.addresses)}.",
            (f"asked from here: {listed(one.domain for one in checked)}",),
            pin=True,
        )
    return Cause(
        Kind.UNKNOWN,
        "DNS answers here, AAAA too",
        "Ask the name servers of this host for the domain (external_dns and the adapters).",
    )
