# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cmd.exe prints for a line: one table for the lab's interpreter and, where it agrees, Wine.

The cases marked ``wine`` were run in Wine 8 and are run there again where ``LAB_WINEPREFIX`` names
a prepared Wine prefix. The others are documented behaviour of Windows that Wine 8 does not have.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from exchange_lab.windows.host import LabHost

FOLDER = r"C:\labcase"
NL = "\r\n"
FILES = {"f1.txt": b"a\r\n", "f2.txt": b"one\r\ntwo\r\nthree\r\n", "with space.txt": b"spaced\r\n"}


@dataclass(frozen=True)
class Case:
    """A command line, what it prints, and how it ends; ``after`` are files it leaves."""

    name: str
    line: str
    out: str = ""
    err: str = ""
    code: int = 0
    after: tuple[tuple[str, str], ...] = ()
    wine: bool = True


def case(name: str, line: str, out: str = "", **more: object) -> Case:
    return Case(name, line, out, **more)  # type: ignore[arg-type]


NOT_FOUND = "The system cannot find the file specified.\r\n"
NO_PATH = "The system cannot find the path specified.\r\n"
UNKNOWN = (
    "'nosuchcmd' is not recognized as an internal or external command,\r\n"
    "operable program or batch file.\r\n"
)

CASES = [
    # echo
    case("echo", "echo hello", "hello\r\n"),
    case("echo keeps inner and trailing blanks", "echo a   b ", "a   b \r\n"),
    case("echo drops one separator only", "echo  a", " a\r\n"),
    case("echo dot", "echo.", "\r\n"),
    case("echo dot text", "echo.hi", "hi\r\n"),
    case("echo keeps quotes", 'echo "a  b"', '"a  b"\r\n'),
    case("echo keeps separators", "echo a,b;c=d", "a,b;c=d\r\n"),
    case("echo alone", "echo", "ECHO is on.\r\n", wine=False),
    case("echo bracket", "echo(", "\r\n", wine=False),
    case("silenced", "@echo hi", "hi\r\n"),
    # quoting
    case("caret escapes", "echo a^&b^|c^>d^<e^^f", "a&b|c>d<e^f\r\n"),
    case("caret vanishes", "echo ^a^b", "ab\r\n"),
    case("caret is literal in quotes", 'echo "a^b^&c"', '"a^b^&c"\r\n'),
    case("operators are literal in quotes", 'echo "a&b|c>d"', '"a&b|c>d"\r\n'),
    case("quotes in the middle", 'echo a"b&c"d^&e', 'a"b&c"d&e\r\n'),
    case("open quote reaches the end", 'echo "a & echo b', '"a & echo b\r\n'),
    # variables
    case("undefined stays as typed", "echo [%nosuchvar%]", "[%nosuchvar%]\r\n"),
    case("percent signs are not doubled", "echo 100%% %", "100%% %\r\n"),
    case(
        "expansion happens before the line runs",
        "set X=1&echo [%X%]",
        "[%X%]\r\n",
        wine=False,
    ),
    case("expansion in quotes", 'echo "%SystemDrive%"', '"C:"\r\n', wine=False),
    case("substring", "echo %ComSpec:~0,3%", "C:\\\r\n"),
    case("substring from the end", "echo %ComSpec:~-7%", "cmd.exe\r\n"),
    case("replacement", "echo %SystemDrive:C=D%", "D:\r\n", wine=False),
    case("call expands again", "set X=1&call echo %^X%", "1\r\n"),
    case("set with quotes", 'set "X=a b"&call echo [%^X%]', "[a b]\r\n"),
    case("set lists", "set LABX=v&set labx", "LABX=v\r\n"),
    # sequences
    case("ampersand", "echo one&echo two", "one\r\ntwo\r\n"),
    case("blank before ampersand is printed", "echo one & echo two", "one \r\ntwo\r\n"),
    case("and", "ver>nul&&echo ok", "ok\r\n"),
    case("and after failure", "type nosuch>nul 2>nul&&echo ok", "", code=1, wine=False),
    case("or after failure", "type nosuch>nul 2>nul||echo bad", "bad\r\n", code=1),
    case("or after success", "echo a||echo b", "a\r\n", wine=False),
    case("block", "(echo a&echo b)", "a\r\nb\r\n"),
    case("rem swallows operators", "rem x & echo y", ""),
    # errorlevel
    case(
        "marker after success",
        "echo #n#q&type f1.txt 2>&1&call echo #n#rc %^errorlevel%",
        "#n#q\r\na\r\n#n#rc 0\r\n",
    ),
    case(
        "marker after failure",
        "echo #n#q&type nosuch>nul 2>&1&call echo #n#rc %^errorlevel%",
        "#n#q\r\n#n#rc 1\r\n",
    ),
    case(
        "echo leaves errorlevel", "type nosuch>nul 2>&1&echo.&call echo %^errorlevel%", "\r\n1\r\n"
    ),
    case("call clears errorlevel", "type nosuch 2>nul&call echo.&echo.", "\r\n\r\n", wine=False),
    case("if errorlevel", "type nosuch>nul 2>&1&if errorlevel 1 echo bad", "bad\r\n", code=1),
    case("if errorlevel is at least", "if errorlevel 0 echo yes", "yes\r\n"),
    case("exit code of exit", "exit 7", code=7, wine=False),
    case("exit ends the line", "exit 7&echo x", code=7, wine=False),
    case("nested shell", "cmd /c exit 5&call echo %^errorlevel%", "5\r\n"),
    case(
        "unknown command",
        "nosuchcmd&call echo %^errorlevel%",
        "9009\r\n",
        err=UNKNOWN,
        wine=False,
    ),
    case("unknown command ends 9009", "nosuchcmd", err=UNKNOWN, code=9009, wine=False),
    case(
        "redirect failure leaves errorlevel",
        r"echo x>C:\nosuchdir\f&call echo %^errorlevel%",
        "0\r\n",
        err=NO_PATH,
        wine=False,
    ),
    case(
        "or sees a redirect failure",
        r"echo x>C:\nosuchdir\f||echo failed",
        "failed\r\n",
        err=NO_PATH,
        code=1,
        wine=False,
    ),
    case(
        "del of nothing is no failure", "del nosuch.txt>nul 2>&1&call echo %^errorlevel%", "0\r\n"
    ),
    # redirects
    case("to a file", "echo x>o.txt&type o.txt", "x\r\n", after=(("o.txt", "x\r\n"),)),
    case("append", "echo x>o.txt&echo y>>o.txt&type o.txt", "x\r\ny\r\n"),
    case("redirect first", '>>"o.txt" echo x1&type o.txt', "x1\r\n"),
    case("redirect first keeps digits", ">>o.txt echo 0&type o.txt", "0\r\n"),
    case("a digit in a word is no handle", "echo a0>o.txt&type o.txt", "a0\r\n"),
    case("digit after a blank is a handle", "echo a 2>o.txt", "a \r\n", after=(("o.txt", ""),)),
    case(
        "digit after a semicolon is a handle",
        "echo a;0>>o.txt",
        "a;\r\n",
        after=(("o.txt", ""),),
        wine=False,
    ),
    case("text behind a redirect", "echo a>o.txt b&type o.txt", "a b\r\n"),
    case("to nul", "echo a>nul", ""),
    case("errors to output", "type nosuch 2>&1", NOT_FOUND, code=1, wine=False),
    case(
        "errors to a file", "type nosuch 2>o.txt", code=1, after=(("o.txt", NOT_FOUND),), wine=False
    ),
    case(
        "both to a file",
        "type nosuch>o.txt 2>&1",
        code=1,
        after=(("o.txt", NOT_FOUND),),
        wine=False,
    ),
    case("input from a file", 'find "two"<f2.txt', "two\r\n", wine=False),
    case("block to a file", "(echo a&echo b)>o.txt&type o.txt", "a\r\nb\r\n"),
    case("quoted target", 'echo x>"o p.txt"&type "o p.txt"', "x\r\n"),
    case("empty file", "type nul>o.txt", after=(("o.txt", ""),), wine=False),
    # pipes
    case("pipe", "(echo a&echo b)|findstr b", "b\r\n", wine=False),
    case("pipe to find", '(echo a&echo b)|find "b"', "b\r\n", wine=False),
    case("exit code of a pipe", "echo a|findstr b", code=1, wine=False),
    # if
    case("if exist", "if exist f1.txt echo yes", "yes\r\n"),
    case("if exist wildcard", "if exist f?.txt echo yes", "yes\r\n"),
    case("if exist quoted", 'if exist "with space.txt" echo yes', "yes\r\n"),
    case("if not exist", "if not exist nosuch echo no", "no\r\n"),
    case("if exist folder", r"if exist C:\labcase echo yes", "yes\r\n"),
    case("if exist nul trick", r"if exist C:\labcase\nul echo yes", "yes\r\n", wine=False),
    case("if else", "if exist nosuch (echo a) else echo b", "b\r\n"),
    case("if else blocks", "if exist f1.txt (echo a) else (echo b)", "a\r\n"),
    case(
        "else without a block is text",
        "if exist f1.txt echo a else echo b",
        "a else echo b\r\n",
        wine=False,
    ),
    case("if governs the rest of the line", "if exist nosuch echo a & echo b", ""),
    case("if equal", 'if "a b"=="a b" echo same', "same\r\n"),
    case("if equal without case", "if /i A==a echo same", "same\r\n"),
    case("if defined", "set LABX=1&if defined LABX echo yes", "yes\r\n"),
    case("numbers compare as numbers", "if 2 LSS 10 echo less", "less\r\n"),
    # for
    case("for", "@for %I in (a b,c) do @echo %I", "a\r\nb\r\nc\r\n"),
    case(
        "for is echoed", "for %I in (a) do echo %I", "\r\nC:\\labcase>echo a \r\na\r\n", wine=False
    ),
    case("for files", "@for %I in (f*.txt) do @echo %I", "f1.txt\r\nf2.txt\r\n"),
    case(
        "for parts",
        "@for %I in (f2.txt) do @echo %~nI %~xI %~nxI %~zI %~dI %~fI",
        "f2 .txt f2.txt 17 C: C:\\labcase\\f2.txt\r\n",
    ),
    case("for quoted", '@for %I in ("with space.txt") do @echo %~zI %I', '8 "with space.txt"\r\n'),
    case("for missing file", "@for %I in (nosuch) do @echo [%~zI]", "[]\r\n", wine=False),
    case(
        "for governs the rest",
        "@for %I in (1 2) do @echo %I& @echo x%I",
        "1\r\nx1\r\n2\r\nx2\r\n",
        wine=False,
    ),
    case("for numbers", "@for /l %I in (1,1,3) do @echo %I", "1\r\n2\r\n3\r\n"),
    case(
        "for lines",
        '@for /f "tokens=1,2 delims==" %I in ("a=b") do @echo %J%I',
        "ba\r\n",
        wine=False,
    ),
    case(
        "for lines of a file",
        "@for /f %I in (f2.txt) do @echo [%I]",
        "[one]\r\n[two]\r\n[three]\r\n",
    ),
    case("for path search", "@for %I in (reg.exe) do @echo %~nx$PATH:I", "reg.exe\r\n"),
    case("for path search in vain", "@for %I in (nosuch.exe) do @echo [%~$PATH:I]", "[]\r\n"),
    # files
    case("type", "type f1.txt", "a\r\n"),
    case("type quoted", 'type "with space.txt"', "spaced\r\n"),
    case("names have no case", "type F1.TXT", "a\r\n"),
    case("type missing", "type nosuch", err=NOT_FOUND, code=1, wine=False),
    case("type in missing folder", r"type nosuchdir\x", err=NO_PATH, code=1, wine=False),
    case("copy", "copy f1.txt o.txt>nul&type o.txt", "a\r\n"),
    case("copy says so", "copy f1.txt o.txt", "        1 file(s) copied.\r\n", wine=False),
    case("move", "move f1.txt o.txt>nul&if not exist f1.txt type o.txt", "a\r\n"),
    case("ren", "ren f1.txt o.txt&type o.txt", "a\r\n"),
    case("del", "del f1.txt&if not exist f1.txt echo gone", "gone\r\n"),
    case(
        "md and rd",
        r"md x\y&if exist x\y echo made&rd x\y&if not exist x\y echo gone",
        "made\r\ngone\r\n",
        wine=False,
    ),
    case("md makes parents", r"md x\y&if exist x\y echo made", "made\r\n"),
    case("dir bare", "dir /b", "f1.txt\r\nf2.txt\r\nwith space.txt\r\n"),
    case("dir bare pattern", "dir /b f*", "f1.txt\r\nf2.txt\r\n"),
    case("dir bare missing", "dir /b nosuch", err="File Not Found\r\n", code=1, wine=False),
    case("cd", "cd ..&cd", "C:\\\r\n"),
    case("cd missing", "cd nosuch", err=NO_PATH, code=1, wine=False),
    case("find count", 'find /c /v "" f2.txt', "\r\n---------- F2.TXT: 3\r\n", wine=False),
    case("find count of input", 'type f2.txt|find /c "t"', "2\r\n", wine=False),
    case("more skips", "more +1 f2.txt", "two\r\nthree\r\n", wine=False),
    case("hostname", "hostname>nul&call echo %^errorlevel%", "0\r\n"),
]


