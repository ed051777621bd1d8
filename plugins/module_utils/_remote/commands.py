# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines for cmd.exe, from arguments that are checked and never escaped; and text files.

cmd.exe gives ``& | < > ^ % ! "`` a meaning, and not one of them can be escaped in a way that holds
for cmd.exe and for the program it starts at once. So an argument that needs escaping is refused.
Only ASCII passes: Windows maps some other letters to these very characters when a program asks for
its command line in an 8-bit code page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NoReturn

from .._base.errors import ExchangeError, InvalidInput, SessionLost
from .parse import excerpt
from .session import COMMAND_LINE_LIMIT, Batch, Session

#: Folders named by a variable that every Windows since 2000 sets; ours, never an administrator's.
USER_TEMP = "%TEMP%"
ALL_USERS = "%ALLUSERSPROFILE%"
_OWN_FOLDERS = (USER_TEMP, ALL_USERS)
#: A line that ``echo`` writes unchanged. Printable ASCII without the characters of cmd.exe; no
#: ``/?``, for which echo prints its help; not blank and not on or off, which echo takes for itself
#: (the comma, semicolon and equals sign count as blanks there).
SAFE_LINE = re.compile(
    r"(?!.*/\?)(?![ ,;=]*(?:on|off)?[ ,;=]*\Z)[ #$'()*+,\-./0-9:;=?@A-Z\[\\\]_`a-z{}~]+",
    re.IGNORECASE,
)

#: MAX_PATH is 260 with the closing NUL.
_PATH_LIMIT = 259
_COMPONENT = re.compile(r"[A-Za-z0-9 ._\-()$~,]+")
# Such a name is a device whatever follows its first dot, in any folder.
_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(?:[ .].*)?", re.IGNORECASE)
_COMPUTER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_\-]{0,61}[A-Za-z0-9])?")
_HIVES = {
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKEY_USERS": "HKU",
    "HKEY_CURRENT_USER": "HKCU",
    "HKEY_CLASSES_ROOT": "HKCR",
}
_REMOTE_HIVES = ("HKLM", "HKU")
_REGISTRY_COMPONENT = re.compile(r"[A-Za-z0-9 ._\-()$~,:{}]+")
_VALUE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._\-]*[A-Za-z0-9_\-])?")
_SERVICE = re.compile(r"(?=.{1,256}\Z)[A-Za-z0-9_$](?:[A-Za-z0-9_.$\- ]*[A-Za-z0-9_$])?")
_SC_VERBS = ("query", "queryex", "start", "stop", "qc")
# Room for the ``cmd.exe /c "..."`` around the line, which counts against the limit (KB 830473).
_PIECE_LIMIT = COMMAND_LINE_LIMIT - 191
# Marks and error texts around a file's bytes.
_OVERHEAD = 4_096


def _refuse(what: str, text: str, why: str) -> NoReturn:
    """Refuse an argument; it is shown as a literal, so that odd characters can be seen."""
    raise InvalidInput(f"{text!a} is not usable as {what}: {why}.")


def _check_components(what: str, text: str, components: list[str]) -> None:
    for component in components:
        if not component:
            _refuse(what, text, "it has an empty part, or ends in a backslash")
        if not _COMPONENT.fullmatch(component):
            _refuse(what, text, "only ASCII letters, digits, spaces and . _ - ( ) $ ~ , are valid")
        if component.endswith((".", " ")) or component.startswith(" "):
            _refuse(what, text, "a part starts or ends with a space, or ends with a dot")
        if _DEVICE.fullmatch(component):
            _refuse(what, text, f"{component} names a device")


def windows_path(text: str) -> str:
    r"""Return an absolute path, ``C:\folder\file`` or ``\\HOST\share\file``, fit for a line.

    A backslash at the end is dropped, because it would escape the quote that follows it. A bare
    drive is rejected.
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
    elif re.match(r"[A-Za-z]:\\", path):
        components = path[3:].split("\\")
    else:
        _refuse(what, text, r"it must be absolute, such as C:\exchsrvr or \\HOST\C$\exchsrvr")
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
    if len(name) > 253 or not all(map(_COMPUTER.fullmatch, name.split("."))):  # noqa: PLR2004
        _refuse("a computer name", text, "letters, digits, - and _ in parts divided by dots")
    return name


def usable(text: str, check: Callable[[str], str]) -> str:
    """Return a text as ``check`` returns it, or nothing where no command line can carry it."""
    try:
        return check(text) if text else ""
    except InvalidInput:
        return ""


def registry_key(text: str, computer: str | None = None) -> str:
    r"""Return a registry key as ``HKLM\...``, or ``\\HOST\HKLM\...`` on another computer."""
    what = "a registry key"
    hive, *components = text.rstrip("\\").split("\\")
    short = _HIVES.get(hive.upper(), hive.upper())
    if short not in _HIVES.values() or not components:
        _refuse(what, text, r"it must begin like HKLM\SOFTWARE")
    for component in components:
        if not _REGISTRY_COMPONENT.fullmatch(component) or component != component.strip():
            _refuse(
                what, text, "only ASCII letters, digits, spaces and . _ - ( ) $ ~ , : { } are valid"
            )
    key = "\\".join([short, *components])
    if not computer:
        return key
    if short not in _REMOTE_HIVES:
        _refuse(what, text, "another computer offers HKLM and HKU only")
    return f"\\\\{computer_name(computer)}\\{key}"


def reg_query(key: str, *, computer: str | None = None) -> str:
    """List a whole key: the only way to see a value's name as it is stored."""
    return f'reg query "{registry_key(key, computer)}"'


