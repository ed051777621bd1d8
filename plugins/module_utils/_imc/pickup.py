# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Handing test messages to Exchange 5.5 through its Pickup folder (KB Q201314).

The files are written in RootDir, which the service does not read, compared byte by byte with what
was meant, and only then moved into Pickup: within one volume that is a single step, so the service
never finds half a message. A few command lines do it for all messages together.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from .._base.errors import CommandTimeout, ExchangeError, InvalidInput, SessionLost
from .._mail.message import Probe, message_lines
from .._mail.smtp_errors import SmtpError
from .._remote.commands import delete, echo_if_exists, is_safe_line, move, quoted, type_file
from .._remote.parse import excerpt
from .._remote.session import Session
from .files import batches, run_all
from .host import ImcHost

FOLDER = "Pickup"
SOURCE = "Pickup folder"

#: Characters of one command line that writes files, and seconds it may take.
_LINE_ROOM, _TIMEOUT = 7_800, 60.0
#: Message-IDs need angle brackets. A caret before them is all it takes for echo, and the file is
#: compared with the message afterwards, so a shell that thinks otherwise sends nothing.
_BRACKETS = str.maketrans({"<": "^<", ">": "^>"})


def file_lines(probe: Probe) -> list[str]:
    """Return the file for a message: the envelope, then the message."""
    return [f"X-Sender: {probe.sender}", f"X-Receiver: {probe.recipient}", *message_lines(probe)]


def submit(session: Session, host: ImcHost, probes: Sequence[Probe]) -> dict[str, SmtpError]:
    """Put the messages into Pickup; return those that could not be moved there, by tag.

    Raises ExchangeError where the files could not be written: then nothing was sent and nothing is
    left on the host (or the error names what is).
    """
    drafts = {
        probe.tag: host.reach(host.root_dir, f"{short_name(probe.tag)}.tmp") for probe in probes
    }
    try:
        _write(session, probes, drafts)
    except ExchangeError as error:
        left = _remove(session, list(drafts.values()))
        if left:
            error.message = f"{error.message} {left}"
            error.details["left_behind"] = list(drafts.values())
        raise
    return _drop(session, host, drafts)


def _write(session: Session, probes: Sequence[Probe], drafts: Mapping[str, str]) -> None:
    """Write the files and compare them with what was meant, by as few command lines as they fit."""
    statements = [line for probe in probes for line in _statements(probe, drafts[probe.tag])]
    shown = list(batches({_name(tag): type_file(path) for tag, path in drafts.items()}))
    found: dict[str, bytes] = {}
    for line in command_lines([*statements, *(batch.line() for batch in shown)]):
        done = session.run(line, timeout=_TIMEOUT)
        if done.stderr.strip():
            raise _unwritable(session, done.stderr)
        for batch in shown:
            if batch.line() in line:
                sections = batch.parse(done, host=session.host)
                found |= {name: section.output for name, section in sections.items()}
    for probe in probes:
        meant = "".join(f"{line}\r\n" for line in file_lines(probe)).encode("ascii")
        if found[_name(probe.tag)] != meant:
            raise _unwritable(session, b"what was read back is something else")


def _statements(probe: Probe, path: str) -> Iterator[str]:
    target = quoted(path)
    for number, line in enumerate(file_lines(probe)):
        # The redirect comes first: a digit at the end of a line would be read as its handle.
        redirect = f"{'>>' if number else '>'}{target}"
        bare = line.replace("<", "").replace(">", "")
        if not is_safe_line(bare):
            raise InvalidInput(f"A test message would hold the line {line!a}, which no host takes.")
        yield f"{redirect} echo {line.translate(_BRACKETS)}" if line else f"{redirect} echo."


def command_lines(statements: Iterable[str]) -> Iterator[str]:
    """Join statements to as few command lines as they fit."""
    line = ""
    for statement in statements:
        if line and len(line) + 1 + len(statement) > _LINE_ROOM:
            yield line
            line = ""
        line = f"{line}&{statement}" if line else statement
    if line:
        yield line


def _drop(session: Session, host: ImcHost, drafts: Mapping[str, str]) -> dict[str, SmtpError]:
    """Move the files into Pickup; return why some could not be, by tag.

    A file counts as moved when it is gone from where it was written. So a session that breaks in
    the middle can be asked again, and no message is sent twice or taken for lost.
    """
    commands: dict[str, str] = {}
    for tag, path in drafts.items():
        commands[_name(tag)] = move(
            path, host.reach(host.root_dir, FOLDER, f"{short_name(tag)}.txt")
        )
        commands[f"left-{_name(tag)}"] = echo_if_exists(path)
    try:
        try:
            sections = run_all(session, commands, timeout=_TIMEOUT)
        except (SessionLost, CommandTimeout):
            session.reopen()
            sections = run_all(session, commands, timeout=_TIMEOUT)
    except ExchangeError as error:
        error.message += " Some of the test messages may have been sent; their result is unknown."
        error.details["left_behind"] = list(drafts.values())
        raise
    refused = [tag for tag in drafts if sections[f"left-{_name(tag)}"].output.strip()]
    left = _remove(session, [drafts[tag] for tag in refused]) if refused else ""
    return {
        tag: SmtpError(
            "the file could not be moved into Pickup: "
            f"{excerpt(sections[_name(tag)].output)} {left}".strip(),
            source=SOURCE,
        )
        for tag in refused
    }


def _remove(session: Session, paths: Sequence[str]) -> str:
    """Delete files on the way out of an error; return "" or a sentence saying what may be left."""
    commands = {f"d{n}": delete(path) for n, path in enumerate(paths)}
    commands |= {f"e{n}": echo_if_exists(path) for n, path in enumerate(paths)}
    try:
        try:
            sections = run_all(session, commands, timeout=_TIMEOUT)
        except ExchangeError:
            session.reopen()
            sections = run_all(session, commands, timeout=_TIMEOUT)
    except ExchangeError:
        return f"Files named {_pattern(paths)} may be left on {session.host}."
    if any(sections[f"e{n}"].output.strip() for n in range(len(paths))):
        return f"Files named {_pattern(paths)} were left on {session.host}."
    return ""


def _pattern(paths: Sequence[str]) -> str:
    return paths[0].rpartition("-")[0] + "-*.tmp"


def _name(tag: str) -> str:
    """Return a batch's name for a message: the number at the end of its tag."""
    return f"m{tag.rpartition('-')[2]}"


def short_name(tag: str) -> str:
    """Return a short file name for a message: every command that writes a line repeats it."""
    run, _skipped, number = tag.rpartition("-")
    return f"test-{run[-12:]}-{number}"


def _unwritable(session: Session, output: bytes) -> ExchangeError:
    return ExchangeError(
        f"{session.host}: the test messages could not be written ({excerpt(output)})."
        " Nothing was sent.",
        hint="Check free disk space, and the rights of the account in the connector's folder.",
    )
