# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that decide how far a run goes, on variables as the role leaves them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.postmaster.exchange.plugins.filter import (
    delivery_extent,
    delivery_trouble,
    delivery_wishes,
    domains_to_test,
    organisation_writers,
)

ROUTES = [{"domain": "nestle.com", "status": "ok"}, {"domain": "gone.example", "status": "null_mx"}]
CHANGES = {"before": [], "after": [{"domain": "nestle.com", "address": "192.0.2.1", "flag": "0"}]}
LEFT_OUT = {"skipped": True, "changed": False, "false_condition": "no"}
ASKED = {"domains": "NESTLE.com.\ngone.example", "families": ["ipv4"]}


def host(family: str, **more: Any) -> dict[str, Any]:
    return {
        "_mx_delivery_asked": {**ASKED, "family": family},
        "_mx_delivery_planned": None,
        "_mx_delivery_enforced": LEFT_OUT,
        "_mx_delivery_connectors": LEFT_OUT,
        **{f"_mx_delivery_{key}": value for key, value in more.items()},
    }


def test_the_first_host_of_each_organisation_that_answered_changes_it() -> None:
    writers = organisation_writers.FilterModule().filters()["organisation_writers"]

    def of(name: str, forest: str = "hq.example") -> dict[str, Any]:
        return {"organisation": {"name": name, "forest": forest}}

    hostvars = {
        "old": host("imc"),
        "down": host("transport", connectors={"unreachable": True, "msg": "no route"}),
        "a1": host("transport", connectors=of("First")),
        "b1": host("transport", connectors=of("First", "other.example")),
        "a2": host("transport", connectors=of("FIRST")),
        "none": {},
    }
    assert writers(list(hostvars), hostvars) == ["a1", "b1"]
    assert writers(["a2", "a1"], hostvars) == ["a2"]


def test_the_extent_is_that_of_a_look_beforehand_or_of_an_audit() -> None:
    look = delivery_extent.FilterModule().filters()["delivery_extent"]
    hostvars = {
        "planned": host("imc", planned={"routes": CHANGES}),
        "audited": host("imc", enforced={"routes": CHANGES}),
        "server": host("transport", connectors={"steps": [{"domain": "nestle.com"}]}),
        "in place": host("imc", planned={"routes": {"before": [], "after": []}}),
        "of another kind": host("transport", enforced={"routes": CHANGES}),
        "wrong variables": {"_mx_delivery_asked": None},
    }
    found = look(list(hostvars), hostvars, ROUTES, max_changed_hosts=2)
    assert found["changing"] == ["planned", "audited", "server"]
    assert found["domains"] == ["nestle.com"]
    assert found["would_refuse"].startswith(
        "3 of 6 hosts would change; mx_delivery_max_changed_hosts allows 2"
    )
    assert not look(list(hostvars), hostvars, ROUTES, max_changed_hosts=2, force=True)[
        "would_refuse"
    ]
    assert not look(list(hostvars), hostvars, ROUTES)["would_refuse"]


def test_a_limit_that_is_none_is_told_by_its_variable() -> None:
    with pytest.raises(AnsibleFilterError, match="mx_delivery_max_changed_hosts must be a number"):
        delivery_extent.delivery_extent([], {}, [], max_changed_hosts="few")


def test_trouble_is_what_any_task_of_a_host_left() -> None:
    tell = delivery_trouble.FilterModule().filters()["delivery_trouble"]
    for name in ("asked", "info", "planned", "enforced", "connectors", "tested"):
        family = "transport" if name == "connectors" else "imc"
        failed = host(family, **{name: {"failed": True, "msg": f"a: {name}. More."}})
        assert tell(["a", "b"], {"a": failed, "b": host("imc")}) == f"a: {name}"
    assert tell(["b"], {"a": failed, "b": host("imc")}) == ""


TEMPLATE = "{{ lookup('pipe', 'id') }}"


def test_what_others_wrote_is_no_template() -> None:
    """On ansible-core before 2.19 the type says so; from 2.19 on all untagged text is data."""
    failed = host("imc", tested={"failed": True, "msg": TEMPLATE})
    refused = {
        "would_refuse": True,
        "change_limit": {"exceeded": True, "text": TEMPLATE},
        "routes": CHANGES,
    }
    texts = [
        delivery_trouble.delivery_trouble(["a"], {"a": failed}),
        delivery_extent.delivery_extent(["a"], {"a": host("imc", planned=refused)}, ROUTES)[
            "would_refuse"
        ],
    ]
    assert texts == [f"a: {TEMPLATE}"] * 2
    for text in texts:
        assert not is_template(text)


