# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be written with echo, and the line that cannot."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.routes import (
    RoutesFile,
    why_unwritable,
)

GOOD = (
    b"[Header]\r\nVersion=1\r\n\r\n[Routes]\r\nDeliveryRouting=+\r\n+a.example;192.0.2.1;0\r\n"
    b"DefaultRouting=\r\n\r\n[Unknown]\r\nKey=some value, (odd) 'text' #1 + more;9\r\n"
)


def why(content: bytes) -> str:
    file = RoutesFile.parse(content)
    return why_unwritable(file, file)


def test_the_documented_format_and_plain_unknown_lines_can_be_written() -> None:
    assert why(GOOD) == ""


def test_only_the_end_of_the_last_line_does_not_matter() -> None:
    assert why(GOOD[:-2]) == ""
    assert "line 10 of the saved route table does not end in CR LF" in why(
        GOOD[:-1].rstrip() + b"\n"
    )


@pytest.mark.parametrize("char", [b"&", b"|", b"<", b">", b"^", b"%", b"!", b'"', b"\x07", b"\t"])
def test_what_cmd_exe_interprets(char: bytes) -> None:
    reason = why(GOOD.replace(b"some", b"s" + char))
    assert reason.startswith(
        "line 10 of the saved route table contains characters that cmd.exe may"
    )


def test_another_code_page() -> None:
    assert "line 6" in why(GOOD.replace(b"a.example", b"caf\xe9.example"))
    assert "non-ASCII" in why(GOOD.replace(b"a.example", b"caf\xe9.example"))


def test_bare_line_feeds_and_carriage_returns() -> None:
    assert why(GOOD.replace(b"\r\n", b"\n")).startswith("line 1 ")
    assert why(GOOD.replace(b"Version=1", b"Version=1\rX")).startswith("line 2 ")


def test_utf16() -> None:
    assert "UTF-16" in why(b"\xff\xfe" + GOOD.decode().encode("utf-16-le"))


def test_a_line_no_command_line_can_hold() -> None:
    assert "line 6" in why(GOOD.replace(b"a.example", b"a" * 8000))
