# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A realm with one user, and hosts of both kinds that take its tickets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import (
    options,
    psrp,
    winrs,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import Cmdlet
from exchange_lab.org.lab import OrganisationLab
from exchange_lab.org.versions import Family
from exchange_lab.windows import active_directory, kdc
from exchange_lab.windows.certificates import TestAuthority
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.kdc import Realm
from exchange_lab.windows.winrm_listener import HttpListener
from exchange_lab.windows.winrm_server import Settings, WinRMServer

USER, PASSWORD = f"operator@{kdc.REALM}", "S3cret-Passw0rd"
MARK = "a-word-that-must-not-be-read"


@pytest.fixture(scope="session", params=[kdc, active_directory], ids=["mit", "ad"])
def _running_realm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Realm]:
    if missing := request.param.missing():
        pytest.skip(f"not installed: {', '.join(missing)}")
    with request.param.running(tmp_path_factory.mktemp("realm"), {USER: PASSWORD}) as realm:
        yield realm


@pytest.fixture
def realm(_running_realm: Realm, monkeypatch: pytest.MonkeyPatch) -> Realm:
    """The realm, which this process and its children are led to; there is no ticket yet."""
    for name, value in _running_realm.environment.items():
        monkeypatch.setenv(name, value)
    _running_realm.logout()
    return _running_realm


@pytest.fixture
def ticket(realm: Realm) -> None:
    """The user has logged in on the controller."""
    realm.login(USER, PASSWORD)


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    folder = tmp_path / "ca"
    folder.mkdir()
    return TestAuthority(folder)


@dataclass(frozen=True, slots=True)
class Service:
    """What listens for one kind of session; ``open`` gives a session and what to do with it."""

    kind: str
    listener: HttpListener

    def open(self, **changes: Any) -> tuple[Any, Callable[[], str]]:
        """Return a session, and a function that does something there whose answer is MARK."""
        given = {
            "host": "localhost",
            "port": self.listener.port,
            "scheme": self.listener.scheme,
            "user": USER,
            "connect_timeout": 5,
            **changes,
        }
        if self.kind == "winrm":
            shell = winrs.connect(options.from_params({"transport": "kerberos", **given}))
            return shell, lambda: _said(shell)
        pool = psrp.connect(options.endpoint_from_params({"auth": "kerberos", **given}))
        return pool, lambda: _shown(pool)

    def use(self, **changes: Any) -> str:
        """Open a session, ask there for MARK, close it; return the answer."""
        session, ask = self.open(**changes)
        with contextlib.closing(session):
            return ask()


def _said(session: winrs.WinrsSession) -> str:
    return session.run(f"echo {MARK}").stdout.decode().strip()


def _shown(session: psrp.PsrpSession) -> str:
    (server,) = session.invoke(Cmdlet("Get-ExchangeServer"))
    return str(server["Name"])


Serve = Callable[..., Service]


@pytest.fixture(params=["winrm", "psrp"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """Starts a service that takes Kerberos: ``serve(settings=, certificate=)``."""
    users = {USER: PASSWORD}
    with contextlib.ExitStack() as stack:

        def winrm(**how: Any) -> Service:
            host = LabHost("MAIL5A", tmp_path / "disk", users=users, time_scale=0.05)
            stack.callback(host.close)
            return Service("winrm", stack.enter_context(WinRMServer()).add(host, **how))

        def powershell(**how: Any) -> Service:
            how.setdefault("settings", Settings())
            lab = OrganisationLab.build({MARK: Family.E2019}, users=users, **how)
            return Service("psrp", stack.enter_context(lab).listeners[MARK])

        start = winrm if request.param == "winrm" else powershell
        yield start
