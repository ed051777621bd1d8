# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions over real WinRM of the lab: work, deadlines, limits, breaks, and what is left over."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    CommandTimeout,
    ExchangeError,
    HostUnreachable,
    InvalidInput,
    MissingLibrary,
    SessionLost,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import winrs
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.options import from_params
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import Batch
from exchange_lab.windows.certificates import TestAuthority
from exchange_lab.windows.faults import Kind
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.remote_shell import Limits
from exchange_lab.windows.winrm_server import Listener, Settings, WinRMServer

from .conftest import PASSWORD, USER, Connect, basic_params, params_for


def test_one_command_costs_eight_requests_with_ntlm(
    listener: Listener, session_to: Connect
) -> None:
    session = session_to(params_for(listener))
    assert listener.traffic.requests == 0, "nothing is sent before the first command"
    batch = Batch()
    batch.add("ver", "ver")
    batch.add("missing", "reg query HKLM\\Missing")
    sections = batch.run(session)
    session.close()
    assert b"Version 6.1.7601" in sections["ver"].output
    assert sections["missing"].exit_code == 1
    assert listener.traffic.actions == ["Auth"] * 3 + [
        "Create",
        "Command",
        "Receive",
        "Signal",
        "Delete",
    ]
    assert session.requests == listener.traffic.requests == 8
    assert listener.open_shells == 0


def test_further_commands_share_the_shell(basic: Listener, session_to: Connect) -> None:
    session = session_to(basic_params(basic))
    assert session.run("echo one").stdout == b"one\r\n"
    assert session.run("echo two").stdout == b"two\r\n"
    session.close()
    assert basic.traffic.actions == (["Create"] + ["Command", "Receive", "Signal"] * 2 + ["Delete"])


def test_both_streams_and_the_exit_code_come_back(basic: Listener, session_to: Connect) -> None:
    done = session_to(basic_params(basic)).run("echo out&dir C:\\missing")
    assert done.stdout.startswith(b"out\r\n")
    assert done.stderr
    assert done.exit_code == 1
    assert not done.truncated


def test_text_is_utf_8(basic: Listener, lab_host: LabHost, session_to: Connect) -> None:
    assert session_to(basic_params(basic)).run("echo Größe").stdout == "Größe\r\n".encode()


def test_an_unused_session_sends_nothing(listener: Listener, session_to: Connect) -> None:
    session = session_to(params_for(listener))
    session.close()
    session.close()
    assert listener.traffic.requests == 0


def test_a_closed_session_can_be_closed_again(listener: Listener, session_to: Connect) -> None:
    session = session_to(params_for(listener))
    session.run("ver")
    session.close()
    session.close()
    assert listener.traffic.actions.count("Delete") == 1


@pytest.mark.parametrize("command", ["", "ver\r\ndel x", "ver\x00", "x" * 8192])
def test_what_is_no_command_line_is_never_sent(
    listener: Listener, session_to: Connect, command: str
) -> None:
    with pytest.raises(InvalidInput, match="command line"):
        session_to(params_for(listener)).run(command)
    assert listener.traffic.requests == 0


# -- deadlines and limits


def test_a_command_that_does_not_end_is_stopped_at_our_deadline(
    listener: Listener, lab_host: LabHost, session_to: Connect
) -> None:
    lab_host.time_scale = 1.0
    session = session_to(params_for(listener))
    begin = time.monotonic()
    with pytest.raises(CommandTimeout, match="mail5-a: a command did not end within 1 seconds"):
        session.run("ping -n 60 127.0.0.1", timeout=1)
    assert time.monotonic() - begin < 30
    assert listener.traffic.actions[-1] == "Signal"
    assert session.run("echo still here").stdout == b"still here\r\n"
    session.close()
    assert listener.open_shells == 0
    assert listener.shells.running_count == 0


