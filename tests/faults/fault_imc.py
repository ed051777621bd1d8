# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interruptions of imc_delivery: the changes, and the hosts they are made on."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.family import MailConnector
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import (
    PARAMETERS_KEY,
    Service,
    ServiceState,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.layout import Layout
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.routes import RoutesFile
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.state import HostState
from ansible_collections.postmaster.exchange.plugins.module_utils._run import backups, transaction
from exchange_lab.lab import Lab, Machine
from exchange_lab.mail.imc import SERVICE
from exchange_lab.manager import REMOTE
from exchange_lab.scenario import SIMPLE_HOST, simple
from exchange_lab.windows.services import RUNNING, STOPPED, ServiceStartError
from exchange_lab.windows.winrm_server import Settings
from fault_engine import Job, Outcome, Stable
from imc_fake_host import FakeHost

SWITCH = "DisableResolverSearchList"
FOREIGN = ("PARTNER.CORP;10.1.2.3;0", "ODD.EXAMPLE;relay.odd.example;7")
EXTRA = "[Somebody else's]\nKey=of theirs\n"
NESTLE = {"domain": "nestle.com", "addresses": ["192.0.2.25", "192.0.2.26"]}
ROWS = ("nestle.com;192.0.2.25;0", "nestle.com;192.0.2.26;0")
BOTH: dict[str, Any] = {"resolver_search_list": "disabled", "routes": [NESTLE]}
ONE = ("registry value", SWITCH, "REG_DWORD", 1)
OURS = "postmaster.exchange"
_SETTLING = 5.0  # seconds for what was begun on the host


@dataclass(frozen=True)
class Change:
    """A kind of change: the host before it, the task, and what has to happen first.

    ``value`` is name, type and data of the registry value. ``stuck`` is a service that does not
    start with our rows (event 4056), until the run after.
    """

    name: str
    options: Mapping[str, Any]
    value: tuple[str, str, int] | None = None
    rows: tuple[str, ...] = FOREIGN
    machine: str = "mail55"
    running: bool = True
    first: Callable[[Site], None] = lambda _site: None
    stuck: bool = False


def _enforce_first(site: Site) -> None:
    site.must_be_done(site.run(BOTH))


def _broken_at(action: str) -> Callable[[Site], None]:
    """A run that was killed before the first command line that holds certain words."""

    def first(site: Site) -> None:
        lines: list[int] = []
        with site.listening(lambda line: lines.append(site.requests) if action in line else None):
            site.run(BOTH)
        site.put_back()
        outcome = site.run(BOTH, dies_at=lines[0])
        assert outcome.kind == "killed", outcome
        site.quiet()

    return first


RIGHT, WRONG = (SWITCH, "REG_DWORD", 1), (SWITCH.lower(), "REG_DWORD", 1)
OLD_ROWS = (FOREIGN[0], "NESTLE.COM;198.51.100.9;0", FOREIGN[1], "nestle.com;192.0.2.26;3")
REMOVED = {"routes": [{"domain": "nestle.com"}], "state": "absent"}
BEHIND = {
    "target_computer": "MAIL4OLD",
    "target_imccopy": rf"{REMOTE} \\mail4old C:\exchsrvr\bin\imccopy.exe",
}
CHANGES = {
    change.name: change
    for change in (
        Change("value and rows", BOTH),
        Change("value set", {"resolver_search_list": "disabled"}),
        Change("value respelt", {"resolver_search_list": "disabled"}, WRONG),
        Change("value removed", {"resolver_search_list": "enabled"}, RIGHT),
        Change("rows added", {"routes": [NESTLE]}, RIGHT),
        Change("rows changed", {"routes": [NESTLE]}, RIGHT, OLD_ROWS),
        Change("rows removed", REMOVED, RIGHT, OLD_ROWS),
        Change("rows exact", {"routes": [NESTLE], "state": "exact"}, RIGHT, OLD_ROWS),
        Change("backup restored", {"state": "restored", "backup": "backups"}, first=_enforce_first),
        Change("broken run, rows to do", BOTH, first=_broken_at("-restore")),
        Change("broken run, value to do", BOTH, first=_broken_at("reg add")),
        Change("broken run, start to do", BOTH, first=_broken_at('start "')),
        Change("behind a manager", BOTH | BEHIND, machine="mail4old"),
        Change("without imccopy", BOTH | {"missing_imccopy": "warn"}, machine="mail40"),
        Change("service not starting", BOTH, stuck=True),
        Change("restart never", BOTH | {"service_restart": "never"}),
        Change("service stopped", BOTH, running=False),
    )
}


@dataclass(frozen=True)
class Look:
    """An independent look at a host: what matters of it, straight from the lab."""

    value: tuple[str, str, object] | None
    table: bytes
    running: bool
    loaded: tuple[object, bytes] | None
    others: tuple[object, ...]

    def shown(self) -> str:
        """What of it a message needs."""
        rows = [line for line in self.table.split(b"\r\n") if line.startswith(b"+")]
        fresh = self.loaded == (self.value, self.table)
        return f"{self.value} {rows} runs: {self.running}, with these settings: {fresh}"


class Site:
    """A lab with one host of each sort; used for one case after the other."""

    def __init__(self, stable: Stable, folder: Path) -> None:
        self.stable = stable
        self.folder = folder
        self._number = 0
        self.lab = Lab(_scenario(), folder=folder / "lab")
        self.lab.start()
        for machine in self.lab.machines.values():
            machine.host.fs.write_bytes(r"C:\theirs.txt", b"not ours")
        self.change = CHANGES["value and rows"]
        self._loaded: dict[str, tuple[object, bytes]] = {}
        for machine in self.lab.machines.values():
            self._watch_starts(machine)

    def close(self) -> None:
        """Stop the lab."""
        self.lab.stop()

    # -- the host

    @property
    def machine(self) -> Machine:
        """The host of the change in hand."""
        return self.lab.machines[self.change.machine]

    @property
    def host_name(self) -> str:
        """Its name in the inventory."""
        return self.change.machine

    @property
    def entry(self) -> Any:
        """The Windows host that the session leads to."""
        behind = self.machine.spec.behind
        return self.lab.managers[behind].host if behind else self.machine.host

    @property
    def requests(self) -> int:
        """Requests since the run began."""
        return len(self.machine.winrm.traffic.actions)

    def _watch_starts(self, machine: Machine) -> None:
        service = machine.host.services.get(SERVICE)
        start = service.on_start

        def watched() -> None:
            ours = any(row in ROWS for row in machine.imc.connector.rows)
            if self.change.stuck and ours and self._is_stuck:
                raise ServiceStartError(4056)
            start()
            self._loaded[machine.spec.name] = (_value(machine), machine.imc.connector.save())

        service.on_start = watched

    def begin(self, change: Change) -> Look:
        """Make the host what it is before a change; returns what it was before anything."""
        self.change = change
        self._is_stuck = True
        self._number += 1
        self.base = self.folder / f"controller{self._number}"
        self.base.mkdir()
        for host in dict.fromkeys((self.entry, self.machine.host)):
            shutil.rmtree(host.fs.resolve(rf"C:\ProgramData\{OURS}"), ignore_errors=True)
        self.put_back()
        original = self.look()
        change.first(self)
        self.machine.winrm.shells.expire()
        return original

    def put_back(self) -> None:
        """Give the host the settings it has before the change."""
        machine, change = self.machine, self.change
        connector = machine.imc.connector
        services = machine.host.services
        if services.get(SERVICE).state == RUNNING:
            services.stop(SERVICE)
            services.wait(SERVICE, {STOPPED}, 10)
        rows = "".join(f"+{row}\r\n" for row in change.rows)
        table = f"[Header]\r\nVersion=1\r\n\r\n[Routes]\r\nDeliveryRouting=+\r\n{rows}"
        connector.restore(f"{table}DefaultRouting=\r\n\r\n{EXTRA}".encode().replace(b"\r\n", b"\n"))
        registry = machine.host.registry
        if registry.get(PARAMETERS_KEY, SWITCH):
            registry.delete(PARAMETERS_KEY, SWITCH)
        if change.value:
            registry.set(PARAMETERS_KEY, *change.value)
        if change.running:
            services.start(SERVICE)
            services.wait(SERVICE, {RUNNING}, 10)

    def look(self) -> Look:
        """See what is there."""
        machine = self.machine
        services = machine.host.services
        values = machine.host.registry.values(PARAMETERS_KEY)
        others = tuple(value for value in values if value.name.casefold() != SWITCH.casefold())
        running = services.wait(SERVICE, {RUNNING, STOPPED}, 10) == RUNNING
        return Look(
            _value(machine),
            machine.imc.connector.save(),
            running,
            self._loaded.get(machine.spec.name) if running else None,
            (*others, machine.host.fs.read_bytes(r"C:\theirs.txt")),
        )

    def litter(self) -> list[str]:
        """What a run should not leave on a host, as paths; backups are meant to stay."""
        found = []
        for host in dict.fromkeys((self.entry, self.machine.host)):
            for path in host.fs.root.rglob("*"):
                ours = path.name.startswith("pmx-") or path.name in {"journal.txt", "lease"}
                if ours or path.name.startswith("lease-"):
                    found.append(path.name)
        return found

    def quiet(self) -> None:
        """Wait until nothing is running on the host any more."""
        shells = self.machine.winrm.shells
        deadline = time.monotonic() + _SETTLING
        while shells.running_count and time.monotonic() < deadline:
            time.sleep(0.002)

    def listening(self, hear: Callable[[str], object]) -> _Listening:
        """Be told of every command line."""
        return _Listening(self.entry, hear)

    # -- runs

    def run(self, options: Mapping[str, Any], *, impatient: bool = False, **fate: Any) -> Outcome:
        """Run a task, over a connection of its own."""
        winrm, scenario = self.machine.winrm, self.lab.scenario
        winrm.traffic.reset()
        plain = {"transport": "basic", "message_encryption": "never"}
        reach = {
            "host": "127.0.0.1",
            "port": winrm.port,
            "scheme": "http",
            "user": scenario.user,
            "password": scenario.password,
            "connect_timeout": 2 if impatient else 30,
            **({"transport": "ntlm"} if self.machine.spec.behind else plain),
        }
        given = {"command_timeout": 1 if impatient else 30, **options}
        return self.stable.run(Job("imc", self.host_name, reach, given, self.base, **fate))

    def must_be_done(self, outcome: Outcome) -> None:
        """A step of the preparation that has to succeed."""
        assert outcome.kind == "done", outcome

    def saved(self) -> tuple[object, RoutesFile | None] | str:
        """Return what the newest backup would put back, or why there is none."""
        computer = self.change.options.get("target_computer", "")
        family = MailConnector(FakeHost(), self.host_name, Layout(computer=computer))
        name = computer or self.host_name
        state = HostState(Service(ServiceState.RUNNING, None), None, computer=name)
        try:
            folder = backups.find(self.base / "backups", name)
            found = transaction.load(family, folder, state, self.host_name)
        except ExchangeError as error:
            return str(error)
        value = found.value and (found.value.name, found.value.type, found.value.number)
        return value, found.routes


@dataclass
class _Listening:
    host: Any
    hear: Callable[[str], object]
    _before: Any = field(default=None, init=False)

    def __enter__(self) -> None:
        self._before, self.host.on_command = self.host.on_command, self.hear

    def __exit__(self, *_why: object) -> None:
        self.host.on_command = self._before


def _value(machine: Machine) -> tuple[str, str, object] | None:
    found = machine.host.registry.get(PARAMETERS_KEY, SWITCH)
    return found and (found.name, found.type, found.data)


def _scenario() -> Any:
    plain = Settings(basic=True, allow_unencrypted=True)
    host = dataclasses.replace(SIMPLE_HOST, rows=FOREIGN, winrm=plain)
    hosts = (
        host,
        dataclasses.replace(host, name="mail40", address="203.0.113.40", imccopy=None),
        dataclasses.replace(
            host,
            name="mail4old",
            address="203.0.113.41",
            behind="mgmt1",
            imccopy=r"C:\exchsrvr\bin\imccopy.exe",
        ),
    )
    return dataclasses.replace(simple(*hosts), managers=("mgmt1",), time_scale=0.001)
