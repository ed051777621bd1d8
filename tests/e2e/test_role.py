# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's variables, one by one, where they change what happens on hosts of the lab."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.mail.dns_server import DnsServer
from exchange_lab.mail.imc_model import V40
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.scenario import (
    NESTLE,
    NESTLE_SINKS,
    SIMPLE_HOST,
    HostSpec,
    Letter,
    SinkSpec,
    simple,
)

pytestmark = pytest.mark.e2e

PARAMETERS = r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters"
NESTLE_ROWS = [f"nestle.com;{sink.address};0" for sink in NESTLE_SINKS]
PARTNER = "PARTNER.CORP;10.1.2.3;0"


def a_lab(*hosts: HostSpec, **more: Any) -> Lab:
    """A lab with these hosts, nestle.com, and whatever else is given."""
    return Lab(replace(simple(*hosts), **more))


@pytest.fixture
def one_host(controller: Controller) -> Iterator[Lab]:
    """A lab of one host of Exchange 5.5 with a row of its own."""
    with a_lab(replace(SIMPLE_HOST, rows=(PARTNER,))) as lab:
        lab.write_inventory(controller.inventory)
        yield lab


def having(**variables: Any) -> tuple[str, str]:
    """Command-line options that set variables for all hosts."""
    return "-e", json.dumps({f"mx_delivery_{name}": value for name, value in variables.items()})


def rows(lab: Lab, host: str = "mail55") -> list[str]:
    """The rows of a host's route table, as they are."""
    return list(lab[host].imc.connector.rows)


def flat(text: str) -> str:
    """Text without its line breaks, wherever the callback put them."""
    return " ".join(text.split())


# -- what is refused before anything happens


@pytest.mark.parametrize(
    ("domains", "said"),
    [
        (["a@nestle.com"], "is an e-mail address; use its domain part"),
        (["192.0.2.25"], "is an address, not a domain"),
        (["nestle.com", "bad domain.example"], "contains white space"),
        (["x" * 64 + ".example"], "of 64 octets; the limit is 63"),
        (["nestle.com; del c:\\*"], "white space"),
        ([{"domain": "nestle.com"}], "give a name, or a dictionary with the key 'name'"),
    ],
)
def test_what_is_no_domain_is_refused_with_its_reason(
    one_host: Lab, controller: Controller, domains: list[Any], said: str
) -> None:
    run = controller.playbook("enforce", *having(domains=domains))
    assert run.status == 2
    assert said in flat(run.output)
    assert one_host["mail55"].requests == 0


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"state": "gone"}, "value of mx_delivery_state must be one of: present, exact, absent"),
        ({"dns_port": "many"}, "mx_delivery_dns_port"),
        ({"fail_on": ["ok"]}, "mx_delivery_fail_on"),
    ],
)
def test_variables_are_checked_by_the_argument_specification(
    one_host: Lab, controller: Controller, variables: dict[str, Any], said: str
) -> None:
    run = controller.playbook("enforce", *having(**variables))
    assert run.status == 2
    assert said in flat(run.output)
    assert one_host["mail55"].requests == 0


def test_domains_have_to_be_given(one_host: Lab, controller: Controller) -> None:
    variables = controller.inventory.parent / "group_vars" / "exchange.yml"
    text = variables.read_text(encoding="utf-8").replace("mx_delivery_domains", "other")
    variables.write_text(text, encoding="utf-8")
    run = controller.playbook("audit")
    assert run.status == 4
    assert "missing required arguments: mx_delivery_domains" in run.output
    assert one_host["mail55"].requests == 0


def test_half_a_job_is_refused_and_test_messages_can_be_left_out(
    one_host: Lab, controller: Controller
) -> None:
    for options in (
        ("--tags", "change"),
        ("--skip-tags", "report"),
        ("-e", "mx_delivery_max_changed_host=1"),
        ("-e", "mx_delivery_dns_lifetime=-1"),
        ("--check", "-e", "mx_delivery_backup_dir=ansible.cfg"),
    ):
        refused = controller.playbook("enforce", *options)
        assert refused.status == 2, (options, refused.output)
    foreign = controller.playbook("enforce", "--tags", "nginx")
    assert foreign.status == 0, foreign.output
    assert one_host["mail55"].requests == 0
    run = controller.playbook("enforce", "--skip-tags", "test")
    assert run.status == 0, run.output
    assert rows(one_host) == [PARTNER, *NESTLE_ROWS]
    assert not one_host.sinks.received


# -- what DNS cannot tell


def test_without_dns_no_route_changes_and_the_run_fails(controller: Controller) -> None:
    before = (PARTNER, "NESTLE.COM;192.0.2.99;0")
    with a_lab(replace(SIMPLE_HOST, rows=before)) as lab:
        lab.write_inventory(controller.inventory)
        lab.dns.stop()
        run = controller.playbook("enforce", *having(dns_timeout=0.2, dns_lifetime=1.0))
        assert run.status == 2
        assert "mail55: nestle.com: DNS lookup failed, nothing changed" in flat(run.output)
        assert tuple(rows(lab)) == before
        switch = lab["mail55"].host.registry.get(PARAMETERS, "DisableResolverSearchList")
        assert switch is not None  # that does not depend on DNS