@pytest.fixture
def host(tmp_path: Path) -> LabHost:
    host = LabHost("MAIL5A", tmp_path / "disk", time_scale=0.01)
    host.fs.mkdir(FOLDER)
    for name, content in FILES.items():
        host.fs.write_bytes(f"{FOLDER}\\{name}", content)
    return host


@pytest.mark.parametrize("expected", CASES, ids=lambda item: item.name)
def test_lab_prints_what_windows_prints(host: LabHost, expected: Case) -> None:
    shell = host.open_shell()
    shell.cwd = FOLDER
    done = host.run(expected.line, shell=shell)
    assert done.stdout.decode() == expected.out
    assert done.stderr.decode() == expected.err
    assert done.exit_code == expected.code
    for name, content in expected.after:
        assert host.fs.read_bytes(f"{FOLDER}\\{name}").decode() == content


# -- the same table in Wine ------------------------------------------------------------------

_prefix = os.environ.get("LAB_WINEPREFIX", "")
_has_wine = bool(_prefix) and shutil.which("wine") is not None


def _wine_script(cases: list[Case]) -> str:
    lines = ["@echo off", "set X=", "set LABX="]
    for index, item in enumerate(cases):
        lines += [rf"rd /s /q {FOLDER}>nul 2>nul", rf"md {FOLDER}", rf"cd /d {FOLDER}"]
        for name, content in FILES.items():
            lines += [f'>>"{name}" echo {line}' for line in content.decode().split()]
        lines += ["ver>nul", f"echo ~~~{index}", item.line, "echo ~~~end", "set X=", "set LABX="]
    return NL.join([*lines, "cd \\", rf"rd /s /q {FOLDER}", "exit", ""])


@pytest.fixture(scope="module")
def in_wine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run all cases in one Wine cmd.exe, fed by its standard input; output by name."""
    script = tmp_path_factory.mktemp("wine") / "cases.txt"
    cases = [item for item in CASES if item.wine]
    script.write_bytes(_wine_script(cases).encode())
    with script.open("rb") as lines:
        done = subprocess.run(
            ["wine", "cmd"],
            stdin=lines,
            capture_output=True,
            timeout=300,
            check=False,
            env={**os.environ, "WINEPREFIX": _prefix, "WINEDEBUG": "-all"},
        )
    output = done.stdout.decode(errors="replace")
    results = {}
    for index, item in enumerate(cases):
        _skipped, _skipped, rest = output.partition(f"~~~{index}\r\n")
        results[item.name] = rest.partition("~~~end")[0]
    return results


@pytest.mark.peers
@pytest.mark.skipif(not _has_wine, reason="LAB_WINEPREFIX names no Wine prefix")
@pytest.mark.parametrize("expected", [c for c in CASES if c.wine], ids=lambda item: item.name)
def test_wine_prints_the_same(in_wine: dict[str, str], expected: Case) -> None:
    assert in_wine[expected.name] == expected.out
