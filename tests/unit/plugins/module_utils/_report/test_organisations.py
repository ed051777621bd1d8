# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send connectors stand once in a document, whatever their organisation's hosts tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import Run, build
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
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
