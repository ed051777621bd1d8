# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole lab in one process: DNS, far mail servers, Exchange hosts and how they are reached."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from . import inventory
from .mail import imc_install
from .mail.cluster import Cluster
from .mail.dns_server import DnsServer, Fault
from .mail.imc import SERVICE, Imc, Surroundings
from .mail.imc_config import PARAMETERS_KEY
from .mail.imc_directory import Connector
from .mail.imc_model import Site
from .mail.imc_routing import NameService
from .mail.imccopy import Imccopy
from .mail.network import Endpoint, Network
from .mail.smtp_loop import LoopThread
from .mail.smtp_sink import SinkFarm
from .manager import REMOTE, Manager
from .org.lab import OrganisationLab
from .scenario import HostSpec, Scenario
from .scenario_default import DEFAULT
from .servers import Server, start_organisation, windows_of
from .windows.host import Completed, LabHost
from .windows.services import RUNNING, STOPPED
from .windows.winrm_server import WinRMServer

# Without it the name server would refuse questions outside its zones; so it says "no such name".
_ROOT_ZONE = {".": "@ NS ns.lab.invalid."}
_MARKER = ".exchange-lab"
_SERVICE_SECONDS = 10.0
_PROGRESS_SECONDS = 10.0


class NotOurs(Exception):  # noqa: N818 - said of a folder
    """The folder holds something that no lab has put there."""


class Machine:
    """One Exchange host of a lab, with handles to everything on it."""

    def __init__(self, lab: Lab, spec: HostSpec, root: Path) -> None:
        scenario = lab.scenario
        self.spec = spec
        self.host = LabHost(
            spec.name,
            root,
            users={scenario.user: scenario.password},
            language=spec.language,
            time_scale=scenario.time_scale,
        )
        self.imc = Imc(
            self.host,
            Site(spec.name.upper(), scenario.local_domain),
            spec.version,
            lab.surroundings,
            connector=Connector(
                spec.rows,
                extra=spec.extra,
                tracking=spec.tracking,
                diagnostics=spec.diagnostics,
                relay=spec.forward_to,
                arrows=spec.arrows,
            ),
            assumptions=scenario.assumptions,
            submission=spec.submission,
            relay=spec.relay,
            start_trouble=spec.start_trouble,
        )
        self.imccopy: Imccopy = imc_install.install(
            self.imc, search_list=scenario.search_list, imccopy=spec.imccopy
        )
        service = self.host.services.get(SERVICE)
        self.cluster = Cluster(self.imc, service) if spec.cluster else None
        if spec.switch is not None:
            name, number = spec.switch
            self.host.registry.set(PARAMETERS_KEY, name, "REG_DWORD", number)
        lab.network.claim(spec.address, Endpoint(self.imc.port))
        if spec.behind:
            self.winrm = lab.managers[spec.behind].winrm
        else:
            self.winrm = lab.winrm.add(self.host, settings=spec.winrm)

    def start(self) -> None:
        """Start what the scenario says runs, and send the users' letters."""
        if self.spec.running:
            imc_install.start(self.host)
        if self.spec.start_seconds:  # from the next start on
            service = self.host.services.get(SERVICE)
            service.start_delay, service.progress = self.spec.start_seconds, _PROGRESS_SECONDS
        for letter in self.spec.letters:
            self.imc.send(letter.sender, letter.recipient, subject=letter.subject)

    def run(self, command: str) -> Completed:
        """Run a command line in a fresh shell of the lab's user."""
        return self.host.run(command)

    def restart(self) -> int:
        """Stop the connector if it runs, start it, and return the state it ends up in."""
        services = self.host.services
        if services.get(SERVICE).state == RUNNING:
            services.stop(SERVICE)
            services.wait(SERVICE, {STOPPED}, _SERVICE_SECONDS)
        services.start(SERVICE)
        return services.wait(SERVICE, {RUNNING, STOPPED}, _SERVICE_SECONDS)

    @property
    def requests(self) -> int:
        """The WinRM requests this host, or the one it is behind, has answered."""
        return self.winrm.traffic.requests

    def facts(self) -> inventory.Machine:
        """Return what the inventory says about this host."""
        more = {
            "mx_delivery_target_computer": self.spec.name.upper(),
            "mx_delivery_test_smtp_host": "127.0.0.1",
            "mx_delivery_target_imccopy": rf"{REMOTE} \\{self.spec.name} {self.spec.imccopy}",
        }
        return inventory.Machine(
            self.spec.name,
            self.winrm.port,
            self.imc.port,
            more=more if self.spec.behind else {},
        )

    def close(self) -> None:
        """Stop everything on this host."""
        if self.cluster is not None:
            self.cluster.close()
        self.host.close()
        self.imc.close()


