# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stops a run over many hosts, from results of tasks as the role registers them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._report.rollout import (
    Look,
    batches,
    extent,
    trouble,
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


def test_without_a_limit_nothing_is_refused_and_the_extent_is_known() -> None:
    looks = [
        Look("a", old("nestle.com"), PINNED),
        Look("b", old(), PINNED),
        Look("c", new("aol.com"), PINNED),
        Look("d", old("gone.example"), PINNED),
    ]
    reach = extent(looks, parse_limit(LIMIT, ""))
    assert reach.changing == ("a", "c", "d")
    assert reach.domains == ("nestle.com", "aol.com")  # of which a test message can tell something
    assert reach.would_refuse == ""


def test_the_registry_value_concerns_every_domain_that_is_pinned() -> None:
    reach = extent([Look("a", old(switch=True), PINNED)], parse_limit(LIMIT, None))
    assert set(reach.domains) == set(PINNED)


@pytest.mark.parametrize(
    ("limit", "refused"),
    [("2", True), ("3", False), ("0", True), ("74%", True), ("75%", False), ("100%", False)],
)
def test_a_limit_is_a_number_or_a_share_of_all_hosts(limit: str, refused: bool) -> None:
    looks = [Look(name, old("aol.com"), PINNED) for name in "abc"] + [Look("d", old(), PINNED)]
    assert bool(extent(looks, parse_limit(LIMIT, limit)).would_refuse) is refused
    assert not extent(looks, parse_limit(LIMIT, limit, force=True)).would_refuse


def test_the_refusal_says_how_many_of_how_many_and_names_some() -> None:
    looks = [Look(f"h{n}", old("aol.com"), PINNED) for n in range(6)]
    assert extent(looks, parse_limit(LIMIT, "10%")).would_refuse == (
        "6 of 6 hosts would change (100 %), more than mx_delivery_max_changed_hosts (10%) allows:"
        " h0, h1, h2, h3 and 2 more"
    )
    one = extent(looks[:1], parse_limit(LIMIT, "0"))
    assert one.would_refuse.startswith("1 of 1 host would change, more than")


def test_what_was_not_found_changes_nothing_but_counts_as_a_host() -> None:
    looks = [
        Look("a", old("aol.com"), PINNED),
        Look("b", {"unreachable": True, "msg": "no route"}, PINNED),
        Look("c", {"failed": True, "steps": [{"domain": "aol.com"}]}, PINNED),
        Look("d", {"skipped": True}, PINNED),
        Look("e", None),
    ]
    reach = extent(looks, parse_limit(LIMIT, "20%"))
    assert (reach.changing, reach.would_refuse) == (("a",), "")


def test_what_a_brake_of_one_host_refuses_stops_all_and_an_organisation_says_it_once() -> None:
    def refusing(text: str) -> dict[str, Any]:
        return {"would_refuse": True, "change_limit": {"text": text}}

    looks = [
        Look("ex-a", new("aol.com", **refusing("2 changes to 2 connectors")), PINNED),
        Look("ex-b", new("aol.com", **refusing("2 changes to 2 connectors")), PINNED),
        Look("old", old("aol.com", **refusing("9 changes to 10 routes")), PINNED),
    ]
    both = extent(looks, parse_limit(LIMIT, "1"))
    assert both.would_refuse.endswith(
        "ex-a: 2 changes to 2 connectors; old: 9 changes to 10 routes"
    )
    assert both.would_refuse.startswith("3 of 3 hosts would change")
    assert extent(looks, parse_limit(LIMIT, "", force=True)).would_refuse == ""
    many = [Look(f"h{n}", old("aol.com", **refusing(f"{n} changes")), PINNED) for n in range(9)]
    assert extent(many, parse_limit(LIMIT, "")).would_refuse == (
        "h0: 0 changes; h1: 1 changes; h2: 2 changes; and the same of 6 hosts more"
    )


# -- the gate

DELIVERED = {"domain": "aol.com", "verdict": "delivered", "error": None}
RETURNED = {
    "domain": "nestle.com",
    "verdict": "returned",
    "error": {"code": 550, "enhanced": None, "text": "User unknown"},
}
LATE = {"domain": "late.example", "verdict": "queued", "error": None, "reason": "still waiting"}


def test_a_batch_whose_messages_arrived_is_no_trouble() -> None:
    skipped = {"skipped": True, "changed": False}
    passed = [None, skipped, old("aol.com"), {"results": [DELIVERED]}]
    assert trouble({"a": passed, "b": [None, None]}) == ""


def test_a_message_that_did_not_arrive_is() -> None:
    results = [old("aol.com"), {"results": [DELIVERED, RETURNED, LATE]}]
    assert trouble({"a": results}) == (
        "a: test to nestle.com returned (550 User unknown); a: test to late.example queued"
        " (still waiting)"
    )


def test_a_host_that_failed_is_and_says_so_in_short() -> None:
    failed = {"failed": True, "msg": "a: the service did not start. All was put back. Next: look."}
    unreachable = {"unreachable": True}
    assert trouble({"a": [failed, {"results": [RETURNED]}], "b": [unreachable]}) == (
        "a: the service did not start; b: failed without a word"
    )


def test_of_much_trouble_some_is_told() -> None:
    many = {f"h{n}": [{"failed": True, "msg": "no"}] for n in range(5)}
    assert trouble(many) == "h0: no; h1: no; h2: no and 2 more"


# -- sizes of batches


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
    with pytest.raises(InvalidInput, match="no size of a batch"):
        batches(given)
