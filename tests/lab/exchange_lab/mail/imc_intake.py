# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages on their way into the IMC: completed headers, files of the Pickup folder (Q201314)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import Message as Parsed
from email.utils import format_datetime, getaddresses

from ..windows.errors import WinError
from ..windows.filesystem import FileSystem

_ENVELOPE_LINE = re.compile(rb"(?i)x-(sender|receiver):[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file of the Pickup folder, understood."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


def crlf(content: bytes) -> bytes:
    """Return the content with every line ended by CRLF."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", content)


def headers_of(content: bytes) -> Parsed:
    """Parse the headers; a hostile message is no error, it only has fewer of them."""
    return message_from_bytes(content, policy=policy.compat32)


def complete(content: bytes, message_id: str, now: datetime) -> bytes:
    """Return the content with CRLF lines and with Message-ID and Date where they are missing."""
    content = crlf(content)
    headers = headers_of(content)
    added = b""
    if not headers.get("Message-ID"):
        added += f"Message-ID: {message_id}\r\n".encode("ascii")
    if not headers.get("Date"):
        added += f"Date: {format_datetime(now.astimezone(UTC))}\r\n".encode("ascii")
    return added + content


def parse_dropped(data: bytes) -> Dropped:
    """Take the envelope from X-Sender and X-Receiver, else from Sender or From, and To.

    Raises ValueError when there is no sender or no recipient.
    """
    senders: list[str] = []
    receivers: list[str] = []
    rest = crlf(data)
    while match := _ENVELOPE_LINE.match(rest.split(b"\r\n", 1)[0]):
        found = senders if match[1].lower() == b"sender" else receivers
        found.append(match[2].decode("latin-1").strip().strip("<>"))
        rest = rest.partition(b"\r\n")[2]
    headers = headers_of(rest)
    senders = senders or _addresses(headers, "Sender") or _addresses(headers, "From")
    receivers = receivers or _addresses(headers, "To")
    if not senders or not receivers:
        raise ValueError("neither the envelope lines nor the headers name sender and recipient")
    return Dropped(senders[0], tuple(receivers), rest)


def _addresses(headers: Parsed, name: str) -> list[str]:
    values = [str(value) for value in headers.get_all(name, [])]
    return [address for _skipped, address in getaddresses(values) if "@" in address]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the event log is to say of a file."""

    event: int
    text: str


CANNOT_PARSE = 4164
CANNOT_DELETE = 4165
"""Q201314 says that an event is logged, not which: the number is the lab's."""
_NOT_PARSED = (
    "The file {} in the Pickup directory could not be parsed to get the originator and recipients "
    "due to error 0x80004005. It either contains no recipients, or it is not a valid 822 message. "
    "It will be moved to the Archive directory."
)


class PickupFolder:
    """``RootDir\\Pickup``. A file that the service may not delete is never sent."""

    def __init__(self, files: FileSystem, folder: str) -> None:
        self._files = files
        self._folder = folder
        self._archive = folder + r"\Archive"
        self._complained: set[str] = set()

    def prepare(self) -> bool:
        """Make the folders, as the service does at its start; False switches Pickup off."""
        try:
            for folder in (self._folder, self._archive):
                if not self._files.is_dir(folder):
                    self._files.mkdir(folder)
        except WinError:
            return False
        return True

    def collect(self) -> tuple[list[Dropped], list[Complaint]]:
        """Take the files out of the folder; return the messages and new complaints."""
        messages: list[Dropped] = []
        complaints: list[Complaint] = []
        for name in self._names():
            path = f"{self._folder}\\{name}"
            try:
                message = parse_dropped(self._files.read_bytes(path))
                self._files.delete(path)
                messages.append(message)
            except WinError as exc:
                if path not in self._complained:
                    self._complained.add(path)
                    text = f"{path} cannot be deleted and is not sent. {exc}"
                    complaints.append(Complaint(CANNOT_DELETE, text))
            except ValueError:
                complaints.append(Complaint(CANNOT_PARSE, _NOT_PARSED.format(name)))
                self._files.move(path, f"{self._archive}\\{name}")
        return messages, complaints

    def _names(self) -> list[str]:
        try:
            names = self._files.listdir(self._folder)
        except WinError:
            return []
        return [name for name in names if self._files.is_file(f"{self._folder}\\{name}")]
