# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session with Exchange's PowerShell whose answers a test gives, and objects as cmdlets show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    servers as transport_servers,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    servers as transport_versions,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import (
    Cmdlet,
    CmdletError,
)

Reply = Callable[[Mapping[str, Any]], Any]
Answer: TypeAlias = "Sequence[Mapping[str, Any]] | Exception | Reply"

DNS_FAILED = "451 4.4.0 DNS query failed"
BUSY = (
    "[{LRT=11/23/2026 11:45:07 AM};{LED=451 4.4.0 Primary target IP address responded with:"
    ' "421 4.3.2 Service not available". Attempted failover to alternate host, but that did not'
    " succeed. Either there are no alternate hosts, or delivery failed to all alternate hosts. The"
    " last endpoint attempted was 192.0.2.25:25};{FQDN=demon.nestle.com};{IP=192.0.2.25}]"
)
REFUSED = (
    "[{LRT=11/23/2026 11:45:07 AM};{LED=441 4.4.1 Error encountered while communicating with"
    ' primary target IP address: "Failed to connect. Winsock error code: 10061, Win32 error code:'
    ' 10061." Attempted failover to alternate host, but that did not succeed. The last endpoint'
    " attempted was 192.0.2.25:25};{FQDN=demon.nestle.com};{IP=192.0.2.25}]"
)


def refused(cmdlet: str, words: str = "The LDAP server is unavailable.") -> CmdletError:
    """What a session raises where Exchange refuses a cmdlet."""
    return CmdletError(f"ex16: {cmdlet} failed: {words}", cmdlet=cmdlet, error_id="DC3A,Get")


@dataclass
class FakeCmdlets:
    """Answers by the name of the cmdlet: objects, an error, or what a function makes of it."""

    answers: dict[str, Answer]
    host: str = "ex16"
    requests: int = 0
    asked: list[Cmdlet] = field(default_factory=list)
    reopened: int = 0

    def invoke(self, cmdlet: Cmdlet, *, timeout: float = 120.0) -> Sequence[Mapping[str, Any]]:
        self.asked.append(cmdlet)
        answer: Any = self.answers.get(cmdlet.name, ())
        if callable(answer):
            answer = answer(cmdlet.parameters)
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    def names(self) -> list[str]:
        """The cmdlets that were run, in order."""
        return [cmdlet.name for cmdlet in self.asked]

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        pass


def server(
    name: str = "EX16", display: str = "Version 15.1 (Build 2507.6)"
) -> transport_servers.Server:
    """A Transport server."""
    return transport_servers.Server(
        name=name,
        fqdn=f"{name}.hq.example",
        build=transport_versions.parse_display_version(display),
        display_version=display,
        edition="Standard",
        roles="Mailbox",
        site="Default",
        transport=True,
        organisation="First Organization",
    )


EX10 = server("EX10", "Version 14.3 (Build 123.4)")
EX16 = server()


def queue(
    identity: str = r"EX16\1",
    next_hop: str = "nestle.com",
    error: str | None = DNS_FAILED,
    **properties: Any,
) -> dict[str, Any]:
    """A queue as Get-Queue shows it; by default one that DNS fails."""
    return {
        "Identity": identity,
        "DeliveryType": "DnsConnectorDelivery",
        "NextHopDomain": next_hop,
        "Status": "Retry" if error else "Active",
        "MessageCount": 1,
        "LastError": error,
        "NextRetryTime": "2026-11-23T11:55:07Z",
        **properties,
    }


def smart_queue(identity: str = r"EX16\2", error: str | None = REFUSED, **more: Any) -> Any:
    """The queue of a pinned connector."""
    hop = "[192.0.2.25],[192.0.2.26]"
    return queue(identity, hop, error, DeliveryType="SmartHostConnectorDelivery", **more)


def message(*recipients: str, received: str = "2026-11-23T11:40:00.1234567Z") -> dict[str, Any]:
    """A message as Get-Message shows it."""
    return {
        "Identity": r"EX16\2\1001",
        "Queue": r"EX16\2",
        "DateReceived": received,
        "LastError": None,
        "Recipients": list(recipients) or None,
    }
