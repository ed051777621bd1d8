# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The acting connector as Knowledge Base articles have it, one article or more for each test."""

from __future__ import annotations

import re
import smtplib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.lab import Lab, Machine
from exchange_lab.mail.imc import NOT_STARTING, Imc
from exchange_lab.mail.imc_config import PARAMETERS_KEY, TCPIP_KEY
from exchange_lab.mail.imc_model import (
    V40,
    V40_SP3,
    V50,
    V55,
    V55_RTM,
    Assumptions,
    Relay,
    Version,
)
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.scenario import SIMPLE_HOST, HostSpec, SinkSpec, simple
from exchange_lab.scenario_default import SILENT_HOST, WITH_SILENCE
from exchange_lab.windows.services import RUNNING, START_PENDING, STOPPED

ALICE, BOB = "alice@hq.example", "bob@nestle.com"
SERVICE = "MSExchangeIMC"
SWITCHED = replace(SIMPLE_HOST, switch=("DisableResolverSearchList", 1))
REAL = Assumptions(real_log=True, real_relay=True, mx_failover=True, banner=0.2)
MX1, MX2 = "192.0.2.25", "192.0.2.26"


@contextmanager
def running(
    spec: HostSpec, assumptions: Assumptions = REAL, **changes: Any
) -> Iterator[tuple[Lab, Machine]]:
    with Lab(replace(simple(spec), assumptions=assumptions, **changes)) as lab:
        yield lab, lab[spec.name]


def _waits(imc: Imc) -> bool:
    return any(entry.reply for entry in imc.queue)


def _log(machine: Machine, number: int = 0) -> list[str]:
    path = rf"C:\exchsrvr\imcdata\Log\L{number:07d}.LOG"
    text = machine.host.fs.read_bytes(path).decode("latin-1")
    return [re.sub(r"^\S+ \S+ [AP]M : ", "", line) for line in text.splitlines()]


def _start(machine: Machine) -> int:
    services = machine.host.services
    services.start(SERVICE)
    return services.wait(SERVICE, {RUNNING, STOPPED}, 10.0)


# -- the table -------------------------------------------------------------------------------------


def test_q259531_a_row_leads_the_mail_of_subdomains_along() -> None:
    rows = ("PARTNER.EXAMPLE;192.0.2.26;0", "sales.partner.example;192.0.2.27;0")
    with running(replace(SWITCHED, rows=rows)) as (lab, machine):
        machine.imc.send(ALICE, "x@list.partner.example", "y@sales.partner.example")
        arrived = lab.sinks.wait(lambda items: len(items) == 2)
        assert {(item.recipients[0], item.address) for item in arrived} == {
            ("x@list.partner.example", "192.0.2.26"),
            ("y@sales.partner.example", "192.0.2.27"),
        }


def test_q169683_a_row_with_a_number_sign_is_this_name_alone() -> None:
    zones = {**simple().zones, "partner.example": "list MX 1 mx\nmx A 192.0.2.27"}
    spec = replace(SWITCHED, rows=("#partner.example;192.0.2.26;0",))
    with running(spec, zones=zones) as (lab, machine):
        machine.imc.send(ALICE, "x@list.partner.example")
        assert lab.sinks.wait(bool)[0].address == "192.0.2.27"


def test_q279323_several_hosts_take_turns_and_the_unavailable_is_left_out() -> None:
    spec = replace(SWITCHED, rows=("nestle.com;192.0.2.26,192.0.2.27;0",))
    with running(spec) as (lab, machine):
        for number in range(2):
            machine.imc.send(ALICE, f"x{number}@nestle.com")
            lab.sinks.wait(lambda items, want=number + 1: len(items) >= want)
        assert {item.address for item in lab.sinks.received} == {"192.0.2.26", "192.0.2.27"}
        lab.sinks["192.0.2.26"].temper = Temper.REFUSE
        for number in range(2):
            machine.imc.send(ALICE, f"y{number}@nestle.com")
        last = lab.sinks.wait(lambda items: len(items) == 4)[2:]
        assert {item.address for item in last} == {"192.0.2.27"}


def test_q164457_a_row_may_ask_dns() -> None:
    with running(replace(SWITCHED, rows=("nestle.com;;0",), forward_to="192.0.2.27")) as (lab, m):
        lab.sinks[MX1].temper = Temper.ACCEPT
        m.imc.send(ALICE, BOB)
        assert lab.sinks.wait(bool)[0].address == MX1


