# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action that merges reports: from where it takes them, and what it refuses."""

from __future__ import annotations

import base64
import json
import os
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.action.merged_report import ActionModule
from ansible_collections.postmaster.exchange.plugins.module_utils._report import slices
from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import Run, build
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.slices import (
    packed,
)
from exchange_lab.samples import NOW, connector, domain, organisation, pinned, resolved, table

AOL = domain("aol.com", "198.51.100.9")
ROWS = pinned([AOL])
RUN = Run("audit", check_mode=False, finished_at=NOW, id="awx-1")


def document(*names: str) -> dict[str, Any]:
    hosts = [HostResult(name, ["aol.com"], table(ROWS, ROWS)) for name in names]
    return build(RUN, resolved(AOL), hosts)


def run(*hosts: str, variables: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
    task = SimpleNamespace(
        action="postmaster.exchange.merged_report",
        args={"hosts": list(hosts), **args},
        async_val=0,
        check_mode=False,
        delegate_to=None,
    )
    connection = SimpleNamespace(transport="winrm", _shell=SimpleNamespace(tmpdir=None))
    made = ActionModule(task, connection, SimpleNamespace(), None, None, None)
    result: dict[str, Any] = made.run(task_vars=variables or {})
    return result


def test_reports_come_from_variables_that_jobs_hand_on(tmp_path: Path) -> None:
    variables = {
        **packed(document("a", "c")),
        **packed(document("b")),
        "mx_delivery_report_dir": "",
    }
    result = run("a", "b", "c", "d", variables=variables, html=str(tmp_path / "r.html"))
    assert (result["kind"], result["slices"], result["verdict"]) == ("audit", 2, "unjudged")
    assert result["problems"] == {"d": "no slice reported on this host"}
    assert result["verdicts"] == {"a": "clean", "b": "clean", "c": "clean", "d": "unjudged"}
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


def test_reports_come_from_a_folder(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.json").write_text(json.dumps(document(name)))
    result = run("a", "b", folder=str(tmp_path))
    assert (result["slices"], result["verdict"]) == (2, "clean")


def test_an_organisation_that_two_slices_changed_is_a_warning(tmp_path: Path) -> None:
    run_ = Run("enforce", check_mode=False, finished_at=NOW, id="awx-1")
    for host, name in (("a", "aol.com"), ("b", "nestle.com")):
        change = organisation([], [connector(name, "192.0.2.1")], name)
        found = [HostResult(host, [name], change, family="transport")]
        text = json.dumps(build(run_, resolved(), found))
        (tmp_path / f"{host}.json").write_text(text)
    (warning,) = run("a", "b", folder=str(tmp_path))["warnings"]
    assert warning.startswith("HQ (hq.example): Changed in 2 slices, by a, b.")


def test_a_slice_that_is_run_again_takes_the_place_of_its_first_report() -> None:
    assert packed(document("a", "b")).keys() == packed(document("a", "b")).keys()
    assert packed(document("a", "b")).keys() != packed(document("a")).keys()
    other = {"mx_delivery_report_json": "x.json", "mx_delivery_report_0123456789abc": "x"}
    assert run("a", variables={**packed(document("a")), **other})["slices"] == 1


def changing(name: str, check: bool) -> dict[str, Any]:
    run = Run("enforce", check_mode=check, finished_at=NOW, id="awx-1")
    return build(run, resolved(AOL), [HostResult(name, ["aol.com"], table([], ROWS))])


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("", ""),
        ("50%", ""),
        ("49%", "2 of 4 hosts would change (50 %)"),
        ("1", "2 of 4 hosts would change; "),
    ],
)
def test_a_limit_is_of_the_hosts_of_all_slices(limit: str, said: str) -> None:
    variables = {**packed(changing("a", True)), **packed(changing("b", True))}
    result = run("a", "b", "c", "d", variables=variables, max_changed_hosts=limit)
    assert result["would_refuse"].startswith(said)
    assert bool(result["would_refuse"]) is bool(said)
    assert run("a", variables=variables, max_changed_hosts="many")["failed"]


