# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first task of the role: variables of all hosts, checked once, and a failure of one host."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.postmaster.exchange.plugins.action import delivery_routes
from ansible_collections.postmaster.exchange.plugins.module_utils._report.plan_file import as_text
from ansible_collections.postmaster.exchange.plugins.module_utils._report.slices import pack
from ansible_collections.postmaster.exchange.plugins.module_utils._run import backups
from ansible_collections.postmaster.exchange.plugins.modules import delivery_routes as page

DOMAINS = ["nestle.com"]


class Templar:
    """Templates by a table, as ansible-core would."""

    def __init__(self, variables: dict[str, Any] | None = None) -> None:
        self.variables = variables or {}

    def copy_with_new_env(self, available_variables: dict[str, Any]) -> Templar:
        return Templar(available_variables)

    def template(self, value: Any) -> Any:
        return [self.variables["own"]] if value == "{{ own }}" else value


def run(
    hostvars: dict[str, dict[str, Any]],
    *,
    strategy: str = "linear",
    entry_point: str = "rollback",
    tags: Sequence[str] = (),
    **more: Any,
) -> dict[str, Any]:
    """The result of the task, which resolves nothing; ``more`` are variables of the run."""
    for own in hostvars.values():
        own.setdefault("mx_delivery_backup", "run-1")
    made = delivery_routes.ActionModule(
        SimpleNamespace(
            action="postmaster.exchange.delivery_routes",
            args={"entry_point": entry_point},
            check_mode=False,
            async_val=0,
            diff=False,
            tags=tags,
            _parent=SimpleNamespace(_play=SimpleNamespace(strategy=strategy)),
        ),
        SimpleNamespace(transport="local", _shell=SimpleNamespace(tmpdir=None)),
        SimpleNamespace(),
        SimpleNamespace(),
        Templar(),
        shared_loader_obj=None,
    )
    result: dict[str, Any] = made.run(
        task_vars={"hostvars": hostvars, "ansible_play_batch": list(hostvars), **more}
    )
    return result


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Ansible was started: backups would not last inside an installed collection."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("strategy", ["free", "host_pinned", "my.own.strategy"])
def test_under_another_strategy_than_linear_nothing_is_done(strategy: str) -> None:
    result = run({"a": {"mx_delivery_domains": DOMAINS}}, strategy=strategy)
    assert result["failed"]
    assert f"The strategy is {strategy}" in result["msg"]
    assert (result["hosts"], list(result["failures"])) == ({}, ["a"])


@pytest.mark.parametrize("strategy", ["linear", "ansible.builtin.linear", "debug"])
def test_linear_ones_will_do(strategy: str) -> None:
    assert "failed" not in run({"a": {"mx_delivery_domains": DOMAINS}}, strategy=strategy)


def test_a_wrong_variable_is_the_failure_of_its_host() -> None:
    result = run(
        {
            "a": {"mx_delivery_domains": DOMAINS},
            "b": {"mx_delivery_domains": ["sales@partner.example"]},
            "c": {"mx_delivery_family": "old", "mx_delivery_rollback_test": "some"},
        }
    )
    assert "failed" not in result
    assert list(result["hosts"]) == ["a"]
    assert "'sales@partner.example' is an e-mail address" in result["failures"]["b"]
    for name in ("mx_delivery_family", "mx_delivery_rollback_test"):
        assert name in result["failures"]["c"]
    assert result["failures"]["c"].endswith("This host was not contacted.")
    assert result["names"] == ["a", "b", "c"]


def test_a_variable_with_an_unknown_name_stops_the_run() -> None:
    limit = {"mx_delivery_max_changed_host": "1"}
    result = run({"a": {}, "b": limit, "c": limit})
    assert result["failed"]
    assert (
        "mx_delivery_max_changed_host of b, c is not a variable of the role; did you mean"
        " mx_delivery_max_changed_hosts?" in result["msg"]
    )
    assert (result["hosts"], list(result["failures"])) == ({}, ["a", "b", "c"])
    known = {"mx_delivery_hosts": "all", "_mx_delivery_result": {}, "mx_delivery_gate": True}
    assert "failed" not in run({"a": {**known, f"mx_delivery_report_{'0' * 12}": ""}})


