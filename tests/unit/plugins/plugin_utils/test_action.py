# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of the action plugins: where a task runs, with which session, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
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
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.winrs import Login
from ansible_collections.postmaster.exchange.plugins.plugin_utils import _action, _progress
from ansible_collections.postmaster.exchange.plugins.plugin_utils._action import EngineAction

SPEC = {
    "name": {"type": "str", "required": True},
    "token": {"type": "str", "no_log": True},
    "other": {"type": "str"},
    "count": {"type": "int", "default": 1},
    "routes": {"type": "list", "elements": "str"},
}
PASSWORD = "S3cret-Passw0rd"
WINRM_OPTIONS = {
    "remote_addr": "10.0.0.7",
    "remote_user": "operator",
    "remote_password": PASSWORD,
    "port": 5985,
    "scheme": None,
    "path": "/wsman",
    "transport": ["ntlm"],
    "connection_timeout": None,
    "_extras": {},
}
PSRP_OPTIONS = {
    "remote_addr": "10.0.0.8",
    "remote_user": "operator",
    "remote_password": PASSWORD,
    "port": None,
    "protocol": None,
    "auth": "ntlm",
    "ca_cert": None,
    "cert_validation": "validate",
    "certificate_pem": None,
    "certificate_key_pem": None,
    "message_encryption": "auto",
    "connection_timeout": 30,
    "proxy": None,
}


