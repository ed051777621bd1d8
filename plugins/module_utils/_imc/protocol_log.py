# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SMTP protocol log of the Internet Mail Connector, read as hostile text.

One text file a connection, ``RootDir\\Log\\L*.LOG``, written only at diagnostics level 3 or more
(KB Q154505). A reply of the far server stands in a line such as ``IO: |451 ...`` (KB Q198981),
with or without a time and an arrow before it: ``<<<`` for what came in, ``>>>`` for what went out.
The text of the queue window is the article's own (KB Q169781):
``421 NSO hq.com Unable to contact destination SMTP demon nestle.com``.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from ipaddress import ip_address

from .._mail.addresses import domain_of, mail_domain

#: Failures kept of one log, the newest.
MAX_FAILURES = 200
#: Characters looked at in one line, and kept of one text.
MAX_LINE, MAX_TEXT = 2_000, 500

_TWO = 2  # domains: more need not be told apart
#: First reply code that says "do not try again" (RFC 5321 section 4.2.1).
PERMANENT = 500

_STAMP = re.compile(r"\d[^<>|]{5,40}? : ")
_REPLY = re.compile(r"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+(.*))?", re.DOTALL)
_DEMON = re.compile(r"destination SMTP da?emon\s+(\S+)", re.IGNORECASE)
_RCPT = re.compile(r"RCPT\s+TO:\s*<?([^<>\s]+)", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")


@dataclass(frozen=True, slots=True)
class SmtpFailure:
    """A reply that put mail off (4xx) or refused it (5xx).

    ``domain`` is whose mail it concerns, where the log says so, ``address`` the IPv4 address named
    in the text.
    """

    code: int
    enhanced: str | None
    text: str
    domain: str | None = None
    address: str | None = None

    @property
    def temporary(self) -> bool:
        return self.code < PERMANENT

    @property
    def line(self) -> str:
        """The reply as a server would have sent it."""
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


def parse_reply(text: str) -> SmtpFailure | None:
    """Return a reply line of class 4 or 5, taken apart; None for any other line."""
    match = _REPLY.fullmatch(text.strip()[:MAX_LINE])
    if match is None or match[1][0] not in "45":
        return None
    rest = (match[3] or "").strip()
    enhanced = _ENHANCED.fullmatch(rest)
    if enhanced is not None:
        rest = (enhanced[2] or "").strip()
    demon = _DEMON.search(rest)
    return SmtpFailure(
        code=int(match[1]),
        enhanced=enhanced[1] if enhanced else None,
        text=printable(rest),
        domain=mail_domain(demon[1]) if demon else None,
        address=_address_in(rest),
    )


def parse_log(data: bytes, limit: int = MAX_FAILURES) -> tuple[SmtpFailure, ...]:
    """Return the last ``limit`` failures of one connection's log, oldest first.

    Never raises. A reply belongs to the domain it names, else to the recipient asked for last, else
    (a greeting, say) to the one domain that the log is about, if there is only one. Replies of our
    own server to a client (``>>>``) are not failures of delivery.
    """
    failures: deque[SmtpFailure] = deque(maxlen=max(limit, 1))
    domain: str | None = None
    domains: set[str] = set()
    for raw in data.split(b"\n"):
        arrow, text = _strip(raw[:MAX_LINE].decode("utf-8", "replace"))
        rcpt = _RCPT.match(text)
        if rcpt is not None:
            domain = domain_of(rcpt[1]) or domain
        failure = None if arrow == ">>>" else parse_reply(text)
        if failure is not None:
            failure = replace(failure, domain=failure.domain or domain)
            if not failures or failures[-1] != failure:  # level 5 writes each reply twice
                failures.append(failure)
        concerned = failure.domain if failure else domain
        if concerned is not None and len(domains) < _TWO:
            domains.add(concerned)
    if len(domains) == 1:
        only = next(iter(domains))
        return tuple(replace(failure, domain=only) for failure in failures)
    return tuple(failures)


def _strip(line: str) -> tuple[str, str]:
    """Return arrow (or nothing) and text of a line, without its time and its ``IO: |``."""
    text = line.strip()
    stamp = _STAMP.match(text)
    # A line may begin with the reply itself, whose text may hold " : " just like a time.
    if stamp is not None and _REPLY.match(text) is None:
        text = text[stamp.end() :].lstrip()
    arrow = text[:3] if text.startswith(("<<<", ">>>")) else ""
    text = text[len(arrow) :].lstrip()
    if text.startswith("IO:"):
        text = text[3:].lstrip().removeprefix("|")
    return arrow, text.rstrip("|").strip()


def _address_in(text: str) -> str | None:
    for match in _IPV4.finditer(text):
        try:
            return str(ip_address(match[0]))
        except ValueError:
            continue
    return None


def printable(text: str, most: int = MAX_TEXT) -> str:
    """Return text fit for a terminal: control characters are dropped, the length is bounded."""
    return "".join(char for char in text if char.isprintable())[:most]
