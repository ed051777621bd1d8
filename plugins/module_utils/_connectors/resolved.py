# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mx_pairs found out about domains, as far as pinning wants to know it. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from .._base.errors import InvalidInput
from .._pairs.model import StsMode
from .._pairs.names import parse_domain

_ENFORCE = StsMode.ENFORCE.value
_MOST_PATTERNS = 5  # shown in a warning


@dataclass(frozen=True, slots=True)
class Resolved:
    """One domain: the MX preference of its addresses, and the protections a pin defeats.

    ``mta_sts`` is the record of its MTA-STS policy; ``sts_mode`` is empty where the policy is not
    known, and ``sts_reason`` says why then.
    """

    domain: str
    preferences: Mapping[str, int] = field(default_factory=dict)
    tlsa: tuple[str, ...] = ()
    mta_sts: str = ""
    sts_mode: str = ""
    sts_patterns: tuple[str, ...] = ()
    sts_reason: str = ""

    def warnings(self) -> Iterator[str]:
        """Tell which protection mail loses when it goes to bare addresses, with the evidence."""
        if self.tlsa:
            yield (
                f"{self.domain}: {', '.join(self.tlsa)} publish TLSA records (DANE, RFC 7672)."
                " Mail that is pinned to addresses is delivered without that check of the"
                " certificate."
            )
        if self.mta_sts and self.sts_mode in (_ENFORCE, ""):
            yield f"{self.domain} {self._policy_warning()}"

    def _policy_warning(self) -> str:
        record = f"record {self.mta_sts!r:.120}"
        if self.sts_mode == _ENFORCE:
            return (
                f"enforces an MTA-STS policy (RFC 8461; {record}, mode enforce,"
                f" mx {', '.join(self.sts_patterns[:_MOST_PATTERNS])}). Mail that is pinned to"
                " addresses loses the protection: it is delivered without the check of host names."
            )
        why = f": {self.sts_reason:.300}" if self.sts_reason else ""
        return (
            f"announces an MTA-STS policy (RFC 8461; {record}). Whether its mode is enforce could"
            f" not be told{why}. If it is, mail that is pinned to addresses loses the protection."
        )


def parse_resolved(entries: Sequence[Any]) -> dict[str, Resolved]:
    """Read the option ``resolved``; raises InvalidInput for what mx_pairs never returns."""
    found = {}
    for number, entry in enumerate(entries):
        try:
            one = _parse(entry)
        except (InvalidInput, AttributeError, KeyError, TypeError, ValueError):
            raise InvalidInput(
                f"resolved[{number}] is no entry of what mx_pairs returns as 'domains'.",
                hint='Give resolved: "{{ mx.domains }}" where mx is the registered result.',
            ) from None
        found[one.domain] = one
    return found


def _parse(entry: Mapping[str, Any]) -> Resolved:
    preferences: dict[str, int] = {}
    for pair in entry.get("pairs") or ():
        address, preference = str(ip_address(pair["address"])), int(pair["preference"])
        preferences[address] = min(preference, preferences.get(address, preference))
    evidence = entry.get("evidence") or {}
    policy = evidence.get("mta_sts_policy") or {}
    mode = policy.get("mode")
    return Resolved(
        domain=parse_domain(entry["domain"]),
        preferences=preferences,
        tlsa=tuple(parse_domain(name) for name in evidence.get("tlsa") or ()),
        mta_sts=str(evidence.get("mta_sts") or ""),
        sts_mode=StsMode(mode).value if mode else "",
        sts_patterns=tuple(str(pattern) for pattern in policy.get("mx") or ()),
        sts_reason=str(policy.get("reason") or ""),
    )
