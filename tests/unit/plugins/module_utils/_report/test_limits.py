# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stops a run over many hosts, from results of tasks as the role registers them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.limits import (
    batches,
    extent,
    gate,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.change_limit import (
    parse_limit,
)

LIMIT = "mx_delivery_max_changed_hosts"


def row(domain: str, address: str) -> dict[str, str]:
    return {"domain": domain, "address": address, "flag": "0"}


def old(*domains: str, switch: bool = False, **more: Any) -> dict[str, Any]:
    """What imc_delivery finds where these domains change, and maybe the registry value."""
    value = {"name": "DisableResolverSearchList", "type": "REG_DWORD", "data": 1}
    return {
        "changed": False,
        "registry": {"before": None if switch else value, "after": value},
        "routes": {"before": [], "after": [row(domain, "192.0.2.1") for domain in domains]},
        **more,
    }


def new(*domains: str, **more: Any) -> dict[str, Any]:
    """What transport_delivery finds where the connectors of these domains change."""
    return {"changed": False, "steps": [{"domain": domain} for domain in domains], **more}


PINNED = ("nestle.com", "aol.com")


def looked(name: str, found: dict[str, Any] | None) -> HostResult:
    """A host with what a comparison found."""
    return HostResult(name, PINNED, compared=found)


def test_without_a_limit_nothing_is_refused_and_the_extent_is_known() -> None:
    looks = [
        looked("a", old("nestle.com")),
        looked("b", old()),
        looked("c", new("aol.com")),
        looked("d", old("gone.example")),
    ]
    reach = extent(looks, PINNED, parse_limit(LIMIT, ""))
    assert reach.changing == ("a", "c", "d")
    assert reach.domains == ("nestle.com", "aol.com")  # of which a test message can tell something
    assert reach.would_refuse == ""


def test_missing_domains_are_counted_over_all_hosts() -> None:
    looks = [
        looked(name, old(gone, removed_domains=[gone, "both.example"]))
        for name, gone in (("a", "one.example"), ("b", "two.example"))
    ]
    name = "mx_delivery_max_removed_domains"
    most = parse_limit(LIMIT, "")
    assert extent(looks, PINNED, most, parse_limit(name, "2")).would_refuse == (
        "3 missing domains would be removed; mx_delivery_max_removed_domains allows 2:"
        " one.example, both.example, two.example"
    )
    for allowed in (parse_limit(name, "3"), parse_limit(name, "2", force=True)):
        assert not extent(looks, PINNED, most, allowed).would_refuse


def test_the_registry_value_concerns_every_domain_that_is_pinned() -> None:
    reach = extent([looked("a", old(switch=True))], PINNED, parse_limit(LIMIT, None))
    assert set(reach.domains) == set(PINNED)


@pytest.mark.parametrize(
    ("limit", "refused"),
    [("2", True), ("3", False), ("0", True), ("74%", True), ("75%", False), ("100%", False)],
)
def test_a_limit_is_a_number_or_a_share_of_all_hosts(limit: str, refused: bool) -> None:
    looks = [looked(name, old("aol.com")) for name in "abc"] + [looked("d", old())]
    assert bool(extent(looks, PINNED, parse_limit(LIMIT, limit)).would_refuse) is refused
    assert not extent(looks, PINNED, parse_limit(LIMIT, limit, force=True)).would_refuse


def test_the_refusal_says_how_many_of_how_many_and_names_some() -> None:
    looks = [looked(f"h{n}", old("aol.com")) for n in range(6)]
    assert extent(looks, PINNED, parse_limit(LIMIT, "10%")).would_refuse == (
        "6 of 6 hosts would change (100 %); mx_delivery_max_changed_hosts allows 10%: h0, h1, h2,"
        " h3, h4 and 1 more"
    )
    one = extent(looks[:1], PINNED, parse_limit(LIMIT, "0"))
    assert one.would_refuse.startswith("1 of 1 host would change; ")


def test_an_organisation_counts_as_one_and_a_percentage_allows_one_change() -> None:
    organisation = {"name": "First Organization", "forest": "hq.example"}
    servers = [looked(f"ex{n}", new("aol.com", organisation=organisation)) for n in range(6)]
    for limit in ("1", "25%", "1%"):
        reach = extent(servers, PINNED, parse_limit(LIMIT, limit))
        assert (len(reach.changing), reach.would_refuse) == (6, "")
    assert extent(servers, PINNED, parse_limit(LIMIT, "0%")).would_refuse.startswith(
        "1 of 1 hosts and organisations would change (100 %)"
    )
    mixed = [*servers, *(looked(f"h{n}", old("aol.com")) for n in range(3))]
    assert extent(mixed, PINNED, parse_limit(LIMIT, "50%")).would_refuse == (
        "4 of 4 hosts and organisations would change (100 %); mx_delivery_max_changed_hosts"
        " allows 50%: First Organization (hq.example), h0, h1, h2"
    )
    assert not extent(mixed, PINNED, parse_limit(LIMIT, "4")).would_refuse


