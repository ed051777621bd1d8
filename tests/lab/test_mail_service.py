# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The acting connector beside delivery: Pickup, submission by SMTP, and its logs on disk."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from exchange_lab.lab import Lab, Machine
from exchange_lab.mail.imc_intake import CANNOT_DELETE
from exchange_lab.mail.imc_listener import Submission
from exchange_lab.mail.imc_model import V40, V50, Assumptions
from exchange_lab.scenario import SIMPLE_HOST, HostSpec, simple
from exchange_lab.windows.certificates import TestAuthority

ALICE, BOB = "alice@hq.example", "bob@nestle.com"
ROW = ("NESTLE.COM;192.0.2.26;0",)
OPEN = replace(SIMPLE_HOST, rows=ROW)
PICKUP = r"C:\exchsrvr\imcdata\Pickup"
MESSAGE = b"From: alice@hq.example\r\nTo: bob@nestle.com\r\nSubject: x\r\n\r\nHi\r\n"


@contextmanager
def running(
    spec: HostSpec, assumptions: Assumptions | None = None
) -> Iterator[tuple[Lab, Machine]]:
    with Lab(replace(simple(spec), assumptions=assumptions or Assumptions())) as lab:
        yield lab, lab[spec.name]


def tracked(machine: Machine) -> list[list[str]]:
    """The tracking log of the day: event number, remote id and recipients of each record."""
    folder = r"C:\exchsrvr\tracking.log"
    (name,) = machine.host.fs.listdir(folder)
    records = machine.host.fs.read_bytes(f"{folder}\\{name}").decode().split("\r\n")[:-1]
    heads = [record.split("\n") for record in records]
    return [[*(head.split("\t")[i] for i in (1, 5)), *rest] for head, *rest in heads]


# -- Pickup -------------------------------------------------------------------------------------


def test_a_file_in_pickup_is_sent_and_gone() -> None:
    with running(OPEN) as (lab, machine):
        machine.host.fs.write_bytes(f"{PICKUP}\\test.txt", b"X-Receiver: x@nestle.com\n" + MESSAGE)
        (arrived,) = lab.sinks.wait(lambda items: len(items) == 1)
        assert (arrived.sender, arrived.recipients) == (ALICE, ("x@nestle.com",))
        assert arrived.content.endswith(MESSAGE)
        assert machine.host.fs.listdir(PICKUP) == ["Archive"]


def test_a_file_that_cannot_be_deleted_is_never_sent() -> None:
    with running(OPEN) as (lab, machine):
        path = f"{PICKUP}\\kept.txt"
        machine.host.fs.protect(path)
        machine.host.fs.write_bytes(r"C:\kept.txt", MESSAGE)
        machine.host.fs.resolve(r"C:\kept.txt").rename(machine.host.fs.resolve(path))
        machine.imc.wait(lambda imc: bool(imc.host.events.find(CANNOT_DELETE)))
        machine.host.fs.write_bytes(f"{PICKUP}\\other.txt", MESSAGE)
        lab.sinks.wait(lambda items: len(items) == 1)
        (event,) = machine.host.events.find(
            CANNOT_DELETE
        )  # said once, however often it is looked at
        assert "kept.txt cannot be deleted" in event.text
        machine.host.fs.unprotect(path)
        lab.sinks.wait(lambda items: len(items) == 2)


def test_a_file_without_recipients_goes_to_the_archive() -> None:
    with running(OPEN) as (_lab, machine):
        machine.host.fs.write_bytes(f"{PICKUP}\\odd.txt", b"nobody\n")
        machine.imc.wait(lambda imc: imc.host.fs.exists(f"{PICKUP}\\Archive\\odd.txt"))
        machine.imc.wait(lambda imc: bool(imc.host.events.find(4164)))
        (event,) = machine.host.events.find(4164)
        assert event.text.startswith("The file odd.txt in the Pickup directory could not be parsed")
        assert machine.imc.queue == ()


