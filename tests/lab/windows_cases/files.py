# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TYPE, COPY, MOVE, REN and DEL."""

from __future__ import annotations

from collections.abc import Mapping

from .case import Content, case, wine
from .documents import COPY, MOVE, TYPE, WINE_TESTS

TREE: Mapping[str, Content] = {
    "a.txt": b"a\r\n",
    "b.dat": b"b\r\n",
    "d\\c.txt": b"c\r\n",
    "d\\e\\f.txt": b"f\r\n",
}

CASES = [
    case("type", "type f1.txt", out="a\r\n"),
    case("type quoted", 'type "with space.txt"', out="spaced\r\n"),
    case("type with its whole path", 'type "{here}\\f1.txt"', out="a\r\n"),
    case("type with slashes in quotes", 'type "{here}/f1.txt"', out="a\r\n"),
    case("type by a drive without a folder", "type C:f1.txt", out="a\r\n"),
    case(
        "type with dots in the path",
        "type ..\\..\\cases\\.\\..\\cases\\f1.txt 2>nul",
        code=1,
        level=1,
    ),
    case(
        "type from the folder above", "md x&cd x&type ..\\f1.txt", out="a\r\n", after={"x\\": b""}
    ),
    case("file names have no case", "type F1.TXT", out="a\r\n"),
    case("folders have no case", "type D\\C.TXT", out="c\r\n", files=TREE),
    case("type nul", "type nul"),
    case("type missing", "type nosuch 2>nul", code=1, level=1),
    case(
        "type missing to output",
        "type nosuch 2>&1",
        out="The system cannot find the file specified.\r\n",
        code=1,
        level=1,
        differs=wine("out", "words it otherwise", TYPE),
    ),
    case("type in missing folder", "type nosuchdir\\x 2>nul", code=1, level=1),
    case("type a folder", "md x&type x 2>nul", code=1, level=1, after={"x\\": b""}),
    case("type two files", "type f1.txt f2.txt 2>nul", out="a\r\none\r\ntwo\r\nthree\r\n"),
    case(
        "type by wildcard",
        "type f*.txt 2>nul",
        out="a\r\none\r\ntwo\r\nthree\r\n",
        differs=wine("level out", "takes no wildcards", WINE_TESTS),
    ),
    case(
        "type without a name",
        "type 2>nul",
        code=1,
        level=1,
        differs=wine("level", "calls it success", WINE_TESTS),
    ),
    case("copy", "copy f1.txt o.txt>nul", after={"o.txt": b"a\r\n"}),
    case(
        "copy says so",
        "copy f1.txt o.txt",
        out="        1 file(s) copied.\r\n",
        after={"o.txt": b"a\r\n"},
        differs=wine("out", "says nothing", COPY),
    ),
    case("copy quoted", 'copy "with space.txt" "o p.txt">nul', after={"o p.txt": b"spaced\r\n"}),
    case(
        "copy binary over what is there",
        "copy /b /y f2.txt f1.txt>nul",
        after={"f1.txt": b"one\r\ntwo\r\nthree\r\n"},
    ),
    case(
        "copy with the switch behind",
        "copy f2.txt f1.txt /y>nul",
        after={"f1.txt": b"one\r\ntwo\r\nthree\r\n"},
    ),
    case("copy into a folder", "md x&copy f1.txt x>nul", after={"x\\": b"", "x\\f1.txt": b"a\r\n"}),
    case(
        "copy into a folder with a backslash",
        "md x&copy f1.txt x\\>nul",
        after={"x\\": b"", "x\\f1.txt": b"a\r\n"},
    ),
    case(
        "copy under another name",
        "md x&copy f1.txt x\\o.txt>nul",
        after={"x\\": b"", "x\\o.txt": b"a\r\n"},
    ),
    case(
        "copy by wildcard",
        "md x&copy f*.txt x>nul",
        after={"x\\": b"", "x\\f1.txt": b"a\r\n", "x\\f2.txt": b"one\r\ntwo\r\nthree\r\n"},
    ),
    case("copy from another folder", "copy d\\c.txt>nul", files=TREE, after={"c.txt": b"c\r\n"}),
    case("copy nothing to a file", "copy nul o.txt>nul", after={"o.txt": b""}),
    case("copy an empty file", "copy e.txt o.txt>nul", files={"e.txt": b""}, after={"o.txt": b""}),
    case("copy to nul", "copy f1.txt nul>nul"),
    case("copy missing", "copy nosuch o.txt>nul 2>nul", code=1, level=1),
    case("copy missing by wildcard", "copy *.nosuch o.txt>nul 2>nul", code=1, level=1),
    case("copy into a missing folder", "copy f1.txt nosuchdir\\o.txt>nul 2>nul", code=1, level=1),
    case("copy onto itself", "copy /y f1.txt f1.txt>nul 2>nul", code=1, level=1),
    case(
        "copy joins, binary",
        "copy /b f1.txt+f2.txt o.txt>nul",
        after={"o.txt": b"a\r\none\r\ntwo\r\nthree\r\n"},
    ),
    case(
        "copy joins, as text",
        "copy f1.txt+f2.txt o.txt>nul",
        after={"o.txt": b"a\r\none\r\ntwo\r\nthree\r\n\x1a"},
    ),
    case("copy without a name", "copy 2>nul", code=1, level=1),
    case("move", "move f1.txt o.txt>nul", after={"o.txt": b"a\r\n", "f1.txt": None}),
    case(
        "move says so",
        "move f1.txt o.txt",
        out="        1 file(s) moved.\r\n",
        after={"o.txt": b"a\r\n", "f1.txt": None},
        differs=wine("out", "says nothing", MOVE),
    ),
    case(
        "move quoted",
        'move "with space.txt" "o p.txt">nul',
        after={"o p.txt": b"spaced\r\n", "with space.txt": None},
    ),
    case(
        "move over what is there",
        "move /y f1.txt f2.txt>nul",
        after={"f2.txt": b"a\r\n", "f1.txt": None},
    ),
    case(
        "move into a folder",
        "md x&move f1.txt x>nul",
        after={"x\\": b"", "x\\f1.txt": b"a\r\n", "f1.txt": None},
    ),
    case(
        "move by wildcard",
        "md x&move f*.txt x>nul",
        after={
            "x\\": b"",
            "x\\f1.txt": b"a\r\n",
            "x\\f2.txt": b"one\r\ntwo\r\nthree\r\n",
            "f1.txt": None,
            "f2.txt": None,
        },
    ),
    case(
        "move a folder",
        "move d g>nul",
        files=TREE,
        after={
            "g\\": b"",
            "g\\c.txt": b"c\r\n",
            "g\\e\\": b"",
            "g\\e\\f.txt": b"f\r\n",
            "d\\c.txt": None,
            "d\\e\\f.txt": None,
            "d\\": None,
            "d\\e\\": None,
        },
    ),
    case(
        "move missing",
        "move nosuch o.txt>nul 2>nul",
        code=1,
        level=1,
        differs=wine("level", "calls it success", WINE_TESTS),
    ),
    case("move into a missing folder", "move f1.txt nosuchdir\\o.txt>nul 2>nul", code=1, level=1),
    case("ren", "ren f1.txt o.txt", after={"o.txt": b"a\r\n", "f1.txt": None}),
    case(
        "ren of a folder",
        "ren d g",
        files=TREE,
        after={
            "g\\": b"",
            "g\\c.txt": b"c\r\n",
            "g\\e\\": b"",
            "g\\e\\f.txt": b"f\r\n",
            "d\\c.txt": None,
            "d\\e\\f.txt": None,
            "d\\": None,
            "d\\e\\": None,
        },
    ),
    case(
        "ren in another folder",
        "ren d\\c.txt g.txt",
        files=TREE,
        after={"d\\g.txt": b"c\r\n", "d\\c.txt": None},
    ),
    case(
        "ren missing",
        "ren nosuch o.txt 2>nul",
        code=1,
        level=1,
        differs=wine("level", "calls it success", WINE_TESTS),
    ),
    case("ren to what is there", "ren f1.txt f2.txt 2>nul", code=1, level=1),
    case("ren to another folder", "ren f1.txt x\\f1.txt 2>nul", code=1, level=1),
    case("del", "del f1.txt", after={"f1.txt": None}),
    case("del quoted", 'del "with space.txt"', after={"with space.txt": None}),
    case("del several", "del f1.txt f2.txt", after={"f1.txt": None, "f2.txt": None}),
    case("del by wildcard", "del f*.txt", after={"f1.txt": None, "f2.txt": None}),
    case(
        "del quietly by wildcard",
        "del /q *.*",
        after={"f1.txt": None, "f2.txt": None, "with space.txt": None},
    ),
    case("del in a folder", "del d\\c.txt", files=TREE, after={"d\\c.txt": None}),
    case("del of a folder's files", "del /q d", files=TREE, after={"d\\c.txt": None}),
    case(
        "del in all folders",
        "del /s /q *.txt>nul",
        files=TREE,
        after={"a.txt": None, "d\\c.txt": None, "d\\e\\f.txt": None},
    ),
    case("del missing", "del nosuch 2>nul"),
    case("del in missing folder", "del nosuchdir\\x 2>nul", code=1),
    case(
        "del without a name",
        "del 2>nul",
        code=1,
        level=1,
        differs=wine("level", "calls it success", WINE_TESTS),
    ),
    case("erase", "erase f1.txt", after={"f1.txt": None}),
]