def test_q164457_a_name_that_ends_like_the_local_domain_is_returned_by_4_0_before_sp4() -> None:
    spec = replace(SWITCHED, version=V40_SP3, rows=("hq.example;;0",))
    with running(spec) as (_lab, machine):
        machine.imc.send(ALICE, "x@bighq.example")
        machine.imc.wait(lambda imc: bool(imc.returned))
        assert machine.imc.returned[0].reply == "550 Host Unknown (000B099C)"


def test_release_notes_3_2_15_a_final_dot_returns_the_mail() -> None:
    with running(replace(SWITCHED, rows=("nestle.com;mx2.nestle.com.;0",))) as (_lab, machine):
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(lambda imc: bool(imc.returned))
        assert machine.imc.returned[0].reply == "550 Host Unreachable"


def test_q285023_hosts_of_rows_are_resolved_at_the_start_only() -> None:
    with running(replace(SWITCHED, rows=("nestle.com;mx2.nestle.com;0",))) as (lab, machine):
        asked = lab.dns.count("mx2.nestle.com", "A")
        assert asked > 0
        for number in range(2):
            machine.imc.send(ALICE, f"x{number}@nestle.com")
        lab.sinks.wait(lambda items: len(items) == 2)
        assert lab.dns.count("mx2.nestle.com", "A") == asked


def test_q148565_a_row_by_a_name_without_an_address_stops_the_start() -> None:
    spec = replace(SWITCHED, rows=("nestle.com;nowhere.nestle.com;0",), running=False)
    with running(spec) as (_lab, machine):
        assert _start(machine) == STOPPED
        for event in (4014, 4032, 4057):
            assert "nowhere.nestle.com" in machine.host.events.find(event)[0].text
        assert machine.host.events.find(4056) == []


@pytest.mark.parametrize(("switch", "state"), [(None, RUNNING), (SWITCHED.switch, STOPPED)])
def test_an_unqualified_host_depends_on_the_search_list(
    switch: tuple[str, int] | None, state: int
) -> None:
    spec = replace(SIMPLE_HOST, rows=("nestle.com;mail;0",), switch=switch, running=False)
    with running(spec) as (_lab, machine):
        assert _start(machine) == state


def test_q199656_a_row_beats_the_host_that_everything_else_is_forwarded_to() -> None:
    spec = replace(SWITCHED, rows=("nestle.com;192.0.2.26;0",), forward_to="relay.example")
    zones = {**simple().zones, "relay.example": "@ A 198.51.100.25"}
    sinks = (*simple().sinks, SinkSpec("198.51.100.25", "relay.example"))
    with running(spec, zones=zones, sinks=sinks) as (lab, machine):
        machine.imc.send(ALICE, BOB, "x@anybody.example")
        arrived = lab.sinks.wait(lambda items: len(items) == 2)
        assert {(item.recipients[0], item.address) for item in arrived} == {
            (BOB, "192.0.2.26"),
            ("x@anybody.example", "198.51.100.25"),
        }
        assert lab.dns.count("anybody.example", "MX") == 0
        assert b"DefaultRouting=relay.example\r\n" in machine.imc.connector.save()


# -- several MX ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V50, V55_RTM])
def test_q182821_a_silent_exchange_is_tried_until_the_report(version: Version) -> None:
    given = replace(REAL, retry_after=(0.05,), expire_after=0.5)
    with running(replace(SWITCHED, version=version), given) as (lab, machine):
        lab.sinks[MX1].temper = Temper.TARPIT
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(lambda imc: bool(imc.returned))
        assert {attempt.address for attempt in lab.network.attempts} == {MX1}
        assert lab.sinks[MX1].connections > 1


def test_q242221_since_5_5_sp1_the_next_exchange_is_tried() -> None:
    with running(SWITCHED) as (lab, machine):
        lab.sinks[MX1].temper = Temper.TARPIT
        machine.imc.send(ALICE, BOB)
        assert lab.sinks.wait(bool)[0].address == MX2


@pytest.mark.parametrize("temper", [Temper.REFUSE, Temper.BUSY])
def test_an_exchange_that_refuses_or_says_no_is_no_silent_one(temper: Temper) -> None:
    with running(replace(SWITCHED, version=V55_RTM)) as (lab, machine):
        lab.sinks[MX1].temper = temper
        machine.imc.send(ALICE, BOB)
        assert lab.sinks.wait(bool)[0].address == MX2


