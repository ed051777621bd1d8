# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running organisation: endpoints, Transport services, and a pypsrp client that asks them.

::

    with OrganisationLab.build({"EX01": Family.E2016}, users={"admin@hq.example": "pw"}) as lab:
        with lab.session("EX01", "admin@hq.example") as session:
            print(session.run("Get-SendConnector").objects)
"""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pypsrp.complex_objects import GenericComplexObject
from pypsrp.exceptions import WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.shell import SignalCode
from pypsrp.wsman import WSMan

from ..windows.winrm_listener import HttpListener, Settings
from .endpoint import PATH, PowerShellEndpoint
from .organisation import Organisation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from ..windows.certificates import Certificate
    from ..windows.winrm_auth import Acceptor
    from .transport import TransportService, World
    from .versions import Family


OPEN = Settings(basic=True, allow_unencrypted=True)
"""Everything that a client may want: Basic without TLS is never allowed by a real Exchange."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a cmdlet answered, in plain values; ``failed`` is whether the pipeline failed."""

    objects: list[dict[str, Any]]
    error_ids: list[str]
    messages: list[str]
    warnings: list[str]
    failed: bool


@dataclass(slots=True)
class Session:
    """An open runspace pool."""

    pool: RunspacePool

    def run(self, cmdlet: str, **parameters: object) -> Answer:
        """Run one cmdlet, and end its pipeline, which counts against a limit until then."""
        shell = PowerShell(self.pool)
        shell.add_cmdlet(cmdlet).add_parameters(parameters)
        try:
            output = shell.invoke()
        finally:
            with contextlib.suppress(WSManFaultError):  # it was never begun
                self.pool.shell.signal(SignalCode.TERMINATE, str(shell.id).upper())
        return Answer(
            [_plain(item.adapted_properties) for item in output],
            [str(record.fq_error) for record in shell.streams.error],
            [str(record) for record in shell.streams.error],
            [str(record.message) for record in shell.streams.warning],
            bool(shell.had_errors),
        )


def _plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in properties.items()}


def _value(value: object) -> object:
    """A multi-valued property as pypsrp leaves it (an object around XML text) as a list."""
    if isinstance(value, GenericComplexObject) and value.property_sets:
        return [item.text or "" for item in ET.fromstring(value.property_sets[0])]
    return value


@dataclass(slots=True)
class OrganisationLab:
    """The organisation with one web server for each Exchange server; a context manager.

    ``world`` adds the Transport services: without it there is only the PowerShell endpoint.
    """

    organisation: Organisation
    world: World | None = None
    certificate: Certificate | None = None
    settings: Settings = OPEN
    acceptor: Acceptor | None = None
    endpoints: dict[str, PowerShellEndpoint] = field(default_factory=dict)
    listeners: dict[str, HttpListener] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        servers: Mapping[str, Family],
        *,
        users: Mapping[str, str],
        domain_controllers: Sequence[str] = ("dc1", "dc2"),
        replication_delay: float = 0.0,
        world: World | None = None,
        certificate: Certificate | None = None,
        settings: Settings = OPEN,
        acceptor: Acceptor | None = None,
        edges: Mapping[str, Family] | None = None,
    ) -> Self:
        """A lab of servers by name and generation; see Organisation.build."""
        organisation = Organisation.build(
            servers,
            edges=edges,
            domain_controllers=domain_controllers,
            replication_delay=replication_delay,
            users=users,
        )
        return cls(organisation, world, certificate, settings, acceptor)

    def start(self) -> Self:
        """Start everything."""
        self.organisation.subscribe_edges()
        if self.world is not None:
            self.organisation.start_transport(self.world)
        for server in self.organisation.inside:
            endpoint = PowerShellEndpoint(self.organisation, server)
            self.endpoints[server.name] = endpoint
            self.listeners[server.name] = HttpListener(
                server.name,
                self.organisation.users,
                endpoint,
                path=PATH,
                certificate=self.certificate,
                settings=self.settings,
                acceptor=self.acceptor,
            )
        return self

    def close(self) -> None:
        """Stop everything."""
        for listener in self.listeners.values():
            listener.stop()
        self.organisation.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def port(self, server: str) -> int:
        """The loopback port of a server's PowerShell endpoint."""
        return self.listeners[server].port

    def requests(self, server: str | None = None) -> int:
        """HTTP requests to one server's endpoint, or to all; logins included."""
        wanted = self.listeners.values() if server is None else [self.listeners[server]]
        return sum(listener.traffic.requests for listener in wanted)

    def transport(self, server: str) -> TransportService:
        """The Transport service of a server."""
        return self.organisation.transports[server]

    @contextlib.contextmanager
    def session(self, server: str, user: str, **options: Any) -> Iterator[Session]:
        """A runspace pool at a server, by Basic unless the options (of pypsrp's WSMan) say else."""
        chosen = {"auth": "basic", "encryption": "never", "cert_validation": False, **options}
        wsman = WSMan(
            "127.0.0.1",
            port=self.port(server),
            ssl=self.certificate is not None,
            path="PowerShell",
            username=user,
            password=chosen.pop("password", self.organisation.users.get(user)),
            **chosen,
        )
        with wsman, RunspacePool(wsman, configuration_name="Microsoft.Exchange") as pool:
            yield Session(pool)
