# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault of Q169781 in the lab, and its cure by hand, as the article has it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from exchange_lab.lab import Lab, Machine
from exchange_lab.mail.imc import Imc
from exchange_lab.mail.imc_model import V55_RTM, Assumptions
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.scenario import SIMPLE_HOST, HostSpec, Scenario, simple

ALICE, BOB = "alice@hq.example", "bob@nestle.com"
ARTICLE = "421 NSO hq.example Unable to contact destination SMTP demon nestle.com"
KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters"
ROWS = ("NESTLE.COM;192.0.2.25;0", "NESTLE.COM;192.0.2.26;0", "NESTLE.COM;192.0.2.27;0")
SWITCHED = replace(SIMPLE_HOST, switch=("DisableResolverSearchList", 1))
QUICK = Assumptions(retry_after=(0.01,), expire_after=0.0)


@contextmanager
def running(spec: HostSpec, **changes: object) -> Iterator[tuple[Lab, Machine]]:
    scenario: Scenario = replace(simple(spec), **changes)  # type: ignore[arg-type]
    with Lab(scenario) as lab:
        yield lab, lab[spec.name]


def refused(imc: Imc) -> bool:
    return any(entry.reply for entry in imc.queue)


def do(machine: Machine, command: str) -> str:
    done = machine.run(command)
    assert done.exit_code == 0, (command, done)
    return done.stdout.decode()


# -- the fault ----------------------------------------------------------------------------------


def test_untreated_mail_sits_in_out_with_the_articles_421(small_lab: Lab) -> None:
    machine = small_lab["mail55"]
    machine.imc.send(ALICE, BOB)
    machine.imc.wait(refused)
    (entry,) = machine.imc.queue
    assert (entry.domain, entry.reply) == ("nestle.com", ARTICLE)
    listed = do(machine, r"dir /b C:\exchsrvr\imcdata\Out").split()
    assert [rf"C:\exchsrvr\imcdata\Out\{name}" for name in listed] == [entry.file]
    assert f"To: {BOB}" in do(machine, f"type {entry.file}")
    assert small_lab.sinks.received == ()


def test_the_wildcard_leads_every_domain_to_the_local_host(small_lab: Lab) -> None:
    small_lab["mail55"].imc.send(ALICE, "someone@nosuch.example")
    small_lab["mail55"].imc.wait(refused)
    assert {attempt.address for attempt in small_lab.network.attempts} == {"203.0.113.25"}
    assert small_lab.dns.count("nosuch.example.hq.example", "MX") > 0
    assert small_lab.dns.count("nosuch.example", "MX") == 0


def test_the_switch_alone_leads_to_the_right_hosts() -> None:
    with running(SWITCHED) as (lab, machine):
        machine.imc.send(ALICE, BOB)
        assert lab.sinks.wait(bool)[0].address == "192.0.2.26"  # the best one is busy
        assert [a.address for a in lab.network.attempts] == ["192.0.2.25", "192.0.2.26"]
        assert lab.dns.count("nestle.com.hq.example") == 0


def test_an_exchange_that_stays_silent_shows_the_articles_symptom_on_old_builds() -> None:
    old = replace(SWITCHED, version=V55_RTM)
    with running(old, assumptions=Assumptions(banner=0.2)) as (lab, machine):
        lab.sinks["192.0.2.25"].temper = Temper.TARPIT
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(refused)
        assert machine.imc.queue[0].reply == ARTICLE
        assert {attempt.address for attempt in lab.network.attempts} == {"192.0.2.25"}


@pytest.mark.parametrize(
    "switch", [("disableresolversearchlist", 1), ("DisableResolverSearchList", 0)]
)
def test_a_wrong_spelling_or_zero_is_no_switch(switch: tuple[str, int]) -> None:
    with running(replace(SIMPLE_HOST, switch=switch)) as (lab, machine):
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(refused)
        assert {attempt.address for attempt in lab.network.attempts} == {"203.0.113.25"}