def test_what_a_task_registered_is_nobodys_typing_error() -> None:
    class Hostvars(dict[str, dict[str, Any]]):
        _variable_manager = SimpleNamespace(
            _nonpersistent_fact_cache={"a": {"mx_delivery_outcome": {}}}, extra_vars={}
        )
        _inventory = SimpleNamespace(get_host=lambda _name: None)

    own = {"mx_delivery_outcome": {}}
    assert "failed" not in run(Hostvars(a=own))
    assert "mx_delivery_outcome of b" in run(Hostvars(a=own, b=own))["msg"]


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("mx_delivery_run", "one", "other"),
        ("mx_delivery_share", "run", "all"),
        ("mx_delivery_report_dir", "one", "other"),
    ],
)
def test_hosts_agree_on_what_a_run_has_one_value_of(name: str, one: str, other: str) -> None:
    result = run({"a": {name: one}, "b": {name: one}, "c": {name: other}})
    assert result["failed"]
    said = f"{name} has one value for all hosts of a run, but is '{one}' for a and '{other}' for c."
    assert said in result["msg"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"mx_delivery_command_timeout": -1}, "mx_delivery_command_timeout must be 1"),
        ({"mx_delivery_service_timeout": 0}, "mx_delivery_service_timeout must be 1"),
        ({"mx_delivery_test_limit": -1}, "mx_delivery_test_limit is -1"),
        ({"mx_delivery_test_deadline": 0}, "mx_delivery_test_deadline (0)"),
        ({"mx_delivery_test_smtp_port": 0}, "mx_delivery_test_smtp_port"),
        ({"mx_delivery_test_sender": "nobody"}, "mx_delivery_test_sender"),
        ({"mx_delivery_host_backup_dir": "a&b"}, "mx_delivery_host_backup_dir: "),
        ({"mx_delivery_imccopy": "a&b"}, "mx_delivery_imccopy: "),
        ({"mx_delivery_registry_key": "x"}, "mx_delivery_registry_key: "),
    ],
)
def test_impossible_values_are_found_before_a_host_is_asked(
    variables: dict[str, Any], said: str
) -> None:
    result = run({"a": {}, "b": {"mx_delivery_family": "imc", **variables}})
    assert list(result["hosts"]) == ["a"]
    assert said in result["failures"]["b"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("test_smtp_starttls", "hunter2"),
        ("test_smtp_port", "hunter2"),
        ("connection", "hunter2"),
        ("endpoint", ["hunter2"]),
        ("service_restart", "hunter2"),
    ],
)
def test_a_wrong_variable_never_shows_its_value(name: str, wrong: object) -> None:
    result = run({"a": {f"mx_delivery_{name}": wrong}})
    assert f"mx_delivery_{name}" in result["failures"]["a"]
    assert "hunter2" not in str(result)


def test_folders_that_cannot_be_used_are_found_before_a_host_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for name in ("mx_delivery_backup_dir", "mx_delivery_report_dir"):
        for place in (file, file / "below"):
            result = run({"a": {name: str(place)}})
            assert result["failed"]
            assert f"{name}: {file} is not a folder" in result["msg"]
    lacking = run({"a": {"mx_delivery_test_smtp_ca_cert": str(tmp_path / "ca.pem")}})
    assert "mx_delivery_test_smtp_ca_cert" in lacking["msg"]
    assert "failed" not in run({"a": {"mx_delivery_backup_dir": str(tmp_path / "new" / "one")}})


@pytest.mark.parametrize(
    ("wanted", "skipped", "left_out"),
    [
        (["all"], [], ""),
        (["all"], ["test"], "test"),
        (["validate", "resolve", "change", "report"], [], "test"),
        (["mail"], ["test"], "test"),
        (["nginx"], [], None),
        (["change"], [], "validate, resolve, test, report"),
        (["all"], ["report"], "report"),
        (["all"], ["resolve", "test"], "resolve, test"),
    ],
)
def test_tags_leave_out_the_test_messages_or_nothing(
    wanted: list[str], skipped: list[str], left_out: str | None
) -> None:
    tags = {"ansible_run_tags": wanted, "ansible_skip_tags": skipped}
    result = run({"a": {"mx_delivery_rollback_test": "changed"}}, tags=["always", "mail"], **tags)
    if left_out is None:
        assert result["skipped"]
    elif left_out in ("", "test"):
        (one,) = result["settings"]
        assert one["options"]["test"]["domains"] == ("none" if left_out else "changed")
    else:
        assert result["failed"]
        assert f"would run only a part of the job, without the steps {left_out}." in result["msg"]


def test_hosts_alike_share_one_entry() -> None:
    alike = {"mx_delivery_domains": DOMAINS}
    own = {"mx_delivery_domains": "{{ own }}"}
    result = run({"a": alike, "b": dict(alike), "c": {**own, "own": "aol.com"}})
    assert result["hosts"] == {"a": 0, "b": 0, "c": 1}
    assert [one["domains"] for one in result["settings"]] == [["nestle.com"], ["aol.com"]]