def test_a_look_beforehand_gives_way_to_the_run() -> None:
    looks = {**packed(changing("a", True)), **packed(changing("b", True))}
    done = packed(changing("a", False))
    assert not looks.keys() & done.keys()
    result = run("a", "b", variables={**looks, **done}, max_changed_hosts="0")
    assert result["problems"] == {"b": "no slice reported on this host"}
    assert result["would_refuse"] == ""  # what was changed is not to change any more


def _text(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


@pytest.mark.parametrize("text", ["!", "AAAA", _text(b"{"), _text(b"[]"), _text(b"\xff"), 7, None])
def test_a_variable_that_holds_no_report_is_named(text: Any) -> None:
    name = "mx_delivery_report_0123456789ab"
    result = run("a", variables={name: text})
    assert result["failed"]
    assert result["msg"] == f"The variable {name} is not a report of a slice."


@pytest.mark.parametrize("text", ["", "[]", "{}", "\xff"])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    result = run("a", folder=str(tmp_path))
    assert result["failed"]
    assert "not a report" in result["msg"]


def test_only_regular_files_of_a_sensible_size_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe would block, a device never end, and a giant fill the memory."""
    pipe = tmp_path / "a.json"
    os.mkfifo(pipe)
    assert run("a", folder=str(tmp_path))["msg"].startswith(f"{pipe} is not a regular file.")
    pipe.unlink()
    (tmp_path / "a.json").symlink_to("/dev/zero")
    assert "is not a regular file" in run("a", folder=str(tmp_path))["msg"]
    (tmp_path / "a.json").unlink()
    (tmp_path / "a.json").mkdir()
    assert run("a", folder=str(tmp_path))["failed"]
    (tmp_path / "a.json").rmdir()
    (tmp_path / "a.json").write_text(json.dumps(document("a")))
    monkeypatch.setattr(slices, "LARGEST", 100)
    assert "is larger than a report can be" in run("a", folder=str(tmp_path))["msg"]


@pytest.mark.parametrize("key", ["hosts", "domains", "organisations", "run", "answer"])
@pytest.mark.parametrize("value", [None, 7, "x", [7], {"a": 7}, [[]], [{}], [1, "\x1b"]])
def test_a_report_with_foreign_parts_is_refused_or_cleaned(
    tmp_path: Path, key: str, value: Any
) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**document("a"), key: value}))
    result = run("a", folder=str(tmp_path))
    assert result.get("failed") or "\x1b" not in json.dumps(result)


@pytest.mark.parametrize("key", ["warnings", "domains", "organisation", "queue", "tests", "state"])
@pytest.mark.parametrize("value", [7, "x", [7], {"a": 7}, {"failed": ["\x1b"]}])
def test_a_host_with_foreign_parts_is_refused_or_cleaned(
    tmp_path: Path, key: str, value: Any
) -> None:
    hostile = document("a")
    hostile["hosts"][0][key] = value
    (tmp_path / "a.json").write_text(json.dumps(hostile))
    result = run("a", folder=str(tmp_path), max_changed_hosts="1")
    assert result.get("failed") or "\x1b" not in json.dumps(result)


def test_hostile_words_of_a_slice_are_cleaned(tmp_path: Path) -> None:
    hostile = document("a")
    hostile["hosts"][0]["problems"] = ["\x1b[2J"]
    (tmp_path / "a.json").write_text(json.dumps(hostile))
    assert run("a", folder=str(tmp_path))["problems"] == {"a": "\ufffd[2J"}


def test_where_there_is_no_report_the_task_fails(tmp_path: Path) -> None:
    assert "Not one slice has a report" in run("a")["msg"]
    assert "Not one slice has a report" in run("a", folder=str(tmp_path))["msg"]
    assert "cannot be read" in run("a", folder=str(tmp_path / "none"))["msg"]
    assert run("a", more=1)["failed"]
