# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The header of a waiting message: whom it is for, and since when it waits. Hostile text.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .._mail.addresses import domains_in_header

#: Bytes of a message that its header is looked for in, and header fields that are looked at.
MAX_HEADER, MAX_FIELDS = 65_536, 1_000
#: Domains kept of one message.
MAX_DOMAINS = 200

#: The envelope, where it stands ahead of the message (KB Q201314); it is more than a header.
_ENVELOPE = ("x-receiver",)
_RECIPIENTS = ("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc")


@dataclass(frozen=True, slots=True)
class MessageHead:
    """``domains`` are the recipients' in order, each once; ``date`` is the header's, in UTC."""

    domains: tuple[str, ...]
    date: datetime | None


def parse_head(data: bytes) -> MessageHead:
    """Return what the header of a message tells. Never raises."""
    fields = _fields(data[:MAX_HEADER].decode("utf-8", "replace"))
    envelope = [value for name, value in fields if name in _ENVELOPE]
    named = envelope or [value for name, value in fields if name in _RECIPIENTS]
    domains: dict[str, None] = {}
    for value in named:
        for domain in domains_in_header(value):
            domains.setdefault(domain)
            if len(domains) >= MAX_DOMAINS:
                break
    date = next((value for name, value in fields if name == "date"), "")
    return MessageHead(tuple(domains)[:MAX_DOMAINS], _parse_date(date))


def _fields(text: str) -> list[tuple[str, str]]:
    """Return the header fields with lower-case names, folded lines joined (RFC 5322 2.2.3)."""
    fields: list[tuple[str, list[str]]] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line:
            break
        if line[0] in " \t":
            if fields:
                fields[-1][1].append(line)
            continue
        name, colon, value = line.partition(":")
        if colon and len(fields) < MAX_FIELDS:
            fields.append((name.strip().lower(), [value]))
    return [(name, "".join(parts)) for name, parts in fields]


def _parse_date(text: str) -> datetime | None:
    if len(text) > 100:  # noqa: PLR2004 - longer than any date with a comment
        return None
    try:
        when = parsedate_to_datetime(text.strip())
        return (when.replace(tzinfo=UTC) if when.tzinfo is None else when).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
