# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why mail for a domain waits: the causes that the evidence shows or allows, the best first. Pure.

What nothing explains is *not known*, never the likeliest. Hosts of both kinds share the rules; the
few that only one kind can have say so.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .._connectors.errors import Trouble
from .._report.text import count, listed
from .case import Case
from .dns_causes import dns_causes, failures
from .kinds import Cause, Kind
from .smtp_replies import meaning

#: So many domains are not out of reach at once by chance.
_SEVERAL = 2
_TIMED_OUT, _REFUSED = 10060, 10061  # Windows Sockets
_ORDER = {kind: place for place, kind in enumerate(Kind)}
#: Warnings of mx_pairs_info about exchanges that lead nowhere.
_DANGLING = (
    "exchange_without_address",
    "mx_is_address",
    "mx_is_no_host",
    "address_not_global",
    "alias_to_nowhere",
)

_NO_ERROR_YET = (
    "Exchange has told no error yet",
    "Look again after the next retry.",
)
_NO_ERROR_LOGGED = (
    "the host tells no error",
    "Have the service write the SMTP protocol log (level 3 or more, Q154505), and look again.",
)

Rule = Callable[[Case, Sequence[Case]], Iterator[Cause]]


def causes(case: Case, every: Sequence[Case]) -> list[Cause]:
    """Return the causes of a case, never none; ``every`` are all cases of its host."""
    if case.arrived:
        return [_arrives(case)]
    found = [cause for rule in _RULES for cause in rule(case, every)]
    if not any(cause.sure for cause in found):
        found.append(_unknown(case))
    found.sort(key=lambda cause: (not cause.sure, _ORDER[cause.kind]))
    return found


def _arrives(case: Case) -> Cause:
    return Cause(
        Kind.ARRIVES,
        f"a test message from this host to {case.domain} arrived just now, so nothing keeps the"
        " mail any more",
        "Nothing: what waits goes with the next retry.",
    )


def _unknown(case: Case) -> Cause:
    """Return why nothing is known for sure, and what would tell more."""
    if case.error is None:
        return Cause(Kind.UNKNOWN, *(_NO_ERROR_YET if case.transport else _NO_ERROR_LOGGED))
    if case.trouble is Trouble.DNS:
        return Cause(
            Kind.UNKNOWN,
            "a smart host of its connector cannot be found in DNS",
            "Look at the smart hosts of the connector that takes this domain.",
        )
    return Cause(
        Kind.UNKNOWN,
        "what the host tells does not show it",
        "Look again with -e mx_delivery_test_stuck=true, which sends a test message.",
        failures(case),
    )


def _takes_none(case: Case, _every: Sequence[Case]) -> Iterator[Cause]:
    if case.status == "null_mx":
        yield Cause(
            Kind.NULL_MX,
            "the domain says in DNS that it takes no mail (null MX, RFC 7505)",
            "Nothing can deliver it. Tell the senders, for it comes back to them only when it"
            " expires.",
        )
    elif case.status == "no_such_domain":
        yield Cause(
            Kind.NO_SUCH_DOMAIN,
            "there is no such domain in DNS",
            "Tell the senders; the address may be mistyped. It comes back to them when it expires.",
        )
    elif case.status == "loop":
        notes = tuple(str(note["message"]) for note in case.notes("own_exchange"))
        yield Cause(
            Kind.OWN_HOSTS,
            "all exchanges of the domain are hosts of your own, so the mail is led in a circle",
            "Make it a domain that your hosts take mail for, or correct its MX records.",
            notes[:1],
        )


def _search_list(case: Case, _every: Sequence[Case]) -> Iterator[Cause]:
    """Names with a suffix appended that have an answer (Q150969)."""
    led = [one for one in case.notes("search_list_hijack") if one["suffix"] in case.suffixes]
    # Who delivers to an address looks no name up; and who reached the right address found it.
    if not led or case.pins or case.by_smart_hosts or _reached(case):
        return
    suffix, name, answer = (str(led[0][key]) for key in ("suffix", "name", "answer"))
    there = f"{name} has an answer ({answer})"
    if case.transport:
        yield Cause(
            Kind.SEARCH_LIST,
            f"Windows may append {suffix} to names, and {there}, so mail may be led there"
            " (Q150969)",
            _pin(case),
            sure=False,
            pin=case.status == "ok",
        )
    elif case.appends:
        pin = f" and {_pin(case, first=False)}" if case.status == "ok" else "."
        yield Cause(
            Kind.SEARCH_LIST,
            f"the host appends {suffix} to names, and {there}, so mail for {case.domain} is led"
            " there (Q150969)",
            f"Switch the search list off{pin}",
            pin=case.status == "ok",
            switch=True,
        )


