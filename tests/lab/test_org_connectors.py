# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send connectors through pypsrp: "New-SendConnector", "Set-SendConnector", and their siblings."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from exchange_lab.org.lab import OrganisationLab, Session
from exchange_lab.org.versions import Family
from pypsrp.complex_objects import GenericComplexObject
from pypsrp.powershell import PowerShell

ADMIN = "admin@hq.example"
PIN: dict[str, Any] = {
    "Name": "pin nestle.com",
    "AddressSpaces": ["SMTP:nestle.com;1"],
    "DNSRoutingEnabled": False,
    "SmartHosts": ["192.0.2.10", "192.0.2.11"],
    "SourceTransportServers": ["ex16.hq.example"],
}
TYPE = "Microsoft.Exchange.Data.Directory.SystemConfiguration.SmtpSendConnectorConfig"


def _lab(delay: float = 0.0) -> OrganisationLab:
    servers = {"EX10": Family.E2010, "EX16": Family.E2016, "EXSE": Family.SE}
    return OrganisationLab.build(servers, users={ADMIN: "pw"}, replication_delay=delay)


@pytest.fixture
def lab() -> Iterator[OrganisationLab]:
    with _lab() as lab:
        yield lab


@pytest.fixture
def session(lab: OrganisationLab) -> Iterator[Session]:
    with lab.session("EX16", ADMIN) as session:
        yield session


def _shown(session: Session, **parameters: object) -> dict[str, Any]:
    (shown,) = session.run("Get-SendConnector", **parameters).objects
    return dict(shown)


def test_new_sendconnector_echoes_canonical_forms(session: Session) -> None:
    (made,) = session.run("New-SendConnector", **PIN).objects
    assert made == _shown(session) | {"OriginatingServer": made["OriginatingServer"]}
    assert made["AddressSpaces"] == ["SMTP:nestle.com;1"]
    assert made["SmartHosts"] == ["[192.0.2.10]", "[192.0.2.11]"]
    assert made["SmartHostsString"] == "[192.0.2.10],[192.0.2.11]"
    assert made["SourceTransportServers"] == ["EX16"]
    assert made["MaxMessageSize"] == "35 MB (36,700,160 bytes)"
    assert (made["DNSRoutingEnabled"], made["SmartHostAuthMechanism"]) == (False, "None")
    assert (made["Port"], made["Enabled"], made["Comment"]) == (25, True, "")


def test_a_published_trace_of_exchange_2016_shows_the_form_on_the_wire(session: Session) -> None:
    session.run("New-SendConnector", **PIN)
    (raw,) = PowerShell(session.pool).add_cmdlet("Get-SendConnector").invoke()
    assert raw.types[0] == TYPE
    assert raw.types[-1] == "System.Object"
    assert raw.to_string == "pin nestle.com"
    hosts = raw.adapted_properties["SmartHosts"]
    assert isinstance(hosts, GenericComplexObject)
    assert hosts.types[0].startswith("Microsoft.Exchange.Data.MultiValuedProperty`1[[")
    assert raw.adapted_properties["ExchangeVersion"] == "0.1 (8.0.535.0)"


@pytest.mark.parametrize(("server", "size"), [("EX10", "10 MB"), ("EXSE", "35 MB")])
def test_the_default_size_depends_on_the_version(
    lab: OrganisationLab, server: str, size: str
) -> None:
    with lab.session(server, ADMIN) as session:
        (made,) = session.run("New-SendConnector", Name="x", AddressSpaces="x.com").objects
    assert str(made["MaxMessageSize"]).startswith(size)
    assert made["SourceTransportServers"] == [server]
    assert ("CloudServicesMailEnabled" in made) is (server != "EX10")


def test_a_name_that_exists_is_an_error_and_changes_nothing(session: Session) -> None:
    session.run("New-SendConnector", **PIN)
    again = session.run("New-SendConnector", **{**PIN, "Name": "PIN NESTLE.COM", "Port": 26})
    assert not again.failed
    assert "[FailureCategory=Cmdlet-ADObjectAlreadyExistsException]" in again.error_ids[0]
    assert "already exists" in again.messages[0]
    assert _shown(session)["Port"] == 25


