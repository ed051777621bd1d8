# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_delivery without the role, on a 5.5 host and an organisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.lab import Lab
from exchange_lab.scenario import Letter
from exchange_lab.scenario_default import DIRECT
from worker import Play

ADDRESSES = ["192.0.2.25", "192.0.2.26", "192.0.2.27"]
NESTLE = {"domain": "nestle.com", "addresses": ADDRESSES}
WHERE = {"endpoint": "{{ mx_delivery_endpoint | default(omit) }}"}
TEST = {
    "domains": "changed",
    "interval": 1,
    "smtp": {"port": "{{ mx_delivery_test_smtp_port }}"},
}
#: A login and two commands: the installation, and the state of the host.
MOST_REQUESTS = 5 + 2 * 3


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Lab]:
    """A 5.5 host, and an organisation of two servers."""
    with Lab(replace(DIRECT, hosts=DIRECT.hosts[1:2]), tmp_path / "lab") as lab:
        yield lab


def task(mode: str, **options: Any) -> tuple[str, dict[str, Any]]:
    """A task of this mode, by its name."""
    return mode, {"postmaster.exchange.mail_delivery": {"mode": mode, **WHERE, **options}}


@pytest.mark.parametrize(("host", "family"), [("mail55", "imc"), ("ex19-a", "transport")])
def test_the_whole_job_without_being_told_which_exchange_it_is(
    both: Lab, play: Play, host: str, family: str
) -> None:
    wanted = {"routes": [NESTLE], "imc": {"resolver_search_list": "disabled"}}
    done = play(
        both,
        host,
        task("diagnose"),
        task("compare", **wanted, queue={"read": True}),
        task("enforce", **wanted, test=TEST),
        task("history"),
        task("restore"),
    )
    assert not any(one["failed"] for one in done.values()), done
    assert {name: one["family"] for name, one in done.items()} == dict.fromkeys(done, family)
    seen = done["diagnose"]
    assert seen["exchange"]["family"] == family
    assert (seen["queue"]["family"], seen["delivery"]) == (family, None)

    compared, enforced = done["compare"], done["enforce"]
    assert (compared["changed"], compared["tests"]) == (True, None)
    assert compared["queue"]["family"] == family
    assert enforced["changed"]
    assert enforced["tests"]["delivered"] == ["nestle.com"]
    assert enforced["failed_part"] is None

    (backup,) = done["history"]["backups"]["backups"]
    assert not backup["same"]
    assert done["restore"]["delivery"]["restored_from"] == enforced["delivery"]["backup"]
    if family == "imc":
        assert list(both["mail55"].imc.connector.rows) == ["PARTNER.CORP;10.1.2.3;0"]


@pytest.mark.parametrize(("host", "family"), [("mail55", "imc"), ("ex19-a", "transport")])
def test_modules_by_themselves_find_the_family(
    both: Lab, play: Play, host: str, family: str
) -> None:
    options = {"queue_info": {}, "backup_info": {}, "delivery_test": {"domains": ["nestle.com"]}}
    smtp = {"smtp": {"port": "{{ mx_delivery_test_smtp_port }}"}}
    options["delivery_test"] |= smtp
    tasks = [
        (name, {f"postmaster.exchange.{name}": {**WHERE, **given}})
        for name, given in options.items()
    ]
    done = play(both, host, *tasks, check=True)
    assert not any(one["failed"] for one in done.values()), done
    assert {done[name]["family"] for name in ("queue_info", "backup_info")} == {family}
    assert done["delivery_test"]["version"] == {"imc": "5.5", "transport": "2019"}[family]


def test_nothing_to_do_takes_one_login_and_few_requests(both: Lab, play: Play) -> None:
    wanted = {"routes": [NESTLE], "imc": {"resolver_search_list": "disabled"}}
    assert play(both, "mail55", task("enforce", **wanted))["enforce"]["changed"]
    before = both["mail55"].requests
    done = play(both, "mail55", task("enforce", **wanted))
    assert not done["enforce"]["changed"]
    assert both["mail55"].requests - before <= MOST_REQUESTS


def test_a_new_route_names_subdomains_with_mail_by_queue_and_logs(
    tmp_path: Path, play: Play
) -> None:
    letters = tuple(
        Letter("sales@hq.example", f"x@{name}.nestle.com", "x") for name in ("list", "shop")
    )
    host = replace(DIRECT.hosts[2], letters=letters, rows=("SHOP.NESTLE.COM;192.0.2.26;0",))
    scenario = replace(DIRECT, hosts=(host,), organisation=None, failing=("list.nestle.com",))
    wanted = {"routes": [NESTLE], "state": "exact"}
    with Lab(scenario, tmp_path / "lab") as lab:
        machine = lab[host.name]
        lab.sinks.wait(bool)
        machine.imc.wait(lambda imc: [one.domain for one in imc.queue] == ["list.nestle.com"])
        done = play(
            lab,
            host.name,
            task("compare", **wanted, queue={"read": True}),
            task("enforce", **wanted),
        )
    for one in done.values():
        led = "nestle.com: its routes also take mail for list.nestle.com, shop.nestle.com."
        assert any(warning.startswith(led) for warning in one["delivery"]["warnings"])


def test_removals_can_be_refused(both: Lab, play: Play) -> None:
    exact = {"routes": [NESTLE], "state": "exact", "refuse_removals": True}
    refused = play(both, "mail55", task("enforce", **exact))["enforce"]
    assert (refused["failed"], refused["changed"], refused["failed_part"]) == (
        True,
        False,
        "delivery",
    )
    assert "that are not listed: partner.corp. No changes were made." in refused["msg"]
    assert list(both["mail55"].imc.connector.rows) == ["PARTNER.CORP;10.1.2.3;0"]
    kept = [NESTLE, {"domain": "partner.corp", "addresses": ["10.1.2.3"]}]
    done = play(both, "mail55", task("enforce", **{**exact, "routes": kept}))["enforce"]
    assert done["changed"], done


def test_a_part_that_fails_is_named_and_the_others_stay(both: Lab, play: Play) -> None:
    both["mail55"].imccopy.faults.fail_restore = True
    done = play(both, "mail55", task("enforce", routes=[NESTLE], queue={"read": True}))
    failed = done["enforce"]
    assert (failed["failed"], failed["failed_part"]) == (True, "delivery")
    assert failed["delivery"]["rolled_back"]
    assert failed["exchange"]["version"] == "5.5"
    assert failed["queue"]["stuck_domains"] is not None
