# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_info of Exchange 2010 and later: registry, cmdlets, and what of them is missing."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    HostUnreachable,
    InvalidInput,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    servers as transport_servers,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import windows_resolver
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import CmdletError
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    exchange_info as run_exchange_info,
)
from delivery_fakes import DirectSession
from exchange_lab.windows.host import LabHost
from transport_fakes import EX10, EX16, Answer, FakeCmdlets, refused

SETUP = r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v15\Setup"
TCPIP = windows_resolver.NETWORK_KEY
LEGACY_DN = "/o=First Organization/ou=Exchange Administrative Group/cn=EX16"
NO_CMDLETS = HostUnreachable("ex16: no session with Exchange's PowerShell: refused.")


def exchange_server(name: str = "EX16", **more: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "Fqdn": f"{name}.hq.example",
        "IsHubTransportServer": True,
        "AdminDisplayVersion": "Version 15.2 (Build 2562.17)",
        "ExchangeLegacyDN": LEGACY_DN,
        "Site": "hq.example/Configuration/Sites/Main",
        "ServerRole": "Mailbox",
        "Edition": "Standard",
        **more,
    }


def settings(name: str = "EX16", **more: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "ExternalDNSServers": ["203.0.113.53", "203.0.113.54"],
        "ExternalDNSAdapterEnabled": False,
        "ExternalDNSAdapterGuid": "00000000-0000-0000-0000-000000000000",
        "ExternalDNSProtocolOption": "Any",
        "MessageTrackingLogEnabled": True,
        "MessageTrackingLogPath": r"C:\Exchange\TransportRoles\Logs\MessageTracking",
        **more,
    }


@pytest.fixture
def modern(machine: LabHost) -> LabHost:
    """A Windows host with what Setup of Subscription Edition leaves, and two suffixes."""
    numbers = {"MsiProductMajor": 15, "MsiProductMinor": 2, "MsiBuildMajor": 2562}
    for name, number in {**numbers, "MsiBuildMinor": 17}.items():
        machine.registry.set(SETUP, name, "REG_DWORD", number)
    machine.registry.set(TCPIP, "Domain", "REG_SZ", "hq.example")
    adapter = TCPIP + r"\Interfaces\{6B29FC40-CA47-1067-B31D-00DD010662DA}"
    machine.registry.set(adapter, "DhcpDomain", "REG_SZ", "corp.hq.example")
    return machine


def info(
    host: LabHost | None, family: str = "auto", *, computer: str = "", **answers: Answer
) -> dict[str, Any]:
    """Run exchange_info for the inventory's host ex16, which lacks WinRM without a ``host``."""
    named = {name.replace("_", "-"): answer for name, answer in answers.items()}
    cmdlets = FakeCmdlets(
        {"Get-ExchangeServer": [exchange_server()], "Get-TransportService": [settings()], **named}
    )
    context = Context(
        host="ex16",
        session=DirectSession(host) if host else None,
        no_session=None if host else InvalidInput("The connection needs user and password."),
        cmdlets=lambda: cmdlets,
        address="192.0.2.16",
    )
    return run_exchange_info.run({"family": family, "target_computer": computer}, context)


def test_the_registry_leads_to_the_cmdlets(modern: LabHost) -> None:
    result = info(modern)
    assert (result["family"], result["version"], result["build"]) == (
        "transport",
        "SE",
        "15.2.2562.17",
    )
    assert (result["organisation"], result["server"]) == ("First Organization", "EX16")
    (server,) = result["servers"]
    assert (server["fqdn"], server["site"], server["transport"]) == (
        "EX16.hq.example",
        "Main",
        True,
    )
    assert server["external_dns"] == {
        "servers": ["203.0.113.53", "203.0.113.54"],
        "adapter_enabled": False,
        "adapter_guid": "00000000-0000-0000-0000-000000000000",
        "protocol": "Any",
    }
    assert result["tracking"]["folder"] == r"C:\Exchange\TransportRoles\Logs\MessageTracking"
    assert result["warnings"] == []


