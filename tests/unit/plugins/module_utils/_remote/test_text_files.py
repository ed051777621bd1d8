# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small text files on a host: written exactly, and never left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    CommandTimeout,
    ExchangeError,
    InvalidInput,
    SessionLost,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import commands
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import (
    COMMAND_LINE_LIMIT,
    Batch,
    Completed,
)
from exchange_lab.windows.host import LabHost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PATH = r"C:\Windows\Temp\exchange 1.txt"
ROUTES = [
    "[Header]",
    "Version=1",
    "",
    "[Routes]",
    "DeliveryRouting=+",
    "+NESTLE.COM;192.0.2.10;0",
    "+OTHER.COM;192.0.2.20;2",
    "DefaultRouting=",
]


class DirectSession:
    """Runs command lines on a lab host without WinRM; ``before`` may break things."""

    host = "mail5-a"
    requests = 0

    def __init__(self, lab_host: LabHost) -> None:
        self.lab_host = lab_host
        self.lines: list[str] = []
        self.reopened = 0
        self.before: Callable[[str], None] = lambda line: None

    def run(
        self, command: str, *, timeout: float = 60.0, max_output: int = 16_000_000
    ) -> Completed:
        assert len(command) <= COMMAND_LINE_LIMIT
        self.lines.append(command)
        self.before(command)
        done = self.lab_host.run(command)
        truncated = len(done.stdout) > max_output
        return Completed(done.exit_code, done.stdout[:max_output], done.stderr, truncated)

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def session(lab_host: LabHost) -> DirectSession:
    return DirectSession(lab_host)


def on_disk(session: DirectSession, path: str = PATH) -> bytes | None:
    fs = session.lab_host.fs
    return fs.read_bytes(path) if fs.exists(path) else None


def test_a_file_is_written_and_verified_in_one_command(session: DirectSession) -> None:
    commands.write_text_file(session, PATH, ROUTES)
    assert on_disk(session) == "".join(line + "\r\n" for line in ROUTES).encode()
    assert len(session.lines) == 1


def test_an_empty_file_can_be_written(session: DirectSession) -> None:
    commands.write_text_file(session, PATH, [])
    assert on_disk(session) == b""


def test_what_was_there_before_is_replaced(session: DirectSession) -> None:
    session.lab_host.fs.write_bytes(PATH, b"old\r\nlonger than what comes\r\n")
    commands.write_text_file(session, PATH, ["new"])
    assert on_disk(session) == b"new\r\n"


def test_a_big_file_goes_in_pieces_that_cmd_takes(session: DirectSession) -> None:
    lines = [f"+DOMAIN{n}.EXAMPLE;192.0.2.{n % 250};0" for n in range(1000)]
    commands.write_text_file(session, PATH, lines)
    assert on_disk(session) == "".join(line + "\r\n" for line in lines).encode()
    assert 5 < len(session.lines) < 15
    assert max(map(len, session.lines)) > 7500


@pytest.mark.parametrize(
    "line",
    [
        *("a&b", "a|b", "<a>", "50%", "wow!", 'say "a"', "a^b", "tab\there", "ü", "\x00", "a\nb"),
        *("on", "OFF", " on ", ",off", "=", " ", ";,", "/?", "a /? b", "a\r"),
    ],
)
def test_a_line_that_echo_would_change_is_refused_before_anything_is_sent(
    session: DirectSession, line: str
) -> None:
    with pytest.raises(
        InvalidInput, match=r"cmd.exe cannot write line 2 of .* Nothing was written"
    ):
        commands.write_text_file(session, PATH, ["good", line])
    assert session.lines == []
    assert not commands.is_safe_line(line)


