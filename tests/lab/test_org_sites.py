# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organisations as they are out there: Edges, relays, relay domains, roles, TLS, external DNS."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from exchange_lab.lab import Lab
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.org.accepted import EXTERNAL_RELAY, INTERNAL_RELAY, AcceptedDomain, stays
from exchange_lab.org.lab import OrganisationLab, Session
from exchange_lab.org.versions import Family
from exchange_lab.scenario import (
    FILTER,
    HYBRID,
    INTERNET,
    NESTLE,
    NESTLE_SINKS,
    ConnectorSpec,
    OrganisationSpec,
    Scenario,
    ServerSpec,
    SinkSpec,
)
from exchange_lab.windows.certificates import TestAuthority

ADMIN = "exadmin"
RELAY = "198.51.100.25"
PIN: dict[str, Any] = {
    "Name": "pin nestle.com",
    "AddressSpaces": ["SMTP:nestle.com;1"],
    "DNSRoutingEnabled": False,
    "SmartHosts": ["192.0.2.26"],
}


def until(wanted: Callable[[], Any], timeout: float = 10.0) -> Any:
    """What ``wanted`` returns, as soon as that counts as true."""
    deadline = time.monotonic() + timeout
    while not (result := wanted()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.03)
    return result


def _spec(family: Family = Family.E2019, **more: Any) -> OrganisationSpec:
    given = {"time_scale": 0.02, **more}
    return OrganisationSpec((ServerSpec("EX1", family),), **given)


@contextlib.contextmanager
def organisation(spec: OrganisationSpec) -> Iterator[tuple[Lab, OrganisationLab, Session]]:
    """A lab of that organisation, with nestle.com and a relay beside it."""
    scenario = Scenario(
        organisation=spec,
        zones={
            "nestle.com": NESTLE,
            "provider.example": f"filter A {RELAY}\n",
            "outlook.example": f"hq-example.mail.protection A {RELAY}\n",
        },
        sinks=(*NESTLE_SINKS, SinkSpec(RELAY, "filter.provider.example")),
    )
    with Lab(scenario) as lab:
        assert lab.organisation is not None
        password = {"password": scenario.password, "auth": "ntlm", "encryption": "auto"}
        with lab.organisation.session("EX1", ADMIN, **password) as session:
            yield lab, lab.organisation, session


def _send(lab: OrganisationLab, to: str, headers: str = "") -> str:
    content = f"{headers}Subject: x\r\n\r\nHello\r\n".encode()
    message = lab.transport("EX1").submit("a@hq.example", (to,), content, "127.0.0.1")
    return message.message_id


def _queue(session: Session) -> Mapping[str, Any]:
    """The one queue that waits for its retry."""
    answer = until(lambda: session.run("Get-Queue", Filter='Status -eq "Retry"').objects)
    (queue,) = answer
    return dict(queue)


# --- Edge Transport -------------------------------------------------------------------------------

EDGE = {"edges": {"EDGE1": Family.E2019}, "connectors": ()}


def test_an_edge_subscription_shows_its_server_and_two_connectors() -> None:
    with organisation(_spec(**EDGE)) as (_lab, _org, session):
        servers = {s["Name"]: s for s in session.run("Get-ExchangeServer").objects}
        connectors = {c["Name"]: c for c in session.run("Get-SendConnector").objects}
    edge = servers["EDGE1"]
    assert (edge["ServerRole"], edge["IsEdgeServer"]) == ("Edge", True)
    assert (edge["IsHubTransportServer"], servers["EX1"]["IsEdgeServer"]) == (False, False)
    inbound = connectors["EdgeSync - Inbound to Default-First-Site-Name"]
    assert (inbound["AddressSpaces"], inbound["SmartHosts"]) == (["SMTP:--;1"], ["--"])
    outbound = connectors["EdgeSync - Default-First-Site-Name to Internet"]
    assert outbound["AddressSpaces"] == ["SMTP:*;100"]
    assert outbound["SourceTransportServers"] == ["EDGE1"]
    assert outbound["DomainSecureEnabled"] is True


