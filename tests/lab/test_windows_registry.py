# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's registry, .reg files, and ``reg.exe`` where the table shared with Wine does not go."""

from __future__ import annotations

from pathlib import Path

import pytest
from exchange_lab.windows.errors import WinError
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.regfile import load
from exchange_lab.windows.registry import Data, Registry, Value
from hypothesis import given
from hypothesis import strategies as st

KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters"
FULL = KEY.replace("HKLM", "HKEY_LOCAL_MACHINE")


@pytest.fixture
def host(tmp_path: Path) -> LabHost:
    host = LabHost("MAIL5A", tmp_path)
    host.registry.set(KEY, "RootDir", "REG_SZ", r"C:\exchsrvr\imcdata")
    return host


def run(host: LabHost, line: str) -> tuple[int, str, str]:
    done = host.run(line)
    return done.exit_code, done.stdout.decode(), done.stderr.decode()


# -- the registry ----------------------------------------------------------------------------


def test_names_match_without_case_and_keep_the_first_spelling() -> None:
    registry = Registry()
    registry.set(KEY, "disableresolversearchlist", "REG_DWORD", 0)
    registry.set(KEY.lower(), "DisableResolverSearchList", "REG_DWORD", 1)
    assert registry.values(KEY.upper()) == [Value("disableresolversearchlist", "REG_DWORD", 1)]
    registry.delete(KEY, "DISABLERESOLVERSEARCHLIST")
    registry.set(KEY, "DisableResolverSearchList", "REG_DWORD", 1)
    assert registry.values(KEY)[0].name == "DisableResolverSearchList"


def test_current_control_set_is_control_set_001() -> None:
    registry = Registry()
    registry.set(KEY, "X", "REG_SZ", "1")
    assert registry.get(KEY.replace("CurrentControlSet", "ControlSet001"), "x") is not None


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("REG_DWORD", "1"),
        ("REG_DWORD", 1 << 32),
        ("REG_DWORD", -1),
        ("REG_SZ", 1),
        ("REG_BINARY", ""),
    ],
)
def test_data_must_fit_the_type(type_: str, data: Data) -> None:
    with pytest.raises(TypeError):
        Registry().set(KEY, "X", type_, data)


def test_what_is_missing_or_protected_is_an_error() -> None:
    registry = Registry()
    for code, act in (
        (2, lambda: registry.values(KEY)),
        (2, lambda: registry.delete(KEY, "X")),
        (123, lambda: registry.get("HKXX\\A", "X")),
    ):
        with pytest.raises(WinError) as caught:
            act()
        assert caught.value.code == code
    registry.protect(r"HKLM\SYSTEM")
    with pytest.raises(WinError) as caught:
        registry.set(KEY, "X", "REG_SZ", "")
    assert caught.value.code == 5
    registry.unprotect(r"HKLM\system")
    registry.set(KEY, "X", "REG_SZ", "")


# -- .reg files ------------------------------------------------------------------------------

_NAMES = st.text(alphabet='aA b"\\=üß', min_size=0, max_size=8)
_TEXTS = st.text(alphabet='ab "\\=;[]ü€%', max_size=60)
_VALUES = st.one_of(
    st.tuples(st.just("REG_SZ"), _TEXTS),
    st.tuples(st.just("REG_EXPAND_SZ"), _TEXTS),
    st.tuples(st.just("REG_DWORD"), st.integers(0, 2**32 - 1)),
    st.tuples(st.just("REG_QWORD"), st.integers(0, 2**64 - 1)),
    st.tuples(st.just("REG_BINARY"), st.binary(max_size=80)),
    st.tuples(st.just("REG_MULTI_SZ"), st.lists(_TEXTS.filter(bool), max_size=4).map(tuple)),
)


@given(st.dictionaries(_NAMES, _VALUES, max_size=5), st.booleans())
def test_export_then_import_gives_the_same(
    values: dict[str, tuple[str, Data]], regedit4: bool
) -> None:
    registry = Registry()
    registry.add_key(r"HKLM\SOFTWARE\A\Empty")
    for name, (type_, data) in values.items():
        if not (regedit4 and type_ == "REG_QWORD"):
            registry.set(r"HKLM\SOFTWARE\A", name, type_, data)
    content = registry.export(r"HKLM\SOFTWARE\A", regedit4=regedit4)
    again = Registry()
    load(again, content)
    assert again.values(r"HKLM\SOFTWARE\A") == registry.values(r"HKLM\SOFTWARE\A")
    assert again.keys(r"HKLM\SOFTWARE\A") == ["Empty"]


