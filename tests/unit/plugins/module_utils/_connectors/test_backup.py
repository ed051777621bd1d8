# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of connectors: written down, read back with distrust, and made so again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.connector import (
    NO_RUN,
    Connector,
    comment_for,
    connector_from,
    run_mark,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.family import (
    Saved,
    SendConnectors,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.lock import (
    OrganisationLock,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.organisation import (
    Organisation,
    Reader,
    View,
    organisation_in,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.plan import (
    new_parameters,
    restore_plan,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import backups, transaction
from transport_fakes import FakeCmdlets

ORGANISATION = Organisation("First Organization", "hq.example")
_EXCHANGE = "CN=Microsoft Exchange,CN=Services,CN=Configuration"
NOW = datetime(2026, 11, 23, 11, 45, tzinfo=UTC)


def connector(name: str, domain: str, host: str = "192.0.2.1", **more: Any) -> Connector:
    return connector_from(
        {
            "Guid": f"guid-{name}",
            "Name": name,
            "AddressSpaces": [f"smtp:{domain};1"],
            "SmartHosts": [f"[{host}]"],
            "DNSRoutingEnabled": False,
            "SmartHostAuthMechanism": "None",
            "Enabled": True,
            "Comment": comment_for(domain),
            "SourceTransportServers": ["EX1"],
            "AuthenticationCredential": {"UserName": "relay", "Password": None},
            "MaxMessageSize": "35 MB (36,700,160 bytes)",
            "Fqdn": None,
            **more,
        },
        "ex1",
    )


def save(base: Path, *connectors: Connector, restores: Path | None = None) -> Path:
    folder = backups.make_folder(base, "org", NOW)
    view = View(ORGANISATION, "dc1", connectors)
    snapshot = family().snapshot(view, restore_plan(connectors, connectors), folder.stamp)
    history = backups.Origin(owner="org", host="ex1", restores=restores).facts(NOW)
    backups.write(folder, "ex1", {**snapshot.facts, **history}, {})
    return folder.path


def family() -> SendConnectors:
    return SendConnectors(Reader(FakeCmdlets({})), OrganisationLock(None, lambda: NOW))


def load(folder: Path, organisation: Organisation, host: str) -> Saved:
    return transaction.load(family(), folder, View(organisation, "dc1", ()), host)


def test_what_is_saved_is_read_back_without_credentials_and_property_bags(tmp_path: Path) -> None:
    bag = {"SerializationData": "AAEAAAD/////" * 2500}  # in an answer of full serialization
    there = [connector("a", "a.example", **bag), connector("b", "b.example")]
    folder = save(tmp_path, *there)
    assert load(folder, ORGANISATION, "ex1") == Saved(tuple(there), made_since=frozenset({NO_RUN}))
    saved = (folder / "backup.json").read_text()
    assert "relay" not in saved
    assert "SerializationData" not in saved


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"kind": "imc"},
        {"organisation": "Other"},
        {"forest": "evil.example"},
        {"connectors": "none"},
        {"connectors": [5]},
        {"connectors": [{"Name": "x"}]},
    ],
)
def test_a_backup_of_something_else_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    file = save(tmp_path, connector("a", "a.example")) / "backup.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ExchangeError, match="cannot be used"):
        load(file.parent, ORGANISATION, "ex1")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_broken_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = save(tmp_path)
    (folder / "backup.json").write_bytes(content)
    with pytest.raises(ExchangeError, match="cannot be used"):
        load(folder, ORGANISATION, "ex1")


def test_the_newest_backup_is_not_one_of_a_restore(tmp_path: Path) -> None:
    wanted = save(tmp_path, connector("a", "a.example"))
    save(tmp_path, restores=wanted)
    assert backups.find(tmp_path, "org") == wanted


def test_restore_makes_mends_and_removes() -> None:
    changed, gone, ours_now = (
        connector("changed", "a.example"),
        connector("gone", "b.example", Fqdn="mail.hq.example", TlsDomain=""),
        connector("new", "c.example"),
    )
    foreign = connector("partner", "p.example", Comment="theirs")
    now = [
        connector("changed", "a.example", "192.0.2.9", TlsAuthLevel="EncryptionOnly"),
        ours_now,
        foreign,
    ]
    made, mended, removed = restore_plan(now, [changed, gone]).changes
    assert made.cmdlet == "New-SendConnector"
    assert made.parameters["Fqdn"] == "mail.hq.example"
    assert "TlsDomain" not in made.parameters
    assert mended.parameters == {
        "Identity": "guid-changed",
        "SmartHosts": ["[192.0.2.1]"],
        "TlsAuthLevel": None,
    }
    assert (removed.cmdlet, removed.present) == ("Remove-SendConnector", ours_now)


def test_restore_knows_a_connector_again_by_its_name() -> None:
    old = connector("pin", "a.example")
    now = connector("pin", "a.example", "192.0.2.9", Guid="made anew")
    (step,) = restore_plan([now], [old]).changes
    assert step.parameters == {"Identity": "made anew", "SmartHosts": ["[192.0.2.1]"]}
    taken = connector("pin", "x.example", Guid="theirs", Comment="theirs")
    plan = restore_plan([taken], [old])
    assert plan.changes == ()
    assert plan.refusals[0].name == "pin"


def test_a_connector_made_anew_is_as_it_was() -> None:
    parameters = new_parameters(connector("a", "a.example"))
    assert parameters["MaxMessageSize"] == "35 MB (36,700,160 bytes)"
    assert "Fqdn" not in parameters
    assert "AuthenticationCredential" not in parameters


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            f"CN=pin,CN=Connections,CN=First Organization,{_EXCHANGE},DC=HQ,DC=example",
            ORGANISATION,
        ),
        (
            rf"CN=x,CN=A\, B,{_EXCHANGE},DC=hq",
            Organisation("A, B", "hq"),
        ),
        ("CN=x,DC=hq", None),
        ("", None),
    ],
)
def test_the_organisation_stands_in_every_name(name: str, expected: Organisation | None) -> None:
    assert organisation_in(name) == expected


