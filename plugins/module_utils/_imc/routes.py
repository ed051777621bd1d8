# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes file of imccopy: parse and print it without loss, and check if it can be written.

Format as documented in Q182522 and Q262126::

    [Header]
    Version=1

    [Routes]
    DeliveryRouting=+
    +DOMAIN.COM;192.0.2.10;0
    DefaultRouting=

A ``+`` after ``=`` announces continuation lines that each start with ``+``. Everything beyond that
is unknown, so it is kept: other sections and keys, flags, spellings, order, line ends.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import ne

from .._base.errors import ExchangeError
from .._remote.commands import is_safe_line

_CRLF = "\r\n"
_SECTION = re.compile(r"\s*\[(?P<name>[^\]]*)\]\s*\Z")
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
_FIELDS = 3  # domain;host or address;flag

_LONGEST_LINE = 7_000  # a command line holds 8,191 characters, and has to name the file, too

#: The flag of every documented row (Q182522); what other flags mean is unknown.
NEW_ROW_FLAG = "0"


class NotARoutesFile(ExchangeError):  # noqa: N818 - reads as what it is
    """A file of imccopy in an undocumented format: it must not be changed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its text and the line end as found (empty at the end of a file without one)."""

    text: str
    end: str = _CRLF


@dataclass(frozen=True, slots=True)
class Row:
    """One row of DeliveryRouting; ``line`` is the line of the file, ``+`` included."""

    line: Line
    _fields: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fields = (part.strip() for part in self.raw.split(";", _FIELDS - 1))
        object.__setattr__(self, "_fields", tuple(fields))

    @property
    def raw(self) -> str:
        """The row as written, without its leading ``+``."""
        return self.line.text[1:]

    def _field(self, number: int) -> str:
        return self._fields[number] if number < len(self._fields) else ""

    @property
    def domain(self) -> str:
        """The domain as written."""
        return self._field(0)

    @property
    def target(self) -> str:
        """The hosts or address as written; empty when the row has none, which asks DNS."""
        return self._field(1)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of the target, which commas separate (Q279323); none where DNS is asked."""
        return tuple(host.strip() for host in self.target.split(",") if host.strip())

    @property
    def leads_to_addresses(self) -> bool:
        """True if every host of the row is an address."""
        return all(_ADDRESS.fullmatch(host) for host in self.hosts)

    @property
    def flag(self) -> str:
        """The text after the address, as written."""
        return self._field(2)

    @property
    def key(self) -> str:
        """The domain as it is compared: names are matched without case."""
        return self.domain.lower()

    @property
    def well_formed(self) -> bool:
        """Whether this is ``domain;target;flag``; without a target, it asks DNS (Q164457)."""
        fields = self._fields
        if len(fields) != _FIELDS or ";" in fields[-1]:
            return False
        return bool(fields[0] and fields[-1])

    def as_dict(self) -> dict[str, str]:
        """Return the row as a result shows it."""
        if not self.well_formed:
            return {"raw": self.raw}
        return {"domain": self.domain, "address": self.target, "flag": self.flag}

    def same_as(self, other: Row) -> bool:
        """True for equal rows, however the domain is spelled."""
        if self.line.text == other.line.text:
            return True
        if self.well_formed and other.well_formed:
            return (self.key, self.target, self.flag) == (other.key, other.target, other.flag)
        return self.raw == other.raw


def new_row(domain: str, target: str) -> Row:
    """Return a row that was not there before."""
    return Row(Line(f"+{domain};{target};{NEW_ROW_FLAG}"))


def as_text(rows: Iterable[Row]) -> str:
    """Return rows as one text, a row a line; ``from_text`` reads it."""
    return "".join(f"{row.raw}\n" for row in rows)


def from_text(text: str) -> list[Row]:
    """Return the rows of a text."""
    return [Row(Line(f"+{line}")) for line in text.split("\n")[:-1]]


def moved(before: Sequence[Row], after: Sequence[Row]) -> dict[str, int]:
    """Return how many rows of each domain change, without domains that stay the same.

    A row that leads elsewhere counts once, and so does each row that moves within its domain's
    order. Domains come in the order of the table, removed ones first.
    """
    changed = {}
    old, new = _by_domain(before), _by_domain(after)
    for domain in dict.fromkeys((*old, *new)):
        was, will = old.get(domain, []), new.get(domain, [])
        lost, gained = Counter(was) - Counter(will), Counter(will) - Counter(was)
        count = max(lost.total(), gained.total()) or sum(map(ne, was, will))
        if count:
            changed[domain] = count
    return changed


def _by_domain(rows: Sequence[Row]) -> dict[str, list[tuple[str, ...]]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for row in rows:
        said = (row.target, row.flag) if row.well_formed else (row.raw,)
        found.setdefault(row.key, []).append(said)
    return found


@dataclass(frozen=True, slots=True)
class RoutesFile:
    """A routes file in three parts: what precedes the table, its rows, and what follows.

    ``before`` ends with the line of the key DeliveryRouting. ``utf16`` is true if the bytes
    were UTF-16 with a byte order mark; otherwise every character is one byte.
    """

    before: tuple[Line, ...]
    rows: tuple[Row, ...]
    after: tuple[Line, ...]
    utf16: bool = False

    @classmethod
    def parse(cls, content: bytes) -> RoutesFile:
        """Parse the bytes of a routes file; raises NotARoutesFile with the reason."""
        utf16 = content.startswith(codecs.BOM_UTF16_LE)
        lines = _split(_text(content, utf16))
        start = _find_table(lines)
        rows: list[Row] = []
        if _value(lines[start]).strip() == "+":
            for line in lines[start + 1 :]:
                if not line.text.startswith("+"):
                    break
                rows.append(Row(line))
        after = lines[start + 1 + len(rows) :]
        if after and after[0].text.startswith("+"):
            # Whether they count is unknown, and they would from the first row that we add.
            raise NotARoutesFile(f"line {start + 2} continues a table that is not announced")
        if not any(_key(line) == "defaultrouting" for line in after):
            # It follows the table in every documented file; without it, rows may be missing too.
            raise NotARoutesFile("it breaks off: the key DefaultRouting does not follow the table")
        return cls(tuple(lines[: start + 1]), tuple(rows), tuple(after), utf16)

    @property
    def relay(self) -> str:
        """The hosts of DefaultRouting, to which all other mail is forwarded."""
        keys = [_key(line) for line in self.after]
        start = keys.index("defaultrouting")
        value = _value(self.after[start]).strip()
        if value != "+":
            return value
        rows = itertools.takewhile(lambda x: x.text.startswith("+"), self.after[start + 1 :])
        return ", ".join(line.text[1:].strip() for line in rows)

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines in their order."""
        return (*self.before, *(row.line for row in self.rows), *self.after)

    def render(self) -> bytes:
        """Return the bytes of the file: of an unchanged file, exactly those it was parsed from."""
        text = "".join(line.text + line.end for line in self.lines)
        if self.utf16:
            return codecs.BOM_UTF16_LE + text.encode("utf-16-le")
        return text.encode("latin-1")

    def with_rows(self, rows: Sequence[Row]) -> RoutesFile:
        """Return this file with other rows; everything else stays as it is."""
        if tuple(rows) == self.rows:
            return self
        key = self.before[-1]
        if bool(rows) != bool(self.rows):
            name = key.text[: key.text.index("=")]
            key = replace(key, text=f"{name}={'+' if rows else ''}")
        before = (*map(_ended, self.before[:-1]), _ended(key))
        return replace(self, before=before, rows=tuple(Row(_ended(row.line)) for row in rows))

    def same_as(self, other: RoutesFile) -> bool:
        """True for files with the same content.

        Spelling of domains and the end of the last line may differ: what a tool that reads and
        prints the table does to them is unknown.
        """

        def texts(lines: tuple[Line, ...]) -> list[str]:
            return [line.text for line in lines]

        return (
            texts(self.before) == texts(other.before)
            and texts(self.after) == texts(other.after)
            and len(self.rows) == len(other.rows)
            and all(map(Row.same_as, self.rows, other.rows))
        )


