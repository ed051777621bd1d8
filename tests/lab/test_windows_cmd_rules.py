# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of cmd.exe that a table of lines does not show: limits, streams, languages, any input."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from pathlib import Path
from typing import cast

import pytest
from exchange_lab.windows.cmdline import command_tail
from exchange_lab.windows.expand import percent
from exchange_lab.windows.host import CONTROL_C_EXIT, LabHost
from exchange_lab.windows.process import Invocation, Stdin, Streams
from exchange_lab.windows.programs import split_arguments
from exchange_lab.windows.shell import Shell
from exchange_lab.windows.syntax import CommandSyntaxError, parse, render
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture
def host(tmp_path: Path) -> LabHost:
    return LabHost("MAIL5A", tmp_path, time_scale=0.01)


# -- limits and identity ---------------------------------------------------------------------


def test_the_longest_line_runs_and_one_more_character_does_not(host: LabHost) -> None:
    longest = "echo " + "x" * (8191 - 5)
    assert host.run(longest).stdout == b"x" * 8186 + b"\r\n"
    done = host.run(longest + "x")
    assert (done.exit_code, done.stdout) == (1, b"")
    assert done.stderr == b"The command line is too long.\r\n"


def test_only_the_first_line_of_a_command_runs(host: LabHost) -> None:
    assert host.run("echo a\r\necho b").stdout == b"a\r\n"


def test_environment_names_the_host_and_the_user(host: LabHost) -> None:
    line = "echo %COMPUTERNAME% %USERNAME% %TEMP% %ALLUSERSPROFILE% %SystemRoot%"
    expected = r"MAIL5A Administrator C:\Users\Administrator\AppData\Local\Temp"
    assert host.run(line).stdout.decode() == expected + "\\..\r\n".replace(
        "\\..", r" C:\ProgramData C:\Windows"
    )


def test_a_short_name_leads_to_the_long_one(host: LabHost) -> None:
    host.run(r"echo x>C:\Users\Administrator\f.txt")
    assert host.run(r"type C:\Users\ADMINI~1\f.txt").stdout == b"x\r\n"


def test_shells_do_not_share_variables_or_folder(host: LabHost) -> None:
    host.run("set LABX=1&cd C:\\")
    assert host.run("echo %LABX%&cd").stdout == b"%LABX%\r\nC:\\Users\\Administrator\r\n"


def test_each_side_of_a_pipe_has_its_own_shell(host: LabHost) -> None:
    assert host.run("set LABX=1|more&set LABX").exit_code == 1


def test_nested_shell_with_delayed_expansion(host: LabHost) -> None:
    assert host.run('cmd /v:on /c "set X=1&echo !X! !nosuch!"').stdout == b"1 !nosuch!\r\n"


@pytest.mark.parametrize(
    ("typed", "run"),
    [
        (r'"C:\a b.exe"', r'"C:\a b.exe"'),
        ('"echo b"', "echo b"),
        ('"a.exe" "b"', 'a.exe" "b'),
        ('"echo a&echo b"', "echo a&echo b"),
        (" echo a", "echo a"),
        ('echo "a"', 'echo "a"'),
    ],
)
def test_quotes_around_the_tail_of_cmd_c(host: LabHost, typed: str, run: str) -> None:
    host.install(r"C:\a b.exe", lambda _call: 0)
    assert command_tail(typed, host.open_shell()) == run


# -- streams ---------------------------------------------------------------------------------


def test_a_prompt_waits_for_an_answer_and_ends_when_stopped(host: LabHost) -> None:
    printed = bytearray()
    asked = threading.Event()

    def show(data: bytes) -> None:
        printed.extend(data)
        if b"overwrite" in printed:
            asked.set()

    host.registry.set(r"HKLM\SOFTWARE\X", "V", "REG_SZ", "old")
    streams = Streams(show, show, Stdin())
    codes: list[int] = []
    line = r"reg add HKLM\SOFTWARE\X /v V /d new"
    thread = threading.Thread(
        target=lambda: codes.append(host.execute(line, host.open_shell(), streams))
    )
    thread.start()
    assert asked.wait(5)
    assert thread.is_alive()
    streams.stop.set()
    thread.join(5)
    assert codes == [CONTROL_C_EXIT]
    value = host.registry.get(r"HKLM\SOFTWARE\X", "V")
    assert value is not None
    assert value.data == "old"


def test_a_prompt_takes_its_answer_from_standard_input(host: LabHost) -> None:
    host.registry.set(r"HKLM\SOFTWARE\X", "V", "REG_SZ", "old")
    assert host.run(r"reg add HKLM\SOFTWARE\X /v V /d new", stdin=b"n\r\n").exit_code == 1
    assert host.run(r"reg add HKLM\SOFTWARE\X /v V /d new", stdin=b"y\r\n").exit_code == 0
    value = host.registry.get(r"HKLM\SOFTWARE\X", "V")
    assert value is not None
    assert value.data == "new"


