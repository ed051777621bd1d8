# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""REG DELETE."""

from __future__ import annotations

from .case import DONE, MISSING, case, syntax
from .reg_query import ALL, ONE, TREE

CASES = [
    case(
        "delete a value",
        "reg delete {key} /v A /f",
        out=DONE,
        values=(*ALL, ("", "A", "REG_SZ", "x")),
        stored=ALL,
    ),
    case(
        "delete a value in other letters",
        "reg delete {key} /v tEXT /f",
        out=DONE,
        values=ALL,
        stored=(
            ("", "Bin", "REG_BINARY", b"\n\xff"),
            ("", "Expand", "REG_EXPAND_SZ", "%SystemRoot%\\x"),
            ("", "Many", "REG_MULTI_SZ", ("a", "b")),
            ("", "Number", "REG_DWORD", 16),
        ),
    ),
    case(
        "delete a value with a blank",
        'reg delete {key} /v "A b" /f',
        out=DONE,
        values=(("", "A", "REG_SZ", "x"), ("", "A b", "REG_SZ", "y")),
        stored=ONE,
    ),
    case(
        "delete a missing value",
        "reg delete {key} /v nosuch /f",
        err=MISSING,
        code=1,
        level=1,
        values=ONE,
    ),
    case(
        "delete a value of a missing key", "reg delete {key} /v A /f", err=MISSING, code=1, level=1
    ),
    case(
        "delete the default value",
        "reg delete {key} /ve /f",
        out=DONE,
        values=(("", "", "REG_SZ", "x"), ("", "A", "REG_SZ", "x")),
        stored=ONE,
    ),
    case(
        "delete the default value that is not set",
        "reg delete {key} /ve /f",
        err=MISSING,
        code=1,
        level=1,
        values=ONE,
    ),
    case(
        "delete all values",
        "reg delete {key} /va /f",
        out=DONE,
        values=TREE,
        stored=(
            ("", "", "", ""),
            ("Sub", "B", "REG_SZ", "y"),
            ("Sub\\Deep", "C", "REG_DWORD", 1),
            ("Zub", "D", "REG_SZ", "z"),
        ),
    ),
    case(
        "delete a key",
        "reg delete {key}\\Sub /f",
        out=DONE,
        values=TREE,
        stored=(("", "A", "REG_SZ", "x"), ("Zub", "D", "REG_SZ", "z")),
    ),
    case("delete a whole key", "reg delete {key} /f", out=DONE, values=TREE, stored=()),
    case(
        "delete a missing key",
        "reg delete {key}\\nosuch /f",
        err=MISSING,
        code=1,
        level=1,
        values=ONE,
    ),
    case("delete of nothing", "reg delete", err=syntax("DELETE"), code=1, level=1),
    case(
        "delete with /v and /va",
        "reg delete {key} /v A /va /f",
        err=syntax("DELETE"),
        code=1,
        level=1,
        values=ONE,
    ),
    case(
        "delete of a wrong switch",
        "reg delete {key} /v A /x",
        err=syntax("DELETE"),
        code=1,
        level=1,
        values=ONE,
    ),
    case("wrong verb", "reg nosuch {key}", err=syntax(""), code=1, level=1),
    case("reg alone", "reg", err=syntax(""), code=1, level=1),
]
