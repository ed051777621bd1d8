# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interruptions of transport_delivery: the changes, the organisation, and the judge."""

from __future__ import annotations

import copy
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
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
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import backups, transaction
from exchange_lab.org.lab import OrganisationLab
from exchange_lab.org.versions import Family
from fault_cases import (
    CONTROLLER_DISK,
    EXECUTED,
    HANG,
    HANG_AFTER,
    KILLED,
    Case,
    Finding,
    Measured,
    Notes,
    claim_of,
    hit,
)
from fault_engine import Job, Outcome, Stable
from transport_fakes import FakeCmdlets

#: The request of the second change: after opening (2), two looks and the first change (3 each).
_IN_THE_MIDDLE = 12
ADMIN, PASSWORD = "admin@hq.example", "only for the lab"
LABEL = "First Organization hq.example"
NESTLE = {"domain": "nestle.com", "addresses": ["192.0.2.25", "192.0.2.26"]}
OLD_NESTLE = {"domain": "nestle.com", "addresses": ["192.0.2.9"]}
AOL = {"domain": "aol.com", "addresses": ["198.51.100.9"]}
OLD_AOL = {"domain": "aol.com", "addresses": ["198.51.100.1"]}
SURPLUS = {"domain": "surplus.example", "addresses": ["203.0.113.7"]}
#: What belongs to somebody else: name and parameters.
FOREIGN = (
    ("Internet", {"AddressSpaces": ["*"], "DNSRoutingEnabled": True}),
    (
        "Partners",
        {
            "AddressSpaces": ["p1.example", "p2.example"],
            "DNSRoutingEnabled": False,
            "SmartHosts": ["relay.example"],
        },
    ),
)
ADOPTED = (
    "Their Nestle",
    {"AddressSpaces": ["nestle.com"], "DNSRoutingEnabled": False, "SmartHosts": ["[192.0.2.1]"]},
)

#: A connector of somebody else that uses external DNS where a task lists it.
SERVERS = ("EX16", "EX10")
OUTBOUND = (
    "Outbound",
    {
        "AddressSpaces": ["*.out.example"],
        "DNSRoutingEnabled": True,
        "SourceTransportServers": list(SERVERS),
    },
)

#: All connectors, and what the Transport services of ``SERVERS`` ask for names, by name.
Connectors = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Change:
    """A kind of change: pins and connectors before it, the task, and what has to happen first.

    ``partner`` is a task that another host of the play carries out at the same moment.
    """

    name: str
    options: Mapping[str, Any]
    pins: tuple[Mapping[str, Any], ...] = ()
    theirs: tuple[Any, ...] = FOREIGN
    first: Callable[[Site], None] = lambda _site: None
    partner: bool = False


EXTERNAL_DNS = {
    "routes": [NESTLE],
    "external_dns": ["203.0.113.53"],
    "external_dns_connectors": ["Outbound"],
}
SEVERAL = {"routes": [NESTLE, AOL], "state": "exact"}


def _enforce_first(site: Site) -> None:
    assert site.run(SEVERAL).kind == "done"


def _external_dns_first(site: Site) -> None:
    assert site.run(EXTERNAL_DNS).kind == "done"


def _broken_first(site: Site) -> None:
    """A run that was killed in the middle of its changes."""
    for request in range(_IN_THE_MIDDLE, 2 * _IN_THE_MIDDLE):  # how many come before may change
        assert site.run(SEVERAL, dies_at=request).kind == "killed"
        if site.look() != site.look_before:
            return
    raise AssertionError("no request is in the middle of the changes")


