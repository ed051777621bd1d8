# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SMTP replies and the last errors of queues, tracking logs and non-delivery reports, typed. Pure.

Exchange 2007 and 2010 write a plain reply; 2013 writes ``[{LRT=};{LED=};{FQDN=};{IP=}]``; 2016 and
later write ``[{LED=};{MSG=};{FQDN=};{IP=};{LRT=}]``. A reply of the next hop is quoted after
*responded with*, or follows ``Target host responded with error. ->``. Exchange puts its own words
in the same places: ``4.4.x`` (timed out, connection dropped), ``4.7.5`` (its certificate check),
*Unable to connect*. Through a front end the fields ``FQDN`` and ``IP`` name that front end.

Nothing here raises, and every pattern runs in linear time.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

#: Characters read of one line, and kept of one text.
MAX_LINE, MAX_TEXT = 2_000, 500
#: First reply code of a permanent error (RFC 5321 section 4.2.1).
PERMANENT = 500


class ErrorClass(StrEnum):
    """The cause of an error, as far as the text shows."""

    DNS = "dns"  # no usable answer from DNS
    NO_CONNECTION = "no_connection"  # nothing answered, or the connection was refused
    CONNECTION_DROPPED = "connection_dropped"  # a connection broke off
    CERTIFICATE = "certificate"  # this side rejected the certificate of the next hop
    TLS_FAILED = "tls_failed"  # TLS could not be negotiated
    TLS_REQUIRED = "tls_required"  # the next hop requires TLS
    DOMAIN_SECURITY = "domain_security"  # mutual TLS was demanded of the domain, and failed
    FRONT_END_PROXY = "front_end_proxy"  # the own front end set up no session
    WRONG_REGION = "wrong_region"  # 4.4.62: Exchange Online serves the domain elsewhere now
    RELAY_REFUSED = "relay_refused"  # the next hop does not relay for this host
    AUTHENTICATION = "authentication"  # the two servers could not authenticate
    OWN_POLICY = "own_policy"  # a rule or a setting of the own organisation rejected it
    REFUSED = "refused"  # any other reply of class 4 or 5
    NO_ROUTE = "no_route"  # no Send connector takes the domain
    EXPIRED = "expired"  # the message waited for longer than Exchange keeps it
    OTHER = "other"


class Origin(StrEnum):
    """Which side reported an error."""

    THIS_HOST = "this_host"
    FRONT_END = "front_end"
    EDGE = "edge"
    RELAY = "relay"
    FAR_SERVER = "far_server"


