# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small text files on a host, through nothing but cmd.exe: read, write and verify, delete.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn

from .._base.errors import ExchangeError, InvalidInput, SessionLost
from . import commands
from .batch import Batch
from .parse import excerpt
from .session import COMMAND_LINE_LIMIT, Session

#: A line that ``echo`` writes as it stands. Printable ASCII without the characters of cmd.exe; no
#: ``/?``, for which echo prints its help; not blank and not on or off, which echo takes for itself
#: (the comma, semicolon and equals sign count as blanks there).
SAFE_LINE = re.compile(
    r"(?!.*/\?)(?![ ,;=]*(?:on|off)?[ ,;=]*\Z)[ #$'()*+,\-./0-9:;=?@A-Z\[\\\]_`a-z{}~]+",
    re.IGNORECASE,
)

# Room for the ``cmd.exe /c "..."`` around the line, which counts against the limit (KB 830473).
_PIECE_LIMIT = COMMAND_LINE_LIMIT - 191
_DEFAULT_LIMIT = 16_000_000
# Marks and error texts around a file's bytes.
_OVERHEAD = 4_096


def is_safe_line(line: str) -> bool:
    """Whether ``write_text_file`` can write this line exactly; an empty line can be written."""
    return not line or SAFE_LINE.fullmatch(line) is not None


def read_file(
    session: Session, path: str, *, limit: int = _DEFAULT_LIMIT, timeout: float = 60.0
) -> bytes | None:
    """Return the bytes of a file, or None if there is no such file.

    Raises ExchangeError if it cannot be read, or is longer than ``limit`` bytes.
    """
    batch = Batch()
    batch.add("exists", commands.echo_if_exists(path))
    batch.add("text", commands.type_file(path))
    done = session.run(batch.line(), timeout=timeout, max_output=limit + _OVERHEAD)
    if done.truncated:
        raise ExchangeError(f"{session.host}: {path} is longer than the {limit} bytes allowed.")
    sections = batch.parse(done, host=session.host)
    if not sections["exists"].output.strip():
        return None
    text = sections["text"]
    if not text.ok:
        raise ExchangeError(f"{session.host}: {path} cannot be read: {excerpt(text.output)}")
    if len(text.output) > limit:
        raise ExchangeError(f"{session.host}: {path} is longer than the {limit} bytes allowed.")
    return text.output


def write_text_file(
    session: Session, path: str, lines: Sequence[str], *, timeout: float = 60.0
) -> None:
    """Write ``lines`` to ``path``, each ended by CRLF, in place of what was there; then verify.

    The file is read back and compared byte by byte. If it is not exactly as wanted, or anything
    fails on the way, it is deleted and ExchangeError raised. ``timeout`` counts for each command.
    """
    _check_lines(path, lines)
    wanted = "".join(f"{line}\r\n" for line in lines).encode("ascii")
    batch = Batch()
    batch.add("text", commands.type_file(path))
    pieces = list(_pack([*_statements(path, lines), batch.line()]))
    try:
        for piece in pieces[:-1]:
            done = session.run(piece, timeout=timeout)
            if done.exit_code != 0:
                _fail(session, path, done.stderr + done.stdout)
        done = session.run(pieces[-1], timeout=timeout, max_output=len(wanted) + _OVERHEAD)
        found = batch.parse(done, host=session.host)["text"]
        if found.output != wanted:
            _fail(session, path, done.stderr, len(wanted), len(found.output))
    except ExchangeError as error:
        left = discard_file(session, path, timeout=timeout)
        if left:
            error.message = f"{error.message} {left}"
            error.details["left_behind"] = path
        raise


def delete_file(session: Session, path: str, *, timeout: float = 60.0) -> None:
    """Delete a file and see that it is gone; a file that is not there is fine."""
    batch = Batch()
    batch.add("delete", commands.delete(path))
    batch.add("exists", commands.echo_if_exists(path))
    sections = batch.run(session, timeout=timeout)
    if sections["exists"].output.strip():
        raise ExchangeError(
            f"{session.host}: {path} cannot be deleted: {excerpt(sections['delete'].output)}",
            details={"left_behind": path},
        )


def discard_file(session: Session, path: str, *, timeout: float = 60.0) -> str:
    """Delete a file on the way out of an error; return "" or a sentence saying it was left."""
    try:
        try:
            delete_file(session, path, timeout=timeout)
        except SessionLost:
            session.reopen()
            delete_file(session, path, timeout=timeout)
    except ExchangeError:
        return f"The temporary file {path} may be left on {session.host}."
    return ""


def _check_lines(path: str, lines: Iterable[str]) -> None:
    for number, line in enumerate(lines, start=1):
        if not is_safe_line(line):
            raise InvalidInput(
                f"Line {number} of {path} cannot be written by cmd.exe exactly as it is: "
                f"{line[:120]!a}.",
                hint="Nothing was written.",
            )


def _statements(path: str, lines: Sequence[str]) -> Iterator[str]:
    """The redirect stands first: a digit at the end of a line would be read as its handle."""
    target = commands.quoted(path)
    if not lines:
        yield f"type nul>{target}"
    for number, line in enumerate(lines):
        redirect = ">>" if number else ">"
        yield f"{redirect}{target} echo {line}" if line else f"{redirect}{target} echo."


def _pack(statements: Iterable[str]) -> Iterator[str]:
    """Join statements to as few command lines as the limit allows."""
    piece = ""
    for statement in statements:
        if len(statement) > _PIECE_LIMIT:
            raise InvalidInput(
                f"A line of {len(statement)} characters is more than cmd.exe can write.",
                hint="Nothing was written.",
            )
        joined = f"{piece}&{statement}" if piece else statement
        if len(joined) > _PIECE_LIMIT:
            yield piece
            piece = statement
        else:
            piece = joined
    yield piece


def _fail(session: Session, path: str, output: bytes, wanted: int = 0, found: int = 0) -> NoReturn:
    what = f"{found} of {wanted} bytes are there, or others" if wanted else "a command failed"
    raise ExchangeError(
        f"{session.host}: {path} could not be written: {what} ({excerpt(output)}).",
        hint="Check free disk space and permissions on the host.",
    )
