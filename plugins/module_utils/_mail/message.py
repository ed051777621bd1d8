# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test message: one for each domain, recognisable among all other mail.

All messages of a run share a random part in their Message-ID, so that one search string finds every
trace of the run in a log, and no other line does.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from .._base.errors import InvalidInput

#: Who sends, and who gets a message where no recipient is named: a mailbox every mail domain has to
#: have (RFC 5321 section 4.5.1).
DEFAULT_LOCAL_PART = "postmaster"
#: Longest subject, in characters.
MAX_SUBJECT = 200
#: Octets of UTF-8 in one encoded word: three characters each and the frame stay below the 75
#: characters of RFC 2047 section 2.
_ENCODED_WORD_OCTETS = 20

_BODY = (
    "This is an automatic delivery test. The administrators of the sender's mail",
    "system sent it to see that mail to your domain arrives.",
    "",
    "No answer is needed, and the message can be deleted.",
)


@dataclass(frozen=True, slots=True)
class Target:
    """A domain to test and the mailbox there that gets the message.

    ``addresses`` are those of the domain's own mail servers, as far as they are known. ``relay`` is
    the host that the domain's mail is known to go through.
    """

    domain: str
    recipient: str
    addresses: frozenset[str] = frozenset()
    relay: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """One test message. ``tag`` is the random part of its Message-ID, letters and digits.

    ``addresses`` and ``relay`` are those of its target.
    """

    domain: str
    recipient: str
    sender: str
    subject: str
    date: datetime
    tag: str
    message_id: str
    addresses: frozenset[str] = frozenset()
    relay: str = ""


def new_run_tag() -> str:
    """Return the random part that all Message-IDs of one run share."""
    return f"delivery-test-{secrets.token_hex(12)}"


def compose(
    targets: Sequence[Target], *, sender: str, subject: str, now: datetime, run_tag: str
) -> list[Probe]:
    """Return the test messages of a run, in the order of the targets.

    The right-hand side of the Message-ID is the sender's domain, which the sender may use
    (RFC 5322 section 3.6.4). Raises InvalidInput for a subject of several lines.
    """
    if len(subject) > MAX_SUBJECT or not subject.isprintable():
        raise InvalidInput(
            f"The subject must be one line of at most {MAX_SUBJECT} printable characters."
        )
    domain = sender.rpartition("@")[2]
    return [
        Probe(
            domain=target.domain,
            recipient=target.recipient,
            sender=sender,
            subject=subject,
            date=now,
            tag=(tag := f"{run_tag}-{number:04d}"),
            message_id=f"<{tag}@{domain}>",
            addresses=target.addresses,
            relay=target.relay,
        )
        for number, target in enumerate(targets, 1)
    ]


def message_lines(probe: Probe) -> list[str]:
    """Return the message as lines of ASCII without their ends (RFC 5322)."""
    return [
        f"From: {probe.sender}",
        f"To: {probe.recipient}",
        *_subject_lines(probe.subject),
        f"Date: {format_datetime(probe.date)}",
        f"Message-ID: {probe.message_id}",
        "Auto-Submitted: auto-generated",  # RFC 3834: no robot answers it
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        *_BODY,
    ]


def message_bytes(probe: Probe) -> bytes:
    """Return the message as it goes over SMTP: ASCII with CRLF."""
    return "".join(f"{line}\r\n" for line in message_lines(probe)).encode("ascii")


def _subject_lines(subject: str) -> list[str]:
    """Return the Subject header, with RFC 2047 encoded words where it is more than plain text.

    Plain means what a command line can carry too, since one way of sending goes through one. That
    is also why the words are in Q encoding: a "/?" that base64 can end in is a switch there.
    """
    if all(char.isascii() and (char.isalnum() or char in " .,:;/_+=@()'#-") for char in subject):
        return [f"Subject: {subject}".rstrip()]
    words = [f"=?utf-8?Q?{_q_encoded(piece)}?=" for piece in _utf8_pieces(subject)]
    return [f"Subject: {words[0]}", *(f" {word}" for word in words[1:])]


def _q_encoded(text: str) -> str:
    octets = text.encode("utf-8", "replace")
    return "".join(
        chr(octet) if chr(octet).isascii() and chr(octet).isalnum() else f"={octet:02X}"
        for octet in octets
    )


def _utf8_pieces(text: str) -> list[str]:
    """Cut text into pieces of at most 20 octets of UTF-8, never inside a character."""
    pieces: list[str] = []
    piece, size = "", 0
    for char in text:
        octets = len(char.encode("utf-8", "replace"))
        if size + octets > _ENCODED_WORD_OCTETS:
            pieces.append(piece)
            piece, size = "", 0
        piece += char
        size += octets
    return [*pieces, piece]
