# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail through the organisation: real DNS, real SMTP, and what the cmdlets tell of it."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from exchange_lab.mail.dns_server import DnsServer, Fault
from exchange_lab.mail.imc_routing import NameService
from exchange_lab.mail.network import Network
from exchange_lab.mail.smtp_loop import LoopThread
from exchange_lab.mail.smtp_sink import SinkFarm, Temper
from exchange_lab.org.lab import OrganisationLab, Session
from exchange_lab.org.transport import World
from exchange_lab.org.versions import Family
from real_forms import QUEUE_OF_2013

ADMIN = "admin@hq.example"
ZONES = {
    "nestle.com": "@ MX 10 demon\n@ MX 20 mx2\ndemon A 192.0.2.25\nmx2 A 192.0.2.26",
    "aol.com": "@ MX 0 mx\nmx A 198.51.100.9",
    "null.example": "@ MX 0 .",
}
MX1, MX2, AOL = "192.0.2.25", "192.0.2.26", "198.51.100.9"


@dataclass
class Mail:
    """The lab with its outside."""

    lab: OrganisationLab
    farm: SinkFarm
    dns: DnsServer
    session: Session

    def send(self, recipient: str, server: str = "EX16", sender: str = ADMIN) -> str:
        """Submit a message by SMTP; returns its Message-ID."""
        message_id = f"<{time.monotonic_ns()}@test.example>"
        content = f"Message-ID: {message_id}\r\nSubject: Test 42\r\n\r\nHello\r\n"
        with smtplib.SMTP("127.0.0.1", self.lab.transport(server).port) as client:
            client.sendmail(sender, [recipient], content)
        return message_id

    def pin(self, *hosts: str, **parameters: Any) -> None:
        """Create the connector of Microsoft's workaround."""
        made = self.session.run(
            "New-SendConnector",
            **{
                "Name": "pin nestle.com",
                "AddressSpaces": ["nestle.com"],
                "DNSRoutingEnabled": False,
                "SmartHosts": list(hosts),
                "SourceTransportServers": ["EX16"],
                **parameters,
            },
        )
        assert made.error_ids == []

    def queues(self, server: str = "EX16") -> list[dict[str, Any]]:
        """The delivery queues of a server."""
        found = self.session.run("Get-Queue", Server=server).objects
        return [queue for queue in found if queue["DeliveryType"] != "Undefined"]

    def events(self, message_id: str, server: str = "EX16") -> list[str]:
        """The tracking events of a message."""
        found = self.session.run("Get-MessageTrackingLog", MessageId=message_id, Server=server)
        return [event["EventId"] for event in found.objects]