def _reached(case: Case) -> bool:
    """Whether the host came as far as an address that DNS has for the domain."""
    return case.error is not None and case.error.address in case.addresses


def _old_pin(case: Case, _every: Sequence[Case]) -> Iterator[Cause]:
    """Addresses of a route or connector that DNS does not name any more."""
    gone = [address for address in case.pins if address not in case.addresses]
    if case.status != "ok" or not gone or case.trouble is Trouble.REFUSED:
        return
    tried = case.error.address if case.error else None
    if tried is not None and tried not in gone:
        return
    yield Cause(
        Kind.OLD_PIN,
        f"it is pinned to {listed(gone)}, which DNS does not name any more",
        _pin(case),
        sure=tried in gone or len(gone) == len(case.pins),
        pin=case.repins or case.by_hand,
    )


def _dangling(case: Case, _every: Sequence[Case]) -> Iterator[Cause]:
    notes = tuple(str(note["message"]) for note in case.notes(*_DANGLING))
    if case.status == "no_address":
        yield Cause(
            Kind.DANGLING,
            "no exchange of the domain has an address that mail can go to",
            "Tell the postmaster there in another way than by mail. An address that is known to be"
            " theirs can be pinned until DNS is mended.",
            notes,
        )
    elif case.status == "ok" and notes and not case.pins and not _reached(case):
        yield Cause(
            Kind.DANGLING,
            "some exchanges of the domain lead nowhere, and a host that tries them waits in vain",
            _pin(case),
            notes,
            sure=False,
            pin=True,
        )


def _far_side(case: Case, _every: Sequence[Case]) -> Iterator[Cause]:
    reply, error = case.said, case.error
    if reply is None or _led_astray(case):
        return  # who answered then is not the far side
    known = meaning(reply)
    who = (error.address or error.target if error else None) or "a server of the other side"
    yield Cause(known.kind, f"{who} {known.clause}", known.remedy)


def _unreachable(case: Case, every: Sequence[Case]) -> Iterator[Cause]:
    """Nobody answered this host, which is what it says itself."""
    error = case.error
    if error is None or not _cannot_connect(case):
        return
    how = {_REFUSED: "refused the connection", _TIMED_OUT: "did not answer"}.get(
        error.winsock or 0, "took no connection"
    )
    where = error.address or error.target or ", ".join(case.pins[:2])
    says = f"{where} {how} when this host tried" if where else "this host could connect to none"
    alike = sum(map(_cannot_connect, every))
    others = f"; so it is with {count(alike - 1, 'other domain')}" if alike >= _SEVERAL else ""
    yield Cause(
        Kind.UNREACHABLE,
        f"the exchanges of the domain are out of this host's reach: {says}{others}",
        "See whether anything leaves this host for port 25: a firewall, or the provider, may keep"
        " it."
        if others
        else "See on this host whether port 25 there answers; if not, ask the postmaster there.",
    )


def _cannot_connect(case: Case) -> bool:
    """Whether it is the right servers that do not answer this host."""
    if case.trouble is not Trouble.NO_CONNECTION:
        return False
    elsewhere = (_takes_none, _search_list, _old_pin, _dangling)
    return not any(cause.sure for rule in elsewhere for cause in rule(case, ()))


def _led_astray(case: Case) -> bool:
    return any(cause.sure for cause in _search_list(case, ()))


def _no_route(case: Case, _every: Sequence[Case]) -> Iterator[Cause]:
    if case.trouble is Trouble.NO_ROUTE:
        yield Cause(
            Kind.NO_ROUTE,
            "no Send connector of the organisation takes mail for this domain",
            "Make one for the address space *"
            + (f", or {_pin(case, first=False)}" if case.status == "ok" else "."),
            pin=case.status == "ok",
        )


def _several_mx(case: Case, _every: Sequence[Case]) -> Iterator[Cause]:
    """The article's own pattern; which fault is behind it, it does not say."""
    if case.transport or case.pins or case.exchanges < _SEVERAL or not _cannot_connect(case):
        return
    yield Cause(
        Kind.SEVERAL_MX,
        f"it has {case.exchanges} exchanges, and domains with several are what the article Q169781"
        " is about",
        _pin(case),
        sure=False,
        pin=True,
    )


def _pin(case: Case, *, first: bool = True) -> str:
    """Return the sentence that tells to pin; its first word as it begins a sentence or not."""
    if case.status != "ok":
        return ""
    where = listed(case.addresses)
    if case.by_hand:
        text = f"enter its rows by hand, since there is no imccopy: {where}."
    else:
        text = f"pin the domain to {where}."
    return text[0].upper() + text[1:] if first else text


_RULES: tuple[Rule, ...] = (
    _takes_none,
    _search_list,
    dns_causes,
    _old_pin,
    _dangling,
    _far_side,
    _unreachable,
    _no_route,
    _several_mx,
)
