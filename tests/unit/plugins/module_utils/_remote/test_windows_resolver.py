# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Suffixes from a host: only valid names are used in the questions for all hosts."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import gather_host
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.windows_resolver import (
    names_in,
    odd_note,
    read_resolver,
    suffixes,
)
from delivery_fakes import DirectSession
from exchange_lab.windows.host import LabHost

TCPIP = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
ODD = "hq.example,a..b {{x}} \x1b[2J WORKGROUP_1 192.0.2.1"


def test_names_and_what_is_none() -> None:
    assert suffixes(names_in(ODD)) == ("hq.example", "WORKGROUP_1")
    note = odd_note(names_in(ODD))
    assert note.startswith("TCP/IP has invalid suffixes, ignored here: 'a..b', ")
    assert note.endswith(" and 1 more")
    assert note.isprintable()
    assert odd_note(["hq.example", ""]) == ""


@pytest.mark.parametrize("domain", ["hq.example", "{{ lookup('pipe', 'id') }}"])
def test_both_kinds_of_host_keep_nonsense_to_themselves(
    machine: LabHost, session: DirectSession, domain: str
) -> None:
    machine.registry.set(TCPIP, "Domain", "REG_SZ", domain)
    machine.registry.set(TCPIP, "SearchList", "REG_SZ", ODD)
    good = domain if domain == "hq.example" else ""

    old = gather_host(session)
    assert (old.dns_domain, old.search_list) == (good, ("hq.example", "WORKGROUP_1"))
    assert "'a..b'" in old.odd_suffixes

    new = read_resolver(session, "")
    assert (new.domain, new.search_list) == (good, ("hq.example", "WORKGROUP_1"))
    assert "'a..b'" in new.odd
    assert ("lookup" in new.odd) == (not good)


def test_name_servers_of_both_kinds_of_host(machine: LabHost, session: DirectSession) -> None:
    """Windows NT has them in one key, later versions for each adapter; DHCP's give way."""
    assert read_resolver(session, "").nameservers == ()
    machine.registry.set(TCPIP, "NameServer", "REG_SZ", "10.0.0.53 nonsense")
    adapter = TCPIP + r"\Interfaces\{1}"
    machine.registry.set(adapter, "NameServer", "REG_SZ", "10.0.0.54,10.0.0.53")
    machine.registry.set(adapter, "DhcpNameServer", "REG_SZ", "10.0.0.99")
    assert gather_host(session).nameservers == ("10.0.0.53",)
    assert read_resolver(session, "").nameservers == ("10.0.0.53", "10.0.0.54")
