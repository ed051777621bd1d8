# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue of an Internet Mail Connector: its performance counters, and whom it reaches."""

from __future__ import annotations

from ansible_collections.postmaster.exchange.plugins.module_utils._imc.protocol_log import (
    Contact,
    LogContents,
    LoggedFailure,
    parse_log,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.queue import (
    counters_command,
    next_hops,
    read_counters,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import Section
from hypothesis import given
from hypothesis import strategies as st

_TYPEPERF = (
    b'\r\n"(PDH-CSV 4.0)","\\\\MAIL55\\MSExchangeIMC\\Queued Outbound",'
    b'"\\\\MAIL55\\MSExchangeIMC\\Connections Total Failed"\r\n'
    b'"11/23/2026 12:00:00.123","2.000000","16.000000"\r\n'
    b"Exiting, please wait...\r\nThe command completed successfully.\r\n"
)


def test_counters_are_read_by_name_and_missing_ones_are_said() -> None:
    warnings: list[str] = []
    found = read_counters(Section("counters", 0, _TYPEPERF), warnings)

    assert found == {
        "queued_outbound": 2,
        "connections_failed": 16,
        "ndrs": None,
        "outbound_messages": None,
    }
    assert "does not return all" in warnings[0]


def test_without_typeperf_nothing_is_known() -> None:
    warnings: list[str] = []
    section = Section("counters", 9009, b"'typeperf' is not recognized")
    found = read_counters(section, warnings)

    assert set(found.values()) == {None}
    assert "typeperf was not found" in warnings[0]


def test_counters_of_another_computer_are_asked_of_it() -> None:
    assert r'"\\MAIL4OLD\MSExchangeIMC\Queued Outbound"' in counters_command("MAIL4OLD")


@given(st.binary(max_size=1000))
def test_no_output_makes_the_counters_raise(output: bytes) -> None:
    read_counters(Section("counters", 0, b'"(PDH-CSV 4.0)","a"\r\n"' + output), [])


def hops(*contacts: tuple[str, bool | None], failures: tuple[LoggedFailure, ...] = ()) -> list[str]:
    made = tuple(Contact(address, frozenset(), silent) for address, silent in contacts)
    return [hop.address for hop in next_hops(LogContents(failures, made)) if hop.silent]


def test_the_newest_connection_that_ended_tells_who_is_silent() -> None:
    greeted, silent, open_still = False, True, None
    assert hops(("192.0.2.1", silent), ("192.0.2.2", greeted)) == ["192.0.2.1"]
    assert hops(("192.0.2.1", greeted), ("192.0.2.1", silent)) == []
    assert hops(("192.0.2.1", open_still), ("192.0.2.1", silent), ("::1", greeted)) == ["192.0.2.1"]
    # A log without any reply may be of a level that shows none.
    assert hops(("192.0.2.1", silent)) == []
    unreachable = parse_log(b"499 No routing hosts are reachable for a.example.\r\n").failures
    assert hops(("192.0.2.1", silent), failures=unreachable) == ["192.0.2.1"]
