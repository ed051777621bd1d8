# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a task: what is accepted, and what is refused before anything is asked."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs import module
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.model import RecordType
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.module import (
    Options,
    parse_nameserver,
    parse_options,
    parse_resolv_conf,
)

Params = Callable[..., dict[str, Any]]


def _options(params: Params, **options: Any) -> Options:
    return parse_options(
        params(**{"domains": ["nestle.com"], "nameservers": ["192.0.2.53"], **options})
    )


def test_rule_1_duplicates_are_folded_and_the_order_stays(params: Params) -> None:
    options = _options(params, domains=["b.example", "A.example.", "a.example", "B.EXAMPLE"])
    assert tuple(options.domains) == ("b.example", "a.example")


def test_rule_1_all_that_is_no_domain_is_named_at_once(params: Params) -> None:
    with pytest.raises(InvalidInput) as caught:
        _options(params, domains=["nestle.com", "a@b.example", "192.0.2.1", ""])
    message = str(caught.value)
    assert message.startswith("domains: ")
    assert "'a@b.example' is an e-mail address" in message
    assert "'192.0.2.1' is an address" in message
    assert "'' is empty" in message
    assert "No name server was asked" in message


def test_rule_1_thousands_of_refusals_are_not_all_told(params: Params) -> None:
    with pytest.raises(InvalidInput, match="and 2980 more") as caught:
        _options(params, domains=[f"user{n}@nestle.com" for n in range(3000)])
    assert len(str(caught.value)) < 3000


def test_an_empty_list_of_domains_needs_no_name_server(
    params: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "RESOLV_CONF", tmp_path / "absent")
    assert parse_options(params(domains=[])).domains == {}


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.53", "192.0.2.53", 53),
        ("192.0.2.53:5353", "192.0.2.53", 5353),
        ("2001:db8::53", "2001:db8::53", 53),
        ("[2001:db8::53]", "2001:db8::53", 53),
        ("[2001:DB8:0::53]:5353", "2001:db8::53", 5353),
        ("fe80::1%lo", "fe80::1%lo", 53),
    ],
)
def test_name_servers_are_addresses_with_or_without_port(
    text: str, address: str, port: int
) -> None:
    server = parse_nameserver(text, 53)
    assert (server.address, server.port) == (address, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ns.example",
        "192.0.2.53:",
        "192.0.2.53:0",
        "192.0.2.53:65536",
        "192.0.2",
        "[192.0.2.53",
        "[ns.example]:53",
        "192.0.2.53:53:53",
        "192.0.2.53 ",
    ],
)
def test_what_is_no_name_server_is_refused(params: Params, text: str) -> None:
    with pytest.raises(InvalidInput, match="is not the address of a name server"):
        _options(params, nameservers=[text])


def test_port_counts_for_name_servers_without_one(params: Params) -> None:
    options = _options(params, nameservers=["192.0.2.53", "192.0.2.54:54"], port=5353)
    assert [str(x) for x in options.nameservers] == ["192.0.2.53:5353", "192.0.2.54:54"]


def test_the_name_servers_of_the_system_are_the_default(
    params: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("# nameserver 192.0.2.1\nsearch hq.example\nnameserver 192.0.2.53\n")
    monkeypatch.setattr(module, "RESOLV_CONF", conf)
    options = _options(params, nameservers=None)
    assert [str(x) for x in options.nameservers] == ["192.0.2.53:53"]


@pytest.mark.parametrize("content", [None, "", "nameserver\nnameserver nonsense\n", "\x00\xff"])
def test_a_system_without_name_servers_is_told(
    params: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    conf = tmp_path / "resolv.conf"
    if content is not None:
        conf.write_text(content, encoding="latin-1")
    monkeypatch.setattr(module, "RESOLV_CONF", conf)
    with pytest.raises(InvalidInput, match=r"contains no name server\. Set nameservers"):
        _options(params, nameservers=None)


def test_resolv_conf_is_read_as_the_system_reads_it() -> None:
    text = (
        "nameserver 192.0.2.1\nnameserver 192.0.2.1\n\tnameserver\t2001:db8::1 # inner\noptions x\n"
    )
    assert [str(x) for x in parse_resolv_conf(text, 53)] == ["192.0.2.1:53", "[2001:db8::1]:53"]


def test_rule_8_own_addresses_may_be_ranges_and_names(params: Params) -> None:
    options = _options(
        params, own_names=["MAIL.hq.example."], own_addresses=["10.0.0.0/8", "mail_5.hq.example"]
    )
    assert options.policy.own_networks.ranges == (ipaddress.ip_network("10.0.0.0/8"),)
    assert options.own_hosts == ("mail_5.hq.example",)
    assert options.policy.own_names == {"mail.hq.example", "mail_5.hq.example"}


def test_rule_10_families_become_record_types(params: Params) -> None:
    both = _options(params, families=["ipv6", "ipv4"])
    assert both.policy.types == (RecordType.A, RecordType.AAAA)
    assert _options(params).policy.types == (RecordType.A,)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("port", 0),
        ("port", 65536),
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", "nan"),
        ("timeout", "inf"),
        ("lifetime", 0),
        ("lifetime", 1e9),
        ("retries", -1),
        ("retries", 99),
        ("concurrency", 0),
        ("concurrency", 100_000),
        ("max_pairs", -1),
    ],
)
def test_numbers_out_of_range_are_refused(params: Params, option: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"{option} is .*it must be from"):
        _options(params, **{option: value})


@pytest.mark.parametrize("option", ["own_names", "own_addresses", "search_list"])
def test_the_other_lists_name_what_is_wrong(params: Params, option: str) -> None:
    with pytest.raises(InvalidInput, match=f"{option}: 'a b' contains white space"):
        _options(params, **{option: ["a b"]})


def test_no_family_at_all_is_refused(params: Params) -> None:
    with pytest.raises(InvalidInput, match="families is empty"):
        _options(params, families=[])