def is_template(text: str) -> bool:
    """Whether Ansible would take a text from a filter for a template."""
    try:
        from ansible._internal._datatag._tags import TrustedAsTemplate  # noqa: PLC0415
    except ImportError:
        return not getattr(text, "__UNSAFE__", False)
    return bool(TrustedAsTemplate.is_tagged_on(text))


def test_domains_that_change_elsewhere_are_tested_where_they_are_pinned() -> None:
    routes = [*ROUTES, {"domain": "aol.com", "status": "ok"}]
    nothing = {"routes": {"before": [], "after": []}}
    listed = ["aol.com", "nestle.com", "gone.example"]
    also = ["nestle.com", "gone.example", "other.example"]
    pick = domains_to_test.domains_to_test
    assert pick(listed, routes, nothing, also=also) == ["nestle.com"]
    assert pick(listed, routes, nothing, "none", also=also) == []
    assert pick(listed, routes, {"skipped": True}, also=also) == []
    assert pick(listed, routes, nothing, "all", also=also) == ["aol.com", "nestle.com"]


def test_wishes_of_all_hosts_are_put_together_once() -> None:
    ask = delivery_wishes.FilterModule().filters()["delivery_wishes"]
    common = {"own_names": ["a"], "own_addresses": [], "braked": False}
    hostvars: dict[str, Any] = {
        "old": host("imc"),
        "new": host("transport"),
        "wrong variables": {"_mx_delivery_asked": {"failed": True, "msg": "no such choice"}},
        "not yet": {},
    }
    hostvars["old"]["_mx_delivery_asked"] |= common
    hostvars["old"]["_mx_delivery_info"] = {"resolver": {"search_list": ["HQ.example"]}}
    hostvars["new"]["_mx_delivery_asked"] = {
        **common,
        "family": "transport",
        "domains": "aol.com\ngone.example",
        "families": ["ipv6", "ipv4"],
        "braked": True,
    }
    resolver = {"search_list": ["hq.example"], "domain": "site.example"}
    hostvars["new"]["_mx_delivery_info"] = {"resolver": resolver}
    assert ask(list(hostvars), hostvars) == {
        "hosts": 2,
        "domains": ["NESTLE.com.", "gone.example", "aol.com"],
        "own_names": ["a"],
        "own_addresses": [],
        "families": ["ipv4", "ipv6"],
        "search_list": ["hq.example"],
        "kinds": ["imc", "transport"],
        "braked": True,
    }
    assert ask([], hostvars)["hosts"] == 0
    # The connector of 5.5 appends the domain as well; what nobody tells, the inventory may say.
    hostvars["old"]["_mx_delivery_info"] = {"resolver": resolver}
    hostvars["new"]["_mx_delivery_asked"]["search_list"] = ["x.example"]
    appended = ask(list(hostvars), hostvars)["search_list"]
    assert appended == ["site.example", "hq.example", "x.example"]


@pytest.mark.parametrize(
    ("said", "seen", "kind", "families"),
    [
        ("imc", LEFT_OUT, "imc", ["ipv4"]),
        ("transport", LEFT_OUT, "transport", ["ipv4", "ipv6"]),
        ("auto", {"family": "imc"}, "imc", ["ipv4"]),
        ("auto", {"family": "transport"}, "transport", ["ipv4", "ipv6"]),
        ("auto", {"family": None}, "imc", ["ipv4"]),
        ("auto", {"unreachable": True}, "", ["ipv4", "ipv6"]),
        ("auto", None, "auto", ["ipv4", "ipv6"]),
    ],
)
def test_what_was_seen_counts_where_nothing_was_said(
    said: str, seen: Any, kind: str, families: list[str]
) -> None:
    told = host("", info=seen)
    told["_mx_delivery_asked"] = {
        "domains": "aol.com",
        "family": said,
        "families": ["ipv4", "ipv6"],
        "own_names": [],
        "own_addresses": [],
        "braked": False,
    }
    wishes = delivery_wishes.delivery_wishes(["a"], {"a": told})
    assert (wishes["kinds"], wishes["families"]) == ([kind], families)
