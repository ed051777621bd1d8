# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The next steps of a diagnosis as commands to copy. Pure.

They are for a person, who reads them first; nothing here runs them. Domains, addresses, and names
of servers come from hosts and from DNS, so each is held against its strict form. A command with one
that does not fit is left out.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from .._pairs.names import parse_domain
from .._remote.commands import computer_name, usable
from .causes import Cause, Code
from .evidence import HostEvidence, StuckDomain


class Place(StrEnum):
    """The place to type a command in."""

    CONTROLLER = "controller"
    EXCHANGE_SHELL = "exchange_shell"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Command:
    """A command to copy, and where to type it."""

    place: Place
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return it as plain data."""
        return {"place": self.place.value, "command": self.text}


#: Causes that lie in DNS, and those that lie in the connection to a mail server.
_IN_DNS = frozenset(
    {
        *(Code.NULL_MX, Code.NO_SUCH_DOMAIN, Code.OWN_HOSTS, Code.SEARCH_LIST, Code.REMOTE_AAAA),
        *(Code.OWN_DNS, Code.OLD_PIN, Code.DANGLING, Code.CACHED, Code.UNKNOWN),
    }
)
_IN_CONNECTION = frozenset(
    {
        *(Code.SILENT, Code.UNREACHABLE, Code.DROPPED, Code.TLS, Code.CERTIFICATE, Code.BUSY),
        *(Code.SEVERAL_MX, Code.NO_ROUTE, Code.HELO, Code.REVERSE_DNS, Code.PARENT_ROUTE),
    }
)


def commands(
    host: HostEvidence, domain: StuckDomain, cause: Cause, inventories: Sequence[str] = ()
) -> list[Command]:
    """Return the commands for a cause, in the order in which they help.

    ``inventories`` are the sources of hosts that this run was given.
    """
    name = usable(domain.domain, parse_domain)
    if not name:
        return []
    on_host = _in_exchange_shell if host.transport else _on_host
    return [*_playbooks(host, name, cause, inventories), *on_host(host, domain, name, cause)]


def pin_command(playbook: str, domains: Sequence[str], inventories: Sequence[str]) -> str:
    """Return the command that runs a playbook for these domains, on all hosts."""
    variables = json.dumps({"mx_delivery_domains": list(domains)})
    return shlex.join((*_words(playbook, inventories), "-e", variables))


def _words(playbook: str, inventories: Sequence[str]) -> list[str]:
    sources = [word for source in inventories for word in ("-i", source)]
    return ["ansible-playbook", *sources, f"postmaster.exchange.{playbook}"]


def _playbooks(
    host: HostEvidence, domain: str, cause: Cause, inventories: Sequence[str]
) -> Iterator[Command]:
    limit = f" --limit {shlex.quote(host.name)}"
    if cause.pin or cause.switch:
        for name in ("audit", "enforce"):
            text = pin_command(name, [domain], inventories) + limit
            yield Command(Place.CONTROLLER, text)
    elif cause.code is Code.UNKNOWN:
        words = (*_words("diagnose", inventories), "-e", "mx_delivery_test_stuck=true")
        yield Command(Place.CONTROLLER, shlex.join(words) + limit)


def _in_exchange_shell(
    host: HostEvidence, domain: StuckDomain, name: str, cause: Cause
) -> Iterator[Command]:
    """Yield cmdlets for the Exchange Management Shell on the server."""
    server = usable(str((host.exchange or {}).get("server") or host.name), computer_name)
    hop = f"NextHopDomain -eq '{name}'"
    lines = []
    if server and cause.code is Code.ARRIVES:
        lines.append(f"Retry-Queue -Server {server} -Filter {{{hop} -and Status -eq 'Retry'}}")
    elif server:
        queue = f"Get-Queue -Server {server} -Filter {{{hop}}}"
        lines.append(f"{queue} | Format-List Identity,Status,MessageCount,LastError")
    if cause.code in _IN_DNS:
        lines.append(f"Resolve-DnsName -Name {name} -Type MX")
        lines += [f"Resolve-DnsName -Name {one} -Type AAAA" for one in _odd_names(domain, cause)]
    if server and cause.code is Code.OWN_DNS:
        lines.append(f"Get-TransportService {server} | Format-List *DNS*")
    if cause.code in _IN_CONNECTION and (address := _address(domain)):
        lines.append(f"Test-NetConnection -ComputerName {address} -Port 25")
    yield from (Command(Place.EXCHANGE_SHELL, line) for line in lines)


def _on_host(
    _host: HostEvidence, domain: StuckDomain, name: str, cause: Cause
) -> Iterator[Command]:
    """Yield command lines for the console of the host."""
    if cause.code is Code.SERVICE_DOWN:
        yield Command(Place.HOST, "net start MSExchangeIMC")
    if cause.code in _IN_DNS:
        yield Command(Place.HOST, f"nslookup -querytype=mx {name}.")
    if cause.code in _IN_CONNECTION and (address := _address(domain)):
        yield Command(Place.HOST, f"telnet {address} 25")


def _odd_names(domain: StuckDomain, cause: Cause) -> list[str]:
    """Return the mail servers with AAAA that name servers mishandle."""
    if cause.code is not Code.REMOTE_AAAA:
        return []
    found = (str(note["name"]) for note in domain.warnings("aaaa_trouble"))
    names = (usable(name.rstrip("."), parse_domain) for name in found)
    return list(dict.fromkeys(filter(None, names)))


def _address(domain: StuckDomain) -> str:
    """Return the address that was tried, or else the first one of the domain."""
    tried = domain.error.address if domain.error else None
    for address in (tried, *domain.pins, *domain.addresses):
        try:
            return str(ip_address(address or ""))
        except ValueError:
            continue
    return ""
