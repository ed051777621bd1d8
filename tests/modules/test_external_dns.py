# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""External DNS by transport_delivery: the second cure of KB972744, as a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._run import transaction
from exchange_lab.lab import Lab
from exchange_lab.org.faults import Fault, Kind
from transport_site import AOL, RESOLVER, SCENARIO, transport, until, waits
from transport_site import send as submit
from worker import Result, Worker

WANTED = {"external_dns": [RESOLVER], "external_dns_connectors": ["internet"]}
DEFAULT = ([], True)


@dataclass
class Site:
    """An administrator's folder, the lab, and a name server that answers AAAA as it should."""

    lab: Lab
    worker: Worker

    def task(self, host: str = "ex16", *, check: bool = False, **options: Any) -> Result:
        """Run the module at a host of the organisation."""
        task = {"name": "external DNS", **transport("transport_delivery", **options)}
        del task["postmaster.exchange.transport_delivery"]["family"]
        return self.worker.run(host, task, check=check, diff=True)

    def servers(self) -> dict[str, tuple[list[str], bool]]:
        """External DNS of each server."""
        assert self.lab.organisation is not None
        return {
            one.name: (
                list(one.settings.external_dns_servers),
                one.settings.external_dns_adapter_enabled,
            )
            for one in self.lab.organisation.organisation.servers
        }

    def connectors(self) -> dict[str, dict[str, Any]]:
        """All connectors by name."""
        assert self.lab.organisation is not None
        directory = self.lab.organisation.organisation.directory
        directory.settle()
        return {r.name: dict(r.attributes) for r in directory.read(directory.domain_controllers[0])}

    def uses(self) -> bool:
        """Whether the connector Internet uses external DNS."""
        return bool(self.connectors()["Internet"]["UseExternalDNSServersEnabled"])

    def admin(self, cmdlet: str, **parameters: Any) -> None:
        """Run a cmdlet as an administrator."""
        assert self.lab.organisation is not None
        options = {"auth": "ntlm", "encryption": "always"}
        user = self.lab.scenario.user
        with self.lab.organisation.session("ex16", user, **options) as session:
            assert session.run(cmdlet, **parameters).error_ids == []


@pytest.fixture
def site(tmp_path: Path, worker_of: Callable[[Lab], Worker]) -> Iterator[Site]:
    with Lab(SCENARIO, folder=tmp_path / "lab") as lab:
        yield Site(lab, worker_of(lab))


def test_the_task_cures_the_fault_and_finds_nothing_to_do_afterwards(site: Site) -> None:
    """The name server of nestle.com ignores AAAA (KB972744); that resolver does not."""
    submit(site.lab, "first@nestle.com")
    waits(site.lab, 1)
    audit = site.task(check=True, **WANTED)
    assert (site.servers()["ex16"], site.uses()) == (DEFAULT, False)
    done = site.task(**WANTED)
    assert audit["changed"] is done["changed"] is True
    assert audit["diff"] == done["diff"]
    assert audit["external_dns"] == done["external_dns"]
    assert done["diff"][-1]["after"] == "Internet\n  use external DNS yes\n"
    assert [block["before"] for block in done["diff"][:1]] == [
        "ex10\n  name servers none\n  DNS of the adapter yes\n"
    ]
    assert set(map(str, site.servers().values())) == {str(([RESOLVER], False))}
    until(lambda: site.lab.sinks.received)  # the waiting message, at its next retry
    for host in ("ex16", "ex10"):
        again = site.task(host, **WANTED)
        assert (again["changed"], again["diff"], again["backup"]) == (False, [], None)
        assert [one["before"] for one in again["external_dns"]["connectors"]] == [True]


def test_without_the_options_nothing_is_read_or_touched(site: Site) -> None:
    site.task(**WANTED)
    assert site.lab.organisation is not None
    counters = site.lab.organisation.organisation.counters
    counters.reset()
    result = site.task(routes=[{"domain": "aol.com", "addresses": [AOL]}])
    assert result["changed"] is True
    assert result["external_dns"] is None
    assert counters.cmdlets("Get-TransportService") == 0
    assert (site.servers()["ex16"], site.uses()) == (([RESOLVER], False), True)


def test_an_empty_list_is_the_default_of_exchange(site: Site) -> None:
    site.task(**WANTED)
    done = site.task("ex10", external_dns=[], external_dns_connectors=["Internet"])
    assert done["changed"] is True
    assert (set(map(str, site.servers().values())), site.uses()) == ({str(DEFAULT)}, False)
    # A server without external DNS would send nothing, so the connector comes first.
    assert [block["after_header"].split()[-1] for block in done["diff"]][-1] == "Internet"
    assert site.task(external_dns=[])["changed"] is False