def test_the_demo_can_show_a_silent_exchange_beside_the_search_list() -> None:
    """Pinned with the others it holds up the mail; left out it does not."""
    silent, sound = "192.0.2.81", "192.0.2.82"
    scenario = replace(WITH_SILENCE, hosts=(SILENT_HOST,), organisation=None)
    with Lab(scenario) as lab:
        machine = lab[SILENT_HOST.name]
        machine.imc.wait(_waits)
        assert lab.dns.count("globex.example.hq.example") == 0
        rows = [f"globex.example;{address};0" for address in (silent, sound)]
        table = "[Header]\n[Routes]\nDeliveryRouting=+\n+{}\nDefaultRouting=\n"
        for chosen in (rows, rows[1:]):
            text = table.format("\n+".join(chosen)).replace("[Header]", "[Header]\nVersion=1")
            machine.imc.connector.restore(text.encode())
            before = lab.sinks[silent].connections
            machine.restart()
            if chosen is rows:
                machine.imc.wait(lambda _imc, n=before: lab.sinks[silent].connections > n)
        assert lab.sinks.wait(bool)[0].address == sound


# -- the protocol log ------------------------------------------------------------------------------


def test_q228725_the_services_own_line_is_499_with_domain_and_subject() -> None:
    with running(replace(SWITCHED, version=V55_RTM)) as (lab, machine):
        lab.sinks[MX1].temper = Temper.TARPIT
        machine.imc.send(ALICE, BOB, subject="Case 27375")
        machine.imc.wait(_waits)
        opened, own = _log(machine)[:2]
        assert opened == f"A connection to {MX1} was established."
        assert own == (
            '499 No routing hosts are reachable for nestle.com. Message subject: ""Case 27375"". '
            "Rescheduling delivery for later."
        )
        assert machine.imc.queue[0].reply.startswith("421 NSO hq.example Unable to contact")


def test_without_any_connection_499_stands_alone() -> None:
    with running(SWITCHED) as (lab, machine):
        for address in (MX1, MX2, "192.0.2.27"):
            lab.sinks[address].temper = Temper.REFUSE
        machine.imc.send(ALICE, BOB, subject="x")
        machine.imc.wait(_waits)
        assert _log(machine)[0].startswith("499 No routing hosts are reachable for nestle.com. ")


def test_q146669_a_reply_that_puts_mail_off_is_repeated_with_the_subject() -> None:
    spec = replace(SWITCHED, rows=("nestle.com;192.0.2.26;0",))
    with running(spec) as (lab, machine):
        lab.sinks[MX2].temper = Temper.DEFER
        machine.imc.send(ALICE, BOB, subject="We were blocked")
        machine.imc.wait(_waits)
        assert _log(machine)[-1] == (
            f"451 <{BOB}>... Sender domain must resolve "
            'Message subject: ""We were blocked"". Rescheduling delivery for later.'
        )


def test_q154505_a_file_belongs_to_a_concurrent_connection_and_holds_many() -> None:
    rows = ("nestle.com;192.0.2.26;0", "aol.com;192.0.2.27;0")
    with running(replace(SWITCHED, rows=rows)) as (lab, machine):
        machine.imc.send(ALICE, BOB, "x@aol.com")
        lab.sinks.wait(lambda items: len(items) == 2)
        machine.imc.wait(lambda imc: not imc.queue)
        assert machine.host.fs.listdir(r"C:\exchsrvr\imcdata\Log") == ["L0000000.LOG"]
        connections = [line for line in _log(machine) if "was established" in line]
        assert connections == [f"A connection to {a} was established." for a in (MX2, "192.0.2.27")]
        machine.restart()
        machine.imc.send(ALICE, BOB)
        lab.sinks.wait(lambda items: len(items) == 3)
        assert len(machine.host.fs.listdir(r"C:\exchsrvr\imcdata\Log")) == 2


def test_connections_of_others_stand_in_the_log_too() -> None:
    with running(SWITCHED) as (_lab, machine):
        with smtplib.SMTP("127.0.0.1", machine.imc.port, "far.example", timeout=10) as smtp:
            smtp.sendmail("x@far.example", ["alice@hq.example"], b"Subject: x\r\n\r\nHi\r\n")
        assert _log(machine)[:2] == [
            "A connection was accepted from far.example.",
            "IO: |MAIL FROM:<x@far.example>",
        ]


