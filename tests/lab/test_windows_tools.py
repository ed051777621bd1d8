# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""find, findstr, more, typeperf, ping and the smaller programs of a lab host."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from exchange_lab.windows.host import CONTROL_C_EXIT, LabHost
from exchange_lab.windows.process import Stdin, Streams

TEXT = b"alpha one\r\nBeta two\r\ngamma.three\r\n421 NSO hq.com\r\n"


@pytest.fixture
def host(tmp_path: Path) -> LabHost:
    host = LabHost("MAIL5A", tmp_path, time_scale=0.01)
    host.fs.write_bytes("C:\\t.txt", TEXT)
    host.fs.write_bytes("C:\\u.txt", b"alpha\r\n")
    return host


def run(host: LabHost, line: str) -> tuple[int, str, str]:
    done = host.run("cd C:\\&" + line)
    return done.exit_code, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    ("line", "code", "out"),
    [
        ('find "alpha" t.txt', 0, "\r\n---------- T.TXT\r\nalpha one\r\n"),
        ('find /i "BETA" <t.txt', 0, "Beta two\r\n"),
        ('find "BETA" <t.txt', 1, ""),
        ('find /n "421" <t.txt', 0, "[4]421 NSO hq.com\r\n"),
        ('find /c /v "" <t.txt', 0, "4\r\n"),
        ('find /v "a" <t.txt', 0, "421 NSO hq.com\r\n"),
        ('type t.txt|find /c "o"', 0, "3\r\n"),
        ('find "x" <nul', 1, ""),
    ],
)
def test_find(host: LabHost, line: str, code: int, out: str) -> None:
    assert run(host, line) == (code, out, "")


def test_find_needs_quotes(host: LabHost) -> None:
    assert run(host, "find alpha t.txt") == (2, "", "FIND: Parameter format not correct\r\n")


def test_find_says_what_is_missing(host: LabHost) -> None:
    assert run(host, 'find "a" nosuch')[2] == "File not found - nosuch\r\n"


@pytest.mark.parametrize(
    ("line", "code", "out"),
    [
        ("findstr alpha t.txt", 0, "alpha one\r\n"),
        ("findstr /i BETA t.txt", 0, "Beta two\r\n"),
        ("findstr BETA t.txt", 1, ""),
        ('findstr "alpha 421" t.txt', 0, "alpha one\r\n421 NSO hq.com\r\n"),
        ('findstr /c:"alpha one" t.txt', 0, "alpha one\r\n"),
        ('findstr /l /c:"a.thr" t.txt', 0, "gamma.three\r\n"),
        ('findstr /l /c:"a*thr" t.txt', 1, ""),
        ('findstr /l /c:"mma.three" t.txt', 0, "gamma.three\r\n"),
        ("findstr /l gamma.t t.txt", 0, "gamma.three\r\n"),
        ("findstr /r gam.a t.txt", 0, "gamma.three\r\n"),
        ("findstr /r /c:^^[0-9][0-9]* t.txt", 0, "421 NSO hq.com\r\n"),
        ("findstr /b alpha t.txt", 0, "alpha one\r\n"),
        ("findstr /b one t.txt", 1, ""),
        ("findstr /e two t.txt", 0, "Beta two\r\n"),
        ("findstr /x /c:alpha t.txt u.txt", 0, "u.txt:alpha\r\n"),
        ("findstr /n alpha t.txt u.txt", 0, "t.txt:1:alpha one\r\nu.txt:1:alpha\r\n"),
        ("findstr /v a t.txt", 0, "421 NSO hq.com\r\n"),
        ("findstr /m alpha *.txt", 0, "t.txt\r\nu.txt\r\n"),
        ("type t.txt|findstr 421", 0, "421 NSO hq.com\r\n"),
    ],
)
def test_findstr(host: LabHost, line: str, code: int, out: str) -> None:
    assert run(host, line) == (code, out, "")


def test_findstr_says_what_it_cannot_open(host: LabHost) -> None:
    assert run(host, "findstr a nosuch") == (1, "", "FINDSTR: Cannot open nosuch\r\n")
    assert run(host, "findstr")[0] == 2


