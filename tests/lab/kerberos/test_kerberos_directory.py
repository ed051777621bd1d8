# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only Active Directory does: large tickets, lockout, names in several spellings."""

from __future__ import annotations

import contextlib
import re
import subprocess

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    HostUnreachable,
)
from exchange_lab.windows import active_directory
from exchange_lab.windows.active_directory import BASE, DomainController, run
from exchange_lab.windows.relay import Relay

from .conftest import MARK, PASSWORD, USER, Serve

pytestmark = [
    pytest.mark.peers,
    pytest.mark.parametrize("_running_realm", [active_directory], indirect=True, ids=["ad"]),
]

_GROUPS = 1000
_LARGE = 9000  # octets of a request's header that IIS and proxies often refuse: above 8 KiB


def _member_of_many_groups(realm: DomainController, name: str) -> None:
    realm.add(name, PASSWORD)
    text = "".join(
        f"dn: CN=g{number},CN=Users,{BASE}\nchangetype: add\nobjectClass: group\n"
        f"sAMAccountName: g{number}\nmember: CN={name},CN=Users,{BASE}\n\n"
        for number in range(_GROUPS)
    )
    run("ldbadd", "-H", realm.database, stdin=text, check=False)  # they may be there


def test_a_user_in_a_thousand_groups(serve: Serve, realm: DomainController) -> None:
    _member_of_many_groups(realm, "member")
    user = f"member@{active_directory.REALM}"
    realm.login(user, PASSWORD)
    service = serve()
    with Relay(service.listener.port) as wire:
        assert service.use(port=wire.port, user=user) == MARK
    tokens = re.findall(rb"Authorization: (?:Negotiate|Kerberos) (\S+)", wire.sent)
    assert max(map(len, tokens)) > _LARGE


@pytest.mark.parametrize("serve", ["psrp"], indirect=True)  # pywinrm takes tickets only
def test_a_user_who_is_locked_out(serve: Serve, realm: DomainController) -> None:
    command = ("samba-tool", "domain", "passwordsettings", "set")
    run(*command, "--account-lockout-threshold=2", realm.config)
    realm.add("locked", PASSWORD)
    user = f"locked@{active_directory.REALM}"
    for _attempt in range(3):
        with contextlib.suppress(subprocess.CalledProcessError):
            realm.login(user, "wrong")
    with pytest.raises(HostUnreachable, match="disabled, locked or expired"):
        serve().use(user=user, password=PASSWORD)


@pytest.mark.parametrize("user", [USER.lower(), USER.upper()])
def test_a_user_in_another_spelling(serve: Serve, realm: DomainController, user: str) -> None:
    name, _at, domain = user.partition("@")
    realm.login(f"{name}@{domain.upper()}", PASSWORD)
    assert serve().use(user=f"{name}@{domain.upper()}") == MARK
