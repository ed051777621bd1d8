# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's cmdlets send beside what real servers sent.

The tests of the tier ``peers`` hold the lab's own tables against dumps and documents that lie
beside the project, in ``../shared/realdata``.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from exchange_lab.org import shell
from exchange_lab.org.accepted import INTERNAL_RELAY, AcceptedDomain
from exchange_lab.org.binding import COMMON
from exchange_lab.org.organisation import Organisation
from exchange_lab.org.versions import Family
from psrpcore import Command
from psrpcore.types._serializer import serialize
from real_forms import ACCEPTED_DOMAIN, EXCHANGE_SERVER, QUEUE_OF_2013, SEND_CONNECTOR, Form, Seen

_DATA = Path(__file__).resolve().parents[3] / "shared" / "realdata"
_LABELS = {family: "SE" if family is Family.SE else str(int(family)) for family in Family}
_FORMS = {
    "Get-SendConnector": SEND_CONNECTOR,
    "Get-ExchangeServer": EXCHANGE_SERVER,
    "Get-AcceptedDomain": ACCEPTED_DOMAIN,
}
_DUMPS = {
    "E19-GetSendConnector": SEND_CONNECTOR,
    "E19-GetSendConnector-RelayToM365": SEND_CONNECTOR,
    "E16-GetExchangeServer": EXCHANGE_SERVER,
    "E16-GetExchangeServer-two": EXCHANGE_SERVER,
    "E19-GetExchangeServer": EXCHANGE_SERVER,
    "E19-GetAcceptedDomain": ACCEPTED_DOMAIN,
    "E19-GetAcceptedDomain-Relay-star": ACCEPTED_DOMAIN,
}


def _data(*parts: str) -> Path:
    path = _DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the real data is not there ({path})")
    return path


def _organisation(family: Family) -> Organisation:
    organisation = Organisation.build({"EX1": family}, users={"admin": "pw"})
    organisation.accepted_domains.append(AcceptedDomain("*.contoso.local", INTERNAL_RELAY))
    return organisation


def _sent(organisation: Organisation, name: str, **parameters: object) -> list[ET.Element]:
    command = Command(name)
    command.parameters.extend(parameters.items())
    outcome = shell.Shell(organisation, organisation.servers[0], "admin").run(command)
    assert (outcome.failed, outcome.errors) == (None, [])
    return [serialize(item, None) for item in outcome.output]


def _differences(seen: Seen, form: Form) -> list[str]:
    lacking = form.names() - seen.kinds.keys()
    more = seen.kinds.keys() - form.names() - set(form.may_lack.split())
    wrong = [
        f"{name} is {kind}"
        for name, kind in seen.kinds.items()
        if name in form.names() and kind not in form.kind(name)
    ]
    types = [] if seen.types == form.types else [f"types {seen.types}"]
    nested = [f"{name} is nested" for name in seen.nested]
    return [
        *(f"lacks {n}" for n in lacking),
        *(f"more: {n}" for n in more),
        *wrong,
        *types,
        *nested,
    ]


@pytest.mark.parametrize("family", [Family.E2016, Family.E2019, Family.SE])
@pytest.mark.parametrize("cmdlet", _FORMS)
def test_objects_have_the_form_of_real_ones(family: Family, cmdlet: str) -> None:
    organisation = _organisation(family)
    space = {"Name": "pin", "AddressSpaces": ["SMTP:nestle.com;1"], "DNSRoutingEnabled": False}
    _sent(organisation, "New-SendConnector", SmartHosts=["192.0.2.10"], **space)
    sent = _sent(organisation, cmdlet)
    assert sent
    for element in sent:
        assert _differences(Seen.read(element), _FORMS[cmdlet]) == []


def _text(element: ET.Element, name: str) -> str:
    (found,) = [item for item in element.find("Props") or () if item.get("N") == name]
    return found.text or ""


def test_times_are_local_with_their_offset_in_whole_seconds() -> None:
    organisation = _organisation(Family.E2019)
    (server,) = _sent(organisation, "Get-ExchangeServer")
    assert _text(server, "WhenCreated").endswith("+01:00")
    assert _text(server, "WhenCreatedUTC").endswith("Z")
    assert "." not in _text(server, "WhenCreated")