def test_any_other_number_switches_the_search_list_off() -> None:
    with running(replace(SWITCHED, switch=("DisableResolverSearchList", 7))) as (lab, machine):
        machine.imc.send(ALICE, BOB)
        lab.sinks.wait(bool)
        assert lab.dns.count("nestle.com", "MX") > 0


def test_mail_that_meets_its_own_host_is_refused() -> None:
    zones = {**simple().zones, "hq.example": "* MX 1 mail55\nmail55 A 203.0.113.55"}
    with running(SIMPLE_HOST, zones=zones) as (lab, machine):
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(refused)
        assert machine.imc.queue[0].reply == ARTICLE
        assert lab.network.attempts[0].connected


# -- the cure -----------------------------------------------------------------------------------


def test_the_articles_steps_by_hand_deliver_what_was_stuck(small_lab: Lab) -> None:
    machine = small_lab["mail55"]
    sent = machine.imc.send(ALICE, BOB)
    machine.imc.wait(refused)
    do(machine, f"reg add {KEY} /v DisableResolverSearchList /t REG_DWORD /d 1 /f")
    lines = ["[Header]", "Version=1", "[Routes]", "DeliveryRouting=+", *(f"+{r}" for r in ROWS)]
    for line in [*lines, "DefaultRouting="]:
        do(machine, rf">>C:\routes.txt echo {line}")
    do(machine, r"C:\exchsrvr\bin\imccopy -restore routes C:\routes.txt")
    assert small_lab.sinks.received == ()  # nothing counts before the restart
    do(machine, "sc stop MSExchangeIMC")
    machine.host.services.wait("MSExchangeIMC", {1}, 5)
    do(machine, "sc start MSExchangeIMC")
    (arrived,) = small_lab.sinks.wait(lambda items: len(items) == 1)
    assert (arrived.message_id, arrived.address) == (sent, "192.0.2.26")
    assert (arrived.sender, arrived.recipients) == (ALICE, (BOB,))
    machine.imc.wait(lambda imc: not imc.queue)
    assert machine.host.fs.listdir(r"C:\exchsrvr\imcdata\Out") == []


def test_changes_count_only_after_a_restart(small_lab: Lab) -> None:
    machine = small_lab["mail55"]
    machine.host.registry.set(KEY, "DisableResolverSearchList", "REG_DWORD", 1)
    machine.imc.send(ALICE, BOB)
    machine.imc.wait(refused)
    assert small_lab.dns.count("nestle.com", "MX") == 0
    machine.restart()
    machine.imc.wait(lambda _unused: small_lab.dns.count("nestle.com", "MX") > 0)


def test_rows_are_tried_in_their_order_until_one_answers() -> None:
    with running(replace(SIMPLE_HOST, rows=ROWS)) as (lab, machine):
        machine.imc.send(ALICE, BOB)
        lab.sinks.wait(lambda items: len(items) == 1)
        assert [a.address for a in lab.network.attempts] == ["192.0.2.25", "192.0.2.26"]


def test_without_failover_the_first_row_is_the_only_one() -> None:
    calm = Assumptions(failover=False)
    with running(replace(SIMPLE_HOST, rows=ROWS), assumptions=calm) as (lab, machine):
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(refused)
        assert {a.address for a in lab.network.attempts} == {"192.0.2.25"}


def test_a_connector_that_never_goes_on_to_the_next_mx_gives_up() -> None:
    with running(SWITCHED, assumptions=Assumptions(mx_failover=False)) as (lab, machine):
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(refused)
        assert {attempt.address for attempt in lab.network.attempts} == {"192.0.2.25"}


def test_a_row_may_name_a_host() -> None:
    spec = replace(SWITCHED, rows=("nestle.com;mx3.nestle.com;0",))
    with running(spec) as (lab, machine):
        machine.imc.send(ALICE, BOB)
        assert lab.sinks.wait(lambda items: len(items) == 1)[0].address == "192.0.2.27"


# -- a bad row ----------------------------------------------------------------------------------