def test_q245787_ehlo_that_is_unknown_is_followed_by_helo() -> None:
    spec = replace(SWITCHED, rows=("nestle.com;192.0.2.26;0",), arrows=True, diagnostics=5)
    with running(spec) as (lab, machine):
        lab.sinks[MX2].temper = Temper.NO_EHLO
        machine.imc.send(ALICE, BOB)
        lab.sinks.wait(bool)
        machine.imc.wait(lambda imc: not imc.queue)
        log = _log(machine)
    assert log[0] == f"A connection to {MX2} was established."
    assert log[3:7] == [
        ">>> EHLO mail55.hq.example",
        "<<< IO: |500 Command unrecognized",
        "<<< 500 Command unrecognized",
        ">>> HELO mail55.hq.example",
    ]


# -- mail in ---------------------------------------------------------------------------------------


def _greeting(machine: Machine) -> str:
    with socket.create_connection(("127.0.0.1", machine.imc.port), 10) as connection:
        return connection.recv(200).decode().rstrip("\r\n")


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (V55, "ESMTP Server (Microsoft Exchange Internet Mail Service 5.5.2653.13) ready"),
        (V50, "Microsoft Exchange Internet Mail Service 5.0.1460.8 ready"),
        (V40, "Microsoft Exchange Internet Mail Connector <4.0.996.62>"),
    ],
)
def test_q257618_the_build_is_in_the_banner_and_in_event_1000(version: Version, text: str) -> None:
    with running(replace(SIMPLE_HOST, version=version)) as (_lab, machine):
        assert _greeting(machine) == f"220 mail55.hq.example {text}"
        assert text in machine.host.events.find(1000)[0].text


@pytest.mark.parametrize(
    ("version", "relay"), [(V40, None), (V55, Relay.RETURNED)], ids=["4.0", "no rerouting"]
)
def test_q148985_mail_for_others_is_taken_and_returned(
    version: Version, relay: Relay | None
) -> None:
    spec = replace(SWITCHED, version=version, relay=relay, rows=("nestle.com;192.0.2.26;0",))
    with running(spec) as (lab, machine):
        with smtplib.SMTP("127.0.0.1", machine.imc.port, "x.example", timeout=10) as smtp:
            smtp.sendmail(ALICE, [BOB], b"Message-ID: <1@x>\r\nSubject: x\r\n\r\nHi\r\n")
        machine.imc.wait(lambda imc: bool(imc.returned))
        assert machine.imc.returned[0].message_id == "<1@x>"
        assert lab.sinks.received == ()
        machine.imc.send(ALICE, BOB)  # its own users reach the world
        lab.sinks.wait(bool)


def test_q193922_restrictions_prohibit_relaying() -> None:
    with running(replace(SWITCHED, relay=Relay.PROHIBITED)) as (_lab, machine):
        port = machine.imc.port
        with smtplib.SMTP("127.0.0.1", port, "x.example", timeout=10) as smtp:
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                smtp.sendmail(ALICE, [BOB], b"\r\n")
            assert refused.value.recipients[BOB] == (550, b"Relaying is prohibited")
            smtp.sendmail(ALICE, [ALICE], b"\r\nHi\r\n")


# -- starting --------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", NOT_STARTING)
def test_reasons_not_to_start_have_their_events(code: int) -> None:
    spec = replace(SIMPLE_HOST, start_trouble=code, running=False)
    with running(spec) as (_lab, machine):
        assert _start(machine) == STOPPED
        assert [bool(machine.host.events.find(event)) for event in NOT_STARTING[code]] == [
            True for _event in NOT_STARTING[code]
        ]
        assert machine.host.services.get(SERVICE).service_exit_code == code


def test_q154589_without_a_tcpip_domain_it_does_not_start() -> None:
    with running(replace(SIMPLE_HOST, running=False)) as (_lab, machine):
        machine.host.registry.set(TCPIP_KEY, "Domain", "REG_SZ", "")
        assert _start(machine) == STOPPED
        assert machine.host.events.find(4058)
        assert machine.host.events.find(4067)