class FakeSession:
    """Remembers what it was made of, and whether it was closed."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self.args = args
        self.named = named
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def engine(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    Probe.seen.append((params, context))
    return Probe.answer(context)


CONSTRAINTS = {"mutually_exclusive": [["token", "other"]]}


class Probe(EngineAction):
    module = EngineModule(SPEC, engine, constraints=CONSTRAINTS)
    seen: list[tuple[Mapping[str, Any], Context]] = []  # noqa: RUF012
    answer: Callable[[Context], dict[str, Any]]


class ProbeWithoutSession(Probe):
    module = EngineModule(SPEC, engine, needs_session=False, constraints=CONSTRAINTS)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    Probe.seen = []
    Probe.answer = lambda _context: {"changed": True}
    monkeypatch.setattr(_action, "WinrsSession", FakeSession)
    monkeypatch.setattr(_action, "connect", FakeSession)


def action(
    args: dict[str, Any],
    transport: str = "winrm",
    kind: type[Probe] = Probe,
    *,
    become: Any = None,
    windows: bool = False,
    **task: Any,
) -> Probe:
    get = {"winrm": WINRM_OPTIONS, "psrp": PSRP_OPTIONS}.get(transport, {}).get
    fields = {"delegate_to": None, "async_val": 0, "check_mode": False, "diff": False}
    fields |= {"debugger": None, **task}
    made = kind(
        SimpleNamespace(
            action="postmaster.exchange.probe", resolved_action=None, args=args, **fields
        ),
        SimpleNamespace(
            transport=transport,
            get_option=get,
            become=become,
            _shell=SimpleNamespace(tmpdir=None, _IS_WINDOWS=windows),
        ),
        SimpleNamespace(),
        SimpleNamespace(get_basedir=lambda: "/srv/play"),
        SimpleNamespace(template=lambda value: value),
        shared_loader_obj=None,
    )
    made._execute_module = lambda **named: {"module": named}
    return made


def run(made: Probe, **variables: Any) -> dict[str, Any]:
    return made.run(task_vars={"inventory_hostname": "mail5-a", **variables})


def context() -> Context:
    return Probe.seen[0][1]


def test_the_engine_gets_validated_options_and_its_context() -> None:
    run(action({"name": 5, "count": "2"}, check_mode=True, diff=True))
    params, seen = Probe.seen[0]
    assert params["name"] == "5"
    assert params["count"] == 2
    assert params["connection"] is None
    assert seen.host == "mail5-a"
    assert seen.check_mode
    assert seen.diff
    assert seen.basedir == Path.cwd()


def test_the_next_attempt_gets_all_that_was_given() -> None:
    made = action({"name": "a", "routes": ["nestle.com"]})
    run(made)
    run(made)
    assert [params["routes"] for params, _context in Probe.seen] == [["nestle.com"]] * 2


def test_what_goes_back_with_the_result_has_no_lists() -> None:
    made = action({"name": "a", "routes": ["nestle.com"]})
    run(made)
    assert made._task.args == {"name": "a"}


@pytest.mark.parametrize("ending", [{"failed": True}, {"unreachable": True}])
def test_the_debugger_sees_all_that_a_failed_task_was_given(ending: dict[str, Any]) -> None:
    Probe.answer = lambda _context: ending
    made = action({"name": "a", "routes": ["nestle.com"]})
    run(made)
    assert made._task.args["routes"] == ["nestle.com"]


def test_the_debugger_sees_all_where_it_always_begins() -> None:
    made = action({"name": "a", "routes": ["nestle.com"]}, debugger="always")
    run(made)
    assert made._task.args["routes"] == ["nestle.com"]


def test_a_winrm_host_lends_its_connection() -> None:
    made = action({"name": "a"})
    run(made)
    session = context().session
    assert isinstance(session, FakeSession)
    assert session.args[0].connection is made._connection
    gate = session.named.pop("gate")
    assert gate.func == _action._LOGINS.attempt
    assert gate.args == ("operator", PASSWORD, "mail5-a", ("10.0.0.7", 5985))
    assert session.named == {
        "host": "mail5-a",
        "login": Login("operator", "10.0.0.7 port 5985"),
        "secrets": (PASSWORD,),
    }
    assert session.closed == 1


def test_explicit_options_win_over_those_of_the_inventory() -> None:
    run(action({"name": "a", "connection": {"host": "mail5-b", "port": None}}))
    session = context().session
    assert isinstance(session, FakeSession)
    options = session.args[0]
    assert (options.host, options.port, options.user) == ("mail5-b", 5985, "operator")
    assert options.password == PASSWORD


def test_a_psrp_host_gets_a_session_of_its_options() -> None:
    run(action({"name": "a"}, "psrp"))
    session = context().session
    assert isinstance(session, FakeSession)
    assert session.args[0].url == "https://10.0.0.8:5986/wsman"


def test_a_local_task_takes_the_variables() -> None:
    variables = {"ansible_host": "10.0.0.9", "ansible_user": "u", "ansible_password": "p"}
    run(action({"name": "a"}, "local"), **variables)
    session = context().session
    assert isinstance(session, FakeSession)
    assert session.args[0].host == "10.0.0.9"


def test_a_local_task_without_a_host_says_what_is_missing() -> None:
    result = run(action({"name": "a"}, "local"), inventory_hostname="localhost")
    assert result["failed"]
    assert "The host to work on is not set" in result["msg"]
    assert Probe.seen == []


@pytest.mark.parametrize(
    ("inventory_name", "delegate_to", "explicit", "shown"),
    [
        ("mail5-a", None, None, "mail5-a"),
        ("mail5-a", None, "10.0.0.7", "mail5-a"),
        ("mail5-a", "mgmt1", None, "mgmt1"),
        ("localhost", None, "10.0.0.7", "10.0.0.7"),
        ("mail5-a", "localhost", "10.0.0.7", "10.0.0.7"),
    ],
)
def test_the_host_is_called_what_the_administrator_calls_it(
    inventory_name: str, delegate_to: str | None, explicit: str | None, shown: str
) -> None:
    args = {"name": "a", "connection": {"host": explicit}}
    run(action(args, delegate_to=delegate_to), inventory_hostname=inventory_name)
    assert context().host == shown


def test_on_another_connection_the_module_runs_there() -> None:
    result = run(action({"name": "a"}, "ssh", async_val=30))
    assert Probe.seen == []
    assert result["module"]["module_name"] == "postmaster.exchange.probe"
    assert result["module"]["module_args"] == {"name": "a"}
    assert result["module"]["wrap_async"] == 30


@pytest.mark.parametrize(
    ("transport", "delegate_to", "here"),
    [
        ("ssh", None, True),
        ("winrm", None, True),
        ("ssh", "bastion", False),
        ("local", "localhost", True),
    ],
)
def test_what_needs_no_session_runs_on_the_controller_unless_delegated(
    transport: str, delegate_to: str | None, here: bool
) -> None:
    made = action({"name": "a"}, transport, ProbeWithoutSession, delegate_to=delegate_to)
    run(made)
    assert bool(Probe.seen) is here
    if here:
        assert context().session is None


def test_without_a_session_there_is_no_option_connection() -> None:
    result = run(action({"name": "a", "connection": {}}, "ssh", ProbeWithoutSession))
    assert "Unsupported parameters" in result["msg"]


def test_what_ansible_decrypts_when_asked_is_text_from_here_on() -> None:
    """Before 2.19 such a value is not a string, and login libraries reject it."""

    class Vaulted:
        __ENCRYPTED__ = True

        def __str__(self) -> str:
            return PASSWORD

    assert _action.plain({"password": Vaulted()}) == {"password": PASSWORD}
    variables = {"ansible_host": "10.0.0.9", "ansible_user": "u", "ansible_password": Vaulted()}
    run(action({"name": "a"}, "local"), **variables)
    session = context().session
    assert isinstance(session, FakeSession)
    assert session.args[0].password == PASSWORD


def become(user: str | None) -> SimpleNamespace:
    """What Ansible puts in for the plugin runas or sudo."""
    return SimpleNamespace(get_option={"become_user": user}.get)


@pytest.mark.parametrize("transport", ["winrm", "psrp", "local"])
@pytest.mark.parametrize("user", ["SYSTEM", "root", None])
def test_a_host_is_never_worked_on_as_somebody_else_than_asked(
    transport: str, user: str | None
) -> None:
    result = run(action({"name": "a"}, transport, become=become(user)))
    assert result["failed"]
    assert f"is to become {user or 'another user'}" in result["msg"]
    assert "Nothing was done" in result["msg"]
    assert Probe.seen == []


@pytest.mark.parametrize("transport", ["winrm", "psrp"])
def test_becoming_who_logs_in_changes_nothing(transport: str) -> None:
    run(action({"name": "a"}, transport, become=become("Operator")))
    assert len(Probe.seen) == 1


@pytest.mark.parametrize(
    ("transport", "delegate_to", "here"),
    [
        ("winrm", None, True),
        ("ssh", None, True),
        ("local", None, False),
        ("local", "localhost", False),
        ("ssh", "bastion", False),
    ],
)
def test_what_is_no_work_on_a_host_is_left_to_the_module_where_somebody_else_can_run_it(
    transport: str, delegate_to: str | None, here: bool
) -> None:
    who = become("svc-exchange")
    run(action({"name": "a"}, transport, ProbeWithoutSession, become=who, delegate_to=delegate_to))
    assert bool(Probe.seen) is here


def test_a_bastion_becomes_whom_it_is_told_to() -> None:
    result = run(action({"name": "a"}, "ssh", become=become("root")))
    assert result["module"]["module_args"] == {"name": "a"}


def test_a_windows_host_behind_ssh_is_worked_on_from_here_at_the_port_of_winrm() -> None:
    variables = {
        "ansible_connection": "ssh",
        "ansible_port": 22,
        "ansible_host": "10.0.0.9",
        "ansible_user": "u",
        "ansible_password": "p",
    }
    run(action({"name": "a"}, "ssh", windows=True), **variables)
    session = context().session
    assert isinstance(session, FakeSession)
    assert session.args[0].url == "https://10.0.0.9:5986/wsman"


def test_async_on_the_controller_is_refused_clearly() -> None:
    result = run(action({"name": "a"}, async_val=30))
    assert result["failed"]
    assert "cannot be asynchronous" in result["msg"]
    assert Probe.seen == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "missing required arguments: name"),
        (
            {"name": "a", "nmae": "b"},
            "for (postmaster.exchange.probe) module: nmae. Supported parameters include: conn",
        ),
        ({"name": "a", "count": "many"}, "argument 'count' is of type"),
        ({"name": "a", "token": "tok-1", "other": "y"}, "mutually exclusive: token|other"),
        ({"name": "a", "connection": {"prot": 1}}, "module: connection.prot."),
        ({"name": "a", "connection": {"scheme": "ftp"}}, "value of scheme must be one of"),
    ],
)
def test_wrong_options_are_told_as_modules_tell_them(args: dict[str, Any], message: str) -> None:
    result = run(action(args))
    assert result["failed"]
    assert message in result["msg"]
    assert Probe.seen == []


@pytest.mark.parametrize("verbosity", [0, 3, 6])
@pytest.mark.parametrize("transport", ["winrm", "ssh"])
@pytest.mark.parametrize(
    "args",
    [
        {"name": "a", "nmae": "hunter2"},
        {"name": "a", "count": "hunter2"},
        {"name": "a", "connection": {"port": "hunter2"}},
        {"name": "a", "connection": {"scheme": "hunter2"}},
        {"name": "a", "connection": {"passwd": "hunter2"}},
        {"name": "a", "connection": "hunter2"},
        {"name": "a", "routes": {"x": "hunter2"}},
        {"name": "a", "stop_at_refused_login": "hunter2"},
        {"other": "hunter2"},
    ],
    ids="-".join,
)
def test_a_wrong_option_never_shows_its_value(
    args: dict[str, Any], transport: str, verbosity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_action.display, "verbosity", verbosity)
    result = run(action(args, transport))
    assert result["failed"]
    assert "hunter2" not in str(result)
    assert Probe.seen == []


@pytest.mark.parametrize(
    ("options", "readable"),
    [
        ({"transport": None}, True),
        ({"transport": ["ntlm", "basic"]}, True),
        ({"transport": "plaintext"}, True),
        ({"transport": None, "port": 5986}, False),
        ({"transport": None, "scheme": "https"}, False),
        ({"transport": None, "remote_user": "operator@HQ.EXAMPLE"}, False),
        ({"transport": ["kerberos", "ntlm"]}, False),
        ({"transport": ["basic"], "_extras": {"ansible_winrm_message_encryption": "never"}}, False),
    ],
)
def test_no_password_goes_readable_unless_that_is_asked_for(
    options: dict[str, Any], readable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "WINRM_OPTIONS", {**WINRM_OPTIONS, **options})
    result = run(action({"name": "a"}))
    assert result.get("failed", False) is readable
    if readable:
        assert "would send the password readable (Basic over plain HTTP)" in result["msg"]
        assert Probe.seen == []


def test_another_connection_to_exchange_itself_says_which_family() -> None:
    class Detecting(Probe):
        module = EngineModule({**SPEC, "family": {"type": "str", "default": "auto"}}, engine)

    run(action({"name": "a"}, "psrp", Detecting))
    assert Probe.seen[-1][0]["family"] == "auto"
    made = action({"name": "a"}, "psrp", Detecting)
    options = {**PSRP_OPTIONS, "configuration_name": "Microsoft.Exchange"}
    made._connection.get_option = options.get
    run(made)
    assert Probe.seen[-1][0]["family"] == "transport"


@pytest.mark.parametrize("verbosity", [0, 3])
def test_no_secret_of_the_options_comes_back(
    verbosity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_action.display, "verbosity", verbosity)

    def leak(_context: Context) -> dict[str, Any]:
        raise ExchangeError("token is tok-12345", details={"list": ["a tok-12345 b", "tok-12345"]})

    Probe.answer = leak
    args = {"name": "a", "token": "tok-12345", "connection": {"password": "other-secret"}}
    result = run(action(args))
    assert result["msg"] == "token is ********"
    assert "tok-12345" not in str(result)
    assert "other-secret" not in str(result)
    if verbosity:
        assert result["invocation"]["module_args"]["name"] == "a"
    else:
        assert "invocation" not in result


def test_an_unreachable_host_and_a_failure_differ() -> None:
    def nobody(_context: Context) -> dict[str, Any]:
        raise HostUnreachable("mail5-a: nothing listens.")

    Probe.answer = nobody
    result = run(action({"name": "a"}))
    assert result["unreachable"] is True
    assert "failed" not in result


@pytest.mark.parametrize("error", [ExchangeError("x"), KeyError("defect")])
def test_the_session_is_closed_whatever_happens(error: Exception) -> None:
    def fail(_context: Context) -> dict[str, Any]:
        raise error

    Probe.answer = fail
    try:
        run(action({"name": "a"}))
    except KeyError:
        assert isinstance(error, KeyError), "a defect is not swallowed"
    session = context().session
    assert isinstance(session, FakeSession)
    assert session.closed == 1


def test_progress_is_shown_with_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(_progress, "show", shown.append)

    def tell(seen: Context) -> dict[str, Any]:
        seen.progress("restarting the service")
        return {}

    Probe.answer = tell
    assert run(action({"name": "a"}))["changed"] is False
    assert shown == ["mail5-a: restarting the service"]


def test_what_a_host_says_is_no_template() -> None:
    """On ansible-core before 2.19 the type marks it; from 2.19 on all untagged text is data."""
    Probe.answer = lambda _context: {"nested": [{"text": "{{ lookup('pipe', 'id') }}"}]}
    result = run(action({"name": "a"}))
    text = result["nested"][0]["text"]
    assert text == "{{ lookup('pipe', 'id') }}"
    try:
        from ansible._internal._datatag._tags import TrustedAsTemplate  # noqa: PLC0415
    except ImportError:
        assert getattr(text, "__UNSAFE__", False)
    else:
        assert not TrustedAsTemplate.is_tagged_on(text)
