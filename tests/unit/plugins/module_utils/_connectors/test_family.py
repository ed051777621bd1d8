# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transaction on an organisation, broken at every cmdlet in turn, and with a second writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    SessionLost,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    plan as planning,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.connector import (
    Settings,
    comment_for,
    connector_from,
    run_mark,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.family import (
    SendConnectors,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.lock import (
    OrganisationLock,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.organisation import (
    Reader,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import (
    Cmdlet,
    CmdletError,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import transaction
from ansible_collections.postmaster.exchange.plugins.module_utils._run.change_limit import (
    ChangeLimit,
)

EXCHANGE = "CN=Microsoft Exchange,CN=Services,CN=Configuration"


def entry(name: str, domain: str, hosts: list[str], comment: str | None = None) -> dict[str, Any]:
    return {
        "Guid": f"guid-{name}",
        "DistinguishedName": f"CN={name},CN=HQ,{EXCHANGE},DC=hq,DC=example",
        "Name": name,
        "AddressSpaces": [f"smtp:{domain};1"],
        "SmartHosts": hosts,
        "DNSRoutingEnabled": not hosts,
        "SmartHostAuthMechanism": "None",
        "Enabled": True,
        "Comment": comment_for(domain) if comment is None else comment,
        "Port": 25,
        "SourceTransportServers": ["EX1"],
        "ProtocolLoggingLevel": "None",
    }


@dataclass
class Directory:
    """Connectors in memory, that refuse what Exchange would refuse."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: Callable[[int, Cmdlet], None] = lambda _n, _c: None
    after: Callable[[int, Cmdlet], None] = lambda _n, _c: None
    count: int = 0
    asked: list[Cmdlet] = field(default_factory=list)
    host: str = "ex1"
    requests: int = 0

    def invoke(self, cmdlet: Cmdlet, *, timeout: float = 120.0) -> Sequence[Mapping[str, Any]]:
        self.count += 1
        self.asked.append(cmdlet)
        number = self.count
        self.before(number, cmdlet)
        result = self._do(cmdlet)
        self.after(number, cmdlet)
        return result

    def _do(self, cmdlet: Cmdlet) -> Sequence[Mapping[str, Any]]:
        if cmdlet.name == "Get-AcceptedDomain":
            return [{"DomainName": "hq.example", "DomainType": "Authoritative"}]
        if cmdlet.name == "Get-ExchangeServer":
            version = "Version 15.2 (Build 1748.10)"
            return [{"Name": "EX1", "ServerRole": "Mailbox", "AdminDisplayVersion": version}]
        assert cmdlet.parameters["DomainController"] == "dc1"
        values = {k: v for k, v in cmdlet.parameters.items() if k != "DomainController"}
        match cmdlet.name:
            case "Get-SendConnector":
                return [dict(item) for item in self.entries.values()]
            case "New-SendConnector":
                if any(item["Name"] == values["Name"] for item in self.entries.values()):
                    raise CmdletError("already exists", cmdlet=cmdlet.name)
                new = {**entry(values["Name"], "x", [], ""), **values}
                self.entries[new["Guid"]] = new
            case "Set-SendConnector":
                identity = values.pop("Identity")
                if identity not in self.entries:
                    raise CmdletError("could not be found", cmdlet=cmdlet.name)
                self.entries[identity].update(values)
            case "Remove-SendConnector":
                if self.entries.pop(values["Identity"], None) is None:
                    raise CmdletError("could not be found", cmdlet=cmdlet.name)
        return []

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        pass


DESIRED = planning.Desired(
    pins=(
        Settings("nestle.com", ("[192.0.2.25]", "[192.0.2.26]")),
        Settings("aol.com", ("[198.51.100.12]",)),
    ),
    removed=frozenset({"gone.example"}),
)


def directory() -> Directory:
    items = [
        entry("aol", "aol.com", ["[198.51.100.9]"]),
        entry("gone", "gone.example", ["[198.51.100.1]"]),
        entry("Internet", "*", [], "default route"),
        entry("partner", "partner.corp", ["[10.1.2.3]"], "not ours"),
    ]
    return Directory({item["Guid"]: item for item in items})


def settings(there: Directory) -> dict[str, Any]:
    """Return what matters of every connector: all but its identity."""
    connectors = [connector_from(item, "ex1") for item in there.entries.values()]
    return {c.name: planning.present_parameters(c) for c in connectors}


@pytest.fixture(autouse=True)
def swift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _handle: None)
    monkeypatch.setattr(transaction, "sleep", lambda _seconds: None)


def enforce(there: Directory, wanted: planning.Desired = DESIRED) -> int:
    """Run the transaction as the module does; return the number of steps planned."""
    context = Context("ex1")
    lock = OrganisationLock(None, context.now)
    family = SendConnectors(Reader(there, sleep=lambda _seconds: None), lock, "dc1")
    policy = transaction.Policy(ChangeLimit(), context.basedir / "backups")
    return len(transaction.change(family, wanted, policy, context).plan.changes)


def test_enforce_then_nothing_to_do() -> None:
    there = directory()
    assert enforce(there) == 3
    assert there.entries["guid-aol"]["SmartHosts"] == ["[198.51.100.12]"]
    assert "guid-gone" not in there.entries
    assert there.entries["guid-partner"] == directory().entries["guid-partner"]
    assert enforce(there) == 0


@pytest.mark.parametrize("kind", ["before", "after"])
@pytest.mark.parametrize("loss", [SessionLost("reset"), CmdletError("no", cmdlet="x")])
@pytest.mark.parametrize("number", range(2, 9))
def test_broken_at_every_cmdlet(number: int, kind: str, loss: ExchangeError) -> None:
    there = directory()
    old = settings(there)

    def break_once(count: int, _cmdlet: Cmdlet) -> None:
        if count == number:
            raise type(loss)("broken") if isinstance(loss, SessionLost) else loss

    setattr(there, kind, break_once)
    try:
        enforce(there)
        ended = "new"
    except ExchangeError as error:
        ended = str(error.details.get("state", "old"))  # before the first change
    assert ended in {"old", "new"}
    if ended == "old":
        assert settings(there) == old
    setattr(there, kind, lambda _n, _c: None)
    enforce(there)
    assert enforce(there) == 0
    assert "partner" in settings(there)


def test_a_lasting_refusal_rolls_back() -> None:
    there = directory()
    old = settings(there)

    def refuse(_count: int, cmdlet: Cmdlet) -> None:
        if cmdlet.name == "Set-SendConnector" and "SmartHosts" in cmdlet.parameters:
            raise CmdletError("access denied", cmdlet=cmdlet.name)

    there.before = refuse
    with pytest.raises(ExchangeError, match="put back") as caught:
        enforce(there)
    assert caught.value.details["rolled_back"] is True
    assert settings(there) == old


def test_an_undo_leaves_what_an_administrator_set_meanwhile() -> None:
    there = directory()

    def meddle(_count: int, cmdlet: Cmdlet) -> None:
        if cmdlet.parameters.get("Identity") == "guid-gone":
            there.entries["guid-aol"].update(RequireTLS=True, TlsAuthLevel="EncryptionOnly")
            raise CmdletError("access denied", cmdlet=cmdlet.name)

    there.before = meddle
    with pytest.raises(ExchangeError, match="put back") as caught:
        enforce(there)
    assert caught.value.details["state"] == "old"
    aol = there.entries["guid-aol"]
    assert (aol["SmartHosts"], aol["RequireTLS"]) == (["[198.51.100.9]"], True)
    assert aol["TlsAuthLevel"] == "EncryptionOnly"
    undone = [cmdlet for cmdlet in there.asked if cmdlet.name == "Set-SendConnector"][-1]
    assert set(undone.parameters) == {"Identity", "SmartHosts", "DomainController"}


def test_an_undo_leaves_a_pin_that_another_run_made_meanwhile() -> None:
    """Ours was never made: its command was lost, and another run made the same one."""
    there = directory()
    theirs = entry("postmaster.exchange nestle.com", "nestle.com", ["[192.0.2.25]"])
    theirs["Comment"] = comment_for("nestle.com", run_mark("theirs"))

    def lose(_count: int, cmdlet: Cmdlet) -> None:
        if cmdlet.name == planning.NEW:
            there.entries[theirs["Guid"]] = theirs
            raise SessionLost("reset")

    there.before = lose
    with pytest.raises(ExchangeError, match="put back") as caught:
        enforce(there)
    assert caught.value.details["state"] == "old"
    assert there.entries[theirs["Guid"]] == theirs


def test_an_undo_leaves_and_reports_its_own_pin_where_it_was_changed_since() -> None:
    there = directory()

    def meddle(_count: int, cmdlet: Cmdlet) -> None:
        if cmdlet.parameters.get("Identity") == "guid-gone":
            (made,) = (x for x in there.entries.values() if "nestle" in str(x["AddressSpaces"]))
            made["SmartHosts"] = ["[10.1.2.9]"]
            raise CmdletError("access denied", cmdlet=cmdlet.name)

    there.before = meddle
    with pytest.raises(ExchangeError, match="changes by another writer were kept") as caught:
        enforce(there)
    assert caught.value.details["parts"]["nestle.com"] == "unknown"
    (left,) = (x for x in there.entries.values() if "nestle" in str(x["AddressSpaces"]))
    assert left["SmartHosts"] == ["[10.1.2.9]"]
    assert there.entries["guid-aol"]["SmartHosts"] == ["[198.51.100.9]"]  # its own step is


@pytest.mark.parametrize("pins", [3, 12])
def test_an_undo_reads_all_connectors_as_often_for_many_pins_as_for_few(pins: int) -> None:
    there = Directory({"guid-Internet": entry("Internet", "*", [], "default route")})
    wanted = planning.Desired(
        tuple(Settings(f"d{number}.example", ("[192.0.2.1]",)) for number in range(pins))
    )

    def refuse_last(_count: int, cmdlet: Cmdlet) -> None:
        if cmdlet.parameters.get("Name", "").endswith(f" d{pins - 1}.example"):
            raise CmdletError("access denied", cmdlet=cmdlet.name)

    there.before = refuse_last
    with pytest.raises(ExchangeError, match="put back"):
        enforce(there, wanted)
    assert list(there.entries) == ["guid-Internet"]
    reads = [cmdlet for cmdlet in there.asked if cmdlet.name == "Get-SendConnector"]
    assert len(reads) == 6


def test_two_writers_at_the_same_moment_end_right() -> None:
    """The other writer does each step just before ours."""
    there = directory()
    other = Directory(there.entries)

    def race(_count: int, cmdlet: Cmdlet) -> None:
        if not cmdlet.name.startswith("Get-"):
            enforce(other)

    there.before = race
    enforce(there)
    there.before = lambda _n, _c: None
    assert enforce(there) == 0
    names = [item["Name"] for item in there.entries.values()]
    assert len(names) == len(set(names))
    pinned = [item for item in there.entries.values() if "nestle" in str(item["AddressSpaces"])]
    assert len(pinned) == 1
