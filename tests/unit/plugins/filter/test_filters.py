# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the role, as Jinja calls them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.postmaster.exchange.plugins.filter import (
    backup_list,
    changed_domains,
    delivery_diagnosis,
    domain_names,
    domains_to_test,
    routes_for,
)


def test_domain_names_takes_names_and_dictionaries_and_folds_repetitions() -> None:
    names = domain_names.FilterModule().filters()["domain_names"]
    partner = {"name": "partner.example", "test_recipient": "a@partner.example"}
    assert names(["nestle.com", partner, "nestle.com"]) == ["nestle.com", "partner.example"]


@pytest.mark.parametrize(
    "domains", ["nestle.com", None, [{"domain": "nestle.com"}], [7], [None], [""], ["a.de\nb.de"]]
)
def test_domain_names_refuses_what_is_no_list_of_domains(domains: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="domain"):
        domain_names.domain_names(domains)


def test_routes_for_understands_every_spelling_of_a_name() -> None:
    routes = [{"domain": name} for name in ("nestle.com", "aol.com", "xn--bcher-kva.example")]
    pick = routes_for.FilterModule().filters()["routes_for"]
    assert pick(routes, ["AOL.com.", "bücher.example"]) == routes[1:]
    assert pick(routes, []) == []


def test_routes_for_keeps_the_addresses_of_the_families_asked_for() -> None:
    both = {"domain": "a.example", "status": "ok", "addresses": ["192.0.2.1", "2001:db8::1"]}
    new = {"domain": "b.example", "status": "ok", "addresses": ["2001:db8::2"]}
    gone = {"domain": "c.example", "status": "null_mx", "addresses": []}
    names = ["a.example", "b.example", "c.example"]
    assert routes_for.routes_for([both, new, gone], names, families=["ipv4"]) == [
        {**both, "addresses": ["192.0.2.1"]},
        {**new, "addresses": [], "status": "no_address"},
        gone,
    ]
    assert routes_for.routes_for([both, new, gone], names) == [both, new, gone]
    with pytest.raises(AnsibleFilterError, match="ipv5"):
        routes_for.routes_for([], [], families=["ipv5"])


def test_routes_for_refuses_what_is_no_domain() -> None:
    with pytest.raises(AnsibleFilterError, match="e-mail address"):
        routes_for.routes_for([], ["a@nestle.com"])


PINNED = {"before": [], "after": [{"domain": "AOL.COM", "address": "192.0.2.1", "flag": "0"}]}
SWITCH = {"name": "DisableResolverSearchList", "type": "REG_DWORD", "data": 1}
AOL = {"name": "AOL.com.", "test_recipient": "a@aol.com"}
ROUTES = [
    {"domain": "nestle.com", "status": "ok"},
    {"domain": "aol.com", "status": "ok"},
    {"domain": "gone.example", "status": "null_mx"},
]


@pytest.mark.parametrize(
    ("which", "enforced", "picked"),
    [
        ("changed", {"routes": PINNED}, [AOL]),
        ("changed", {"routes": {"before": [], "after": []}}, []),
        ("changed", {"registry": {"before": None, "after": SWITCH}}, ["nestle.com", AOL]),
        ("changed", {"routes": PINNED, "worksheet": [{"domain": "aol.com"}]}, []),
        ("changed", {"steps": [{"domain": "aol.com"}]}, [AOL]),
        ("changed", {"steps": []}, []),
        ("changed", {"skipped": True}, []),
        ("all", {"routes": {"before": [], "after": []}}, ["nestle.com", AOL]),
        ("all", {"skipped": True}, []),
        ("all", {"deferred": True}, []),
        ("all", {"failed": True}, []),
        ("all", {"unreachable": True}, []),
        ("none", {"routes": PINNED}, []),
    ],
)
def test_domains_to_test_are_those_that_leave_by_a_new_way(
    which: str, enforced: dict[str, Any], picked: list[Any]
) -> None:
    pick = domains_to_test.FilterModule().filters()["domains_to_test"]
    assert pick(["nestle.com", AOL, "gone.example", "aol.com"], ROUTES, enforced, which) == picked
    assert pick(["nestle.com", AOL], ROUTES, enforced, which, limit=1) == picked[:1]


def test_domains_to_test_refuses_what_it_does_not_know() -> None:
    with pytest.raises(AnsibleFilterError, match="sometimes"):
        domains_to_test.domains_to_test([], [], {}, "sometimes")
    with pytest.raises(AnsibleFilterError, match="no domain"):
        domains_to_test.domains_to_test([{}], [], {})


def test_delivery_diagnosis_reads_what_the_role_registered() -> None:
    refused = {"failed": True, "msg": "a: no answer."}
    variables = {"a": {"_mx_delivery_info": refused}, "of a later batch": {}}
    explain = delivery_diagnosis.FilterModule().filters()["delivery_diagnosis"]
    lines = explain({"domains": []}, variables, list(variables), suffixes=["hq.example"])
    assert lines[0] == "a: no answer."
    assert not any("later" in line for line in lines)


def test_changed_domains_are_those_of_a_result_as_the_list_has_them() -> None:
    pick = changed_domains.FilterModule().filters()["changed_domains"]
    aol = {"name": "AOL.com.", "test_recipient": "a@aol.com"}
    assert pick({"routes": PINNED}, ["nestle.com", aol]) == [aol]
    assert pick({"routes": PINNED}) == ["aol.com"]
    assert pick({"steps": [{"domain": "aol.com"}, {"domain": "*"}]}, []) == ["aol.com"]
    assert pick({}, ["nestle.com"]) == []


def test_changed_domains_are_all_where_the_switch_changed() -> None:
    registry = {"before": SWITCH, "after": None}
    enforced = {"routes": PINNED, "registry": registry}
    assert changed_domains.changed_domains(enforced, ["nestle.com"]) == ["nestle.com", "aol.com"]


@pytest.mark.parametrize("kept", [{"failed": True}, {"skipped": True}, {"worksheet": [{}]}])
def test_there_are_no_changed_domains_where_nothing_was_done(kept: dict[str, Any]) -> None:
    assert changed_domains.changed_domains({"routes": PINNED, **kept}, ["aol.com"]) == []


def test_changed_domains_refuses_what_is_no_list_of_domains() -> None:
    with pytest.raises(AnsibleFilterError, match="domain"):
        changed_domains.changed_domains({}, [7])


def test_backup_list_tells_why_a_host_has_no_list() -> None:
    hostvars: dict[str, dict[str, Any]] = {
        "a": {"_mx_delivery_info": {"failed": True, "msg": "a: no."}, "_mx_delivery_backups": {}},
        "b": {"_mx_delivery_info": None, "_mx_delivery_backups": {"failed": True, "msg": "b: no!"}},
        "c": {},
    }
    lines = backup_list.FilterModule().filters()["backup_list"](["a", "b", "c"], hostvars)
    assert lines == [
        "a: no.",
        "",
        "b: no!",
        "",
        "c: not checked: the run has no result of this host",
    ]
