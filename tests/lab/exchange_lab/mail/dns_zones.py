# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an authoritative name server knows: zones in master-file text, and how they answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

_MAX_ALIASES = 16
_TTL = "$TTL 300\n"
_SOA = "@ SOA ns.lab.invalid. hostmaster.lab.invalid. 1 3600 600 86400 60\n"


class Zones:
    """Zones by origin; a zone without SOA gets one (negative time to live 60 s).

    Text as in RFC 1035 section 5, ``@`` being the origin, with 300 s as time to live unless told::

        Zones({"nestle.com": "@ MX 10 mail\\nmail A 192.0.2.25"})
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._zones = {
            _origin(zone): zone for zone in (_parse(origin, text) for origin, text in texts.items())
        }
        self._names = {origin: _names(zone) for origin, zone in self._zones.items()}

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """Return what an authoritative server replies (RFC 1034 section 4.3.2, RFC 4592)."""
        reply = dns.message.make_response(query)
        question = query.question[0]
        if self._zone_of(question.name) is None:
            reply.set_rcode(dns.rcode.REFUSED)
            return reply
        reply.flags |= dns.flags.AA
        self._fill(reply, question.name, question.rdtype)
        return reply

    def _fill(
        self, reply: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> None:
        """Add the answer for a name, and for what its aliases lead to within these zones."""
        for _round in range(_MAX_ALIASES):
            zone = self._zone_of(name)
            if zone is None:
                return
            source = self._source(zone, name)
            if source is None:
                reply.set_rcode(dns.rcode.NXDOMAIN)
            found = source and zone.get_rdataset(source, kind)
            alias = source and zone.get_rdataset(source, dns.rdatatype.CNAME)
            if found:
                reply.answer.append(_rrset(name, found))
            if found or not alias:
                if not found:
                    reply.authority.append(_soa(zone))
                return
            reply.answer.append(_rrset(name, alias))
            name = alias[0].target
            if any(rrset.name == name for rrset in reply.answer):
                return  # a loop: a real server stops as well

    def _source(self, zone: dns.zone.Zone, name: dns.name.Name) -> dns.name.Name | None:
        """Return whose records answer for a name: its own, a wildcard's; None if nobody's."""
        names = self._names[_origin(zone)]
        if name in names:
            return name
        encloser = next(x for x in _ancestors(name) if x == zone.origin or x in names)
        wildcard = dns.name.Name([b"*"]) + encloser
        return wildcard if wildcard in zone.nodes else None

    def _zone_of(self, name: dns.name.Name) -> dns.zone.Zone | None:
        """Return the zone with the longest origin at or above a name."""
        for ancestor in _ancestors(name):
            if ancestor in self._zones:
                return self._zones[ancestor]
        return None


def _parse(origin: str, text: str) -> dns.zone.Zone:
    soa = "" if " SOA " in f" {text} ".replace("\t", " ").upper() else _SOA
    return dns.zone.from_text(
        _TTL + soa + text,
        origin=dns.name.from_text(origin),
        relativize=False,
        check_origin=False,
    )


def _ancestors(name: dns.name.Name) -> Iterator[dns.name.Name]:
    """Yield a name, then each name above it, up to the root."""
    while True:
        yield name
        if name == dns.name.root:
            return
        name = name.parent()


def _names(zone: dns.zone.Zone) -> frozenset[dns.name.Name]:
    """Return all names that exist, be it only because of a name below them (RFC 4592 2.2.2)."""
    found: set[dns.name.Name] = set()
    for name in zone.nodes:
        for ancestor in _ancestors(name):
            if ancestor in found:
                break
            found.add(ancestor)
    return frozenset(name for name in found if name.is_subdomain(_origin(zone)))


def _rrset(name: dns.name.Name, data: dns.rdataset.Rdataset) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(name, data.ttl, list(data))


def _soa(zone: dns.zone.Zone) -> dns.rrset.RRset:
    origin = _origin(zone)
    return _rrset(origin, zone.find_rdataset(origin, dns.rdatatype.SOA))


def _origin(zone: dns.zone.Zone) -> dns.name.Name:
    assert zone.origin is not None
    return zone.origin
