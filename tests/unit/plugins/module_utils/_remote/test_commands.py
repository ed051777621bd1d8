# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of command lines: what is fit passes unchanged, everything else is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import commands
from hypothesis import assume, given
from hypothesis import strategies as st

FORBIDDEN = set('&|<>^%!"') | {chr(code) for code in range(32)} | {"\x7f"}

# Texts that come near to what is allowed, with the odd character that is not.
_NEAR = st.text(
    alphabet=st.one_of(
        st.sampled_from(r"abcXYZ019 ._-()$~,:\{}"),
        st.sampled_from(sorted(FORBIDDEN)),
        st.sampled_from("'`;=+@#*?/[]\u02ba\uff02\uff06\u2033"),  # and what Windows best-fits to "&
    ),
    max_size=40,
)
_PATHS = st.one_of(_NEAR, _NEAR.map(lambda tail: "C:\\" + tail), _NEAR.map("\\\\h\\s\\".__add__))
_KEYS = st.one_of(_NEAR, _NEAR.map(lambda tail: "HKLM\\" + tail))


@pytest.mark.parametrize(
    "path",
    [
        r"C:\exchsrvr\imcdata",
        r"d:\Program Files (x86)\a-b_c.d~1,$x",
        r"\\MAIL4OLD\C$\exchsrvr\imcdata",
        r"\\mail.hq.example\tracking.log\20261123.log",
        "C:\\" + "a" * 256,
    ],
)
def test_a_path_passes_unchanged(path: str) -> None:
    assert commands.windows_path(path) == path
    assert commands.quoted(path) == f'"{path}"'


def test_a_backslash_at_the_end_goes_away() -> None:
    assert commands.quoted("C:\\exchsrvr\\imcdata\\") == r'"C:\exchsrvr\imcdata"'


@pytest.mark.parametrize(
    "path",
    [
        "",
        "C:",
        "C:\\",
        "imcdata",
        r"\imcdata",
        r"C:imcdata",
        r"C:\a\\b",
        r"C:\a\..\b",
        r"C:\a\.",
        r"C:\a \b",
        r"C:\ a",
        r"C:\a.\b",
        "C:/exchsrvr",
        r"C:\a:stream",
        r"C:\con",
        r"C:\a\NUL.txt",
        r"C:\a\lpt1 .b",
        r"\\host",
        r"\\host\share",
        r"\\ho st\share\a",
        r"\\?\C:\a",
        r"\\.\pipe\x",
        r"C:\a*",
        "C:\\tab\tbed",
        "C:\\line\nfeed",
        "C:\\n\u00e4me",
        r"C:\%TEMP%\a",
        r"%TEMP%\a",
        "C:\\" + "a" * 257,
    ],
)
def test_what_is_no_absolute_plain_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match=r"not usable as a (Windows path|computer name)"):
        commands.windows_path(path)


def test_the_message_shows_odd_characters_as_escapes() -> None:
    with pytest.raises(InvalidInput) as caught:
        commands.windows_path("C:\\a\x1b[31m")
    assert "\\x1b[31m" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_only_our_own_folders_may_be_named_by_a_variable() -> None:
    path = commands.in_folder(commands.USER_TEMP, "exchange-0a.txt")
    assert commands.quoted(path) == r'"%TEMP%\exchange-0a.txt"'
    with pytest.raises(InvalidInput):
        commands.quoted(r"%TEMP%\..\a")
    with pytest.raises(InvalidInput):
        commands.quoted(r"%TEMP%\a%b")
    with pytest.raises(InvalidInput):
        commands.quoted(r"%windir%\a")


def test_a_name_in_a_folder_holds_no_backslash() -> None:
    with pytest.raises(InvalidInput, match="file name"):
        commands.in_folder(r"C:\a", r"b\c")


@pytest.mark.parametrize("name", ["MAIL4OLD", "mail-4_old", "mail5-a.hq.example", "192.0.2.7"])
def test_computer_names(name: str) -> None:
    assert commands.computer_name(name) == name
    assert commands.computer_name("\\\\" + name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "a b", "a..b", ".a", "a\\b", "a&b", "a" * 64, "ä"]
)
def test_what_is_no_computer_name(name: str) -> None:
    with pytest.raises(InvalidInput, match="computer name"):
        commands.computer_name(name)


