# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server of the other side means by its reply, and what to do about it. Pure.

A reply is known by its enhanced status code where one is defined for the matter (RFC 3463,
RFC 7372), else by words that servers in use say. What is not known by either is only quoted.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._imc.protocol_log import SmtpFailure
from .kinds import Kind


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reply means: a clause that follows the name of the server, and what to do."""

    kind: Kind
    clause: str
    remedy: str


_REVERSE_DNS = Meaning(
    Kind.REVERSE_DNS,
    "does not take mail from an address whose reverse DNS it cannot find or does not trust",
    "Give the address that this host sends from a PTR record, whose name has an A record with that"
    " address, and let the host say this name in HELO; the provider of the address keeps its zone.",
)
_HELO = Meaning(
    Kind.HELO,
    "does not accept the name that this host says in HELO",
    "Let it say a full name that DNS knows; on Exchange 2010 and later it is the Fqdn of the Send"
    " connector.",
)
_SENDER = Meaning(
    Kind.SENDER,
    "cannot find the domain of the sender in DNS",
    "See that MX or A of the own mail domain is answered to the outside.",
)
_GREYLISTED = Meaning(
    Kind.GREYLISTED,
    "puts first attempts off for some minutes (greylisting)",
    "Nothing: the next retry is taken. If it never is, let all retries come from one address.",
)
_BLOCKED = Meaning(
    Kind.BLOCKED,
    "finds the address of this host on a list of senders of unwanted mail",
    "Find what sends such mail by this address and stop it; then have it taken off the list that"
    " the reply names.",
)
_AUTHENTICATION = Meaning(
    Kind.AUTHENTICATION,
    "does not accept this host as a sender for the domain (SPF, DKIM or DMARC)",
    "Name the address that this host sends from in the SPF record of the sender's domain, and see"
    " to its DKIM and DMARC records.",
)
_TLS = Meaning(
    Kind.TLS,
    "wants TLS, or another certificate or version of it",
    "Look at the TLS settings of the Send connector and of Windows. Where the host can do no TLS,"
    " let a relay that can send mail for this domain.",
)
_LOOPS = Meaning(
    Kind.LOOPS,
    "finds that the message goes in a circle",
    "See which server answered: if it is one of your own, the mail was led to the wrong host.",
)
_BUSY = Meaning(
    Kind.BUSY,
    "takes no more mail for the moment",
    "Nothing for now: Exchange tries again by itself. If it lasts, send fewer messages at a time,"
    " or ask the postmaster there.",
)
_PUT_OFF = Meaning(
    Kind.PUT_OFF,
    "puts the mail off",
    "Nothing for now: Exchange tries again by itself. If it lasts for a day, ask the postmaster"
    " there, with the reply.",
)
_REFUSED = Meaning(
    Kind.REFUSED,
    "refuses the mail",
    "Do what the reply says, or ask the postmaster there; it comes back to its sender.",
)

# By subject and detail of the enhanced status code; the class says only for how long.
_CODES = {
    "4.6": _LOOPS,  # routing loop detected
    "7.25": _REVERSE_DNS,  # reverse DNS validation failed
    **dict.fromkeys(("7.20", "7.21", "7.22", "7.23", "7.24", "7.26"), _AUTHENTICATION),
    "7.10": _TLS,  # encryption needed
    "1.8": _SENDER,  # bad sender's system address
    "3.2": _BUSY,  # system not accepting network messages
}
# In this order: a reply can hold words of several.
_WORDS = (
    (
        _REVERSE_DNS,
        r"\b(?:PTR|rDNS|reverse[- ](?:DNS|hostname|lookup|map\w*))\b|cannot find your hostname",
    ),
    (_HELO, r"\b(?:HELO|EHLO)\b.{0,80}(?:reject|invalid|not found|fully.qualified|need)"),
    (_GREYLISTED, r"\bgr[ae]y-?list"),
    (
        _BLOCKED,
        r"\b(?:black|block|deny)-?list|\bDNSBL\b|\bRBL\b|spamhaus|spamcop|barracudacentral",
    ),
    (_AUTHENTICATION, r"\bSPF\b|\bDKIM\b|\bDMARC\b"),
    (_TLS, r"\bSTARTTLS\b|\bTLS\b"),
    (_LOOPS, r"\bloops? back\b|\btoo many hops\b|\bmail loop"),
    (_SENDER, r"\bsender (?:domain|address)\b.{0,40}(?:resolve|not found|exist)"),
    (
        _BUSY,
        r"too many|rate limit|throttl|service not available|system load|insufficient \w*",
    ),
)
_PATTERNS = tuple((meaning, re.compile(words, re.IGNORECASE)) for meaning, words in _WORDS)


def meaning(reply: SmtpFailure) -> Meaning:
    """Return what a reply of class 4 or 5 means."""
    _class, _dot, detail = (reply.enhanced or "").partition(".")
    if detail in _CODES:
        return _CODES[detail]
    for known, pattern in _PATTERNS:
        if pattern.search(reply.text):
            return known
    return _PUT_OFF if reply.temporary else _REFUSED
