# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``reg.exe``: query, add, delete, export, import.

Up to Windows Server 2003 it prints tabs and a banner, later four spaces. Another machine is
reached by ``\\\\HOST\\HKLM\\...`` except for export and import, which are local only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .errors import ACCESS_DENIED, BAD_NETWORK_PATH, FILE_NOT_FOUND, INVALID_NAME, WinError
from .process import Invocation
from .regfile import load
from .registry import Data, Registry, Value, split_key

_TYPES = {
    "REG_SZ",
    "REG_MULTI_SZ",
    "REG_EXPAND_SZ",
    "REG_DWORD",
    "REG_QWORD",
    "REG_BINARY",
    "REG_NONE",
}
_WITH_VALUE = {"/v", "/t", "/d", "/s"}
_EITHER_OR = {"/v", "/ve", "/va"}  # only one of these
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]+|[0-9]+")
_TEXTS = {
    "en": {
        "done": "The operation completed successfully.",
        "missing": "ERROR: The system was unable to find the specified registry key or value.",
        "error": "ERROR: {0}",
        "syntax": 'ERROR: Invalid syntax.\r\nType "REG {0} /?" for usage.',
        "key": 'ERROR: Invalid key name.\r\nType "REG {0} /?" for usage.',
        "number": "ERROR: Invalid syntax. Specify valid numeric value for '/d'.",
        "type": "ERROR: Invalid syntax. Specify valid type for '/t'.",
        "overwrite": "Value {0} exists, overwrite(Yes/No)? ",
        "delete_value": "Delete the registry value {0} (Yes/No)? ",
        "delete_key": "Permanently delete the registry key {0} (Yes/No)? ",
        "file_exists": "File {0} already exists. Overwrite (Yes/No)? ",
        "cancelled": "The operation was canceled by the user.",
        "found": "End of search: {0} match(es) found.",
        "no_file": "ERROR: Error opening the file. There may be a disk or file system error.",
        "not_registry": "ERROR: Error accessing the registry.",
        "default": "(Default)",
        "unset": "(value not set)",
    },
    "de": {
        "done": "Der Vorgang wurde erfolgreich beendet.",
        "missing": "FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden.",
        "error": "FEHLER: {0}",
        "syntax": 'FEHLER: Ungültige Syntax.\r\nGeben Sie "REG {0} /?" ein, um Hilfe zu erhalten.',
        "key": "FEHLER: Ungültiger Schlüsselname.\r\n"
        'Geben Sie "REG {0} /?" ein, um Hilfe zu erhalten.',
        "number": "FEHLER: Ungültige Syntax. Geben Sie einen gültigen numerischen Wert für "
        "'/d' an.",
        "type": "FEHLER: Ungültige Syntax. Geben Sie einen gültigen Typ für '/t' an.",
        "overwrite": "Der Wert {0} ist bereits vorhanden. Überschreiben (Ja/Nein)? ",
        "delete_value": "Soll der Registrierungswert {0} gelöscht werden (Ja/Nein)? ",
        "delete_key": "Soll der Registrierungsschlüssel {0} dauerhaft gelöscht werden (Ja/Nein)? ",
        "file_exists": "Die Datei {0} ist bereits vorhanden. Überschreiben (Ja/Nein)? ",
        "cancelled": "Der Vorgang wurde durch den Benutzer abgebrochen.",
        "found": "Ende der Suche: {0} Übereinstimmung(en) gefunden.",
        "no_file": "FEHLER: Fehler beim Öffnen der Datei. Möglicherweise liegt ein Datenträger- "
        "oder Dateisystemfehler vor.",
        "not_registry": "FEHLER: Fehler beim Zugriff auf die Registrierung.",
        "default": "(Standard)",
        "unset": "(Wert nicht festgelegt)",
    },
}


