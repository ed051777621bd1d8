# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dig (BIND): raw answers as text, read without any library of this project."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from peer_programs import output, program

from .servers import Server

_HEADER = re.compile(r"^;; ->>HEADER<<- opcode: QUERY, status: (\w+),", re.MULTILINE)
_FLAGS = re.compile(r"^;; flags:([ a-z]*);", re.MULTILINE)
_SIZE = re.compile(r"^;; MSG SIZE  rcvd: (\d+)", re.MULTILINE)
_SECTION = re.compile(r"^;; (\w+) SECTION:\n(.*?)\n(?:\n|\Z)", re.MULTILINE | re.DOTALL)
_QUESTION = re.compile(r"^;(\S+)\s+IN\s+([A-Z]+)$", re.MULTILINE)
_RECORD = re.compile(r"^([^;\s]\S*)\s+(\d+)\s+IN\s+([A-Z]+)\s+(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Line:
    """One record as dig prints it; names end in a dot."""

    owner: str
    ttl: int
    rdtype: str
    data: str


@dataclass(frozen=True, slots=True)
class Raw:
    """One reply: question, status, flags, size in octets, and the records of two sections."""

    name: str
    rdtype: str
    status: str
    flags: frozenset[str]
    size: int
    answer: tuple[Line, ...]
    authority: tuple[Line, ...]


def dig(server: Server, name: str, rdtype: str, *options: str) -> Raw:
    """Ask one question."""
    text = output(*_command(server, options), name, rdtype)
    (raw,) = _replies(text)
    return raw


def dig_all(server: Server, questions: Iterable[tuple[str, str]], folder: Path) -> list[Raw]:
    """Ask many questions, one after the other."""
    batch = folder / "batch"
    batch.write_text("".join(f"{name} {rdtype}\n" for name, rdtype in questions))
    return list(_replies(output(*_command(server, ()), "-f", str(batch))))


def _command(server: Server, options: Iterable[str]) -> tuple[str, ...]:
    where = (f"@{server.address}", "-p", str(server.port))
    return (program("dig"), "-r", *where, "+tries=2", "+time=5", *options)


def _replies(text: str) -> Iterator[Raw]:
    assert "timed out" not in text, text[-500:]
    starts = [match.start() for match in _HEADER.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        reply = text[start:end]
        sections = dict(_SECTION.findall(reply))
        status, flags, size = (found.search(reply) for found in (_HEADER, _FLAGS, _SIZE))
        question = _QUESTION.search(sections["QUESTION"])
        if status is None or flags is None or size is None or question is None:
            raise ValueError(f"not what dig prints: {reply}")
        yield Raw(
            question[1],
            question[2],
            status[1],
            frozenset(flags[1].split()),
            int(size[1]),
            tuple(_lines(sections.get("ANSWER", ""))),
            tuple(_lines(sections.get("AUTHORITY", ""))),
        )


def _lines(section: str) -> Iterator[Line]:
    for owner, ttl, rdtype, data in _RECORD.findall(section):
        yield Line(owner, int(ttl), rdtype, data)