CHANGES = {
    change.name: change
    for change in (
        Change("several pins", SEVERAL, pins=(OLD_AOL, SURPLUS)),
        Change("pin created", {"routes": [NESTLE]}),
        Change("pin changed", {"routes": [NESTLE]}, pins=(OLD_NESTLE,)),
        Change("pin removed", {"routes": [NESTLE], "state": "absent"}, pins=(OLD_NESTLE,)),
        Change(
            "connector adopted",
            {"routes": [NESTLE], "existing": "adopt"},
            theirs=(*FOREIGN, ADOPTED),
        ),
        Change(
            "backup restored",
            {"state": "restored", "backup": "backups"},
            pins=(OLD_AOL, SURPLUS),
            first=_enforce_first,
        ),
        Change("external DNS", EXTERNAL_DNS, theirs=(*FOREIGN, OUTBOUND)),
        Change(
            "external DNS restored",
            {"state": "restored", "backup": "backups"},
            theirs=(*FOREIGN, OUTBOUND),
            first=_external_dns_first,
        ),
        Change("broken run", SEVERAL, pins=(OLD_AOL, SURPLUS), first=_broken_first),
        Change("two hosts at once", SEVERAL, pins=(OLD_AOL, SURPLUS), partner=True),
    )
}


class Site:
    """An organisation of two servers; used for one case after the other."""

    def __init__(self, stables: tuple[Stable, Stable], folder: Path) -> None:
        self.stables = stables
        self.folder = folder
        self._number = 0
        servers = {"EX16": Family.E2016, "EX10": Family.E2010}
        self.lab = OrganisationLab.build(servers, users={ADMIN: PASSWORD})
        self.lab.start()
        self._prepared: dict[str, Any] = {}
        self.change = CHANGES["several pins"]

    def close(self) -> None:
        """Stop the lab."""
        self.lab.close()

    @property
    def listener(self) -> Any:
        """The web server of the host on which faults happen."""
        return self.lab.listeners["EX16"]

    def begin(self, change: Change) -> Connectors:
        """Make the organisation what it is before a change; returns what was before anything."""
        self.change = change
        self._number += 1
        self.base = self.folder / f"controller{self._number}"
        self.base.mkdir()
        self.put_back()
        self.look_before = self.look()
        change.first(self)
        for endpoint in self.lab.endpoints.values():
            endpoint.close()
        return self.look_before

    def put_back(self) -> None:
        """Give the organisation the connectors it has before the change."""
        directory = self.lab.organisation.directory
        if self.change.name not in self._prepared:
            for record in directory.read(directory.domain_controllers[0]):
                directory.delete(directory.domain_controllers[0], record.guid)
            directory.settle()
            self._make()
            directory.settle()
            self._prepared[self.change.name] = copy.deepcopy(directory._replicas)
        directory._replicas = copy.deepcopy(self._prepared[self.change.name])
        for server in self.lab.organisation.servers:
            server.settings.external_dns_servers = []
            server.settings.external_dns_adapter_enabled = True

    def _make(self) -> None:
        with self.lab.session("EX16", ADMIN) as session:
            for name, parameters in self.change.theirs:
                made = session.run("New-SendConnector", Name=name, **parameters)
                assert made.error_ids == [], made
        if self.change.pins:
            outcome = self.run({"routes": list(self.change.pins)})
            assert outcome.kind == "done", outcome
            shutil.rmtree(self.base)
            self.base.mkdir()

    def look(self) -> Connectors:
        """All connectors and Transport services by name, straight from the directory."""
        directory = self.lab.organisation.directory
        directory.settle()
        records = directory.read(directory.domain_controllers[0])
        services = {
            server.name: {
                "ExternalDNSServers": list(server.settings.external_dns_servers),
                "ExternalDNSAdapterEnabled": server.settings.external_dns_adapter_enabled,
            }
            for server in self.lab.organisation.servers
        }
        return {record.name: dict(record.attributes) for record in records} | services

    def run(
        self,
        options: Mapping[str, Any],
        *,
        server: str = "EX16",
        impatient: bool = False,
        **fate: Any,
    ) -> Outcome:
        """Run a task at a server, over a connection of its own."""
        if server == "EX16":
            self.listener.traffic.reset()
        reach = {
            "host": "127.0.0.1",
            "port": self.lab.port(server),
            "user": ADMIN,
            "password": PASSWORD,
            "auth": "basic",
            "message_encryption": "never",
            "connect_timeout": 2 if impatient else 30,
        }
        given = {"cmdlet_timeout": 1 if impatient else 30, **options}
        stable = self.stables[server != "EX16"]
        return stable.run(Job("transport", server, reach, given, self.base, **fate))

    def saved(self) -> Saved | str:
        """Return what the newest backup would put back, or why there is none."""
        view = View(Organisation("First Organization", "hq.example"), "dc1.hq.example", ())
        family = SendConnectors(Reader(FakeCmdlets({})), OrganisationLock(None, Context("x").now))
        try:
            folder = backups.find(self.base / "backups", LABEL)
            return transaction.load(family, folder, view, "EX16")
        except ExchangeError as error:
            return str(error)


