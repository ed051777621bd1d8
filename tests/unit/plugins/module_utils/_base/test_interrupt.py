# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signal to stop leaves time to close what is open."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base import interrupt

BUILD = Path(__file__).resolve().parents[5] / ".build"
# A child inherits that signals are ignored, as they are in a job of the background or under nohup.
PROGRAM = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
from ansible_collections.postmaster.exchange.plugins.module_utils._base import interrupt
from ansible_collections.postmaster.exchange.plugins.module_utils._base.interrupt import orderly_end
# grace
with orderly_end():
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("closed", flush=True)
        {more}
"""


def stopped(*signals: int, more: str = "", grace: str = "") -> tuple[str, int]:
    """Send signals to a program; return what it printed after its first line, and its status."""
    program = PROGRAM.replace("{more}", more).replace("# grace", grace)
    environment = {"PYTHONPATH": ":".join([str(BUILD), *sys.path])}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        text = ""
        for number in signals[:-1]:
            running.send_signal(number)
            text += running.stdout.readline()  # it is on its way out
        running.send_signal(signals[-1])
        text += running.stdout.read()
        return text, running.wait(30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_open_is_closed_and_then_the_signal_ends_the_process(number: int) -> None:
    text, status = stopped(number)
    assert text == "closed\n"
    assert status == -number


def test_a_second_signal_does_not_disturb() -> None:
    """Ansible follows a SIGINT up by a SIGTERM at once."""
    text, status = stopped(signal.SIGINT, signal.SIGTERM, more="time.sleep(1); print('done')")
    assert text == "closed\ndone\n"
    assert status == -signal.SIGINT


def test_a_second_signal_ends_a_way_out_that_takes_too_long() -> None:
    late = "time.sleep(60); print('done')"
    text, status = stopped(signal.SIGTERM, signal.SIGTERM, more=late, grace="interrupt._GRACE = 0")
    assert text == "closed\n"
    assert status == -signal.SIGTERM


def test_what_was_there_before_is_there_again() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with interrupt.orderly_end():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupt.orderly_end():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_get_no_signals() -> None:
    done = []

    def work() -> None:
        with interrupt.orderly_end():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
