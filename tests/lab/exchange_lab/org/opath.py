# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of OPath that the queue cmdlets' Filter takes: comparisons joined by -and and -or.

Source: "Find queues and messages in queues in the Exchange Management Shell". Property names and
operators are without case, so are the texts compared; -and binds closer than -or.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOKEN = re.compile(
    r"""\s*(?:(?P<word>-[a-z]+)|(?P<quoted>'(?:[^']|'')*'|"[^"]*")|(?P<plain>[^\s'"()]+))""",
    re.IGNORECASE,
)


class BadFilterError(ValueError):
    """A filter that Exchange would not understand."""


def parse(text: str, properties: frozenset[str]) -> Callable[[Mapping[str, object]], bool]:
    """Turn a filter into a test of an object's properties; raises BadFilterError."""
    tokens = _tokens(text.strip().removeprefix("{").removesuffix("}"))
    names = {name.casefold(): name for name in properties}
    alternatives: list[list[tuple[str, str, str]]] = [[]]
    while tokens:
        if len(tokens) < 3:
            raise BadFilterError("A comparison needs a property, an operator and a value.")
        name, operator, value = tokens[:3]
        if name.casefold() not in names:
            raise BadFilterError(f"'{name}' isn't a filterable property.")
        alternatives[-1].append((names[name.casefold()], operator.lower(), value))
        tokens = tokens[3:]
        if tokens:
            joint = tokens.pop(0).lower()
            if joint not in ("-and", "-or") or not tokens:
                raise BadFilterError(f"'{joint}' isn't expected here.")
            if joint == "-or":
                alternatives.append([])
    return lambda have: any(
        all(_compare(have[name], operator, value) for name, operator, value in conjunction)
        for conjunction in alternatives
    )


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise BadFilterError(f"Invalid filter syntax near '{text[position:]}'.")
        quoted = match["quoted"]
        found.append(quoted[1:-1].replace("''", "'") if quoted else match[0].strip())
        position = match.end()
    if not found:
        raise BadFilterError("The filter is empty.")
    return found


def _compare(have: object, operator: str, value: str) -> bool:
    if operator in ("-gt", "-ge", "-lt", "-le"):
        try:
            left, right = int(str(have)), int(value)
        except ValueError:
            raise BadFilterError(f"'{value}' can't be compared by {operator}.") from None
        ordered = {
            "-gt": left > right,
            "-ge": left >= right,
            "-lt": left < right,
            "-le": left <= right,
        }
        return ordered[operator]
    text = "" if have is None else str(have)
    if operator == "-eq":
        return text.casefold() == value.casefold()
    if operator == "-ne":
        return text.casefold() != value.casefold()
    if operator in ("-like", "-notlike"):
        # Only "*" is a wildcard there.
        pattern = re.sub(r"([\[?])", r"[\1]", value.casefold())
        return fnmatch.fnmatchcase(text.casefold(), pattern) == (operator == "-like")
    raise BadFilterError(f"'{operator}' isn't a comparison operator.")
