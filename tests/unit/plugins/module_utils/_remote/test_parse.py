# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what Windows commands print, in several versions and languages, and nonsense."""

from __future__ import annotations

import time

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.parse import (
    RegistryValue,
    canonical_key,
    decode,
    excerpt,
    find_value,
    parse_dir_bare,
    parse_reg_query,
    parse_sc_process,
    parse_sc_state,
    values_of,
)
from hypothesis import given
from hypothesis import strategies as st

KEY = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters"
QUERY = (
    "\r\n"
    f"{KEY}\r\n"
    "    RootDir    REG_SZ    C:\\exchsrvr\\imcdata\r\n"
    "    disableresolversearchlist    REG_DWORD    0x1\r\n"
    "    Site DN    REG_SZ    /o=HQ/ou=Main Site\r\n"
    "    Empty    REG_SZ    \r\n"
    "    None    REG_NONE\r\n"
    "    Several    REG_MULTI_SZ    a\\0b\r\n"
    "    (Default)    REG_SZ    (value not set)\r\n"
    "\r\n"
    f"{KEY}\\Extension\r\n"
).encode()


def test_values_come_with_their_stored_spelling() -> None:
    dump = parse_reg_query(QUERY)
    assert list(dump) == [KEY, KEY + "\\Extension"]
    values = dump[KEY]
    assert values["RootDir"] == RegistryValue("RootDir", "REG_SZ", r"C:\exchsrvr\imcdata")
    assert values["disableresolversearchlist"].number == 1
    assert values["Site DN"].data == "/o=HQ/ou=Main Site"
    assert values["Empty"].data == ""
    assert values["None"] == RegistryValue("None", "REG_NONE", "")
    assert dump[KEY + "\\Extension"] == {}


def test_the_old_reg_exe_divides_by_tabs_and_prints_a_banner() -> None:
    text = f"\r\n! REG.EXE VERSION 3.0\r\n\r\n{KEY}\r\n    RootDir\tREG_SZ\tC:\\imc\r\n\r\n"
    assert parse_reg_query(text.encode()) == {
        KEY: {"RootDir": RegistryValue("RootDir", "REG_SZ", r"C:\imc")}
    }


def test_data_of_several_lines_is_kept_together() -> None:
    text = f"\r\n{KEY}\r\n    Note    REG_SZ    first\r\n\r\nthird\r\n    B    REG_SZ    b\r\n\r\n"
    values = parse_reg_query(text.encode())[KEY]
    assert values["Note"].data == "first\n\nthird"
    assert values["B"].data == "b"


@pytest.mark.parametrize(
    ("kind", "data", "number"),
    [
        ("REG_DWORD", "0x0", 0),
        ("REG_DWORD", "0xffffffff", 0xFFFFFFFF),
        ("REG_DWORD", "12", 12),
        ("REG_QWORD", "0x10", 16),
        ("REG_DWORD", "", None),
        ("REG_DWORD", "0x", None),
        ("REG_DWORD", "one", None),
        ("REG_DWORD", "0x" + "f" * 5000, None),
        ("REG_SZ", "1", None),
    ],
)
def test_numbers(kind: str, data: str, number: int | None) -> None:
    assert RegistryValue("a", kind, data).number == number


@pytest.mark.parametrize(
    "spelling",
    [
        KEY,
        KEY.lower(),
        KEY.replace("HKEY_LOCAL_MACHINE", "HKLM") + "\\",
        KEY.replace("HKEY_LOCAL_MACHINE", r"\\MAIL4OLD\HKLM"),
        "\\\\MAIL4OLD\\" + KEY,
    ],
)
def test_a_key_is_found_by_every_spelling(spelling: str) -> None:
    assert "RootDir" in values_of(parse_reg_query(QUERY), spelling)
    assert canonical_key(spelling) == canonical_key(KEY)


def test_another_key_is_not_found() -> None:
    assert values_of(parse_reg_query(QUERY), r"HKLM\SOFTWARE") == {}


def test_a_value_is_found_without_regard_to_case() -> None:
    values = parse_reg_query(QUERY)[KEY]
    found = find_value(values, "DisableResolverSearchList")
    assert found is not None
    assert found.name == "disableresolversearchlist"
    assert find_value(values, "Missing") is None


SC = """
SERVICE_NAME: MSExchangeIMC 2000 : 7
        TYPE               : 10  WIN32_OWN_PROCESS
        STATE              : {state}
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
"""


@pytest.mark.parametrize(
    ("state", "number"), [("1  STOPPED", 1), ("4  RUNNING", 4), ("9  X", None), ("f  X", None)]
)
def test_the_state_of_a_service(state: str, number: int | None) -> None:
    assert parse_sc_state(SC.format(state=state).replace("\n", "\r\n").encode()) == number


