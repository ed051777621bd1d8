# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An organisation for the tests of Exchange 2010 and later, and the tasks that they share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from exchange_lab.lab import Lab
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.org.versions import Family
from exchange_lab.scenario import (
    LOCAL_SINKS,
    LOCAL_ZONE,
    OrganisationSpec,
    Scenario,
    ServerSpec,
    SinkSpec,
)

MX1, MX2, AOL = "192.0.2.25", "192.0.2.26", "198.51.100.9"
RESOLVER = "203.0.113.53"
SCENARIO = Scenario(
    organisation=OrganisationSpec(
        servers=(
            ServerSpec("ex10", Family.E2010),
            ServerSpec("ex16", Family.E2016),
            ServerSpec("exse", Family.SE),
        ),
        time_scale=0.02,
        resolvers=(RESOLVER,),
    ),
    zones={
        "hq.example": LOCAL_ZONE,
        "nestle.com": f"@ MX 10 mx1\n@ MX 20 mx2\nmx1 A {MX1}\nmx2 A {MX2}\n",
        "aol.com": f"@ MX 10 mx\nmx A {AOL}\n",
    },
    sinks=(
        *LOCAL_SINKS,
        SinkSpec(MX1, "mx1.nestle.com"),
        SinkSpec(MX2, "mx2.nestle.com"),
        SinkSpec(AOL, "mx.aol.com", Temper.BUSY),
    ),
    ignoring_aaaa=("mx1.nestle.com",),
    domains=("nestle.com", "aol.com"),
)
"""nestle.com cannot be delivered, for its name server ignores AAAA (KB972744); aol.com is busy.

By RESOLVER nestle.com can be resolved.
"""


def transport(module: str, **options: Any) -> dict[str, Any]:
    """A task of a module with the endpoint that the inventory names."""
    given = {"family": "transport", "endpoint": "{{ mx_delivery_endpoint }}", **options}
    return {f"postmaster.exchange.{module}": given}


def send(lab: Lab, recipient: str, server: str = "ex16") -> None:
    """Send a message through a server, as a user of it would."""
    content = b"Subject: Your call of this morning\r\n\r\nHello\r\n"
    lab.servers[server].transport.submit("sales@hq.example", (recipient,), content, "127.0.0.1")


def waits(lab: Lab, count: int, server: str = "ex16") -> None:
    """Wait until that many queues of a server have failed once."""
    until(lambda: sum(bool(one.last_error) for one in lab.servers[server].queues) >= count)


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for something to happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.03)


def pin(lab: Lab, domain: str, *addresses: str) -> None:
    """Create the connector of Microsoft's workaround, as an administrator would."""
    organisation = lab.organisation
    assert organisation is not None
    options = {"auth": "ntlm", "encryption": "always"}
    with organisation.session("ex16", lab.scenario.user, **options) as session:
        made = session.run(
            "New-SendConnector",
            Name=f"pin {domain}",
            AddressSpaces=[domain],
            DNSRoutingEnabled=False,
            SmartHosts=list(addresses),
            SourceTransportServers=["ex16"],
        )
    assert made.error_ids == []