def measure(site: Site, name: str) -> Measured:
    """Run a change without a fault."""
    change = CHANGES[name]
    site.begin(change)
    outcome = site.run(change.options)
    assert outcome.kind == "done", outcome
    return Measured(tuple(site.listener.traffic.actions), 0, outcome.writes)


def judge(site: Site, case: Case) -> Finding:
    """Interrupt a run, judge what it says and leaves, and let the next ones go on from there."""
    notes = Notes()
    change = CHANGES[case.change]
    original = site.begin(change)
    old = site.look()
    outcome, partner = _interrupted(site, case)
    site.listener.faults.clear()
    claim = claim_of(outcome)
    found = site.look()
    met = hit(case, outcome, site.listener.traffic.actions)
    unknown = met == KILLED or (met == "Create" and case.fault in EXECUTED)
    left = site.listener.open_shells
    notes.expect(left <= (1 if unknown else 0), f"{left} runspaces were left open")
    recovers = bool(list(site.base.glob("backups/*/*/at-work.lock")))

    after = site.run(change.options)
    warned = any("broke off" in words for words in after.told.get("warnings", ()))
    notes.expect(warned == recovers or partner, f"tells of a broken run: {warned}")
    new = site.look()
    notes.expect(outcome.kind != "defect", f"a defect: {outcome.text}")
    notes.expect(after.kind == "done", f"the next run: {after.kind} {after.text}")
    if partner:
        notes.expect(partner.kind == "done", f"the other host: {partner.kind} {partner.text}")
    _check_new(change, original, new, notes)
    for name, _parameters in FOREIGN:
        notes.expect(found.get(name) == old[name], f"{name} of somebody else's changed")
        notes.expect(new.get(name) == old[name], f"{name} of somebody else's changed later")
    if not partner:
        _check_state(claim, outcome, (old, found, new), notes)
    third = site.run(change.options)
    changed = third.kind != "done" or third.told["changed"]
    notes.expect(not changed, f"the third run: {third.kind} {third.text} {third.told.get('diff')}")
    marks = list(site.base.glob("backups/*/*/at-work.lock"))
    notes.expect(not marks, f"marks of runs at work are left: {marks}")
    if _ours(new) != _ours(original):
        _check_backup(site, original, notes)
    for endpoint in site.lab.endpoints.values():
        endpoint.close()
    shutil.rmtree(site.base)
    return Finding(case, met, claim, recovers, tuple(notes.problems))


def _interrupted(site: Site, case: Case) -> tuple[Outcome, Outcome | None]:
    found: list[Outcome] = []
    partner = threading.Thread(
        target=lambda: found.append(site.run(site.change.options, server="EX10"))
    )
    if site.change.partner:
        partner.start()
    outcome = _run_with_fault(site, case)
    if site.change.partner:
        partner.join()
    return outcome, found[0] if found else None


def _run_with_fault(site: Site, case: Case) -> Outcome:
    options, fault = site.change.options, case.fault
    if fault == KILLED:
        return site.run(options, dies_at=case.at)
    if fault == CONTROLLER_DISK:
        return site.run(options, full_at=case.at)
    site.listener.faults.at(case.at, fault, seconds=10)
    return site.run(options, impatient=fault in {HANG, HANG_AFTER})


def _ours(connectors: Connectors) -> dict[str, Mapping[str, Any]]:
    names = {name for name, _parameters in FOREIGN}
    return {name: it for name, it in connectors.items() if name not in names}


def _pins(connectors: Connectors) -> dict[str, Mapping[str, Any]]:
    """Those of ours that pin a domain, or were adopted to do so."""
    others = {*SERVERS, OUTBOUND[0]}
    return {name: it for name, it in _ours(connectors).items() if name not in others}