def test_a_line_longer_than_a_command_is_refused(session: DirectSession) -> None:
    with pytest.raises(InvalidInput, match="too long for cmd"):
        commands.write_text_file(session, PATH, ["x" * 8000])
    assert session.lines == []


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lines=st.lists(
        st.one_of(st.from_regex(commands.SAFE_LINE, fullmatch=True), st.just("")), max_size=12
    )
)
def test_every_safe_line_survives(session: DirectSession, lines: list[str]) -> None:
    lines = [line for line in lines if len(line) < 500]
    commands.write_text_file(session, PATH, lines)
    assert on_disk(session) == "".join(line + "\r\n" for line in lines).encode()


@pytest.mark.parametrize(
    "line", ["one", "online", "on/off", "echo on", "+A.B;1;0", "x=1 ", "  lead"]
)
def test_ordinary_lines_are_safe(line: str) -> None:
    assert commands.is_safe_line(line)


def test_a_full_disk_is_reported_and_nothing_stays(session: DirectSession) -> None:
    session.lab_host.fs.quota_bytes = session.lab_host.fs.used_bytes() + 100
    with pytest.raises(ExchangeError, match=r"mail5-a: .* could not be written") as caught:
        commands.write_text_file(session, PATH, ["x" * 90] * 300)
    assert "disk space" in caught.value.hint
    assert "left_behind" not in caught.value.details
    assert on_disk(session) is None


def test_a_file_changed_behind_our_back_is_noticed(session: DirectSession) -> None:
    def tamper(line: str) -> None:
        if "type" in line and ">>" not in line:
            session.lab_host.fs.append(PATH, b"extra\r\n")

    session.before = tamper
    # Long enough that writing and reading back are separate commands.
    with pytest.raises(ExchangeError, match="could not be written"):
        commands.write_text_file(session, PATH, ["x" * 7850, "y" * 7850])
    assert on_disk(session) is None


def test_a_lost_session_is_reopened_to_clean_up(session: DirectSession) -> None:
    def lose(line: str) -> None:
        if len(session.lines) == 2:
            raise SessionLost("mail5-a: gone.")

    session.before = lose
    with pytest.raises(SessionLost, match=r"mail5-a: gone\.$"):
        commands.write_text_file(session, PATH, ["x" * 7000] * 3)
    assert on_disk(session) is None


def test_what_could_not_be_cleaned_up_is_named(session: DirectSession) -> None:
    def lose(line: str) -> None:
        if len(session.lines) > 1:
            raise SessionLost("mail5-a: gone.")

    session.before = lose
    with pytest.raises(SessionLost, match="may be left on mail5-a") as caught:
        commands.write_text_file(session, PATH, ["x" * 7000] * 3)
    assert caught.value.details["left_behind"] == PATH
    assert session.reopened == 1
    assert on_disk(session) is not None


def test_a_timeout_while_writing_cleans_up_too(session: DirectSession) -> None:
    def hang(line: str) -> None:
        if len(session.lines) == 2:
            raise CommandTimeout("mail5-a: too slow.")

    session.before = hang
    with pytest.raises(CommandTimeout):
        commands.write_text_file(session, PATH, ["x" * 7000] * 3)
    assert on_disk(session) is None


@pytest.mark.parametrize("content", [b"", b"no line end", b"a\r\n\x00\xff\r\n#rc 0\r\n", b"#"])
def test_any_bytes_are_read_exactly(session: DirectSession, content: bytes) -> None:
    session.lab_host.fs.write_bytes(PATH, content)
    batch = Batch()
    batch.add("text", commands.type_file(PATH))
    assert batch.run(session)["text"].output == content


def test_discarding_is_verified(session: DirectSession) -> None:
    session.lab_host.fs.write_bytes(PATH, b"x")
    assert commands.discard_file(session, PATH) == ""
    assert on_disk(session) is None
    assert commands.discard_file(session, PATH) == ""


def test_a_file_that_stays_is_named(session: DirectSession) -> None:
    left = commands.discard_file(session, r"C:\Windows")
    assert left == r"The temporary file C:\Windows may be left on mail5-a."
    assert session.lab_host.fs.is_dir(r"C:\Windows")
