# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The warnings about a domain: their stable codes and their sentences.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from .model import Answer, Kind, Mx, Note
from .names import shown


def null_mx_ignored(mx: Mx) -> Note:
    """``.`` among other exchanges, or alone with a preference other than 0 (RFC 7505)."""
    return Note(
        "null_mx_ignored",
        f'the MX "{mx.preference} ." is no null MX, since it is not the only one with preference '
        "0; it was left out",
        (("preference", mx.preference),),
    )


def mx_is_address(mx: Mx) -> Note:
    """An address typed where a name belongs (rule 7)."""
    return Note(
        "mx_is_address",
        f"the MX {shown(mx.exchange)} is an address where a host name belongs; it was left out",
        _mx_facts(mx),
    )


def mx_is_no_host(mx: Mx) -> Note:
    """A name that no host can have; a mail server leaves it out, too."""
    return Note(
        "mx_is_no_host",
        f"the MX {shown(mx.exchange)} can be no host name; it was left out",
        _mx_facts(mx),
    )


def mx_is_cname(mx: Mx, target: str) -> Note:
    """An exchange that is an alias (RFC 2181 section 10.3, Q153001)."""
    return Note(
        "mx_is_cname",
        f"the exchange {mx.exchange} is an alias of {shown(target)}, which breaks RFC 2181; "
        "some senders rewrite the recipient because of it (Q153001)",
        (*_mx_facts(mx), ("target", target)),
    )


def own_exchange(mx: Mx, because: str, dropped: int) -> Note:
    """One of our own hosts among the exchanges: it and all that are no better are out (rule 8)."""
    return Note(
        "own_exchange",
        f"the exchange {mx.exchange} ({because}) is one of our own; it and all of preference "
        f"{mx.preference} or worse were left out ({dropped} altogether), or mail would loop",
        (*_mx_facts(mx), ("because", because), ("dropped", dropped)),
    )


def exchange_without_address(mx: Mx, answers: tuple[Answer, ...]) -> Note:
    """An exchange that has none of the addresses wanted (rule 9)."""
    missing = any(answer.kind is Kind.NO_SUCH_NAME for answer in answers)
    reason = "does not exist" if missing else "has no address"
    return Note(
        "exchange_without_address",
        f"the exchange {mx.exchange} {reason} in DNS; it was left out",
        _mx_facts(mx),
    )


def address_not_global(mx: Mx, address: str, reason: str) -> Note:
    """An address that no mail server on the Internet can have (rule 11)."""
    return Note(
        "address_not_global",
        f"the address {address} of {mx.exchange} is {reason}; it was left out "
        "(allow_private keeps it)",
        (*_mx_facts(mx), ("address", address), ("reason", reason)),
    )


def max_pairs(found: int, kept: int) -> Note:
    """More pairs than the administrator wants."""
    return Note(
        "max_pairs",
        f"{found} pairs were found; the best {kept} are given, as max_pairs says",
        (("found", found), ("kept", kept)),
    )


def alias_to_nowhere(target: str) -> Note:
    """A domain that is an alias of a name that does not exist."""
    return Note(
        "alias_to_nowhere",
        f"the domain is an alias of {shown(target)}, which does not exist",
        (("target", target),),
    )


def search_list_hijack(suffix: str, name: str, found: tuple[str, ...]) -> Note:
    """An answer that only a search list leads to (Q150969)."""
    return Note(
        "search_list_hijack",
        f"{name} has an answer ({', '.join(found)}): a server that still appends {suffix} "
        "sends mail for this domain there (Q150969)",
        (("suffix", suffix), ("name", name), ("answer", ", ".join(found))),
    )


def aaaa_trouble(name: str, nameserver: str, kind: Kind) -> Note:
    """Name servers that answer A and fail on AAAA (KB972744)."""
    return Note(
        "aaaa_trouble",
        f"the question for AAAA of {name} ends in {kind.value} at {nameserver}, though the name "
        'exists: the known cause of "451 4.4.0 DNS query failed" (KB972744)',
        (("name", name), ("nameserver", nameserver), ("kind", kind.value)),
    )


def own_host_without_address(name: str) -> Note:
    """A name given among the own addresses that DNS does not know."""
    return Note(
        "own_host_without_address",
        f"own_addresses names the host {name}, which has no address in DNS; exchanges are compared "
        "with its name only",
        (("name", name),),
    )


def _mx_facts(mx: Mx) -> tuple[tuple[str, str | int], ...]:
    return (("preference", mx.preference), ("exchange", mx.exchange))