def test_a_row_that_cannot_be_parsed_stops_the_next_start(small_lab: Lab) -> None:
    machine = small_lab["mail55"]
    bad = b"[Header]\r\nVersion=1\r\n[Routes]\r\nDeliveryRouting=+\r\n+anlsf.msbp.co\r\n"
    machine.host.fs.write_bytes(r"C:\bad.txt", bad)
    do(machine, r"C:\exchsrvr\bin\imccopy -restore routes C:\bad.txt")
    assert machine.host.services.get("MSExchangeIMC").state == 4
    assert machine.restart() == 1
    (event,) = machine.host.events.find(4056)
    assert event.source == "MSExchangeIMC"
    assert event.text.startswith("Unable to parse the delivery route anlsf.msbp.co. Since errors")
    said = do(machine, "sc query MSExchangeIMC")
    assert ": 1  STOPPED" in said
    assert "(0x42a)" in said  # 1066, the service ended with its own error
    machine.imc.send(ALICE, BOB)
    time.sleep(0.1)
    assert [entry.attempts for entry in machine.imc.queue] == [0]


# -- retry and report ---------------------------------------------------------------------------


def test_mail_is_tried_again_until_the_far_server_takes_it() -> None:
    with running(replace(SIMPLE_HOST, rows=ROWS[1:2])) as (lab, machine):
        lab.sinks["192.0.2.26"].temper = Temper.DEFER
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(refused)
        assert machine.imc.queue[0].reply == f"451 <{BOB}>... Sender domain must resolve"
        lab.sinks["192.0.2.26"].temper = Temper.ACCEPT
        lab.sinks.wait(lambda items: len(items) == 1)


def test_mail_that_expires_is_returned_with_its_last_reply() -> None:
    with running(SIMPLE_HOST, assumptions=QUICK) as (_lab, machine):
        sent = machine.imc.send(ALICE, BOB, subject="Offer")
        machine.imc.wait(lambda imc: bool(imc.returned) and not imc.queue)
        (back,) = machine.imc.returned
        assert (back.message_id, back.recipients, back.reply) == (sent, (BOB,), ARTICLE)
        ((mailbox, report),) = machine.imc.local_mail
        assert mailbox == ALICE
        assert "Subject: Undeliverable: Offer" in report
        assert "Your message did not reach some or all of the intended recipients." in report
        assert ARTICLE in report
        assert machine.host.fs.listdir(r"C:\exchsrvr\imcdata\Out") == []


@pytest.mark.parametrize(
    ("recipient", "reply"),
    [
        ("x@nosuch.example", "550 Recipient Not Found"),
        ("x@nomail.example", "550 nomail.example does not accept mail"),
        ("x@nothing.example", "550 Host has no mail exchange"),
    ],
)
def test_a_domain_that_takes_no_mail_is_returned_at_once(recipient: str, reply: str) -> None:
    zones = {**simple().zones, "nomail.example": "@ MX 0 .", "nothing.example": "@ TXT x"}
    with running(SWITCHED, zones=zones) as (_lab, machine):
        machine.imc.send(ALICE, recipient)
        machine.imc.wait(lambda imc: bool(imc.returned))
        assert machine.imc.returned[0].reply == reply


def test_a_refused_recipient_is_returned_and_the_others_delivered() -> None:
    spec = replace(SIMPLE_HOST, rows=("a.example;192.0.2.26;0", "b.example;192.0.2.27;0"))
    with running(spec) as (lab, machine):
        lab.sinks["192.0.2.27"].temper = Temper.REJECT
        machine.imc.send(ALICE, "x@a.example", "y@b.example")
        machine.imc.wait(lambda imc: not imc.queue)
        assert [item.recipient for item in machine.imc.delivered] == ["x@a.example"]
        assert [item.recipients for item in machine.imc.returned] == [("y@b.example",)]
        assert machine.imc.returned[0].reply == "550 <y@b.example>... User unknown"