def test_the_state_in_another_language() -> None:
    text = SC.replace("TYPE  ", "TYP   ").replace("STATE", "STATUS").format(state="3  WIRD BEENDET")
    assert parse_sc_state(text.encode("latin-1")) == 3


QUERYEX = """
SERVICE_NAME: MSExchangeIMC
        TYPE               : 10  WIN32_OWN_PROCESS
        STATE              : 4  RUNNING
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
        PID                : {process}
        FLAGS              :
"""


@pytest.mark.parametrize(
    ("process", "number"),
    [("1234", 1234), ("0", None), ("", None), ("0x4d2", None), ("9" * 11, None), ("-1", None)],
)
def test_the_process_of_a_service(process: str, number: int | None) -> None:
    text = QUERYEX.format(process=process)
    assert parse_sc_process(text.replace("\n", "\r\n").encode()) == number
    translated = text.replace("PID  ", "PROZ ").replace("STATE", "STATUS")
    assert parse_sc_process(translated.encode()) == number


def test_no_process_without_a_state() -> None:
    assert parse_sc_process(SC.format(state="4  RUNNING").encode()) is None
    assert parse_sc_process(b"[SC] OpenService FAILED 1060:\r\n") is None


def test_no_service_no_state() -> None:
    assert parse_sc_state(b"[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\r\n") is None


def test_bare_names() -> None:
    assert parse_dir_bare(b"a b.log\r\nB.LOG\r\n\r\n") == ["a b.log", "B.LOG"]
    assert parse_dir_bare(b"") == []


def test_decode_falls_back_byte_by_byte() -> None:
    assert decode("Größe".encode()) == "Größe"
    assert decode(b"Gr\xf6\xdfe") == "Größe"


def test_an_excerpt_is_not_garbled_by_its_own_cut() -> None:
    assert excerpt(b"x" + "ü".encode() * 100, 40) == "x" + "ü" * 39 + " ..."


@given(st.binary(max_size=400))
def test_an_excerpt_is_one_short_printable_line(data: bytes) -> None:
    text = excerpt(data, 40)
    assert 0 < len(text) <= 44
    assert all(c.isprintable() for c in text)


_PIECES = st.sampled_from(
    [
        "HKEY_LOCAL_MACHINE\\A",
        "    ",
        "\t",
        "REG_SZ",
        "REG_DWORD",
        "0x1",
        "\r",
        "\n",
        ":",
        " 4 ",
        "x",
        "\x00",
        "ü",
    ]
)


@given(
    st.one_of(
        st.binary(max_size=400), st.lists(_PIECES, max_size=40).map(lambda x: "".join(x).encode())
    )
)
def test_no_input_raises(data: bytes) -> None:
    dump = parse_reg_query(data)
    for values in dump.values():
        for name, value in values.items():
            assert value.name == name
            assert value.number is None or value.number >= 0
    state, process = parse_sc_state(data), parse_sc_process(data)
    assert state is None or 1 <= state <= 7
    assert process is None or (state and process > 0)
    parse_dir_bare(data)


_NAME = st.text(alphabet="abcXYZ 09-_.", min_size=1, max_size=12).map(str.strip).filter(bool)
_DATA = st.text(alphabet="abc XYZ\\:;=,09", max_size=20)


@given(st.dictionaries(_NAME.filter(lambda n: "    " not in n), _DATA, max_size=6))
def test_what_reg_prints_is_read_back(values: dict[str, str]) -> None:
    lines = [f"    {name}    REG_SZ    {data}" for name, data in values.items()]
    dump = parse_reg_query("\r\n".join(["", KEY, *lines, "", ""]).encode())
    assert {name: value.data for name, value in dump[KEY].items()} == values


@pytest.mark.parametrize(
    "unit",
    [
        b"x\r\n",
        b"\r\n",
        b"    a    REG_SZ    b\r\n",
        b"    " * 40 + b"\r\n",
        b"HKEY_LOCAL_MACHINE\\a\r\n",
    ],
)
def test_time_grows_with_the_size_only(unit: bytes) -> None:
    """A megabyte of anything is read in well under a second; squared it would be minutes."""
    begin = time.process_time()
    parse_reg_query(
        KEY.encode() + b"\r\n    a    REG_SZ    b\r\n" + unit * (1_000_000 // len(unit))
    )
    assert time.process_time() - begin < 10


def test_one_endless_line_is_read_in_time() -> None:
    begin = time.process_time()
    parse_reg_query(KEY.encode() + b"\r\n" + b"    " * 250_000)
    parse_sc_state(b" a" * 500_000)
    assert time.process_time() - begin < 10
