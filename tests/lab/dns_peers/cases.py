# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One case of a rule about mail domains: zones, a task, and what has to come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exchange_lab.mail.dns_server import Fault

LAB, NSD, UNBOUND = "lab", "nsd", "unbound"
ALL = (LAB, NSD, UNBOUND)


@dataclass(frozen=True, slots=True)
class Case:
    """What one domain has to come to, by one rule, whichever server is asked.

    ``pairs`` are "preference exchange address", best first; ``warnings`` the codes, in order;
    ``failures`` are "type name kind". ``ttl`` is in seconds; a resolver that cached may tell less.
    ``domain`` is the name in its one spelling, ``asked`` that of the task where it differs.
    ``faults`` are what the lab's server is told to do wrong for (name, type), since it does nothing
    wrong by itself; ``servers`` are those that can be brought to do what the case is about.
    ``otherwise`` are the failures by a server of which they rightly differ: an authority ends its
    answer where its zones end, and a resolver goes all the way itself.
    """

    rule: int
    about: str
    domain: str
    status: str = "ok"
    pairs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    implicit: bool = False
    ttl: int | None = None
    asked: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    otherwise: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    servers: tuple[str, ...] = ALL
    faults: tuple[tuple[str, str, Fault], ...] = ()

    def __str__(self) -> str:
        return f"rule {self.rule}: {self.about}"


def _pair(pair: Mapping[str, Any]) -> str:
    return f"{pair['preference']} {pair['exchange']} {pair['address']}"


def told(domain: Mapping[str, Any]) -> dict[str, Any]:
    """Return of the result for one domain what a case says."""
    return {
        "domain": domain["domain"],
        "status": domain["status"],
        "pairs": tuple(_pair(pair) for pair in domain["pairs"]),
        "warnings": tuple(warning["code"] for warning in domain["warnings"]),
        "failures": tuple(f"{f['type']} {f['name']} {f['kind']}" for f in domain["failures"]),
        "implicit": domain["implicit_mx"],
    }


def wanted(case: Case, server: str) -> dict[str, Any]:
    """Return what a case wants of a result, from a server, in the form of ``told``."""
    return {
        "domain": case.domain,
        "status": case.status,
        "pairs": case.pairs,
        "warnings": case.warnings,
        "failures": case.otherwise.get(server, case.failures),
        "implicit": case.implicit,
    }