def test_versions_before_5_5_have_no_pickup() -> None:
    with running(replace(OPEN, version=V50)) as (lab, machine):
        assert not machine.host.fs.exists(PICKUP)
        machine.host.fs.mkdir(PICKUP)
        machine.host.fs.write_bytes(f"{PICKUP}\\test.txt", MESSAGE)
        machine.imc.send(ALICE, BOB)  # the worker has looked round when this arrives
        lab.sinks.wait(lambda items: len(items) == 1)
        assert machine.host.fs.listdir(PICKUP) == ["test.txt"]


def test_pickup_is_off_when_its_folders_cannot_be_made() -> None:
    with running(replace(OPEN, running=False)) as (lab, machine):
        machine.host.fs.protect(PICKUP)
        machine.host.services.start("MSExchangeIMC")
        machine.imc.send(ALICE, BOB)
        lab.sinks.wait(lambda items: len(items) == 1)
        assert not machine.host.fs.exists(PICKUP)


# -- submission by SMTP -------------------------------------------------------------------------


def client(machine: Machine) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", machine.imc.port, "controller.example", timeout=10)


def test_submitted_mail_is_delivered_and_tracked() -> None:
    with running(replace(OPEN, version=V50)) as (lab, machine):
        with client(machine) as smtp:
            smtp.sendmail(ALICE, [BOB], b"Message-ID: <probe@x>\r\n" + MESSAGE)
        (arrived,) = lab.sinks.wait(lambda items: len(items) == 1)
        assert arrived.message_id == "<probe@x>"
        machine.imc.wait(lambda imc: not imc.queue)
        recipient = f"SMTP:{BOB}\t"
        assert tracked(machine) == [
            [number, "<probe@x>", recipient] for number in ("1012", "1010", "1011")
        ]


def test_mail_for_this_site_stays_here() -> None:
    with running(OPEN) as (_lab, machine):
        with client(machine) as smtp:
            smtp.sendmail("x@y.example", ["alice@HQ.example"], MESSAGE)
        ((mailbox, text),) = machine.imc.local_mail
        assert mailbox == "alice@HQ.example"
        assert text.endswith("\r\n\r\nHi\r\n")
        assert machine.imc.queue == ()


def test_a_stopped_service_refuses_connections_and_keeps_its_port() -> None:
    with running(OPEN) as (_lab, machine):
        machine.host.services.stop("MSExchangeIMC")
        machine.host.services.wait("MSExchangeIMC", {1}, 5)
        with pytest.raises(ConnectionRefusedError):
            client(machine)
        machine.host.services.start("MSExchangeIMC")
        machine.host.services.wait("MSExchangeIMC", {4}, 5)
        client(machine).close()


def test_a_full_disk_is_a_temporary_failure_and_leaves_no_piece() -> None:
    with running(OPEN) as (_lab, machine):
        machine.host.fs.quota_bytes = machine.host.fs.used_bytes() + 10
        with client(machine) as smtp, pytest.raises(smtplib.SMTPDataError) as error:
            smtp.sendmail(ALICE, [BOB], MESSAGE)
        assert error.value.smtp_code == 452
        assert machine.host.fs.listdir(r"C:\exchsrvr\imcdata\Out") == []
        assert machine.host.events.find(3022)


def test_a_caller_with_this_hosts_own_name_is_a_loop() -> None:
    with running(OPEN) as (_lab, machine):
        smtp = client(machine)
        with smtp:
            assert smtp.ehlo("MAIL55.hq.example")[0] == 421


