# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Windows on an Exchange server appends to names, as its registry tells.

A search list set by policy goes ahead of one set on the host; only without both do the suffixes of
the computer and of its adapters count ("Configuring DNS client settings" of Windows Server).

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .._remote.parse import RegistryDump, canonical_key, find_value, parse_reg_query, values_of
from .._remote.session import Batch, Section, Session
from .host import NETWORK_KEY
from .layout import Layout, Values
from .suffixes import is_suffix, names_in, odd_note, suffixes

POLICY_KEY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient"

_DOMAIN_VALUES = ("Domain", "DhcpDomain")
_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Resolver:
    """``policy`` and ``configured`` are search lists, ``adapters`` the suffixes of the adapters.

    ``odd`` is a note about suffixes that no name can have; they are in none of these.
    """

    domain: str
    policy: tuple[str, ...]
    configured: tuple[str, ...]
    adapters: tuple[str, ...]
    odd: str = ""

    @property
    def search_list(self) -> tuple[str, ...]:
        """The suffixes that are in force, in order, each once."""
        named = self.policy or self.configured or (self.domain, *self.adapters)
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def source(self) -> str:
        """Where ``search_list`` comes from: ``policy``, ``search_list`` or ``suffixes``."""
        if self.policy:
            return "policy"
        return "search_list" if self.configured else "suffixes"

    def as_dict(self) -> dict[str, object]:
        """Return it in the shape that the other family's answer has, and more."""
        return {
            "search_list_disabled": None,
            "stored_name": None,
            "stored_type": None,
            "stored_data": None,
            "domain": self.domain or None,
            "search_list": list(self.search_list),
            "source": self.source,
            "adapters": list(self.adapters),
        }


def read_resolver(session: Session, layout: Layout) -> Resolver:
    """Ask a host; a key that is not there holds nothing. Changes nothing."""
    batch = Batch()
    add_resolver(batch, layout)
    return resolver_from(batch.run(session, timeout=_TIMEOUT))


def add_resolver(batch: Batch, layout: Layout) -> None:
    """Add what ``resolver_from`` understands."""
    batch.add("network", layout.query(NETWORK_KEY, recursive=True))
    batch.add("policy", layout.query(POLICY_KEY))


def resolver_from(sections: Mapping[str, Section]) -> Resolver:
    """Understand the sections of ``add_resolver``."""
    network, policy = (_dump(sections[name]) for name in ("network", "policy"))
    main = values_of(network, NETWORK_KEY)
    domain, adapters = _domain(main), tuple(dict.fromkeys(_adapter_domains(network)))
    by_policy, configured = _list(values_of(policy, POLICY_KEY)), _list(main)
    return Resolver(
        domain=domain if is_suffix(domain) else "",
        policy=suffixes(by_policy),
        configured=suffixes(configured),
        adapters=suffixes(adapters),
        odd=odd_note((domain, *by_policy, *configured, *adapters)),
    )


def _dump(section: Section) -> RegistryDump:
    return parse_reg_query(section.output) if section.ok else {}


def _adapter_domains(network: RegistryDump) -> Iterator[str]:
    above = canonical_key(NETWORK_KEY + r"\Interfaces") + "\\"
    for key, values in network.items():
        if canonical_key(key).startswith(above) and (domain := _domain(values)):
            yield domain


def _domain(values: Values) -> str:
    return next(filter(None, (_text(values, name) for name in _DOMAIN_VALUES)), "")


def _list(values: Values) -> tuple[str, ...]:
    return names_in(_text(values, "SearchList"))


def _text(values: Values, name: str) -> str:
    value = find_value(values, name)
    return value.data.strip().strip(".") if value else ""
