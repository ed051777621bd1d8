# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IF and FOR."""

from __future__ import annotations

from .case import case, wine
from .documents import CLEARS, FOR, PARSER

CASES = [
    case("if exist", "if exist f1.txt echo yes", out="yes\r\n"),
    case("if exist wildcard", "if exist f?.txt echo yes", out="yes\r\n"),
    case("if exist quoted", 'if exist "with space.txt" echo yes', out="yes\r\n"),
    case("if not exist", "if not exist nosuch echo no", out="no\r\n"),
    case("if exist in a missing folder", "if exist nosuchdir\\x echo yes"),
    case("if exist folder", "if exist {here} echo yes", out="yes\r\n"),
    case("if exist folder in quotes", 'if exist "{here}" echo yes', out="yes\r\n"),
    case("if exist nul trick", "if exist {here}\\nul echo yes", out="yes\r\n"),
    case("if else", "if exist nosuch (echo a) else echo b", out="b\r\n"),
    case("if else blocks", "if exist f1.txt (echo a) else (echo b)", out="a\r\n"),
    case(
        "else without a block is text",
        "if exist f1.txt echo a else echo b",
        out="a else echo b\r\n",
    ),
    case("if governs the rest of the line", "if exist nosuch echo a & echo b"),
    case(
        "if that holds governs the rest, too", "if exist f1.txt echo a & echo b", out="a \r\nb\r\n"
    ),
    case("if in brackets governs itself", "(if exist nosuch echo a)&echo b", out="b\r\n"),
    case("if in if", 'if exist "f1.txt" if exist "f2.txt" echo both', out="both\r\n"),
    case("if equal", 'if "a b"=="a b" echo same', out="same\r\n"),
    case("if not equal", "if not a==b echo differ", out="differ\r\n"),
    case("if equal with case", "if A==a echo same"),
    case("if equal without case", "if /i A==a echo same", out="same\r\n"),
    case("if not equal without case", "if /i not A==b echo differ", out="differ\r\n"),
    case("if defined", "set LABX=1&if defined LABX echo yes", out="yes\r\n"),
    case("if not defined", "if not defined NOSUCH echo no", out="no\r\n"),
    case("numbers compare as numbers", "if 2 LSS 10 echo less", out="less\r\n"),
    case("numbers compare as numbers the other way", "if 10 GTR 9 echo more", out="more\r\n"),
    case("numbers that are equal", "if 10 EQU 10 echo same", out="same\r\n"),
    case("numbers that are not", "if 10 NEQ 9 echo differ", out="differ\r\n"),
    case("numbers at most", "if 10 LEQ 10 echo most", out="most\r\n"),
    case("words compare as text", "if a LSS b echo less", out="less\r\n"),
    case("words compare with case", "if A EQU a echo same"),
    case("words compare without case", "if /i A EQU a echo same", out="same\r\n"),
    case("for", "@for %I in (a b,c) do @echo %I", out="a\r\nb\r\nc\r\n"),
    case("for semicolons", "@for %I in (a;b) do @echo %I", out="a\r\nb\r\n"),
    case("for files", "@for %I in (f*.txt) do @echo %I", out="f1.txt\r\nf2.txt\r\n"),
    case("for no files", "@for %I in (*.nosuch) do @echo %I"),
    case(
        "for parts",
        "@for %I in (f2.txt) do @echo %~nI %~xI %~nxI %~zI %~dI %~fI",
        out="f2 .txt f2.txt 17 C: {here}\\f2.txt\r\n",
    ),
    case("for path", "@for %I in (f2.txt) do @echo %~dpI", out="{here}\\\r\n"),
    case(
        "for quoted", '@for %I in ("with space.txt") do @echo %~zI %I', out='8 "with space.txt"\r\n'
    ),
    case("for unquoted", '@for %I in ("with space.txt") do @echo %~I', out="with space.txt\r\n"),
    case("for missing file", "@for %I in (nosuch) do @echo [%~zI]", out="[]\r\n"),
    case("for size", 'for %I in ("f1.txt") do @echo size=%~zI', out="size=3\r\n"),
    case(
        "for size of an empty file",
        "type nul>o.txt",
        'for %I in ("o.txt") do @echo size=%~zI',
        out="size=0\r\n",
        after={"o.txt": b""},
    ),
    case(
        "for governs the rest",
        "@for %I in (1 2) do @echo %I& @echo x%I",
        out="1\r\nx1\r\n2\r\nx2\r\n",
        differs=wine("out", "ends the loop at the ampersand", FOR),
    ),
    case(
        "for with a block",
        "@for %I in (1 2) do @(echo %I&echo x%I)",
        out="1\r\nx1\r\n2\r\nx2\r\n",
        differs=wine("out", "runs the end of the block only", FOR),
    ),
    case("for in for", "@for %I in (a) do @for %J in (b c) do @echo %I%J", out="ab\r\nac\r\n"),
    case(
        "for letters have case",
        "@for %I in (a) do @echo %i %I",
        out="%i a\r\n",
        differs=wine("out", "takes %i % for a variable of the environment", FOR),
    ),
    case("for numbers", "@for /l %I in (1,1,3) do @echo %I", out="1\r\n2\r\n3\r\n"),
    case("for numbers down", "@for /l %I in (3,-1,1) do @echo %I", out="3\r\n2\r\n1\r\n"),
    case("for no numbers", "@for /l %I in (1,1,0) do @echo %I"),
    case("for lines", '@for /f "tokens=1,2 delims==" %I in ("a=b") do @echo %J%I', out="ba\r\n"),
    case(
        "for words and the rest",
        '@for /f "tokens=1*" %I in ("a b c") do @echo [%I][%J]',
        out="[a][b c]\r\n",
    ),
    case(
        "for lines of a file",
        "@for /f %I in (f2.txt) do @echo [%I]",
        out="[one]\r\n[two]\r\n[three]\r\n",
    ),
    case(
        "for lines of a file after the first",
        '@for /f "skip=1" %I in (f2.txt) do @echo [%I]',
        out="[two]\r\n[three]\r\n",
    ),
    case("for whole lines", '@for /f "delims=" %I in ("a b") do @echo [%I]', out="[a b]\r\n"),
    case("for lines of a command", "@for /f %I in ('echo a b') do @echo [%I]", out="[a]\r\n"),
    case(
        "for lines of a quoted file",
        '@for /f "usebackq" %I in ("with space.txt") do @echo [%I]',
        out="[spaced]\r\n",
    ),
    case(
        "for folders",
        "md x y",
        "@for /d %I in (*) do @echo %I",
        out="x\r\ny\r\n",
        after={"x\\": b"", "y\\": b""},
    ),
    case("for path search", "@for %I in (reg.exe) do @echo %~nx$PATH:I", out="reg.exe\r\n"),
    case("for path search in vain", "@for %I in (nosuch.exe) do @echo [%~$PATH:I]", out="[]\r\n"),
    case(
        "for variable in the set",
        "set X=f1.txt",
        '@for %I in ("%X%") do @echo %~zI %I',
        out='3 "f1.txt"\r\n',
        differs=wine("out", "expands none there in time", PARSER),
    ),
    case(
        "fenced command",
        '(if exist "f1.txt" copy /b /y "f1.txt" "o.txt">nul)&echo after',
        out="after\r\n",
        after={"o.txt": b"a\r\n"},
    ),
    case(
        "fenced command behind no fence",
        '(if exist "nosuch" copy /b /y "f1.txt" "o.txt">nul)&echo after',
        out="after\r\n",
    ),
    case(
        "fenced command and its exit code",
        '(if exist "f1.txt" cmd /c exit 4)&call echo rc %^errorlevel%',
        out="rc 4\r\n",
        differs=wine("level", "lets call leave it alone", CLEARS),
    ),
    case(
        "fenced command with its errors",
        '(if exist "f1.txt" type f1.txt 2>&1)&call echo rc %^errorlevel%',
        out="a\r\nrc 0\r\n",
    ),
]