def test_the_suffixes_of_windows_are_its_search_list(modern: LabHost) -> None:
    resolver = info(modern)["resolver"]
    assert (resolver["search_list"], resolver["source"]) == (
        ["hq.example", "corp.hq.example"],
        "suffixes",
    )
    modern.registry.set(TCPIP, "SearchList", "REG_SZ", "a.example,b.example")
    resolver = info(modern)["resolver"]
    assert (resolver["search_list"], resolver["source"]) == (
        ["a.example", "b.example"],
        "search_list",
    )
    modern.registry.set(windows_resolver.POLICY_KEY, "SearchList", "REG_SZ", "policy.example")
    resolver = info(modern)["resolver"]
    assert (resolver["search_list"], resolver["source"]) == (["policy.example"], "policy")
    assert (resolver["domain"], resolver["adapters"]) == ("hq.example", ["corp.hq.example"])


def test_the_registry_alone_tells_the_version_where_cmdlets_cannot_run(modern: LabHost) -> None:
    result = info(modern, Get_ExchangeServer=NO_CMDLETS)
    assert (result["family"], result["version"], result["servers"]) == ("transport", "SE", [])
    assert result["resolver"]["domain"] == "hq.example"
    (note,) = result["warnings"]
    assert "The organisation could not be read." in note
    assert "refused" in note


def test_who_asks_for_the_transport_family_gets_its_error(modern: LabHost) -> None:
    with pytest.raises(HostUnreachable, match="Exchange's PowerShell"):
        info(modern, "transport", Get_ExchangeServer=NO_CMDLETS)


def test_without_winrm_the_resolver_is_not_known_and_said_so() -> None:
    result = info(None, "transport")
    assert (result["version"], result["resolver"]) == ("SE", None)
    (note,) = result["warnings"]
    assert "The DNS suffixes of Windows could not be read" in note
    with pytest.raises(InvalidInput, match="user and password"):
        info(None, "auto")


def test_a_host_of_neither_kind_has_no_exchange(machine: LabHost) -> None:
    assert info(machine)["family"] == "none"


def test_exchange_2010_has_the_older_cmdlet() -> None:
    unknown = CmdletError(
        "The term is not recognized.",
        cmdlet="Get-TransportService",
        error_id="CommandNotFoundException",
    )
    result = info(
        None,
        "transport",
        Get_ExchangeServer=[exchange_server(AdminDisplayVersion="Version 14.3 (Build 123.4)")],
        Get_TransportService=unknown,
        Get_TransportServer=[settings()],
    )
    assert (result["version"], result["service_pack"]) == ("2010", "SP3")
    assert result["servers"][0]["external_dns"]["servers"] == ["203.0.113.53", "203.0.113.54"]


def test_settings_that_are_denied_are_a_note() -> None:
    result = info(None, "transport", Get_TransportService=refused("Get-TransportService"))
    assert result["servers"][0]["external_dns"] is None
    assert any(
        "settings of the Transport service could not be read" in x for x in result["warnings"]
    )


def test_tracking_that_is_off_is_said_beforehand() -> None:
    off = [settings(MessageTrackingLogEnabled=False)]
    result = info(None, "transport", Get_TransportService=off)
    assert any("tracking is off on ex16" in note for note in result["warnings"])


def test_among_several_servers_the_inventory_or_the_option_says_which() -> None:
    servers = [exchange_server("MBX1"), exchange_server("MBX2")]
    result = info(None, "transport", Get_ExchangeServer=servers)
    assert (result["server"], result["version"]) == (None, None)
    assert any("MBX1, MBX2. Set target_computer" in note for note in result["warnings"])
    named = info(None, "transport", computer="mbx2", Get_ExchangeServer=servers)
    assert (named["server"], named["version"]) == ("MBX2", "SE")


def test_an_organisation_without_a_server_is_an_error() -> None:
    with pytest.raises(ExchangeError, match="returned no servers"):
        info(None, "transport", Get_ExchangeServer=[])
    broken = exchange_server()
    del broken["Name"]
    with pytest.raises(ExchangeError, match="without a name"):
        info(None, "transport", Get_ExchangeServer=[broken])


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("EX16.hq.EXAMPLE.",), "EX16"),
        (("nobody", "ex10"), "EX10"),
        (("ex16.other.example",), "EX16"),  # the same server under another suffix
        (("192.0.2.16",), None),
        (("",), None),
    ],
)
def test_which_server_a_name_means(names: tuple[str, ...], found: str | None) -> None:
    server = transport_servers.this_server([EX10, EX16], *names)
    assert (server.name if server else None) == found
