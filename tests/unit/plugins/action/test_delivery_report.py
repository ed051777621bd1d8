# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action that reports: what it reads, prints, writes and returns."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants
from ansible_collections.postmaster.exchange.plugins.action.delivery_report import ActionModule
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    NOT_CHECKED,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.spec import ARGUMENT_SPEC
from ansible_collections.postmaster.exchange.plugins.plugin_utils import _reporting
from exchange_lab.samples import (
    NOW,
    appending,
    connector,
    domain,
    message,
    organisation,
    pinned,
    resolved,
    table,
    waiting,
)

AOL = domain("aol.com", "198.51.100.9")
BOTH = pinned([AOL])
RUN = {"id": "2026-11-23T114400Z-1a2b", "started_at": NOW}


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Every line that is printed, with its colour."""
    lines: list[tuple[str, str | None]] = []
    monkeypatch.setattr(
        _reporting,
        "display",
        SimpleNamespace(display=lambda text, color=None: lines.append((text, color))),
    )
    return lines


def run(hostvars: dict[str, Any], *, check_mode: bool = False, **args: Any) -> dict[str, Any]:
    args = {"routes": routes(*hostvars), "results": "delivered", **args}
    task = SimpleNamespace(
        action="postmaster.exchange.delivery_report",
        args={"hosts": list(hostvars), "kind": "audit", **args},
        async_val=0,
        check_mode=check_mode,
        delegate_to=None,
    )
    connection = SimpleNamespace(transport="winrm", _shell=SimpleNamespace(tmpdir=None))
    made = ActionModule(task, connection, SimpleNamespace(), None, None, None)
    given = {name: value for name, value in hostvars.items() if name.startswith("awx")}
    result: dict[str, Any] = made.run(task_vars={"hostvars": hostvars, **given})
    return result


def variables(delivery: Any = None, **parts: Any) -> dict[str, Any]:
    """The variables of a host with a result of mail_delivery."""
    result = {"family": "imc", "exchange": {"version": "5.5"}, "delivery": delivery}
    return {"delivered": {**result, "tests": None, "queue": None, **parts}}


def routes(*names: str, **more: Any) -> dict[str, Any]:
    """What delivery_routes returns for hosts that are alike."""
    wishes = {"family": "imc", "domains": ["aol.com"], "families": ["ipv4"], "search_list": []}
    known = {"hosts": dict.fromkeys(names, 0), "settings": [wishes], "failures": {}}
    return resolved(AOL, **{"run": RUN, **known, **more})


def test_places_are_printed_and_a_report_that_will_not_last_is_warned_of(tmp_path: Path) -> None:
    folder = tmp_path / "ansible_collections"
    backup = "/srv/mail/backups/mail5-a/2026-11-23T114500Z"
    hosts = {"a": variables(table(BOTH, BOTH, backup=backup))}
    lines = " ".join(run(hosts, kind="enforce", json=str(folder / "r.json"))["lines"])
    assert "  backups  /srv/mail/backups" in lines
    assert f"  json     {folder}/r.json" in lines
    assert "will be lost: it is inside an installed collection" in " ".join(lines.split())


@pytest.mark.usefixtures("printed")
def test_what_the_role_registered_is_in_the_report(tmp_path: Path) -> None:
    hosts = {
        "a": variables(table([], BOTH), exchange=appending("hq.example"), queue=waiting("aol.com")),
        "b": variables(table(BOTH, BOTH)),
    }
    file = tmp_path / "new" / "report.json"
    result = run(hosts, json=str(file))
    assert result["changed"] is False
    assert "failed" not in result
    assert result["verdict"] == "drift"
    assert result["verdicts"] == {"a": "drift", "b": "clean"}
    assert result["problems"] == {"a": "enforce would change the routes of aol.com"}
    assert result["counts"]["would_change"] == result["counts"]["up_to_date"] == 1
    assert result["files"] == {"json": str(file)}
    assert result["lines"][-5:-2] == ["", "Written", f"  json  {file}"]
    assert result["lines"][-2:] == ["", f"Result: {result['lines'][0]}"]
    document = json.loads(file.read_text())
    assert document["run"]["id"] == RUN["id"]
    assert document["run"]["started_at"] == NOW
    assert document["hosts"][0]["search_list"]["suffixes"] == ["hq.example"]
    assert document["hosts"][0]["queue"]["stuck"][0]["domain"] == "aol.com"
    assert document["run"]["by"]["login"]


@pytest.mark.usefixtures("printed")
def test_pairs_that_are_not_known_are_the_problem_of_every_host() -> None:
    failed = {"failed": True, "msg": "the lock file is missing"}
    result = run({"a": variables(), "b": {}}, routes=failed)
    assert result["problems"] == dict.fromkeys("ab", "the lock file is missing")
    assert result["verdict"] == "failed"


@pytest.mark.usefixtures("printed")
@pytest.mark.parametrize("kind", ["enforce", "rollback"])
@pytest.mark.parametrize("transport", [False, True])
def test_a_change_of_each_family_is_one(kind: str, transport: bool) -> None:
    pin = connector("aol.com", "198.51.100.9")
    delivery = organisation([], [pin], "aol.com") if transport else table([], BOTH)
    family = "transport" if transport else "imc"
    host = variables(delivery, family=family, tests={"results": [message("aol.com")]})
    result = run({"a": host}, kind=kind)
    assert result["counts"]["changed"] == 1
    assert result["verdicts"] == {"a": "clean"}


def test_lines_have_the_colours_that_ansible_gives_to_their_meaning(
    printed: list[tuple[str, str | None]],
) -> None:
    hosts = {
        "fine": variables(table(BOTH, BOTH)),
        "differs": variables(table([], BOTH)),
        "lost": variables({"failed": True, "msg": "gone"}),
    }
    lines = run(hosts)["lines"]
    assert [text for text, _colour in printed] == ["", *lines, ""]
    colours = dict(printed)
    assert colours[lines[0]] == constants.COLOR_ERROR
    assert colours["  differs: enforce would change the routes of aol.com"] == (
        constants.COLOR_CHANGED
    )
    assert colours["  lost: gone"] == constants.COLOR_ERROR
    assert colours["  aol.com  198.51.100.9"] is None
    printed.clear()
    assert run({"fine": hosts["fine"]})["verdict"] == "clean"
    assert printed[1] == ("The only host is up to date.", constants.COLOR_OK)


@pytest.mark.parametrize(
    ("callback", "prints"),
    [
        ("default", True),
        ("ansible.builtin.default", True),
        ("json", False),
        ("my.own.jsonl", False),
    ],
)
def test_nothing_is_printed_between_the_output_for_a_program(
    callback: str,
    prints: bool,
    printed: list[tuple[str, str | None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "DEFAULT_STDOUT_CALLBACK", callback)
    assert run({"a": variables(table(BOTH, BOTH))})["lines"]
    assert bool(printed) is prints


def test_a_terminal_gets_nothing_that_moves_its_cursor(
    printed: list[tuple[str, str | None]],
) -> None:
    run({"a": variables({"failed": True, "msg": "\x1b[2J\x07gone"})})
    assert not [text for text, _colour in printed if not text.isprintable()]


@pytest.mark.usefixtures("printed")
def test_a_file_that_cannot_be_written_fails_the_task_and_takes_nothing_else_along(
    tmp_path: Path,
) -> None:
    older = tmp_path / "older"
    older.write_text("a report")
    files = {
        "html": str(older / "report.html"),  # below what is no folder
        "json": str(tmp_path),
        "junit": str(tmp_path / "junit.xml"),
    }
    result = run({"a": variables(table([], BOTH))}, **files)
    assert result["failed"] is True
    assert str(older) in result["msg"]
    assert f"{tmp_path}: it is a folder or device, not a file" in result["msg"]
    assert result["files"] == {"junit": files["junit"]}
    assert (result["verdict"], list(result["problems"])) == ("drift", ["a"])
    assert older.read_text() == "a report"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junit.xml", "older"]


@pytest.mark.usefixtures("printed")
def test_check_mode_writes_what_would_be_changed(tmp_path: Path) -> None:
    files = {name: str(tmp_path / name) for name in ("html", "json", "junit")}
    hosts = {"a": variables(table([], BOTH))}
    result = run(hosts, kind="enforce", check_mode=True, **files)
    assert (result["verdict"], result["counts"]["would_change"]) == ("clean", 1)
    assert sorted(result["files"]) == ["html", "json", "junit"]
    assert json.loads(Path(files["json"]).read_text())["run"]["check_mode"] is True
    assert Path(files["html"]).read_text().startswith("<!doctype html>")
    assert Path(files["junit"]).read_text().startswith("<?xml")


@pytest.mark.usefixtures("printed")
def test_a_relative_path_counts_from_where_ansible_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run({"a": variables(table([], BOTH))}, json="reports/r.json")
    assert result["files"] == {"json": str(tmp_path / "reports" / "r.json")}


@pytest.mark.usefixtures("printed")
def test_the_job_and_user_of_awx_are_told(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    hosts = {"a": variables(table([], BOTH))}
    awx = {"awx_job_id": 17, "awx_user_name": "jane", "awx_job_template_name": "Audit"}
    run({**hosts, **awx}, hosts=["a"], json=str(file))
    assert json.loads(file.read_text())["run"]["by"]["awx"] == {
        "job": "17",
        "user": "jane",
        "template": "Audit",
    }


@pytest.mark.usefixtures("printed")
def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nameless)
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    run({"a": {}}, json=str(tmp_path / "r.json"))
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["run"]["by"]["login"] == "uid 4711"


# -- results of mail_delivery


def report_on(hosts: dict[str, Any], **args: Any) -> dict[str, Any]:
    return run({"a": {}, "b": {}, **hosts}, **args)


@pytest.mark.usefixtures("printed")
def test_a_result_of_mail_delivery_is_read_by_its_parts(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    tests = {"results": [message("aol.com")]}
    hosts = {"a": variables(table([], BOTH), tests=tests, queue=waiting("aol.com"))}
    result = report_on({**hosts, "b": variables(table(BOTH, BOTH))}, kind="enforce", json=str(file))
    assert result["verdicts"] == {"a": "clean", "b": "clean"}
    assert (result["counts"]["changed"], result["counts"]["up_to_date"]) == (1, 1)
    document = json.loads(file.read_text())
    assert document["run"]["id"] == RUN["id"]
    first = document["hosts"][0]
    assert (first["version"], first["tests"]["results"][0]["verdict"]) == ("5.5", "delivered")
    assert first["queue"]["stuck"][0]["domain"] == "aol.com"


@pytest.mark.usefixtures("printed")
@pytest.mark.parametrize(
    ("host", "verdict", "problem"),
    [
        (variables(failed=True, msg="a: no disk.", failed_part="delivery"), "failed", "no disk."),
        (variables(failed=True, msg="a: no disk."), "failed", "no disk."),
        ({"delivered": {"unreachable": True, "msg": "a: no answer."}}, "unjudged", "no answer."),
        (
            variables(
                table(BOTH, BOTH),
                failed=True,
                msg="a: no port.",
                failed_part="tests",
                tests={"failed": True, "msg": "no port."},
            ),
            "failed",
            "no port.",
        ),
        ({"delivered": {"skipped": True, "false_condition": "x"}}, "failed", NOT_CHECKED),
    ],
)
def test_a_part_that_failed_is_the_problem(
    host: dict[str, Any], verdict: str, problem: str
) -> None:
    result = report_on({"a": host, "b": variables(table(BOTH, BOTH))}, kind="rollback")
    assert result["problems"] == {"a": problem}
    assert result["verdicts"] == {"a": verdict, "b": "clean"}


@pytest.mark.usefixtures("printed")
def test_bad_variables_are_the_failure_of_their_host_only() -> None:
    bad = routes("b", failures={"a": "a: 'x@y.example' is an e-mail address."})
    result = report_on({"b": variables(table(BOTH, BOTH))}, routes=bad, kind="enforce")
    assert result["problems"] == {"a": "'x@y.example' is an e-mail address."}
    assert result["verdicts"] == {"a": "failed", "b": "clean"}


@pytest.mark.usefixtures("printed")
def test_without_settings_of_hosts_the_domains_count_for_all() -> None:
    result = report_on(
        {"a": variables(table(BOTH, BOTH)), "b": variables(table([], BOTH))},
        routes=resolved(AOL),
        kind="audit",
    )
    assert result["verdicts"] == {"a": "clean", "b": "drift"}


@pytest.mark.usefixtures("printed")
def test_a_host_that_was_not_started_says_why() -> None:
    failed = variables(failed=True, msg="a: the service did not start. All was rolled back.")
    result = report_on({"a": failed}, kind="enforce")
    assert result["problems"]["b"] == (
        "not changed: an earlier batch failed (a: the service did not start)"
    )
    result = report_on({}, kind="enforce", held="3 of 4 hosts would change")
    assert result["problems"] == dict.fromkeys("ab", "not changed: 3 of 4 hosts would change")
    assert result["lines"][0] == "Both hosts were not changed."


# -- other kinds


def test_limits_return_how_far_a_run_reaches(printed: list[Any]) -> None:
    compared = {"seen": variables(table([], BOTH))["delivered"]}
    args: dict[str, Any] = {"compared": "seen", "kind": "limits"}
    hosts = {"a": compared, "b": compared}
    result = report_on(hosts, **args)
    assert (result["changing"], result["domains"]) == (["a", "b"], ["aol.com"])
    assert (result["would_refuse"], result["held"]) == ("", "")
    stopped = report_on(hosts, max_changed_hosts="50%", **args)
    assert stopped["would_refuse"].startswith("2 of 2 hosts would change (100 %); ")
    assert "mx_delivery_force=true" in stopped["held"]
    checked = report_on(hosts, max_changed_hosts="50%", check_mode=True, **args)
    assert (bool(checked["would_refuse"]), checked["held"]) == (True, "")
    assert report_on(hosts, max_changed_hosts="50%", force=True, **args)["held"] == ""
    assert "max_changed_hosts must be" in report_on(hosts, max_changed_hosts="few", **args)["msg"]
    failed = {"b": {**compared, **variables(failed=True, msg="b: no disk.")}}
    assert report_on({"a": compared, **failed}, **args)["held"] == (
        "an earlier batch failed (b: no disk)"
    )
    assert not printed


def test_a_diagnosis_is_printed_with_a_verdict_on_each_host(printed: list[Any]) -> None:
    queue = {**waiting("aol.com"), "service": "running"}
    hosts = {
        "a": variables(table(BOTH, BOTH), queue=queue),
        "b": {"delivered": {"unreachable": True, "msg": "b: \x1bno answer."}},
    }
    result = report_on(hosts, kind="diagnose")
    assert result["lines"][0].startswith("a: Exchange 5.5, service running, 1 message")
    assert "b: \ufffdno answer." in result["lines"]
    assert result["verdicts"] == {"a": "clean", "b": "unjudged"}
    assert result["problems"] == {"b": "\ufffdno answer."}
    assert [text for text, _colour in printed] == ["", *result["lines"], ""]


@pytest.mark.usefixtures("printed")
def test_backups_are_listed() -> None:
    backups = {"family": "imc", "of": "a", "folder": "/b/a", "count": 0, "backups": []}
    hosts = {
        "a": variables(backups=backups),
        "b": variables(backups={"failed": True, "msg": "b: no."}),
    }
    result = report_on(hosts, kind="backups")
    assert result["lines"] == ["a: no backup in /b/a", "", "b: no."]
    assert result["verdicts"] == {"a": "clean", "b": "failed"}


@pytest.mark.parametrize("wrong", [{"kind": "wish"}, {"fail_on": ["ok"]}, {"html5": "x"}])
def test_options_are_checked(wrong: dict[str, Any]) -> None:
    assert run({}, **wrong)["failed"] is True


def test_the_documentation_has_every_option() -> None:
    root = Path(__file__).resolve().parents[4]
    text = (root / "plugins" / "modules" / "delivery_report.py").read_text()
    for name in ARGUMENT_SPEC:
        assert f"\n  {name}:\n" in text
