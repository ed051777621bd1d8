# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reply of another mail server, or an error of this side, means and needs. Pure.

A reply is known by its class, by its enhanced status code (RFC 3463, RFC 7372), or by words that
servers in use write. Any other reply is only quoted.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._mail.smtp_errors import ErrorClass, SmtpError


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a reply: a code, a clause that follows the server's name, and a remedy."""

    code: str
    clause: str
    remedy: str


_REVERSE_DNS = Meaning(
    "reverse_dns",
    "rejects mail from an address without valid reverse DNS",
    "Give the sending address of this host a PTR record, and the name in it an A record with this"
    " address. Use this name in HELO. The provider of the address keeps its zone.",
)
_HELO = Meaning(
    "helo",
    "rejects the name that this host uses in HELO",
    "Set a full name that DNS has; on Exchange 2010 and later it is the Fqdn of the Send"
    " connector.",
)
_SENDER = Meaning(
    "sender",
    "cannot find the domain of the sender in DNS",
    "Check that the Internet can resolve MX or A of your own mail domain.",
)
_SENDER_BLOCKED = Meaning(
    "sender_blocked",
    "blocks the sender for unwanted mail (5.1.8)",
    "Stop the unwanted mail of this account, then have it unblocked where the reply comes from; in"
    " Microsoft 365 that is the list of restricted entities.",
)
_GREYLISTED = Meaning(
    "greylisted",
    "delays first attempts for some minutes (greylisting)",
    "Wait for the next retry. If all retries are refused, send them from one address.",
)
_BLOCKED = Meaning(
    "blocked",
    "has the address of this host on a blocklist",
    "Find the unwanted mail that leaves by this address and stop it. Then have the address removed"
    " from the list that the reply names.",
)
_AUTHENTICATION = Meaning(
    "authentication",
    "does not accept this host as a sender for the domain (SPF, DKIM or DMARC)",
    "Add the address that this host sends from to the SPF record of the sender's domain, and check"
    " its DKIM and DMARC records.",
)
_TLS_REQUIRED = Meaning(
    "tls_required",
    "requires TLS",
    "Check that the Send connector uses STARTTLS (IgnoreSTARTTLS is False) and that Windows offers"
    " TLS 1.2. A host without TLS needs a relay that has it.",
)
_TLS = Meaning(
    "tls",
    "rejects this host's TLS: its version, cipher or certificate",
    "Check the TLS settings of the Send connector and of Windows. A host without TLS needs a relay"
    " that has it.",
)
_WRONG_REGION = Meaning(
    "wrong_region",
    "no longer serves the domain (4.4.62): Exchange Online has moved it to another region",
    "",
)
_RELAY_REFUSED = Meaning(
    "relay_refused",
    "does not relay mail of this host for the domain",
    "",
)
_LOOPS = Meaning(
    "loops",
    "reports a mail loop",
    "Check which server replied. If it is one of your own, the mail was misrouted.",
)
_BUSY = Meaning(
    "busy",
    "accepts no more mail at the moment",
    "Wait: Exchange retries. If it lasts, send fewer messages at a time, or ask the postmaster"
    " there.",
)
_PUT_OFF = Meaning(
    "put_off",
    "rejects the mail temporarily",
    "Wait: Exchange retries. If it lasts for a day, send the reply to the postmaster there.",
)
_REFUSED = Meaning(
    "refused",
    "rejects the mail",
    "Follow the reply, or ask the postmaster there. The mail returns to its sender.",
)

_POLICY = Meaning(
    "own_policy",
    "a rule or setting of your own organisation rejects the mail",
    "Check the transport rules and the settings that the error names.",
)
#: Errors that this side reports of itself, by class. The clause has places for the server of this
#: side and for the next hop.
OWN_ERRORS: dict[str, Meaning] = {
    "certificate": Meaning(
        "certificate",
        "{side} rejected the certificate of {hop}",
        "Check its name, chain and validity there, and on this side TlsAuthLevel and TlsDomain of"
        " the Send connector and the root certificates of Windows.",
    ),
    "tls_failed": Meaning(
        "tls",
        "{side} and {hop} could not negotiate TLS",
        "Check the TLS versions and cipher suites of Windows, and the certificate on this side.",
    ),
    "domain_security": Meaning(
        "domain_security",
        "your organisation demands mutual TLS of the domain (Domain Security), and {side} did not"
        " reach it with {hop}",
        "Check the certificates of both servers, or take the domain out of TLSSendDomainSecureList"
        " (Set-TransportConfig).",
    ),
    "expired": Meaning(
        "expired",
        "the mail waited for longer than Exchange keeps it (QUEUE.Expired), and this error does not"
        " show why",
        "Look for the last error of mail that still waits: in the queue, or in the events DEFER of"
        " the tracking log. What has expired must be sent again.",
    ),
    "authentication": Meaning(
        "authentication",
        "{side} and {hop} could not authenticate each other",
        "Check the authentication settings of the Send connector, and clocks and certificates of"
        " both servers.",
    ),
    "front_end_proxy": Meaning(
        "front_end",
        "the front end of your organisation could not set up the session",
        "Check the Front End Transport service, its SMTP send log and its certificate; the Send"
        " connector uses it as proxy (FrontendProxyEnabled).",
    ),
    "own_policy": _POLICY,
    "refused": _POLICY,
}
_BY_CLASS = {
    ErrorClass.TLS_REQUIRED: _TLS_REQUIRED,
    ErrorClass.TLS_FAILED: _TLS,
    ErrorClass.WRONG_REGION: _WRONG_REGION,
    ErrorClass.RELAY_REFUSED: _RELAY_REFUSED,
}
_BY_CODE = {
    "4.6": _LOOPS,  # routing loop detected
    "7.25": _REVERSE_DNS,  # reverse DNS validation failed
    **dict.fromkeys(("7.20", "7.21", "7.22", "7.23", "7.24", "7.26"), _AUTHENTICATION),
    "1.8": _SENDER,  # bad sender's system address
    "3.2": _BUSY,  # system not accepting network messages
}
# Words of servers in use; the first match counts.
_WORDS = (
    (_SENDER_BLOCKED, r"\bbad outbound sender\b"),
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


def meaning(reply: SmtpError) -> Meaning:
    """Return the meaning of a reply of class 4 or 5."""
    _class, _dot, detail = (reply.enhanced or "").partition(".")
    known = _BY_CLASS.get(reply.error_class) or _BY_CODE.get(detail)
    if known is None or known is _SENDER:  # the code has several uses
        matches = (one for one, pattern in _PATTERNS if pattern.search(reply.text))
        known = next(matches, _PUT_OFF if reply.temporary else _REFUSED)
    return known
