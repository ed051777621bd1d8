# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of real runs of the playbooks on all five hosts of the lab: terminal and files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from exchange_lab.controller import Controller, Run
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DEFAULT

pytestmark = pytest.mark.e2e

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "report-schema.json").read_text()
)
OLD, NEW = ("mail50", "mail55", "mail55-ok"), ("ex19-a", "exse-b")


@pytest.fixture
def five(tmp_path: Path, controller: Controller) -> Iterator[Lab]:
    """Three old hosts, and an organisation of two; letters wait on some of them."""
    with Lab(DEFAULT, tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        yield lab


def having(**variables: Any) -> tuple[str, str]:
    return "-e", json.dumps({f"mx_delivery_{name}": value for name, value in variables.items()})


def files(controller: Controller, folder: str) -> tuple[dict[str, Any], ElementTree.Element, str]:
    """The three files: the document, which is as its schema says, the suites, and the page."""
    where = controller.folder / folder
    document: dict[str, Any] = json.loads((where / "report.json").read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return (
        document,
        ElementTree.parse(where / "junit.xml").getroot(),
        (where / "report.html").read_text(),
    )


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {host["name"]: host["state"] for host in document["hosts"]}


def between(run: Run, start: str, end: str) -> list[str]:
    return run.output.partition(start)[2].partition(end)[0].splitlines()


@pytest.mark.usefixtures("five")
def test_audit_and_enforce_report_on_both_kinds(controller: Controller) -> None:
    audit = controller.playbook("audit", *having(report_dir="audit"))
    assert audit.status == 2, audit.output
    document, suites, page = files(controller, "audit")
    assert document["answer"]["text"] == "Of 5 hosts, 4 have drift, 1 is up to date."
    assert outcomes(document) == {
        **dict.fromkeys((*OLD, *NEW), "would_change"),
        "mail55-ok": "up_to_date",
    }
    # What DNS knows with the suffix of the old hosts, and what waits there, is in it.
    assert {"nestle.com", "aol.com"} <= {
        one["domain"] for host in document["hosts"] for one in (host["queue"] or {})["stuck"]
    }
    assert {suite.get("name"): suite.get("failures") != "0" for suite in suites} == {
        **dict.fromkeys((*OLD, *NEW), True),
        "mail55-ok": False,
    }
    assert document["answer"]["text"] in page
    assert document["answer"]["text"] in audit.output

    controller.color = True
    enforce = controller.playbook("enforce", *having(report_dir="enforce"))
    assert enforce.status == 0, enforce.output
    document, suites, _page = files(controller, "enforce")
    changed = [name for name, one in outcomes(document).items() if one == "changed"]
    # One of the organisation's servers makes the change, whichever comes first.
    assert len(changed) == 3
    assert {"mail50", "mail55"} < set(changed)
    assert document["answer"]["tests"].keys() == {"delivered"}
    assert all(suite.get("failures") == suite.get("errors") == "0" for suite in suites)
    (told,) = document["organisations"]
    assert {one["action"] for one in told["connectors"]} == {"create"}
    assert {one["by"] for one in told["connectors"]} <= set(NEW)
    assert all(Path(host["backup"]).is_dir() for host in document["hosts"] if host["backup"])
    assert "\x1b[0;32mOf 5 hosts, 3 were changed, 2 are up to date.\x1b[0m" in enforce.output

    controller.color = False
    again = controller.playbook("audit", *having(report_dir="audit"))
    assert again.status == 0, again.output
    document, suites, _page = files(controller, "audit")
    assert document["answer"]["text"] == "All 5 hosts are up to date."
    assert document["answer"]["verdict"] == "clean"
    lines = between(again, "All 5 hosts are up to date.", "PLAY RECAP")
    assert re.match(r"  hosts x domains: \d+ up to date$", lines[1])
