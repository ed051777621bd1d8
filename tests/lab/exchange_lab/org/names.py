# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a Send connector with DNS routing finds the hosts of a domain.

The fault of KB972744 lives here: the Transport service asks AAAA besides A, and takes a server that
ignores the question, or answers it wrongly, for a failed query of the whole domain.
"""

from __future__ import annotations

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from ..mail.imc_routing import NameService

_CHAIN = 8


class QueryFailed(Exception):  # noqa: N818 - an answer, not a defect
    """DNS gave no usable answer: mail waits with ``451 4.4.0 DNS query failed``."""


class NonexistentDomain(Exception):  # noqa: N818 - an answer
    """DNS says that there is no such domain, or that it takes no mail: mail is returned."""


class Names:
    """Asks DNS servers, each in turn until one answers; None is one that is not there.

    ``ipv6`` is whether the server's adapter has IPv6, as by default.
    """

    def __init__(self, *services: NameService | None, ipv6: bool = True) -> None:
        self._services = services
        self._ipv6 = ipv6

    def hosts(self, domain: str) -> list[tuple[str, str]]:
        """Return (host, address) in the order they are tried; raises the two exceptions above."""
        exchanges = self._exchanges(domain)
        found = [(host, address) for host in exchanges for address in self.addresses(host)]
        if not found:
            raise QueryFailed(f"{domain} has no host with an address")
        return found

    def _exchanges(self, domain: str) -> list[str]:
        records = self._ask(domain, dns.rdatatype.MX)
        if records is None:
            raise NonexistentDomain(domain)
        pairs = sorted((int(p), name.rstrip(".")) for p, name in (r.split(" ") for r in records))
        if not pairs:
            return [domain]
        if [name for _skipped, name in pairs] == [""]:
            raise NonexistentDomain(f"{domain} takes no mail")
        return [name for _skipped, name in pairs if name]

    def addresses(self, host: str) -> list[str]:
        """The addresses of a host, IPv4 ahead of IPv6."""
        found = list(self._ask(host, dns.rdatatype.A) or [])
        if self._ipv6:
            found += self._ask(host, dns.rdatatype.AAAA) or []
        return found

    def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> list[str] | None:
        """The records as text; none for an existing name without any, None for no such name."""
        for _round in range(_CHAIN):
            reply = self._exchange(name, kind)
            if reply.rcode() == dns.rcode.NXDOMAIN:
                return None
            try:
                chain = reply.resolve_chaining()
            except dns.exception.DNSException as error:
                raise QueryFailed(str(error)) from error
            if chain.answer is not None:
                return [record.to_text() for record in chain.answer]
            if not chain.cnames:
                return []
            name = chain.canonical_name.to_text()
        raise QueryFailed("the chain of aliases is too long")

    def _exchange(self, name: str, kind: dns.rdatatype.RdataType) -> dns.message.QueryMessage:
        question = dns.message.make_query(name.rstrip(".") + ".", kind)
        why = "no DNS server"
        for where in self._services:
            if where is None:
                continue
            try:
                reply, _tcp = dns.query.udp_with_fallback(
                    question, where.host, timeout=where.timeout, port=where.port
                )
            except (dns.exception.DNSException, OSError, EOFError) as error:
                why = str(error)
                continue
            usable = reply.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}
            if usable and isinstance(reply, dns.message.QueryMessage):
                return reply
            why = dns.rcode.to_text(reply.rcode())
        raise QueryFailed(f"{name} {kind.name}: {why}")
