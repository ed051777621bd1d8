# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_delivery remembers each change until a test message has proved it, in both families."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._run import mail_delivery
from exchange_lab.lab import Lab
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.scenario_default import DIRECT
from worker import Play

ADDRESSES = ["192.0.2.25", "192.0.2.26", "192.0.2.27"]
NESTLE = {"domain": "nestle.com", "addresses": ADDRESSES}
TEST = {
    "domains": "changed",
    "interval": 1,
    "deadline": 3,
    "smtp": {"port": "{{ mx_delivery_test_smtp_port }}"},
}
HOSTS = pytest.mark.parametrize("host", ["mail55", "ex19-a"])


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A 5.5 host, and an organisation of two servers."""
    with Lab(replace(DIRECT, hosts=DIRECT.hosts[1:2]), tmp_path / "lab") as made:
        yield made


def task(mode: str, **options: Any) -> tuple[str, dict[str, Any]]:
    """A task of this mode, as the role runs it."""
    common = {"mode": mode, "endpoint": "{{ mx_delivery_endpoint | default(omit) }}"}
    if mode in {"compare", "enforce"}:
        common["routes"] = [NESTLE]
    if mode in {"enforce", "restore"}:
        common["test"] = TEST
    return mode, {"postmaster.exchange.mail_delivery": {**common, **options}}


def temper(lab: Lab, how: Temper) -> None:
    """Make the mail servers of nestle.com treat messages so."""
    for address in ADDRESSES:
        lab.sinks[address].temper = how


def unproved(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The domains without proof, with the verdict of their last test message."""
    return [(one["domain"], one["verdict"]) for one in result["delivery"]["unproved"]]


@HOSTS
def test_what_failed_its_test_is_tested_by_every_run_until_it_arrives(
    lab: Lab, play: Play, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    temper(lab, Temper.DEFER)
    first = play(lab, host, task("enforce"))["enforce"]
    assert first["changed"], first
    ((domain, verdict),) = unproved(first)
    assert (domain, verdict) == ("nestle.com", "queued")
    monkeypatch.setenv("XDG_CACHE_HOME", "/nonexistent")  # another controller, the same backups
    seen = play(lab, host, task("compare"), task("enforce"))
    assert unproved(seen["compare"]) == [("nestle.com", "queued")]
    assert seen["compare"]["delivery"]["unproved"][0]["reason"].startswith("451")
    again = seen["enforce"]
    assert not again["delivery"]["changed"]
    assert again["tests"]["undelivered"] == ["nestle.com"]
    assert unproved(again) == [("nestle.com", "queued")]
    temper(lab, Temper.ACCEPT)
    cured = play(lab, host, task("enforce"))["enforce"]
    assert cured["tests"]["delivered"] == ["nestle.com"]
    assert unproved(cured) == []
    last = play(lab, host, task("enforce"))["enforce"]
    assert (last["tests"], unproved(last)) == (None, [])


@HOSTS
def test_a_run_that_is_killed_after_its_change_leaves_it_without_proof(
    lab: Lab, play: Play, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_given: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if (child := os.fork()) == 0:
        monkeypatch.setattr(mail_delivery, "run_test", killed)
        play(lab, host, task("enforce"))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    done = play(lab, host, task("compare"), task("enforce"))
    assert unproved(done["compare"]) == [("nestle.com", "")]
    assert not done["enforce"]["delivery"]["changed"]
    assert done["enforce"]["tests"]["delivered"] == ["nestle.com"]


@HOSTS
def test_a_rollback_or_switched_off_tests_end_it(lab: Lab, play: Play, host: str) -> None:
    temper(lab, Temper.REJECT)
    untested = {"domains": "none"}
    done = play(lab, host, task("enforce"), task("restore", test=untested), task("compare"))
    assert unproved(done["enforce"]) == [("nestle.com", "returned")]
    assert (unproved(done["restore"]), unproved(done["compare"])) == ([], [])
    play(lab, host, task("enforce"))
    off = play(lab, host, task("enforce", test=untested), task("compare"))
    assert unproved(off["enforce"]) == unproved(off["compare"]) == []
    (said,) = [text for text in off["enforce"]["warnings"] if "no longer remembered" in text]
    assert "nestle.com" in said
    assert "tests are switched off" in said
