# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts of Exchange 5.5 in one process, for fleet.py: WinRM, registry, imccopy, DNS.

Each host has a loopback address of its own (127.1.x.y), all of them one port, so one thread accepts
for all. Their connectors start and stop, and refuse bad routes, but deliver no mail. Where a client
starts PowerShell, it gets a canned result at once: so PowerShell costs nothing here.

The benchmark writes commands to standard input, one a line, and reads one line of JSON for each.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "lab"))

from exchange_lab.mail import imc_install
from exchange_lab.mail.dns_server import DnsServer
from exchange_lab.mail.imc import BAD_ROUTE, Imc, Surroundings
from exchange_lab.mail.imc_config import PARAMETERS_KEY, read_configuration
from exchange_lab.mail.imc_directory import Connector, RouteError
from exchange_lab.mail.imc_model import V55, Site
from exchange_lab.mail.imc_routing import NameService
from exchange_lab.mail.network import Network
from exchange_lab.mail.smtp_loop import LoopThread
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.process import Invocation
from exchange_lab.windows.remote_shell import RemoteShells
from exchange_lab.windows.services import ServiceStartError
from exchange_lab.windows.winrm_http import CutConnection, HttpServer
from exchange_lab.windows.winrm_listener import HttpListener
from exchange_lab.windows.wsman import Request

USER, PASSWORD = "exadmin", "Lab-Passw0rd"
SWITCH = "DisableResolverSearchList"
PARTNER = "partner.corp;10.255.0.1;0"
# struct tcp_info of Linux: tcpi_bytes_acked and tcpi_bytes_received.
_TCP_INFO_BYTES = struct.Struct("@120xQQ")
_POWERSHELL = r"C:\Windows\system32\powershell.exe"


def domain(number: int) -> str:
    """Return the name of a domain to pin."""
    return f"d{number:05}.example"


def addresses(number: int, exchanges: int = 2) -> list[str]:
    """Return the addresses of its exchanges, best first."""
    return [f"10.{number >> 8}.{number & 255}.{exchange + 1}" for exchange in range(exchanges)]


def zone(domains: int) -> str:
    """Return the zone that all of them are in."""
    lines = ["@ NS ns.lab.invalid."]
    for number in range(domains):
        name = domain(number).partition(".")[0]
        for place, address in enumerate(addresses(number)):
            lines += [
                f"{name} MX {10 * (place + 1)} mx{place}.{name}",
                f"mx{place}.{name} A {address}",
            ]
    return "\n".join(lines) + "\n"


def rows(domains: int) -> list[str]:
    """Return the rows of a table that holds all of them."""
    return [f"{domain(n)};{address};0" for n in range(domains) for address in addresses(n)]


class QuietImc(Imc):
    """A connector without a thread of its own."""

    def on_start(self) -> None:
        """Read the settings as the real one does."""
        try:
            read_configuration(self.host.registry, self.connector)
        except RouteError as error:
            raise ServiceStartError(BAD_ROUTE, str(error)) from error

    def on_stop(self) -> None:
        """There is nothing to end."""


class FleetHost:
    """One host. It begins with all that is wanted in place."""

    def __init__(
        self, name: str, root: Path, surroundings: Surroundings, wanted: list[str]
    ) -> None:
        self.wanted = wanted
        self.host = LabHost(name, root, users={USER: PASSWORD}, time_scale=0.0)
        self.imc = QuietImc(self.host, Site(name.upper(), "hq.example"), V55, surroundings)
        self.imccopy = imc_install.install(self.imc, search_list=("hq.example",))
        self.host.install(_POWERSHELL, self._powershell)
        self.shells = RemoteShells(self.host)
        self.put_right()
        imc_install.start(self.host)

    def put_right(self) -> None:
        """Leave nothing to do."""
        self._set([PARTNER, *self.wanted])
        self.host.registry.set(PARAMETERS_KEY, SWITCH, "REG_DWORD", 1)
        self._changes = False

    def spoil(self) -> None:
        """Leave everything to do: no value, and no row that is wanted."""
        self._set([PARTNER])
        if self.host.registry.get(PARAMETERS_KEY, SWITCH) is not None:
            self.host.registry.delete(PARAMETERS_KEY, SWITCH)
        self._changes = True

    def _powershell(self, call: Invocation) -> int:
        """Take the whole script, and answer at once what the module in it would."""
        call.streams.stdin.read_all(call.streams.stop)
        call.out(json.dumps({"changed": self._changes}) + "\r\n")
        return 0

    def _set(self, wanted: list[str]) -> None:
        self.imc.connector.restore(Connector(tuple(wanted)).save())


