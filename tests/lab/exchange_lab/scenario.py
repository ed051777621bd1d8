# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab consists of: zones, far mail servers and Exchange hosts, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .mail.imc_install import IMCCOPY
from .mail.imc_listener import Submission
from .mail.imc_model import V55, Assumptions, Relay, Version
from .mail.smtp_sink import Temper
from .org.versions import Family
from .windows.winrm_server import Settings


@dataclass(frozen=True, slots=True)
class SinkSpec:
    """A far mail server at an internet address."""

    address: str
    name: str
    temper: Temper = Temper.ACCEPT


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that a local user has sent before anybody looks."""

    sender: str
    recipient: str
    subject: str


@dataclass(frozen=True, slots=True)
class HostSpec:
    """An Exchange host.

    ``address`` is its internet address. ``switch`` is the registry value as stored, spelling and
    number, or None where it is absent. ``rows`` are those of its delivery route table, ``extra`` is
    text of further sections of the saved table. ``imccopy`` is where that tool lies (None: it is
    not there). ``letters`` are sent when the lab starts. ``submission`` and ``winrm`` say how the
    host is entered: by default anybody may submit mail, and WinRM takes NTLM only. ``behind`` names
    the management host of a host that has no WinRM itself. ``relay`` is what it does with mail by
    SMTP for other domains, ``forward_to`` the hosts of *Forward all messages to host*, ``arrows``
    the form of its protocol log. A start takes ``start_seconds`` of the host's time, and ends by
    ``start_trouble`` (see imc.NOT_STARTING). ``cluster``: it is a node of a cluster.
    """

    name: str
    version: Version
    address: str
    switch: tuple[str, int] | None = None
    rows: tuple[str, ...] = ()
    extra: str = ""
    imccopy: str | None = IMCCOPY
    tracking: bool = True
    diagnostics: int = 0
    running: bool = True
    letters: tuple[Letter, ...] = ()
    language: str = "en"
    submission: Submission | None = None
    winrm: Settings | None = None
    behind: str = ""
    relay: Relay | None = None
    forward_to: str = ""
    arrows: bool = False
    start_seconds: float = 0.0
    start_trouble: int = 0
    cluster: bool = False


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A server of the organisation; ``letters`` are sent through it when the lab starts."""

    name: str
    family: Family
    letters: tuple[Letter, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """A Send connector that somebody has made; its source are all servers unless it says so.

    ``settings`` are further attributes as the directory has them. They need not be such as
    New-SendConnector takes: organisations have connectors that other tools made.
    """

    name: str
    spaces: tuple[str, ...] = ("SMTP:*;1",)
    smart_hosts: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)


INTERNET = ConnectorSpec("Internet")
"""One connector for the whole internet, which asks DNS."""

HYBRID = ConnectorSpec(
    "My company to Office 365",
    ("smtp:hq.mail.onmicrosoft.example;1",),
    ("hq-example.mail.protection.outlook.example",),
    {
        "CloudServicesMailEnabled": True,
        "Fqdn": "mail.hq.example",
        "RequireTLS": True,
        "TlsAuthLevel": "CertificateValidation",
    },
)
"""The connector that the hybrid configuration makes, as a real organisation shows it."""

FILTER = ConnectorSpec("Filter", ("SMTP:*;1",), ("filter.provider.example",))
"""All mail goes by a relay: Exchange asks no MX."""


