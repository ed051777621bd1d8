# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of causes that a diagnosis tells apart. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What keeps the mail for a domain; those that rank first stand first."""

    ARRIVES = "arrives"  # a test message did: nothing keeps it any more
    NULL_MX = "null_mx"
    NO_SUCH_DOMAIN = "no_such_domain"
    OWN_HOSTS = "own_hosts"
    SEARCH_LIST = "search_list"
    REMOTE_AAAA = "remote_aaaa"
    OWN_DNS = "own_dns"
    OLD_PIN = "old_pin"
    DANGLING = "dangling"
    REVERSE_DNS = "reverse_dns"
    HELO = "helo"
    SENDER = "sender"
    GREYLISTED = "greylisted"
    BLOCKED = "blocked"
    AUTHENTICATION = "authentication"
    TLS = "tls"
    LOOPS = "loops"
    BUSY = "busy"
    PUT_OFF = "put_off"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    NO_ROUTE = "no_route"
    SEVERAL_MX = "several_mx"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause: a sentence without its end, what it rests on, and what to do about it.

    ``sure`` tells what the evidence shows from what it only allows. ``pin`` and ``switch`` are
    what this collection can do: pin the domain, switch the search list off.
    """

    kind: Kind
    sentence: str
    remedy: str = ""
    evidence: tuple[str, ...] = ()
    sure: bool = True
    pin: bool = False
    switch: bool = False
