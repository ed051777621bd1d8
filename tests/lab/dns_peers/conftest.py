# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of all these tests: each is started once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from exchange_lab.mail.dns_server import DnsServer, Fault
from peer_programs import free_address

from . import cases_answers, cases_mx, dnssec
from .generated import Generated, generate
from .servers import Server, nsd, unbound, zone_text
from .signing import sign

ZONES = cases_mx.ZONES | cases_answers.ZONES
UNREADABLE = cases_answers.UNREADABLE

# The authority of this zone is the lab's server, which can go wrong in ways that NSD cannot.
TROUBLE_ZONE = "trouble.example"
TROUBLE_NAMES = {
    Fault.SERVFAIL: "servfail",
    Fault.REFUSED: "refused",
    Fault.MALFORMED: "malformed",
    Fault.TIMEOUT: "silent",
    Fault.NXDOMAIN: "nxdomain",
}
_DNS = 53
# What a secondary that was forgotten still serves.
_STALE = {
    "nestle.com": "@ MX 10 mx1\nmx1 A 192.0.2.99\n",
    "calm.example": "@ MX 10 mx\nmx A 192.0.2.1\n",
    "null.example": "@ MX 10 mx\nmx A 192.0.2.1\n",
}


@dataclass(frozen=True, slots=True)
class Site:
    """All zones that NSD serves, and where the key lies that Unbound trusts."""

    zones: dict[str, str]
    anchor: Path


@pytest.fixture(scope="session")
def generated() -> Generated:
    """The domains of the comparison by number."""
    return generate()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, generated: Generated) -> Site:
    """Zone files of the cases, of the generated domains, and signed ones."""
    folder = tmp_path_factory.mktemp("keys")
    signed = sign(folder, dnssec.PARENT, dnssec.PARENT_RECORDS, dnssec.CHILDREN)
    plain = {**ZONES, **generated.zones, ".": ""}
    zones = {origin: zone_text(origin, records) for origin, records in plain.items()}
    return Site({**zones, **signed}, folder / "anchor.key")


@pytest.fixture(scope="session")
def lab(generated: Generated) -> Iterator[DnsServer]:
    """The lab's own server, with the zones of the cases and the generated ones."""
    trouble = "".join(
        f"{name} NS ns.{name}\nns.{name} A 127.0.0.1\n"
        f"{name} MX 10 mx.{name}\nmx.{name} A 192.0.2.2\nmx.{name} AAAA 2001:db8::2\n"
        for name in TROUBLE_NAMES.values()
    )
    root = {".": "@ NS ns.lab.invalid."}
    with DnsServer({**ZONES, **generated.zones, **root, TROUBLE_ZONE: trouble}) as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Server]:
    """NSD."""
    with nsd(tmp_path_factory.mktemp("nsd"), site.zones, UNREADABLE) as server:
        yield server


@pytest.fixture(scope="session")
def stale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Another NSD, with older data of a few zones, that refuses all others."""
    zones = {origin: zone_text(origin, records) for origin, records in _STALE.items()}
    with nsd(tmp_path_factory.mktemp("stale"), zones) as server:
        yield server


@pytest.fixture(scope="session")
def stubs(site: Site, authority: Server, lab: DnsServer) -> dict[str, int]:
    """Where a resolver finds each zone."""
    return {
        **dict.fromkeys((*site.zones, *UNREADABLE), authority.port),
        **{f"{name}.{TROUBLE_ZONE}": lab.port for name in TROUBLE_NAMES.values()},
    }


@pytest.fixture(scope="session")
def resolver(
    tmp_path_factory: pytest.TempPathFactory, site: Site, stubs: dict[str, int]
) -> Iterator[Server]:
    """Unbound, which validates, explains its failures, and refuses or ignores two zones."""
    lines = [
        "ede: yes",
        'local-zone: "refused.example." always_refuse',
        'local-zone: "denied.example." always_deny',
        "infra-cache-max-rtt: 1000",
    ]
    folder = tmp_path_factory.mktemp("unbound")
    with unbound(
        folder, stubs, anchors=[site.anchor], lines=lines, also=_address_with_port_53()
    ) as server:
        yield server


@pytest.fixture(scope="session")
def terse_resolver(
    tmp_path_factory: pytest.TempPathFactory, site: Site, stubs: dict[str, int]
) -> Iterator[Server]:
    """Another Unbound, which validates and says SERVFAIL without a reason, as many do."""
    folder = tmp_path_factory.mktemp("terse")
    with unbound(folder, stubs, anchors=[site.anchor]) as server:
        yield server


def _address_with_port_53() -> str:
    """Return an address of loopback for programs that know no other port; nothing unless root."""
    return free_address(_DNS) if os.geteuid() == 0 else ""
