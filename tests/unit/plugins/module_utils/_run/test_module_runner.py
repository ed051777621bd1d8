# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rim of the engine: results, failures, and a whole module in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import (
    Context,
    EngineModule,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    HostUnreachable,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import psrp
from ansible_collections.postmaster.exchange.plugins.module_utils._run.module_runner import (
    argument_spec,
    outcome,
)
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.winrm_server import WinRMServer

ROOT = Path(__file__).resolve().parents[5]


def changing(_params: Mapping[str, Any], _context: Context) -> dict[str, Any]:
    return {"changed": True, "diff": {"before": "a", "after": "b"}}


def failing(_params: Mapping[str, Any], _context: Context) -> dict[str, Any]:
    raise ExchangeError("It broke.", hint="Mend it.", details={"rolled_back": True, "msg": "no"})


def unreachable(_params: Mapping[str, Any], _context: Context) -> dict[str, Any]:
    raise HostUnreachable("Nobody there.")


def crashing(_params: Mapping[str, Any], _context: Context) -> dict[str, Any]:
    raise KeyError("a defect")


@pytest.mark.parametrize(
    ("context", "shown"),
    [
        (Context("h"), False),
        (Context("h", diff=True), True),
        (Context("h", check_mode=True), True),
    ],
)
def test_a_diff_is_for_diff_mode_and_check_mode(context: Context, shown: bool) -> None:
    assert ("diff" in outcome(EngineModule({}, changing), {}, context)) is shown


def test_a_failure_carries_its_details() -> None:
    assert outcome(EngineModule({}, failing), {}, Context("h")) == {
        "changed": False,
        "failed": True,
        "msg": "It broke. Mend it.",
        "rolled_back": True,
    }


def test_an_unreachable_host_is_not_a_failed_task() -> None:
    result = outcome(EngineModule({}, unreachable), {}, Context("h"))
    assert result["unreachable"] is True
    assert "failed" not in result


def test_a_defect_is_not_swallowed() -> None:
    with pytest.raises(KeyError):
        outcome(EngineModule({}, crashing), {}, Context("h"))


def test_only_modules_with_a_host_have_the_option_connection() -> None:
    with_host = {"a", "connection", "stop_at_refused_login"}
    assert set(argument_spec(EngineModule({"a": {}}, changing))) == with_host
    assert set(argument_spec(EngineModule({"a": {}}, changing, needs_session=False))) == {"a"}
    cmdlets = EngineModule({"a": {}}, changing, needs_session=False, connects=psrp.connect)
    assert set(argument_spec(cmdlets)) == {*with_host, "endpoint"}


# -- run_module in a real process

MODULE = """
from ansible_collections.postmaster.exchange.plugins.module_utils._run.module_runner import (
    run_module,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import EngineModule
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError

SPEC = {
    "command": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "fail": {"type": "bool", "default": False},
    "other": {"type": "str"},
}

def engine(params, context):
    if params["fail"]:
        raise ExchangeError("broke with " + params["token"], details={"rolled_back": False})
    done = context.need_session().run(params["command"])
    return {
        "changed": not context.check_mode,
        "out": done.stdout.decode(),
        "host": context.host,
        "warnings": ["take care"],
        "diff": {"before": "", "after": "x"},
    }

constraints = {"mutually_exclusive": [["command", "other"]]}
run_module(EngineModule(SPEC, engine, constraints=constraints))
"""


def run(**arguments: Any) -> dict[str, Any]:
    # ansible-core >= 2.19 sets its form of the result here; earlier ones ignore it.
    preamble = "import ansible.module_utils.basic as basic\nbasic._ANSIBLE_PROFILE = 'legacy'\n"
    done = subprocess.run(
        [sys.executable, "-c", preamble + MODULE],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={"PYTHONPATH": str(ROOT / ".build"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_module_works_on_the_host_of_its_options(tmp_path: Path) -> None:
    host = LabHost("MAIL5A", tmp_path, users={"operator": "S3cret-1"})
    with WinRMServer() as server:
        listener = server.add(host)
        result = run(
            command="echo hello",
            token="tok-12345",
            connection={
                "host": "127.0.0.1",
                "port": listener.port,
                "scheme": "http",
                "user": "operator",
                "password": "S3cret-1",
            },
            _ansible_diff=True,
        )
        assert listener.traffic.requests == 8
        assert listener.open_shells == 0
    host.close()
    assert result["out"] == "hello\r\n"
    assert result["host"] == "127.0.0.1"
    assert result["changed"] is True
    assert result["diff"] == {"before": "", "after": "x"}
    assert "take care" in json.dumps(result["warnings"])
    assert "S3cret-1" not in json.dumps(result)


def test_a_module_without_a_host_says_what_to_set() -> None:
    result = run(command="ver")
    assert result["failed"] is True
    assert "Set 'host' in the option 'connection'" in result["msg"]


def test_a_module_fails_with_details_and_without_secrets() -> None:
    where = {"host": "mail5-a", "user": "u", "password": "S3cret-1"}
    result = run(fail=True, token="tok-12345", connection=where)
    assert result["failed"] is True
    assert result["rolled_back"] is False
    assert result["msg"] == "broke with ********"


def test_an_unreachable_host_is_a_failed_module() -> None:
    where = {"host": "127.0.0.1", "port": 1, "user": "u", "password": "S3cret-1"}
    result = run(command="ver", connection=where)
    assert result["failed"] is True
    assert "unreachable" not in result
    assert "nothing listens on this port" in result["msg"]


def test_constraints_count() -> None:
    result = run(command="ver", other="x")
    assert "mutually exclusive" in result["msg"]