def test_export_is_utf16_with_a_mark_and_breaks_long_lines() -> None:
    registry = Registry()
    registry.set(KEY, "B", "REG_BINARY", bytes(40))
    content = registry.export(KEY)
    text = content.decode("utf-16")
    assert content.startswith(b"\xff\xfe")
    assert text.startswith(f"Windows Registry Editor Version 5.00\r\n\r\n[{FULL}]\r\n")
    assert max(map(len, text.splitlines())) <= 80
    assert "\\\r\n  00," in text


def test_import_merges_and_deletes() -> None:
    registry = Registry()
    registry.set(KEY, "A", "REG_SZ", "old")
    registry.set(KEY, "B", "REG_SZ", "kept")
    registry.set(KEY + r"\Sub", "X", "REG_SZ", "gone")
    load(registry, f'REGEDIT4\r\n\r\n[{FULL}]\r\n"A"=-\r\n"C"="new"\r\n[-{FULL}\\Sub]\r\n'.encode())
    assert [(v.name, v.data) for v in registry.values(KEY)] == [("B", "kept"), ("C", "new")]
    assert registry.keys(KEY) == []


# -- reg.exe ---------------------------------------------------------------------------------


def test_query_prints_key_values_and_subkeys(host: LabHost) -> None:
    registry = host.registry
    registry.set(KEY, "DisableResolverSearchList", "REG_DWORD", 1)
    registry.set(KEY, "With blank", "REG_SZ", "a  b")
    registry.set(KEY, "Empty", "REG_SZ", "")
    registry.set(KEY, "Many", "REG_MULTI_SZ", ("a", "b"))
    registry.set(KEY, "Bytes", "REG_BINARY", b"\x0a\xff")
    registry.set(KEY, "", "REG_SZ", "default")
    registry.add_key(KEY + r"\Extension")
    expected = (
        f"\r\n{FULL}\r\n"
        "    RootDir    REG_SZ    C:\\exchsrvr\\imcdata\r\n"
        "    DisableResolverSearchList    REG_DWORD    0x1\r\n"
        "    With blank    REG_SZ    a  b\r\n"
        "    Empty    REG_SZ    \r\n"
        "    Many    REG_MULTI_SZ    a\\0b\r\n"
        "    Bytes    REG_BINARY    0AFF\r\n"
        "    (Default)    REG_SZ    default\r\n"
        f"\r\n{FULL}\\Extension\r\n"
    )
    assert run(host, f"reg query {KEY}") == (0, expected, "")


def test_query_of_a_value_echoes_the_spelling_asked_for(host: LabHost) -> None:
    code, out, _skipped = run(host, f"reg query {KEY.lower()} /v rootDIR")
    typed = "HKEY_LOCAL_MACHINE" + KEY.lower()[4:]
    assert code == 0
    assert out == f"\r\n{typed}\r\n    rootDIR    REG_SZ    C:\\exchsrvr\\imcdata\r\n\r\n"


def test_query_before_vista_uses_tabs_and_a_banner(tmp_path: Path) -> None:
    host = LabHost("OLD", tmp_path, version="5.2.3790")
    host.registry.set(KEY, "RootDir", "REG_SZ", "C:\\")
    _skipped, out, _skipped = run(host, f"reg query {KEY}")
    expected = f"\r\n! REG.EXE VERSION 3.0\r\n\r\n{FULL}\r\n    RootDir\tREG_SZ\tC:\\\r\n\r\n"
    assert out == expected


@pytest.mark.parametrize(
    "line",
    [
        r"reg query HKLM\SOFTWARE\nosuch",
        f"reg query {KEY} /v nosuch",
        f"reg delete {KEY} /v nosuch /f",
        r"reg export HKLM\SOFTWARE\nosuch C:\x.reg /y",
    ],
)
def test_what_is_missing_ends_with_1(host: LabHost, line: str) -> None:
    expected = "ERROR: The system was unable to find the specified registry key or value.\r\n"
    assert run(host, line) == (1, "", expected)