def test_what_was_not_found_changes_nothing_but_counts_as_a_host() -> None:
    looks = [
        looked("a", old("aol.com")),
        looked("b", {"unreachable": True, "msg": "no route"}),
        looked("c", {"failed": True, "steps": [{"domain": "aol.com"}]}),
        looked("d", {"skipped": True}),
        looked("e", None),
    ]
    reach = extent(looks, PINNED, parse_limit(LIMIT, "20%"))
    assert (reach.changing, reach.would_refuse) == (("a",), "")


def test_what_a_limit_of_one_host_refuses_stops_all_and_an_organisation_says_it_once() -> None:
    def refusing(text: str) -> dict[str, Any]:
        return {
            "would_refuse": True,
            "change_limit": {"exceeded": True, "refused": True, "text": text},
        }

    looks = [
        looked("ex-a", new("aol.com", **refusing("2 changes to 2 connectors"))),
        looked("ex-b", new("aol.com", **refusing("2 changes to 2 connectors"))),
        looked("old", old("aol.com", **refusing("9 changes to 10 routes"))),
    ]
    both = extent(looks, PINNED, parse_limit(LIMIT, "1"))
    assert both.would_refuse.endswith(
        "ex-a: 2 changes to 2 connectors; old: 9 changes to 10 routes"
    )
    assert both.would_refuse.startswith("3 of 3 hosts would change")
    assert extent(looks, PINNED, parse_limit(LIMIT, "", force=True)).would_refuse == ""
    many = [looked(f"h{n}", old("aol.com", **refusing(f"{n} changes"))) for n in range(9)]
    assert extent(many, PINNED, parse_limit(LIMIT, "")).would_refuse == (
        "h0: 0 changes; h1: 1 changes; h2: 2 changes; and the same for 6 more hosts"
    )


# -- the gate

DELIVERED = {"domain": "aol.com", "verdict": "delivered", "error": None}
RETURNED = {
    "domain": "nestle.com",
    "verdict": "returned",
    "error": {"code": 550, "enhanced": None, "text": "User unknown"},
}
LATE = {"domain": "late.example", "verdict": "queued", "error": None, "reason": "still waiting"}


def done(name: str, delivery: Any = None, tests: Any = None) -> HostResult:
    return HostResult(name, PINNED, delivery, tests)


def test_a_batch_whose_messages_arrived_opens_the_gate() -> None:
    skipped = {"skipped": True, "changed": False}
    passed = done("a", old("aol.com"), {"results": [DELIVERED]})
    assert gate([passed, done("b", skipped), done("not begun")]) == ""


def test_a_message_that_did_not_arrive_closes_it() -> None:
    tests = {"results": [DELIVERED, RETURNED, LATE]}
    assert gate([done("a", old("aol.com"), tests)]) == (
        "a: test message to nestle.com returned (550 User unknown); a: test message to late.example"
        " queued (still waiting)"
    )


def test_a_host_that_failed_closes_it_with_its_first_sentence() -> None:
    failed = {"failed": True, "msg": "a: the service did not start. All was put back. Next: look."}
    hosts = [done("a", failed, {"results": [RETURNED]}), done("b", {"unreachable": True})]
    assert gate(hosts) == "a: the service did not start; b: failed without a message"
    assert gate([done("c", old("aol.com"), {"failed": True, "msg": "c: no port."})]) == "c: no port"


def test_of_many_failures_some_are_named() -> None:
    many = [done(f"h{n}", {"failed": True, "msg": "no"}) for n in range(5)]
    assert gate(many) == "h0: no; h1: no; h2: no and 2 more"


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ([], []),
        ("", []),
        (1, ["1"]),
        ("10%", ["10%"]),
        ("1, 10%,100%", ["1", "10%", "100%"]),
        ([1, "50%"], ["1", "50%"]),
    ],
)
def test_sizes_of_batches(given: Any, sizes: list[str]) -> None:
    assert batches(given) == sizes


@pytest.mark.parametrize(
    "given", ["half", "0", 0, "-1", "1.5", "10 %", "%", [None], [[1]], "1" * 9]
)
def test_what_is_no_size(given: Any) -> None:
    with pytest.raises(InvalidInput, match="not a batch size"):
        batches(given)
