# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way in which Kerberos does not let us in is one clear sentence, and what to do about it.

The errors are those of MIT's library and KDC, as pywinrm and pypsrp hand them on.
"""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    HostUnreachable,
    SessionLost,
)
from exchange_lab.windows import kdc
from exchange_lab.windows.kdc import REALM, Realm
from exchange_lab.windows.winrm_server import Settings

from .conftest import MARK, PASSWORD, USER, Serve, Service

pytestmark = pytest.mark.peers

Spoil = Callable[[Realm, pytest.MonkeyPatch], dict[str, Any]]
"""Spoils what a login needs; returns changed options."""


def no_ticket(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {}


def nobodys_ticket(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"user": None}


def anothers_ticket(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    realm.login(USER, PASSWORD)
    return {"user": f"somebody@{REALM}"}


def expired(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    realm.login(USER, PASSWORD, "-l", "1s")
    time.sleep(2.2)  # and a second of clock skew
    return {}


def address_for_a_name(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    realm.login(USER, PASSWORD)
    return {"host": "127.0.0.1"}


def no_kdc(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    realm.login(USER, PASSWORD)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("KRB5_CONFIG", str(realm.client_config(port=port)))
    return {}


def no_realm(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    realm.login(USER, PASSWORD)
    monkeypatch.setenv("KRB5_CONFIG", str(realm.folder / "none.conf"))
    return {"user": "operator"}


def broken_config(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    realm.login(USER, PASSWORD)
    (realm.folder / "broken.conf").write_text("[libdefaults\n")
    monkeypatch.setenv("KRB5_CONFIG", str(realm.folder / "broken.conf"))
    return {}


def another_hosts_key(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    realm.login(USER, PASSWORD)
    realm.serve("HTTP/elsewhere", keytab=realm.folder / "other.keytab")
    monkeypatch.setenv("KRB5_KTNAME", str(realm.folder / "other.keytab"))
    return {}


CASES: list[tuple[Spoil, str, str]] = [
    (no_ticket, "no Kerberos ticket for this login", "kinit"),
    (nobodys_ticket, "no Kerberos ticket for this login", "kinit"),
    (anothers_ticket, "no Kerberos ticket for this login", "kinit"),
    (expired, "the Kerberos ticket has expired", "kinit"),
    (
        address_for_a_name,
        "the Kerberos server has no service principal (HTTP/ or WSMAN/) for this host",
        "setspn -Q HTTP/FQDN",
    ),
    (no_kdc, "no Kerberos server of this realm can be reached", "krb5.conf"),
    (no_realm, "the Kerberos configuration where the task runs cannot be used", "name@REALM"),
    (broken_config, "the Kerberos configuration where the task runs cannot be used", "krb5.conf"),
    (another_hosts_key, "the host rejected the Kerberos ticket", "kdestroy, kinit"),
]
WITH_PASSWORD: list[tuple[str, str, str]] = [
    ("", "the Kerberos server rejects the password", "Check user and password"),
    ("-allow_tix", "the user is disabled, locked or expired", "Check the account"),
    ("-expire yesterday", "the user is disabled, locked or expired", "Check the account"),
    ("-pwexpire yesterday", "the user's password has expired", "Change the password"),
]


def refused(service: Service, capfd: pytest.CaptureFixture[str], **changes: Any) -> str:
    """The one sentence that a user gets; neither a traceback nor the password is shown anywhere."""
    with pytest.raises(HostUnreachable) as caught:
        service.use(**changes)
    error = caught.value
    assert service.listener.open_shells == 0
    told = str(error)
    assert told.isprintable()
    assert told.startswith(f"{changes.get('host', 'localhost')}: no ")
    assert error.__context__ is None
    out, err = capfd.readouterr()
    for text in (told, out, err):
        assert PASSWORD not in text
        assert "Traceback" not in text
    return told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0].__name__)
def test_a_login_that_fails(
    case: tuple[Spoil, str, str],
    serve: Serve,
    realm: Realm,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    spoil, sentence, hint = case
    service = serve()
    gc.collect()  # credentials of earlier tests, which complain where the library cannot be used
    told = refused(service, capfd, **spoil(realm, monkeypatch))
    assert f": {sentence}. " in told
    assert hint in told


@pytest.mark.parametrize("serve", ["psrp"], indirect=True)
@pytest.mark.parametrize("case", WITH_PASSWORD)
def test_a_password_that_gets_no_ticket(
    case: tuple[str, str, str], serve: Serve, realm: Realm, capfd: pytest.CaptureFixture[str]
) -> None:
    options, sentence, hint = case
    user = f"user{WITH_PASSWORD.index(case)}@{REALM}"
    realm.add(user, PASSWORD)
    if options:
        realm.modify(user, options)
    told = refused(serve(), capfd, user=user, password=PASSWORD if options else "not-it")
    assert f": {sentence}" in told
    assert hint in told


@pytest.mark.parametrize("serve", ["psrp"], indirect=True)
def test_a_user_whom_nobody_knows(
    serve: Serve, realm: Realm, capfd: pytest.CaptureFixture[str]
) -> None:
    told = refused(serve(), capfd, user=f"nobody@{REALM}", password=PASSWORD)
    assert "the Kerberos server has no such user" in told
    other = refused(serve(), capfd, user="operator@NOWHERE.EXAMPLE", password=PASSWORD)
    assert "no Kerberos server of this realm" in other


def test_a_host_that_has_another_login_only(
    serve: Serve, ticket: None, capfd: pytest.CaptureFixture[str]
) -> None:
    service = serve(settings=Settings(negotiate=False, basic=True, allow_unencrypted=True))
    told = refused(service, capfd)
    assert "rejected the Kerberos ticket" in told or "is not enabled on the endpoint" in told


# Active Directory gives no ticket that counts for less than two minutes.
@pytest.mark.parametrize("_running_realm", [kdc], indirect=True, ids=["mit"])
def test_a_ticket_that_expires_in_the_middle_of_the_work(serve: Serve, realm: Realm) -> None:
    service = serve()
    realm.login(USER, PASSWORD, "-l", "5s")
    over = time.monotonic() + 6.2  # and a second of clock skew
    session, ask = service.open()
    assert ask() == MARK
    time.sleep(over - time.monotonic())
    # Where it shows while the pipeline before is closed, no cmdlet was begun.
    with pytest.raises((SessionLost, HostUnreachable), match="expired"):
        ask()
    session.reopen()
    with pytest.raises(HostUnreachable, match="the Kerberos ticket has expired"):
        ask()
    realm.login(USER, PASSWORD)
    assert ask() == MARK
    session.close()
