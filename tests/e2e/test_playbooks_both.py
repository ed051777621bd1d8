# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks on old and new hosts in one run: a 5.5 host beside an organisation of two."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.controller import Controller, Run
from exchange_lab.lab import Lab
from exchange_lab.org.faults import Fault, Kind
from exchange_lab.org.lab import OrganisationLab
from exchange_lab.scenario_default import DEFAULT

pytestmark = pytest.mark.e2e

CONTOSO, NESTLE = ["[192.0.2.41]", "[192.0.2.42]"], ["[192.0.2.25]", "[192.0.2.26]", "[192.0.2.27]"]
PINS = {"contoso.example": CONTOSO, "nestle.com": NESTLE}
SERVERS = ("ex19-a", "exse-b")
#: At most so many requests of a host in the desired state, an NTLM login included, of either kind;
#: and of one look more, where another domain controller was asked first than was just written to.
MOST_REQUESTS = 8
ONE_LOOK = 3  # a cmdlet, and the end of the pipeline before it
SCENARIO = replace(DEFAULT, hosts=DEFAULT.hosts[1:2], domains=("nestle.com", "aol.com"))


@pytest.fixture
def both(tmp_path: Path, controller: Controller) -> Iterator[Lab]:
    """A 5.5 host and an organisation of two servers; a letter waits on both sides."""
    with Lab(SCENARIO, tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        until(lambda: [queue.status for queue in lab.servers["ex19-a"].queues] == ["Retry"])
        yield lab


def until(condition: Callable[[], bool], timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


def organisation(lab: Lab) -> OrganisationLab:
    assert lab.organisation is not None
    return lab.organisation


def connectors(lab: Lab) -> dict[str, dict[str, Any]]:
    """Every Send connector as the directory has it, by name."""
    directory = organisation(lab).organisation.directory
    records = directory.read(directory.domain_controllers[0])
    return {record.name: dict(record.attributes) for record in records}


def pins(lab: Lab) -> dict[str, list[str]]:
    """The smart hosts of the connectors for one domain each, by domain."""
    found = {}
    for attributes in connectors(lab).values():
        (space,) = attributes["AddressSpaces"]
        if "*" not in space:
            found[space.partition(":")[2].partition(";")[0]] = sorted(attributes["SmartHosts"])
    return found


def rows(lab: Lab) -> list[str]:
    return [row.lower() for row in lab["mail55"].imc.connector.rows]


def having(**variables: Any) -> tuple[str, str]:
    """Command-line options that set variables for all hosts."""
    return "-e", json.dumps({f"mx_delivery_{name}": value for name, value in variables.items()})


def say(controller: Controller, group: str, **variables: Any) -> None:
    """Set variables of a group of the inventory."""
    file = controller.inventory.parent / "group_vars" / f"{group}.yml"
    with file.open("a", encoding="utf-8") as text:
        text.writelines(f"{name}: {json.dumps(value)}\n" for name, value in variables.items())


def flat(text: str) -> str:
    """Text without its line breaks, wherever the callback put them."""
    return " ".join(text.split())


def report_of(run: Run) -> str:
    """What the role's last report says."""
    return run.output[run.output.rindex(" domains, ") :]


def test_the_whole_job(both: Lab, controller: Controller) -> None:
    before = connectors(both), rows(both)

    audit = controller.playbook("audit")
    assert audit.status == 2, audit.output
    assert (connectors(both), rows(both)) == before
    for said in (
        "mail55: enforce would change the search list switch and the routes of aol.com, nestle.com",
        "ex19-a, exse-b: enforce would change the Send connectors of contoso.example, nestle.com",
        "Windows on ex19-a, exse-b may append hq.example to names",
    ):
        assert said in flat(audit.output)
    assert flat(audit.output).count("contoso.example 192.0.2.41, 192.0.2.42 ex19-a, exse-b") == 1
    assert audit.output.count("after: First Organization: Send connector for contoso.example") == 1
    assert sorted(audit.recap(name)["changed"] for name in SERVERS) == [0, 1]

    enforce = controller.playbook("enforce")
    assert enforce.status == 0, enforce.output
    assert pins(both) == PINS
    assert "nestle.com;192.0.2.27;0" in rows(both)
    counters = organisation(both).organisation.counters
    assert counters.cmdlets("New-SendConnector") == len(PINS)  # by one of the two hosts, in forks
    assert sorted(enforce.recap(name)["changed"] for name in SERVERS) == [0, 1]
    assert enforce.recap("mail55")["changed"] == 1
    letters = {"buyer@nestle.com", "friend@aol.com", "buyer@contoso.example"}
    both.sinks.wait(lambda mails: letters <= {to for mail in mails for to in mail.recipients})
    assert "2 changed 2 delivered" in flat(report_of(enforce))
    assert "2 changed changed restarted 2 delivered" in flat(report_of(enforce))

    treated = connectors(both), rows(both)
    counted = both["mail55"].requests, [both.servers[name].endpoint_requests for name in SERVERS]
    again = controller.playbook("enforce")
    assert (again.status, again.changed) == (0, 0), again.output
    assert (connectors(both), rows(both)) == treated
    assert both["mail55"].requests - counted[0] <= MOST_REQUESTS
    for name, number in zip(SERVERS, counted[1], strict=True):
        assert both.servers[name].endpoint_requests - number <= MOST_REQUESTS + ONE_LOOK
        assert both.servers[name].winrm.traffic.requests <= MOST_REQUESTS  # the audit looked, once

    clean = controller.playbook("audit")
    assert clean.status == 0, clean.output


def test_diagnose_tells_the_known_cause_on_both_kinds(both: Lab, controller: Controller) -> None:
    both["mail55"].imc.wait(lambda imc: all(entry.reply for entry in imc.queue))
    before = connectors(both), rows(both)
    run = controller.playbook("diagnose")
    assert (run.status, run.changed) == (0, 0), run.output
    for said in (
        "ex19-a: Exchange 2019, 1 message in the queue",
        "Last error: 451 4.4.0 DNS query failed",
        "Cause: the domain's name servers ignore or mishandle AAAA",
        "exse-b: Exchange SE, the queue is empty",
        "nestle.com.hq.example has an answer (MX 10 mail.hq.example)",
        "Add to mx_delivery_domains: aol.com, contoso.example, nestle.com.",
        "Switch the search list off on mail55.",
    ):
        assert said in flat(run.output)
    assert (connectors(both), rows(both)) == before


def test_a_check_run_changes_and_sends_nothing(both: Lab, controller: Controller) -> None:
    before, sent = (connectors(both), rows(both)), both.sinks.received
    run = controller.playbook("enforce", "--check", "--diff")
    assert run.status == 0, run.output
    assert "+  smart host        [192.0.2.41]" in run.output
    assert "2 would send" in run.output
    assert (connectors(both), rows(both)) == before
    assert both.sinks.received == sent
    assert [queue.status for queue in both.servers["ex19-a"].queues] == ["Retry"]


def test_brakes_and_batches_on_both_kinds(both: Lab, controller: Controller) -> None:
    before = connectors(both), rows(both)
    refused = controller.playbook("enforce", *having(max_changed_hosts=1))
    assert (refused.status, refused.changed) == (2, 0), refused.output
    assert "2 of 2 hosts and organisations would change; " in flat(refused.output)
    limited = controller.playbook("enforce", *having(max_changes="50%"))
    assert (limited.status, limited.changed) == (2, 0), limited.output
    assert "2 changes to 2 connectors (100 %) exceed" in flat(limited.output)
    assert (connectors(both), rows(both)) == before

    batches = controller.playbook("enforce", *having(serial=1))
    assert batches.status == 0, batches.output
    assert pins(both) == PINS
    assert "2 changed 2 delivered" in flat(report_of(batches))


def test_rollback_puts_both_kinds_back(both: Lab, controller: Controller) -> None:
    before = connectors(both), rows(both)
    assert controller.playbook("enforce", *having(test="none")).status == 0
    assert pins(both) == PINS

    preview = controller.playbook("rollback", "--check", "--diff", *having(test="none"))
    assert preview.status == 0, preview.output
    assert "-postmaster.exchange contoso.example" in preview.output
    assert "-nestle.com" in preview.output
    assert pins(both) == PINS

    back = controller.playbook("rollback", *having(test="none"))
    assert back.status == 0, back.output
    assert (connectors(both), rows(both)) == before
    assert sum(back.recap(name)["changed"] for name in SERVERS) == 1
    assert "is again as in" in back.output

    again = controller.playbook("rollback", "-l", "exchange_transport")
    assert (again.status, again.changed) == (0, 0), again.output


def test_an_organisation_without_a_backup_is_left_alone(both: Lab, controller: Controller) -> None:
    assert controller.playbook("enforce", "-l", "mail55", *having(test="none")).status == 0
    run = controller.playbook("rollback", *having(test="none"))
    assert run.status == 0, run.output
    assert "ex19-a has no such backup, and was left alone" in run.output
    named = controller.playbook("rollback", *having(backup="2020-01-01T000000Z"))
    assert named.status == 2
    assert "no backup of this organisation was found" in flat(named.output)


# -- what kind a host is


def test_the_kind_is_seen_where_the_inventory_does_not_say_it(
    both: Lab, controller: Controller
) -> None:
    for group in ("exchange_imc", "exchange_transport"):
        say(controller, group, mx_delivery_family="auto")
    run = controller.playbook("enforce", *having(test="none"))
    assert run.status == 0, run.output
    assert pins(both) == PINS
    assert "nestle.com;192.0.2.27;0" in rows(both)
    back = controller.playbook("rollback", *having(test="none"))
    assert back.status == 0, back.output
    assert (pins(both), rows(both)) == ({}, ["partner.corp;10.1.2.3;0"])
    diagnosis = controller.playbook("diagnose")
    assert "ex19-a: Exchange 2019, 1 message in the queue" in diagnosis.output
    assert "mail55: Exchange 5.5" in diagnosis.output


def test_a_connection_to_exchanges_own_powershell_says_it(
    both: Lab, controller: Controller
) -> None:
    say(
        controller,
        "exchange_transport",
        mx_delivery_family="auto",
        ansible_connection="psrp",
        ansible_psrp_configuration_name="Microsoft.Exchange",
        ansible_psrp_path="PowerShell",
        ansible_psrp_protocol="http",
        ansible_psrp_auth="ntlm",
    )
    run = controller.playbook("enforce", "-l", "exchange_transport", *having(test="none"))
    assert run.status == 0, run.output
    assert pins(both) == PINS
    assert [both.servers[name].winrm.traffic.requests for name in SERVERS] == [0, 0]


# -- when something fails


def test_hosts_of_one_kind_go_on_when_those_of_the_other_fail(
    both: Lab, controller: Controller
) -> None:
    refused = Fault(Kind.ERROR, "New-SendConnector", times=100, message="Access is denied.")
    organisation(both).organisation.faults.order(refused)
    run = controller.playbook("enforce", *having(test="none"))
    assert run.status == 2, run.output
    assert pins(both) == {}
    assert "nestle.com;192.0.2.25;0" in rows(both)
    report = flat(report_of(run))
    assert "mail55 2 changed" in report
    assert "ex19-a failed exse-b failed" in report
    for name in SERVERS:
        assert f"{name}: New-SendConnector failed: Access is denied." in report


def test_an_organisation_is_served_by_whichever_of_its_hosts_answers(
    both: Lab, controller: Controller
) -> None:
    organisation(both).listeners["ex19-a"].stop()
    both["mail55"].winrm.stop()
    run = controller.playbook("enforce")
    assert run.status == 4, run.output
    assert [run.recap(name)["unreachable"] for name in ("mail55", "ex19-a")] == [1, 1]
    assert pins(both) == PINS
    assert "exse-b 2 changed 2 delivered" in flat(report_of(run))


def test_a_host_whose_windows_does_not_answer_is_audited_all_the_same(
    both: Lab, controller: Controller
) -> None:
    for name in SERVERS:
        both.servers[name].winrm.stop()
    run = controller.playbook("audit", "-l", "exchange_transport", *having(search_list=[]))
    assert run.status == 2, run.output
    assert "enforce would change the Send connectors" in flat(run.output)
    assert "may append" not in run.output  # neither Windows nor the inventory says what


# -- variables of this kind


def test_preference_cost_names_and_logging(both: Lab, controller: Controller) -> None:
    variables = {
        "mx_preference": "best",
        "connector_cost": 7,
        "connector_name_template": "Pin {domain}",
        "connector_source_servers": ["exse-b"],
        "connector_protocol_logging": "verbose",
        "domain_controller": "dc2.hq.example",
    }
    run = controller.playbook(
        "enforce", "-l", "exchange_transport", *having(test="none", **variables)
    )
    assert run.status == 0, run.output
    assert pins(both) == {"contoso.example": CONTOSO[:1], "nestle.com": NESTLE[:1]}
    made = connectors(both)["Pin nestle.com"]
    assert made["AddressSpaces"] == ["SMTP:nestle.com;7"]
    assert made["SourceTransportServers"] == ["exse-b"]
    assert made["ProtocolLoggingLevel"] == "Verbose"


@pytest.mark.parametrize(
    ("choice", "waits", "senders"),
    [
        ("changer", True, {"ex19-a"}),
        ("delayed", False, {"ex19-a"}),
        ("delayed", True, {*SERVERS}),
        ("all", False, {*SERVERS}),
    ],
)
def test_the_test_also_goes_from_where_mail_was_delayed_or_from_all(
    both: Lab, controller: Controller, choice: str, waits: bool, senders: set[str]
) -> None:
    """Beside the host that makes the change, which is the first one here."""
    if waits:
        server = both.servers["exse-b"]
        content = b"Subject: Offer\r\n\r\nHello\r\n"
        recipients = ("second@contoso.example",)
        server.transport.submit("sales@hq.example", recipients, content, "127.0.0.1")
        until(lambda: [queue.status for queue in server.queues] == ["Retry"])
    options = having(test_from=choice, domains=["contoso.example"], report_json="report.json")
    run = controller.playbook("enforce", "-l", "exchange_transport", "-f1", *options)
    assert run.status == 0, run.output
    report = json.loads((controller.folder / "report.json").read_text())
    tested = {
        host["name"]: [one["verdict"] for one in (host["tests"] or {}).get("results", ())]
        for host in report["hosts"]
    }
    expected = {name: ["delivered"] if name in senders else [] for name in SERVERS}
    assert tested == expected, run.output


def test_an_organisation_counts_once(both: Lab, controller: Controller) -> None:
    """So in an audit, in check mode, and for limits; a run for one of its hosts warns."""
    servers = ("-l", "exchange_transport")
    audit = controller.playbook("audit", *servers)
    assert "hosts x domains: 2 pending" in flat(audit.output)
    limit = having(test="none", max_changed_hosts="25%")
    check = controller.playbook("enforce", *servers, *limit, "--check")
    assert check.status == 0, check.output
    assert "Of 2 hosts, 1 would change, 1 is up to date." in flat(check.output)
    assert "hosts x domains: 2 pending" in flat(check.output)
    one = controller.playbook("enforce", "-l", "exse-b", *limit)
    assert one.status == 0, one.output
    assert (
        "First Organization: These changes of Send connectors are for the whole organisation, also"
        " for its servers outside of --limit exse-b." in flat(one.output)
    )
    assert pins(both) == PINS


def test_exact_and_absent(both: Lab, controller: Controller) -> None:
    servers = ("-l", "exchange_transport")
    assert controller.playbook("enforce", *servers, *having(test="none")).status == 0
    fewer = having(test="none", state="exact", domains=["nestle.com"])
    for options in ((), ("--check",)):
        refused = controller.playbook("enforce", *servers, *fewer, *options)
        assert refused.status == 2, refused.output
        assert (
            "mx_delivery_state: exact would remove the pins of domains that are not listed:"
            " contoso.example. No changes were made. List all domains, or confirm with"
            " mx_delivery_exact_confirm=true" in flat(refused.output)
        )
        assert pins(both) == PINS
    fewer = having(test="none", state="exact", domains=["nestle.com"], exact_confirm=True)
    exact = controller.playbook("enforce", *servers, *fewer)
    assert exact.status == 0, exact.output
    assert list(pins(both)) == ["nestle.com"]
    assert "contoso.example 192.0.2.41, 192.0.2.42 ex19-a, exse-b removed" in flat(exact.output)
    gone = controller.playbook("enforce", *servers, *having(test="none", state="absent"))
    assert gone.status == 0, gone.output
    assert list(connectors(both)) == ["Internet"]


def test_waiting_mail_stays_where_it_is_if_queues_are_not_to_be_retried(
    both: Lab, controller: Controller
) -> None:
    run = controller.playbook("enforce", "-l", "exchange_transport", *having(retry_queues=False))
    assert run.status == 0, run.output
    assert "2 changed 2 delivered" in flat(report_of(run))
    assert organisation(both).organisation.counters.cmdlets("Retry-Queue") == 0
    recipients = {to for mail in both.sinks.received for to in mail.recipients}
    assert "buyer@contoso.example" not in recipients


def test_ipv6_addresses_are_for_connectors_only(tmp_path: Path, controller: Controller) -> None:
    zone = SCENARIO.zones["nestle.com"] + "mx1 AAAA 2001:db8::25\n"
    scenario = replace(SCENARIO, zones={**SCENARIO.zones, "nestle.com": zone})
    with Lab(scenario, tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        variables = having(test="none", families=["ipv4", "ipv6"], domains=["nestle.com"])
        run = controller.playbook("enforce", *variables)
        assert run.status == 0, run.output
        assert sorted(pins(lab)["nestle.com"]) == sorted([*NESTLE, "[2001:db8::25]"])
        assert rows(lab)[1:] == [f"nestle.com;{host.strip('[]')};0" for host in NESTLE]