def test_a_domain_whose_dns_fails_waits() -> None:
    with running(SWITCHED, failing=("nestle.com",)) as (_lab, machine):
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(refused)
        assert machine.imc.queue[0].reply == "451 NSO hq.example No answer for nestle.com"
        assert machine.imc.returned == ()


def test_an_alias_is_followed() -> None:
    zones = {
        **simple().zones,
        "other.example": "alias CNAME real.example.",
        "real.example": "@ MX 5 mx\nmx A 192.0.2.27",
    }
    with running(SWITCHED, zones=zones) as (lab, machine):
        machine.imc.send(ALICE, "x@alias.other.example")
        assert lab.sinks.wait(lambda items: len(items) == 1)[0].address == "192.0.2.27"


def test_a_domain_without_mx_is_its_own_exchange() -> None:
    zones = {**simple().zones, "plain.example": "@ A 192.0.2.27"}
    with running(SWITCHED, zones=zones) as (lab, machine):
        machine.imc.send(ALICE, "x@plain.example")
        assert lab.sinks.wait(lambda items: len(items) == 1)[0].address == "192.0.2.27"


@pytest.mark.parametrize(
    "recipient",
    ["x@a..b", f"x@{'a' * 64}.example", "nobody", "x@\xe9.example", "x@[192.0.2.1]", "x@"],
)
def test_an_address_nobody_can_have_is_returned_and_the_work_goes_on(recipient: str) -> None:
    with running(replace(SWITCHED, rows=ROWS[1:])) as (lab, machine):
        machine.imc.submit(ALICE, (recipient,), b"\r\n")
        machine.imc.send(ALICE, BOB)
        lab.sinks.wait(lambda items: len(items) == 1)
        assert [item.recipients for item in machine.imc.returned] == [(recipient,)]


# -- the queue ----------------------------------------------------------------------------------


def test_one_message_for_two_domains_is_one_file_and_two_entries(small_lab: Lab) -> None:
    machine = small_lab["mail55"]
    machine.imc.send(ALICE, BOB, "carol@aol.com")
    assert [entry.domain for entry in machine.imc.queue] == ["nestle.com", "aol.com"]
    assert len(machine.host.fs.listdir(r"C:\exchsrvr\imcdata\Out")) == 1
    said = do(machine, r'typeperf -sc 1 "\MSExchangeIMC\Queued Outbound"')
    assert '"2.000000"' in said


def test_the_queue_survives_a_restart_and_is_tried_at_once() -> None:
    with running(SIMPLE_HOST, assumptions=Assumptions(retry_after=(60.0,))) as (_lab, machine):
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(refused)
        machine.restart()
        machine.imc.wait(lambda imc: imc.queue[0].attempts == 2)


def test_a_message_whose_file_was_deleted_is_gone(small_lab: Lab) -> None:
    machine = small_lab["mail55"]
    machine.imc.send(ALICE, BOB)
    machine.imc.wait(refused)
    do(machine, f"del {machine.imc.queue[0].file}")
    machine.imc.wait(lambda imc: not imc.queue)
    assert machine.imc.returned == ()


def test_counters_tell_what_happened() -> None:
    with running(replace(SIMPLE_HOST, rows=ROWS)) as (_lab, machine):
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(lambda imc: bool(imc.delivered) and not imc.queue)
        assert machine.imc.counters() == {
            "Queued Outbound": 0,
            "Connections Total Failed": 1,
            "NDRs Total Inbound": 0,
            "Outbound Messages Total": 1,
        }


def test_a_stop_does_not_wait_for_a_far_server_that_hangs() -> None:
    with running(replace(SIMPLE_HOST, rows=ROWS[1:2]), assumptions=Assumptions(patience=60.0)) as (
        lab,
        machine,
    ):
        lab.sinks["192.0.2.26"].temper = Temper.TARPIT
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(lambda _unused: lab.sinks["192.0.2.26"].connections == 1)
        began = time.monotonic()
        machine.imc.on_stop()
        assert time.monotonic() - began < 30