@dataclass(frozen=True, slots=True)
class SmtpError:
    """An error on the way of a message, as ``origin`` reported it.

    ``code``, ``enhanced`` and ``text`` are the words of ``origin``, ``line`` all that Exchange
    shows. ``address`` and ``host_name`` are the next hop that was tried, never the host itself.
    ``time`` is as the log writes it, in the server's own format; ``winsock`` a code of Windows
    Sockets; ``source`` where the error was read.
    """

    text: str
    error_class: ErrorClass = ErrorClass.OTHER
    origin: Origin = Origin.THIS_HOST
    code: int | None = None
    enhanced: str | None = None
    address: str | None = None
    host_name: str | None = None
    time: str | None = None
    winsock: int | None = None
    line: str = ""
    source: str = ""

    @property
    def temporary(self) -> bool:
        """Whether the sender tries again."""
        return self.code is None or self.code < PERMANENT

    @property
    def reply(self) -> str:
        """The words of ``origin`` on one line."""
        return " ".join(filter(None, (str(self.code or ""), self.enhanced, self.text)))

    @property
    def far_reply(self) -> str | None:
        """The reply of the next hop, or None where the error is this side's own."""
        return None if self.origin in {Origin.THIS_HOST, Origin.FRONT_END} else self.reply

    def to_dict(self) -> dict[str, Any]:
        """Return the error as results hold it."""
        return {
            "code": self.code,
            "enhanced": self.enhanced,
            "text": self.text,
            "error_class": str(self.error_class),
            "origin": str(self.origin),
            "address": self.address,
            "host_name": self.host_name,
            "time": self.time,
            "winsock": self.winsock,
            "line": self.line or self.reply,
            "source": self.source,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SmtpError:
        """Return the error that ``to_dict`` wrote. Raises KeyError or ValueError for others."""
        fields = {name: values[name] for name in cls.__dataclass_fields__}
        fields["error_class"] = ErrorClass(fields["error_class"])
        fields["origin"] = Origin(fields["origin"])
        return cls(**fields)


_REPLY = re.compile(r"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL | re.ASCII)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+(.*))?", re.DOTALL | re.ASCII)
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", re.ASCII)
_WINSOCK = re.compile(r"(?i:winsock error code:?|socket error code) *([0-9]{5})")

# Each at the beginning of what Exchange writes itself, so that no reply can pass for it.
_PROXY = re.compile(r"(?i)4\d\d (?:4\.\d+\.\d+ )?proxy session setup failed on frontend with '")
_ARROW = re.compile(r"(?i)4\d\d 4\.4\.\d+ target host responded with error\.? *-> *")
_QUOTE = re.compile(r'(?i)4\d\d 4\.4\.\d+ [a-z ]{0,80}responded with:? "')
_FAILOVER, _ENDPOINT = '" Attempted failover', "last endpoint attempted was "

_NO_ANSWER = re.compile(
    r"(?i)\b(?:unable to (?:connect|contact)|failed to connect|(?:winsock|socket) error"
    r"|connection timed out|no routing hosts are reachable|host unreachable)\b"
)
_DNS = re.compile(r"(?i)\bDNS query failed\b|\bSMTPSEND\.DNS\.|\berror during host resolution\b")
_DROPPED = re.compile(r"(?i)\bconnection (?:was )?(?:dropped|closed|reset)\b|\bConnectionReset\b")
_NO_ROUTE = re.compile(r"(?i)\bconnector (?:cannot|can't|could not) be found\b")
_OWN_COMPONENT = re.compile(
    r"\b(?:RESOLVER|TRANSPORT|ROUTING|SMTPSEND|STOREDRV|QUEUE|AGENT|APPROVAL)\.[A-Za-z]"
)
# The sender's own words in the place of a reply. Exchange cannot authenticate to another Exchange
# server: KB979175.
_OWN_CODES = re.compile(r"4\.4\.(?!62$)|4\.7\.5$")
_OWN_TEXT = re.compile(
    r"(?i)security status\b|cannot achieve exchange server authentication\b"
    r"|the admin has temporarily disallowed this secure domain\b"
)
_OWN_CLASSES = (
    (ErrorClass.DNS, _DNS),
    (ErrorClass.NO_CONNECTION, _NO_ANSWER),
    (ErrorClass.CONNECTION_DROPPED, _DROPPED),
    (ErrorClass.NO_ROUTE, _NO_ROUTE),
    (ErrorClass.EXPIRED, re.compile(r"\bQUEUE\.Expired\b")),
    (ErrorClass.OWN_POLICY, _OWN_COMPONENT),
)
_CLASSES = {
    ErrorClass.WRONG_REGION: r"wrong (?:Office|Microsoft) 365 region\b",
    ErrorClass.CERTIFICATE: r"certificate (?:validation|verification|verify)\b.*\bfail",
    ErrorClass.TLS_REQUIRED: (
        r"(?:STARTTLS|TLS|encryption)\b.{0,40}\b(?:required|needed|necessary)\b"
        r"|\bmust issue a STARTTLS\b|\brequires? (?:STARTTLS|TLS|encryption)\b"
    ),
    ErrorClass.DOMAIN_SECURITY: r"disallowed this secure domain\b",
    ErrorClass.TLS_FAILED: r"security status\b|\bTLS (?:negotiation|handshake) .{0,40}\bfail",
    ErrorClass.RELAY_REFUSED: (
        r"unable to relay\b|\brelay(?:ing)? (?:access )?(?:is )?(?:denied|prohibited)\b"
        r"|\b(?:do(?:es)? not|not permitted to|cannot) relay\b"
    ),
    ErrorClass.AUTHENTICATION: (
        r"authentication (?:fail|required)|\bexchange server authentication\b"
        r"|\bclient was not authenticated\b"
    ),
}
_BY_TEXT = tuple((kind, re.compile(rf"(?i)\b{words}")) for kind, words in _CLASSES.items())
_BY_CODE = {
    "4.62": ErrorClass.WRONG_REGION,
    "7.10": ErrorClass.TLS_REQUIRED,
    "7.54": ErrorClass.RELAY_REFUSED,
    "7.64": ErrorClass.RELAY_REFUSED,
}


def parse_reply(
    text: str, *, origin: Origin = Origin.FAR_SERVER, source: str = ""
) -> SmtpError | None:
    """Return a reply of class 4 or 5 as an error; None for any other text.

    Several lines that were joined (``550-5.7.26 ... 550 5.7.26 ...``) make one text.
    """
    line = text.strip()[:MAX_LINE]
    match = _REPLY.fullmatch(line)
    if match is None or match[1][0] not in "45":
        return None
    rest = (match[3] or "").strip()
    enhanced = _ENHANCED.fullmatch(rest)
    if enhanced is not None:
        rest = (enhanced[2] or "").strip()
    if match[2] == "-" or enhanced is not None:
        again = re.escape(enhanced[1]) if enhanced else ""
        rest = re.sub(rf"(?<!\S){match[1]}[ -]{again} *", "", rest)
    known = enhanced[1] if enhanced else None
    return SmtpError(
        text=printable(rest),
        error_class=_class_of_reply(known, rest),
        origin=origin,
        code=int(match[1]),
        enhanced=known,
        line=printable(line),
        source=source,
    )


def _class_of_reply(enhanced: str | None, text: str) -> ErrorClass:
    by_code = _BY_CODE.get((enhanced or "").partition(".")[2])
    if by_code is not None:
        return by_code
    by_text = (kind for kind, words in _BY_TEXT if words.search(text))
    return next(by_text, ErrorClass.REFUSED)


def parse_last_error(
    value: object, *, source: str = "", own: Collection[str] = ()
) -> SmtpError | None:
    """Return a last error, or None where ``value`` is empty.

    ``own`` are names and addresses of the organisation's own servers: none of them is the far side.
    """
    whole = " ".join(str(value or "").split())[: 2 * MAX_LINE]
    if not whole:
        return None
    fields = _fields(whole)
    line = fields["LED"]
    inner, proxied = _without_front_end(line)
    reply = _reply_in(inner)
    if reply is not None and not _is_own(reply):
        error = reply
    else:
        error = _own_error(line, inner, proxied=proxied)
    host_name, address = (None, None) if proxied else (fields["FQDN"] or None, fields["IP"])
    if host_name and _address(host_name):  # a smart host that is named by its address
        host_name = None
    known = _address(address or "") or _endpoint(inner)
    if known is None and error.far_reply is None:
        known = address_in(inner)  # a server that refuses names the address of its client
    own = {name.casefold() for name in own}
    winsock = _WINSOCK.search(inner)
    return replace(
        error,
        address=None if known in own else known,
        host_name=None if host_name and host_name.casefold() in own else host_name,
        time=fields["LRT"] or None,
        winsock=int(winsock[1]) if winsock else None,
        line=printable(line),
        source=source,
    )


def _fields(text: str) -> dict[str, str]:
    """Return the fields of a framed error; a plain text is the field LED.

    The fields after LED are parsed from the end, so that no reply can add fields of its own.
    """
    fields = dict.fromkeys(("LRT", "LED", "MSG", "FQDN", "IP"), "")
    if not (text.startswith("[{") and "{LED=" in text):
        return fields | {"LED": printable(text, MAX_LINE)}
    rest = text[1:].removesuffix("]")
    names = ["LRT", "IP", "FQDN", "MSG"]
    if rest.startswith("{LRT="):  # 2013
        names = ["IP", "FQDN"]
        time, _mark, rest = rest.removeprefix("{LRT=").partition("{LED=")
        fields["LRT"] = _content(time)
    else:
        rest = rest.partition("{LED=")[2]
    for name in names:
        before, mark, value = rest.rpartition(f"{{{name}=")
        if mark:
            rest, fields[name] = before, _content(value)
    return fields | {"LED": _content(rest)}


def _content(text: str) -> str:
    return printable(text.strip("; ").removesuffix("}").strip(), MAX_LINE)


def _without_front_end(line: str) -> tuple[str, bool]:
    """Return what a front end reported in its turn, and whether there is one."""
    proxy = _PROXY.match(line)
    if proxy is None:
        return line, False
    inner = line[proxy.end() :]
    return inner.rpartition("'")[0] or inner, True


def _reply_in(line: str) -> SmtpError | None:
    """Return the reply that a line quotes, or is."""
    arrow = _ARROW.match(line)
    if arrow is not None:
        return parse_reply(line[arrow.end() :])
    quote = _QUOTE.match(line)
    if quote is None:
        return parse_reply(line)
    end = line.rfind(_FAILOVER, quote.end())
    if end < 0:
        end = line.rfind('"', quote.end())
    return parse_reply(line[quote.end() : end if end >= 0 else len(line)])


def _is_own(reply: SmtpError) -> bool:
    """True if the sender itself wrote the reply in the place of the next hop's."""
    return bool(
        _OWN_CODES.match(reply.enhanced or "")
        or _OWN_TEXT.match(reply.text)
        or _OWN_COMPONENT.search(reply.text)
        or _NO_ROUTE.search(reply.text)
        or (_NO_ANSWER.search(reply.text) and reply.enhanced in {None, "4.2.1"})
    )


def _own_error(line: str, inner: str, *, proxied: bool) -> SmtpError:
    """Return the error that this side reports itself, by the words at the end of the chain."""
    found = next((kind for kind, words in _OWN_CLASSES if words.search(inner)), None)
    if found is None:
        cause = _reply_in(inner)
        found = cause.error_class if cause is not None else ErrorClass.OTHER
        found = ErrorClass.OTHER if found is ErrorClass.REFUSED else found
    if found is ErrorClass.OTHER and proxied:
        found = ErrorClass.FRONT_END_PROXY
    origin = Origin.FRONT_END if proxied else Origin.THIS_HOST
    outer = parse_reply(line)
    if outer is None:
        return SmtpError(text=printable(line), error_class=found, origin=origin)
    return replace(outer, error_class=found, origin=origin)


def _endpoint(line: str) -> str | None:
    """Return the address of ``ADDRESS:PORT``, also of IPv6 without brackets."""
    _before, mark, rest = line.rpartition(_ENDPOINT)
    host = (rest.split() or [""])[0].rstrip(".,\"'") if mark else ""
    return _address(host.rpartition(":")[0]) or _address(host)


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text.strip().strip("[]")))
    except ValueError:
        return None


def address_in(text: str) -> str | None:
    """Return the first IPv4 address in a text, or None."""
    return next(filter(None, (_address(match[0]) for match in _IPV4.finditer(text))), None)


def printable(text: str, most: int = MAX_TEXT) -> str:
    """Return text fit for a terminal: control characters are dropped, the length is bounded."""
    return "".join(char for char in text if char.isprintable())[:most]