@dataclass
class FleetShells:
    """The shells of all hosts: each connection leads to the host whose address it came to."""

    hosts: dict[str, FleetHost] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    here: threading.local = field(default_factory=threading.local)

    @property
    def open_count(self) -> int:
        return sum(host.shells.open_count for host in self.hosts.values())

    @property
    def opened(self) -> int:
        return sum(host.shells.opened for host in self.hosts.values())

    def handle(self, request: Request, user: str, *, delegated: bool) -> bytes:
        """Carry out a request; of a host that fails, nothing but to open and to close shells."""
        address = self.here.address
        if address in self.cut and request.verb not in {"Create", "Delete"}:
            raise CutConnection
        return self.hosts[address].shells.handle(request, user, delegated=delegated)

    def close(self) -> None:
        for host in self.hosts.values():
            host.shells.close()


class FleetServer(HttpServer):
    """Tells the shells which host a connection is for, and counts its bytes, headers included."""

    received = sent = 0
    shells: FleetShells

    def finish_request(self, request: Any, client_address: Any) -> None:
        self.shells.here.address = request.getsockname()[0]
        try:
            super().finish_request(request, client_address)
        finally:
            info = request.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES.size)
            sent, received = _TCP_INFO_BYTES.unpack(info)
            with self._lock:
                self.sent += sent
                self.received += received


class FleetListener(HttpListener):
    """The one listener of all hosts."""

    server_type = FleetServer

    def __init__(self, shells: FleetShells) -> None:
        FleetServer.shells = shells
        super().__init__("fleet", {USER: PASSWORD}, shells, address="0.0.0.0")

    @property
    def server(self) -> FleetServer:
        """The one server, with its counters."""
        assert isinstance(self._server, FleetServer)
        return self._server


class Fleet:
    """All hosts, their listener and their name server."""

    def __init__(self, hosts: int, domains: int, folder: Path, stack: ExitStack) -> None:
        loops = LoopThread()
        loops.start()
        stack.callback(loops.stop)
        self.dns = stack.enter_context(
            DnsServer({".": "@ NS ns.lab.invalid.", "example": zone(domains)})
        )
        surroundings = Surroundings(Network(), NameService(self.dns.address, self.dns.port), loops)
        self.shells = FleetShells()
        wanted = rows(domains)
        for number in range(hosts):
            address = f"127.1.{number >> 8}.{number & 255}"
            name = f"mail{number:04}"
            self.shells.hosts[address] = FleetHost(name, folder / name, surroundings, wanted)
        self.listener = FleetListener(self.shells)
        stack.callback(self.listener.stop)
        self._began = 0.0

    def facts(self) -> dict[str, Any]:
        """Return what an inventory says."""
        return {
            "user": USER,
            "password": PASSWORD,
            "port": self.listener.port,
            "dns_port": self.dns.port,
            "hosts": {host.host.name: address for address, host in self.shells.hosts.items()},
        }

    def command(self, line: str) -> dict[str, Any]:
        """Carry out a command of the benchmark."""
        verb, _skipped, argument = line.partition(" ")
        match verb:
            case "reset":
                self._reset()
            case "right":
                for host in self.shells.hosts.values():
                    host.put_right()
            case "spoil":
                for host in self.shells.hosts.values():
                    host.spoil()
            case "cut":
                self.shells.cut = set(list(self.shells.hosts)[: int(argument)])
            case "counts":
                return self._counts()
            case _:
                raise ValueError(f"no such command: {line}")
        return {}

    def _reset(self) -> None:
        self.listener.traffic.reset()
        server = self.listener.server
        server.sent = server.received = 0
        for host in self.shells.hosts.values():
            host.host.commands.clear()
        self._began = time.process_time()

    def _counts(self) -> dict[str, Any]:
        traffic, server = self.listener.traffic, self.listener.server
        commands = [len(host.host.commands) for host in self.shells.hosts.values()]
        first = next(iter(self.shells.hosts.values()))
        return {
            "requests": traffic.requests,
            "verbs": dict(Counter(traffic.actions)),
            "connections": traffic.connections,
            "bytes": server.sent + server.received,
            "opened_shells": self.shells.opened,
            "open_shells": self.shells.open_count,
            "commands": max(commands),
            "lines": list(first.host.commands),
            "cpu": time.process_time() - self._began,
        }


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--domains", type=int, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="exchange-fleet-") as folder, ExitStack() as stack:
        fleet = Fleet(options.hosts, options.domains, Path(folder), stack)
        print(json.dumps(fleet.facts()), flush=True)
        for line in sys.stdin:
            print(json.dumps(fleet.command(line.strip())), flush=True)


if __name__ == "__main__":
    main()
