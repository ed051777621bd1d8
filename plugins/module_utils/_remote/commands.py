# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building blocks of cmd.exe command lines, from arguments that are checked and never escaped.

cmd.exe gives ``& | < > ^ % ! "`` a meaning, and not one of them can be escaped in a way that holds
for cmd.exe and for the program it starts at once. So an argument that needs escaping is refused.
Only ASCII passes: Windows maps some other letters to these very characters when a program asks for
its command line in an 8-bit code page.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from typing import NoReturn

from .._base.errors import InvalidInput

#: Folders named by a variable that every Windows since 2000 sets; ours, never an administrator's.
SYSTEM_TEMP = r"%SystemRoot%\Temp"
USER_TEMP = "%TEMP%"
ALL_USERS = "%ALLUSERSPROFILE%"
_OWN_FOLDERS = (SYSTEM_TEMP, USER_TEMP, ALL_USERS)

#: MAX_PATH is 260 with the closing NUL.
_PATH_LIMIT = 259
_COMPONENT = re.compile(r"[A-Za-z0-9 ._\-()$~,]+")
_DRIVE = re.compile(r"[A-Za-z]:\\")
# Such a name is a device whatever follows its first dot, in any folder.
_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(?:[ .].*)?", re.IGNORECASE)
_COMPUTER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_\-]*[A-Za-z0-9])?")
_HIVES = {
    "HKLM": "HKLM",
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKU": "HKU",
    "HKEY_USERS": "HKU",
    "HKCU": "HKCU",
    "HKEY_CURRENT_USER": "HKCU",
    "HKCR": "HKCR",
    "HKEY_CLASSES_ROOT": "HKCR",
}
_REMOTE_HIVES = ("HKLM", "HKU")
_REGISTRY_COMPONENT = re.compile(r"[A-Za-z0-9 ._\-()$~,:{}]+")
_VALUE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._\-]*[A-Za-z0-9_\-])?")
_SERVICE = re.compile(r"[A-Za-z0-9_$](?:[A-Za-z0-9_.$\- ]*[A-Za-z0-9_$])?")
_SERVICE_LIMIT = 256
_DWORD_LIMIT = 0xFFFF_FFFF
_SC_VERBS = ("query", "queryex", "start", "stop", "qc")


def _refuse(what: str, text: str, why: str) -> NoReturn:
    """Refuse an argument; it is shown as a literal, so that odd characters can be seen."""
    raise InvalidInput(f"{text!a} is not usable as {what}: {why}.")


def _check_components(what: str, text: str, components: list[str]) -> None:
    for component in components:
        if not component:
            _refuse(what, text, "it holds an empty part, or ends in a backslash")
        if not _COMPONENT.fullmatch(component):
            _refuse(what, text, "only ASCII letters, digits, spaces and . _ - ( ) $ ~ , may occur")
        if component.endswith((".", " ")) or component.startswith(" "):
            _refuse(what, text, "a part starts or ends with a space, or ends with a dot")
        if _DEVICE.fullmatch(component):
            _refuse(what, text, f"{component} names a device")


def windows_path(text: str) -> str:
    r"""Return an absolute path, ``C:\folder\file`` or ``\\HOST\share\file``, fit for a line.

    A backslash at the end is dropped, for it would swallow the quote that follows it. A bare drive
    is refused.
    """
    what = "a Windows path"
    path = text.rstrip("\\")
    if len(path) > _PATH_LIMIT:
        _refuse(what, text, f"it is longer than {_PATH_LIMIT} characters")
    if path.startswith("\\\\"):
        computer, *components = path[2:].split("\\")
        computer_name(computer)
        if len(components) < 2:  # noqa: PLR2004 - a share and something in it
            _refuse(what, text, r"a network path is \\HOST\share\name")
    elif _DRIVE.match(path):
        components = path[3:].split("\\")
    else:
        _refuse(what, text, r"it has to be absolute, such as C:\exchsrvr or \\HOST\C$\exchsrvr")
    _check_components(what, text, components)
    return path


def file_name(text: str) -> str:
    """Return a single name of a file or folder, without any backslash."""
    _check_components("a file name", text, [text])
    return text


def in_folder(folder: str, *names: str) -> str:
    """Return the path of ``names`` below ``folder``, one of our own constants or a path."""
    if folder in _OWN_FOLDERS:
        return "\\".join([folder, *(file_name(name) for name in names)])
    return windows_path("\\".join([windows_path(folder), *(file_name(name) for name in names)]))


def quoted(path: str) -> str:
    """Return ``path`` in quotes; a path that was not checked yet is checked here."""
    for folder in _OWN_FOLDERS:
        if path.startswith(folder + "\\"):
            _check_components("a Windows path", path, path[len(folder) + 1 :].split("\\"))
            return f'"{path}"'
    return f'"{windows_path(path)}"'


