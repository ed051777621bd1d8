# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail domains and mailboxes of messages and logs: hostile text, parsed safely.

Nothing here raises, except for what an administrator typed (``checked_mailbox``). Every pattern
runs in time linear in its input.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .._base.errors import InvalidInput
from .._pairs.names import mail_domain, parse_domain, shown

__all__ = ["checked_mailbox", "domain_of", "domains_in_header", "mail_domain"]

#: Longest header value looked at, in characters; the rest of a longer one is ignored.
MAX_HEADER_VALUE = 65_536
#: Longest local part, in characters (RFC 5321 section 4.5.3.1).
MAX_LOCAL_PART = 64

_LOCAL_PART = re.compile(r"[A-Za-z0-9_+=~/-]+(?:\.[A-Za-z0-9_+=~/-]+)*", re.ASCII)
_COMMENT = re.compile(r"\([^()]*\)")


def domain_of(mailbox: str) -> str | None:
    """Return the domain of a mailbox such as ``user@example.com`` or ``SMTP:user@example.com``."""
    _local, at, domain = mailbox.strip().strip("<>").rpartition("@")
    return mail_domain(domain) if at else None


def domains_in_header(value: str) -> Iterator[str]:
    """Yield the domains of the mailboxes of an address header, in order, with repetitions.

    Display names are passed over, so that ``"a@b.example" <c@d.example>`` yields ``d.example``.
    """
    plain = _COMMENT.sub(" ", _without_quoted(value[:MAX_HEADER_VALUE]))
    for part in re.split(r"[,;]", plain):
        before, opened, rest = part.rpartition("<")
        domain = domain_of(rest.partition(">")[0] if opened else before + rest)
        if domain is not None:
            yield domain


def _without_quoted(text: str) -> str:
    """Return text without its quoted strings (RFC 5322 section 3.2.4); an open one runs to the end.

    By hand, since a regular expression for it takes quadratic time on a hostile header.
    """
    kept: list[str] = []
    quoted = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
            kept.append(" ")
        elif not quoted:
            kept.append(char)
    return "".join(kept)


def checked_mailbox(text: str, option: str) -> str:
    """Return an administrator's mailbox, its domain in the one spelling; raise InvalidInput.

    Only the characters of an everyday mailbox are taken (no quoted local part, no ``& % ! ^``): the
    address travels through command lines, logs and search strings.
    """
    local, at, domain = text.strip().rpartition("@")
    if not at or len(local) > MAX_LOCAL_PART or _LOCAL_PART.fullmatch(local) is None:
        raise InvalidInput(
            f"{shown(text)} in the option {option} is not a mailbox that the test can use.",
            hint="Give a plain address such as postmaster@nestle.com.",
        )
    return f"{local}@{parse_domain(domain)}"


#: Bytes of a message that are searched for its header, and header fields that are read.
MAX_HEADER, MAX_FIELDS = 65_536, 1_000
#: Domains kept of one message.
MAX_DOMAINS = 200

#: The envelope, where one precedes the message (KB Q201314); it outranks the other headers.
_ENVELOPE = ("x-receiver",)
_RECIPIENTS = ("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc")


@dataclass(frozen=True, slots=True)
class MessageHead:
    """``domains`` are the recipients' in order, each once; ``date`` is the header's, in UTC."""

    domains: tuple[str, ...]
    date: datetime | None


def parse_head(data: bytes) -> MessageHead:
    """Read the header of a message. Never raises."""
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
