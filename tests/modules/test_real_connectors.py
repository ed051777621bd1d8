# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organisations as they are out there, and what transport_delivery does there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.lab import Lab
from exchange_lab.org.accepted import AUTHORITATIVE, INTERNAL_RELAY
from exchange_lab.org.versions import Family
from exchange_lab.scenario import (
    FILTER,
    HYBRID,
    INTERNET,
    ConnectorSpec,
    OrganisationSpec,
    Scenario,
    ServerSpec,
    SinkSpec,
    simple,
)
from worker import Worker

ROUTE = {"domain": "nestle.com", "addresses": ["192.0.2.25", "192.0.2.26"]}
RELAY = "198.51.100.25"
ODD = (
    ConnectorSpec("port", ("SMTP:a.example;1",), ("relay.example:587",)),
    ConnectorSpec("six", ("SMTP:b.example;1",), ("[IPv6:2001:db8::1]",)),
    ConnectorSpec("name", ("SMTP:c.example;1",), ("müller.example",)),
    ConnectorSpec("x400", ("X400:c=US;a= ;p=Org",), ("gateway.example",)),
    ConnectorSpec("cost", ("SMTP:d.example;500",)),
    ConnectorSpec("scope", ("Local:SMTP:e.example;1",)),
)


class Site:
    """A lab, and an administrator who runs tasks on one of its hosts."""

    def __init__(self, lab: Lab, folder: Path, host: str) -> None:
        self.lab, self.host, self.backups = lab, host, folder / "backups"
        file = lab.write_inventory(folder / "inventory" / "hosts.yml")
        self.worker = Worker(folder, file)

    def pin(self, **options: Any) -> dict[str, Any]:
        """Pin the domain, or what the options say, at the organisation."""
        where = {"endpoint": "{{ mx_delivery_endpoint }}", "backup_dir": str(self.backups)}
        given = {**where, "routes": [ROUTE], **options}
        return self.worker.run(self.host, {"postmaster.exchange.transport_delivery": given})

    @property
    def connectors(self) -> dict[str, dict[str, Any]]:
        """The organisation's connectors by name."""
        assert self.lab.organisation is not None
        directory = self.lab.organisation.organisation.directory
        directory.settle()
        return {r.name: dict(r.attributes) for r in directory.read(directory.domain_controllers[0])}

    def pins(self) -> list[dict[str, Any]]:
        """The connectors that lead the domain to its addresses."""
        return [c for c in self.connectors.values() if "[192.0.2.25]" in c["SmartHosts"]]

    def test(self, **domain: Any) -> dict[str, Any]:
        """Send a test message to the domain."""
        given = {
            "family": "transport",
            "endpoint": "{{ mx_delivery_endpoint }}",
            "domains": [{"name": "nestle.com", **domain}],
            "smtp": {"port": "{{ mx_delivery_test_smtp_port }}"},
            "interval": 1,
            "deadline": 8,
        }
        return self.worker.run(self.host, {"postmaster.exchange.delivery_test": given})

    def runs(self, cmdlet: str) -> int:
        """How often a cmdlet was run."""
        assert self.lab.organisation is not None
        return self.lab.organisation.organisation.counters.cmdlets(cmdlet)


@pytest.fixture
def organisation(tmp_path: Path) -> Any:
    @contextmanager
    def start(family: Family = Family.E2019, **more: Any) -> Iterator[Site]:
        spec = OrganisationSpec((ServerSpec("ex1", family),), time_scale=0.02, **more)
        zones = {**simple().zones, "provider.example": f"filter A {RELAY}\n"}
        sinks = (*simple().sinks, SinkSpec(RELAY, "filter.provider.example"))
        scenario = Scenario(organisation=spec, zones=zones, sinks=sinks)
        with Lab(scenario, folder=tmp_path / "lab") as lab:
            yield Site(lab, tmp_path / "project", "ex1")

    return start


@pytest.mark.parametrize("family", list(Family))
def test_a_pin_is_made_without_a_source_address_and_keeps_received_lines(
    organisation: Any, family: Family
) -> None:
    with organisation(family) as site:
        assert site.pin()["changed"] is True
        (pin,) = site.pins()
        assert pin["Usage"] == "Internet"
        assert not any(
            "-SourceIPAddress" in line
            for line in site.lab.organisation.organisation.counters.asked("ex1")
        )


def test_connectors_of_others_never_stop_a_run(organisation: Any) -> None:
    more = (INTERNET, HYBRID, *ODD)
    with organisation(connectors=more, edges={"EDGE1": Family.E2019}) as site:
        before = site.connectors
        assert site.pin()["changed"] is True
        assert len(site.pins()) == 1
        assert {name: site.connectors[name] for name in before} == before


def test_a_pin_past_a_relay_is_refused(organisation: Any) -> None:
    with organisation(connectors=(FILTER,)) as site:
        site.pin()
        assert site.pins() == []
        assert site.pin(routes=[{**ROUTE, "bypass_relay": True}])["changed"] is True


def test_a_pin_keeps_what_protects_the_mail(organisation: Any) -> None:
    kept = {
        "Fqdn": "mail.hq.example",
        "RequireTLS": True,
        "TlsAuthLevel": "CertificateValidation",
        "TlsCertificateName": "<I>CN=CA<S>CN=mail.hq.example",
        "ProtocolLoggingLevel": "Verbose",
        "ErrorPolicies": "DowngradeAuthFailures",
        "ConnectionInactivityTimeOut": "00:05:00",
        "SmtpMaxMessagesPerConnection": 7,
        "FrontendProxyEnabled": True,
    }
    with organisation(connectors=(replace(INTERNET, settings=kept),)) as site:
        assert site.pin()["changed"] is True
        (pin,) = site.pins()
        assert {name: pin[name] for name in kept} == kept


