# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""REG QUERY."""

from __future__ import annotations

from .case import MISSING, Stored, bad_key, case, syntax, wine
from .documents import CLEARS, REG_QUERY, VALUE_TYPES, WINE_REG_TESTS

ONE: tuple[Stored, ...] = (("", "A", "REG_SZ", "x"),)
ALL: tuple[Stored, ...] = (
    ("", "Bin", "REG_BINARY", b"\x0a\xff"),
    ("", "Expand", "REG_EXPAND_SZ", r"%SystemRoot%\x"),
    ("", "Many", "REG_MULTI_SZ", ("a", "b")),
    ("", "Number", "REG_DWORD", 16),
    ("", "Text", "REG_SZ", "a  b"),
)
TREE: tuple[Stored, ...] = (
    *ONE,
    ("Sub", "B", "REG_SZ", "y"),
    (r"Sub\Deep", "C", "REG_DWORD", 1),
    ("Zub", "D", "REG_SZ", "z"),
)

CASES = [
    case(
        "query a key",
        "reg query {key}",
        out=(
            "\r\n{longkey}\r\n    Bin    REG_BINARY    0AFF\r\n"
            "    Expand    REG_EXPAND_SZ    %SystemRoot%\\x\r\n"
            "    Many    REG_MULTI_SZ    a\\0b\r\n    Number    REG_DWORD    0x10\r\n"
            "    Text    REG_SZ    a  b\r\n\r\n"
        ),
        values=ALL,
    ),
    case(
        "query a key in quotes",
        'reg query "{key}"',
        out=(
            "\r\n{longkey}\r\n    Bin    REG_BINARY    0AFF\r\n"
            "    Expand    REG_EXPAND_SZ    %SystemRoot%\\x\r\n"
            "    Many    REG_MULTI_SZ    a\\0b\r\n    Number    REG_DWORD    0x10\r\n"
            "    Text    REG_SZ    a  b\r\n\r\n"
        ),
        values=ALL,
    ),
    case(
        "query by the long name",
        "reg query {longkey}",
        out="\r\n{longkey}\r\n    A    REG_SZ    x\r\n\r\n",
        values=ONE,
    ),
    case(
        "query in other letters",
        "reg query {key}\\sUB",
        out="\r\n{longkey}\\sUB\r\n    B    REG_SZ    y\r\n\r\n{longkey}\\sUB\\Deep\r\n",
        values=TREE,
    ),
    case(
        "query with a backslash behind",
        "reg query {key}\\",
        out="\r\n{longkey}\r\n    A    REG_SZ    x\r\n\r\n",
        values=ONE,
    ),
    case(
        "query shows sub-keys",
        "reg query {key}",
        out="\r\n{longkey}\r\n    A    REG_SZ    x\r\n\r\n{longkey}\\Sub\r\n{longkey}\\Zub\r\n",
        values=TREE,
    ),
    case(
        "query of sub-keys only",
        "reg query {key}",
        out="\r\n{longkey}\\Sub1\r\n{longkey}\\Sub2\r\n",
        values=(("Sub1", "", "", ""), ("Sub2", "", "", "")),
        stored=(("", "", "", ""), ("Sub1", "", "", ""), ("Sub2", "", "", "")),
    ),
    case("query an empty key", "reg query {key}", out="\r\n", values=(("", "", "", ""),)),
    case(
        "query all below",
        "reg query {key} /s",
        out=(
            "\r\n{longkey}\r\n    A    REG_SZ    x\r\n\r\n{longkey}\\Sub\r\n"
            "    B    REG_SZ    y\r\n\r\n{longkey}\\Sub\\Deep\r\n    C    REG_DWORD    0x1\r\n"
            "\r\n{longkey}\\Zub\r\n    D    REG_SZ    z\r\n\r\n"
        ),
        values=TREE,
    ),
    case(
        "query all below, keys without values",
        "reg query {key} /s",
        out="\r\n{longkey}\\Sub1\r\n\r\n{longkey}\\Sub2\r\n\r\n",
        values=(("Sub1", "", "", ""), ("Sub2", "", "", "")),
        stored=(("", "", "", ""), ("Sub1", "", "", ""), ("Sub2", "", "", "")),
    ),
    case(
        "query all below, values at the end",
        "reg query {key} /s",
        out="\r\n{longkey}\\Sub\r\n\r\n{longkey}\\Sub\\Deep\r\n    A    REG_SZ    x\r\n\r\n",
        values=(("Sub\\Deep", "A", "REG_SZ", "x"),),
        stored=(("", "", "", ""), ("Sub", "", "", ""), ("Sub\\Deep", "A", "REG_SZ", "x")),
    ),
    case("query a missing key", "reg query {key}", err=MISSING, code=1, level=1),
    case(
        "query a missing key below",
        "reg query {key}\\nosuch",
        err=MISSING,
        code=1,
        level=1,
        values=ONE,
    ),
    case(
        "query a value",
        "reg query {key} /v A",
        out="\r\n{longkey}\r\n    A    REG_SZ    x\r\n\r\n",
        values=ONE,
    ),
    case(
        "query a value, switch first",
        "reg query /v A {key}",
        err=syntax("QUERY"),
        code=1,
        level=1,
        values=ONE,
    ),
    case(
        "query a value in other letters",
        "reg query {key} /v a",
        out="\r\n{longkey}\r\n    a    REG_SZ    x\r\n\r\n",
        values=ONE,
    ),
    case(
        "query a missing value",
        "reg query {key} /v nosuch>nul",
        err=MISSING,
        code=1,
        level=1,
        values=ONE,
    ),
    case("query a value of a missing key", "reg query {key} /v A", err=MISSING, code=1, level=1),
    case(
        "query a value with a blank",
        'reg query {key} /v "A b"',
        out="\r\n{longkey}\r\n    A b    REG_SZ    x\r\n\r\n",
        values=(("", "A b", "REG_SZ", "x"),),
    ),
    case(
        "query a value below",
        "reg query {key} /v B /s",
        out=(
            "\r\n{longkey}\\Sub\r\n    B    REG_SZ    y\r\n\r\n"
            "End of search: 1 match(es) found.\r\n"
        ),
        values=TREE,
        differs=wine("out", "words the last line otherwise", REG_QUERY),
    ),
    case(
        "query the default value",
        "reg query {key} /ve",
        out="\r\n{longkey}\r\n    (Default)    REG_SZ    x\r\n\r\n",
        values=(("", "", "REG_SZ", "x"),),
    ),
    case("query the default value that is not set", "reg query {key} /ve>nul", values=ONE),
    case(
        "query a key with a default value",
        "reg query {key}",
        out="\r\n{longkey}\r\n    (Default)    REG_SZ    x\r\n    A    REG_SZ    x\r\n\r\n",
        values=(("", "", "REG_SZ", "x"), ("", "A", "REG_SZ", "x")),
    ),
    case(
        "query empty data",
        "reg query {key}",
        out="\r\n{longkey}\r\n    A    REG_SZ    \r\n\r\n",
        values=(("", "A", "REG_SZ", ""),),
    ),
    case(
        "query empty binary data",
        "reg query {key}",
        out="\r\n{longkey}\r\n    A    REG_BINARY    \r\n\r\n",
        values=(("", "A", "REG_BINARY", b""),),
    ),
    case(
        "query an empty list",
        "reg query {key}",
        out="\r\n{longkey}\r\n    A    REG_MULTI_SZ    \r\n\r\n",
        values=(("", "A", "REG_MULTI_SZ", ()),),
    ),
    case(
        "query a list of one",
        "reg query {key}",
        out="\r\n{longkey}\r\n    A    REG_MULTI_SZ    one\r\n\r\n",
        values=(("", "A", "REG_MULTI_SZ", ("one",)),),
    ),
    case(
        "query a number of nought",
        "reg query {key}",
        out="\r\n{longkey}\r\n    A    REG_DWORD    0x0\r\n\r\n",
        values=(("", "A", "REG_DWORD", 0),),
    ),
    case(
        "query the largest number",
        "reg query {key}",
        out="\r\n{longkey}\r\n    A    REG_DWORD    0xffffffff\r\n\r\n",
        values=(("", "A", "REG_DWORD", 4294967295),),
    ),
    case(
        "query a long number",
        "reg query {key}",
        out="\r\n{longkey}\r\n    A    REG_QWORD    0x10000000000\r\n\r\n",
        values=(("", "A", "REG_QWORD", 1099511627776),),
        differs=wine("out", "does not show it", VALUE_TYPES),
    ),
    case(
        "query unexpanded data",
        "reg query {key} /v A",
        out="\r\n{longkey}\r\n    A    REG_EXPAND_SZ    %TEMP%\r\n\r\n",
        values=(("", "A", "REG_EXPAND_SZ", "%TEMP%"),),
    ),
    case(
        "query data with quotes",
        "reg query {key}",
        out='\r\n{longkey}\r\n    A    REG_SZ    say "a"\r\n\r\n',
        values=(("", "A", "REG_SZ", 'say "a"'),),
    ),
    case(
        "query data that ends in a backslash",
        "reg query {key}",
        out="\r\n{longkey}\r\n    A    REG_SZ    C:\\\r\n\r\n",
        values=(("", "A", "REG_SZ", "C:\\"),),
    ),
    case(
        "query data with blanks around",
        "reg query {key}",
        out="\r\n{longkey}\r\n    A    REG_SZ      x  \r\n\r\n",
        values=(("", "A", "REG_SZ", "  x  "),),
    ),
    case(
        "query long data",
        "reg query {key}",
        out="\r\n{longkey}\r\n    A    REG_SZ    " + "x" * 5000 + "\r\n\r\n",
        values=(("", "A", "REG_SZ", "x" * 5000),),
    ),
    case(
        "query bytes without a type",
        "reg query {key}",
        out="\r\n{longkey}\r\n    A    REG_NONE    0102\r\n\r\n",
        values=(("", "A", "REG_NONE", b"\x01\x02"),),
    ),
    case(
        "query a name that looks like a type",
        "reg query {key}",
        out="\r\n{longkey}\r\n    REG_SZ    REG_SZ    REG_DWORD\r\n\r\n",
        values=(("", "REG_SZ", "REG_SZ", "REG_DWORD"),),
    ),
    case(
        "query shows the stored spelling",
        "reg query {key}",
        out="\r\n{longkey}\r\n    disableRESOLVERsearchlist    REG_DWORD    0x1\r\n\r\n",
        values=(("", "disableRESOLVERsearchlist", "REG_DWORD", 1),),
    ),
    case(
        "query in the order of making",
        "reg query {key}",
        out="\r\n{longkey}\r\n    B    REG_SZ    1\r\n    A    REG_SZ    2\r\n\r\n",
        values=(("", "B", "REG_SZ", "1"), ("", "A", "REG_SZ", "2")),
        differs=wine("out", "sorts values by name", WINE_REG_TESTS),
    ),
    case("query of nothing", "reg query", err=syntax("QUERY"), code=1, level=1),
    case("query of no root", "reg query HKXX\\Software", err=bad_key("QUERY"), code=1, level=1),
    case(
        "query of a wrong switch",
        "reg query {key} /nosuch",
        err=syntax("QUERY"),
        code=1,
        level=1,
        values=ONE,
    ),
    case(
        "query of /v without a name",
        "reg query {key} /v",
        err=syntax("QUERY"),
        code=1,
        level=1,
        values=ONE,
    ),
    case(
        "query of /v and /ve",
        "reg query {key} /v A /ve",
        err=syntax("QUERY"),
        code=1,
        level=1,
        values=ONE,
    ),
    case(
        "query of two keys",
        "reg query {key} {key}",
        err=syntax("QUERY"),
        code=1,
        level=1,
        values=ONE,
    ),
    case(
        "query into a file",
        "reg query {key}>o.txt",
        after={"o.txt": "\r\n{longkey}\r\n    A    REG_SZ    x\r\n\r\n"},
        values=ONE,
    ),
    case(
        "marker after reg",
        "echo #q&reg query {key} 2>&1&call echo #rc %^errorlevel%",
        out="#q\r\n\r\n{longkey}\r\n    A    REG_SZ    x\r\n\r\n#rc 0\r\n",
        values=ONE,
    ),
    case(
        "marker after reg that fails",
        "echo #q&reg query {key} >nul 2>nul&call echo #rc %^errorlevel%",
        out="#q\r\n#rc 1\r\n",
        differs=wine("level", "lets call leave it alone", CLEARS),
    ),
    case(
        "or after reg that fails",
        "reg query {key} >nul 2>nul||echo missing",
        out="missing\r\n",
        level=1,
    ),
]
