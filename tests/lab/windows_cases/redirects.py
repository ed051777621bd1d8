# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redirects, pipes and long lines."""

from __future__ import annotations

from .case import case, wine
from .documents import FINDSTR, LINE_LIMIT, PARSER, REDIRECTS, SET

PINS = "&".join(f'>>"o.txt" echo +D{n}.EXAMPLE;192.0.2.{n};0' for n in range(9))
PINNED = "".join(f"+D{n}.EXAMPLE;192.0.2.{n};0\r\n" for n in range(9)).encode()
SHORT = "&".join(f">>o.txt echo line {n:03}" for n in range(200))
SHORT_FILE = "".join(f"line {n:03}\r\n" for n in range(200)).encode()
LONG = "&".join([f">>o.txt echo {'y' * 170}"] * 40)
LONG_FILE = (b"y" * 170 + b"\r\n") * 40

CASES = [
    case("to a file", "echo x>o.txt", after={"o.txt": b"x\r\n"}),
    case("to a file, with a blank before", "echo x >o.txt", after={"o.txt": b"x \r\n"}),
    case("to a file, with blanks around", "echo x > o.txt", after={"o.txt": b"x \r\n"}),
    case("to a file in quotes", 'echo x>"o p.txt"', after={"o p.txt": b"x\r\n"}),
    case("to a file in a folder", "md x&echo y>x\\o.txt", after={"x\\": b"", "x\\o.txt": b"y\r\n"}),
    case("to a file with its whole path", "echo x>{here}\\o.txt", after={"o.txt": b"x\r\n"}),
    case("to a file that is there", "echo x>f1.txt", after={"f1.txt": b"x\r\n"}),
    case("append", "echo x>o.txt&echo y>>o.txt", after={"o.txt": b"x\r\ny\r\n"}),
    case("append to a file that is there", "echo x>>f1.txt", after={"f1.txt": b"a\r\nx\r\n"}),
    case(
        "append without a line end before",
        "echo x>>o.txt",
        files={"o.txt": b"abc"},
        after={"o.txt": b"abcx\r\n"},
    ),
    case("redirect first", '>>"o.txt" echo x1', after={"o.txt": b"x1\r\n"}),
    case("redirect first, with blanks", '> "o.txt" echo x1', after={"o.txt": b"x1\r\n"}),
    case("redirect first keeps digits", ">>o.txt echo 0", after={"o.txt": b"0\r\n"}),
    case("redirect first keeps a trailing blank", ">o.txt echo a ", after={"o.txt": b"a \r\n"}),
    case("redirect in the middle", "echo a>o.txt b", after={"o.txt": b"a b\r\n"}),
    case("a digit in a word is no handle", "echo a0>o.txt", after={"o.txt": b"a0\r\n"}),
    case("digit after a blank is a handle", "echo a 2>o.txt", out="a \r\n", after={"o.txt": b""}),
    case(
        "digit after a semicolon is a handle",
        "echo a;0>>o.txt",
        out="a;\r\n",
        after={"o.txt": b""},
        differs=wine("files out", "takes it for text", PARSER),
    ),
    case("one is standard output", "echo a 1>o.txt", after={"o.txt": b"a \r\n"}),
    case("to nul", "echo a>nul"),
    case("to nul in any case", "echo a>NUL"),
    case("nothing to a file", "type nul>o.txt", after={"o.txt": b""}),
    case("empty line to a file", "echo.>o.txt", after={"o.txt": b"\r\n"}),
    case("empty line first", ">o.txt echo.", after={"o.txt": b"\r\n"}),
    case("errors to nul", "type nosuch 2>nul", code=1, level=1),
    case(
        "errors to a file are not output", "type f1.txt 2>o.txt", out="a\r\n", after={"o.txt": b""}
    ),
    case("errors to output, without errors", "type f1.txt 2>&1", out="a\r\n"),
    case("both to a file, without errors", "type f1.txt>o.txt 2>&1", after={"o.txt": b"a\r\n"}),
    case("both to nul", "type nosuch>nul 2>&1", code=1, level=1),
    case("output to errors", "echo a>&2", err="a\r\n"),
    case("output to errors, 1 given", "echo a 1>&2", err="a \r\n"),
    case(
        "output to errors to nul",
        "(echo a>&2) 2>nul",
        differs=wine("level", "fails at a redirect behind a block", PARSER),
    ),
    case("caret hides a redirect", "echo a^>o.txt", out="a>o.txt\r\n"),
    case("quotes hide a redirect", 'echo "a>o.txt"', out='"a>o.txt"\r\n'),
    case(
        "redirect of the first of two",
        "echo a>o.txt&echo b",
        out="b\r\n",
        after={"o.txt": b"a\r\n"},
    ),
    case(
        "redirect of the second of two",
        "echo a&echo b>o.txt",
        out="a\r\n",
        after={"o.txt": b"b\r\n"},
    ),
    case(
        "block to a file",
        "(echo a&echo b)>o.txt",
        after={"o.txt": b"a\r\nb\r\n"},
        differs=wine("files out", "takes a redirect behind a block for one of nothing", PARSER),
    ),
    case(
        "block appends to a file",
        "(echo a&echo b)>>f1.txt",
        after={"f1.txt": b"a\r\na\r\nb\r\n"},
        differs=wine("files out", "takes a redirect behind a block for one of nothing", PARSER),
    ),
    case(
        "redirect inside a block", "(echo a>o.txt&echo b)", out="b\r\n", after={"o.txt": b"a\r\n"}
    ),
    case("redirect of if", "if exist f1.txt echo a>o.txt", after={"o.txt": b"a\r\n"}),
    case(
        "redirect of a block behind if",
        "if exist f1.txt (echo a)>o.txt",
        after={"o.txt": b"a\r\n"},
        differs=wine("files out", "takes a redirect behind a block for one of nothing", PARSER),
    ),
    case(
        "redirect in a loop", "@for %I in (1 2) do @echo %I>>o.txt", after={"o.txt": b"1\r\n2\r\n"}
    ),
    case("call with a redirect", "call echo a>o.txt", after={"o.txt": b"a\r\n"}),
    case("nested shell to a file", "cmd /c echo a>o.txt", after={"o.txt": b"a\r\n"}),
    case("nested shell with its own redirect", 'cmd /c "echo a>o.txt"', after={"o.txt": b"a\r\n"}),
    case(
        "missing folder",
        "echo x>nosuchdir\\o.txt 2>nul",
        err="The system cannot find the path specified.\r\n",
        code=1,
    ),
    case(
        "a folder is no file",
        "md x&echo y>x 2>nul",
        err="Access is denied.\r\n",
        code=1,
        after={"x\\": b""},
    ),
    case("input from a file", 'find "two"<f2.txt', out="two\r\n"),
    case("input from nul", 'find "two"<nul', code=1, level=1),
    case(
        "input from a missing file",
        'find "two"<nosuch 2>nul',
        err="The system cannot find the file specified.\r\n",
        code=1,
    ),
    case(
        "set reads a line",
        "set /p X=<f2.txt",
        "echo [%X%]",
        out="[one]\r\n",
        differs=wine("out", "reads the whole file", SET),
    ),
    case("set shows a prompt", "set /p X=name: <f2.txt", out="name: "),
    case(
        "output and input",
        'find "two"<f2.txt>o.txt',
        after={"o.txt": b"two\r\n"},
        differs=wine("files", "loses the second redirect", REDIRECTS),
    ),
    case("type to a file", "type f2.txt>o.txt", after={"o.txt": b"one\r\ntwo\r\nthree\r\n"}),
    case(
        "type to a file and more",
        "type f2.txt>o.txt&type f1.txt>>o.txt",
        after={"o.txt": b"one\r\ntwo\r\nthree\r\na\r\n"},
    ),
    case("many lines to a file", PINS, after={"o.txt": PINNED}),
    case("pipe", "echo abc|more", out="abc\r\n", alone=True),
    case("pipe to find", 'type f2.txt|find "two"', out="two\r\n", alone=True),
    case(
        "pipe of a block",
        '(echo a&echo b)|find "b"',
        out="b\r\n",
        alone=True,
        differs=wine("out", "gives the program the input of the shell", REDIRECTS),
    ),
    case(
        "pipe to findstr",
        "type f2.txt|findstr two",
        out="two\r\n",
        alone=True,
        differs=wine("out", "has no findstr that works", FINDSTR),
    ),
    case("exit code of a pipe", 'type f2.txt|find "nosuch"', code=1, level=1, alone=True),
    case("pipe to a file", 'type f2.txt|find "two">o.txt', after={"o.txt": b"two\r\n"}, alone=True),
    case("a line of 2000 characters", "echo " + "x" * 1995, out="x" * 1995 + "\r\n"),
    case("a line of 8000 characters", "echo " + "x" * 7995, out="x" * 7995 + "\r\n"),
    case("the longest line", "echo " + "x" * 8186, out="x" * 8186 + "\r\n", alone=True),
    case(
        "one character too many",
        "echo " + "x" * 8187,
        err="The command line is too long.\r\n",
        code=1,
        level=1,
        alone=True,
        differs=wine("level out", "cuts the line", LINE_LIMIT),
    ),
    case(
        "a long line to a file", ">o.txt echo " + "x" * 7000, after={"o.txt": b"x" * 7000 + b"\r\n"}
    ),
    case("a line of 200 commands", SHORT, after={"o.txt": SHORT_FILE}),
    case("a line of 40 commands with long texts", LONG, after={"o.txt": LONG_FILE}),
]