@pytest.mark.parametrize("port", [[25], {"a": 1}, float("inf"), "25x"])
def test_a_number_that_is_none_makes_a_backup_unusable(tmp_path: Path, port: object) -> None:
    folder = save(tmp_path, connector("a", "nestle.com"))
    content = json.loads((folder / backups.FACTS_FILE).read_text())
    content["connectors"][0]["Port"] = port
    (folder / backups.FACTS_FILE).write_text(json.dumps(content))
    with pytest.raises(ExchangeError, match="cannot be used"):
        load(folder, ORGANISATION, "ex1")


@pytest.mark.parametrize("value", [{"a": 1}, [["x"]], 1.5, [{"b": None}]])
def test_a_setting_that_no_cmdlet_takes_makes_a_backup_unusable(
    tmp_path: Path, value: object
) -> None:
    folder = save(tmp_path, connector("a", "nestle.com"))
    content = json.loads((folder / backups.FACTS_FILE).read_text())
    content["connectors"][0]["ErrorPolicies"] = value
    (folder / backups.FACTS_FILE).write_text(json.dumps(content))
    with pytest.raises(
        ExchangeError, match="ErrorPolicies has a type that no connector's setting has"
    ):
        load(folder, ORGANISATION, "ex1")


RUN, OTHER = run_mark("change-1"), run_mark("change-2")


def test_restore_removes_pins_of_known_runs_only_and_names_the_others() -> None:
    mine = connector("mine", "a.example", Comment=comment_for("a.example", RUN))
    theirs = connector("theirs", "b.example", Comment=comment_for("b.example", OTHER))
    typed = connector(
        "typed",
        "c.example",
        Comment="postmaster.exchange: delivers c.example to its"
        " MX addresses. Managed by Ansible; see Q169781. Ticket 4711",
    )
    plan = restore_plan([mine, theirs, typed], [], made_since={RUN})
    assert [step.present for step in plan.changes] == [mine]
    (warning,) = plan.warnings
    assert "b.example: the connector 'theirs' stays, since no backup here is of the run" in warning


def test_restore_leaves_a_pin_that_somebody_changed() -> None:
    old = connector("pin", "a.example")
    wider = connector("pin", "a.example", AddressSpaces=["smtp:a.example;1", "smtp:b.example;1"])
    for saved in ([old], []):
        plan = restore_plan([wider], saved, made_since={NO_RUN})
        assert plan.changes == ()
        (left,) = plan.refused
        assert (left.domain, left.name) == ("a.example", "pin")
        assert "serves SMTP:a.example;1, SMTP:b.example;1 now, and stays as it is" in left.reason


def test_a_backup_knows_the_runs_since_it_was_taken(tmp_path: Path) -> None:
    first, second = save(tmp_path), save(tmp_path)
    file = second / "backup.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "made_by": OTHER}))
    assert load(first, ORGANISATION, "ex1").made_since == {NO_RUN, OTHER}
    assert load(second, ORGANISATION, "ex1").made_since == {OTHER}
