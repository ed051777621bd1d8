# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first pass: how many questions are under way, and how fast they leave."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs import engine
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.engine import (
    collector_paused,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.first_pass import (
    FirstPass,
    Limits,
    Pace,
    Window,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.model import (
    NameServer,
    Question,
    RecordType,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.sockets import (
    most_sockets,
)
from exchange_lab.mail.dns_server import DnsServer, Fault
from hypothesis import given
from hypothesis import strategies as st

Run = Callable[..., dict[str, Any]]


def _round(window: Window, lost: int = 0) -> int:
    """End as many questions as the window has, and return what it is then."""
    for number in range(window.size):
        window.ended(lost=number < lost)
    return window.size


def test_the_window_grows_while_answers_come() -> None:
    window = Window(500)
    assert [window.size, *(_round(window) for _number in range(5))] == [50, 100, 200, 400, 500, 500]


def test_the_window_bears_some_losses() -> None:
    window = Window(500)
    assert [_round(window, lost=window.size // 8) for _number in range(4)] == [100, 200, 400, 500]


def test_the_window_comes_down_for_good_where_many_are_lost() -> None:
    window = Window(500)
    assert [_round(window, lost) for lost in (0, 0, 0)] == [100, 200, 400]
    for _number in range(400 // 8):
        window.ended(lost=True)
    assert window.size == 400
    window.ended(lost=True)
    assert (window.size, window.most) == (50, 50)
    assert _round(window) == 50


def test_the_window_does_not_grow_while_many_are_lost() -> None:
    window = Window(500)
    assert [_round(window, lost) for lost in (50, 7, 6, 0)] == [50, 50, 100, 200]


def test_the_window_is_never_larger_than_wanted() -> None:
    window = Window(7)
    assert [_round(window, lost) for lost in (0, 7, 0)] == [7, 7, 7]


class _Weak(DnsServer):
    """A name server that drops questions while 70 are being answered."""

    dropped = 0

    def _on_datagram(self, *arguments: Any) -> None:
        if self._waiting < 70:
            super()._on_datagram(*arguments)
        else:
            self.dropped += 1


def test_a_server_that_bears_few_questions_gets_few(resolve: Run) -> None:
    domains = [f"d{number}.example" for number in range(1200)]
    with _Weak(dict.fromkeys(domains, "@ MX 0 .")) as server:
        server.set_fault("*", "*", Fault.SLOW, seconds=0.1)
        result = resolve(server, domains=domains, timeout=0.5)
    assert {route["status"] for route in result["routes"]} == {"null_mx"}
    # It drops what was under way too much when the first timeouts came, and nothing after that.
    assert 0 < server.dropped < 500


def test_no_more_sockets_than_the_system_grants(
    resolve: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "most_sockets", lambda: 5)
    domains = [f"d{number}.example" for number in range(40)]
    with DnsServer(dict.fromkeys(domains, "@ MX 0 .")) as server:
        server.set_fault("*", "*", Fault.SLOW, seconds=0.02)
        result = resolve(server, domains=domains)
    assert {route["status"] for route in result["routes"]} == {"null_mx"}
    assert server.peak == 5


@pytest.mark.parametrize(("files", "most"), [(256, 128), (1, 1), (resource.RLIM_INFINITY, 2**62)])
def test_half_of_the_open_files_may_be_sockets(
    monkeypatch: pytest.MonkeyPatch, files: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (files, files))
    assert min(most_sockets(), 2**62) == most


@given(st.integers(1, 1000), st.lists(st.floats(0, 0.5), min_size=1, max_size=300))
def test_a_pace_is_kept_over_any_second(rate: int, pauses: list[float]) -> None:
    pace, now, times = Pace(rate), 1000.0, list[float]()
    for pause in pauses:
        now += pause
        while wait := pace.wait(now):
            now += max(wait, 1e-6)  # as a clock does, it goes on
        pace.left(now)
        times.append(now)
    for start in times:
        # What was saved up may leave besides: a tenth of a second's worth, and the first.
        assert sum(start <= x < start + 1 for x in times) <= rate * 1.1 + 1.01


class _Turnstile(Pace):
    """Lets one question through at each third call."""

    asked = passed = 0

    def wait(self, now: float) -> float:
        self.asked += 1
        return 0.0 if self.asked % 3 == 0 else 0.001

    def left(self, now: float) -> None:
        assert self.asked % 3 == 0
        self.passed += 1


def test_no_question_leaves_before_its_turn() -> None:
    names = [f"d{number}.example" for number in range(60)]
    pace = _Turnstile(1)
    with DnsServer(dict.fromkeys(names, "@ MX 0 .")) as server:
        where = NameServer(server.address, server.port)
        bulk = FirstPass(where, Limits(500, 1.0), pace, lambda _answer: ())
        bulk.ask([Question(name, RecordType.MX) for name in names])
    assert len(bulk.known) == pace.passed == 60


def test_the_collector_is_as_it_was_after_a_pause() -> None:
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
