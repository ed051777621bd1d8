# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A diagnosis as data: the causes of each delayed domain in the document of a run. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._report.states import worst
from .._report.text import cleaned, count
from .causes import Cause, Code
from .commands import commands
from .evidence import HostEvidence, StuckDomain
from .text import Finding, findings

#: How sure a cause is: the evidence shows it, or only allows it.
SHOWN, POSSIBLE = "shown", "possible"


def diagnosed(
    document: Mapping[str, Any],
    resolved: Mapping[str, Any],
    hosts: Sequence[HostEvidence],
    *,
    suffixes: Sequence[str] = (),
    inventories: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the document of a run of diagnose with the causes on each host.

    ``hosts`` are those of the document, in its order; ``resolved``, ``suffixes`` and
    ``inventories`` are as ``text.diagnosis`` and ``commands`` take them. A host has a problem only
    if it could not be read: delayed mail is what was asked about.
    """
    domains = {domain["domain"]: domain for domain in resolved.get("domains") or ()}
    known = [findings(host, domains, suffixes) for host in hosts]
    entries = [
        {
            **entry,
            "verdict": _verdict(entry, host),
            "problems": [host.failure] if host.failure else [],
            "diagnosis": [_domain(host, finding, inventories) for finding in found],
        }
        for entry, host, found in zip(document["hosts"], hosts, known, strict=True)
    ]
    answer = {
        **document["answer"],
        "verdict": worst([entry["verdict"] for entry in entries]),
        "text": document["answer"]["failure"] or _sentence(hosts, known),
    }
    result: dict[str, Any] = cleaned({**document, "answer": answer, "hosts": entries})
    return result


def _verdict(entry: Mapping[str, Any], host: HostEvidence) -> str:
    if not host.failure:
        return "clean"
    unread = entry["unreachable"] or (host.queue or {}).get("unreachable")
    return "unjudged" if unread else "failed"


def _sentence(hosts: Sequence[HostEvidence], known: Sequence[Sequence[Finding]]) -> str:
    names = {domain.domain for found in known for domain, _causes in found}
    places = sum(bool(found) for found in known)
    text = "No mail is delayed"
    if names:
        text = f"Mail for {count(len(names), 'domain')} is delayed on {count(places, 'host')}"
    unread = sum(bool(host.failure) for host in hosts)
    return f"{text}; {count(unread, 'host')} could not be read." if unread else f"{text}."


def _domain(host: HostEvidence, finding: Finding, inventories: Sequence[str]) -> dict[str, Any]:
    domain, causes = finding
    return {
        "domain": domain.domain,
        "causes": [_cause(host, domain, cause, inventories) for cause in causes],
    }


def _cause(
    host: HostEvidence, domain: StuckDomain, cause: Cause, inventories: Sequence[str]
) -> dict[str, Any]:
    """Return a cause; the confidence of an unknown one is null."""
    confidence = None if cause.code is Code.UNKNOWN else SHOWN if cause.sure else POSSIBLE
    return {
        "code": cause.code.value,
        "confidence": confidence,
        "text": f"{cause.sentence[0].upper()}{cause.sentence[1:]}.",
        "evidence": list(cause.evidence),
        "next_step": cause.remedy or None,
        "alternative": cause.instead or None,
        "commands": [one.to_dict() for one in commands(host, domain, cause, inventories)],
    }