def test_mail_that_an_edge_has_is_out_of_sight() -> None:
    with organisation(_spec(**EDGE)) as (lab, org, session):
        for sink in NESTLE_SINKS:
            lab.sinks[sink.address].temper = Temper.REFUSE
        message_id = _send(org, "postmaster@nestle.com")
        log = until(
            lambda: (
                session.run("Get-MessageTrackingLog", MessageId=message_id, EventId="SEND").objects
            )
        )
        assert log[0]["ConnectorId"] == "Intra-Organization SMTP Send Connector"
        assert log[0]["ServerHostname"] == "EDGE1.hq.example"
        until(org.organisation.edge_transports["EDGE1"].queues.all)
        (own,) = session.run("Get-Queue").objects
        assert own["Identity"] == "EX1\\Submission"
        for cmdlet in ("Get-Queue", "Get-MessageTrackingLog"):
            assert "could not be reached" in session.run(cmdlet, Server="EDGE1").messages[0]


def test_an_edge_that_is_down_keeps_mail_in_a_queue_named_by_the_connector() -> None:
    with organisation(_spec(**EDGE)) as (_lab, org, session):
        org.organisation.edge_transports["EDGE1"].close()
        _send(org, "postmaster@nestle.com")
        queue = _queue(session)
    assert queue["DeliveryType"] == "SmtpRelayWithinAdSiteToEdge"
    assert queue["NextHopDomain"] == "edgesync - default-first-site-name to internet"


def test_an_edge_learns_of_a_pin_by_edgesync_only() -> None:
    with organisation(_spec(**EDGE)) as (lab, org, session):
        sync = org.organisation.edge_syncs["EDGE1"]
        sync.interval = 3600.0
        sync.synchronise()
        made = session.run("New-SendConnector", **PIN, SourceTransportServers=["EDGE1"])
        assert made.error_ids == []
        assert len(sync.records()) == 2
        results = session.run("Start-EdgeSynchronization").objects
        assert {(r["Type"], r["Result"]) for r in results} == {
            ("Configuration", "Success"),
            ("Recipients", "Success"),
        }
        assert [r["Added"] for r in results if r["Type"] == "Configuration"] == [1]
        _send(org, "postmaster@nestle.com")
        (received,) = lab.sinks.wait(bool)
        assert (received.address, received.helo) == ("192.0.2.26", "EDGE1.hq.example")
        sync.unreachable = True
        failed = session.run("Start-EdgeSynchronization", TargetServer="EDGE1").objects
        assert {r["Result"] for r in failed} == {"CouldNotConnect"}


def test_without_an_edge_there_is_nothing_to_synchronise() -> None:
    with organisation(_spec()) as (_lab, _org, session):
        assert "No Edge" in session.run("Start-EdgeSynchronization").messages[0]


def test_a_source_address_is_for_edges() -> None:
    with organisation(_spec(**EDGE)) as (_lab, _org, session):
        given = {**PIN, "SourceIPAddress": "0.0.0.0"}
        refused = session.run("New-SendConnector", **given)
        assert "SourceIPAddress" in refused.messages[0]
        taken = session.run("New-SendConnector", **given, SourceTransportServers=["EDGE1"])
        assert taken.error_ids == []


# --- relays ---------------------------------------------------------------------------------------


def test_a_relay_carries_all_mail_and_nobody_asks_for_an_mx() -> None:
    with organisation(_spec(connectors=(FILTER,))) as (lab, org, session):
        lab.sinks[RELAY].temper = Temper.REFUSE
        _send(org, "postmaster@nestle.com")
        queue = _queue(session)
        assert queue["DeliveryType"] == "SmartHostConnectorDelivery"
        assert queue["NextHopDomain"] == "filter.provider.example"
        assert lab.dns.count("nestle.com", "MX") == 0


def test_a_hybrid_connector_looks_like_a_real_one() -> None:
    with organisation(_spec(connectors=(INTERNET, HYBRID))) as (_lab, _org, session):
        (shown,) = session.run("Get-SendConnector", Identity=HYBRID.name).objects
    assert (shown["CloudServicesMailEnabled"], shown["RequireTLS"]) == (True, True)
    assert shown["TlsAuthLevel"] == "CertificateValidation"
    assert shown["SmartHostsString"] == "hq-example.mail.protection.outlook.example"


