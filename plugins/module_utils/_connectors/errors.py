# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last error of a queue or message of the Transport service, taken apart as hostile text.

Exchange 2010 shows a plain SMTP reply. Later versions wrap it:
``[{LRT=time};{LED=reply};{FQDN=target};{IP=address}]``. Where a server of the other side had the
last word, the reply quotes it: ``451 4.4.0 Primary target IP address responded with: "421 ..."``
(KB4051498). Nothing here raises, and every pattern runs in linear time.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from .._imc.protocol_log import MAX_LINE, SmtpFailure, parse_reply, printable
from .._run.verdict import DeliveryError

_FIELDS = ("LRT", "LED", "FQDN", "IP")
_QUOTED = re.compile(r'(?:responded with|target IP address): "([^"]*)"?', re.IGNORECASE)
_ENDPOINT = re.compile(r"last endpoint attempted was (\S+)", re.IGNORECASE)
_DNS = re.compile(r"\bDNS query failed\b|\bSMTPSEND\.DNS\.", re.IGNORECASE)
_NO_ROUTE = re.compile(r"\bconnector (?:cannot|can't|could not) be found\b", re.IGNORECASE)
# Replies with these are Exchange's own words about the way there, not another server's (RFC 3463).
_ABOUT_THE_WAY = "4.4."
# "421 4.2.1 Unable to connect" is Exchange's own, without a word of the other side.
_NO_CONNECTION = re.compile(
    r"\bunable to connect\b|\bfailed to connect\b|winsock error", re.IGNORECASE
)
_WINSOCK = re.compile(r"winsock error code:? *(\d{5})", re.IGNORECASE)


class Trouble(StrEnum):
    """What kept a message here, as far as the text of the error tells."""

    DNS = "dns"  # no usable answer from DNS
    NO_CONNECTION = "no_connection"  # nobody answered at the address, or refused the connection
    REFUSED = "refused"  # a server of the other side answered with 4xx or 5xx
    NO_ROUTE = "no_route"  # no Send connector takes the domain
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class LastError:
    """A last error; ``line`` is the reply as Exchange shows it, without its wrapping.

    ``said`` is what a server of the other side answered, where it is quoted. ``target`` is the host
    tried last, ``address`` its address.
    """

    line: str
    trouble: Trouble
    code: int | None = None
    enhanced: str | None = None
    text: str = ""
    said: SmtpFailure | None = None
    target: str | None = None
    address: str | None = None
    winsock: int | None = None

    def as_delivery_error(self, source: str) -> DeliveryError:
        """Return it as the results have errors; ``source`` is where it was read."""
        return DeliveryError(self.text or self.line, source, self.code, self.enhanced)


def parse_last_error(value: object) -> LastError | None:
    """Return a last error taken apart, or None where there is none."""
    whole = " ".join(str(value or "").split())[: 2 * MAX_LINE]
    if not whole:
        return None
    fields = _unwrapped(whole)
    line = printable(fields.get("LED", whole)).strip()
    reply = parse_reply(line)
    quoted = _QUOTED.search(line)
    said = parse_reply(quoted[1].strip().rstrip(".")) if quoted else None
    winsock = _WINSOCK.search(line)
    trouble = _trouble(line, reply, said)
    # Who refuses most often names the address of who came: this host's.
    named = reply.address if reply and trouble is not Trouble.REFUSED else None
    return LastError(
        line=line,
        trouble=trouble,
        code=reply.code if reply else None,
        enhanced=reply.enhanced if reply else None,
        text=reply.text if reply else line,
        said=None if said is None or _NO_CONNECTION.search(said.text) else said,
        target=printable(fields.get("FQDN", "")).strip() or None,
        address=_address(fields.get("IP", "")) or _endpoint(line) or named,
        winsock=int(winsock[1]) if winsock else None,
    )


def _unwrapped(text: str) -> dict[str, str]:
    """Return the fields of the wrapped form; none for a plain text.

    A field ends where the next known one begins, so that braces within a reply do no harm.
    """
    if not (text.startswith("[{") and "{LED=" in text):
        return {}
    found = [(name, text.find(f"{{{name}=")) for name in _FIELDS]
    starts = sorted((place, name) for name, place in found if place >= 0)
    ends = [place for place, _skipped in starts[1:]] + [len(text)]
    return {
        name: text[place + len(name) + 2 : end].rstrip("]").rstrip(";").removesuffix("}").strip()
        for (place, name), end in zip(starts, ends, strict=True)
    }


def _trouble(line: str, reply: SmtpFailure | None, said: SmtpFailure | None) -> Trouble:
    if _NO_CONNECTION.search(line):
        return Trouble.NO_CONNECTION
    if said is not None:
        return Trouble.REFUSED
    if _DNS.search(line):
        return Trouble.DNS
    if _NO_ROUTE.search(line):
        return Trouble.NO_ROUTE
    foreign = reply is not None and not (reply.enhanced or "").startswith(_ABOUT_THE_WAY)
    return Trouble.REFUSED if foreign else Trouble.OTHER


def _endpoint(line: str) -> str | None:
    match = _ENDPOINT.search(line)
    if match is None:
        return None
    host = match[1].rstrip(".,\"'")
    return _address(host) or _address(host.rpartition(":")[0])


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text.strip().strip("[]")))
    except ValueError:
        return None
