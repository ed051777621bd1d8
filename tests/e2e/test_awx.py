# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there to load into AWX follows the rules of AWX, and names what this collection has.

The rules are those of AWX 24.6.1: of its survey of a job template, and of the rule of a schedule.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from dateutil import rrule
from exchange_lab.controller import Controller

ROOT = Path(__file__).resolve().parents[2]
AWX = ROOT / "docs" / "awx"
(SETUP,) = yaml.safe_load((AWX / "setup.yml").read_text())
SURVEY = yaml.safe_load((AWX / "survey.yml").read_text())["mail_delivery_survey"]
OPTIONS = yaml.safe_load((ROOT / "roles/mx_delivery/meta/argument_specs.yml").read_text())[
    "argument_specs"
]["main"]["options"]
WORKFLOWS = {one["name"]: one for one in SETUP["vars"]["workflows"]}
TEMPLATES = {one["name"] for one in SETUP["vars"]["job_templates"]} | {"next"}
_TYPES = {"text": str, "textarea": str, "multiplechoice": str, "integer": int}


def question_errors(question: dict[str, Any]) -> list[str]:
    """What AWX has against a question of a survey."""
    kind, default = question.get("type"), question.get("default", "")
    checks = {
        "a text is missing": all(
            isinstance(question.get(key), str) for key in ("type", "question_name", "variable")
        ),
        "required is no boolean": isinstance(question.get("required"), bool),
        "the type is unknown": kind in _TYPES,
        "the default is of another type": default == ""
        or isinstance(default, _TYPES.get(str(kind), object)),
        "a limit is no number": all(
            isinstance(question.get(key, 0), int) for key in ("min", "max")
        ),
        "the default is no choice": kind != "multiplechoice"
        or default in question.get("choices", "").splitlines(),
    }
    return [text for text, fine in checks.items() if not fine]


def test_the_survey_is_one_and_each_answer_is_a_variable_of_the_role() -> None:
    assert isinstance(SURVEY["name"], str)
    assert isinstance(SURVEY["description"], str)
    names = [question["variable"] for question in SURVEY["spec"]]
    assert len(names) == len(set(names))
    for question in SURVEY["spec"]:
        assert question_errors(question) == [], question["variable"]
        option = OPTIONS[question["variable"]]
        choices = question.get("choices", "").splitlines()
        allowed = ["false", "true"] if option["type"] == "bool" else option.get("choices", choices)
        assert set(choices) <= set(allowed)
        if choices:
            assert set(choices) == set(allowed), "a choice of the role is not offered"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"required": "no"}, "required is no boolean"),
        ({"type": "boolean"}, "the type is unknown"),
        ({"default": "often"}, "the default is no choice"),
        ({"default": 7}, "the default is of another type"),
        ({"question_name": None}, "a text is missing"),
        ({"max": "8"}, "a limit is no number"),
    ],
)
def test_a_wrong_question_is_noticed(change: dict[str, Any], said: str) -> None:
    question = next(one for one in SURVEY["spec"] if one["type"] == "multiplechoice")
    assert said in question_errors({**question, **change})


def starts(rule: str, after: datetime, count: int) -> list[datetime]:
    """The times at which a schedule runs; the rule is one that AWX takes."""
    begin, repeat = rule.split(" ")
    assert begin.startswith("DTSTART:")
    assert begin.endswith("Z")
    assert repeat.startswith("RRULE:")
    assert "INTERVAL=" in repeat
    assert not {"SECONDLY", "EXDATE", "RDATE"} & set(repeat.replace("=", ";").split(";"))
    return list(rrule.rrulestr(f"{begin}\n{repeat}").xafter(after, count=count))


@pytest.mark.parametrize(
    ("workflow", "distance"), [("audit", timedelta(hours=1)), ("enforce", timedelta(days=1))]
)
def test_schedules_start_workflows_in_time(workflow: str, distance: timedelta) -> None:
    (schedule,) = [one for one in SETUP["vars"]["schedules"] if one["workflow"] == workflow]
    first, second = starts(schedule["rrule"], datetime.now(UTC), 2)
    assert second - first == distance


def test_nodes_run_what_there_is_in_an_order_that_ends() -> None:
    for workflow in WORKFLOWS.values():
        nodes = {one["id"]: one for one in workflow["nodes"]}
        seen: list[str] = []
        for node in workflow["nodes"]:
            assert node.get("template", node["id"]) in TEMPLATES
            for later in (*node.get("success", ()), *node.get("always", ())):
                assert later in nodes
                assert later not in (*seen, node["id"])
            seen.append(node["id"])
    for name in TEMPLATES - {"next"}:
        (play,) = yaml.safe_load((AWX / "project" / f"{name}.yml").read_text())
        assert play["ansible.builtin.import_playbook"] == f"postmaster.exchange.{name}"
        assert (ROOT / "playbooks" / f"{name}.yml").is_file()


@pytest.mark.full
@pytest.mark.e2e
def test_the_next_run_is_when_the_first_ttl_ends(controller: Controller) -> None:
    (play,) = yaml.safe_load((AWX / "project" / "next.yml").read_text())
    now = datetime.now(UTC).replace(microsecond=0)
    ends = [now - timedelta(days=3), now + timedelta(hours=5), now + timedelta(days=9)]
    given = [end.strftime("%Y-%m-%dT%H:%M:%SZ") for end in ends]
    play["tasks"] = [
        {
            "ansible.builtin.copy": {
                "content": "{{ rrule }}",
                "dest": "{{ playbook_dir }}/{{ index }}.txt",
                "mode": "0600",
            },
            "vars": {"mx_delivery_valid_until": "{{ item }}"},
            "loop": given,
            "loop_control": {"index_var": "index"},
        }
    ]
    (controller.folder / "play.yml").write_text(json.dumps([play]))
    run = controller.run("TZ=Asia/Tokyo ansible-playbook play.yml")
    assert run.status == 0, run.output
    rules = [(controller.folder / f"{n}.txt").read_text().strip() for n in range(3)]
    past, exact, far = [starts(rule, now, 2) for rule in rules]
    assert exact == [ends[1]]
    for found, wanted in ((past, now + timedelta(minutes=15)), (far, now + timedelta(days=1))):
        (moment,) = found
        assert timedelta(0) <= moment - wanted < timedelta(minutes=1)
