# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts that a queue's LastError holds, by version.

Exchange 2010 shows the plain SMTP text (KB4051498); later versions put it into
``[{LRT=last retry};{LED=text};{FQDN=target};{IP=address}]``, as published answers show. The text
for a failed DNS query is that of "451 4.4.0 DNS query failed Exchange Server error in message
queue".
"""

from __future__ import annotations

from datetime import UTC, datetime

from .versions import Family

_FAILOVER = (
    "Attempted failover to alternate host, but that did not succeed. Either there are no alternate "
    "hosts, or delivery failed to all alternate hosts."
)


def dns_failed(family: Family, domain: str) -> str:
    """DNS gave no usable answer for the domain."""
    if family < Family.E2013:
        return "451 4.4.0 DNS query failed"
    text = "451 4.4.0 DNS query failed. The error was: DNS query failed with error ErrorRetry"
    return _wrapped(text, domain, "")


def no_contact(
    family: Family, said: str, *, refused: bool, host: str, address: str, port: int
) -> str:
    """No host could be talked to: ``said`` is what the last one answered, or the socket's error."""
    if family < Family.E2013:
        said = "421 4.2.1 Unable to connect" if refused else said
        return f'451 4.4.0 Primary target IP address responded with: "{said}." {_FAILOVER}'
    if refused:
        start = (
            "441 4.4.1 Error encountered while communicating with primary target IP address: "
            f'"{said}"'
        )
    else:
        start = f'451 4.4.0 Primary target IP address responded with: "{said}"'
    shown = f"[{address}]" if ":" in address else address
    text = f"{start} {_FAILOVER} The last endpoint attempted was {shown}:{port}"
    return _wrapped(text, host, address)


def replied(family: Family, reply: str, host: str, address: str) -> str:
    """The far server's own words on a recipient."""
    return reply if family < Family.E2013 else _wrapped(reply, host, address)


def us_time(moment: datetime) -> str:
    """A time in the short form of the United States, as the LastError has it."""
    clock = moment.strftime("%I:%M:%S %p").lstrip("0")
    return f"{moment.month}/{moment.day}/{moment.year} {clock}"


def _wrapped(text: str, host: str, address: str) -> str:
    now = us_time(datetime.now(UTC))
    return f"[{{LRT={now}}};{{LED={text}}};{{FQDN={host}}};{{IP={address}}}]"
