# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own sessions log in by Kerberos at a real KDC, and nobody on the wire can read them."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    HostUnreachable,
)
from exchange_lab.windows.certificates import TestAuthority
from exchange_lab.windows.kdc import Realm
from exchange_lab.windows.relay import Relay
from exchange_lab.windows.winrm_server import Settings

from .conftest import MARK, PASSWORD, USER, Serve, Service

pytestmark = pytest.mark.peers

SPNEGO = b'protocol="application/HTTP-SPNEGO-session-encrypted"'
KERBEROS = b'protocol="application/HTTP-Kerberos-session-encrypted"'


def test_messages_are_encrypted(serve: Serve, ticket: None) -> None:
    service = serve()
    with Relay(service.listener.port) as wire:
        assert service.use(port=wire.port) == MARK
    for heard in (wire.sent, wire.answered):
        assert SPNEGO in heard
        assert b"Envelope" not in heard
        assert MARK.encode() not in heard
    assert b"Authorization: Negotiate " in wire.sent


def test_what_is_not_encrypted_could_be_read(serve: Serve, ticket: None) -> None:
    """The counterpart, which shows that the test above can fail."""
    service = serve(settings=Settings(allow_unencrypted=True))
    with Relay(service.listener.port) as wire:
        assert service.use(port=wire.port, message_encryption="never") == MARK
    assert b"Envelope" in wire.sent
    assert b"Envelope" in wire.answered


@pytest.mark.parametrize("serve", ["psrp"], indirect=True)
def test_a_directory_that_offers_kerberos_only(serve: Serve, ticket: None) -> None:
    """pypsrp knows that word; pywinrm sends its ticket before it hears any."""
    service = serve(settings=Settings(scheme="Kerberos"))
    with Relay(service.listener.port) as wire:
        assert service.use(port=wire.port) == MARK
    assert KERBEROS in wire.sent
    assert KERBEROS in wire.answered
    assert b"Envelope" not in wire.sent + wire.answered


@pytest.mark.parametrize("encryption", ["auto", "always"])
def test_over_https(serve: Serve, ticket: None, authority: TestAuthority, encryption: str) -> None:
    service = serve(certificate=authority.issue("localhost"))
    trusted = str(authority.ca_file)
    assert service.use(ca_cert=trusted, message_encryption=encryption) == MARK


def test_without_a_user_the_ticket_says_who_it_is(serve: Serve, ticket: None) -> None:
    assert serve().use(user=None) == MARK


@pytest.mark.parametrize("serve", ["psrp"], indirect=True)
def test_a_password_needs_no_ticket_for_cmdlets(serve: Serve, realm: Realm) -> None:
    """By pywinrm it does; there it is Ansible's plugin that gets tickets."""
    service = serve()
    assert service.use(password=PASSWORD) == MARK
    assert service.use(password=PASSWORD, auth="negotiate") == MARK


def test_a_user_of_the_host_by_ntlm_beside_kerberos(serve: Serve, realm: Realm) -> None:
    service = serve()
    how = {"transport" if service.kind == "winrm" else "auth": "ntlm"}
    assert service.use(user=USER, password=PASSWORD, **how) == MARK


def _by(service: Service, way: str) -> dict[str, str]:
    return {"transport" if service.kind == "winrm" else "auth": way}


def test_a_host_that_is_reached_by_another_name(serve: Serve, ticket: None) -> None:
    """As through a tunnel: its ticket is for the name that the directory knows."""
    service = serve()
    with pytest.raises(HostUnreachable, match="the Kerberos server has no service principal"):
        service.use(host="127.0.0.1")
    assert service.use(host="127.0.0.1", kerberos_hostname="localhost") == MARK


def test_negotiate_takes_the_ticket_and_else_the_password(serve: Serve, realm: Realm) -> None:
    service = serve()
    assert service.use(user=USER, password=PASSWORD, **_by(service, "negotiate")) == MARK
    realm.login(USER, PASSWORD)
    with Relay(service.listener.port) as wire:
        assert service.use(port=wire.port, user=USER, **_by(service, "negotiate")) == MARK
    assert b"NTLMSSP" not in wire.sent