def test_one_domain_that_is_not_known_does_not_stop_the_others(controller: Controller) -> None:
    with a_lab(failing=("flaky.example",)) as lab:
        lab.write_inventory(controller.inventory)
        domains = ["flaky.example", "nestle.com"]
        run = controller.playbook("enforce", *having(domains=domains, test="none"))
        assert run.status == 2
        assert rows(lab) == NESTLE_ROWS
        assert "1 changed, 1 kept (DNS lookup failed)" in flat(run.output)
        accepted = controller.playbook("enforce", *having(domains=domains, fail_on=[], test="none"))
        assert accepted.status == 0, accepted.output


@pytest.mark.parametrize(("gone", "left"), [("keep", 1), ("remove", 0)])
def test_rows_of_a_domain_that_is_gone_are_kept_unless_told_otherwise(
    controller: Controller, gone: str, left: int
) -> None:
    host = replace(SIMPLE_HOST, rows=("NOSUCH.EXAMPLE;192.0.2.99;0",))
    with a_lab(host) as lab:
        lab.write_inventory(controller.inventory)
        options = {"domains": ["nosuch.example"], "missing_domain": gone, "test": "none"}
        run = controller.playbook("enforce", *having(**options))
        assert run.status == 0, run.output
        assert "does not exist" in run.output
        assert len(rows(lab)) == 1  # one name server alone is not enough
        with DnsServer({"example": ""}) as second:
            both = [f"127.0.0.1:{port}" for port in (lab.dns.port, second.port)]
            run = controller.playbook("enforce", *having(**options, nameservers=both))
        assert run.status == 0, run.output
        assert len(rows(lab)) == left


def test_own_hosts_are_never_a_destination(one_host: Lab, controller: Controller) -> None:
    run = controller.playbook("enforce", *having(own_names=["MX2.nestle.com"], test="none"))
    assert run.status == 0, run.output
    assert rows(one_host) == [PARTNER, NESTLE_ROWS[0]]
    looped = controller.playbook("enforce", *having(own_addresses=["192.0.2.25"], test="none"))
    assert looped.status == 2
    assert "mail55: nestle.com: only own hosts, nothing changed" in looped.output
    assert rows(one_host) == [PARTNER, NESTLE_ROWS[0]]


# -- what is put into the table


def test_exact_and_absent(one_host: Lab, controller: Controller) -> None:
    assert controller.playbook("enforce", *having(state="exact", test="none")).status == 0
    assert rows(one_host) == NESTLE_ROWS
    assert controller.playbook("enforce", *having(state="absent", test="none")).status == 0
    assert rows(one_host) == []


def test_at_most_so_many_pairs(one_host: Lab, controller: Controller) -> None:
    assert controller.playbook("enforce", *having(max_pairs=2, test="none")).status == 0
    assert rows(one_host) == [PARTNER, *NESTLE_ROWS[:2]]


def test_each_host_gets_its_own_domains_from_one_look_at_dns(controller: Controller) -> None:
    second = replace(SIMPLE_HOST, name="mail56", address="203.0.113.56")
    zones = {"nestle.com": NESTLE, "aol.com": "@ MX 10 mx\nmx A 198.51.100.9\n"}
    with a_lab(SIMPLE_HOST, second, zones=zones) as lab:
        lab.write_inventory(controller.inventory)
        folder = controller.inventory.parent / "host_vars"
        folder.mkdir()
        (folder / "mail55.yml").write_text("mx_delivery_domains: [NESTLE.com.]\n")
        (folder / "mail56.yml").write_text("mx_delivery_domains: [aol.com, nestle.com]\n")
        run = controller.playbook("enforce", *having(test="none"))
        assert run.status == 0, run.output
        assert rows(lab, "mail55") == NESTLE_ROWS
        assert rows(lab, "mail56") == [*NESTLE_ROWS, "aol.com;198.51.100.9;0"]
        assert lab.dns.count("nestle.com", "MX") == 1
        assert "2 domains, 4 pairs" in run.output


def test_an_audit_names_subdomains_with_mail_and_other_servers(controller: Controller) -> None:
    letter = Letter("sales@hq.example", "x@list.nestle.com", "x")
    zones = {"nestle.com": f"{NESTLE}list MX 10 mx.list\nmx.list A 198.51.100.77\n"}
    sinks = (*NESTLE_SINKS, SinkSpec("198.51.100.77", "mx.list.nestle.com", Temper.REFUSE))
    with a_lab(replace(SIMPLE_HOST, letters=(letter,)), zones=zones, sinks=sinks) as lab:
        lab.write_inventory(controller.inventory)
        run = controller.playbook("audit")
        assert (
            "nestle.com: list.nestle.com has other mail servers (198.51.100.77), and the routes of"
            " nestle.com take its mail, too (Q259531); list it as well."
        ) in flat(run.output)