def test_exchange_2010_is_changed_by_the_older_cmdlet(site: Site) -> None:
    assert site.lab.organisation is not None
    counters = site.lab.organisation.organisation.counters
    assert site.task("ex10", **WANTED)["changed"] is True
    assert counters.cmdlets("Set-TransportServer") == 3
    assert counters.cmdlets("Set-TransportService") == 0


def test_restored_puts_back_what_still_is_as_a_run_left_it(site: Site) -> None:
    site.admin("Set-TransportService", Identity="ex10", ExternalDNSServers=["192.0.2.53"])
    before = site.servers()
    first = site.task(**WANTED)["backup"]
    site.task(external_dns=["203.0.113.54"], external_dns_connectors=["Internet"])
    site.admin("Set-TransportService", Identity="exse", ExternalDNSServers=["192.0.2.99"])
    connectors = site.connectors()

    restored = site.task(state="restored", backup=first)
    assert restored["changed"] is True, restored
    exse = (["192.0.2.99"], False)
    assert (site.servers(), site.uses()) == ({**before, "exse": exse}, False)
    (warning,) = restored["warnings"]
    assert "The external DNS of exse was changed since, and stays as it is" in warning
    theirs = {**connectors["Internet"], "UseExternalDNSServersEnabled": False}
    assert site.connectors() == {"Internet": theirs}
    assert site.task(state="restored", backup=first)["changed"] is False


def test_an_older_backup_also_takes_back_what_later_runs_changed(site: Site) -> None:
    pinned = site.task(routes=[{"domain": "aol.com", "addresses": [AOL]}])
    site.task(**WANTED)
    restored = site.task(state="restored", backup=pinned["backup"])
    assert restored["changed"] is True
    assert (set(map(str, site.servers().values())), site.uses()) == ({str(DEFAULT)}, False)
    assert list(site.connectors()) == ["Internet"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.ERROR, "Set-SendConnector", times=transaction.ATTEMPTS),
        Fault(Kind.ERROR, "Set-TransportService", skip=1, times=transaction.ATTEMPTS),
        Fault(Kind.RESET_BEFORE, "Set-TransportService", skip=1),
        Fault(Kind.RESET_AFTER, "Set-TransportService", skip=1),
        Fault(Kind.RESET_AFTER, "Set-SendConnector"),
    ],
    ids=str,
)
def test_a_run_that_fails_on_the_way_takes_everything_back(site: Site, fault: Fault) -> None:
    assert site.lab.organisation is not None
    servers, connectors = site.servers(), site.connectors()
    site.lab.organisation.organisation.faults.order(fault)
    failed = site.task(**WANTED)
    assert failed["rolled_back"] is True, failed
    assert (failed["failed"], failed["state"]) == (True, "old")
    assert "The previous DNS settings were put back" in failed["msg"]
    assert (site.servers(), site.connectors()) == (servers, connectors)
    assert site.task(**WANTED)["changed"] is True


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"external_dns_connectors": ["Intranet"]}, "'Intranet' is not a Send connector"),
        ({"external_dns_connectors": ["pinned aol.com"]}, "is a pin, and Exchange does not use"),
        ({"external_dns": ["224.0.0.1"]}, "cannot be a name server: multicast"),
        ({"external_dns": None}, "external_dns_connectors needs external_dns"),
        ({"max_changes": "3"}, "4 changes to 4 connectors and servers exceed max_changes (3)"),
    ],
)
def test_what_is_refused_changes_nothing(site: Site, options: dict[str, Any], reason: str) -> None:
    if "pinned" in str(options):
        routes = [{"domain": "aol.com", "addresses": [AOL]}]
        site.task(routes=routes, name_template="pinned {domain}")
    servers, connectors = site.servers(), site.connectors()
    failed = site.task(**{**WANTED, **options})
    assert failed["failed"], failed
    assert reason in failed["msg"]
    assert (site.servers(), site.connectors()) == (servers, connectors)


def test_a_backup_is_listed_with_what_it_would_put_back(site: Site) -> None:
    site.task(**WANTED)
    task = transport("backup_info", family="transport")
    listed = site.worker.run("ex16", task)
    (backup,) = listed["backups"]
    assert backup["summary"] == "4 connectors and servers (Internet, ex10, ex16 and 1 more)"
