# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock, as an administrator uses it: resolve, review, enforce exactly that, see what moved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario import NESTLE, NESTLE_SINKS, SIMPLE_HOST, simple

pytestmark = pytest.mark.e2e

NESTLE_ROWS = [f"nestle.com;{sink.address};0" for sink in NESTLE_SINKS]
ELSEWHERE = NESTLE.replace("192.0.2.25", "192.0.2.125")


@pytest.fixture
def one_host(controller: Controller) -> Iterator[Lab]:
    """A lab of one host of Exchange 5.5."""
    with Lab(simple(SIMPLE_HOST)) as lab:
        lab.write_inventory(controller.inventory)
        yield lab


def having(**variables: Any) -> tuple[str, str]:
    """Command-line options that set variables for all hosts."""
    return "-e", json.dumps({f"mx_delivery_{name}": value for name, value in variables.items()})


LOCKED = having(lock="mx_pairs.lock.yml")


def flat(text: str) -> str:
    return " ".join(text.split())


def lock_of(controller: Controller) -> Path:
    return controller.folder / "mx_pairs.lock.yml"


def test_what_was_locked_is_what_is_enforced(one_host: Lab, controller: Controller) -> None:
    run = controller.playbook("resolve", "--diff")
    assert run.status == 0, run.output
    assert one_host["mail55"].requests == 0
    assert "+      - 10 " in run.output
    text = lock_of(controller).read_text()
    assert sorted(yaml.safe_load(text)["domains"]) == ["nestle.com"]

    again = controller.playbook("resolve")
    assert again.status == 0
    assert "changed=0" in again.output
    assert lock_of(controller).read_text() == text

    one_host.dns.stop()  # nobody is asked
    run = controller.playbook("enforce", *LOCKED)
    assert run.status == 0, run.output
    assert list(one_host["mail55"].imc.connector.rows) == NESTLE_ROWS
    assert "mx_pairs.lock.yml" in run.output


def test_check_mode_shows_the_lock_and_writes_none(one_host: Lab, controller: Controller) -> None:
    run = controller.playbook("resolve", "--check", "--diff")
    assert run.status == 0
    assert "+domains:" in run.output
    assert not lock_of(controller).exists()


def test_an_audit_says_what_has_moved_away_and_enforce_keeps_to_the_lock(
    one_host: Lab, controller: Controller
) -> None:
    assert controller.playbook("resolve").status == 0
    assert controller.playbook("enforce", *LOCKED).status == 0
    one_host.dns.serve({**one_host.scenario.zones, "nestle.com": ELSEWHERE})
    audit = controller.playbook("audit", *LOCKED)
    assert audit.status == 0, audit.output  # the host is as the lock says
    assert "DNS has moved away from the lock" in flat(audit.output)
    assert "192.0.2.125" in audit.output
    enforce = controller.playbook("enforce", *LOCKED)
    assert enforce.status == 0
    assert "changed=0" in enforce.output
    assert list(one_host["mail55"].imc.connector.rows) == NESTLE_ROWS


def test_a_change_of_dns_is_a_change_of_one_line_in_the_lock(
    one_host: Lab, controller: Controller
) -> None:
    assert controller.playbook("resolve").status == 0
    before = lock_of(controller).read_text().splitlines()
    one_host.dns.serve({**one_host.scenario.zones, "nestle.com": ELSEWHERE})
    assert controller.playbook("resolve").status == 0
    after = lock_of(controller).read_text().splitlines()
    new = [line for line in after[: after.index("times:")] if line not in before]
    assert [line.split()[-1] for line in new] == ["192.0.2.125"]


def test_what_dns_cannot_tell_stays_locked_and_fails_the_run(
    one_host: Lab, controller: Controller
) -> None:
    assert controller.playbook("resolve").status == 0
    text = lock_of(controller).read_text()
    one_host.dns.stop()
    run = controller.playbook("resolve", *having(dns_timeout=0.2, dns_lifetime=0.5))
    assert run.status == 2
    assert "DNS lookup failed: nestle.com (temporary failure)" in flat(run.output)
    assert lock_of(controller).read_text() == text


@pytest.mark.parametrize(
    ("stale", "status", "said"),
    [
        ("fail", 2, "has expired for nestle.com (TTL and grace"),
        ("warn", 0, "has expired for nestle.com (TTL and grace"),
        pytest.param("ignore", 0, "", marks=pytest.mark.full),
    ],
)
def test_a_stale_lock_warns_or_fails(
    one_host: Lab, controller: Controller, stale: str, status: int, said: str
) -> None:
    assert controller.playbook("resolve").status == 0
    lock = lock_of(controller)
    lines = lock.read_text().splitlines()
    times = lines.index("times:")
    lines[times + 1 :] = [line.replace("2026-", "2006-") for line in lines[times + 1 :]]
    lock.write_text("\n".join(lines) + "\n")
    options = json.dumps({"mx_delivery_lock": lock.name, "mx_delivery_lock_stale": stale})
    run = controller.playbook("enforce", "-e", options)
    assert run.status == status, run.output
    assert said in flat(run.output)
    assert (list(one_host["mail55"].imc.connector.rows) == NESTLE_ROWS) == (status == 0)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text.replace("192.0.2.25", "192.0.2.256"), "is not an IP address"),
        (lambda text: text.replace("nestle.com", "nestle.example"), "does not contain nestle.com"),
        pytest.param(
            lambda text: text.replace("allow_private: true", "allow_private: false"),
            "allow_private",
            marks=pytest.mark.full,
        ),
        pytest.param(lambda text: "", "must map names to values", marks=pytest.mark.full),
    ],
)
def test_a_lock_that_does_not_serve_stops_the_run_before_any_change(
    one_host: Lab, controller: Controller, edit: Any, said: str
) -> None:
    assert controller.playbook("resolve").status == 0
    lock = lock_of(controller)
    lock.write_text(edit(lock.read_text()))
    before = list(one_host["mail55"].imc.connector.rows)
    run = controller.playbook("enforce", *LOCKED)
    assert run.status == 2
    assert said in flat(run.output)
    assert "Traceback" not in run.output
    assert list(one_host["mail55"].imc.connector.rows) == before


def test_a_lock_that_is_not_there_is_said(one_host: Lab, controller: Controller) -> None:
    run = controller.playbook("enforce", *having(lock="no.lock.yml"))
    assert run.status == 2
    assert "no.lock.yml does not exist" in flat(run.output)
    assert "Create it with the playbook postmaster.exchange.resolve" in flat(run.output)


def test_a_limited_run_keeps_the_domains_of_the_other_hosts(controller: Controller) -> None:
    hosts = SIMPLE_HOST, replace(SIMPLE_HOST, name="mail56")
    with Lab(simple(*hosts)) as lab:
        lab.write_inventory(controller.inventory)
        folder = controller.inventory.parent / "host_vars"
        folder.mkdir(exist_ok=True)
        (folder / "mail56.yml").write_text("mx_delivery_domains: [nosuch.nestle.com]\n")
        assert controller.playbook("resolve").status == 0
        both = lock_of(controller).read_text()
        assert "nosuch.nestle.com" in both
        run = controller.playbook("resolve", "--limit", "mail55")
        assert run.status == 0
        assert lock_of(controller).read_text() == both
