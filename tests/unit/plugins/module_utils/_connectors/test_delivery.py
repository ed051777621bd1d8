# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""transport_delivery's engine on the lab's organisation, over real PowerShell remoting."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    lock as lock_file,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.connector import (
    comment_for,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.organisation import (
    Reader,
    View,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import psrp
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.options import (
    endpoint_from_params,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import backups
from ansible_collections.postmaster.exchange.plugins.module_utils._run.transport_delivery import (
    ARGUMENT_SPEC,
    run,
)
from exchange_lab.org.faults import Fault, Kind
from exchange_lab.org.lab import OrganisationLab
from exchange_lab.org.versions import Family

ADMIN = "admin@hq.example"
GET, NEW, SET = "Get-SendConnector", "New-SendConnector", "Set-SendConnector"
NESTLE = {"domain": "nestle.com", "addresses": ["192.0.2.25"]}
AOL = {"domain": "aol.com", "addresses": ["192.0.2.9"]}
PIN = "postmaster.exchange nestle.com"


@dataclass
class Org:
    """The organisation, and runs of the module at its servers."""

    lab: OrganisationLab
    base: Path
    now: datetime = datetime(2026, 11, 23, 11, 45, tzinfo=UTC)
    said: list[str] = field(default_factory=list)

    def run(self, *, server: str = "EX16", check: bool = False, **params: Any) -> dict[str, Any]:
        checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate(params)
        assert not checked.error_messages
        options = {
            "host": "127.0.0.1",
            "port": self.lab.port(server),
            "user": ADMIN,
            "password": "pw",
            "auth": "basic",
            "scheme": "http",
            "message_encryption": "never",
        }
        session = psrp.connect(endpoint_from_params(options), host=server.lower())
        context = Context(
            server.lower(),
            cmdlets=lambda: session,
            check_mode=check,
            basedir=self.base,
            progress=self.said.append,
            now=lambda: self.now,
        )
        try:
            return run(checked.validated_parameters, context)
        finally:
            session.close()

    def make(self, name: str, **more: Any) -> None:
        with self.lab.session("EX16", ADMIN) as session:
            assert not session.run(NEW, Name=name, **more).messages
        self.lab.organisation.directory.settle()
        self.lab.organisation.counters.reset()

    def connectors(self, controller: str = "dc1.hq.example") -> dict[str, dict[str, Any]]:
        records = self.lab.organisation.directory.read(controller)
        return {record.name: dict(record.attributes) for record in records}

    def count(self, cmdlet: str) -> int:
        return self.lab.organisation.counters.cmdlets(cmdlet)

    def order(self, kind: Kind, cmdlet: str, **more: Any) -> None:
        self.lab.organisation.faults.order(Fault(kind, cmdlet, **more))


@pytest.fixture
def org(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Org]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    servers = {"EX10": Family.E2010, "EX16": Family.E2016}
    with OrganisationLab.build(servers, users={ADMIN: "pw"}) as lab:
        made = Org(lab, tmp_path)
        made.make("Internet", AddressSpaces="*", SourceTransportServers=["EX10", "EX16"])
        yield made


def test_one_cmdlet_where_nothing_is_to_do(org: Org) -> None:
    org.lab.organisation.directory.preferred = "dc1.hq.example"
    assert org.run(routes=[NESTLE])["changed"]
    org.lab.organisation.counters.reset()
    org.now += timedelta(hours=1)
    again = org.run(server="EX10", routes=[NESTLE])
    assert not again["changed"]
    assert (org.count(GET), again["requests"]) == (1, 4)
    assert again["connectors"]["before"] == again["connectors"]["after"]
    assert again["organisation"] == {"name": "First Organization", "forest": "hq.example"}


def test_all_goes_to_the_domain_controller_that_was_chosen(org: Org) -> None:
    org.lab.organisation.directory.replication_delay = 60
    done = org.run(routes=[NESTLE], domain_controller="dc2.hq.example")
    assert done["domain_controller"] == "dc2.hq.example"
    assert PIN in org.connectors("dc2.hq.example")
    assert PIN not in org.connectors("dc1.hq.example")


def test_a_backup_at_its_limit_is_restored_and_a_larger_one_refused_before_the_change(
    org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    org.run(routes=[NESTLE])
    before = org.connectors()
    done = org.run(routes=[NESTLE, AOL])
    size = (Path(done["backup"]) / "backup.json").stat().st_size
    org.run(state="restored", backup=done["backup"])
    monkeypatch.setattr(backups, "MOST_BYTES", size - 1)
    with pytest.raises(ExchangeError, match=r"exceeds .* Nothing was changed"):
        org.run(routes=[NESTLE, AOL])
    assert org.connectors() == before
    monkeypatch.setattr(backups, "MOST_BYTES", size)
    done = org.run(routes=[NESTLE, AOL])
    monkeypatch.setattr(backups, "MOST_BYTES", 2 * size)  # what is there now is saved as well
    assert org.run(state="restored", backup=done["backup"])["changed"]
    assert org.connectors() == before


def test_check_mode_takes_no_lock_and_writes_nothing(org: Org, tmp_path: Path) -> None:
    planned = org.run(check=True, routes=[NESTLE])
    assert planned["changed"]
    assert PIN not in org.connectors()
    assert not list((tmp_path / "cache").glob("**/*.lock"))
    assert not (tmp_path / "backups").exists()


def test_a_run_shows_the_change_of_an_organisation_once(org: Org) -> None:
    look: dict[str, Any] = {"check": True, "run_id": "run-1"}
    first = org.run(**look, routes=[NESTLE])
    second = org.run(**look, server="EX10", routes=[NESTLE])
    assert (first["changed"], "same_as" in first) == (True, False)
    assert (second["changed"], second["diff"], second["same_as"]) == (False, [], "ex16")
    assert second["steps"] == first["steps"]
    more = org.run(**look, server="EX10", routes=[NESTLE, AOL])
    assert more["changed"]
    assert more["diff"]


def test_a_host_that_may_not_change_leaves_it_to_another(org: Org, tmp_path: Path) -> None:
    left = org.run(routes=[NESTLE], may_change=False, max_changes="0", run_id="run-1")
    assert (left["changed"], left["deferred"], left["diff"]) == (False, True, [])
    assert [step["domain"] for step in left["steps"]] == ["nestle.com"]
    assert PIN not in org.connectors()
    assert not (tmp_path / "backups").exists()
    assert org.run(routes=[NESTLE], run_id="run-1", check=True)["changed"]  # still to be shown
    assert org.run(routes=[NESTLE])["changed"]
    assert not org.run(server="EX10", routes=[NESTLE], may_change=False)["deferred"]
    looked = org.run(routes=[AOL], may_change=False, check=True)
    assert (looked["changed"], "deferred" in looked) == (True, False)


def test_an_organisation_without_any_connector(org: Org) -> None:
    with org.lab.session("EX16", ADMIN) as session:
        session.run("Remove-SendConnector", Identity="Internet", Confirm=False)
    done = org.run(routes=[NESTLE], source_servers=["ex10"])
    assert done["changed"]
    assert org.connectors()[PIN]["SourceTransportServers"] == ["EX10"]


def test_what_administrators_set_beside_stays(org: Org) -> None:
    org.run(routes=[NESTLE])
    with org.lab.session("EX16", ADMIN) as session:
        session.run(SET, Identity=PIN, MaxMessageSize="50MB", ProtocolLoggingLevel="Verbose")
        session.run(SET, Identity=PIN, SmartHosts=["192.0.2.99"], Enabled=False)
    (step,) = org.run(routes=[NESTLE])["steps"]
    assert step["cmdlet"] == SET
    pin = org.connectors()[PIN]
    assert (pin["SmartHosts"], pin["Enabled"]) == (["[192.0.2.25]"], True)
    assert (pin["MaxMessageSize"][:5], pin["ProtocolLoggingLevel"]) == ("50 MB", "Verbose")


@pytest.mark.parametrize("wanted", [NESTLE, AOL], ids=["listed", "unlisted"])
def test_pins_that_were_made_twice_are_named_and_mended(
    org: Org, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]
) -> None:
    """Two domain controllers got the same pin; Active Directory renames one of them."""
    directory = org.lab.organisation.directory
    directory.replication_delay = 60
    for name in ("dc1.hq.example", "dc2.hq.example"):  # by controllers that share nothing
        monkeypatch.setenv("XDG_CACHE_HOME", str(org.base / name))
        org.run(routes=[NESTLE, AOL], domain_controller=name, backup_dir=f"of-{name}")
    directory.settle()
    assert sum("nestle" in name for name in org.connectors()) == 2
    directory.replication_delay = 0
    healed = org.run(routes=[wanted])
    assert [step["cmdlet"] for step in healed["steps"]] == ["Remove-SendConnector"] * 2
    assert sum("nestle.com\\nCNF:" in text for text in healed["warnings"]) == 1
    assert sorted(org.connectors()) == ["Internet", "postmaster.exchange aol.com", PIN]
    assert not org.run(routes=[wanted])["changed"]


def test_any_controller_asks_where_the_newest_backup_says_the_change_was_written(
    org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = org.lab.organisation.directory
    directory.replication_delay = 3600
    directory.preferred = "dc1.hq.example"
    backup = org.run(routes=[NESTLE])["backup"]
    directory.preferred = "dc2.hq.example"
    for number, later in enumerate((timedelta(0), timedelta(days=2), timedelta(seconds=-5))):
        monkeypatch.setenv("XDG_CACHE_HOME", str(org.base / f"job{number}"))
        org.now = datetime(2026, 11, 23, 11, 45, tzinfo=UTC) + later
        seen = org.run(server="EX10", routes=[NESTLE])
        assert (seen["changed"], seen["domain_controller"]) == (False, "dc1.hq.example")
    undone = org.run(state="restored", backup=backup)
    assert (undone["changed"], undone["domain_controller"]) == (True, "dc1.hq.example")
    assert PIN not in org.connectors()


def test_nothing_is_as_wanted_before_both_domain_controllers_say_so(org: Org) -> None:
    directory = org.lab.organisation.directory
    directory.replication_delay = 3600
    first, other = directory.domain_controllers[:2]
    backup = org.run(routes=[NESTLE], domain_controller=first)["backup"]
    late = {"domain_controller": other}
    for options in ({"state": "restored", "backup": backup}, {"routes": [NESTLE]}):
        with pytest.raises(ExchangeError, match=f"{other} does not show what was written to"):
            org.run(**options, **late)
    directory.settle()
    assert not org.run(routes=[NESTLE], **late)["changed"]


def test_two_hosts_at_the_same_moment_make_one_change(org: Org) -> None:
    org.lab.organisation.directory.replication_delay = 60
    org.order(Kind.DELAY, NEW, seconds=0.3)
    results: dict[str, dict[str, Any]] = {}

    def work(server: str) -> None:
        results[server] = org.run(server=server, routes=[NESTLE, AOL])

    threads = [threading.Thread(target=work, args=(server,)) for server in ("EX10", "EX16")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result["changed"] for result in results.values()) == [False, True]
    assert org.count(NEW) == 2


def test_a_remembered_domain_controller_that_is_down_is_named(org: Org) -> None:
    directory = org.lab.organisation.directory
    directory.preferred = "dc1.hq.example"
    org.run(routes=[NESTLE])
    directory.preferred = "dc2.hq.example"
    directory.down.add("dc1.hq.example")
    with pytest.raises(ExchangeError, match=r"set domain_controller to another"):
        org.run(routes=[AOL])
    assert org.run(routes=[AOL], domain_controller="dc2.hq.example")["changed"]
    directory.preferred, directory.down = "dc1.hq.example", {"dc2.hq.example"}
    org.now += timedelta(days=8)
    assert not org.run(routes=[AOL])["changed"]


def test_a_rival_connector_is_told(org: Org) -> None:
    org.run(routes=[NESTLE], cost=5)
    org.make("relay", AddressSpaces=["nestle.com;1", "b.example;1"])
    (warning,) = org.run(routes=[NESTLE], cost=5)["warnings"]
    assert "'relay'" in warning


def test_a_connector_with_a_password_is_never_adopted(org: Org) -> None:
    foreign = {"AddressSpaces": "nestle.com", "SmartHosts": ["10.0.0.1"]}
    org.make("relay", **foreign, DNSRoutingEnabled=False)
    directory = org.lab.organisation.directory
    (record,) = (r for r in directory.read("dc1.hq.example") if r.name == "relay")
    directory.modify("dc1.hq.example", record.guid, {"SmartHostAuthMechanism": "BasicAuth"})
    result = org.run(routes=[NESTLE, AOL], existing="adopt")
    (refused,) = result["refused"]
    assert (refused["domain"], refused["connector"]) == ("nestle.com", "relay")
    assert "with a password" in refused["reason"]
    assert len(org.connectors()) == 3  # the other domain has its pin


def test_no_backup_no_change(org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ExchangeError, match=r"No space left on device.*Nothing was changed"):
        org.run(routes=[NESTLE])
    assert org.count(NEW) == 0


def test_a_change_that_hangs_is_put_back(org: Org) -> None:
    org.run(routes=[NESTLE])
    before = org.connectors()
    org.order(Kind.DELAY, SET, seconds=5)
    moved = {"domain": "nestle.com", "addresses": ["192.0.2.77"]}
    with pytest.raises(ExchangeError) as caught:
        org.run(
            routes=[moved], require_tls=True, tls_auth_level="encryption_only", cmdlet_timeout=1
        )
    assert caught.value.details["state"] == "unknown"
    assert "may still take effect" in caught.value.message
    assert "backup" in caught.value.details
    org.lab.organisation.faults.clear()
    restored = org.run(state="restored", backup=str(caught.value.details["backup"]))
    assert org.connectors() == before, restored


def test_a_failure_puts_tls_settings_back_to_null(org: Org) -> None:
    org.run(routes=[AOL, NESTLE])
    before = org.connectors()
    org.order(Kind.ERROR, SET, skip=1, times=3 + 1)
    with pytest.raises(ExchangeError, match="were put back"):
        org.run(
            routes=[AOL, NESTLE],
            require_tls=True,
            tls_auth_level="domain_validation",
            tls_domain="mx.nestle.com",
        )
    assert org.connectors() == before


def test_removed_connectors_come_back_with_all_they_had(org: Org) -> None:
    org.run(routes=[NESTLE, AOL])
    with org.lab.session("EX16", ADMIN) as session:
        session.run(SET, Identity=PIN, MaxMessageSize="50MB", ForceHELO=True)
    before = org.connectors()
    removed = org.run(routes=[NESTLE, AOL], state="absent")
    assert sorted(org.connectors()) == ["Internet"]
    org.run(state="restored", backup=removed["backup"])
    assert org.connectors() == before


def test_the_mark_is_known_by_its_first_words(org: Org) -> None:
    """A comment that an administrator extended still marks a pin; a foreign comment does not."""
    org.run(routes=[NESTLE])
    with org.lab.session("EX16", ADMIN) as session:
        session.run(SET, Identity=PIN, Comment=comment_for("nestle.com") + " Ask Anna.")
        session.run(SET, Identity="Internet", Comment="see postmaster.exchange")
    removed, _added = org.run(routes=[AOL], state="exact")["steps"][::-1]
    assert removed["connector"] == PIN


def test_a_change_that_is_too_large_is_refused(org: Org) -> None:
    org.run(routes=[NESTLE])
    with pytest.raises(ExchangeError) as caught:
        org.run(routes=[AOL], state="exact", max_changes="1")
    assert caught.value.message == (
        "ex16: 2 changes to 1 connector exceed max_changes (1). Affected:"
        " aol.com, nestle.com. Nothing was changed."
    )
    assert caught.value.details["change_limit"]["refused"]  # type: ignore[index]
    assert sorted(org.connectors()) == ["Internet", PIN]
    looked = org.run(routes=[AOL], state="exact", max_changes="1", check=True)
    assert looked["would_refuse"]
    assert looked["warnings"][-1].endswith("A real run would refuse this.")
    done = org.run(routes=[AOL], state="exact", max_changes="1", force=True)
    assert done["warnings"][-1].endswith("Allowed by force: true.")
    assert (done["change_limit"]["exceeded"], done["would_refuse"]) == (True, False)
    assert sorted(org.connectors()) == ["Internet", "postmaster.exchange aol.com"]


def test_a_limit_counts_what_is_ours(org: Org) -> None:
    org.run(routes=[NESTLE])
    org.make("Partner", AddressSpaces="partner.example")
    found = org.run(routes=[NESTLE, AOL], max_changes="50%", check=True)
    assert (found["change_limit"]["changes"], found["change_limit"]["of"]) == (1, 2)
    assert not found["would_refuse"]


def test_a_change_that_grew_while_others_changed_is_refused_too(
    org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is held against what is there when the change is made, not when it was planned."""
    org.run(routes=[NESTLE, AOL])
    again = Reader.view
    looks = []

    def view(reader: Reader, controller: str) -> View:
        looks.append(controller)
        if len(looks) == 2:
            with org.lab.session("EX16", ADMIN) as session:
                session.run("Remove-SendConnector", Identity=PIN, Confirm=False)
            org.lab.organisation.directory.settle()
        return again(reader, controller)

    monkeypatch.setattr(Reader, "view", view)
    moved = {**AOL, "addresses": ["192.0.2.10"]}
    with pytest.raises(
        ExchangeError, match=r"2 changes to 2 connectors exceed.*Nothing was changed"
    ):
        org.run(routes=[NESTLE, moved], max_changes="1")
    assert len(looks) == 2


def test_the_run_is_written_into_the_backup(org: Org) -> None:
    done = org.run(routes=[NESTLE], run_id="change-4711")
    assert done["run_id"] == "change-4711"
    assert json.loads((Path(done["backup"]) / "backup.json").read_text())["run"] == "change-4711"


# -- runs that broke off


class PowerCut(BaseException):
    """The controller dies in the middle of a run."""


def cut_off(org: Org, monkeypatch: pytest.MonkeyPatch, **params: Any) -> None:
    """Let a run die before its second change."""
    made: list[str] = []
    invoke = psrp.PsrpSession.invoke

    def dying(self: Any, cmdlet: Any, **options: Any) -> Any:
        made.append(cmdlet.name)
        if made.count(NEW) == 2:
            raise PowerCut
        return invoke(self, cmdlet, **options)

    with monkeypatch.context() as patch:
        patch.setattr(psrp.PsrpSession, "invoke", dying)
        with pytest.raises(PowerCut):
            org.run(**params)


def test_a_broken_run_is_told_of_and_the_newest_backup_is_from_before_it(
    org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = org.connectors()
    cut_off(org, monkeypatch, routes=[NESTLE, AOL])
    assert len(org.connectors()) == len(before) + 1
    org.now += timedelta(minutes=1)
    assert "broke off" in org.run(check=True, routes=[NESTLE, AOL])["warnings"][0]
    done = org.run(routes=[NESTLE, AOL])
    assert "broke off" in done["warnings"][0]
    assert org.run(routes=[NESTLE, AOL])["warnings"] == []
    org.now += timedelta(minutes=1)
    assert org.run(state="restored", backup="backups")["changed"]
    assert org.connectors() == before


def test_a_later_change_does_not_go_back_to_before_a_broken_run(
    org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that finds everything up to date settles the interrupted one."""
    cut_off(org, monkeypatch, routes=[NESTLE, AOL])
    org.now += timedelta(minutes=1)
    assert not org.run(routes=[NESTLE])["changed"]
    settled = org.connectors()
    org.now += timedelta(minutes=1)
    org.run(routes=[AOL])
    org.now += timedelta(minutes=1)
    org.run(state="restored", backup="backups")
    assert org.connectors() == settled


def test_a_backup_of_a_run_that_was_undone_is_put_aside(org: Org) -> None:
    org.run(routes=[NESTLE])
    org.now += timedelta(minutes=1)
    org.order(Kind.RESET_AFTER, NEW)
    with pytest.raises(ExchangeError) as caught:
        org.run(routes=[AOL])
    assert caught.value.details["parts"] == {"aol.com": "old"}
    assert str(caught.value.details["backup"]).endswith("-undone")
    org.now += timedelta(minutes=1)
    assert org.run(state="restored", backup="backups")["changed"]
    assert PIN not in org.connectors()


def test_a_lock_that_cannot_be_had_is_said_to_have_changed_nothing(
    org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any, **_options: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lock_file, "replace", full)
    with pytest.raises(ExchangeError, match="No space left on device") as caught:
        org.run(routes=[NESTLE])
    assert "Nothing was changed." in caught.value.message
    assert not list(org.base.glob("backups/**/*"))
    (lock,) = org.base.glob("cache/*/*.lock")
    lock.unlink()
    lock.mkdir()
    with pytest.raises(ExchangeError, match="Nothing was changed"):
        org.run(routes=[NESTLE])
    assert PIN not in org.connectors()


def test_many_missing_domains_at_once_are_removed_by_force_only(org: Org) -> None:
    names = [f"d{number}.example" for number in range(4)]
    org.run(routes=[{**NESTLE, "domain": name} for name in names])
    before = org.connectors()
    gone = [{"domain": name, "status": "no_such_domain"} for name in (*names, "typo.example")]
    remove = {"missing_domain": "remove"}
    seen = org.run(check=True, routes=gone, **remove)
    assert (seen["would_refuse"], seen["removed_domains"]) == (True, names)
    assert seen["unpinned"] == ["typo.example"]
    with pytest.raises(ExchangeError, match=r"4 removals .* max_removed_domains \(3\)") as caught:
        org.run(routes=gone, **remove)
    assert "Nothing was changed" in str(caught.value)
    assert org.connectors() == before
    assert org.run(routes=gone[1:], **remove)["removed_domains"] == names[1:]
    org.run(routes=[{**NESTLE, "domain": name} for name in names])
    assert org.run(routes=gone, **remove, force=True)["changed"]
    assert org.connectors().keys() == {"Internet"}
