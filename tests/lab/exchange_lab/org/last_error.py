# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts that a queue's LastError and the log's RecipientStatus hold, by version.

All forms are those that real servers printed, in posts and in Microsoft's articles: plain text on
2010 (KB4051498, KB979175), ``[{LRT=};{LED=};{FQDN=};{IP=}]`` on 2013, and since 2016
``[{LED=};{MSG=};{FQDN=};{IP=};{LRT=}]`` with arrows ahead of what
the words are about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from .adobject import LOCAL_TIME
from .versions import Family

_FAILOVER = (
    "Attempted failover to alternate host, but that did not succeed. Either there are no alternate "
    "hosts, or delivery failed to all alternate hosts."
)


class Trouble(Enum):
    """Why no host took a queue's mail."""

    REFUSED = "SocketConnectionRefused: Socket error code 10061"
    TIMED_OUT = "SocketTimedout: Socket error code 10060"
    NO_WAY = "SocketError: Failed to connect. Winsock error code: 10065, Win32 error code: 10065"
    RESET = "421 4.4.2 Connection dropped due to ConnectionReset"
    SILENT = "421 4.4.2 Connection dropped due to timeout"
    REPLY = "a reply of the far server"
    CERTIFICATE = "its certificate failed this side's check"


_CONNECTING = (Trouble.REFUSED, Trouble.TIMED_OUT, Trouble.NO_WAY)
_WINSOCK = {Trouble.REFUSED: 10061, Trouble.TIMED_OUT: 10060, Trouble.NO_WAY: 10065}
_OLD_WORDS = {
    Trouble.RESET: "421 4.4.2 Connection dropped due to SocketError",
    Trouble.SILENT: "421 4.4.1 Connection timed out",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where it went wrong: a host by name and address, and its port."""

    host: str
    address: str
    port: int = 25

    @property
    def endpoint(self) -> str:
        """As Exchange writes it: an IPv6 address stands without brackets."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """The server's own front end, through which it sends; it is named instead of the far host."""

    fqdn: str
    address: str


def dns_failed(family: Family, domain: str) -> str:
    """DNS gave no usable answer for the domain."""
    if family < Family.E2013:
        return "451 4.4.0 DNS query failed"
    text = "451 4.4.0 DNS query failed. The error was: DNS query failed with error ErrorRetry"
    return _framed(family, text, domain, "")


def no_contact(
    family: Family, trouble: Trouble, said: str, place: Place, front_end: FrontEnd | None = None
) -> str:
    """No host took the queue's mail; ``said`` is the reply, or the reason of a certificate."""
    if family < Family.E2013:
        return _primary(trouble, said)
    if front_end is not None:
        code = "450 4.7.0" if family < Family.E2016 else "450 4.4.101"
        inner = _at(_primary_of_2013(family, trouble, said), place)
        text = f"{code} Proxy session setup failed on Frontend with '{inner}'"
        return _framed(family, text, front_end.fqdn, front_end.address)
    if family < Family.E2016:
        text = _at(_primary_of_2013(family, trouble, said), place)
        return _framed(family, text, place.host, place.address)
    return _framed(family, _arrows(trouble, said), place.host, place.address)


def insecure(family: Family, place: Place) -> str:
    """Mutual TLS was to be, and could not; the same words on every version."""
    said = "451 4.7.3 The admin has temporarily disallowed this secure domain"
    text = _primary(Trouble.REPLY, said)
    if family < Family.E2013:
        return text
    return _framed(family, _at(text, place), place.host, place.address)


def _primary(trouble: Trouble, said: str) -> str:
    """The words of 2010."""
    if trouble in _CONNECTING:
        said = "421 4.2.1 Unable to connect"
    words = _words(trouble, said)
    return f'451 4.4.0 Primary target IP address responded with: "{words}." {_FAILOVER}'


def _words(trouble: Trouble, said: str) -> str:
    if trouble is Trouble.CERTIFICATE:
        return f"454 4.7.5 Certificate validation failure, reason:{said}"
    return _OLD_WORDS.get(trouble, said)


def _primary_of_2013(family: Family, trouble: Trouble, said: str) -> str:
    if trouble in _CONNECTING:
        code = _WINSOCK[trouble]
        words = f"Failed to connect. Winsock error code: {code}, Win32 error code: {code}."
        return (
            "441 4.4.1 Error encountered while communicating with primary target IP address: "
            f'"{words}" {_FAILOVER}'
        )
    colon = ":" if family < Family.E2016 else ""
    words = _words(trouble, said)
    return f'451 4.4.0 Primary target IP address responded with{colon} "{words}." {_FAILOVER}'


def _at(text: str, place: Place) -> str:
    return f"{text} The last endpoint attempted was {place.endpoint}"


def _arrows(trouble: Trouble, said: str) -> str:
    """The words since 2016."""
    communicating = "451 4.4.397 Error communicating with target host"
    if trouble in _CONNECTING:
        return f"{communicating}. -> 421 4.2.1 Unable to connect -> {trouble.value}"
    if trouble is Trouble.SILENT:
        return f"{communicating} -> {trouble.value}"
    if trouble is Trouble.CERTIFICATE:
        return _words(trouble, said)
    said = trouble.value if trouble is Trouble.RESET else said
    return f"451 4.4.395 Target host responded with error. -> {said}"


def replied(family: Family, reply: str, host: str, address: str) -> str:
    """The far server's own words on a recipient."""
    return reply if family < Family.E2013 else _framed(family, reply, host, address)


def own_words(family: Family, text: str) -> str:
    """What the service itself says of a recipient: framed too, by empty fields."""
    if family < Family.E2013:
        return text
    if family < Family.E2016:
        return f"[{{LRT=}};{{LED={text}}};{{FQDN=}};{{IP=}}]"
    return f"[{{LED={text}}};{{MSG=}};{{FQDN=}};{{IP=}};{{LRT=}}]"


def us_time(moment: datetime) -> str:
    """A time in the short form of the United States, as the LastError has it."""
    clock = moment.strftime("%I:%M:%S %p").lstrip("0")
    return f"{moment.month}/{moment.day}/{moment.year} {clock}"


def _framed(family: Family, text: str, host: str, address: str) -> str:
    now = us_time(datetime.now(UTC).astimezone(LOCAL_TIME))
    if family < Family.E2016:
        return f"[{{LRT={now}}};{{LED={text}}};{{FQDN={host}}};{{IP={address}}}]"
    return f"[{{LED={text}}};{{MSG=}};{{FQDN={host}}};{{IP={address}}};{{LRT={now}}}]"