def test_hosts_in_batches(tmp_path: Path, controller: Controller) -> None:
    second = replace(SIMPLE_HOST, name="mail56", address="203.0.113.56")
    play = [
        {
            "hosts": "exchange",
            "gather_facts": False,
            "serial": 1,
            "roles": ["postmaster.exchange.mx_delivery"],
        }
    ]
    file = tmp_path / "batches.yml"
    file.write_text(json.dumps(play), encoding="utf-8")
    with a_lab(SIMPLE_HOST, second) as lab:
        lab.write_inventory(controller.inventory)
        run = controller.playbook(str(file), *having(test="none"))
        assert run.status == 0, run.output
        assert rows(lab, "mail55") == rows(lab, "mail56") == NESTLE_ROWS
        assert "Action required" not in run.output


# -- hosts that are different


def test_a_host_without_imccopy_gets_the_value_and_a_worksheet(controller: Controller) -> None:
    old = replace(SIMPLE_HOST, name="mail40", version=V40, imccopy=None)
    with a_lab(old) as lab:
        lab.write_inventory(controller.inventory)
        strict = controller.playbook("enforce")
        assert strict.status == 2
        assert "imccopy was not found" in flat(strict.output)
        run = controller.playbook("enforce", *having(missing_imccopy="warn"))
        assert run.status == 2
        assert "3 rows to enter by hand" in flat(run.output)
        assert "enter nestle.com 192.0.2.25" in flat(run.output)
        assert lab["mail40"].host.registry.get(PARAMETERS, "DisableResolverSearchList") is not None


def test_a_host_without_the_service_is_skipped_where_that_is_allowed(
    controller: Controller,
) -> None:
    with a_lab(managers=("files",)) as lab:
        file = lab.write_inventory(controller.inventory)
        files = {"ansible_port": lab.managers["files"].winrm.port}
        more = {"exchange": {"hosts": {"files": files}}}
        (file.parent / "more.yml").write_text(json.dumps(more), encoding="utf-8")
        strict = controller.playbook("audit", "-l", "files")
        assert strict.status == 4
        run = controller.playbook("enforce", *having(missing_service="skip", test="none"))
        assert run.status == 0, run.output
        assert "has no such service" in run.output
        assert rows(lab) == NESTLE_ROWS


def test_a_host_behind_a_management_host(controller: Controller) -> None:
    old = replace(SIMPLE_HOST, behind="mgmt1")
    with a_lab(old, managers=("mgmt1",)) as lab:
        lab.write_inventory(controller.inventory)
        run = controller.playbook("enforce", *having(test="none"))
        assert run.status == 0, run.output
        assert rows(lab) == NESTLE_ROWS
        audit = controller.playbook("audit")
        assert audit.status == 0, audit.output
        assert controller.playbook("rollback", *having(test="none")).status == 0
        assert rows(lab) == []


# -- the test messages


def test_a_test_message_goes_where_the_domain_says(one_host: Lab, controller: Controller) -> None:
    domains = [{"name": "nestle.com", "test_recipient": "mailtest@nestle.com"}]
    run = controller.playbook("enforce", *having(domains=domains, test_sender="me@hq.example"))
    assert run.status == 0, run.output
    (mail,) = one_host.sinks.received
    assert (mail.sender, mail.recipients) == ("me@hq.example", ("mailtest@nestle.com",))


def test_test_messages_by_smtp_to_all_domains(one_host: Lab, controller: Controller) -> None:
    assert controller.playbook("enforce", *having(test="none")).status == 0
    assert one_host.sinks.received == ()
    run = controller.playbook("enforce", *having(test="all", test_method="smtp"))
    assert (run.status, run.changed) == (0, 0), run.output
    assert "by smtp" in run.output
    assert len(one_host.sinks.received) == 1


def test_mail_that_does_not_arrive_fails_the_run_with_the_servers_words(
    controller: Controller,
) -> None:
    zones = {"nestle.com": NESTLE, "dead.example": "@ MX 10 mx\nmx A 192.0.2.99\n"}
    sinks = (*NESTLE_SINKS, SinkSpec("192.0.2.99", "mx.dead.example", Temper.REFUSE))
    with a_lab(zones=zones, sinks=sinks) as lab:
        lab.write_inventory(controller.inventory)
        domains = ["nestle.com", "dead.example"]
        run = controller.playbook("enforce", *having(domains=domains, test_deadline=3))
        assert run.status == 2
        assert "1 delivered, 1 queued" in run.output
        assert "mail55: test message to dead.example queued (499 " in flat(run.output)
        assert "dead.example;192.0.2.99;0" in rows(lab)
