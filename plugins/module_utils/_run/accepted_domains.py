# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The organisation's own mail domains, as ``Get-AcceptedDomain`` shows them.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from .._base.errors import InvalidInput
from .._connectors.canonical import boolean
from .._connectors.servers import text_of
from .._mail.addresses import mail_domain
from .._remote.session import Cmdlet, CmdletSession


class AcceptedDomains:
    """Asks once, when a domain is first wanted; its methods raise CmdletError where it cannot.

    ``named`` are those that the administrator names beside them.
    """

    def __init__(self, session: CmdletSession, named: Iterable[str] = ()) -> None:
        self._session = session
        self.named = frozenset(named)

    @cached_property
    def _objects(self) -> Sequence[Mapping[str, Any]]:
        return self._session.invoke(Cmdlet("Get-AcceptedDomain"))

    def all(self) -> set[str]:
        """Return all domains, those with subdomains (``*.``) by their own name."""
        names = (text_of(one.get("DomainName")).removeprefix("*.") for one in self._objects)
        return {domain for name in names if (domain := mail_domain(name))}

    def default(self) -> str | None:
        """Return the default domain, or None where there is none."""
        for one in self._objects:
            domain = mail_domain(text_of(one.get("DomainName")))
            if domain and _true(one.get("Default")):
                return domain
        return None


def _true(value: object) -> bool:
    try:
        return boolean(value)
    except InvalidInput:
        return False
