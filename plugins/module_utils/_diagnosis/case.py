# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is known of one domain whose mail waits on one host: what causes are drawn from. Pure.

Whether a server can be reached is told by the host alone: by the last error of its queue, its SMTP
log, or a test message that it sent. What DNS answers was asked from the controller.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._connectors.errors import LastError, Trouble, parse_last_error
from .._imc.protocol_log import SmtpFailure, parse_reply
from .._imc.setting import VALUE_NAME
from .._run.changed_domains import changed_domains, rows_by_domain, table_rows

Result = Mapping[str, Any]

_SMART_HOSTS = "smarthostconnectordelivery"
# The connector's own words in its queue (Q169781), not those of a far server.
_CONTACT = re.compile(r"\bunable to contact destination SMTP da?emon\b", re.IGNORECASE)
_OWN_WORDS = re.compile(r"NSO \S")


@dataclass(frozen=True, slots=True)
class Case:
    """One domain on one host; ``transport`` tells Exchange 2010 and later.

    ``error`` is the last one that the host tells, read at ``source``. ``resolved`` is what
    mx_pairs_info says of the domain. ``suffixes`` is what the host appends to names, or may
    (``appends`` is surely). ``pins`` are the addresses that a route or connector of ours leads the
    domain to, ``by_smart_hosts`` any connector; ``repins`` tells that pinning would lead it
    elsewhere than now, ``by_hand`` that no tool can, ``foreign`` which connector of somebody else
    is in the way. ``arrived`` is a test message that was delivered just now.
    """

    domain: str
    transport: bool = False
    error: LastError | None = None
    source: str = ""
    resolved: Result | None = None
    suffixes: tuple[str, ...] = ()
    appends: bool = False
    pins: tuple[str, ...] = ()
    by_smart_hosts: bool = False
    repins: bool = False
    by_hand: bool = False
    foreign: str = ""
    arrived: bool = False

    @property
    def status(self) -> str:
        """What DNS says of the domain, or nothing."""
        return str(self.resolved["status"]) if self.resolved else ""

    @property
    def addresses(self) -> list[str]:
        """Where DNS leads the domain."""
        return [str(pair["address"]) for pair in (self.resolved or {}).get("pairs") or ()]

    @property
    def exchanges(self) -> int:
        """How many exchanges it has."""
        return len({pair["exchange"] for pair in (self.resolved or {}).get("pairs") or ()})

    @property
    def trouble(self) -> Trouble | None:
        """What kind of error the last one is."""
        return self.error.trouble if self.error else None

    @property
    def said(self) -> SmtpFailure | None:
        """What a server of the other side answered, if that is what is known."""
        if self.error is None or self.error.trouble is not Trouble.REFUSED:
            return None
        return self.error.said or parse_reply(self.error.line)

    @property
    def asks_dns(self) -> bool:
        """Whether DNS for this very domain is what failed."""
        return self.trouble is Trouble.DNS and not self.by_smart_hosts

    def notes(self, *codes: str) -> list[Result]:
        """Return the warnings of mx_pairs_info with these codes."""
        warnings = (self.resolved or {}).get("warnings") or ()
        return [one for one in warnings if one["code"] in codes]


@dataclass(frozen=True, slots=True)
class Patient:
    """One host: the results of its tasks; None for a task that did not run.

    ``planned`` is what imc_delivery or transport_delivery would do in check mode, ``tested`` what
    became of test messages.
    """

    name: str
    info: Result | None = None
    queue: Result | None = None
    planned: Result | None = None
    tested: Result | None = None

    @property
    def transport(self) -> bool:
        """Whether it is a host of Exchange 2010 or later."""
        return (self.info or {}).get("family") == "transport"

    @property
    def appends(self) -> bool:
        """Whether the Internet Mail Connector appends its search list to names (Q150969)."""
        if self.transport:
            return False  # no such switch there
        return not self._resolver.get("search_list_disabled") or self.misspelled

    @property
    def misspelled(self) -> bool:
        """Whether the registry value is there in a spelling that does not count."""
        name = self._resolver.get("stored_name")
        return name is not None and name != VALUE_NAME

    @property
    def suffixes(self) -> list[str]:
        """What it appends, or would, in lower case."""
        known = [self._resolver.get("domain") or "", *(self._resolver.get("search_list") or ())]
        return list(dict.fromkeys(name.lower().strip(".") for name in known if name))

    @property
    def _resolver(self) -> Result:
        return (self.info or {}).get("resolver") or {}