def test_output_over_the_limit_is_cut_and_the_command_stopped(
    listener: Listener, lab_host: LabHost, session_to: Connect
) -> None:
    lab_host.fs.write_bytes(r"C:\big.txt", b"x" * 1_000_000)
    session = session_to(params_for(listener))
    done = session.run(r"type C:\big.txt", max_output=300_000)
    assert done.truncated
    assert done.exit_code == -1
    assert done.stdout == b"x" * 300_000
    assert listener.traffic.actions[-1] == "Signal"
    assert not session.run(r"type C:\big.txt").truncated


def test_a_host_that_hangs_is_noticed(
    listener: Listener, session_to: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winrs, "_READ_MARGIN", 1)
    session = session_to(params_for(listener))
    session.run("ver")
    listener.faults.at("Receive", Kind.HANG)
    begin = time.monotonic()
    with pytest.raises(SessionLost, match="did not answer in time"):
        session.run("ver", timeout=1)
    assert time.monotonic() - begin < 30


def test_a_host_that_answers_nothing_yet_at_once_is_not_hammered(
    basic: Listener, session_to: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_to(basic_params(basic))
    session.run("ver")

    def nothing_yet(*_args: Any) -> tuple[bytes, bytes, int, bool]:
        return b"", b"", -1, False

    asked = []
    monkeypatch.setattr(
        session._protocol,
        "get_command_output_raw",
        lambda *args: asked.append(args) or nothing_yet(),
    )
    with pytest.raises(CommandTimeout):
        session.run("ver", timeout=1)
    assert 3 <= len(asked) <= 12


# -- what fails when the session is opened


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"password": "wrong"}, "login was refused"),
        ({"user": "nobody"}, "login was refused"),
        ({"transport": "basic", "message_encryption": "never"}, "login was refused"),
        ({"port": 1}, "nothing listens on this port"),
        ({"host": "no-such-host.invalid"}, "the host name does not resolve"),
        ({"scheme": "https"}, "the port does not accept TLS"),
        ({"path": "/elsewhere"}, "404: WinRM is not at this path"),
        ({"proxy": "http://user:geheim@127.0.0.1:1"}, "the proxy could not be used"),
    ],
)
def test_no_session_and_why(
    listener: Listener, session_to: Connect, changes: dict[str, Any], sentence: str
) -> None:
    session = session_to(params_for(listener, **changes))
    with pytest.raises(
        HostUnreachable, match=rf"^mail5-a: no WinRM session as \S+ at \S+ port \d+: .*{sentence}"
    ) as caught:
        session.run("ver")
    _check_harmless(caught.value)
    assert listener.open_shells == 0


def _check_harmless(error: ExchangeError) -> None:
    """Neither the error nor anything a traceback would show with it holds a secret."""
    assert error.__context__ is None
    assert error.__cause__ is None
    for secret in (PASSWORD, "geheim", "wrong"):
        assert secret not in str(error).replace("wrong user", "")
        assert secret not in str(error.details)