class Lab:
    """Starts with ``with``; everything it made is gone afterwards, but for a folder it was given.

    Attributes: ``network``, ``dns``, ``sinks`` (by address), ``winrm``, ``managers``, ``machines``
    (hosts with the connector, by name; a lab can be indexed by these), ``servers`` (of the
    organisation, by name) and ``organisation``, which is None in a lab without one.
    """

    def __init__(self, scenario: Scenario = DEFAULT, folder: Path | None = None) -> None:
        self.scenario = scenario
        self._given = folder
        self.folder = Path()
        self.network = Network()
        self._ending = contextlib.ExitStack()

    def start(self) -> None:
        """Bring everything up; if something fails, nothing stays behind."""
        with contextlib.ExitStack() as stack:
            self.folder = self._prepare_folder(stack)
            loops = LoopThread()
            loops.start()
            stack.callback(loops.stop)
            self.sinks = SinkFarm(loops, self.network)
            stack.callback(self.sinks.close)
            for sink in self.scenario.sinks:
                self.sinks.add(sink.address, sink.name, sink.temper)
            self.dns = stack.enter_context(
                DnsServer({**_ROOT_ZONE, **self.scenario.zones}, rotate=True)
            )
            for name in self.scenario.failing:
                self.dns.set_fault(name, "*", Fault.SERVFAIL)
            for name in self.scenario.ignoring_aaaa:
                self.dns.set_fault(name, "AAAA", Fault.TIMEOUT)
            names = NameService(self.dns.address, self.dns.port)
            self.surroundings = Surroundings(self.network, names, loops)
            self.winrm = stack.enter_context(WinRMServer())
            self.managers: dict[str, Manager] = {}
            self.machines: dict[str, Machine] = {}
            for name in self.scenario.managers:
                self._add_manager(name, stack)
            for spec in self.scenario.hosts:
                self._add(spec, stack)
            self.organisation = self._start_organisation(stack)
            self._ending = stack.pop_all()

    def _add_manager(self, name: str, stack: contextlib.ExitStack) -> None:
        users = {self.scenario.user: self.scenario.password}
        root = self.folder / "hosts" / name
        manager = Manager(name, root, self.winrm, users, self.scenario.time_scale)
        stack.callback(manager.close)
        self.managers[name] = manager

    def _add(self, spec: HostSpec, stack: contextlib.ExitStack) -> None:
        machine = Machine(self, spec, self.folder / "hosts" / spec.name)
        stack.callback(machine.close)
        for manager in self.managers.values():
            manager.host.connect(machine.host)
        machine.start()
        self.machines[spec.name] = machine

    def _start_organisation(self, stack: contextlib.ExitStack) -> OrganisationLab | None:
        self.servers: dict[str, Server] = {}
        spec = self.scenario.organisation
        if spec is None:
            return None
        elsewhere = None
        if spec.resolvers:
            zones = {**_ROOT_ZONE, **self.scenario.zones}
            elsewhere = stack.enter_context(DnsServer(zones, rotate=True))
            for name in self.scenario.failing:
                elsewhere.set_fault(name, "*", Fault.SERVFAIL)
        organisation = start_organisation(self.scenario, spec, self.surroundings, elsewhere)
        stack.callback(organisation.close)
        for one in spec.servers:
            host = windows_of(one, self.scenario, self.folder / "hosts" / one.name)
            stack.callback(host.close)
            self.servers[one.name] = Server(one, host, self.winrm, organisation)
        for server in self.servers.values():
            server.send_letters()
        return organisation

    def _prepare_folder(self, stack: contextlib.ExitStack) -> Path:
        if self._given is None:
            folder = Path(tempfile.mkdtemp(prefix="exchange-lab-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            return folder
        hosts, marker = self._given / "hosts", self._given / _MARKER
        if hosts.exists() and not marker.exists():
            raise NotOurs(f"{hosts} exists and was not made by a lab; choose another folder.")
        self._given.mkdir(parents=True, exist_ok=True)
        marker.touch()
        if hosts.exists():
            shutil.rmtree(hosts)
        return self._given

    def stop(self) -> None:
        """Stop everything, in the opposite order."""
        self._ending.close()

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def write_inventory(self, file: Path | None = None) -> Path:
        """Write the Ansible inventory of this lab and return its path."""
        organisation = self.scenario.organisation
        facts = inventory.Facts(
            machines=tuple(machine.facts() for machine in self.machines.values()),
            servers=tuple(server.facts() for server in self.servers.values()),
            server_domains=organisation.domains if organisation else (),
            user=self.scenario.user,
            password=self.scenario.password,
            domains=self.scenario.domains,
            search_list=self.scenario.search_list,
            dns_port=self.dns.port,
        )
        return inventory.write(file or self.folder / "inventory" / "hosts.yml", facts)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
