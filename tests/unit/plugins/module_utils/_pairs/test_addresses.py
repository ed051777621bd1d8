# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules 3 and 11: addresses as numbers, and those that no mail server on the Internet has."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.addresses import (
    sort_key,
    why_not_global,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.model import Networks
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("0.0.0.0", "unspecified"),
        ("10.1.2.3", "private"),
        ("100.64.0.1", "shared"),
        ("127.0.0.1", "loopback"),
        ("169.254.1.1", "link-local"),
        ("172.31.255.255", "private"),
        ("192.0.0.8", "protocol"),
        ("192.0.2.25", "documentation"),
        ("192.168.1.1", "private"),
        ("198.19.0.1", "benchmarking"),
        ("198.51.100.9", "documentation"),
        ("203.0.113.1", "documentation"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::ffff:8.8.8.8", "IPv4-mapped"),
        ("64:ff9b::a01:203", "private"),
        ("100::1", "discard"),
        ("2001::1", "protocol"),
        ("2001:db8::1", "documentation"),
        ("2002:808:808::1", "6to4"),
        ("3fff::1", "documentation"),
        ("4000::1", "not allocated"),
        ("fd00::1", "unique local"),
        ("fe80::1", "link-local"),
        ("ff02::1", "multicast"),
    ],
)
def test_rule_11_an_address_that_is_not_global(address: str, reason: str) -> None:
    assert why_not_global(address)[0].startswith(reason)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2a00:1450::1", "64:ff9b::808:808"],
)
def test_rule_11_an_address_that_is_global(address: str) -> None:
    assert why_not_global(address) == ("", False)


@given(st.ip_addresses())
def test_rule_11_never_calls_global_what_python_calls_reserved(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if (
        address.is_multicast
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
    ):
        assert why_not_global(str(address))[0]


def test_rule_3_addresses_sort_as_numbers() -> None:
    texts = ["192.0.2.100", "2001:db8::1", "192.0.2.9", "10.0.0.1", "2001:db8::", "192.0.2.10"]
    assert sorted(texts, key=sort_key) == [
        "10.0.0.1",
        "192.0.2.9",
        "192.0.2.10",
        "192.0.2.100",
        "2001:db8::",
        "2001:db8::1",
    ]


_NETWORKS = st.builds(
    lambda address, bits: ipaddress.ip_network((address, min(bits, address.max_prefixlen)), False),
    st.ip_addresses(),
    st.integers(0, 128),
)


def test_an_address_in_ranges_of_both_families() -> None:
    ours = Networks(
        (ipaddress.ip_network("2001:db8::/32"), ipaddress.ip_network("192.0.2.7/24", strict=False))
    )
    assert "192.0.2.200" in ours
    assert "2001:db8::5" in ours
    assert "192.0.3.1" not in ours
    assert "::ffff:192.0.2.1" not in ours


@given(st.lists(_NETWORKS, max_size=8), st.ip_addresses())
def test_law_an_address_is_in_what_python_says_it_is_in(
    networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network],
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    ours = Networks(tuple(networks))
    assert (str(address) in ours) == any(address in network for network in networks)
    assert all(str(network.network_address) in ours for network in networks)