ODD = (
    ConnectorSpec("port", ("SMTP:a.example;1",), ("relay.example:587",)),
    ConnectorSpec("six", ("SMTP:b.example;1",), ("[IPv6:2001:db8::1]",)),
    ConnectorSpec("name", ("SMTP:c.example;1",), ("müller.example",)),
    ConnectorSpec("x400", ("X400:c=US;a= ;p=Org",), ("gateway.example",)),
    ConnectorSpec("cost", ("SMTP:d.example;500",)),
    ConnectorSpec("scope", ("Local:SMTP:e.example;1",)),
)


def test_connectors_that_no_cmdlet_makes_are_shown_as_they_stand() -> None:
    with organisation(_spec(connectors=(INTERNET, *ODD))) as (lab, org, session):
        shown = {c["Name"]: c for c in session.run("Get-SendConnector").objects}
        for odd in ODD:
            assert shown[odd.name]["AddressSpaces"] == list(odd.spaces)
            assert shown[odd.name]["SmartHosts"] == list(odd.smart_hosts)
        lab.sinks["192.0.2.25"].temper = Temper.ACCEPT
        _send(org, "postmaster@nestle.com")
        lab.sinks.wait(bool)  # and they are in nobody's way


def test_a_scoped_connector_is_for_its_own_site() -> None:
    servers = (ServerSpec("EX1", Family.E2019), ServerSpec("EX2", Family.E2019))
    scoped = ConnectorSpec(
        "scoped",
        ("SMTP:nestle.com;1",),
        ("192.0.2.26",),
        {"IsScopedConnector": True, "SourceTransportServers": ["EX2"]},
    )
    spec = OrganisationSpec(servers, time_scale=0.02, connectors=(INTERNET, scoped))
    with organisation(spec) as (lab, org, _session):
        org.organisation.servers[1].site = "Branch"
        lab.sinks["192.0.2.25"].temper = Temper.ACCEPT
        _send(org, "postmaster@nestle.com")
        (received,) = lab.sinks.wait(bool)
        assert received.address == "192.0.2.25"


# --- accepted domains -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "inside"),
    [
        ("hq.example", True),
        ("nestle.com", False),
        ("mail.contoso.local", True),
        ("contoso.local", True),
        ("old.contoso.local", False),
        ("xcontoso.local", False),
    ],
)
def test_mail_for_relay_domains_is_sent_on(domain: str, inside: bool) -> None:
    accepted = [
        AcceptedDomain("hq.example"),
        AcceptedDomain("*.contoso.local"),
        AcceptedDomain("old.contoso.local", INTERNAL_RELAY),
        AcceptedDomain("*", EXTERNAL_RELAY),
    ]
    assert stays(domain, accepted) is inside


# --- roles ----------------------------------------------------------------------------------------


def test_what_a_role_lacks_does_not_exist() -> None:
    lacking = ("Start-EdgeSynchronization", "New-SendConnector -Comment")
    with organisation(_spec(lacking=lacking)) as (_lab, _org, session):
        missing = session.run("Start-EdgeSynchronization")
        assert missing.error_ids == ["CommandNotFoundException"]
        refused = session.run("New-SendConnector", **PIN, Comment="x")
        assert "matches parameter name 'Comment'" in refused.messages[0]
        assert session.run("New-SendConnector", **PIN).error_ids == []


# --- what a connector's settings do ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "usage", "kept"),
    [
        (Family.E2010, None, False),
        (Family.E2013, None, False),
        (Family.E2013, "Internet", True),
        (Family.E2016, None, True),
    ],
)
def test_a_custom_connector_of_2010_and_2013_strips_received_lines(
    family: Family, usage: str | None, kept: bool
) -> None:
    headers = "Received: from inside\r\n by EX1\r\nX-Mark: 1\r\n"
    with organisation(_spec(family)) as (lab, org, session):
        chosen = {} if usage is None else {"Usage": usage}
        assert session.run("New-SendConnector", **PIN, **chosen).error_ids == []
        _send(org, "postmaster@nestle.com", headers)
        (received,) = lab.sinks.wait(bool)
    assert (b"Received: from inside" in received.content) is kept
    assert b"X-Mark: 1" in received.content


def test_a_front_end_speaks_for_the_far_side() -> None:
    with organisation(_spec()) as (lab, org, session):
        lab.sinks["192.0.2.26"].temper = Temper.REFUSE
        session.run("New-SendConnector", **PIN, FrontendProxyEnabled=True)
        _send(org, "postmaster@nestle.com")
        text = _queue(session)["LastError"]
    assert "450 4.4.101 Proxy session setup failed on Frontend with '441 4.4.1" in text
    assert "The last endpoint attempted was 192.0.2.26:25'" in text
    assert "{FQDN=EX1.hq.example};{IP=127.0.0.1}" in text