class _Failed(Exception):  # noqa: N818 - the way out of a command that said what is wrong
    """The command ends with exit code 1; the text for standard error, if any."""

    def __init__(self, key: str, *values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


@dataclass(slots=True)
class _Call:
    invocation: Invocation
    verb: str
    registry: Registry
    key: str
    options: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def text(self, key: str, *values: object) -> str:
        return _TEXTS[self.invocation.host.language][key].format(*values)

    def done(self) -> int:
        self.invocation.out(self.text("done") + "\r\n")
        return 0

    def confirm(self, key: str, subject: str) -> None:
        """Ask on standard input unless ``/f`` or ``/y``; waits where nobody answers."""
        if self.options.keys() & {"/f", "/y"}:
            return
        self.invocation.out(self.text(key, subject))
        streams = self.invocation.streams
        answer = streams.stdin.read_line(streams.stop).strip().lower()
        if answer[:1] not in {b"y", b"j"}:
            raise _Failed("cancelled")


def reg(invocation: Invocation) -> int:
    """Run ``reg``; exit code 0 or 1."""
    verb = invocation.argv[1].upper() if len(invocation.argv) > 1 else ""
    texts = _TEXTS[invocation.host.language]
    try:
        handler, allowed = _VERBS.get(verb, (None, ""))
        if handler is None:
            raise _Failed("syntax", "")
        return handler(_parse(invocation, verb, set(allowed.split())))
    except _Failed as exc:
        invocation.err(texts[exc.key].format(*exc.values) + "\r\n")
    except WinError as exc:
        if exc.code == FILE_NOT_FOUND:
            invocation.err(texts["missing"] + "\r\n")
        else:
            invocation.err(texts["error"].format(invocation.shell.message(exc.code)) + "\r\n")
    return 1


def _parse(invocation: Invocation, verb: str, allowed: set[str]) -> _Call:
    expected = 2 if verb == "EXPORT" else 1
    words = invocation.argv[2 : 2 + expected]
    if len(words) != expected or any(word.startswith("/") for word in words):
        raise _Failed("syntax", verb)
    options = _options(verb, invocation.argv[2 + expected :], allowed)
    registry, key = (invocation.host.registry, words[0])
    if verb != "IMPORT":
        registry, key = _target(invocation, verb, words[0])
    return _Call(invocation, verb, registry, key, options, words)


def _options(verb: str, arguments: list[str], allowed: set[str]) -> dict[str, str]:
    """Return the switches, which stand behind key and file, with their values."""
    options: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        name = argument.lower()
        if name not in allowed or name in options:
            raise _Failed("syntax", verb)
        takes_value = name in _WITH_VALUE and not (verb == "QUERY" and name == "/s")
        value = next(rest, None) if takes_value else ""
        if value is None:
            raise _Failed("syntax", verb)
        options[name] = value
    if len(options.keys() & _EITHER_OR) > 1:
        raise _Failed("syntax", verb)
    return options


def _target(invocation: Invocation, verb: str, typed: str) -> tuple[Registry, str]:
    """Return the registry and key (full root, the rest as typed); a remote one is reached."""
    machine = invocation.host
    if typed.endswith("\\\\"):
        raise _Failed("key", verb)
    if typed.startswith("\\\\"):
        name, _skipped, typed = typed[2:].partition("\\")
        if verb == "EXPORT" or typed.partition("\\")[0].upper() not in {
            "HKLM",
            "HKU",
            "HKEY_LOCAL_MACHINE",
            "HKEY_USERS",
        }:
            raise _Failed("key", verb)
        machine = invocation.shell.remote(name)
    try:
        return machine.registry, "\\".join(split_key(typed))
    except WinError as exc:
        if exc.code == INVALID_NAME:
            raise _Failed("key", verb) from None
        raise


# -- query -----------------------------------------------------------------------------------


def _query(call: _Call) -> int:
    registry, key = call.registry, call.key
    if not registry.exists(key):
        raise WinError(FILE_NOT_FOUND, key)
    deep = "/s" in call.options
    name = "" if "/ve" in call.options else call.options.get("/v")
    if name is not None:
        return _search(call, name) if deep else _query_value(call, name)
    lines: list[str] = []
    _list_key(call, key, lines, deep=deep)
    call.invocation.out(_banner(call) + "\r\n" + "".join(f"{line}\r\n" for line in lines))
    return 0


def _query_value(call: _Call, name: str) -> int:
    value = call.registry.get(call.key, name)
    if value is None and name:
        raise WinError(FILE_NOT_FOUND, name)
    # The spelling that was asked for is printed, not the stored one.
    shown = _row(call, value and Value(name, value.type, value.data))
    call.invocation.out(f"{_banner(call)}\r\n{call.key}\r\n{shown}\r\n\r\n")
    return 0


def _search(call: _Call, name: str) -> int:
    """Print a value of this name in the key and all below it."""
    lines: list[str] = []
    for key in _below(call.registry, call.key):
        if value := call.registry.get(key, name):
            lines += [key, _row(call, value), ""]
    count = call.text("found", len(lines) // 3)
    call.invocation.out(_banner(call) + "\r\n" + "".join(f"{x}\r\n" for x in [*lines, count]))
    return 0 if lines else 1


def _below(registry: Registry, key: str) -> Iterator[str]:
    yield key
    for name in registry.keys(key):
        yield from _below(registry, f"{key}\\{name}")


def _list_key(call: _Call, key: str, lines: list[str], *, deep: bool) -> None:
    values = call.registry.values(key)
    if values or key != call.key:
        lines += [key, *(_row(call, value) for value in values), ""]
    for name in call.registry.keys(key):
        if deep:
            _list_key(call, f"{key}\\{name}", lines, deep=True)
        else:
            lines.append(f"{key}\\{name}")


def _old_style(call: _Call) -> bool:
    return call.invocation.host.version.startswith(("4.", "5."))


def _banner(call: _Call) -> str:
    return "\r\n! REG.EXE VERSION 3.0\r\n" if _old_style(call) else ""


def _row(call: _Call, value: Value | None) -> str:
    old = _old_style(call)
    gap = "\t" if old else "    "
    nameless = "<NO NAME>" if old else call.text("default")
    if value is None:
        return f"    {nameless}{gap}REG_SZ{gap}{call.text('unset')}"
    return f"    {value.name or nameless}{gap}{value.type}{gap}{_shown(value.data)}"


def _shown(data: Data) -> str:
    match data:
        case str():
            return data
        case int():
            return f"0x{data:x}"
        case bytes():
            return data.hex().upper()
        case _:
            return "\\0".join(data)


# -- add and delete --------------------------------------------------------------------------


def _add(call: _Call) -> int:
    """Add a value; without ``/v`` the default one, which is empty text if nothing else is said."""
    name = call.options.get("/v", "")
    type_ = call.options.get("/t", "REG_SZ").upper()
    if type_ not in _TYPES:
        raise _Failed("type")
    data = _data(type_, call.options.get("/d"), call.options.get("/s", "\\0"))
    if call.registry.get(call.key, name) and call.options.keys() & {"/v", "/ve"}:
        call.confirm("overwrite", name)
    call.registry.set(call.key, name, type_, data)
    return call.done()


def _data(type_: str, typed: str | None, separator: str) -> Data:
    match type_:
        case "REG_DWORD" | "REG_QWORD":
            return _number(type_, typed)
        case "REG_BINARY":
            return _bytes(typed or "")
        case "REG_NONE":
            return ((typed or "") + "\0").encode("utf-16-le")
        case "REG_MULTI_SZ":
            return _list(typed or "", separator)
    return typed or ""


def _number(type_: str, typed: str | None) -> int:
    if typed is None and type_ == "REG_QWORD":
        return 0
    if not _NUMBER.fullmatch(typed or ""):
        raise _Failed("number")
    number = int(typed or "", 16 if (typed or "").lower().startswith("0x") else 10)
    if number >= 1 << (32 if type_ == "REG_DWORD" else 64):
        raise _Failed("number")
    return number


def _bytes(typed: str) -> bytes:
    """Return bytes of hexadecimal digits; one that is missing is a nought ahead of them."""
    try:
        return bytes.fromhex("0" * (len(typed) % 2) + typed)
    except ValueError:
        raise _Failed("number") from None


def _list(typed: str, separator: str) -> tuple[str, ...]:
    """Split a list; only the last of its parts may be empty, and then is none."""
    if separator != "\\0" and len(separator) != 1:
        raise _Failed("syntax", "ADD")
    parts = typed.split(separator)
    if not parts[-1]:
        del parts[-1]
    if "" in parts and len(parts) > 1:
        raise _Failed("syntax", "ADD")
    return tuple(filter(None, parts))


def _delete(call: _Call) -> int:
    if not call.registry.exists(call.key):
        raise WinError(FILE_NOT_FOUND, call.key)
    if "/va" in call.options:
        call.confirm("delete_key", call.key)
        for value in call.registry.values(call.key):
            call.registry.delete(call.key, value.name)
    elif call.options.keys() & {"/v", "/ve"}:
        name = call.options.get("/v", "")
        call.confirm("delete_value", name)
        call.registry.delete(call.key, name)
    else:
        call.confirm("delete_key", call.key)
        call.registry.delete_key(call.key)
    return call.done()


# -- export and import -----------------------------------------------------------------------


def _export(call: _Call) -> int:
    target = call.words[1]
    content = call.registry.export(call.key, regedit4=call.invocation.host.version.startswith("4."))
    files, path = call.invocation.shell.locate(target)
    if files.is_file(path):
        call.confirm("file_exists", target)
    files.write_bytes(path, content)
    return call.done()


def _import(call: _Call) -> int:
    try:
        content = call.invocation.read_file(call.words[0])
    except WinError as exc:
        if exc.code in {ACCESS_DENIED, BAD_NETWORK_PATH}:
            raise
        raise _Failed("no_file") from None
    try:
        load(call.registry, content)
    except (ValueError, StopIteration):
        raise _Failed("not_registry") from None
    call.invocation.err(call.text("done") + "\r\n")  # reg import reports success on stderr
    return 0


_VERBS: dict[str, tuple[Callable[[_Call], int], str]] = {
    "QUERY": (_query, "/v /ve /s"),
    "ADD": (_add, "/v /ve /t /s /d /f"),
    "DELETE": (_delete, "/v /ve /va /f"),
    "EXPORT": (_export, "/y"),
    "IMPORT": (_import, ""),
}