def reg_delete_value(key: str, name: str, *, computer: str | None = None) -> str:
    """Delete one value of a key."""
    if not _VALUE_NAME.fullmatch(name):
        _refuse(
            "the name of a registry value", name, "only letters, digits, spaces and . _ - are valid"
        )
    return f'reg delete "{registry_key(key, computer)}" /v "{name}" /f'


def reg_export(key: str, path: str) -> str:
    """Save a key of this computer as a .reg file (``reg export`` reaches no other computer)."""
    return f'reg export "{registry_key(key)}" {quoted(path)}'


def sc(verb: str, service: str, *, computer: str | None = None) -> str:
    """Ask the service control manager: ``query``, ``queryex``, ``start`` ..."""
    if verb not in _SC_VERBS:
        _refuse("a verb of sc", verb, "it must be one of " + ", ".join(_SC_VERBS))
    if not _SERVICE.fullmatch(service):
        _refuse(
            "the name of a service", service, "only letters, digits, spaces and . _ - $ are valid"
        )
    where = f"\\\\{computer_name(computer)} " if computer else ""
    return f'sc {where}{verb} "{service}"'


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
    """Remove a folder if it is empty."""
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


def is_safe_line(line: str) -> bool:
    """Whether ``write_text_file`` can write this line exactly; an empty line can be written."""
    return not line or SAFE_LINE.fullmatch(line) is not None


def write_text_file(
    session: Session, path: str, lines: Sequence[str], *, timeout: float = 60.0
) -> None:
    """Write ``lines`` to ``path``, each ended by CRLF, in place of what was there; then verify.

    The file is read back and compared byte by byte. If it differs, or anything fails on
    the way, the file is deleted and ExchangeError raised. ``timeout`` counts for each command.
    """
    target = quoted(path)
    statements = [] if lines else [f"type nul>{target}"]
    for number, line in enumerate(lines, start=1):
        if not is_safe_line(line):
            raise InvalidInput(
                f"cmd.exe cannot write line {number} of {path} exactly: {line[:120]!a}.",
                hint="Nothing was written.",
            )
        # The redirect comes first: cmd.exe reads a digit at the end of a line as its handle.
        redirect = ">" if number == 1 else ">>"
        statements.append(
            f"{redirect}{target} echo {line}" if line else f"{redirect}{target} echo."
        )
    batch = Batch()
    batch.add("text", type_file(path))
    *pieces, last = _packed([*statements, batch.line()])
    wanted = "".join(f"{line}\r\n" for line in lines).encode("ascii")
    try:
        for piece in pieces:
            done = session.run(piece, timeout=timeout)
            if done.exit_code != 0:
                raise _not_written(session, path, "a command failed", done.stderr + done.stdout)
        done = session.run(last, timeout=timeout, max_output=len(wanted) + _OVERHEAD)
        output = batch.parse(done, host=session.host)["text"].output
        if output != wanted:
            what = f"the content differs, {len(output)} bytes instead of {len(wanted)}"
            raise _not_written(session, path, what, done.stderr)
    except ExchangeError as error:
        left = discard_file(session, path, timeout=timeout)
        if left:
            error.message = f"{error.message} {left}"
            error.details["left_behind"] = path
        raise


def _packed(statements: Sequence[str]) -> list[str]:
    """Join statements to as few command lines as the limit allows."""
    pieces = [""]
    for statement in statements:
        if len(statement) > _PIECE_LIMIT:
            raise InvalidInput(
                f"A line of {len(statement)} characters is too long for cmd.exe.",
                hint="Nothing was written.",
            )
        joined = f"{pieces[-1]}&{statement}" if pieces[-1] else statement
        if len(joined) > _PIECE_LIMIT:
            pieces.append(statement)
        else:
            pieces[-1] = joined
    return pieces


def _not_written(session: Session, path: str, what: str, output: bytes) -> ExchangeError:
    return ExchangeError(
        f"{session.host}: {path} could not be written: {what} ({excerpt(output)}).",
        hint="Check free disk space and permissions on the host.",
    )


def discard_file(session: Session, path: str, *, timeout: float = 60.0) -> str:
    """Delete a file on the way out of an error; return "" or a sentence that it may be left."""
    batch = Batch()
    batch.add("delete", delete(path))
    batch.add("exists", echo_if_exists(path))
    try:
        try:
            sections = batch.run(session, timeout=timeout)
        except SessionLost:
            session.reopen()
            sections = batch.run(session, timeout=timeout)
    except ExchangeError:
        sections = {}
    if sections and not sections["exists"].output.strip():
        return ""
    return f"The temporary file {path} may be left on {session.host}."