def test_bytes_of_any_code_page_pass_through_type(host: LabHost) -> None:
    data = bytes(range(32, 256)) + "ümlaut".encode() + b"\r\n"
    host.fs.write_bytes(r"C:\raw.txt", data)
    assert host.run(r"type C:\raw.txt").stdout == data


def test_type_converts_a_utf16_file_to_the_code_page(host: LabHost) -> None:
    host.fs.write_bytes(r"C:\wide.txt", b"\xff\xfe" + "ü\r\n".encode("utf-16-le"))
    shell = host.open_shell(code_page=65001)
    assert host.run(r"type C:\wide.txt", shell=shell).stdout == "ü\r\n".encode()
    shell = host.open_shell(code_page=850)
    assert host.run(r"type C:\wide.txt", shell=shell).stdout == b"\x81\r\n"


def test_echo_writes_in_the_shells_code_page(host: LabHost) -> None:
    shell = host.open_shell(code_page=1252)
    host.run(r">C:\a.txt echo ü", shell=shell)
    assert host.fs.read_bytes(r"C:\a.txt") == b"\xfc\r\n"


def test_a_program_can_be_added_and_taken_away(host: LabHost) -> None:
    def imccopy(call: Invocation) -> int:
        call.out("|".join(call.argv[1:]) + "\r\n")
        return 3

    host.install(r"C:\exchsrvr\bin\imccopy.exe", imccopy)
    done = host.run(r'C:\exchsrvr\bin\imccopy.exe -save routes "C:\a b.txt"')
    assert (done.exit_code, done.stdout) == (3, b"-save|routes|C:\\a b.txt\r\n")
    assert host.run("imccopy&call echo %^errorlevel%").stdout == b"9009\r\n"
    assert host.run(r"cd C:\exchsrvr\bin&imccopy -x").exit_code == 3
    host.fs.delete(r"C:\exchsrvr\bin\imccopy.exe")
    assert host.run(r"C:\exchsrvr\bin\imccopy.exe").exit_code == 1


def test_somebody_else_can_act_before_a_command(host: LabHost) -> None:
    host.fs.write_bytes(r"C:\f.txt", b"before\r\n")

    def other_administrator(line: str) -> None:
        host.fs.write_bytes(r"C:\f.txt", f"seen: {line}\r\n".encode())

    host.on_command = other_administrator
    assert host.run(r"type C:\f.txt").stdout == b"seen: type C:\\f.txt\r\n"
    assert host.commands == [r"type C:\f.txt"]


# -- another language ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("type nosuch", 1),
        ("nosuchcmd", 1),
        (r"reg query HKLM\SOFTWARE\nosuch", 1),
        ("sc query nosuch", 1060),
        ("dir /b nosuch", 1),
        (r"echo x>C:\nosuchdir\f", 1),
    ],
)
def test_a_german_host_differs_in_words_only(tmp_path: Path, line: str, code: int) -> None:
    english = LabHost("A", tmp_path / "a").run(line)
    german = LabHost("B", tmp_path / "b", language="de").run(line)
    assert english.exit_code == german.exit_code == code
    assert english.stdout + english.stderr != german.stdout + german.stderr


# -- laws ------------------------------------------------------------------------------------

_NOBODY = cast(Shell, None)  # no variable is looked up
_SHELL_TEXT = st.text(alphabet='abIif0129 &|<>()"^%!@;,=./\\:~$*?+', max_size=40)


@given(st.text(alphabet=st.characters(blacklist_characters="%", codec="utf-8"), max_size=60))
def test_a_line_without_percent_signs_is_not_changed(line: str) -> None:
    assert percent(line, _NOBODY) == line


@given(_SHELL_TEXT)
def test_every_line_parses_or_is_a_syntax_error(line: str) -> None:
    with contextlib.suppress(CommandSyntaxError):
        node = parse(line)
        assert node is None or render(node) is not None


@given(st.lists(st.text(alphabet='ab \\"&', min_size=0, max_size=8), max_size=5))
def test_arguments_survive_the_command_line(arguments: list[str]) -> None:
    assert split_arguments(" " + subprocess.list2cmdline(arguments)) == arguments


@settings(max_examples=150, deadline=None)
@given(line=_SHELL_TEXT)
def test_any_line_ends_with_an_exit_code(
    tmp_path_factory: pytest.TempPathFactory, line: str
) -> None:
    host = _shared_host(tmp_path_factory)
    assert isinstance(host.run(line).exit_code, int)


_hosts: list[LabHost] = []


def _shared_host(factory: pytest.TempPathFactory) -> LabHost:
    if not _hosts:
        _hosts.append(LabHost("FUZZ", factory.mktemp("fuzz"), time_scale=0.0))
    return _hosts[0]