@pytest.mark.parametrize(
    ("temper", "words"),
    [
        (Temper.REFUSE, "-> SocketConnectionRefused: Socket error code 10061};{MSG=}"),
        (Temper.TARPIT, "-> 421 4.4.2 Connection dropped due to timeout};{MSG=}"),
        (Temper.DROP, "-> 421 4.4.2 Connection dropped due to ConnectionReset};{MSG=}"),
        (Temper.BUSY, "451 4.4.395 Target host responded with error. -> 421 mx2"),
        (Temper.DEFER, "{LED=451 <postmaster@nestle.com>"),
    ],
)
def test_last_errors_have_the_form_of_their_version(temper: Temper, words: str) -> None:
    with organisation(_spec()) as (lab, org, session):
        lab.sinks["192.0.2.26"].temper = temper
        session.run("New-SendConnector", **PIN)
        _send(org, "postmaster@nestle.com")
        assert words in _queue(session)["LastError"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize(
    ("trusted", "domain", "reason"),
    [(False, "nestle.com", "untrustedroot"), (True, "other.example", "SubjectMismatch")],
)
def test_a_certificate_that_fails_the_check_keeps_mail_here(
    authority: TestAuthority, trusted: bool, domain: str, reason: str
) -> None:
    with organisation(_spec()) as (lab, org, session):
        assert org.world is not None
        org.world.authorities = authority.ca_file.read_text() if trusted else ""
        lab.sinks["192.0.2.26"].tls = authority.issue("nestle.com").server_context()
        tls = {"RequireTLS": True, "TlsAuthLevel": "DomainValidation", "TlsDomain": domain}
        assert session.run("New-SendConnector", **PIN, **tls).error_ids == []
        _send(org, "postmaster@nestle.com")
        words = f"{{LED=454 4.7.5 Certificate validation failure, reason:{reason}}}"
        assert words in _queue(session)["LastError"]


def test_domain_security_without_tls_disallows_the_domain() -> None:
    connector = ConnectorSpec("secure", settings={"DomainSecureEnabled": True})
    with organisation(_spec(connectors=(connector,))) as (_lab, org, session):
        org.organisation.secure_domains.add("nestle.com")
        _send(org, "postmaster@nestle.com")
        assert "451 4.7.3 The admin has temporarily" in _queue(session)["LastError"]


# --- DNS of its own -------------------------------------------------------------------------------


def test_external_dns_servers_are_set_and_shown_and_used() -> None:
    with organisation(_spec()) as (_lab, org, session):
        given = {"ExternalDNSAdapterEnabled": False, "ExternalDNSServers": ["203.0.113.53"]}
        answer = session.run("Set-TransportService", Identity="EX1", **given)
        assert (answer.error_ids, answer.warnings) == ([], [])
        again = session.run("Set-TransportService", Identity="EX1", **given)
        assert "no settings of 'EX1' have been modified" in again.warnings[0]
        (shown,) = session.run("Get-TransportService").objects
        assert shown["ExternalDNSServers"] == ["203.0.113.53"]
        assert shown["ExternalDNSAdapterEnabled"] is False
        session.run("Set-SendConnector", Identity="Internet", UseExternalDNSServersEnabled=True)
        _send(org, "postmaster@nestle.com")
        assert "DNS query failed" in _queue(session)["LastError"]  # there is no such server
        edit = {"Add": ["203.0.113.54"], "Remove": ["203.0.113.53"]}
        session.run("Set-TransportService", Identity="EX1", ExternalDNSServers=edit)
        (shown,) = session.run("Get-TransportService").objects
        assert shown["ExternalDNSServers"] == ["203.0.113.54"]


def test_exchange_2010_sets_it_by_its_own_name() -> None:
    with organisation(_spec(Family.E2010)) as (_lab, _org, session):
        given = {"Identity": "EX1", "ExternalDNSServers": ["203.0.113.53"]}
        assert session.run("Set-TransportService", **given).error_ids == [
            "CommandNotFoundException"
        ]
        assert session.run("Set-TransportServer", **given).error_ids == []