def why_unwritable(file: RoutesFile, saved: RoutesFile) -> str:
    """Return why ``echo`` cannot write a file byte for byte, naming the line; or nothing.

    The line is numbered as in ``saved``, which the administrator can look at, where it is from
    there. Only the end of the last line does not matter: ``echo`` always writes one.
    """
    if file.utf16:
        return "the route table is saved as UTF-16, and only ANSI text can be written"
    lines = file.lines
    for number, line in enumerate(lines, start=1):
        last = number == len(lines)
        if not line.text.isascii():
            problem = "contains non-ASCII characters in an unknown code page"
        elif not is_safe_line(line.text):
            problem = "contains characters that cmd.exe may interpret"
        elif len(line.text) > _LONGEST_LINE:
            problem = f"is longer than {_LONGEST_LINE} characters"
        elif line.end != _CRLF and not (last and not line.end):
            problem = "does not end in CR LF"
        else:
            continue
        where = saved.lines.index(line) + 1 if line in saved.lines else number
        return f"line {where} of the saved route table {problem}: {line.text[:80]!a}"
    return ""


def _ended(line: Line) -> Line:
    """Give a line end to a line that had none, because it was the last of its file."""
    return line if line.end else replace(line, end=_CRLF)


def _text(content: bytes, utf16: bool) -> str:
    """Decode so that ``render`` gets the same bytes back."""
    if not utf16:
        return content.decode("latin-1")
    try:
        return content[len(codecs.BOM_UTF16_LE) :].decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise NotARoutesFile(f"it starts as UTF-16 and breaks off at byte {error.start}") from error


def _split(text: str) -> list[Line]:
    """Split at line feeds only; a bare carriage return stays inside its line."""
    lines: list[Line] = []
    for piece in text.split("\n"):
        body, end = (piece[:-1], _CRLF) if piece.endswith("\r") else (piece, "\n")
        lines.append(Line(body, end))
    last = text.rsplit("\n", 1)[-1]
    lines.pop()
    if last:
        lines.append(Line(last, ""))
    return lines


def _value(line: Line) -> str:
    """Return what follows the first ``=``."""
    return line.text.partition("=")[2]


def _key(line: Line) -> str:
    """Return the name ahead of the first ``=``, in lower case; empty without one."""
    name, equals, _skipped = line.text.partition("=")
    return name.strip().lower() if equals else ""


def _find_table(lines: Sequence[Line]) -> int:
    """Return the index of the line of DeliveryRouting in section [Routes]."""
    section = ""
    found: list[int] = []
    for index, line in enumerate(lines):
        if header := _SECTION.match(line.text):
            section = header["name"].strip().lower()
        elif section == "routes" and _key(line) == "deliveryrouting":
            found.append(index)
    if not found:
        raise NotARoutesFile("it has no key DeliveryRouting in a section [Routes]")
    if len(found) > 1:
        numbers = " and ".join(str(index + 1) for index in found[:2])
        raise NotARoutesFile(f"it has the key DeliveryRouting more than once (lines {numbers})")
    value = _value(lines[found[0]]).strip()
    if value not in {"", "+"}:
        raise NotARoutesFile(
            f"line {found[0] + 1} has something after DeliveryRouting= that no article documents"
        )
    return found[0]