def test_a_warning_about_a_proxy_does_not_show_its_password(
    listener: Listener, session_to: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://user:geheim@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr("winrm.transport.DISPLAYED_PROXY_WARNING", False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(HostUnreachable, match="the proxy could not be used"):
            session_to(params_for(listener)).run("ver")


@pytest.mark.parametrize("transport", ["kerberos", "credssp"])
def test_a_library_that_is_missing_is_named(
    listener: Listener, session_to: Connect, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("winrm.transport.HAVE_KERBEROS", False)
    monkeypatch.setattr("winrm.transport.HAVE_CREDSSP", False)
    with pytest.raises(MissingLibrary, match=rf"pywinrm\[{transport}\]"):
        session_to(params_for(listener, transport=transport)).run("ver")


def test_without_pywinrm_the_error_says_so(
    listener: Listener, session_to: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winrs, "LIBRARY_ERROR", "Traceback: no module")
    with pytest.raises(MissingLibrary, match=r"pywinrm >= 0\.5") as caught:
        session_to(params_for(listener)).run("ver")
    assert caught.value.details["exception"] == "Traceback: no module"


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Kind.GARBAGE, "not a valid WinRM response"),
        (Kind.HTTP_500, "HTTP status 500"),
        (Kind.RESET, "the host closed the connection"),
        (Kind.TRUNCATED, "the host closed the connection"),
        (Kind.HANG, "did not answer in time"),
        (Kind.UNAUTHORIZED, "login was refused"),
    ],
)
@pytest.mark.parametrize("action", ["Auth", "Create"])
def test_every_fault_while_opening_is_an_unreachable_host(
    listener: Listener, session_to: Connect, action: str, kind: Kind, sentence: str
) -> None:
    listener.faults.at(action, kind, times=3)
    session = session_to(params_for(listener, connect_timeout=2))
    with pytest.raises(HostUnreachable) as caught:
        session.run("ver")
    if action == "Create":
        assert sentence in str(caught.value)
    _check_harmless(caught.value)
    listener.faults.clear()
    assert session.run("echo back").stdout == b"back\r\n"


def test_a_user_without_rights(listener: Listener, session_to: Connect) -> None:
    listener.shells.denied_users.add(USER)
    with pytest.raises(HostUnreachable, match="this user may not use WinRM"):
        session_to(params_for(listener)).run("ver")


def test_too_many_shells(server: WinRMServer, lab_host: LabHost, session_to: Connect) -> None:
    listener = server.add(lab_host, limits=Limits(max_shells_per_user=1))
    session_to(params_for(listener)).run("ver")
    with pytest.raises(HostUnreachable, match="a WinRM limit on the host is reached"):
        session_to(params_for(listener)).run("ver")


# -- TLS


def https(server: WinRMServer, host: LabHost, authority: TestAuthority, **issue: Any) -> Listener:
    names = issue.pop("names", ("127.0.0.1", "localhost"))
    return server.add(host, certificate=authority.issue(*names, **issue))


def test_a_trusted_certificate(
    server: WinRMServer, lab_host: LabHost, authority: TestAuthority, session_to: Connect
) -> None:
    listener = https(server, lab_host, authority)
    session = session_to(params_for(listener, ca_cert=str(authority.ca_file)))
    assert session.run("echo safe").stdout == b"safe\r\n"


@pytest.mark.parametrize(
    ("issue", "sentence"),
    [({"names": ("mail5-b",)}, "does not match the host name"), ({"expired": True}, "has expired")],
)
def test_a_certificate_that_does_not_fit(
    server: WinRMServer,
    lab_host: LabHost,
    authority: TestAuthority,
    issue: dict[str, Any],
    sentence: str,
) -> None:
    listener = https(server, lab_host, authority, **issue)
    options = from_params(params_for(listener, ca_cert=str(authority.ca_file)))
    with pytest.raises(HostUnreachable, match=sentence):
        winrs.connect(options).run("ver")
    assert "Auth" not in listener.traffic.actions, "no password was sent"


def test_an_untrusted_certificate_is_refused_unless_told_otherwise(
    server: WinRMServer, lab_host: LabHost, authority: TestAuthority, session_to: Connect
) -> None:
    listener = https(server, lab_host, authority)
    with pytest.raises(HostUnreachable, match=r"certificate is not trusted.*ca_cert"):
        session_to(params_for(listener)).run("ver")
    session = session_to(params_for(listener, cert_validation="ignore"))
    assert session.run("echo unsafe").stdout == b"unsafe\r\n"


def test_a_missing_file_of_authorities(
    server: WinRMServer,
    lab_host: LabHost,
    authority: TestAuthority,
    session_to: Connect,
    tmp_path: Path,
) -> None:
    listener = https(server, lab_host, authority)
    with pytest.raises(HostUnreachable, match="the file given as ca_cert is missing"):
        session_to(params_for(listener, ca_cert=str(tmp_path / "none.pem"))).run("ver")