def test_registry_keys_take_the_short_name_of_the_hive() -> None:
    key = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters"
    assert commands.registry_key(key).startswith(r"HKLM\SYSTEM")
    assert commands.registry_key(r"hklm\SOFTWARE", "MAIL4OLD") == r"\\MAIL4OLD\HKLM\SOFTWARE"


@pytest.mark.parametrize(
    "key", ["", "HKLM", "HKLM\\", "SYSTEM\\a", "HKXX\\a", "HKLM\\\\a", "HKLM\\ a"]
)
def test_what_is_no_registry_key(key: str) -> None:
    with pytest.raises(InvalidInput, match="registry key"):
        commands.registry_key(key)


def test_another_computer_has_no_current_user() -> None:
    with pytest.raises(InvalidInput, match="HKLM and HKU only"):
        commands.registry_key(r"HKCU\Software", "MAIL4OLD")


def test_command_lines_read_as_documented() -> None:
    key = r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters"
    name = "DisableResolverSearchList"
    assert commands.reg_query(key, computer="OLD") == rf'reg query "\\OLD\{key}"'
    assert commands.reg_delete_value(key, name) == f'reg delete "{key}" /v "{name}" /f'
    assert commands.reg_export(key, r"C:\a b.reg") == rf'reg export "{key}" "C:\a b.reg"'
    assert commands.sc("query", "MSExchangeIMC") == 'sc query "MSExchangeIMC"'
    assert commands.sc("stop", "MSExchangeIMC", computer="OLD") == r'sc \\OLD stop "MSExchangeIMC"'
    assert commands.delete(r"C:\a") == r'del "C:\a"'
    assert commands.move(r"C:\a", r"C:\b") == r'move /y "C:\a" "C:\b"'
    assert commands.echo_if_exists(r"C:\a") == r'(if exist "C:\a" echo yes)'


def test_only_harmless_verbs_of_sc() -> None:
    with pytest.raises(InvalidInput, match="verb"):
        commands.sc("delete", "MSExchangeIMC")


_BUILDERS: list[tuple[Callable[..., str], st.SearchStrategy[tuple[str, ...]]]] = [
    (commands.type_file, st.tuples(_PATHS)),
    (commands.delete, st.tuples(_PATHS)),
    (commands.move, st.tuples(_PATHS, st.just(r"C:\b"))),
    (commands.echo_if_exists, st.tuples(_PATHS, _NEAR)),
    (commands.list_folder, st.tuples(_PATHS)),
    (commands.reg_query, st.tuples(_KEYS)),
    (commands.reg_delete_value, st.tuples(st.just(r"HKLM\a"), _NEAR)),
    (commands.reg_export, st.tuples(_KEYS, st.just(r"C:\b"))),
    (lambda name: commands.sc("query", name), st.tuples(_NEAR)),
    (lambda name: commands.sc("query", "a", computer=name), st.tuples(_NEAR)),
    (lambda name: commands.reg_query(r"HKLM\a", computer=name), st.tuples(_NEAR)),
]


@pytest.mark.parametrize(("build", "arguments"), _BUILDERS)
@given(data=st.data())
def test_no_argument_brings_a_special_character_onto_a_line(
    build: Callable[..., str], arguments: st.SearchStrategy[tuple[str, ...]], data: st.DataObject
) -> None:
    given_arguments = data.draw(arguments)
    try:
        line = build(*given_arguments)
    except InvalidInput:
        return
    template = build(*_harmless(given_arguments))
    for character in FORBIDDEN:
        assert line.count(character) == template.count(character)
    assert line.isascii()
    # The text before a quote does not escape it or leave it open.
    assert '\\"' not in line
    assert line.count('"') % 2 == 0


def _harmless(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The same kinds of arguments, plain."""
    plain = []
    for text in arguments:
        if text.startswith("HKLM\\"):
            plain.append("HKLM\\a")
        elif text[1:3] == ":\\" or text.startswith("\\\\"):
            plain.append("C:\\a" if text[1:3] == ":\\" or text.count("\\") > 3 else "a")
        else:
            plain.append("a")
    return tuple(plain)


@given(
    st.lists(
        st.from_regex(r"[A-Za-z0-9_$~][A-Za-z0-9 ._\-()$~,]{0,8}[A-Za-z0-9]", fullmatch=True),
        min_size=1,
        max_size=6,
    )
)
def test_every_plain_path_is_accepted(names: list[str]) -> None:
    assume(not any(commands._DEVICE.fullmatch(name) for name in names))
    path = "C:\\" + "\\".join(names)
    assert commands.windows_path(path) == path