@dataclass(frozen=True, slots=True)
class OrganisationSpec:
    """An organisation of Exchange 2010 and later.

    ``domains`` are those its hosts treat. ``replication_delay`` is what a domain controller needs
    to hear of a change, in seconds; ``time_scale`` multiplies the intervals of its queues.
    ``edges`` are subscribed Edge Transport servers by name, ``accepted`` are domains besides the
    own one by name and type, ``lacking`` is what the roles of the lab's user lack (``Set-Queue``,
    ``New-SendConnector -Fqdn``), ``only`` all the rights that user has, where there are any.
    ``resolvers`` are the addresses of a name server elsewhere, with which no question for AAAA is
    lost.
    """

    servers: tuple[ServerSpec, ...]
    domains: tuple[str, ...] = ()
    replication_delay: float = 0.0
    time_scale: float = 1.0
    connectors: tuple[ConnectorSpec, ...] = (INTERNET,)
    edges: Mapping[str, Family] = field(default_factory=dict)
    accepted: Mapping[str, str] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole lab.

    ``zones`` maps origins to master file text (RFC 1035 section 5); names in none of them do not
    exist. ``failing`` names the domains for which DNS answers SERVFAIL, ``ignoring_aaaa`` the names
    whose AAAA questions get no answer (KB972744). ``domains`` are those to be treated, in the
    inventory's order. ``managers`` are hosts that reach all others. ``user`` and ``password`` log
    in to every host. ``time_scale`` multiplies the waits of Windows and its tools.
    """

    hosts: tuple[HostSpec, ...] = ()
    organisation: OrganisationSpec | None = None
    zones: Mapping[str, str] = field(default_factory=dict)
    sinks: tuple[SinkSpec, ...] = ()
    failing: tuple[str, ...] = ()
    ignoring_aaaa: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()
    local_domain: str = "hq.example"
    search_list: tuple[str, ...] = ("hq.example",)
    user: str = "exadmin"
    password: str = "Lab-Passw0rd"
    time_scale: float = 0.1
    assumptions: Assumptions = field(default_factory=Assumptions)


LOCAL_ZONE = (
    "* MX 10 mail\n"
    "@ MX 10 mail\n"
    "mail A 203.0.113.25\n"
    "mail50 A 203.0.113.50\n"
    "mail55 A 203.0.113.55\n"
    "mail55-ok A 203.0.113.56\n"
)
"""The local zone with the wildcard MX of Q150969: every name below it leads back to the site."""

LOCAL_SINKS = (SinkSpec("203.0.113.25", "mail.hq.example", Temper.LOOP),)

NESTLE = (
    "@ MX 10 mx1\n@ MX 20 mx2\n@ MX 20 mx3\nmx1 A 192.0.2.25\nmx2 A 192.0.2.26\nmx3 A 192.0.2.27\n"
)
"""The domain of the article. Its best exchange is the busy one."""

NESTLE_SINKS = (
    SinkSpec("192.0.2.25", "mx1.nestle.com", Temper.BUSY),
    SinkSpec("192.0.2.26", "mx2.nestle.com"),
    SinkSpec("192.0.2.27", "mx3.nestle.com"),
)

_OF_OTHERS = "relay A 10.1.2.4\n"
"""A host that a row of somebody else may name: without an address the service would not start."""

SIMPLE_HOST = HostSpec("mail55", V55, "203.0.113.55", diagnostics=3)
"""An untreated 5.5 host; ``dataclasses.replace`` makes others of it."""


def simple(*hosts: HostSpec) -> Scenario:
    """Return the smallest lab that shows the fault: nestle.com and the hijacking local zone."""
    return Scenario(
        hosts=hosts or (SIMPLE_HOST,),
        zones={"hq.example": LOCAL_ZONE, "nestle.com": NESTLE, "odd.example": _OF_OTHERS},
        sinks=(*LOCAL_SINKS, *NESTLE_SINKS),
        domains=("nestle.com",),
    )


MANAGER = "mgmt1"


def behind_manager(scenario: Scenario, manager: str = MANAGER) -> Scenario:
    """Return the lab with its old hosts behind a management host, as real ones have to be.

    WinRM begins with Windows Server 2003 R2, where Exchange 5.5 does not run.
    """
    hosts = tuple(replace(host, behind=manager, winrm=None) for host in scenario.hosts)
    return replace(scenario, hosts=hosts, managers=(*scenario.managers, manager))