def test_exchange_2010_has_the_short_error_id(lab: OrganisationLab) -> None:
    with lab.session("EX10", ADMIN) as session:
        session.run("New-SendConnector", Name="x", AddressSpaces="x.com")
        (error_id,) = session.run("New-SendConnector", Name="x", AddressSpaces="x.com").error_ids
    code, _skipped, name = error_id.partition(",")
    assert len(code) == 8
    assert name.endswith(".NewSendConnector")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"DNSRoutingEnabled": True}, "DNSRoutingEnabled"),
        ({"SmartHosts": None}, "SmartHosts"),
        ({"SmartHostAuthMechanism": "BasicAuth"}, "AuthenticationCredential"),
        ({"TlsAuthLevel": "EncryptionOnly"}, "TlsAuthLevel"),
        ({"RequireTLS": True, "IgnoreSTARTTLS": True}, "IgnoreSTARTTLS"),
        ({"RequireTLS": True, "TlsAuthLevel": "DomainValidation"}, "TlsDomain"),
        ({"TlsDomain": "nestle.com"}, "TlsDomain"),
        ({"DomainSecureEnabled": True}, "DomainSecureEnabled"),
        ({"AddressSpaces": []}, "AddressSpaces"),
        ({"SourceTransportServers": []}, "SourceTransportServers"),
    ],
)
def test_new_sendconnector_refuses_settings_that_contradict_each_other(
    session: Session, change: dict[str, object], text: str
) -> None:
    answer = session.run("New-SendConnector", **{**PIN, **change})
    assert "[FailureCategory=Cmdlet-InvalidOperationException]" in answer.error_ids[0]
    assert text in answer.messages[0]
    assert session.run("Get-SendConnector").objects == []


def test_smart_hosts_need_dnsroutingenabled_false_on_the_same_line(session: Session) -> None:
    parameters = {name: value for name, value in PIN.items() if name != "DNSRoutingEnabled"}
    assert "DNSRoutingEnabled" in session.run("New-SendConnector", **parameters).messages[0]


def test_tls_by_domain_validation_needs_and_takes_a_domain(session: Session) -> None:
    tls = {"RequireTLS": True, "TlsAuthLevel": "domainvalidation", "TlsDomain": "nestle.com"}
    (made,) = session.run("New-SendConnector", **PIN, **tls).objects
    assert (made["RequireTLS"], made["TlsAuthLevel"], made["TlsDomain"]) == (
        True,
        "DomainValidation",
        "nestle.com",
    )


def test_an_unknown_source_server_is_not_found(session: Session) -> None:
    answer = session.run("New-SendConnector", **{**PIN, "SourceTransportServers": ["EX99"]})
    assert "object 'EX99' couldn't be found" in answer.messages[0]


def test_whatif_changes_nothing(session: Session) -> None:
    assert session.run("New-SendConnector", **PIN, WhatIf=True).objects == []
    assert session.run("Get-SendConnector").objects == []


def test_set_sendconnector_changes_what_is_given_and_keeps_the_rest(session: Session) -> None:
    session.run("New-SendConnector", **PIN, Comment="ours", Fqdn="mail.hq.example")
    answer = session.run(
        "Set-SendConnector",
        Identity="PIN nestle.com",
        SmartHosts=["192.0.2.12"],
        ProtocolLoggingLevel="verbose",
        MaxMessageSize="20MB",
    )
    assert (answer.objects, answer.error_ids, answer.warnings) == ([], [], [])
    shown = _shown(session)
    assert shown["SmartHosts"] == ["[192.0.2.12]"]
    assert shown["ProtocolLoggingLevel"] == "Verbose"
    assert shown["MaxMessageSize"] == "20 MB (20,971,520 bytes)"
    assert (shown["Comment"], shown["Fqdn"]) == ("ours", "mail.hq.example")