def _external_dns(connectors: Connectors) -> dict[str, dict[str, Any]]:
    """External DNS of the servers and of the connector Outbound, by name."""
    names = ("ExternalDNSServers", "ExternalDNSAdapterEnabled", "UseExternalDNSServersEnabled")
    places = {name: connectors.get(name, {}) for name in (*SERVERS, OUTBOUND[0])}
    return {place: {name: it[name] for name in names if name in it} for place, it in places.items()}


def _check_new(change: Change, original: Connectors, new: Connectors, notes: Notes) -> None:
    """After the next run the connectors are as the task wants them."""
    ours = _pins(new)
    if change.options.get("state") == "restored":
        notes.expect(_ours(new) == _ours(original), f"not restored: {sorted(ours)}")
        return
    if "external_dns" in change.options:
        service = {"ExternalDNSServers": ["203.0.113.53"], "ExternalDNSAdapterEnabled": False}
        managed = dict.fromkeys(SERVERS, service) | {
            OUTBOUND[0]: {"UseExternalDNSServersEnabled": True}
        }
        notes.expect(_external_dns(new) == managed, f"external DNS is {_external_dns(new)}")
    wanted = {}
    if change.options.get("state") != "absent":
        wanted = {each["domain"]: set(each["addresses"]) for each in change.options["routes"]}
    found = {
        str(space).rsplit(":", maxsplit=1)[-1].split(";")[0]: {
            str(host).strip("[]") for host in it["SmartHosts"]
        }
        for it in ours.values()
        for space in it["AddressSpaces"]
    }
    notes.expect(found == wanted, f"pins are {found}")
    notes.expect(len(ours) == len(wanted), f"connectors are {sorted(ours)}")


def _check_state(
    claim: str, outcome: Outcome, looks: tuple[Connectors, Connectors, Connectors], notes: Notes
) -> None:
    """What a run says of the state it left has to be so."""
    old, found, new = looks
    names = {*old, *found, *new}
    state = {
        name: ("old " if found.get(name) == old.get(name) else "")
        + ("new" if found.get(name) == new.get(name) else "")
        for name in names
    }
    notes.expect(all(state.values()), f"neither old nor new: {state} {outcome}")
    if outcome.kind == "done":
        notes.expect(all("new" in each for each in state.values()), f"said to be done: {state}")
    elif outcome.kind == "failed":
        parts: dict[str, str] = dict(outcome.told.get("parts", {}))
        notes.expect(claim in {"untouched", "old", "new", "unknown"}, f"no claim: {outcome}")
        notes.expect(claim in {"untouched", "old"} or parts, f"does not name the parts: {outcome}")
        for name, each in state.items():
            domain = name if name in parts else _domain_of(name, old, found, new)
            said = parts.get(domain, "old")
            right = said == "unknown" or said in each
            notes.expect(right, f"{domain} is said to be {said}: {state} {outcome}")


def _domain_of(name: str, *looks: Connectors) -> str:
    it = next(look[name] for look in looks if name in look)
    spaces: Any = it.get("AddressSpaces")
    return _domain_in(spaces[0]) if spaces else name


def _domain_in(space: object) -> str:
    """Return the domain of an address space such as ``SMTP:nestle.com;1``."""
    return str(space).rsplit(":", maxsplit=1)[-1].split(";")[0]


def _check_backup(site: Site, original: Connectors, notes: Notes) -> None:
    """The newest backup puts back what was there before the interrupted run."""
    saved = site.saved()
    if isinstance(saved, str):
        notes.expect(False, f"there is no backup to restore: {saved}")
        return
    there = {connector.name: connector.raw for connector in saved.connectors}
    hosts = {name: {str(host) for host in it["SmartHosts"]} for name, it in _ours(there).items()}
    was = {name: {str(host) for host in it["SmartHosts"]} for name, it in _pins(original).items()}
    notes.expect(hosts == was, f"the backup holds {hosts}, and there was {was}")
    former = {one.name: dict(one.before) for one in saved.external_dns.values()}
    before = _external_dns(original)
    notes.expect(all(before[name] == it for name, it in former.items()), f"{former}, not {before}")
