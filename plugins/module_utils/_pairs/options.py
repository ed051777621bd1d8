# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task asks for, checked before anything is asked (rule 1).

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .._base.errors import InvalidInput
from .addresses import Network, Networks, parse_network
from .model import RecordType, Status
from .names import parse_domain, shown
from .resolver import Patience
from .rules import Policy
from .sockets import NameServer

RESOLV_CONF = Path("/etc/resolv.conf")
_RECORD_TYPES = {"ipv4": RecordType.A, "ipv6": RecordType.AAAA}
_BRACKETED = re.compile(r"\[(?P<address>[^\]]*)\](?::(?P<port>[0-9]{1,5}))?")
_WITH_PORT = re.compile(r"(?P<address>[0-9.]+):(?P<port>[0-9]{1,5})")
_MAX_PORT = 65535
_MAX_TOLD = 20  # refusals shown of one option
_LIMITS: dict[str, tuple[float, float]] = {
    "port": (1, _MAX_PORT),
    "timeout": (0.05, 60),
    "lifetime": (0.05, 600),
    "retries": (0, 10),
    "concurrency": (1, 500),  # each question under way holds a socket; 1,024 are the usual limit
    "max_pairs": (0, 1_000_000),
    "max_rate": (0, 1_000_000),
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """One task's options. ``own_hosts`` are names whose addresses count as ours, too."""

    domains: tuple[str, ...]
    nameservers: tuple[NameServer, ...]
    patience: Patience
    concurrency: int
    max_rate: float
    policy: Policy
    own_hosts: tuple[str, ...]
    search_list: tuple[str, ...]
    agreement: str
    evidence: bool
    fail_on: frozenset[Status]


def from_params(params: Mapping[str, Any]) -> Options:
    """Return the options of a task; InvalidInput names every value that cannot be used."""
    for name, (least, most) in _LIMITS.items():
        if not least <= params[name] <= most:
            raise InvalidInput(f"{name} is {params[name]}; it has to be from {least} to {most}.")
    if not params["families"]:
        raise InvalidInput("families is empty; it has to hold ipv4, ipv6 or both.")
    domains = _each("domains", params["domains"], parse_domain)
    own_names = _each("own_names", params["own_names"], _host)
    networks, own_hosts = _own_addresses(params["own_addresses"])
    return Options(
        domains=domains,
        nameservers=_nameservers(params["nameservers"], params["port"]) if domains else (),
        patience=Patience(params["timeout"], params["retries"], params["lifetime"]),
        concurrency=params["concurrency"],
        max_rate=params["max_rate"],
        policy=Policy(
            types=tuple(t for name, t in _RECORD_TYPES.items() if name in params["families"]),
            own_names=frozenset({*own_names, *own_hosts}),
            own_networks=Networks(networks),
            allow_private=params["allow_private"],
            max_pairs=params["max_pairs"],
        ),
        own_hosts=own_hosts,
        search_list=_each("search_list", params["search_list"], _host),
        agreement=params["agreement"],
        evidence=params["evidence"],
        fail_on=frozenset(Status(name) for name in params["fail_on"]),
    )


def parse_nameserver(text: str, port: int) -> NameServer:
    """Read ``address``, ``address:port`` or ``[address]:port``; ValueError if it is none."""
    match = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    address = match["address"] if match else text
    number = int(match["port"]) if match and match["port"] else port
    if not 0 < number <= _MAX_PORT:
        raise ValueError("port out of range")
    return NameServer(str(ipaddress.ip_address(address)), number)


def parse_resolv_conf(text: str, port: int) -> tuple[NameServer, ...]:
    """Return the name servers of a resolv.conf(5); lines that are no such thing do not count."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":  # noqa: PLR2004 - keyword and address
            try:
                found.append(NameServer(str(ipaddress.ip_address(words[1])), port))
            except ValueError:
                continue
    return tuple(dict.fromkeys(found))


def _host(text: str) -> str:
    return parse_domain(text, host=True)


def _each(option: str, texts: Iterable[str], parse: Callable[[str], T]) -> tuple[T, ...]:
    """Parse a list, fold duplicates, and refuse all that is wrong with it at once."""
    found: dict[T, None] = {}
    refused: list[str] = []
    for text in texts:
        try:
            found[parse(text)] = None
        except InvalidInput as err:
            refused.append(err.message)
    if refused:
        more = f"; and {len(refused) - _MAX_TOLD} more" if len(refused) > _MAX_TOLD else ""
        raise InvalidInput(
            f"{option}: {'; '.join(refused[:_MAX_TOLD])}{more}.",
            hint="No name server was asked and nothing was changed.",
        )
    return tuple(found)


def _own_addresses(texts: Iterable[str]) -> tuple[tuple[Network, ...], tuple[str, ...]]:
    """Return the addresses and ranges, and the host names, among own_addresses.

    What stands in an inventory as the address of a host is often its name.
    """
    networks: list[Network] = []
    names: list[str] = []
    for text in texts:
        try:
            networks.append(parse_network(text))
        except ValueError:
            names.append(text)
    return tuple(networks), _each("own_addresses", names, _host)


def _nameservers(texts: Iterable[str] | None, port: int) -> tuple[NameServer, ...]:
    def parse(text: str) -> NameServer:
        try:
            return parse_nameserver(text, port)
        except ValueError as err:
            raise InvalidInput(
                f"{shown(text)} is no address of a name server (192.0.2.53, 192.0.2.53:5353, "
                "2001:db8::53 or [2001:db8::53]:5353)"
            ) from err

    given = _each("nameservers", texts or (), parse)
    return given or _system_nameservers(port)


def _system_nameservers(port: int) -> tuple[NameServer, ...]:
    try:
        text = RESOLV_CONF.read_text(encoding="utf-8", errors="replace")
    except OSError as err:
        text = f"# {err}"
    found = parse_resolv_conf(text, port)
    if not found:
        raise InvalidInput(
            f"nameservers is not given, and {RESOLV_CONF} names no name server.",
            hint="Give nameservers, the addresses of those that this task can ask.",
        )
    return found
