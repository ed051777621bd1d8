# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are on a host, and the commands that reach them."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import VALUE_NAME
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.layout import (
    Layout,
    TempFile,
    beside,
    print_size,
    wait,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.setting import DISABLED
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.parse import RegistryValue

HERE = Layout()
THERE = Layout(computer="MAIL4OLD", target_imccopy=r"run \\MAIL4OLD C:\imccopy.exe {arguments}")
KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters"


def test_commands_on_the_exchange_computer_itself() -> None:
    assert HERE.query(KEY) == f'reg query "{KEY}"'
    assert HERE.service("stop") == 'sc stop "MSExchangeIMC"'
    assert HERE.add_value(DISABLED) == (
        f'reg add "{KEY}" /v "DisableResolverSearchList" /t REG_DWORD /d 1 /f'
    )
    assert HERE.delete_value("disableresolversearchlist") == (
        f'reg delete "{KEY}" /v "disableresolversearchlist" /f'
    )
    assert HERE.export(r"C:\b\parameters.reg") == f'reg export "{KEY}" "C:\\b\\parameters.reg"'
    assert HERE.journal_path == r"%ALLUSERSPROFILE%\postmaster.exchange\MSExchangeIMC\journal.txt"


def test_commands_of_a_management_host() -> None:
    assert THERE.query(KEY) == rf'reg query "\\MAIL4OLD\{KEY}"'
    assert THERE.service("start") == r'sc \\MAIL4OLD start "MSExchangeIMC"'
    assert THERE.export(r"C:\b\p.reg") == rf'reg query "\\MAIL4OLD\{KEY}" /s >"C:\b\p.reg"'
    assert THERE.backup_path("x") == r"%ALLUSERSPROFILE%\postmaster.exchange\MAIL4OLD\x"
    file = TempFile(r"\\MAIL4OLD\C$\TEMP\a.txt", r"C:\TEMP\a.txt")
    (command,) = THERE.imccopy_commands()
    assert THERE.save(command, file) == (
        r"run \\MAIL4OLD C:\imccopy.exe -save routes C:\TEMP\a.txt"
    )


def test_a_temporary_file_is_new_every_time_and_seen_from_both_sides() -> None:
    assert HERE.temp_file() != HERE.temp_file()
    assert HERE.temp_file().argument.startswith('"%TEMP%\\pmx-')
    file = THERE.temp_file()
    assert file.argument.startswith(r"C:\TEMP\pmx-")
    assert file.seen == r"\\MAIL4OLD\C$" + file.argument[2:]


def test_arguments_are_appended_where_the_command_does_not_place_them() -> None:
    layout = Layout(computer="A", target_imccopy="runthere")
    (command,) = layout.imccopy_commands()
    assert layout.restore(command, TempFile("", r"C:\T\a.txt")) == (
        r"runthere -restore routes C:\T\a.txt"
    )


def test_a_named_imccopy_is_the_only_one_tried() -> None:
    assert Layout(imccopy=r"D:\tools x\imccopy.exe").imccopy_commands() == [
        r'"D:\tools x\imccopy.exe"'
    ]
    assert len(HERE.imccopy_commands()) == 2
    assert Layout(computer="A").imccopy_commands() == []


def test_text_values_are_put_back_in_quotes_and_dangerous_ones_never() -> None:
    assert HERE.add_value(RegistryValue(VALUE_NAME, "REG_SZ", "a b")).endswith('/d "a b" /f')
    for data in ('a" & del', "a%b", "", "a\n"):
        with pytest.raises(InvalidInput):
            HERE.add_value(RegistryValue(VALUE_NAME, "REG_SZ", data))


@pytest.mark.parametrize(
    ("root_dir", "place"),
    [
        (r"D:\exchsrvr\imcdata", r"D:\exchsrvr\bin\imccopy.exe"),
        (r"D:\exchsrvr\imcdata" + "\\", r"D:\exchsrvr\bin\imccopy.exe"),
        (r"C:\exchsrvr\imcdata", ""),  # looked at already
        (r"D:\imcdata", ""),
        ("", ""),
        (r'D:\a" & del \imcdata', ""),
        (r"%PATH%\imcdata", ""),
        ("D:" + r"\abcdefg" * 31 + r"\imcdata", ""),  # too long for Windows
    ],
)
def test_where_else_imccopy_may_be(root_dir: str, place: str) -> None:
    assert beside(root_dir) == place


def test_small_things() -> None:
    assert print_size(r"C:\a.txt") == r'for %I in ("C:\a.txt") do @echo size=%~zI'
    assert wait(3) == "ping -n 4 127.0.0.1 >nul"


@pytest.mark.parametrize(
    "layout",
    [
        Layout(computer="MAIL4OLD", target_directory="C:\\" + "t" * 225),
        Layout(host_backup_dir="C:\\" + "b" * 200),
    ],
)
def test_a_folder_that_leaves_no_room_for_our_files_is_refused_at_once(layout: Layout) -> None:
    with pytest.raises(InvalidInput, match="longer than 259"):
        layout.check()
