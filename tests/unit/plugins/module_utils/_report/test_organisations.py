# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document lists Send connectors once, not once for each host of their organisation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._report import terminal
from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import Run, build
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.junit import junit
from ansible_collections.postmaster.exchange.plugins.module_utils._report.organisations import (
    forgotten,
)
from exchange_lab.samples import NOW, connector, domain, organisation, resolved

ENFORCE = Run("enforce", check_mode=False, finished_at=NOW)
AUDIT = replace(ENFORCE, kind="audit")


def made(run: Run, *hosts: HostResult) -> dict[str, Any]:
    return build(run, resolved(domain("nestle.com", "192.0.2.25")), hosts)


OLD, NEW = connector("nestle.com", "198.51.100.1"), connector("nestle.com", "192.0.2.25")
OTHER = connector("aol.com", "198.51.100.9")


def server(name: str, result: dict[str, Any], **more: Any) -> HostResult:
    return HostResult(name, ["nestle.com"], result, family="transport", **more)


def test_connectors_stand_once_with_who_changed_them() -> None:
    changing = organisation([OLD, OTHER], [NEW, OTHER], "nestle.com")
    found = organisation([NEW, OTHER], [NEW, OTHER])
    document = made(ENFORCE, server("a", found), server("b", changing))
    (told,) = document["organisations"]
    assert told["hosts"] == ["a", "b"]
    aol, nestle = told["connectors"]
    assert (nestle["action"], nestle["by"]) == ("change", "b")
    assert nestle["before"]["smart_hosts"] == ["[198.51.100.1]"]
    assert nestle["after"]["smart_hosts"] == ["[192.0.2.25]"]
    assert (aol["action"], aol["by"]) == (None, None)
    assert "before" not in aol
    assert [host["state"] for host in document["hosts"]] == ["up_to_date", "changed"]


def test_each_host_of_an_organisation_differs_though_the_change_is_shown_once() -> None:
    changing = organisation([], [NEW], "nestle.com")
    found = {**changing, "changed": False, "same_as": "a"}
    document = made(AUDIT, server("a", changing), server("b", found))
    assert [host["verdict"] for host in document["hosts"]] == ["drift", "drift"]
    assert [one["action"] for one in document["organisations"][0]["connectors"]] == ["create"]


def test_hosts_that_change_other_connectors_of_one_organisation_are_put_together() -> None:
    one = organisation([], [NEW], "nestle.com")
    other = organisation([NEW, OTHER], [NEW], "aol.com")
    document = made(ENFORCE, server("a", one), server("b", other))
    actions = {
        (each["name"], each["action"], each["by"])
        for each in document["organisations"][0]["connectors"]
    }
    assert actions == {
        ("postmaster.exchange nestle.com", "create", "a"),
        ("postmaster.exchange aol.com", "remove", "b"),
    }


def test_organisations_of_one_name_in_two_forests_are_two() -> None:
    elsewhere = organisation([NEW], [NEW])
    elsewhere["organisation"] = {"name": "HQ", "forest": "other.example"}
    document = made(ENFORCE, server("a", organisation([NEW], [NEW])), server("b", elsewhere))
    assert [each["name"] for each in document["organisations"]] == [
        "HQ (hq.example)",
        "HQ (other.example)",
    ]


def managed(*servers: tuple[str, bool], uses: tuple[bool, bool]) -> dict[str, Any]:
    """External DNS of some servers and of the connector Internet, before and after."""

    def shown(on: object) -> dict[str, Any]:
        return {"servers": ["203.0.113.53"] if on else [], "adapter_enabled": not on}

    return {
        "servers": [
            {"name": name, "before": shown(before), "after": shown(True)}
            for name, before in servers
        ],
        "connectors": [{"name": "Internet", "before": uses[0], "after": uses[1]}],
    }


def test_external_dns_stands_once_with_who_changed_it() -> None:
    changing = {
        **organisation([NEW], [NEW]),
        "external_dns": managed(("EX1", False), ("EX2", True), uses=(False, True)),
        "changed": True,
    }
    found = {
        **organisation([NEW], [NEW]),
        "external_dns": managed(("EX1", True), ("EX2", True), uses=(True, True)),
    }
    document = made(ENFORCE, server("a", found), server("b", changing))
    settings = document["organisations"][0]["external_dns"]
    assert [(one["kind"], one["name"], one["by"]) for one in settings] == [
        ("connector", "Internet", "b"),
        ("server", "EX1", "b"),
        ("server", "EX2", None),
    ]
    assert [host["state"] for host in document["hosts"]] == ["up_to_date", "changed"]
    text = "\n".join(line.text for line in terminal.summary(document))
    assert "server EX1" in text
    assert "those of the adapter -> 203.0.113.53  changed" in text
    audit = made(AUDIT, server("b", {**changing, "changed": True}))
    assert audit["hosts"][0]["problems"] == [
        "enforce would change the external DNS of EX1, Internet"
    ]
    assert 'type="drift"' in "".join(junit(audit))


def test_a_host_that_deferred_external_dns_is_settled_by_the_one_that_changed_it() -> None:
    pending = {
        **organisation([NEW], [NEW]),
        "external_dns": managed(("EX1", False), uses=(False, True)),
    }
    deferring = server("a", {**pending, "changed": False, "deferred": True})
    document = made(ENFORCE, deferring, server("b", {**pending, "changed": True}))
    assert [host["state"] for host in document["hosts"]] == ["up_to_date", "changed"]
    assert [each["by"] for each in document["organisations"][0]["external_dns"]] == ["b", "b"]
    alone = made(ENFORCE, deferring)
    assert [host["state"] for host in alone["hosts"]] == ["would_change"]
    assert [host["name"] for host, _numbers in forgotten(alone["hosts"])] == ["a"]


def test_edges_that_received_the_change_are_named() -> None:
    synced = {"servers": ["EDGE1"], "started": True, "succeeded": True, "message": ""}
    changed = {**organisation([], [NEW], "nestle.com"), "edge_synchronization": synced}
    document = made(ENFORCE, server("a", changed))
    assert document["organisations"][0]["synchronized_edges"] == ["EDGE1"]
    assert "  EdgeSync has brought the change to EDGE1." in [
        line.text for line in terminal.host_lines(document)
    ]


def test_a_refused_domain_is_told_once() -> None:
    refused = {"domain": "nestle.com", "connector": "Partner", "reason": "is scoped"}
    warnings = ["nestle.com: 'Partner' is scoped.", "The own domains could not be read."]
    found = {**organisation([], []), "refused": [refused], "warnings": warnings}
    document = made(AUDIT, server("a", found))
    assert document["organisations"][0]["warnings"] == ["The own domains could not be read."]
    assert document["hosts"][0]["problems"] == ["nestle.com: the connector 'Partner' is scoped"]