def test_more_skips_lines_and_turns_tabs_into_blanks(host: LabHost) -> None:
    host.fs.write_bytes("C:\\m.txt", b"1\r\n2\r\na\tb\r\n")
    assert run(host, "more /e +2 m.txt") == (0, "a       b\r\n", "")
    assert run(host, "more +1 <m.txt")[1] == "2\r\na       b\r\n"
    assert run(host, "more /t1 +2 m.txt")[1] == "a b\r\n"


def test_more_waits_for_a_key_after_65534_lines(host: LabHost) -> None:
    host.fs.write_bytes("C:\\big.txt", b"x\r\n" * 65535)
    done = host.run("more C:\\big.txt", stdin=b"\r\n")
    assert done.stdout.count(b"\n") == 65535
    printed: list[bytes] = []
    streams = Streams(printed.append, printed.append, Stdin())
    thread = threading.Thread(
        target=host.execute, args=("more C:\\big.txt", host.open_shell(), streams)
    )
    thread.start()
    thread.join(1.0)
    assert thread.is_alive()
    streams.stop.set()
    thread.join(5)
    assert b"".join(printed).count(b"\n") == 65534


# -- counters and time -----------------------------------------------------------------------


def test_typeperf_shows_the_counter(host: LabHost) -> None:
    host.counters["\\MSExchangeIMC\\Queued Outbound"] = lambda: 4
    code, out, _skipped = run(host, 'typeperf "\\msexchangeimc\\queued outbound" -sc 1')
    lines = out.split("\r\n")
    assert code == 0
    assert lines[1] == '"(PDH-CSV 4.0)","\\\\MAIL5A\\msexchangeimc\\queued outbound"'
    assert lines[2].endswith(',"4.000000"')


def test_typeperf_of_another_computer(host: LabHost, tmp_path: Path) -> None:
    host.counters["\\MSExchangeIMC\\Queued Outbound"] = lambda: 7
    manager = LabHost("MGMT1", tmp_path / "mgmt", time_scale=0.01)
    manager.connect(host)
    line = 'typeperf "\\\\MAIL5A\\MSExchangeIMC\\Queued Outbound" -sc 1'
    assert ',"7.000000"' in run(manager, line)[1]


def test_typeperf_without_the_counter_fails(host: LabHost) -> None:
    code, out, _skipped = run(host, 'typeperf "\\MSExchangeIMC\\Nosuch" -sc 1')
    assert code != 0
    assert "No valid counters" in out


def test_ping_sleeps_a_second_between_packets(host: LabHost) -> None:
    host.time_scale = 0.1
    before = time.monotonic()
    code, out, _skipped = run(host, "ping -n 4 127.0.0.1")
    assert time.monotonic() - before >= 0.3
    assert (code, out.count("Reply from")) == (0, 4)
    assert run(host, "ping -n 1 nosuch")[0] == 1


def test_a_sleeping_command_can_be_stopped(host: LabHost) -> None:
    host.time_scale = 1.0
    streams = Streams(lambda _unused: None, lambda _unused: None)
    threading.Timer(0.1, streams.stop.set).start()
    before = time.monotonic()
    code = host.execute("ping -n 60 127.0.0.1>nul&echo x", host.open_shell(), streams)
    assert code == CONTROL_C_EXIT
    assert time.monotonic() - before < 30


@pytest.mark.parametrize(
    ("line", "code", "out"),
    [
        ("hostname", 0, "MAIL5A\r\n"),
        ("whoami", 0, "mail5a\\administrator\r\n"),
        ("where reg", 0, "C:\\Windows\\system32\\reg.exe\r\n"),
        ("ver", 0, "\r\nMicrosoft Windows [Version 6.1.7601]\r\n"),
        ("chcp 65001", 0, "Active code page: 65001\r\n"),
        ("chcp 1", 1, ""),
        ("where nosuch", 1, ""),
        ("timeout /t 1", 1, ""),
    ],
)
def test_small_programs(host: LabHost, line: str, code: int, out: str) -> None:
    assert run(host, line)[:2] == (code, out)
