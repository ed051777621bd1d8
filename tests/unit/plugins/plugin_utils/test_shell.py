# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session over Ansible's own winrm connection: lent, shared, and never left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    HostUnreachable,
    SessionLost,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.winrs import (
    Login,
    WinrsSession,
)
from ansible_collections.postmaster.exchange.plugins.plugin_utils._shell import ConnectionShell
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.winrm_server import Listener, WinRMServer

PASSWORD = "S3cret-Passw0rd"


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    host = LabHost("MAIL5A", tmp_path, users={"operator": PASSWORD})
    with WinRMServer() as server:
        yield server.add(host)
    host.close()


def connection_to(listener: Listener, **variables: Any) -> Any:
    connection = connection_loader.get("winrm", PlayContext())
    connection.set_options(
        var_options={
            "inventory_hostname": "mail5-a",
            "ansible_host": "127.0.0.1",
            "ansible_port": listener.port,
            "ansible_winrm_scheme": "http",
            "ansible_winrm_transport": ["ntlm"],
            "ansible_user": "operator",
            "ansible_password": PASSWORD,
            "ansible_winrm_connection_timeout": 3,
            "_extras": {},
            **variables,
        }
    )
    return connection


def session_over(connection: Any) -> WinrsSession:
    return WinrsSession(ConnectionShell(connection), host="mail5-a", login=Login("operator"))


def test_one_task_costs_eight_requests_and_ansible_closes_the_shell(listener: Listener) -> None:
    connection = connection_to(listener)
    session = session_over(connection)
    assert session.run("echo hello").stdout == b"hello\r\n"
    session.close()
    assert listener.open_shells == 1, "the shell is Ansible's to close"
    connection.close()
    assert listener.open_shells == 0
    assert listener.traffic.actions == (
        ["Auth"] * 3 + ["Create", "Command", "Receive", "Signal", "Delete"]
    )


def test_items_of_a_loop_share_the_shell(listener: Listener) -> None:
    connection = connection_to(listener)
    for _round in range(3):
        session = session_over(connection)
        session.run("ver")
        session.close()
        assert session.requests == 3
    connection.close()
    assert listener.traffic.requests == 4 + 3 * 3 + 1
    assert listener.open_shells == 0


def test_the_timeouts_of_the_connection_are_put_back(listener: Listener) -> None:
    connection = connection_to(listener)
    session = session_over(connection)
    session.run("ver", timeout=100)
    assert connection.protocol.operation_timeout_sec == 3
    assert connection.protocol.transport.read_timeout_sec == 13
    connection.close()


def test_a_broken_shell_is_deleted_and_replaced(listener: Listener) -> None:
    connection = connection_to(listener)
    session = session_over(connection)
    session.run("ver")
    listener.faults.at("Receive", "reset")
    with pytest.raises(SessionLost, match="mail5-a"):
        session.run("ver")
    session.reopen()
    assert listener.open_shells == 0
    assert session.run("echo again").stdout == b"again\r\n"
    session.close()
    connection.close()
    assert listener.open_shells == 0


def test_a_break_at_the_end_leaves_nothing_for_ansible_to_close(listener: Listener) -> None:
    connection = connection_to(listener)
    session = session_over(connection)
    session.run("ver")
    listener.faults.at("Receive", "reset")
    with pytest.raises(SessionLost):
        session.run("ver")
    session.close()
    assert listener.open_shells == 0
    before = listener.traffic.requests
    connection.close()
    assert listener.traffic.requests == before


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"ansible_password": "wrong"}, "login was refused"),
        ({"ansible_port": 1}, "nothing listens on this port"),
        ({"ansible_host": "no-such-host.invalid"}, "the host name does not resolve"),
        ({"ansible_winrm_scheme": "https"}, "the port does not accept TLS"),
        ({"ansible_winrm_path": "/elsewhere"}, "404: WinRM is not at this path"),
        (
            {"_extras": {"ansible_winrm_proxy": "http://u:geheim@127.0.0.1:1"}},
            "proxy could not be used",
        ),
    ],
)
def test_what_ansible_says_of_a_failed_login_is_said_clearly(
    listener: Listener, variables: dict[str, Any], sentence: str
) -> None:
    connection = connection_to(listener, **variables)
    with pytest.raises(HostUnreachable, match=f"^mail5-a: .*{sentence}") as caught:
        session_over(connection).run("ver")
    assert caught.value.__context__ is None
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("garbage", "not a valid WinRM response"),
        ("http500", "HTTP status 500"),
        ("reset", "closed the connection"),
        ("hang", "in time"),
    ],
)
def test_faults_while_ansible_opens_the_shell(listener: Listener, kind: str, sentence: str) -> None:
    extras = {"ansible_winrm_read_timeout_sec": 2, "ansible_winrm_operation_timeout_sec": 1}
    connection = connection_to(listener, ansible_winrm_connection_timeout=None, _extras=extras)
    listener.faults.at("Create", kind)
    with pytest.raises(HostUnreachable, match=sentence):
        session_over(connection).run("ver")
    assert session_over(connection).run("echo back").stdout == b"back\r\n"
    connection.close()
