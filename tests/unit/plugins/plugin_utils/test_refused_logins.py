# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account that a host refused is not tried at the next one, in any process of the run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    HostUnreachable,
    LoginRefused,
)
from ansible_collections.postmaster.exchange.plugins.plugin_utils import _logins
from ansible_collections.postmaster.exchange.plugins.plugin_utils._logins import Logins

OPERATOR = ("operator", "S3cret-Passw0rd")
FORK = multiprocessing.get_context("fork")


def attempt(
    logins: Logins, host: str, outcome: Exception | None = None, account: tuple[str, str] = OPERATOR
) -> str:
    """Try to log in, and return how that ended."""
    try:
        with logins.attempt(*account, host, None):
            if outcome is not None:
                raise outcome
    except LoginRefused:
        return "refused"
    except HostUnreachable as error:
        return "not tried" if error.details.get("not_tried") else "unreachable"
    return "accepted"


def refusal(host: str = "mail5-a") -> LoginRefused:
    return LoginRefused(f"{host}: no WinRM session: the login was refused.")


def test_after_a_refused_login_no_further_host_is_asked() -> None:
    logins = Logins()
    assert attempt(logins, "mail5-a", refusal()) == "refused"
    with pytest.raises(HostUnreachable) as caught, logins.attempt(*OPERATOR, "mail5-b", None):
        pytest.fail("it was tried")
    assert str(caught.value).startswith(
        "mail5-b: not tried, because mail5-a refused the login as operator."
    )
    assert caught.value.details == {"not_tried": True}
    assert OPERATOR[1] not in str(caught.value)


def test_another_account_and_another_password_are_tried() -> None:
    logins = Logins()
    attempt(logins, "mail5-a", refusal())
    for account in (("admin", OPERATOR[1]), ("operator", "another")):
        assert attempt(logins, "mail5-b", account=account) == "accepted"
    assert attempt(logins, "mail5-b", account=("OPERATOR", OPERATOR[1])) == "not tried"


def test_once_a_login_has_succeeded_a_refusal_is_that_hosts_own() -> None:
    logins = Logins()
    assert attempt(logins, "mail5-a") == "accepted"
    assert attempt(logins, "mail5-b", refusal("mail5-b")) == "refused"
    assert attempt(logins, "mail5-c") == "accepted"


def test_what_is_no_refusal_stops_no_host() -> None:
    logins = Logins()
    assert attempt(logins, "mail5-a", HostUnreachable("mail5-a: no route.")) == "unreachable"
    assert attempt(logins, "mail5-b") == "accepted"


def test_no_secret_is_in_what_the_processes_share() -> None:
    logins = Logins()
    attempt(logins, "mail5-a", refusal())
    assert logins._file is not None
    shared = os.pread(logins._file.fileno(), 10_000, 0)
    assert b"mail5-a" in shared
    assert b"operator" not in shared
    assert OPERATOR[1].encode() not in shared


def _workers(count: int, work: Callable[[int], str]) -> list[str]:
    """Fork processes as ansible-core does, all at once, and return how each ended."""
    answers: Any = FORK.Queue()

    def run(number: int) -> None:
        answers.put(work(number))

    workers = [FORK.Process(target=run, args=(number,)) for number in range(count)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=30) for _worker in workers]
    for worker in workers:
        worker.join(30)
    return sorted(found)


def test_of_all_forks_one_tries_a_wrong_password() -> None:
    logins = Logins()

    def work(number: int) -> str:
        with_time = refusal(f"host-{number}")
        time.sleep(0.02)  # as a login takes
        return attempt(logins, f"host-{number}", with_time)

    assert _workers(12, work) == ["not tried"] * 11 + ["refused"]


def test_all_forks_go_on_where_the_first_succeeds() -> None:
    logins = Logins()
    assert _workers(12, lambda number: attempt(logins, f"host-{number}")) == ["accepted"] * 12


def test_a_process_that_dies_in_a_login_keeps_nobody_waiting() -> None:
    logins = Logins()

    def die() -> None:
        with logins.attempt(*OPERATOR, "mail5-a", None):
            os.kill(os.getpid(), signal.SIGKILL)

    worker = FORK.Process(target=die)
    worker.start()
    worker.join(30)
    begun = time.monotonic()
    assert attempt(logins, "mail5-b") == "accepted"
    assert time.monotonic() - begun < 5


def test_a_host_that_accepts_no_connection_takes_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = closed.getsockname()[:2]
        logins = Logins()
        monkeypatch.setattr(logins, "_turn", lambda _key: pytest.fail("it waited"))
        with logins.attempt(*OPERATOR, "mail5-a", address):
            pass


def test_a_login_that_hangs_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_logins, "_WAIT", 0.3)
    logins = Logins()
    entered = FORK.Event()

    def hang() -> None:
        with logins.attempt(*OPERATOR, "mail5-a", None):
            entered.set()
            time.sleep(60)

    worker = FORK.Process(target=hang)
    worker.start()
    assert entered.wait(30)
    assert attempt(logins, "mail5-b") == "accepted"
    worker.kill()
    worker.join(30)


def test_without_a_place_for_the_file_every_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_args: object, **_named: object) -> None:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "TemporaryFile", none)
    logins = Logins()
    assert [attempt(logins, host, refusal(host)) for host in "ab"] == ["refused"] * 2


def test_a_file_whose_number_belongs_to_another_is_left_alone(tmp_path: Any) -> None:
    logins = Logins()
    assert logins._file is not None
    with (tmp_path / "other").open("w+b") as other:
        os.dup2(other.fileno(), logins._file.fileno())
        attempt(logins, "mail5-a", refusal())
        assert attempt(logins, "mail5-b", refusal()) == "refused"
        assert other.read() == b""
