# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connector's object in the directory: the delivery route table and what the service needs.

imccopy reads and writes the table as text (Q182522, Q262126). The service is stricter: it parses
every row when it starts and refuses to start on a row it does not understand (event 4056).
"""

from __future__ import annotations

import ipaddress
import re
import threading
from dataclasses import dataclass, field

_HOST = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*"
)
_ROW_PARTS = 3


class FormatError(Exception):
    """The text is not what imccopy writes; the message names the line."""


class RouteError(Exception):
    """The service cannot parse a row; ``route`` is what event 4056 calls it."""

    def __init__(self, route: str) -> None:
        super().__init__(f"Unable to parse the delivery route {route}.")
        self.route = route


@dataclass(frozen=True, slots=True)
class Route:
    """A row as the service understands it; nobody documented what the flag means.

    ``domain`` takes its subdomains too (Q259531), but for ``#domain``, which is this name alone
    (Q169683, of the Routing tab). ``target`` is a host by name or address, several by commas
    (Q279323, of *Forward all messages to host*), or nothing for *use DNS* (Q164457). That the table
    takes what these articles say of other fields, and the form of the last, are the lab's
    assumption.
    """

    domain: str
    target: str
    flag: int

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of the target; none where DNS is asked."""
        return tuple(host.strip() for host in self.target.split(",") if host.strip())

    def rank(self, domain: str, *, by_ends: bool = False) -> int:
        """How well the row covers a domain; -1 where it does not. ``by_ends`` is 4.0 (Q164457)."""
        wanted, mine = domain.casefold(), self.domain.removeprefix("#")
        if wanted == mine:
            return 2 * len(mine) + (2 if self.domain.startswith("#") else 1)
        if self.domain.startswith("#"):
            return -1
        covered = wanted.endswith(mine if by_ends else f".{mine}")
        return 2 * len(mine) if covered else -1


def parse_route(row: str) -> Route:
    """Parse ``domain;host or address;flag`` as the service does at its start."""
    parts = row.split(";")
    name = parts[0] or row
    if len(parts) != _ROW_PARTS or not parts[2].isdecimal():
        raise RouteError(name)
    if not _HOST.fullmatch(parts[0].removeprefix("#")):
        raise RouteError(name)
    route = Route(parts[0].casefold(), parts[1], int(parts[2]))
    if not all(_is_target(host) for host in route.hosts):
        raise RouteError(name)
    return route


def _is_target(text: str) -> bool:
    if re.fullmatch(r"[0-9.]+", text):
        try:
            ipaddress.IPv4Address(text)
        except ValueError:
            return False
        return True
    return _HOST.fullmatch(text.removesuffix(".")) is not None


@dataclass(slots=True)
class Entry:
    """``key=value``; a value ``+`` is continued by lines that start with ``+``."""

    key: str
    value: str
    more: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the entry as imccopy writes it."""
        if self.more:
            return [f"{self.key}=+", *(f"+{row}" for row in self.more)]
        return [f"{self.key}={'' if self.value == '+' else self.value}"]


@dataclass(slots=True)
class Section:
    """``[name]`` and its entries."""

    name: str
    entries: list[Entry] = field(default_factory=list)

    def entry(self, key: str) -> Entry | None:
        """Return an entry by its key, without regard to case."""
        return next((e for e in self.entries if e.key.casefold() == key.casefold()), None)


def parse_saved(data: bytes) -> list[Section]:
    """Parse a file in imccopy's format; bytes of any code page survive. Raises FormatError."""
    sections: list[Section] = []
    for number, line in enumerate(data.decode("latin-1").replace("\r\n", "\n").split("\n"), 1):
        if "\0" in line:
            raise FormatError(f"line {number}: not a text file")
        if line.strip():
            _take_line(sections, line, number)
    _check_form(sections)
    return sections


def _take_line(sections: list[Section], line: str, number: int) -> None:
    if heading := re.fullmatch(r"\[([^\]]+)\]\s*", line):
        sections.append(Section(heading[1]))
        return
    entries = sections[-1].entries if sections else None
    if line.startswith("+") and entries and entries[-1].value == "+":
        entries[-1].more.append(line[1:])
        return
    key, sign, value = line.partition("=")
    if entries is None or not sign or not key or key.startswith("+"):
        raise FormatError(f"line {number}: neither a section nor an entry")
    entries.append(Entry(key, value))


def _check_form(sections: list[Section]) -> None:
    header = sections[0] if sections else Section("")
    version = header.entry("Version")
    if header.name.casefold() != "header" or version is None or version.value.strip() != "1":
        raise FormatError("line 1: no header of version 1")
    routes = next((s for s in sections if s.name.casefold() == "routes"), None)
    if routes is None or routes.entry("DeliveryRouting") is None:
        raise FormatError("there is no DeliveryRouting in a section Routes")


def render_saved(sections: list[Section]) -> bytes:
    """Return the file imccopy writes: CRLF, an empty line between sections."""
    blocks = [
        [f"[{section.name}]", *(line for entry in section.entries for line in entry.lines())]
        for section in sections
    ]
    text = "\n\n".join("\n".join(block) for block in blocks) + "\n"
    return text.replace("\n", "\r\n").encode("latin-1")


class Connector:
    """The directory object. Thread-safe; changes count for the service at its next start.

    ``extra`` is text of further sections that belong to somebody else and are saved and restored
    with the table. ``tracking`` and ``diagnostics`` are the administrator's check box and the level
    of the SMTP protocol log (0, 1, 3 or 5, Q154505); ``arrows`` is the other form of that log
    (Q245787). ``relay`` are the hosts of *Forward all messages to host*, separated by commas; that
    the saved file has them as DefaultRouting is the lab's assumption.
    """

    def __init__(
        self,
        rows: tuple[str, ...] = (),
        *,
        extra: str = "",
        tracking: bool = True,
        diagnostics: int = 0,
        relay: str = "",
        arrows: bool = False,
    ) -> None:
        self.tracking = tracking
        self.diagnostics = diagnostics
        self.arrows = arrows
        self._lock = threading.Lock()
        table = "".join(f"+{row}\n" for row in rows)
        self._sections = parse_saved(
            f"[Header]\nVersion=1\n[Routes]\nDeliveryRouting=+\n{table}DefaultRouting={relay}\n{extra}".encode(
                "latin-1"
            )
        )

    def save(self) -> bytes:
        """Return the text of ``imccopy -save routes``."""
        with self._lock:
            return render_saved(self._sections)

    def restore(self, data: bytes) -> None:
        """Replace the table by a saved file; raises FormatError and changes nothing on garbage."""
        sections = parse_saved(data)
        with self._lock:
            self._sections = sections

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows of the delivery route table as they are stored."""
        entry = self._routes_entry("DeliveryRouting")
        return tuple(entry.more) if entry else ()

    @property
    def relay(self) -> str:
        """The hosts that everything else is forwarded to; empty where DNS is asked."""
        entry = self._routes_entry("DefaultRouting")
        return entry.value.strip() if entry else ""

    def _routes_entry(self, key: str) -> Entry | None:
        with self._lock:
            section = next(s for s in self._sections if s.name.casefold() == "routes")
            return section.entry(key)