def test_basic_within_tls(
    server: WinRMServer, lab_host: LabHost, authority: TestAuthority, session_to: Connect
) -> None:
    certificate = authority.issue("127.0.0.1")
    listener = server.add(lab_host, certificate=certificate, settings=Settings(basic=True))
    params = params_for(listener, transport="basic", ca_cert=str(authority.ca_file))
    assert session_to(params).run("echo tls").stdout == b"tls\r\n"


# -- what breaks in the middle


@pytest.mark.parametrize("action", ["Command", "Receive"])
@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Kind.RESET, "closed the connection"),
        (Kind.RESET_AFTER, "closed the connection"),
        (Kind.DROP_AFTER, "closed the connection"),
        (Kind.TRUNCATED, "closed the connection"),
        (Kind.GARBAGE, "not a valid WinRM response"),
        (Kind.HTTP_500, "HTTP status 500"),
        (Kind.UNAUTHORIZED, "login was refused"),
    ],
)
def test_a_break_is_told_and_leaves_no_shell(
    listener: Listener, session_to: Connect, action: str, kind: Kind, sentence: str
) -> None:
    session = session_to(params_for(listener))
    session.run("ver")
    listener.faults.at(action, kind)
    with pytest.raises(SessionLost, match=sentence) as caught:
        session.run("ver")
    assert "The command may or may not have run" in str(caught.value)
    _check_harmless(caught.value)
    session.reopen()
    assert listener.open_shells == 0
    assert session.run("echo again").stdout == b"again\r\n"
    session.close()
    assert listener.open_shells == 0
    assert listener.shells.running_count == 0


def test_a_broken_session_is_cleaned_up_by_close_alone(
    listener: Listener, session_to: Connect
) -> None:
    session = session_to(params_for(listener))
    session.run("ver")
    listener.faults.at("Receive", Kind.RESET)
    with pytest.raises(SessionLost):
        session.run("ver")
    session.close()
    assert listener.open_shells == 0


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.GARBAGE, Kind.HTTP_500])
def test_a_result_survives_a_break_after_it(
    listener: Listener, session_to: Connect, kind: Kind
) -> None:
    session = session_to(params_for(listener))
    listener.faults.at("Signal", kind)
    assert session.run("echo done").stdout == b"done\r\n"
    assert session.run("echo next").stdout == b"next\r\n"
    session.close()
    assert listener.open_shells == 0


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.GARBAGE, Kind.HTTP_500])
def test_closing_tries_again_over_a_fresh_connection(
    listener: Listener, session_to: Connect, kind: Kind
) -> None:
    session = session_to(params_for(listener))
    session.run("ver")
    listener.faults.at("Delete", kind)
    session.close()
    assert listener.open_shells == 0


def test_a_host_that_is_gone_at_the_close_is_left_alone(
    listener: Listener, session_to: Connect
) -> None:
    session = session_to(params_for(listener))
    session.run("ver")
    listener.stop()
    begin = time.monotonic()
    session.close()
    assert time.monotonic() - begin < 30


def test_a_shell_that_the_host_forgot(listener: Listener, session_to: Connect) -> None:
    session = session_to(params_for(listener))
    session.run("ver")
    listener.shells.expire()
    with pytest.raises(SessionLost, match="the WinRM shell no longer exists"):
        session.run("ver")
    session.reopen()
    assert session.run("echo new").stdout == b"new\r\n"


def test_a_shell_whose_operations_are_used_up_is_replaced(
    server: WinRMServer, lab_host: LabHost, session_to: Connect
) -> None:
    listener = server.add(lab_host, limits=Limits(max_operations_per_user=3))
    session = session_to(params_for(listener))
    assert [session.run(f"echo {n}").stdout for n in range(8)] == [b"%d\r\n" % n for n in range(8)]
    session.close()
    assert listener.open_shells == 0
