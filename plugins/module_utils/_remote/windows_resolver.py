# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Windows appends to names: the suffixes of TCP/IP, and where they come from.

A search list set by policy goes ahead of one set on the host; only without both do the suffixes of
the computer and of its adapters count ("Configuring DNS client settings" of Windows Server).
Invalid suffixes are ignored: those of one host must not reach the DNS queries for all hosts.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from .._base.errors import InvalidInput
from .._base.texts import listed
from .._pairs.names import parse_domain, shown
from .commands import computer_name, reg_query
from .parse import RegistryValue, canonical_key, find_value, parse_reg_query, values_of
from .session import Batch, Section, Session

NETWORK_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
POLICY_KEY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient"

_TIMEOUT = 60.0
_MOST_ODD = 3  # suffixes that a warning lists


@dataclass(frozen=True, slots=True)
class Resolver:
    """``policy`` and ``configured`` are search lists, ``adapters`` the suffixes of the adapters.

    ``nameservers`` are those of all adapters. ``odd`` is a warning about invalid suffixes, which
    none of these contain.
    """

    domain: str
    policy: tuple[str, ...]
    configured: tuple[str, ...]
    adapters: tuple[str, ...]
    odd: str = ""
    nameservers: tuple[str, ...] = ()

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

    def to_dict(self) -> dict[str, object]:
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
            "nameservers": list(self.nameservers),
        }


def read_resolver(session: Session, computer: str) -> Resolver:
    """Read what a host appends; a key that is not there holds nothing. Changes nothing."""
    batch = Batch()
    add_resolver(batch, computer)
    return resolver_from(batch.run(session, timeout=_TIMEOUT))


def add_resolver(batch: Batch, computer: str) -> None:
    """Add what ``resolver_from`` understands."""
    where = computer_name(computer) if computer else None
    batch.add("network", f"{reg_query(NETWORK_KEY, computer=where)} /s")
    batch.add("policy", reg_query(POLICY_KEY, computer=where))


def resolver_from(sections: Mapping[str, Section]) -> Resolver:
    """Read the sections of ``add_resolver``."""
    network, policy = (
        parse_reg_query(sections[name].output) if sections[name].ok else {}
        for name in ("network", "policy")
    )
    above = canonical_key(NETWORK_KEY + r"\Interfaces") + "\\"
    below = [values for key, values in network.items() if canonical_key(key).startswith(above)]
    main = values_of(network, NETWORK_KEY)
    domain = _domain(main)
    adapters = tuple(dict.fromkeys(filter(None, map(_domain, below))))
    by_policy = names_in(_text(values_of(policy, POLICY_KEY), "SearchList"))
    configured = names_in(_text(main, "SearchList"))
    return Resolver(
        domain=domain if is_suffix(domain) else "",
        policy=suffixes(by_policy),
        configured=suffixes(configured),
        adapters=suffixes(adapters),
        odd=odd_note((domain, *by_policy, *configured, *adapters)),
        nameservers=nameservers_in((main, *below)),
    )


def nameservers_in(keys: Iterable[Mapping[str, RegistryValue]]) -> tuple[str, ...]:
    """Return the addresses of the name servers in some keys; what DHCP set gives way in each.

    Windows NT has them in the key of TCP/IP (Q120642), later versions in those of the adapters.
    """
    texts = (_text(values, "NameServer") or _text(values, "DhcpNameServer") for values in keys)
    return tuple(dict.fromkeys(name for text in texts for name in names_in(text) if _address(name)))


def _address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _domain(values: Mapping[str, RegistryValue]) -> str:
    return _text(values, "Domain") or _text(values, "DhcpDomain")


def _text(values: Mapping[str, RegistryValue], name: str) -> str:
    value = find_value(values, name)
    return value.data.strip().strip(".") if value else ""


def is_suffix(text: str) -> bool:
    """Whether Windows could append this to a name and find something."""
    try:
        parse_domain(text, host=True)
    except InvalidInput:
        return False
    return True


def names_in(text: str) -> tuple[str, ...]:
    """Return the suffixes of a list as the registry holds it, odd ones too."""
    return tuple(text.replace(",", " ").split())


def suffixes(names: Iterable[str]) -> tuple[str, ...]:
    """Return those that are names."""
    return tuple(name for name in names if is_suffix(name))


def odd_note(names: Iterable[str]) -> str:
    """Return a warning about those that are not names, or nothing."""
    odd = [shown(name) for name in names if name and not is_suffix(name)]
    if not odd:
        return ""
    return f"TCP/IP has invalid suffixes, ignored here: {listed(odd, _MOST_ODD)}"