def test_a_host_that_is_no_writer_may_not_change_its_organisation() -> None:
    variables = {"mx_delivery_writers": ["a"]}
    result = run({"a": variables, "b": variables})
    assert [one["options"]["may_change"] for one in result["settings"]] == [True, False]


def test_the_page_says_what_the_plugin_takes() -> None:
    options = yaml.safe_load(page.DOCUMENTATION)["options"]
    assert {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in options.items()
    } == delivery_routes._SPEC
    assert yaml.safe_load(page.EXAMPLES)
    for name, key in yaml.safe_load(page.RETURN).items():
        assert {"description", "returned", "type", "sample"} <= {*key, "sample"}, name


# -- backups


def saved(base: Path, owner: str, run_id: str, at: datetime) -> None:
    folder = backups.make_folder(base, owner, at)
    facts = backups.Origin(owner=owner, host=owner.lower(), run=run_id).facts(at)
    backups.write(folder, owner, facts, {})


def test_a_rollback_without_a_name_undoes_the_last_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bare = {"a": {"mx_delivery_backup": ""}, "b": {"mx_delivery_backup": "", "other": 1}}
    none = run(bare)
    assert f"No backup was found in {tmp_path}/backups" in none["failures"]["b"]
    at = datetime(2026, 11, 23, 11, 45, tzinfo=UTC)
    saved(tmp_path / "backups", "A", "one", at)
    saved(tmp_path / "backups", "B", "two", at + timedelta(hours=1))
    found = run(bare)
    assert found["undoes"] == {
        "run": "two",
        "began": "2026-11-23 12:45 UTC",
        "of": ["B"],
        "hosts": ["b"],
    }
    assert {one["options"]["backup"] for one in found["settings"]} == {"two"}
    assert "undoes" not in run({"a": {"mx_delivery_list": True, "mx_delivery_backup": ""}})


@pytest.mark.parametrize("place", ["{base}/ansible_collections/x/backups", "/runner/backups"])
@pytest.mark.parametrize("entry_point", ["rollback", "main"])
def test_a_folder_that_does_not_last_is_refused_before_a_host_is_asked(
    entry_point: str, place: str, tmp_path: Path
) -> None:
    own = {"mx_delivery_domains": DOMAINS, "mx_delivery_backup_dir": place.format(base=tmp_path)}
    failed = run({"a": own}, entry_point=entry_point)
    assert failed["failed"]
    assert "which does not keep backups: it is in" in failed["failures"]["a"]


@pytest.mark.parametrize("entry_point", ["rollback", "main"])
def test_a_limit_compares_a_rollback_as_well(entry_point: str) -> None:
    own = {"mx_delivery_max_changes": "25%", "mx_delivery_domains": []}
    assert run({"a": own}, entry_point=entry_point)["compare_first"]
    assert not run({"a": {**own, "mx_delivery_list": True}})["compare_first"]


# -- an approved plan

PLAN = {
    "format": "postmaster.exchange plan",
    "version": 1,
    "collection": "c",
    "made": "2026-11-01T00:00:00Z",
    "run": "r",
    "note": "",
    "hosts": {},
    "not_planned": {"b": "no answer"},
}


@pytest.mark.parametrize(
    ("text", "more", "why"),
    [
        (as_text(PLAN), {}, "plan.json has expired: it was made at 2026-11-01T00:00:00Z"),
        (as_text(PLAN), {"mx_delivery_plan_max_age": -1}, "mx_delivery_plan_max_age must be 0"),
        (as_text(PLAN) + " ", {}, "plan.json cannot be used"),
        ("\udcff", {}, "is not a plan"),
        (None, {}, "cannot be read"),
    ],
)
def test_a_plan_that_cannot_be_used_stops_the_run_before_any_host(
    tmp_path: Path, text: str | None, more: dict[str, Any], why: str
) -> None:
    file = tmp_path / "plan.json"
    if text is not None:
        file.write_text(text, encoding="utf-8", errors="surrogateescape")
    variables = {"mx_delivery_domains": DOMAINS, "mx_delivery_plan": str(file), **more}
    result = run({"a": variables}, entry_point="main")
    assert why in result["msg"]
    assert (result["failed"], result["hosts"]) == (True, {})


def test_a_plan_comes_as_a_variable_that_holds_no_template() -> None:
    content = pack(as_text({**PLAN, "note": "{{ lookup('pipe', 'true') }}"}))
    assert not {"{", "}"} & set(content)
    values = {"mx_delivery_plan_content": content, "mx_delivery_plan_max_age": 0}
    made = {"made": PLAN["made"]}
    assert delivery_routes._approved(values, ["a", "b"]) == {"plan": {"a": made, "b": made}}
    assert delivery_routes._approved({}, ["a"]) == {}
