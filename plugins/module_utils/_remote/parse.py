# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what Windows commands print: hostile bytes in, plain values out, never an exception.

Words are translated on a Windows in another language; so only numbers, layout and names that are
part of the registry itself are read.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass

_KEY_LINE = re.compile(r"(?:\\\\[^\\]+\\)?HKEY_[A-Z_]+(?:\\.*)?")
# reg.exe divides the columns by four spaces; that of the NT resource kit and of XP by a tab.
_VALUE_LINE = re.compile(
    r"(?:    |\t)(?P<name>.*?)(?:    |\t)(?P<type>REG_[A-Z_]+)(?:(?:    |\t)(?P<data>.*))?"
)
_SC_NUMBER = re.compile(r"[ \t]+[^ \t:][^:]*:[ \t]*(?P<number>[0-9A-Fa-f]{1,8})\b")
_SC_STATES = range(1, 8)
_SC_FIELD = re.compile(r"[ \t]+[^ \t:(][^:]*:(?P<text>.*)")
_SC_PROCESS = 6  # after type, state, two exit codes, checkpoint, wait hint
_HIVE_NAMES = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKU": "HKEY_USERS",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
}
_NUMBER_DATA = re.compile(r"0x([0-9A-Fa-f]{1,16})|([0-9]{1,20})")


@dataclass(frozen=True, slots=True)
class RegistryValue:
    """A registry value as ``reg query`` shows it: name as stored, type, data as text."""

    name: str
    type: str
    data: str

    @property
    def number(self) -> int | None:
        """The data of a REG_DWORD or REG_QWORD; None for other types, or for nonsense."""
        if self.type not in {"REG_DWORD", "REG_QWORD"}:
            return None
        found = _NUMBER_DATA.fullmatch(self.data.strip())
        if not found:
            return None
        return int(found[1], 16) if found[1] else int(found[2])


RegistryDump = dict[str, dict[str, RegistryValue]]


def decode(data: bytes) -> str:
    """Return text: UTF-8 as our shells are opened for it, else byte by byte as Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def excerpt(data: bytes, limit: int = 160) -> str:
    """Return what a message can show of a host's output: one short, printable line."""
    head = data[: 4 * limit]
    try:
        # Unlike a plain decode this does not mind a character that the cut went through.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if not text:
        return "(nothing)"
    return text if len(text) <= limit else text[:limit] + " ..."


def _lines(data: bytes) -> list[str]:
    """Split at line feeds only; a text value may hold any other separator."""
    return [line.removesuffix("\r") for line in decode(data).split("\n")]


def parse_reg_query(data: bytes) -> RegistryDump:
    """Return the values of ``reg query`` by key and by stored name, in the order printed.

    Data that runs over several lines (a REG_SZ with line feeds) is kept together; lines before the
    first key, such as a banner, are dropped. A key printed without values has an empty mapping.
    """
    pieces: dict[str, list[tuple[str, str, list[str]]]] = {}
    key = ""
    for line in _lines(data):
        found = _VALUE_LINE.fullmatch(line) if key else None
        if _KEY_LINE.fullmatch(line):
            key = line
            pieces.setdefault(key, [])
        elif found:
            pieces[key].append((found["name"], found["type"], [found["data"] or ""]))
        elif key and pieces[key]:
            pieces[key][-1][2].append(line)
    # Empty lines at the end of data divide keys.
    return {
        key: {
            name: RegistryValue(name, kind, "\n".join(lines).rstrip("\n"))
            for name, kind, lines in values
        }
        for key, values in pieces.items()
    }


def canonical_key(key: str) -> str:
    r"""Return a key in one form for comparison: no computer, long hive name, upper case."""
    path = key.rstrip("\\")
    if path.startswith("\\\\"):
        path = path[2:].partition("\\")[2]
    hive, _skipped, rest = path.partition("\\")
    hive = _HIVE_NAMES.get(hive.upper(), hive)
    return f"{hive}\\{rest}".rstrip("\\").upper()


def values_of(
    dump: Mapping[str, Mapping[str, RegistryValue]], key: str
) -> dict[str, RegistryValue]:
    """Return the values of ``key`` by stored name, however its spelling differs; empty if none."""
    wanted = canonical_key(key)
    for name, values in dump.items():
        if canonical_key(name) == wanted:
            return dict(values)
    return {}


def find_value(values: Mapping[str, RegistryValue], name: str) -> RegistryValue | None:
    """Return a value as the registry finds it: by name without regard to case."""
    for stored, value in values.items():
        if stored.lower() == name.lower():
            return value
    return None


def parse_sc_state(data: bytes) -> int | None:
    """Return the number of a service's state from ``sc query``; None if it shows none.

    1 stopped, 2 start pending, 3 stop pending, 4 running, 5 continue pending, 6 pause pending,
    7 paused. It is the second indented line with a number after its colon: the first is the type
    (hexadecimal), and their names are translated.
    """
    numbers = [found["number"] for line in _lines(data) if (found := _SC_NUMBER.match(line))]
    if len(numbers) < 2 or not numbers[1].isdecimal():  # noqa: PLR2004 - type, then state
        return None
    state = int(numbers[1])
    return state if state in _SC_STATES else None


def parse_sc_process(data: bytes) -> int | None:
    """Return the process id from ``sc queryex``; None if it shows none, or 0 (a service at rest).

    Names are translated, so it is known by its place: the seventh of the indented lines with a
    colon, after type, state, two exit codes, checkpoint and wait hint.
    """
    if parse_sc_state(data) is None:
        return None
    texts = [found["text"].strip() for line in _lines(data) if (found := _SC_FIELD.match(line))]
    process = texts[_SC_PROCESS] if len(texts) > _SC_PROCESS else ""
    return int(process) or None if re.fullmatch(r"[0-9]{1,10}", process) else None


def parse_dir_bare(data: bytes) -> list[str]:
    """Return the names that ``dir /b`` printed, in its order."""
    return [line for line in _lines(data) if line.strip()]
