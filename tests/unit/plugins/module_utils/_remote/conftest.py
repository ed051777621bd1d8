# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of the lab for sessions, over real WinRM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.options import from_params
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.winrs import (
    WinrsSession,
    connect,
)
from exchange_lab.windows.certificates import TestAuthority
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.winrm_server import Listener, Settings, WinRMServer

PASSWORD = "S3cret-Passw0rd"
USER = "operator"

Connect = Callable[..., WinrsSession]


@pytest.fixture
def lab_host(tmp_path: Path) -> Iterator[LabHost]:
    host = LabHost("MAIL5A", tmp_path / "disk", users={USER: PASSWORD}, time_scale=0.05)
    yield host
    host.close()


@pytest.fixture
def server() -> Iterator[WinRMServer]:
    with WinRMServer() as running:
        yield running


@pytest.fixture
def listener(server: WinRMServer, lab_host: LabHost) -> Listener:
    """NTLM with message encryption over HTTP."""
    return server.add(lab_host)


@pytest.fixture
def basic(server: WinRMServer, lab_host: LabHost) -> Listener:
    """Basic, unencrypted, over HTTP: every message can be counted."""
    return server.add(lab_host, settings=Settings(basic=True, allow_unencrypted=True))


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    folder = tmp_path / "ca"
    folder.mkdir()
    return TestAuthority(folder)


def params_for(listener: Listener, **changes: Any) -> dict[str, Any]:
    return {
        "host": listener.address,
        "port": listener.port,
        "scheme": listener.scheme,
        "user": USER,
        "password": PASSWORD,
        "transport": "ntlm",
        "connect_timeout": 5,
        **changes,
    }


def basic_params(listener: Listener, **changes: Any) -> dict[str, Any]:
    return params_for(listener, transport="basic", message_encryption="never", **changes)


@pytest.fixture
def session_to() -> Iterator[Connect]:
    """Open sessions that are closed at the end of the test."""
    opened: list[WinrsSession] = []

    def open_session(params: dict[str, Any], host: str = "mail5-a") -> WinrsSession:
        opened.append(connect(from_params(params), host=host))
        return opened[-1]

    yield open_session
    for session in opened:
        session.close()