@pytest.mark.parametrize("crash", ["suffixes", "queue"])
def test_q185025_a_crash_has_its_own_exit_code(crash: str) -> None:
    trouble = 1067 if crash == "queue" else 0
    search_list = tuple(f"s{n}.example" for n in range(7))
    spec = replace(SIMPLE_HOST, running=False, start_trouble=trouble)
    with running(spec, search_list=search_list) as (_lab, machine):
        assert _start(machine) == STOPPED
        assert machine.host.services.get(SERVICE).win32_exit_code == 1067


def test_q184542_a_start_can_take_long_and_tells_its_progress() -> None:
    spec = replace(SIMPLE_HOST, start_seconds=120.0)
    with running(spec, time_scale=0.02) as (_lab, machine):
        services = machine.host.services
        services.stop(SERVICE)
        services.wait(SERVICE, {STOPPED}, 10.0)
        services.start(SERVICE)
        seen = set()
        while services.get(SERVICE).state == START_PENDING:
            said = machine.run(f"sc query {SERVICE}").stdout.decode()
            seen.add(re.findall(r"CHECKPOINT +: 0x([0-9a-f]+)", said)[0])
        assert len(seen) > 2
        assert services.get(SERVICE).state == RUNNING


def test_q312439_it_depends_on_the_transfer_agent_and_the_store() -> None:
    with running(SIMPLE_HOST) as (_lab, machine):
        needed = machine.host.services.get(SERVICE).depends_on
        assert set(needed) == {"MSExchangeIS", "MSExchangeMTA"}


# -- clusters --------------------------------------------------------------------------------------


def _switch(machine: Machine) -> bool:
    value = machine.host.registry.get(PARAMETERS_KEY, "DisableResolverSearchList")
    return value is not None


def test_q316772_a_cluster_restarts_the_service_and_puts_its_key_back() -> None:
    with running(replace(SIMPLE_HOST, cluster=True), time_scale=0.02) as (_lab, machine):
        services = machine.host.services
        assert ": 4  RUNNING" in machine.run("sc query ClusSvc").stdout.decode()
        starts = services.get(SERVICE).starts
        services.stop(SERVICE)
        services.wait(SERVICE, {STOPPED}, 10.0)
        machine.host.registry.set(PARAMETERS_KEY, "DisableResolverSearchList", "REG_DWORD", 1)
        machine.imc.wait(lambda _imc: services.get(SERVICE).starts > starts)
        assert services.wait(SERVICE, {RUNNING}, 10.0) == RUNNING
        assert not _switch(machine)


def test_q188635_cluster_administrator_stops_it_for_good_and_keeps_changes() -> None:
    with running(replace(SIMPLE_HOST, cluster=True), time_scale=0.02) as (_lab, machine):
        services, cluster = machine.host.services, machine.cluster
        assert cluster is not None
        machine.host.registry.set(PARAMETERS_KEY, "DisableResolverSearchList", "REG_DWORD", 1)
        cluster.take_offline()
        assert services.wait(SERVICE, {STOPPED}, 10.0) == STOPPED
        assert services.wait(SERVICE, {RUNNING}, 0.3) == STOPPED
        cluster.bring_online()
        assert services.wait(SERVICE, {RUNNING}, 10.0) == RUNNING
        assert _switch(machine)


# -- against the articles' own listings ------------------------------------------------------------

_DATA = Path(__file__).resolve().parents[3] / "shared" / "realdata" / "imc"


@pytest.mark.peers
def test_the_lines_are_those_of_the_articles_listings() -> None:
    if not _DATA.exists():
        pytest.skip(f"the real data is not there ({_DATA})")
    stamped = (_DATA / "Q228725-L0000000.LOG").read_text(encoding="latin-1")
    assert re.search(
        r"^\d+/\d+/\d\d \d+:\d\d:\d\d [AP]M : A connection to \S+ was established\.$",
        stamped,
        re.MULTILINE,
    )
    assert re.search(
        r' : 499 No routing hosts are reachable for \S+\. Message subject: ""[^"]*""\. '
        r"Rescheduling delivery for later\.$",
        stamped,
        re.MULTILINE,
    )
    arrows = (_DATA / "Q245787-L0000000.LOG").read_text(encoding="latin-1").splitlines()
    assert arrows[0].startswith("A connection to ")
    assert {"<<< IO: |500 Command unrecognized", "<<< 500 Command unrecognized"} <= set(arrows)
    assert arrows[3].startswith(">>> EHLO ")
