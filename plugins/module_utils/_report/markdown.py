# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a run as Markdown, for job summaries, tickets and chat. Pure.

Texts of hosts and of DNS cannot become markup: every character with a meaning is escaped, and an
at sign, which would call people, is written as a reference.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from .rows import Row, rows
from .states import DOMAIN_WORDS, HOST_WORDS, REASON_WORDS, State
from .text import listed, words

#: Rows of a table; job summaries are limited to 1 MiB, and chats to far less.
MOST_ROWS = 50
# What begins markup anywhere in a line, and what makes a link of an address.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#!|~^$]|(?<=www)\.|:(?=//))")
_REFERENCES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "\n": " ", "\r": " "}
_CAUSES = ("host", "domain", "confidence", "cause", "next step")
_SETTLED = frozenset({State.UP_TO_DATE, State.CHANGED})


def markdown(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the file in pieces: the answer, what to do, the hosts, and domains that need a look."""
    run, answer = document["run"], document["answer"]
    yield f"## {escaped(answer['text'])}\n\n"
    name = f"run {run['id']}" if run["id"] else "a run without a name"
    yield f"{escaped(run['kind'].capitalize())} by {escaped(name)}, {escaped(run['finished_at'])}\n"
    tests = [f"{number} {words(result)}" for result, number in answer["tests"].items() if number]
    if tests:
        yield f"\nTest messages: {escaped(', '.join(tests))}\n"
    yield from _actions(document["hosts"])
    yield from _table("Why mail is delayed", _CAUSES, list(_causes(document["hosts"])))
    hosts = [
        (host["name"], host["version"] or "", HOST_WORDS[State(host["state"])])
        for host in document["hosts"]
    ]
    yield from _table("Hosts", ("host", "Exchange", "state"), hosts)
    open_ = (row for row in rows(document) if row.stuck or row.state not in _SETTLED)
    head = ("host", "domain", "state", "before", "after", "delayed", "error")
    yield from _table("Domains to look at", head, [_cells(row) for row in open_])


def _actions(hosts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the problems, each once with its hosts."""
    by_problem: dict[str, list[str]] = {}
    for host in hosts:
        for problem in host["problems"]:
            by_problem.setdefault(problem, []).append(host["name"])
    if by_problem:
        yield "\n### Action required\n\n"
    for problem, names in islice(by_problem.items(), MOST_ROWS):
        yield f"- **{escaped(listed(names))}**: {escaped(problem)}\n"
    if len(by_problem) > MOST_ROWS:
        yield f"- and {len(by_problem) - MOST_ROWS} more\n"


def _causes(hosts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield the causes of a diagnosis."""
    for host in hosts:
        for found in host.get("diagnosis") or ():
            for cause in found["causes"]:
                confidence = cause["confidence"] or "unknown"
                steps = " ".join(filter(None, (cause["next_step"], cause["alternative"])))
                yield host["name"], found["domain"], confidence, cause["text"], steps


def _cells(row: Row) -> tuple[str, ...]:
    state = DOMAIN_WORDS[State(row.state)] if row.state else "not listed"
    reason = f": {REASON_WORDS.get(row.reason, words(row.reason))}" if row.reason else ""
    delayed = ("yes" if row.delayed is None else str(row.delayed)) if row.stuck else ""
    before, after = ", ".join(row.before), ", ".join(row.after)
    return (row.host["name"], row.domain, state + reason, before, after, delayed, row.error)


def _table(title: str, head: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    if not cells:
        return
    yield f"\n### {title}\n\n"
    yield f"| {' | '.join(head)} |\n|{' --- |' * len(head)}\n"
    for row in cells[:MOST_ROWS]:
        yield f"| {' | '.join(map(escaped, row))} |\n"
    if len(cells) > MOST_ROWS:
        yield f"\nand {len(cells) - MOST_ROWS} more\n"


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    text = _SPECIAL.sub(r"\\\1", text)
    return "".join(_REFERENCES.get(character, character) for character in text)