def until(condition: Callable[[], Any], timeout: float = 8.0) -> Any:
    """The first true value of a condition."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.03)


@pytest.fixture
def mail() -> Iterator[Mail]:
    network = Network()
    servers = {"EX10": Family.E2010, "EX16": Family.E2016}
    with LoopThread() as loops, DnsServer(ZONES) as dns:
        farm = SinkFarm(loops, network)
        for address, name in ((MX1, "demon.nestle.com"), (MX2, "mx2.nestle.com"), (AOL, "aol")):
            farm.add(address, name)
        services = {"": NameService(dns.address, dns.port, 0.2)}
        world = World(network, loops, services, time_scale=0.02, patience=0.5)
        with (
            OrganisationLab.build(servers, users={ADMIN: "pw"}, world=world) as lab,
            lab.session("EX16", ADMIN) as session,
        ):
            session.run(
                "New-SendConnector",
                Name="Internet",
                AddressSpaces=["*"],
                SourceTransportServers=["EX10", "EX16"],
            )
            yield Mail(lab, farm, dns, session)
        farm.close()


def test_mail_routing_by_dns_delivers_to_the_best_mx_and_logs_sendexternal(mail: Mail) -> None:
    message_id = mail.send("postmaster@nestle.com")
    (received,) = mail.farm.wait(bool)
    assert (received.address, received.message_id) == (MX1, message_id)
    events = until(lambda: len(found := mail.events(message_id)) == 2 and found)
    assert events == ["RECEIVE", "SENDEXTERNAL"]


def test_exchange_2010_logs_send(mail: Mail) -> None:
    message_id = mail.send("postmaster@nestle.com", "EX10")
    mail.farm.wait(bool)
    assert until(lambda: len(f := mail.events(message_id, "EX10")) == 2 and f) == [
        "RECEIVE",
        "SEND",
    ]


def test_delivery_fails_over_to_the_next_mx(mail: Mail) -> None:
    mail.farm[MX1].temper = Temper.REFUSE
    mail.send("postmaster@nestle.com")
    (received,) = mail.farm.wait(bool)
    assert received.address == MX2


@pytest.mark.parametrize("fault", [Fault.TIMEOUT, Fault.SERVFAIL, Fault.REFUSED, Fault.GARBAGE])
def test_kb972744_mail_waits_when_the_far_dns_mishandles_aaaa(mail: Mail, fault: Fault) -> None:
    mail.dns.set_fault("demon.nestle.com", "AAAA", fault)
    mail.send("postmaster@nestle.com")
    (queue,) = until(lambda: [q for q in mail.queues() if q["Status"] == "Retry"])
    assert (queue["DeliveryType"], queue["NextHopDomain"]) == ("DnsConnectorDelivery", "nestle.com")
    assert "{LED=451 4.4.0 DNS query failed" in queue["LastError"]
    assert (queue["MessageCount"], queue["NextHopCategory"]) == (1, "External")
    assert mail.farm.received == ()


def test_kb972744_on_exchange_2010_has_the_plain_text(mail: Mail) -> None:
    mail.dns.set_fault("*", "AAAA", Fault.TIMEOUT)
    mail.send("postmaster@nestle.com", "EX10")
    (queue,) = until(lambda: [q for q in mail.queues("EX10") if q["Status"] == "Retry"])
    assert queue["LastError"] == "451 4.4.0 DNS query failed"
    assert "NextHopCategory" not in queue


def test_dns_query_failed_is_cured_by_a_connector_and_a_resubmitted_queue(mail: Mail) -> None:
    mail.dns.set_fault("*.nestle.com", "AAAA", Fault.TIMEOUT)
    mail.dns.set_fault("demon.nestle.com", "AAAA", Fault.TIMEOUT)
    message_id = mail.send("postmaster@nestle.com")
    until(lambda: [q for q in mail.queues() if q["Status"] == "Retry"])
    mail.pin(MX1, MX2)
    choice = {"Filter": "NextHopDomain -eq 'nestle.com'"}
    mail.session.run("Retry-Queue", **choice)
    time.sleep(0.4)
    assert mail.farm.received == ()  # connecting anew is not routing anew
    assert mail.session.run("Retry-Queue", **choice, Resubmit=True).error_ids == []
    (received,) = mail.farm.wait(bool)
    assert received.address in {MX1, MX2}
    log = until(lambda: "SENDEXTERNAL" in mail.events(message_id))
    assert log
    (sent,) = mail.session.run(
        "Get-MessageTrackingLog", MessageId=message_id, EventId="sendexternal"
    ).objects
    assert (sent["ConnectorId"], sent["ServerIp"]) == ("pin nestle.com", received.address)


def test_smart_hosts_of_one_connector_are_equals(mail: Mail) -> None:
    mail.pin(MX1, MX2)
    for number in range(4):
        mail.send(f"user{number}@nestle.com")
        mail.farm.wait(lambda items, want=number + 1: len(items) >= want)
        until(lambda: not mail.queues())
    assert {item.address for item in mail.farm.received} == {MX1, MX2}


def test_a_queue_for_smart_hosts_is_named_by_them(mail: Mail) -> None:
    mail.farm[MX1].temper = mail.farm[MX2].temper = Temper.REFUSE
    mail.pin(MX1, MX2)
    mail.send("postmaster@nestle.com")
    (queue,) = until(lambda: [q for q in mail.queues() if q["Status"] == "Retry"])
    assert queue["DeliveryType"] == "SmartHostConnectorDelivery"
    assert queue["NextHopDomain"] == f"[{MX1}],[{MX2}]"
    assert "421 4.2.1 Unable to connect -> SocketConnectionRefused" in queue["LastError"]
    assert f"{{IP={MX1}}}" in queue["LastError"] or f"{{IP={MX2}}}" in queue["LastError"]


@pytest.mark.parametrize(
    ("temper", "text"),
    [
        (Temper.BUSY, "451 4.4.395 Target host responded with error. -> 421 "),
        (Temper.TARPIT, "421 4.4.2 Connection dropped due to timeout"),
        (Temper.SILENT, "SocketTimedout: Socket error code 10060"),
        (Temper.DEFER, "{LED=451 "),
    ],
)
def test_a_far_side_that_does_not_take_mail_shows_in_lasterror(
    mail: Mail, temper: Temper, text: str
) -> None:
    mail.farm[MX1].temper = temper
    mail.pin(MX1)
    mail.send("postmaster@nestle.com")
    (queue,) = until(lambda: [q for q in mail.queues() if q["Status"] == "Retry"])
    assert text in queue["LastError"]
    (message,) = mail.session.run("Get-Message", Queue=queue["Identity"]).objects
    assert (message["Status"], message["LastError"]) == ("Retry", queue["LastError"])


def test_kb4051498_exchange_2010_says_what_the_primary_target_answered(mail: Mail) -> None:
    mail.farm[MX1].temper = Temper.BUSY
    mail.pin(MX1, SourceTransportServers=["EX10"])
    mail.send("postmaster@nestle.com", "EX10")
    (queue,) = until(lambda: [q for q in mail.queues("EX10") if q["Status"] == "Retry"])
    assert queue["LastError"].startswith(
        '451 4.4.0 Primary target IP address responded with: "421 '
    )


def test_a_queue_is_retried_until_the_far_side_takes_the_mail(mail: Mail) -> None:
    mail.farm[AOL].temper = Temper.DEFER
    message_id = mail.send("postmaster@aol.com")
    (queue,) = until(lambda: [q for q in mail.queues() if q["Status"] == "Retry"])
    assert queue["NextRetryTime"] > queue["LastRetryTime"]
    mail.farm[AOL].temper = Temper.ACCEPT
    mail.farm.wait(bool)
    until(lambda: not mail.queues())
    assert until(lambda: "SENDEXTERNAL" in mail.events(message_id))
    assert "DEFER" in mail.events(message_id)


def test_a_refused_recipient_is_failed_and_reported_to_the_sender(mail: Mail) -> None:
    mail.farm[AOL].temper = Temper.REJECT
    message_id = mail.send("nobody@aol.com")
    until(lambda: "FAIL" in mail.events(message_id))
    log = mail.session.run("Get-MessageTrackingLog", Recipients=["nobody@aol.com"]).objects
    failure = next(event for event in log if event["EventId"] == "FAIL")
    assert "550 <nobody@aol.com>" in failure["RecipientStatus"][0]
    (report,) = until(lambda: mail.lab.transport("EX16").reports)
    assert (report.to, report.original) == (ADMIN, message_id)
    assert failure["Reference"] == [report.message_id]
    # "Message tracking": the reference of a DSN is the message that it was made for.
    (dsn,) = mail.session.run("Get-MessageTrackingLog", EventId="DSN").objects
    assert (dsn["Reference"], dsn["Recipients"]) == ([message_id], [ADMIN])
    assert mail.queues() == []


@pytest.mark.parametrize("domain", ["nowhere.nestle.com", "null.example"])
def test_a_domain_that_takes_no_mail_fails_at_once(mail: Mail, domain: str) -> None:
    message_id = mail.send(f"postmaster@{domain}")
    until(lambda: "FAIL" in mail.events(message_id))
    (failure,) = mail.session.run(
        "Get-MessageTrackingLog", MessageId=message_id, EventId="FAIL"
    ).objects
    words = "{LED=554 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain};{MSG=}"
    assert words in failure["RecipientStatus"][0]


def test_a_message_that_waited_too_long_expires(mail: Mail) -> None:
    mail.lab.organisation.servers[1].settings.expiration = 0.0
    mail.farm[AOL].temper = Temper.REFUSE
    message_id = mail.send("postmaster@aol.com")
    until(lambda: "FAIL" in mail.events(message_id))
    assert "550 4.4.7 QUEUE.Expired" in mail.lab.transport("EX16").reports[0].status


def test_a_server_that_is_no_source_relays_to_one_that_is(mail: Mail) -> None:
    mail.pin(MX2)
    message_id = mail.send("postmaster@nestle.com", "EX10")
    (received,) = mail.farm.wait(bool)
    assert received.helo == "EX16.hq.example"
    assert until(lambda: len(f := mail.events(message_id, "EX10")) == 2 and f) == [
        "RECEIVE",
        "SEND",
    ]
    assert until(lambda: len(f := mail.events(message_id)) == 2 and f)[1] == "SENDEXTERNAL"


def test_without_a_route_mail_waits_as_unreachable_until_there_is_one(mail: Mail) -> None:
    mail.session.run("Remove-SendConnector", Identity="Internet", Confirm=False)
    mail.send("postmaster@aol.com")
    (queue,) = until(mail.queues)
    assert (queue["Identity"], queue["NextHopDomain"]) == (
        "EX16\\Unreachable",
        "Unreachable Domain",
    )
    (message,) = mail.session.run("Get-Message", Queue="Unreachable").objects
    assert "connector cannot be found" in message["LastError"]
    mail.session.run("New-SendConnector", Name="Internet", AddressSpaces=["*"])
    mail.farm.wait(bool)
    until(lambda: not mail.queues())


def test_a_removed_connector_lets_its_queue_be_routed_anew(mail: Mail) -> None:
    mail.farm[MX1].temper = Temper.REFUSE
    mail.pin(MX1)
    mail.send("postmaster@nestle.com")
    until(lambda: [q for q in mail.queues() if q["Status"] == "Retry"])
    mail.session.run("Remove-SendConnector", Identity="pin nestle.com", Confirm=False)
    (received,) = mail.farm.wait(bool)
    assert received.address == MX2


def test_a_source_server_that_is_down_keeps_the_relay_queue_in_retry(mail: Mail) -> None:
    mail.pin(MX2)
    mail.lab.transport("EX16").close()
    mail.send("postmaster@nestle.com", "EX10")
    (queue,) = until(lambda: [q for q in mail.queues("EX10") if q["Status"] == "Retry"])
    assert (queue["DeliveryType"], queue["NextHopDomain"]) == ("SmtpRelayWithinAdSite", "EX16")
    assert "421 4.2.1 Unable to connect" in queue["LastError"]


def test_external_dns_servers_of_the_connector_are_asked_instead(mail: Mail) -> None:
    mail.dns.set_fault("demon.nestle.com", "AAAA", Fault.TIMEOUT)
    with DnsServer(ZONES) as other:
        world = mail.lab.world
        assert world is not None
        services = {**world.name_services, "203.0.113.53": NameService("127.0.0.1", other.port)}
        world.name_services = services
        mail.session.run(
            "Set-TransportService", Identity="EX16", ExternalDNSServers=["203.0.113.53"]
        )
        mail.session.run(
            "Set-SendConnector", Identity="Internet", UseExternalDNSServersEnabled=True
        )
        mail.send("postmaster@nestle.com")
        until(lambda: [q for q in mail.queues() if q["Status"] == "Retry"])
        # The list counts only where no adapter's servers do ("Set-TransportService").
        mail.session.run("Set-TransportService", Identity="EX16", ExternalDNSAdapterEnabled=False)
        mail.send("postmaster@nestle.com")
        mail.farm.wait(bool)
    (shown,) = mail.session.run("Get-TransportService", Identity="EX16").objects
    assert shown["ExternalDNSServers"] == ["203.0.113.53"]


def test_requiretls_keeps_mail_where_the_far_side_has_no_starttls(mail: Mail) -> None:
    mail.pin(MX1, RequireTLS=True)
    mail.send("postmaster@nestle.com")
    (queue,) = until(lambda: [q for q in mail.queues() if q["Status"] == "Retry"])
    assert "5.7.3 STARTTLS is required" in queue["LastError"]
    assert mail.farm.received == ()


def test_get_queue_shows_the_fields_of_a_real_queue(mail: Mail) -> None:
    mail.farm[AOL].temper = Temper.REFUSE
    mail.send("postmaster@aol.com")
    (queue,) = until(lambda: [q for q in mail.queues() if q["Status"] == "Retry"])
    assert queue.keys() == set(QUEUE_OF_2013) - {"RunspaceId"}
    assert queue["FirstRetryTime"] <= queue["LastRetryTime"]
    assert queue["DeferredMessageCountsPerPriority"] == ["0", "1", "0", "0"]


def test_get_queue_selects_by_identity_filter_include_and_size(mail: Mail) -> None:
    mail.dns.set_fault("*", "AAAA", Fault.SERVFAIL)
    mail.send("a@nestle.com")
    mail.send("b@aol.com")
    until(lambda: len([q for q in mail.queues() if q["Status"] == "Retry"]) == 2)
    run = mail.session.run
    by_domain = run("Get-Queue", Identity="EX16\\aol.com").objects
    assert [queue["NextHopDomain"] for queue in by_domain] == ["aol.com"]
    by_filter = run("Get-Queue", Filter='Status -eq "Retry" -and NextHopDomain -like "nest*"')
    assert [queue["NextHopDomain"] for queue in by_filter.objects] == ["nestle.com"]
    assert len(run("Get-Queue", Include="External").objects) == 2
    assert [q["Identity"] for q in run("Get-Queue", Exclude="External").objects] == [
        "EX16\\Submission"
    ]
    short = run("Get-Queue", ResultSize=1)
    assert len(short.objects) == 1
    assert "There are more results available" in short.warnings[0]
    assert "not found" not in str(run("Get-Queue", Filter="Nope -eq 'x'").messages)
    assert run("Get-Queue", Filter="Nope -eq 'x'").objects == []
    assert run("Get-Queue", Identity="EX16\\9", Filter="Status -eq 'Retry'").failed
    (absent,) = run("Get-Queue", Identity="EX16\\nothing.example").error_ids
    assert "ManagementObjectNotFoundException" in absent


def test_get_message_shows_recipients_only_on_demand(mail: Mail) -> None:
    mail.farm[AOL].temper = Temper.REFUSE
    message_id = mail.send("b@aol.com")
    until(lambda: [q for q in mail.queues() if q["Status"] == "Retry"])
    run = mail.session.run
    (plain,) = run("Get-Message", Filter=f"InternetMessageId -eq '{message_id}'").objects
    assert (plain["Recipients"], plain["FromAddress"]) == (None, ADMIN)
    (full,) = run("Get-Message", Identity=plain["Identity"], IncludeRecipientInfo=True).objects
    assert full["Recipients"] == ["b@aol.com"]
    assert run("Get-Message", Server="EX10").objects == []


def test_get_messagetrackinglog_searches_one_server_by_its_criteria(mail: Mail) -> None:
    message_id = mail.send("postmaster@aol.com")
    mail.farm.wait(bool)
    until(lambda: len(mail.events(message_id)) == 2)
    now = datetime.now(UTC)

    def count(**criteria: object) -> int:
        return len(mail.session.run("Get-MessageTrackingLog", **criteria).objects)

    assert count() == 2
    assert count(MessageId=message_id.strip("<>")) == 0
    assert count(MessageSubject="test 4") == 2
    assert count(Sender="ADMIN@hq.example") == 2
    assert count(Start=(now + timedelta(minutes=1)).isoformat()) == 0
    short_date = (now - timedelta(minutes=1)).strftime("%m/%d/%Y %H:%M:%S")
    assert count(Start=short_date, End=now.isoformat()) == 2
    assert mail.session.run("Get-MessageTrackingLog", Start="yesterday").failed
    assert count(Server="EX10") == 0
    assert count(ResultSize=1) == 1


def test_a_server_without_tracking_logs_nothing(mail: Mail) -> None:
    mail.lab.organisation.servers[1].settings.tracking_enabled = False
    message_id = mail.send("postmaster@aol.com")
    mail.farm.wait(bool)
    assert mail.events(message_id) == []


def test_mail_for_the_own_domain_stays_inside(mail: Mail) -> None:
    message_id = mail.send("info@hq.example")
    until(lambda: mail.events(message_id) == ["RECEIVE", "DELIVER"])
    assert mail.queues() == []
