# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the work on an organisation's Send connectors grows with its pins.

Exchange is a dictionary in this process that answers at once, so what is measured is the time and
memory of the engine. Each line is one process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / ".build"))

import fleet_lab  # noqa: E402 - the path comes first
import measure  # noqa: E402
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import (  # noqa: E402
    Context,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (  # noqa: E402
    ExchangeError,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import (  # noqa: E402
    Cmdlet,
    CmdletError,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.transport_delivery import (  # noqa: E402
    ARGUMENT_SPEC,
    run,
)

_HEAD = ("what", "pins", "CPU s", "MB", "reads", "changes", "backup.json")
_MEGABYTE = 1_000_000
_PATH = "CN=Connections,CN=First Organization,CN=Microsoft Exchange,CN=Services,CN=Configuration"
#: What a connector of Exchange 2019 shows besides what its parameters say.
_SHOWN: dict[str, Any] = {
    "AuthenticationCredential": None,
    "CloudServicesMailEnabled": False,
    "ConnectedDomains": [],
    "ConnectionInactivityTimeOut": "00:10:00",
    "DNSRoutingEnabled": True,
    "DomainSecureEnabled": False,
    "Enabled": True,
    "ErrorPolicies": "Default",
    "ExchangeVersion": "0.1 (8.0.535.0)",
    "ForceHELO": False,
    "Fqdn": None,
    "FrontendProxyEnabled": False,
    "HomeMTA": "Microsoft MTA",
    "HomeMtaServerId": "EX19",
    "IgnoreSTARTTLS": False,
    "IsScopedConnector": False,
    "IsSmtpConnector": True,
    "IsValid": True,
    "MaxMessageSize": "35 MB (36,700,160 bytes)",
    "ObjectCategory": "hq.example/Configuration/Schema/ms-Exch-Routing-SMTP-Connector",
    "ObjectClass": ["top", "msExchConnector", "mailGateway", "msExchRoutingSMTPConnector"],
    "ObjectState": "Unchanged",
    "OriginatingServer": "dc1.hq.example",
    "Port": 25,
    "ProtocolLoggingLevel": "None",
    "RequireOorg": False,
    "RequireTLS": False,
    "SmartHostAuthMechanism": "None",
    "SmtpMaxMessagesPerConnection": 20,
    "SourceIPAddress": "0.0.0.0",
    "SourceRoutingGroup": "Exchange Routing Group (DWBGZMFD01QNBJR)",
    "SourceTransportServers": ["EX19"],
    "TlsAuthLevel": None,
    "TlsCertificateName": None,
    "TlsDomain": None,
    "UseExternalDNSServersEnabled": False,
}
_SERVER = {
    "Name": "EX19",
    "Fqdn": "ex19.hq.example",
    "AdminDisplayVersion": "Version 15.2 (Build 1118.7)",
    "ServerRole": "Mailbox",
    "Site": "hq.example/Configuration/Sites/HQ",
}


@dataclass(slots=True)
class Organisation:
    """The connectors of an organisation, behind a session; ``refused`` is a name it rejects."""

    refused: str = ""
    host: str = "ex19"
    requests: int = 0
    reads: int = 0
    changes: int = 0
    connectors: dict[str, dict[str, Any]] = field(default_factory=dict)

    def invoke(self, cmdlet: Cmdlet, *, timeout: float = 120.0) -> Sequence[Mapping[str, Any]]:
        """Run a cmdlet."""
        del timeout
        given = dict(cmdlet.parameters)
        if cmdlet.name == "Get-SendConnector":
            self.reads += 1
            return [dict(one) for one in self.connectors.values()]
        if cmdlet.name == "Get-ExchangeServer":
            return [_SERVER]
        if not cmdlet.name.endswith("-SendConnector"):
            return []
        self.changes += 1
        if cmdlet.name == "New-SendConnector":
            if given["Name"] == self.refused:
                raise CmdletError("Access is denied.", cmdlet=cmdlet.name)
            self.make(given)
        elif cmdlet.name == "Set-SendConnector":
            self.connectors[given["Identity"]].update(given)
        else:
            del self.connectors[given["Identity"]]
        return []

    def make(self, given: Mapping[str, Any]) -> None:
        """Make a connector."""
        guid, now = str(uuid.uuid4()), datetime.now(UTC)
        self.connectors[guid] = {
            **_SHOWN,
            "Guid": guid,
            "Identity": given["Name"],
            "DistinguishedName": f"CN={given['Name']},{_PATH},DC=hq,DC=example",
            "WhenCreated": now.isoformat(),
            "WhenCreatedUTC": now.isoformat(),
            **given,
        }

    def reopen(self) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Nothing is open."""


def work(kind: str, pins: int, base: Path) -> tuple[Organisation, float, str]:
    """Do one kind of work; returns the organisation, the CPU seconds, and the size of a backup."""
    there = Organisation()
    internet = {"Name": "Internet", "AddressSpaces": ["SMTP:*;1"], "SmartHosts": []}
    there.make({**internet, "Comment": ""})
    routes = [
        {"domain": fleet_lab.domain(number), "addresses": list(fleet_lab.addresses(number))}
        for number in range(pins)
    ]
    if kind in {"look", "rollback"}:
        _task(there, base, routes=routes)
    there.reads = there.changes = 0
    began = time.process_time()
    if kind == "plan":
        _task(there, base, check=True, routes=routes)
    elif kind == "rollback":
        _task(there, base, state="restored", backup=str(base / "backups"))
    elif kind == "take back":
        there.refused = f"postmaster.exchange {fleet_lab.domain(pins - 1)}"
        try:
            _task(there, base, routes=routes)
        except ExchangeError as error:
            if not error.details["rolled_back"]:
                raise
    else:
        _task(there, base, routes=routes)
    used = time.process_time() - began
    sizes = [path.stat().st_size for path in base.glob("backups/*/*/backup.json")]
    return there, used, f"{max(sizes, default=0) / _MEGABYTE:.1f} MB"


def _task(there: Organisation, base: Path, *, check: bool = False, **given: Any) -> None:
    params = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
    run({**params, **given}, Context("ex19", cmdlets=lambda: there, check_mode=check, basedir=base))


def _case(kind: str, pins: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        there, used, size = work(kind, pins, Path(folder))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shown = [kind, f"{pins:,}", f"{used:.2f}", f"{memory:.0f}", there.reads, there.changes, size]
    print(json.dumps([str(each) for each in shown]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pins", type=int, nargs="+", default=[250, 500, 1_000, 2_000])
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.case:
        _case(options.case[0], int(options.case[1]))
        return
    print(f"{measure.machine()}\n")
    table = []
    for kind in ("look", "plan", "enforce", "take back", "rollback"):
        for pins in options.pins:
            command = [sys.executable, __file__, "--case", kind, str(pins)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            table.append(json.loads(done.stdout))
    print(measure.table(_HEAD, table))


if __name__ == "__main__":
    main()