def test_set_sendconnector_with_nothing_new_only_warns(session: Session) -> None:
    session.run("New-SendConnector", **PIN)
    before = _shown(session)["WhenChangedUTC"]
    answer = session.run("Set-SendConnector", Identity=PIN["Name"], SmartHosts=PIN["SmartHosts"])
    assert answer.warnings == [
        "The command completed successfully but no settings of 'pin nestle.com' have been modified."
    ]
    assert _shown(session)["WhenChangedUTC"] == before


def test_set_sendconnector_adds_and_removes_members_of_a_list(session: Session) -> None:
    session.run("New-SendConnector", **PIN)
    edit = {"Add": ["192.0.2.12"], "Remove": ["192.0.2.10"]}
    session.run("Set-SendConnector", Identity=PIN["Name"], SmartHosts=edit)
    assert _shown(session)["SmartHosts"] == ["[192.0.2.11]", "[192.0.2.12]"]


def test_set_sendconnector_by_guid_renames_unless_the_name_is_taken(session: Session) -> None:
    (made,) = session.run("New-SendConnector", **PIN).objects
    session.run("New-SendConnector", Name="other", AddressSpaces="aol.com")
    guid = str(made["Guid"])
    taken = session.run("Set-SendConnector", Identity=guid, Name="other")
    assert "ADObjectAlreadyExistsException" in taken.error_ids[0]
    session.run("Set-SendConnector", Identity=guid, Name="pinned")
    assert _shown(session, Identity=made["Guid"])["Name"] == "pinned"


def test_remove_sendconnector_asks_unless_told_not_to(session: Session) -> None:
    session.run("New-SendConnector", **PIN)
    asked = session.run("Remove-SendConnector", Identity=PIN["Name"])
    assert asked.failed
    assert "A command that prompts the user failed" in asked.messages[0]
    assert len(session.run("Get-SendConnector").objects) == 1
    assert session.run("Remove-SendConnector", Identity=PIN["Name"], Confirm=False).error_ids == []
    assert session.run("Get-SendConnector").objects == []
    gone = session.run("Remove-SendConnector", Identity=PIN["Name"], Confirm=False)
    assert "ManagementObjectNotFoundException" in gone.error_ids[0]


def test_a_write_is_seen_at_its_domain_controller_first() -> None:
    dc1, dc2 = "dc1.hq.example", "dc2.hq.example"
    with _lab(delay=30.0) as lab, lab.session("EX16", ADMIN) as session:
        session.run("New-SendConnector", **PIN, DomainController=dc1)
        assert _shown(session, DomainController=dc1)["OriginatingServer"] == dc1
        assert session.run("Get-SendConnector", DomainController=dc2).objects == []
        lab.organisation.directory.settle()
        assert _shown(session, DomainController=dc2)["OriginatingServer"] == dc2


def test_an_unknown_domain_controller_is_an_error_not_an_empty_answer(session: Session) -> None:
    answer = session.run("Get-SendConnector", DomainController="dc9.hq.example")
    assert "[FailureCategory=Cmdlet-SuitabilityDirectoryException]" in answer.error_ids[0]


def test_two_writers_at_the_same_moment_make_one_connector(lab: OrganisationLab) -> None:
    ready, answers = threading.Barrier(2), []

    def write(server: str) -> None:
        with lab.session(server, ADMIN) as session:
            ready.wait()
            answers.append(
                session.run("New-SendConnector", **PIN, DomainController="dc1.hq.example")
            )

    threads = [threading.Thread(target=write, args=(name,)) for name in ("EX16", "EXSE")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(answer.objects) for answer in answers) == [0, 1]
    (refused,) = [error for answer in answers for error in answer.error_ids]
    assert "ADObjectAlreadyExistsException" in refused


def test_get_accepteddomain_shows_the_organisations_domains(session: Session) -> None:
    assert [d["DomainName"] for d in session.run("Get-AcceptedDomain").objects] == ["hq.example"]
