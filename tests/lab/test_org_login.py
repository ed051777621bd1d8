# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How pypsrp reaches the PowerShell endpoint: logins, message encryption, HTTPS, broken lines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError

import pytest
import requests
from exchange_lab.org.lab import OrganisationLab
from exchange_lab.org.versions import Family
from exchange_lab.windows.certificates import TestAuthority
from exchange_lab.windows.faults import Kind
from exchange_lab.windows.winrm_listener import Settings
from pypsrp.exceptions import AuthenticationError, WinRMTransportError, WSManFaultError

USERS = {"admin@hq.example": "pw", "HQ\\admin": "pw2"}


def _lab(settings: Settings, **options: object) -> OrganisationLab:
    lab = OrganisationLab.build({"EX19": Family.E2019}, users=USERS, settings=settings)
    for name, value in options.items():
        setattr(lab, name, value)
    return lab


@pytest.fixture
def lab() -> Iterator[OrganisationLab]:
    with _lab(Settings()) as lab:
        yield lab


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("auth", ["ntlm", "negotiate"])
def test_ntlm_and_negotiate_with_message_encryption(
    lab: OrganisationLab, user: str, auth: str
) -> None:
    with lab.session("EX19", user, auth=auth, encryption="always") as session:
        (shown,) = session.run("Get-ExchangeServer").objects
    assert shown["AdminDisplayVersion"] == "Version 15.2 (Build 1118.7)"
    assert "Plaintext" not in lab.listeners["EX19"].traffic.actions
    assert lab.endpoints["EX19"].open_count == 0


def test_opening_with_ntlm_costs_five_requests(lab: OrganisationLab) -> None:
    with lab.session("EX19", "admin@hq.example", auth="ntlm", encryption="always") as session:
        assert lab.requests("EX19") == 5
        session.run("Get-SendConnector")
        assert lab.requests("EX19") == 8  # two for the cmdlet, and one that ends its pipeline
    assert lab.requests("EX19") == 9


def test_a_wrong_password_by_ntlm(lab: OrganisationLab) -> None:
    options = {"auth": "ntlm", "encryption": "always", "password": "wrong"}
    with (
        pytest.raises(AuthenticationError),
        lab.session("EX19", "admin@hq.example", **options),
    ):
        pass


def test_plaintext_over_http_is_refused(lab: OrganisationLab) -> None:
    options = {"auth": "ntlm", "encryption": "never"}
    with (
        pytest.raises(WinRMTransportError),
        lab.session("EX19", "admin@hq.example", **options),
    ):
        pass


def test_basic_only_where_it_was_enabled_and_only_over_https(
    lab: OrganisationLab, tmp_path: Path
) -> None:
    with pytest.raises(AuthenticationError), lab.session("EX19", "admin@hq.example"):
        pass
    authority = TestAuthority(tmp_path)
    secured = _lab(Settings(basic=True), certificate=authority.issue("127.0.0.1"))
    trusted = str(authority.ca_file)
    with (
        secured,
        secured.session("EX19", "admin@hq.example", cert_validation=trusted) as session,
    ):
        assert len(session.run("Get-ExchangeServer").objects) == 1


def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    certificate = TestAuthority(tmp_path).issue("127.0.0.1")
    with (
        _lab(Settings(basic=True), certificate=certificate) as lab,
        pytest.raises(requests.exceptions.SSLError),
        lab.session("EX19", "admin@hq.example", cert_validation=True),
    ):
        pass


@pytest.mark.parametrize("path", ["wsman", "powershell-liveid"])
def test_another_path_is_not_there(lab: OrganisationLab, path: str) -> None:
    answer = requests.post(f"http://127.0.0.1:{lab.port('EX19')}/{path}", data=b"x", timeout=5)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Kind.RESET, requests.exceptions.ConnectionError),
        (Kind.DROP_AFTER, requests.exceptions.ConnectionError),
        (Kind.HTTP_500, WSManFaultError),
        (Kind.GARBAGE, ParseError),
    ],
)
def test_the_line_can_break_at_any_request(
    lab: OrganisationLab, kind: Kind, error: type[Exception]
) -> None:
    options = {"auth": "ntlm", "encryption": "always"}
    # Closing needs the line as well: that it fails too is no news.
    with (
        contextlib.suppress(WinRMTransportError),
        lab.session("EX19", "admin@hq.example", **options) as session,
    ):
        lab.listeners["EX19"].faults.at("Command", kind)
        with pytest.raises(error):
            session.run("Get-SendConnector")


def test_what_is_no_powershell_remoting_gets_a_fault_and_breaks_nothing(
    lab: OrganisationLab,
) -> None:
    with lab.session("EX19", "admin@hq.example", auth="ntlm", encryption="always") as session:
        wsman = session.pool.connection
        with pytest.raises(WinRMTransportError):
            wsman.transport.send(b"<not-soap/>")
        assert not session.run("Get-SendConnector").failed