def test_starttls_and_login(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    trust = ssl.create_default_context(cafile=str(authority.ca_file))
    tls = authority.issue("127.0.0.1").server_context()
    submission = Submission(tls=tls, users={"probe": "s3cret"})
    with running(replace(OPEN, submission=submission)) as (lab, machine):
        smtp = client(machine)
        with smtp:
            smtp.starttls(context=trust)
            with pytest.raises(smtplib.SMTPSenderRefused):
                smtp.sendmail(ALICE, [BOB], MESSAGE)
            with pytest.raises(smtplib.SMTPAuthenticationError):
                smtp.login("probe", "wrong")
            smtp.login("probe", "s3cret")
            smtp.sendmail(ALICE, [BOB], MESSAGE)
            lab.sinks.wait(lambda items: len(items) == 1)


# -- logs ---------------------------------------------------------------------------------------


def test_the_tracking_log_of_a_delivery_byte_for_byte() -> None:
    with running(OPEN) as (_lab, machine):
        moment = datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)
        machine.host.clock = lambda: moment
        machine.restart()
        machine.imc.submit(ALICE, (BOB,), b"Message-ID: <1@x>\r\nDate: x\r\n\r\nHi\r\n")
        machine.imc.wait(lambda imc: not imc.queue)
        data = machine.host.fs.read_bytes(r"C:\exchsrvr\tracking.log\20261103.log")
        middle = (
            "/O=HQ/OU=MAIN/CN=CONFIGURATION/CN=CONNECTIONS/CN=INTERNET MAIL CONNECTOR (MAIL55)\t"
            "/O=HQ/OU=MAIN/CN=CONFIGURATION/CN=SERVERS/CN=MAIL55/CN=MICROSOFT PRIVATE MDB\t"
            "<1@x>\talice@hq.example\t0\t34\t0\t1\t\t1\nSMTP:bob@nestle.com\t\r\n"
        )
        assert data.decode() == "".join(
            f"c=US;a= ;p=HQ;l=MAIL55-261103040506Z-1\t{event}\t2026.11.3 4:5:6\t{middle}"
            for event in (1010, 1011)
        )


def test_a_return_is_tracked_with_the_status_of_its_recipients() -> None:
    with running(SIMPLE_HOST, Assumptions(expire_after=0.0)) as (_lab, machine):
        sent = machine.imc.send(ALICE, BOB)
        machine.imc.wait(lambda imc: bool(imc.returned) and not imc.queue)
        assert tracked(machine) == [
            ["1010", sent, f"SMTP:{BOB}\t"],
            ["1007", sent, f"SMTP:{BOB}\t1"],
        ]


def test_4_0_tracks_the_transfer_alone() -> None:
    with running(replace(OPEN, version=V40)) as (_lab, machine):
        sent = machine.imc.send(ALICE, BOB)
        machine.imc.wait(lambda imc: bool(imc.delivered) and not imc.queue)
        assert tracked(machine) == [["1003", sent, f"SMTP:{BOB}\t"]]


def test_the_tracking_folder_is_where_the_registry_says() -> None:
    with running(OPEN) as (_lab, machine):
        key = r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeSA\Parameters"
        machine.host.registry.set(key, "LogDirectory", "REG_SZ", r"C:\logs")
        machine.restart()
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(lambda imc: not imc.queue)
        assert len(machine.host.fs.listdir(r"C:\logs")) == 1
        assert machine.host.fs.listdir(r"C:\exchsrvr\tracking.log") == []


def test_without_tracking_there_is_no_log() -> None:
    with running(replace(OPEN, tracking=False)) as (_lab, machine):
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(lambda imc: bool(imc.delivered))
        assert machine.host.fs.listdir(r"C:\exchsrvr\tracking.log") == []


def test_the_protocol_log_shows_each_connection() -> None:
    rows = ("NESTLE.COM;192.0.2.25;0", *ROW)
    with running(replace(OPEN, rows=rows)) as (_lab, machine):
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(lambda imc: not imc.queue)
        folder = r"C:\exchsrvr\imcdata\Log"
        assert machine.host.fs.listdir(folder) == ["L0000000.LOG"]
        text = machine.host.fs.read_bytes(rf"{folder}\L0000000.LOG").decode()
        lines = [re.sub(r"^\S+ \S+ [AP]M : ", "", line) for line in text.splitlines()]
        assert lines[:3] == [
            "A connection to 192.0.2.25 was established.",
            "IO: |421 mx1.nestle.com Service not available, too many connections",
            "A connection to 192.0.2.26 was established.",
        ]
        assert f"RCPT TO:<{BOB}>" in lines
        assert "IO: |250 Message accepted for delivery" in lines


def test_below_level_3_there_is_no_protocol_log() -> None:
    with running(replace(OPEN, diagnostics=1)) as (_lab, machine):
        machine.imc.send(ALICE, BOB)
        machine.imc.wait(lambda imc: bool(imc.delivered))
        assert machine.host.fs.listdir(r"C:\exchsrvr\imcdata\Log") == []
