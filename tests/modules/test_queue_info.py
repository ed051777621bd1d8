# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""queue_info, from the queue to the pairs of what is stuck in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DIRECT
from worker import Play

LOOK = {"postmaster.exchange.queue_info": {}}
PAIRS = {
    "postmaster.exchange.mx_pairs_info": {
        "domains": "{{ queue.stuck_domains }}",
        "nameservers": "{{ mx_delivery_nameservers }}",
        "port": "{{ mx_delivery_dns_port }}",
        "allow_private": True,
    }
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab's three old hosts; no test changes them."""
    with Lab(replace(DIRECT, organisation=None), tmp_path_factory.mktemp("lab")) as running:
        yield running


def settle(lab: Lab) -> None:
    """Wait until what can leave has left, and the rest has failed once."""
    lab["mail55"].imc.wait(lambda imc: all(entry.reply for entry in imc.queue))


def test_stuck_domains_lead_to_their_pairs(lab: Lab, play: Play) -> None:
    settle(lab)
    before = lab["mail55"].requests
    results = play(lab, "mail55", ("queue", LOOK), ("pairs", PAIRS))
    queue = results["queue"]

    assert queue["stuck_domains"] == ["aol.com", "nestle.com"]
    errors = {one["domain"]: one["last_error"] for one in queue["queues"]}
    assert errors["nestle.com"] == "499 No routing hosts are reachable for nestle.com."
    assert queue["counters"]["queued_outbound"] == 2
    assert queue["changed"] is False
    astray = [one["domain"] for one in queue["failures"] if "loops back" in one["error"]["text"]]
    assert sorted(astray) == ["aol.com", "nestle.com"]
    assert [pair["address"] for pair in results["pairs"]["pairs"]][:3] == [
        "198.51.100.9",
        "198.51.100.12",
        "198.51.100.13",
    ]
    # Login, at most five commands of three requests, and the end.
    assert lab["mail55"].requests - before <= 4 + 5 * 3 + 1


def test_nothing_of_the_messages_is_shown_at_any_verbosity(
    lab: Lab, play: Play, capfd: pytest.CaptureFixture[str]
) -> None:
    settle(lab)
    results = play(lab, "mail55", ("queue", LOOK), verbosity=5)
    shown = "".join((str(results), *capfd.readouterr()))

    assert results["queue"]["files"] == 2
    assert "Your call of this morning" not in shown
    assert lab.scenario.password not in shown


def test_an_empty_queue_and_a_quiet_log(lab: Lab, play: Play) -> None:
    results = play(lab, "mail50", ("queue", LOOK), check=True)

    assert (results["queue"]["files"], results["queue"]["stuck_domains"]) == (0, [])
    # Nothing waits, so that a log without failures is what it should be.
    assert not results["queue"].get("warnings")


def test_a_bad_option_is_a_clear_error(lab: Lab, play: Play) -> None:
    bad = {"postmaster.exchange.queue_info": {"max_files": -1}}
    results = play(lab, "mail50", ("queue", bad))

    assert results["queue"]["failed"] is True
    assert "max_files must be 0 to 10000, not -1" in results["queue"]["msg"]
