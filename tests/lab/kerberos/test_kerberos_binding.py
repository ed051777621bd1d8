# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our Kerberos logins are bound to the TLS end that we see, so that nobody can pass them on.

The binding is MIT's, as the acceptor of a host with CbtHardeningLevel Strict wants it.
"""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    HostUnreachable,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.options import (
    LoginDetails,
)
from exchange_lab.windows.certificates import TestAuthority
from exchange_lab.windows.relay import Relay
from exchange_lab.windows.winrm_server import Settings

from .conftest import MARK, Serve, Service

pytestmark = pytest.mark.peers

STRICT = Settings(strict_binding=True)


@pytest.fixture
def strict(serve: Serve, authority: TestAuthority, ticket: None) -> Service:
    return serve(certificate=authority.issue("localhost"), settings=STRICT)


@pytest.mark.parametrize("encryption", ["auto", "always"])
def test_the_right_end_is_taken(strict: Service, authority: TestAuthority, encryption: str) -> None:
    how = {"ca_cert": str(authority.ca_file), "message_encryption": encryption}
    assert strict.use(**how) == MARK


def test_a_login_that_was_passed_on_is_refused(strict: Service, authority: TestAuthority) -> None:
    """Whoever is in the middle has a certificate that we trust, for the very name."""
    trusted = str(authority.ca_file)
    with (
        Relay(strict.listener.port, authority.issue("localhost")) as middle,
        pytest.raises(HostUnreachable, match="rejected the Kerberos ticket") as caught,
    ):
        strict.use(port=middle.port, ca_cert=trusted)
    assert "replaces its TLS certificate" in str(caught.value)
    assert b"Authorization: Negotiate " in middle.sent
    assert strict.listener.open_shells == 0


def test_it_is_the_binding_that_is_asked_for(strict: Service, authority: TestAuthority) -> None:
    """Without one the same login is refused, which shows that ours has one."""
    unbound = LoginDetails(send_cbt=False)
    with pytest.raises(HostUnreachable, match="rejected the Kerberos ticket"):
        strict.use(ca_cert=str(authority.ca_file), details=unbound)


def test_a_relay_gets_through_where_no_binding_is_wanted(
    serve: Serve, authority: TestAuthority, ticket: None
) -> None:
    """The counterpart: it is the host that has to insist."""
    service = serve(certificate=authority.issue("localhost"))
    with Relay(service.listener.port, authority.issue("localhost")) as middle:
        assert service.use(port=middle.port, ca_cert=str(authority.ca_file)) == MARK
    assert b"Envelope" in middle.sent
