# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The computers and groups of Exchange in a real Active Directory (Samba's), over LDAPS."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from exchange_lab.windows import active_directory
from exchange_lab.windows.active_directory import ADDRESS, BASE, DomainController
from exchange_lab.windows.certificates import TestAuthority

ACCOUNT, PASSWORD = "ansible", "Dir-Passw0rd"
#: EX19-B is in its group by way of another one, as servers of a branch may be.
COMPUTERS = ("EX19-A", "EX19-B", "MAIL5-A", "FILES1")
GROUPS = {
    "Servers of branches": ("EX19-B",),
    "Exchange Servers": ("EX19-A", "Servers of branches"),
    "Exchange Trusted Subsystem": ("EX19-A",),
    "Exchange 5.5": ("MAIL5-A",),
}
_BUILD = Path(__file__).resolve().parents[2] / ".build"
_GROUPS_OF_EXCHANGE = f"OU=Microsoft Exchange Security Groups,{BASE}"
_UNIVERSAL_SECURITY_GROUP = -2147483640
_WORKSTATION_TRUST_ACCOUNT = 4096


def environment() -> dict[str, str]:
    """Return what an administrator needs to ask it by the collection microsoft.ad."""
    others = _BUILD / "others"
    if not others.exists():
        pytest.skip("the collection microsoft.ad is not there (tools/microsoft-ad .build/others)")
    pytest.importorskip("sansldap")
    return {"LDAP_PASSWORD": PASSWORD, "ANSIBLE_COLLECTIONS_PATH": f"{_BUILD}:{others}"}


@contextlib.contextmanager
def running(folder: Path, authority: TestAuthority) -> Iterator[DomainController]:
    """Serve the domain hq.example at ``ADDRESS``, with a certificate of ``authority``."""
    lacking = [*active_directory.missing(), *(["root"] if os.geteuid() else [])]
    if lacking:
        pytest.skip(f"missing: {', '.join(lacking)}")
    folder.mkdir()
    certificate, users = authority.issue(ADDRESS), {ACCOUNT: PASSWORD}
    with active_directory.running(folder, users, directory=certificate) as domain:
        domain.load(_entries())
        yield domain


def _entries() -> str:
    """Return the objects as LDIF; Active Directory adds what an account has besides."""
    entries: list[Mapping[str, object]] = [
        {"dn": _GROUPS_OF_EXCHANGE, "objectClass": "organizationalUnit"},
        {"dn": f"OU=Servers,{BASE}", "objectClass": "organizationalUnit"},
    ]
    entries += [
        {
            "dn": _place(name),
            "objectClass": "computer",
            "sAMAccountName": f"{name}$",
            "dNSHostName": f"{name.lower()}.hq.example",
            "userAccountControl": _WORKSTATION_TRUST_ACCOUNT,
        }
        for name in COMPUTERS
    ]
    entries += [
        {
            "dn": _place(name),
            "objectClass": "group",
            "sAMAccountName": name,
            "groupType": _UNIVERSAL_SECURITY_GROUP,
            "member": [_place(member) for member in members],
        }
        for name, members in GROUPS.items()
    ]
    return "\n".join("".join(_lines(entry)) for entry in entries)


def _place(name: str) -> str:
    return f"CN={name},{_GROUPS_OF_EXCHANGE if name in GROUPS else f'OU=Servers,{BASE}'}"


def _lines(entry: Mapping[str, object]) -> Iterator[str]:
    for key, value in entry.items():
        for one in value if isinstance(value, list) else [value]:
            yield f"{key}: {one}\n"
