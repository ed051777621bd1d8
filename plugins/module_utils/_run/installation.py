# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host said of its Exchange, handed from one task to the next: option and result. Pure.

The values come from a playbook, and go where those of a host go: into command lines and cmdlets.
So they pass the same checks.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .._base.errors import InvalidInput
from .._connectors.servers import KnownServers
from .._imc.host import ImcHost, Service, ServiceState
from .._pairs.names import parse_domain
from .._remote.commands import computer_name, windows_path

VERSIONS = ("2010", "2013", "2016", "2019", "SE")

INSTALLATION_SPEC: dict[str, dict[str, Any]] = {
    "installation": {
        "type": "dict",
        "options": {
            "service": {"type": "str", "choices": [state.words for state in ServiceState]},
            "build": {"type": "int"},
            "root_dir": {"type": "str"},
            "tracking_folder": {"type": "str"},
            "pickup": {"type": "bool"},
            "domain": {"type": "str"},
            "version": {"type": "str", "choices": [*VERSIONS]},
            "server": {"type": "str"},
            "servers": {"type": "list", "elements": "str"},
        },
    },
}


@dataclass(frozen=True, slots=True)
class Installation:
    """What is known of an installation; None, or empty, is what is not.

    Of the Internet Mail Connector: the state of its service, Exchange's newest build, the
    connector's folder, that of the tracking log, whether there is a Pickup folder that it reads,
    and the host's TCP/IP domain. Of Exchange 2010 and later: which server of the organisation the
    host is, its version, and the names of all servers that transport mail.
    """

    service: ServiceState | None = None
    build: int | None = None
    root_dir: str = ""
    tracking_folder: str = ""
    pickup: bool | None = None
    domain: str = ""
    version: str = ""
    server: str = ""
    servers: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as the option takes it: what is not known is left out."""
        found = {
            "service": self.service.words if self.service is not None else None,
            "build": self.build,
            "root_dir": self.root_dir,
            "tracking_folder": self.tracking_folder,
            "pickup": self.pickup,
            "domain": self.domain,
            "version": self.version,
            "server": self.server,
            "servers": list(self.servers),
        }
        return {name: value for name, value in found.items() if value not in (None, "", [])}

    @property
    def imc_host(self) -> ImcHost:
        """What is known of a host with an Internet Mail Connector."""
        return ImcHost(
            service=None if self.service is None else Service(self.service, None),
            build=self.build,
            root_dir=self.root_dir,
            tracking_dir=self.tracking_folder,
            dns_domain=self.domain,
            pickup=self.pickup,
        )

    @property
    def servers_known(self) -> KnownServers:
        """What is known of an organisation."""
        return KnownServers(self.servers, self.server, self.version)


#: Nothing is known: a host has to be asked for everything.
NOTHING = Installation()


def parse_installation(params: Mapping[str, Any]) -> Installation:
    """Return the option, checked; raises InvalidInput before anything is asked of the host."""
    given = params.get("installation") or {}
    words = given.get("service")
    return Installation(
        service=next((state for state in ServiceState if state.words == words), None),
        build=given.get("build"),
        root_dir=_checked(given, "root_dir", windows_path),
        tracking_folder=_checked(given, "tracking_folder", windows_path),
        pickup=given.get("pickup"),
        domain=_checked(given, "domain", lambda text: parse_domain(text, host=True)),
        version=given.get("version") or "",
        server=_checked(given, "server", computer_name),
        servers=tuple(
            _check("servers", name, computer_name) for name in given.get("servers") or ()
        ),
    )


def _checked(given: Mapping[str, Any], name: str, check: Callable[[str], str]) -> str:
    text = given.get(name) or ""
    return _check(name, text, check) if text else ""


def _check(name: str, text: str, check: Callable[[str], str]) -> str:
    try:
        return check(text)
    except InvalidInput as error:
        raise InvalidInput(f"installation.{name}: {error.message}") from None


def usable(text: str, check: Callable[[str], str] = windows_path) -> str:
    """Return what a host said as it can be handed on, or nothing: then it is asked again."""
    try:
        return check(text) if text else ""
    except InvalidInput:
        return ""
