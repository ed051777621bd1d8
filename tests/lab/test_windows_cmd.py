# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table shared with Wine leaves out: sentences, ECHO on, and programs that Wine lacks.

Wine words its own sentences, so for these the lab has nothing but what Windows is known to print.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from exchange_lab.windows.host import LabHost

FOLDER = r"C:\labcase"
FILES = {"f1.txt": b"a\r\n", "f2.txt": b"one\r\ntwo\r\nthree\r\n", "with space.txt": b"spaced\r\n"}

NOT_FOUND = "The system cannot find the file specified.\r\n"
NO_PATH = "The system cannot find the path specified.\r\n"
UNKNOWN = (
    "'nosuchcmd' is not recognized as an internal or external command,\r\n"
    "operable program or batch file.\r\n"
)


@dataclass(frozen=True)
class Case:
    """A command line, what it prints, and how ``cmd /c`` ends; ``after`` are files it leaves."""

    name: str
    line: str
    out: str = ""
    err: str = ""
    code: int = 0
    after: tuple[tuple[str, str], ...] = ()


def case(name: str, line: str, out: str = "", **more: object) -> Case:
    return Case(name, line, out, **more)  # type: ignore[arg-type]


CASES = [
    case("echo alone", "echo", "ECHO is on.\r\n"),
    case("for is echoed", "for %I in (a) do echo %I", "\r\nC:\\labcase>echo a \r\na\r\n"),
    # sentences
    case("unknown command", "nosuchcmd", err=UNKNOWN, code=1),
    case("unknown command, then more", "nosuchcmd&echo x", "x\r\n", err=UNKNOWN),
    case("unknown program in a missing folder", r"C:\nosuch\x.exe", err=NO_PATH, code=1),
    case("redirect failure", r"echo x>C:\nosuchdir\f", err=NO_PATH, code=1),
    case("or sees a redirect failure", r"echo x>nosuchdir\f||echo bad", "bad\r\n", err=NO_PATH),
    case("type missing", "type nosuch", err=NOT_FOUND, code=1),
    case("type in missing folder", r"type nosuchdir\x", err=NO_PATH, code=1),
    case("type missing, and", "type nosuch&&echo ok", err=NOT_FOUND, code=1),
    case("errors to a file", "type nosuch 2>o.txt", code=1, after=(("o.txt", NOT_FOUND),)),
    case("both to a file", "type nosuch>o.txt 2>&1", code=1, after=(("o.txt", NOT_FOUND),)),
    case("dir bare missing", "dir /b nosuch", err="File Not Found\r\n", code=1),
    case("cd missing", "cd nosuch", err=NO_PATH, code=1),
    case("del missing", "del nosuch", err="Could Not Find C:\\labcase\\nosuch\r\n"),
    case("del in missing folder", r"del nosuchdir\x", err=NO_PATH, code=1),
    case("rd missing", "rd nosuch", err=NOT_FOUND, code=2),
    case("del in all folders", "del /s f1.txt", "Deleted file - C:\\labcase\\f1.txt\r\n"),
    # programs that Wine 8 does not have
    case("pipe", "(echo a&echo b)|findstr b", "b\r\n"),
    case("exit code of a pipe", "echo a|findstr b", code=1),
    case("find count", 'find /c /v "" f2.txt', "\r\n---------- F2.TXT: 3\r\n"),
    case("find count of input", 'type f2.txt|find /c "t"', "2\r\n"),
    case("more skips", "more +1 f2.txt", "two\r\nthree\r\n"),
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
