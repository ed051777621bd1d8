# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DIR /B, CD, MD and RD."""

from __future__ import annotations

from .case import case, wine
from .documents import UNDOCUMENTED, WINE_TESTS
from .files import TREE

CASES = [
    case("dir bare", "dir /b", out="f1.txt\r\nf2.txt\r\nwith space.txt\r\n"),
    case("dir bare, switch behind", "dir *.txt /b", out="f1.txt\r\nf2.txt\r\nwith space.txt\r\n"),
    case("dir bare pattern", "dir /b f*", out="f1.txt\r\nf2.txt\r\n"),
    case("dir bare quoted", 'dir /b "with space.txt"', out="with space.txt\r\n"),
    case("dir bare of a file", "dir /b f1.txt", out="f1.txt\r\n"),
    case("dir bare of a folder", "dir /b d", out="c.txt\r\ne\r\n", files=TREE),
    case("dir bare of a folder in quotes", 'dir /b "{here}\\d"', out="c.txt\r\ne\r\n", files=TREE),
    case("dir bare with folders", "dir /b", out="a.txt\r\nb.dat\r\nd\r\n", files=TREE),
    case("dir bare of files only", "dir /b /a-d", out="a.txt\r\nb.dat\r\n", files=TREE),
    case("dir bare of folders only", "dir /b /ad", out="d\r\n", files=TREE),
    case(
        "dir bare of all below",
        "dir /b /s",
        out=(
            "{here}\\a.txt\r\n{here}\\b.dat\r\n{here}\\d\r\n{here}\\d\\c.txt\r\n"
            "{here}\\d\\e\r\n{here}\\d\\e\\f.txt\r\n"
        ),
        files=TREE,
    ),
    case(
        "dir bare of all below by pattern",
        "dir /b /s *.txt",
        out="{here}\\a.txt\r\n{here}\\d\\c.txt\r\n{here}\\d\\e\\f.txt\r\n",
        files=TREE,
    ),
    case("dir bare by name backwards", "dir /b /o-n", out="with space.txt\r\nf2.txt\r\nf1.txt\r\n"),
    case("dir bare by size", "dir /b /os", out="f1.txt\r\nwith space.txt\r\nf2.txt\r\n"),
    case("dir bare by size backwards", "dir /b /o-s", out="f2.txt\r\nwith space.txt\r\nf1.txt\r\n"),
    case("dir bare missing", "dir /b nosuch 2>nul", code=1, level=1),
    case("dir bare missing in a missing folder", "dir /b nosuchdir\\x 2>nul", code=1, level=1),
    case("dir bare missing pattern", "dir /b *.nosuch 2>nul", code=1, level=1),
    case(
        "dir bare of an empty folder",
        "md x&dir /b x 2>nul",
        code=1,
        level=1,
        after={"x\\": b""},
        differs=wine("level", "calls it success", UNDOCUMENTED),
    ),
    case("dir bare without case", "dir /b F1.TXT", out="f1.txt\r\n"),
    case("cd", "cd ..&cd", out="C:\\cases\r\n"),
    case("cd shows the folder", "cd", out="{here}\r\n"),
    case("cd to the root", "cd \\&cd", out="C:\\\r\n"),
    case("cd to a folder", "cd d&cd", out="{here}\\d\r\n", files=TREE),
    case("cd quoted", 'md "x y"&cd "x y"&cd', out="{here}\\x y\r\n", after={"x y\\": b""}),
    case(
        "cd to a name with a blank",
        'md "x y"&cd x y&cd',
        out="{here}\\x y\r\n",
        after={"x y\\": b""},
    ),
    case("cd with its drive", "cd /d C:\\&cd", out="C:\\\r\n"),
    case("cd two up", "cd ..\\..&cd", out="C:\\\r\n"),
    case("cd without a blank", "cd..&cd", out="C:\\cases\r\n"),
    case("cd in the case of the disk", "cd D&cd", out="{here}\\d\r\n", files=TREE),
    case("cd missing", "cd nosuch 2>nul", code=1, level=1),
    case("cd to a file", "cd f1.txt 2>nul", code=1, level=1),
    case("pushd and popd", "pushd d&cd&popd&cd", out="{here}\\d\r\n{here}\r\n", files=TREE),
    case("pushd missing", "pushd nosuch 2>nul", code=1, level=1),
    case("md", "md x", after={"x\\": b""}),
    case("mkdir", "mkdir x", after={"x\\": b""}),
    case("md quoted", 'md "x y"', after={"x y\\": b""}),
    case("md two", "md x y", after={"x\\": b"", "y\\": b""}),
    case("md makes parents", "md x\\y\\z", after={"x\\": b"", "x\\y\\": b"", "x\\y\\z\\": b""}),
    case("md with a backslash behind", "md x\\", after={"x\\": b""}),
    case("md of what is there", "md x&md x 2>nul", code=1, level=1, after={"x\\": b""}),
    case("md of a file", "md f1.txt 2>nul", code=1, level=1),
    case("rd", "md x&rd x"),
    case("rmdir", "md x&rmdir x"),
    case("rd two", "md x y&rd x y"),
    case("rd missing", "rd nosuch 2>nul", code=2),
    case(
        "rd missing, seen by or",
        "rd nosuch 2>nul||echo failed",
        out="failed\r\n",
        level=2,
        differs=wine("level", "leaves ERRORLEVEL alone", WINE_TESTS),
    ),
    case("rd not empty", "rd d 2>nul", code=145, files=TREE),
    case(
        "rd with all below",
        "rd /s /q d",
        files=TREE,
        after={"d\\c.txt": None, "d\\e\\f.txt": None, "d\\": None, "d\\e\\": None},
    ),
    case("rd of a file", "rd f1.txt 2>nul", code=2),
    case(
        "md and rd",
        "md x\\y&if exist x\\y echo made&rd x\\y&if not exist x\\y echo gone",
        out="made\r\ngone\r\n",
        after={"x\\": b""},
    ),
    case(
        "ren of a folder to a folder that is there",
        "md x&md y&ren x y 2>nul",
        code=1,
        level=1,
        after={"x\\": b"", "y\\": b""},
    ),
    case(
        "ren of a folder with a file in it",
        "md x&type nul>x\\a&ren x y",
        after={"y\\": b"", "y\\a": b""},
    ),
    case(
        "ren of a folder to a folder with a file in it",
        "md x&md y&type nul>y\\a&ren x y 2>nul",
        code=1,
        level=1,
        after={"x\\": b"", "y\\": b"", "y\\a": b""},
    ),
    case("ren with a whole path", 'md x&ren "{here}\\x" y', after={"y\\": b""}),
    case(
        "ren of a file to a long name",
        'ren f1.txt "0123456789abcdef_2026-11-23T161719Z_2026-11-23T163219Z_controller"',
        after={
            "0123456789abcdef_2026-11-23T161719Z_2026-11-23T163219Z_controller": b"a\r\n",
            "f1.txt": None,
        },
    ),
    case(
        "rd of a folder with a file in it, fenced",
        "md x&type nul>x\\a&(if exist x rd x 2>nul)&if exist x echo kept",
        out="kept\r\n",
        after={"x\\": b"", "x\\a": b""},
    ),
    case(
        "make a path in a folder with a blank",
        'mkdir "a b\\c d"&type nul>"a b\\c d\\e f"',
        after={"a b\\": b"", "a b\\c d\\": b"", "a b\\c d\\e f": b""},
    ),
    case("del of an empty file", "type nul>o.txt&del o.txt"),
]
