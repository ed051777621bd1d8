# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the IMC finds where mail for a domain goes: its rows first, else DNS.

With the resolver search list active, every suffix is appended to a name before the name itself is
asked, except to a name that ends in the suffix already (Q150969). A wildcard MX in the local zone
then answers for every domain there is.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections import Counter
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

from .imc_directory import Route
from .imc_model import Assumptions, Version

_NOT_FOUND = "Recipient Not Found"  # what the report in Q150969 says
_CHAIN = 8
_TRIES = 2


class NoSuchDestination(Exception):  # noqa: N818 - an answer, not a defect
    """DNS says that nobody takes mail for the domain; the message is for the report (NDR)."""


class NameServiceFailure(Exception):  # noqa: N818
    """DNS gave no answer that says anything about the domain."""


@dataclass(frozen=True, slots=True)
class NameService:
    """Where the host's DNS is; ``timeout`` in seconds for one question."""

    host: str
    port: int
    timeout: float = 1.0


class Resolver:
    """Asks DNS as the service does; ``suffixes`` is empty when the search list is switched off."""

    def __init__(self, service: NameService, suffixes: tuple[str, ...] = ()) -> None:
        self._service = service
        self.suffixes = suffixes

    def candidates(self, name: str) -> list[str]:
        """Return the absolute names to ask, in the order they are asked."""
        bare = name.rstrip(".")
        led = [
            f"{bare}.{suffix}."
            for suffix in self.suffixes
            if not f".{bare}".casefold().endswith(f".{suffix}".casefold())
        ]
        return [*led, f"{bare}."]

    def exchanges(self, domain: str) -> list[str]:
        """Return the exchanges of a domain by preference, then name; the domain itself without MX.

        Raises NoSuchDestination or NameServiceFailure.
        """
        known = False
        for name in self.candidates(domain):
            records = self._ask(name, dns.rdatatype.MX)
            if records:
                return self._sorted(domain, records)
            known = known or records is not None
            if records is not None and self._ask(name, dns.rdatatype.A):
                return [name]
        raise NoSuchDestination("Host has no mail exchange" if known else _NOT_FOUND)

    @staticmethod
    def _sorted(domain: str, records: dns.rrset.RRset) -> list[str]:
        pairs = sorted((r.preference, r.exchange.to_text().casefold()) for r in records)
        if [name for _skipped, name in pairs] == ["."]:
            raise NoSuchDestination(f"{domain} does not accept mail")
        return [name for _skipped, name in pairs if name != "."]

    def addresses(self, host: str) -> list[str]:
        """Return the IPv4 addresses of a host, sorted as numbers; none when it has none."""
        for name in self.candidates(host):
            records = self._ask(name, dns.rdatatype.A)
            if records:
                return sorted((r.address for r in records), key=ipaddress.IPv4Address)
        return []

    def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
        """Return the records, an empty set for an existing name without any, None for no name."""
        for _round in range(_CHAIN):
            reply = self._exchange(name, kind)
            if reply.rcode() == dns.rcode.NXDOMAIN:
                return None
            try:
                chain = reply.resolve_chaining()
            except dns.exception.DNSException as exc:
                raise NameServiceFailure(f"{name}: {exc}") from exc
            if chain.answer is not None:
                return chain.answer
            if not chain.cnames:
                return dns.rrset.RRset(chain.canonical_name, dns.rdataclass.IN, kind)
            name = chain.canonical_name.to_text()
        raise NameServiceFailure(f"{name}: the chain of aliases is too long")

    def _exchange(self, name: str, kind: dns.rdatatype.RdataType) -> dns.message.QueryMessage:
        try:
            question = dns.message.make_query(name, kind)
        except dns.exception.DNSException as exc:  # an empty or too long label
            raise NoSuchDestination(_NOT_FOUND) from exc
        where = self._service
        for _round in range(_TRIES):
            try:
                reply, _tcp = dns.query.udp_with_fallback(
                    question, where.host, timeout=where.timeout, port=where.port
                )
            except (dns.exception.DNSException, OSError, EOFError):
                continue
            if reply.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN} and isinstance(
                reply, dns.message.QueryMessage
            ):
                return reply
        raise NameServiceFailure(f"{name} {kind.name}: no usable answer")


class UnresolvedHost(Exception):  # noqa: N818 - an answer
    """A host that rows lead to has no address; the message is its name."""


_HOST_UNREACHABLE = "Host Unreachable"
_HOST_UNKNOWN = "Host Unknown (000B099C)"


class Router:
    """The table and the resolver as the service read them at its start.

    Hosts that rows name are resolved then, and then only (Q285023); the constructor raises
    UnresolvedHost where one has no address. ``relay`` is *Forward all messages to host*.
    """

    def __init__(
        self,
        routes: tuple[Route, ...],
        resolver: Resolver,
        assumptions: Assumptions,
        version: Version,
        relay: Route | None = None,
    ) -> None:
        self._routes = routes
        self._resolver = resolver
        self._assumptions = assumptions
        self._by_ends = version.compares_ends_of_names
        self._relay = relay
        self._turns: Counter[str] = Counter()
        self._known: dict[str, list[str]] = {}
        for route in (*routes, *([relay] if relay else [])):
            for host in route.hosts:
                self._known[host] = self._resolve(host)

    def _resolve(self, host: str) -> list[str]:
        if host.endswith("."):  # mail to it is returned (release notes of 5.0, 3.2.15)
            return []
        with contextlib.suppress(ValueError):
            return [str(ipaddress.IPv4Address(host))]
        try:
            found = self._resolver.addresses(host)
        except NameServiceFailure as exc:
            raise UnresolvedHost(host) from exc
        if not found:
            raise UnresolvedHost(host)
        return found

    def targets(self, domain: str) -> list[str]:
        """Return the addresses one attempt tries in turn; none where no host has an address.

        Raises NoSuchDestination or NameServiceFailure.
        """
        rows = self._rows(domain)
        if rows and rows[0].hosts:
            found = [address for row in rows for address in self._addresses(row)]
            return found if self._assumptions.failover else found[:1]
        if rows and self._by_ends and domain.casefold() != rows[0].domain:
            raise NoSuchDestination(_HOST_UNKNOWN)  # Q164457: a row that asks DNS
        if not rows and self._relay is not None:
            return self._addresses(self._relay)
        hosts = self._resolver.exchanges(domain)
        if not self._assumptions.mx_failover:
            hosts = hosts[:1]
        found = [address for host in hosts for address in self._exchange_addresses(host)]
        return found if self._assumptions.mx_failover else found[:1]

    def _rows(self, domain: str) -> list[Route]:
        """The rows that cover a domain best, in their order; a row by a better name wins."""
        ranked = [(route.rank(domain, by_ends=self._by_ends), route) for route in self._routes]
        best = max((rank for rank, _skipped in ranked), default=-1)
        return [route for rank, route in ranked if rank == best] if best >= 0 else []

    def _addresses(self, row: Route) -> list[str]:
        """The addresses of a row; of several hosts another one comes first each time (Q279323)."""
        start = self._turns[row.target] % len(row.hosts)
        self._turns[row.target] += 1
        hosts = [*row.hosts[start:], *row.hosts[:start]]
        if all(host.endswith(".") for host in hosts):
            raise NoSuchDestination(_HOST_UNREACHABLE)
        return [address for host in hosts for address in self._known[host]]

    def _exchange_addresses(self, host: str) -> list[str]:
        try:
            return [str(ipaddress.IPv4Address(host.rstrip(".")))]
        except ValueError:
            return self._resolver.addresses(host)