@pytest.mark.parametrize(
    "line",
    [
        "reg",
        "reg query",
        "reg nosuch HKLM",
        "reg query HKXX",
        f"reg query {KEY} /v",
        f"reg add {KEY} /v X /t REG_FOO /d 1 /f",
        f"reg add {KEY} /v X /t REG_DWORD /d abc /f",
        f"reg query {KEY} /nosuch",
        r"reg import C:\nosuch.reg",
        f"reg export \\\\MAIL5A\\{KEY} C:\\x.reg /y",
    ],
)
def test_wrong_use_ends_with_1_and_changes_nothing(host: LabHost, line: str) -> None:
    before = host.registry.values(KEY)
    code, out, err = run(host, line)
    assert (code, out, err[:6]) == (1, "", "ERROR:")
    assert host.registry.values(KEY) == before


def test_add_and_delete(host: LabHost) -> None:
    line = f"reg add {KEY} /v DisableResolverSearchList /t REG_DWORD /d 0x1 /f"
    assert run(host, line) == (0, "The operation completed successfully.\r\n", "")
    value = host.registry.get(KEY, "disableresolversearchlist")
    assert value == Value("DisableResolverSearchList", "REG_DWORD", 1)
    assert run(host, f"reg delete {KEY} /v DISABLEresolverSEARCHlist /f")[0] == 0
    assert host.registry.get(KEY, "DisableResolverSearchList") is None


def test_export_and_import_restore_what_was_there(host: LabHost) -> None:
    before = host.registry.values(KEY)
    assert run(host, f'reg export {KEY} "C:\\save me.reg" /y')[0] == 0
    assert host.fs.read_bytes(r"C:\save me.reg").startswith(b"\xff\xfeW\0")
    host.registry.set(KEY, "RootDir", "REG_SZ", "D:\\")
    code, out, err = run(host, r'reg import "C:\save me.reg"')
    assert (code, out, err) == (0, "", "The operation completed successfully.\r\n")
    assert host.registry.values(KEY) == before


def test_export_to_a_full_disk_fails(host: LabHost) -> None:
    host.fs.quota_bytes = host.fs.used_bytes() + 10
    code, _skipped, err = run(host, f"reg export {KEY} C:\\x.reg /y")
    assert (code, err) == (1, "ERROR: There is not enough space on the disk.\r\n")


# -- another computer ------------------------------------------------------------------------


@pytest.fixture
def manager(tmp_path: Path, host: LabHost) -> LabHost:
    manager = LabHost("MGMT1", tmp_path / "mgmt")
    manager.connect(host)
    return manager


def test_another_computer_is_reached_by_name(manager: LabHost, host: LabHost) -> None:
    line = f"reg add \\\\mail5a\\{KEY} /v DisableResolverSearchList /t REG_DWORD /d 1 /f"
    assert run(manager, line)[0] == 0
    assert host.registry.get(KEY, "DisableResolverSearchList") is not None
    assert "RootDir" in run(manager, f"reg query \\\\MAIL5A\\{KEY}")[1]


def test_an_unknown_computer_is_no_network_path(manager: LabHost) -> None:
    expected = (1, "", "ERROR: The network path was not found.\r\n")
    assert run(manager, f"reg query \\\\NOSUCH\\{KEY}") == expected


def test_only_machine_and_users_can_be_reached_remotely(manager: LabHost) -> None:
    assert run(manager, r"reg query \\MAIL5A\HKCU\Software")[0] == 1


def test_another_password_there_is_access_denied(manager: LabHost, host: LabHost) -> None:
    host.users["Administrator"] = "other"
    assert run(manager, f"reg query \\\\MAIL5A\\{KEY}")[2] == "ERROR: Access is denied.\r\n"


def test_a_logon_that_is_not_delegated_reaches_nobody_else(manager: LabHost) -> None:
    shell = manager.open_shell(delegated=False)
    done = manager.run(f"reg query \\\\MAIL5A\\{KEY}", shell=shell)
    assert (done.exit_code, done.stderr) == (1, b"ERROR: Access is denied.\r\n")