def test_the_versions_of_objects_are_those_of_real_ones() -> None:
    organisation = _organisation(Family.E2019)
    _sent(organisation, "New-SendConnector", Name="x", AddressSpaces=["SMTP:*;1"])
    (connector,) = _sent(organisation, "Get-SendConnector")
    (server,) = _sent(organisation, "Get-ExchangeServer")
    domains = _sent(organisation, "Get-AcceptedDomain")
    assert {_text(item, "ExchangeVersion") for item in (connector, server)} == {"0.1 (8.0.535.0)"}
    assert {_text(item, "ExchangeVersion") for item in domains} == {"0.20 (15.0.0.0)"}
    assert [_text(item, "DomainType") for item in domains] == ["Authoritative", "InternalRelay"]


@pytest.mark.parametrize("spelling", ["SMTP:*;1", "smtp:*;1", "Smtp:Nestle.com;5"])
def test_address_spaces_keep_the_spelling_that_they_were_given(spelling: str) -> None:
    organisation = _organisation(Family.E2019)
    _sent(organisation, "New-SendConnector", Name="x", AddressSpaces=[spelling])
    (connector,) = _sent(organisation, "Get-SendConnector")
    assert f"<S>{spelling}</S>" in ET.tostring(connector, encoding="unicode")


# Parameters that some versions lack, as the cmdlet reference has them.
_LACKING = {
    ("New-SendConnector", Family.E2010): "CloudServicesMailEnabled ConnectorType "
    "FrontendProxyEnabled TlsCertificateName",
    ("New-SendConnector", Family.E2013): "ConnectorType IsCoexistenceConnector "
    "LinkedReceiveConnector",
    ("Set-SendConnector", Family.SE): "IsCoexistenceConnector LinkedReceiveConnector",
    ("Get-Queue", Family.E2010): "Exclude",
    ("Get-MessageTrackingLog", Family.E2013): "NetworkMessageId Source TransportTrafficType",
}


@pytest.mark.parametrize(("cmdlet", "family"), _LACKING)
def test_a_parameter_that_a_version_lacks_is_refused(cmdlet: str, family: Family) -> None:
    organisation = _organisation(family)
    for name in _LACKING[cmdlet, family].split():
        command = Command(cmdlet)
        command.parameters.append((name, "x"))
        outcome = shell.Shell(organisation, organisation.servers[0], "admin").run(command)
        assert outcome.failed is not None
        assert "A parameter cannot be found" in str(outcome.failed.Exception.Message)


# --- against the real data itself -----------------------------------------------------------------


@pytest.mark.peers
@pytest.mark.parametrize("dump", _DUMPS)
def test_the_tables_are_those_of_real_dumps(dump: str) -> None:
    path = _data("clixml-wire-depth1", f"{dump}.lines")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines
    for line in lines:
        assert _differences(Seen.read(ET.fromstring(line)), _DUMPS[dump]) == []


@pytest.mark.peers
def test_the_queue_has_the_fields_of_a_real_one() -> None:
    text = _data("cmdlets", "Get-Queue-2013.format-list.txt").read_text(encoding="utf-8")
    fields = tuple(line.partition(" :")[0].strip() for line in text.splitlines() if line)
    assert fields == QUEUE_OF_2013


@pytest.mark.peers
def test_an_edge_subscription_makes_the_documented_connectors() -> None:
    documented = json.loads(_data("cmdlets", "edge-subscription-connectors.json").read_text())
    organisation = Organisation.build(
        {"EX1": Family.E2019}, users={"admin": "pw"}, edges={"EDGE1": Family.E2019}
    )
    organisation.subscribe_edges()
    made = {
        record.name: record.attributes for record in organisation.directory.read("dc1.hq.example")
    }
    for connector in documented:
        name = connector.pop("Name")
        connector.pop("SmartHostsString")
        assert {key: made[name][key] for key in connector} == connector


def _parameters(cmdlet: str, family: Family) -> set[str]:
    parameters = shell.CMDLETS[cmdlet.casefold()].parameters
    return {p.name for p in parameters if p.families is None or family in p.families}


@pytest.mark.peers
@pytest.mark.parametrize("family", list(Family))
def test_cmdlets_have_the_documented_parameters_of_their_version(family: Family) -> None:
    documented = json.loads(_data("cmdlets", "parameters.json").read_text())
    label, common = _LABELS[family], {parameter.name for parameter in COMMON}
    # A bookmark is an object that no client of ours can make; -Domain is another parameter set.
    left_out = {"BookmarkObject", "Domain"}
    for cmdlet, facts in documented.items():
        known = shell.CMDLETS[cmdlet.casefold()]
        has = known.families is None or family in known.families
        assert has is (label in facts["applicable"]), cmdlet
        if not has:
            continue
        wanted = {
            name
            for name, fact in facts["parameters"].items()
            if label in fact["applicable"] and name not in left_out
        }
        assert _parameters(cmdlet, family) - common == wanted, cmdlet