def cases(patient: Patient, domains: Mapping[str, Result], suffixes: Iterable[str]) -> list[Case]:
    """Return the cases of a host, most messages first; ``suffixes`` are those named besides."""
    queue = patient.queue or {}
    stuck = set(queue.get("stuck_domains") or ())
    named = [suffix.lower().strip(".") for suffix in suffixes]
    appended = tuple(dict.fromkeys((*patient.suffixes, *named)))
    found = []
    for waiting in queue.get("queues") or ():
        name = str(waiting["domain"])
        if name in stuck:
            case = Case(
                name,
                transport=patient.transport,
                resolved=domains.get(name),
                suffixes=appended,
                appends=patient.appends,
            )
            case = _with_error(case, waiting, queue)
            case = _with_plan(case, patient.planned or {})
            found.append(_with_test(case, patient.tested or {}))
    return found


def _with_error(case: Case, waiting: Result, queue: Result) -> Case:
    mine = [one for one in queue.get("transport_queues") or () if case.domain in one["domains"]]
    told = next((one["last_error"] for one in mine if one.get("last_error")), None)
    line = waiting.get("last_error") or told
    smart = bool(mine) and all(str(one["delivery_type"]).casefold() == _SMART_HOSTS for one in mine)
    return replace(
        case,
        error=_error(case, line, waiting.get("address")),
        source=str(waiting.get("source") or ""),
        by_smart_hosts=smart,
    )


def _error(case: Case, line: object, address: object = None) -> LastError | None:
    """Take an error apart as the kind of Exchange writes it."""
    if case.transport:
        return parse_last_error(line)
    text = " ".join(str(line or "").split())
    if not text:
        return None
    reply = parse_reply(text)
    if _CONTACT.search(text):
        trouble = Trouble.NO_CONNECTION
    else:
        own = reply is None or bool(_OWN_WORDS.match(reply.text))
        trouble = Trouble.OTHER if own else Trouble.REFUSED
    # Who refuses most often names the address of who came: this host's.
    known = trouble is not Trouble.REFUSED or address in case.addresses
    return LastError(
        text,
        trouble,
        code=reply.code if reply else None,
        enhanced=reply.enhanced if reply else None,
        text=reply.text if reply else text,
        address=str(address) if address and known else None,
    )


def _with_plan(case: Case, planned: Result) -> Case:
    """Add where the host leads the domain now, and whether that would change."""
    by_hand = {row["domain"] for row in planned.get("worksheet") or ()}
    foreign = {one["domain"]: one["connector"] for one in planned.get("refused") or ()}
    return replace(
        case,
        pins=tuple(_connector_pins(case.domain, planned) or _row_pins(case.domain, planned)),
        repins=case.domain in changed_domains(planned),
        by_hand=case.domain in by_hand,
        foreign=str(foreign.get(case.domain, "")),
    )


def _row_pins(domain: str, planned: Result) -> list[str]:
    before, _after = table_rows(planned)
    return [where for where, _flag in rows_by_domain(before).get(domain, ())]


def _connector_pins(domain: str, planned: Result) -> list[str]:
    """Return the smart hosts of our connector for exactly this domain."""
    for one in (planned.get("connectors") or {}).get("before") or ():
        if _spaces(one.get("address_spaces") or ()) == [domain] and one.get("enabled", True):
            return [str(host).strip("[]") for host in one.get("smart_hosts") or ()]
    return []


def _spaces(spaces: Sequence[object]) -> list[str]:
    """Return ``SMTP:nestle.com;1`` as ``nestle.com``."""
    return [str(one).partition(":")[2].rpartition(";")[0].lower() for one in spaces]


def _with_test(case: Case, tested: Result) -> Case:
    """Add what became of a test message: it is the newest that the host can tell."""
    for result in tested.get("results") or ():
        if result["domain"] == case.domain:
            if result["verdict"] == "delivered":
                return replace(case, arrived=True)
            error = result.get("error") or {}
            parts = (error.get("code"), error.get("enhanced"), error.get("text"))
            if line := " ".join(str(part) for part in parts if part):
                source = f"test message, {error.get('source') or result['verdict']}"
                return replace(case, error=_error(case, line), source=source)
    return case