def test_domain_security_cannot_be_inherited(organisation: Any) -> None:
    """DomainSecureEnabled means the domains of TLSSendDomainSecureList, and no other."""
    secure = replace(INTERNET, settings={"DomainSecureEnabled": True})
    with organisation(connectors=(secure,)) as site:
        site.lab.organisation.organisation.secure_domains.add("nestle.com")
        assert "mutual TLS" in site.pin()["refused"][0]["reason"]
        assert site.pins() == []
        site.lab.organisation.organisation.secure_domains.clear()
        assert site.pin()["changed"] is True


def test_one_refused_domain_keeps_no_other_from_its_pin(organisation: Any) -> None:
    other = {"domain": "hq.example", "addresses": ["192.0.2.27"]}
    bad = ConnectorSpec("bad", ("SMTP:odd.example;1",), ("relay.example:587",))
    odd = {"domain": "odd.example", "addresses": ["192.0.2.28"]}
    with organisation(connectors=(INTERNET, bad)) as site:
        result = site.pin(routes=[ROUTE, other])
        assert [one["domain"] for one in result["refused"]] == ["hq.example"]
        assert len(site.pins()) == 1
        assert site.pin(routes=[odd], existing="adopt")["changed"] is True


def test_ending_required_tls_needs_force(organisation: Any) -> None:
    with organisation(connectors=(replace(INTERNET, settings={"RequireTLS": True}),)) as site:
        assert "require" in site.pin(require_tls=False)["refused"][0]["reason"]
        assert site.pins() == []
        site.pin(require_tls=False, force=True)
        assert site.pins()[0]["RequireTLS"] is False


def test_adopted_and_removed_connectors_come_back_whole(organisation: Any) -> None:
    own = {
        "Fqdn": "mail.hq.example",
        "RequireOorg": True,
        "RequireTLS": True,
        "TlsCertificateName": "<I>CN=CA<S>CN=mail.hq.example",
        "ConnectorType": "OnPremises",
        "ErrorPolicies": "DowngradeAuthFailures",
    }
    theirs = ConnectorSpec("theirs", ("SMTP:nestle.com;1",), ("[192.0.2.99]",), own)
    with organisation(connectors=(INTERNET, theirs)) as site:
        before = site.connectors["theirs"]
        adopted = site.pin(existing="adopt")
        site.pin(state="absent")
        assert "theirs" not in site.connectors
        assert site.pin(routes=None, state="restored", backup=adopted["backup"])["changed"] is True
        after = site.connectors["theirs"]
        assert {k: v for k, v in after.items() if k != "Usage"} == {
            k: v for k, v in before.items() if k != "Usage"
        }


@pytest.mark.parametrize("lacking", [(), ("Start-EdgeSynchronization",)])
def test_an_edge_is_synchronised_after_a_change(
    organisation: Any, lacking: tuple[str, ...]
) -> None:
    spec = {"edges": {"EDGE1": Family.E2019}, "connectors": (), "lacking": lacking}
    with organisation(**spec) as site:
        assert site.pin()["changed"] is True
        (pin,) = site.pins()
        assert pin["SourceTransportServers"] == ["EDGE1"]
        assert site.runs("Start-EdgeSynchronization") == (0 if lacking else 1)


@pytest.mark.parametrize(("kind", "made"), [(AUTHORITATIVE, 0), (INTERNAL_RELAY, 1)])
def test_an_authoritative_domain_is_not_pinned(organisation: Any, kind: str, made: int) -> None:
    with organisation(accepted={"nestle.com": kind}) as site:
        site.pin()
        assert len(site.pins()) == made


@pytest.mark.parametrize("way", ["edge", "relay"])
def test_what_an_edge_or_a_relay_has_is_relayed(organisation: Any, way: str) -> None:
    edge = {"edges": {"EDGE1": Family.E2019}, "connectors": ()}
    spec = edge if way == "edge" else {"connectors": (FILTER,)}
    with organisation(**spec) as site:
        result = site.test(addresses=["192.0.2.25", "192.0.2.26"])
        assert not result.get("failed"), result
        (one,) = result["results"]
        assert (one["verdict"], result["relayed"], result["delivered"]) == (
            "relayed",
            ["nestle.com"],
            [],
        )
        assert ("EDGE1" if way == "edge" else "filter.provider.example") in one["reason"]


def test_queues_of_an_edge_are_out_of_sight(organisation: Any) -> None:
    with organisation(edges={"EDGE1": Family.E2019}) as site:
        task = {"family": "transport", "endpoint": "{{ mx_delivery_endpoint }}"}
        result = site.worker.run(site.host, {"postmaster.exchange.queue_info": task})
        assert (result["out_of_sight"], result["files"]) == (["EDGE1"], 0)


def test_a_pin_in_place_of_a_scoped_connector_is_scoped_too(organisation: Any) -> None:
    site_only = ConnectorSpec("Site", ("SMTP:*;1",), settings={"IsScopedConnector": True})
    with organisation(connectors=(site_only,)) as site:
        assert site.pin()["changed"] is True
        (pin,) = site.pins()
        assert pin["IsScopedConnector"] is True
        assert site.pin()["changed"] is False


def test_a_scoped_relay_is_not_bypassed(organisation: Any) -> None:
    scoped = replace(FILTER, name="A site", settings={"IsScopedConnector": True})
    with organisation(connectors=(INTERNET, scoped)) as site:
        (refused,) = site.pin()["refused"]
        assert (refused["connector"], site.pins()) == ("A site", [])