def computer_name(text: str) -> str:
    r"""Return a NetBIOS or DNS computer name, or an IPv4 address, without ``\\`` before it."""
    name = text.removeprefix("\\\\")
    labels = name.split(".")
    if len(name) > 253 or not all(len(x) <= 63 and _COMPUTER.fullmatch(x) for x in labels):  # noqa: PLR2004
        _refuse("a computer name", text, "letters, digits, - and _ in parts divided by dots")
    return name


def registry_key(text: str, computer: str | None = None) -> str:
    r"""Return a registry key as ``HKLM\...``, or ``\\HOST\HKLM\...`` on another computer."""
    what = "a registry key"
    hive, *components = text.rstrip("\\").split("\\")
    short = _HIVES.get(hive.upper())
    if short is None or not components:
        _refuse(what, text, r"it has to begin like HKLM\SOFTWARE")
    for component in components:
        if not _REGISTRY_COMPONENT.fullmatch(component) or component != component.strip():
            _refuse(
                what, text, "only ASCII letters, digits, spaces and . _ - ( ) $ ~ , : { } occur"
            )
    key = "\\".join([short, *components])
    if not computer:
        return key
    if short not in _REMOTE_HIVES:
        _refuse(what, text, "another computer offers HKLM and HKU only")
    return f"\\\\{computer_name(computer)}\\{key}"


def value_name(text: str) -> str:
    """Return the name of a registry value."""
    if not _VALUE_NAME.fullmatch(text):
        _refuse("the name of a registry value", text, "letters, digits, spaces and . _ - may occur")
    return text


def service_name(text: str) -> str:
    """Return the short name of a service, such as ``MSExchangeIMC``."""
    if len(text) > _SERVICE_LIMIT or not _SERVICE.fullmatch(text):
        _refuse("the name of a service", text, "letters, digits, spaces and . _ - $ may occur")
    return text


def reg_query(key: str, *, computer: str | None = None) -> str:
    """List a whole key: the only way to see a value's name as it is stored."""
    return f'reg query "{registry_key(key, computer)}"'


def reg_add_dword(key: str, name: str, number: int, *, computer: str | None = None) -> str:
    """Set a REG_DWORD value, and make its key if need be."""
    if not 0 <= number <= _DWORD_LIMIT:
        _refuse("a REG_DWORD", str(number), "it has to be between 0 and 4294967295")
    full = registry_key(key, computer)
    return f'reg add "{full}" /v "{value_name(name)}" /t REG_DWORD /d {number} /f'


def reg_delete_value(key: str, name: str, *, computer: str | None = None) -> str:
    """Delete one value of a key."""
    return f'reg delete "{registry_key(key, computer)}" /v "{value_name(name)}" /f'


def reg_export(key: str, path: str) -> str:
    """Save a key of this computer as a .reg file (``reg export`` reaches no other computer)."""
    return f'reg export "{registry_key(key)}" {quoted(path)}'


def reg_import(path: str) -> str:
    """Merge a .reg file into the registry of this computer."""
    return f"reg import {quoted(path)}"


def sc(verb: str, service: str, *, computer: str | None = None) -> str:
    """Ask the service control manager: ``query``, ``queryex``, ``start`` ..."""
    if verb not in _SC_VERBS:
        _refuse("a verb of sc", verb, "it has to be one of " + ", ".join(_SC_VERBS))
    where = f"\\\\{computer_name(computer)} " if computer else ""
    return f'sc {where}{verb} "{service_name(service)}"'


def type_file(path: str) -> str:
    """Write the bytes of a file to standard output."""
    return f"type {quoted(path)}"


def delete(path: str) -> str:
    """Delete one file. Without ``/q``, which would empty a folder of that name unasked."""
    return f"del {quoted(path)}"


def move(source: str, target: str) -> str:
    """Move or rename a file; within one volume this is a single step, and replaces ``target``."""
    return f"move /y {quoted(source)} {quoted(target)}"


def make_folder(path: str) -> str:
    """Create a folder, with those above it."""
    return f"mkdir {quoted(path)}"


def remove_folder(path: str) -> str:
    """Remove a folder if nothing is in it."""
    return f"rd {quoted(path)}"


def rename(path: str, name: str) -> str:
    """Give a file or folder another name in its folder: one step, and never over a name in use."""
    return f'ren {quoted(path)} "{file_name(name)}"'


def make_empty_file(path: str) -> str:
    """Create a file without content, which needs no space on the disk."""
    return f"type nul>{quoted(path)}"


def if_exists(path: str, command: str) -> str:
    """Run a command only if a file or folder exists."""
    return f"if exist {quoted(path)} {command} 2>&1"


def list_folder(path: str) -> str:
    """List the bare names in a folder."""
    return f"dir /b {quoted(path)}"


def echo_if_exists(path: str, word: str = "yes") -> str:
    """Print ``word`` if a file or folder exists; prints nothing if not, and keeps the exit code."""
    return f"(if exist {quoted(path)} echo {file_name(word)})"
