# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A zoo of broken name servers: one zone for each fault, and the expected answer of mx_pairs_info.

Each zone NAME.zoo has the same two exchanges unless its case has records of its own. ``rules`` are
lines of dnsdist's configuration; in them ``here`` matches the zone. The expectation is a status,
and ``aaaa`` where the AAAA trouble of KB972744 must be reported as evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

OK, FAILS, MOVES = "ok", "temporary_failure", "moving"
#: Microsoft documents this of Exchange 2007 and later (KB972744).
DNS_QUERY_FAILED = "holds the mail with 451 4.4.0 DNS query failed (KB972744)"
DELIVERS = "delivers the mail"
UNKNOWN = "unknown: no article describes it"

RESOLVERS = ("unbound", "bind", "powerdns")
WAYS = ("direct", *RESOLVERS)

_RECORDS = "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 192.0.2.41\nmx2 A 192.0.2.42\n"
_BIG = "".join(
    f"@ MX {number + 20} exchange-with-a-long-name-{number}\n"
    f"exchange-with-a-long-name-{number} A 198.51.100.{number}\n"
    for number in range(1, 61)
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What mx_pairs_info returns of a domain: its status, and whether AAAA trouble is reported."""

    status: str
    aaaa: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One fault.

    ``direct`` is expected where the broken server itself is asked; ``behind`` are the resolvers
    that make another answer of it, by name. ``exchange`` is Exchange's own behaviour, ``why`` the
    reason for the expectation. ``by_chance`` are the ways on which a run may fail or not.
    """

    name: str
    rules: str
    direct: Expected
    exchange: str
    why: str
    behind: Mapping[str, Expected] = field(default_factory=dict)
    records: str = _RECORDS
    by_chance: Collection[str] = ()

    @property
    def domain(self) -> str:
        """The domain that mx_pairs_info is asked about."""
        return f"{self.name}.zoo"

    def expected(self, way: str) -> Expected:
        """Return the expectation for ``direct`` or the name of a resolver."""
        return self.behind.get(way, self.direct)


def _aaaa(name: str, action: str, why: str, behind: Mapping[str, Expected] | None = None) -> Case:
    """Return a case of a server that answers A, and AAAA wrongly."""
    rules = f"addAction(AndRule{{here, aaaa}}, {action})"
    return Case(name, rules, Expected(OK, aaaa=True), DNS_QUERY_FAILED, why, behind or {})


_RULE_13 = "rule 13: a failure says nothing of the domain"
_RULE_18 = "rule 18: AAAA trouble is evidence and never makes IPv4 pairs unknown"
_RULE_22 = "rule 22: one round without EDNS before the domain counts as failed"
_BEHIND_FAILS = dict.fromkeys(RESOLVERS, Expected(FAILS))

CASES = (
    Case("good", "", Expected(OK), DELIVERS, "nothing is broken"),
    _aaaa("adrop", "DropAction()", _RULE_18),
    _aaaa("aservfail", "RCodeAction(DNSRCode.SERVFAIL)", _RULE_18),
    _aaaa("anotimp", "RCodeAction(DNSRCode.NOTIMP)", _RULE_18),
    _aaaa("arefused", "RCodeAction(DNSRCode.REFUSED)", _RULE_18),
    _aaaa("aformerr", "RCodeAction(DNSRCode.FORMERR)", _RULE_18),
    _aaaa(
        "anxdomain",
        'PoolAction("empty")',
        "rule 18: asked after the pairs, since BIND and PowerDNS keep NXDOMAIN for all types",
    ),
    _aaaa("awrongtype", 'SpoofRawAction("\\192\\000\\002\\041", {ttl=300})', _RULE_18),
    Case(
        "aslow",
        "addAction(AndRule({here, aaaa}), DelayAction(5000))",
        Expected(OK),
        UNKNOWN,
        "the answer comes within the timeouts that grow (rule 15); the resolvers give up before",
        behind=dict.fromkeys(RESOLVERS, Expected(OK, aaaa=True)),
    ),
    Case(
        "awrongsoa",
        'addAction(AndRule({here, aaaa}), NegativeAndSOAAction(false, "other.example.", 300,'
        ' "ns.zoo.", "root.zoo.", 1, 7200, 900, 1209600, 60))',
        Expected(OK),
        UNKNOWN,
        "a negative answer with another zone's SOA still says: no AAAA; PowerDNS refuses it, but"
        " evidence is asked of the zone's own servers (rule 18)",
    ),
    Case(
        "lame", "addAction(here, RCodeAction(DNSRCode.REFUSED))", Expected(FAILS), UNKNOWN, _RULE_13
    ),
    Case(
        "upward",
        'addAction(here, PoolAction("upward"))',
        Expected(FAILS),
        UNKNOWN,
        "a server that does not serve the zone and refers to the root (RFC 1034, section 4.3.1)",
    ),
    Case(
        "ednsdrop",
        "addAction(AndRule({here, opt}), DropAction())",
        Expected(OK),
        UNKNOWN,
        f"{_RULE_22}; the resolvers gave this up in 2019 (DNS flag day)",
        behind=_BEHIND_FAILS,
    ),
    Case(
        "ednsformerr",
        "addAction(AndRule({here, opt}), RCodeAction(DNSRCode.FORMERR))",
        Expected(OK),
        DELIVERS,
        "RFC 6891 section 7: FORMERR to EDNS is followed by a question without; not by BIND and"
        " PowerDNS where the FORMERR itself has an OPT record",
        behind=dict.fromkeys(("bind", "powerdns"), Expected(FAILS)),
    ),
    Case(
        "limit512",
        "addResponseAction(AndRule({here, udp}), LuaResponseAction(function(dr)"
        " if dr.len > 512 then return DNSResponseAction.Drop, '' end"
        " return DNSResponseAction.None, '' end))",
        Expected(OK),
        UNKNOWN,
        f"{_RULE_22}: the answer is truncated then, and comes by TCP; the resolvers get there too,"
        " but late",
        by_chance=RESOLVERS,
        records=_RECORDS + _BIG,
    ),
    Case(
        "tcreset",
        "addAction(AndRule({here, udp}), TCAction())\n"
        "addAction(AndRule({here, tcp}), DropAction())",
        Expected(FAILS),
        UNKNOWN,
        "the whole answer cannot be had: part of a table is not a table (rule 14)",
    ),
    Case(
        "tcclosed",
        "addAction(AndRule({here, udp}), TCAction())",
        Expected(FAILS),
        UNKNOWN,
        "as tcreset: TCP is closed at this server",
    ),
    Case(
        "slow",
        "addAction(here, DelayAction(3000))",
        Expected(OK),
        DELIVERS,
        "rule 15: growing timeouts reach an answer that takes longer than the first; the"
        " resolvers are about to give up then",
        by_chance=RESOLVERS,
    ),
    Case(
        "flaky",
        "addAction(AndRule({here, ProbaRule(0.5)}), DropAction())",
        Expected(OK),
        DELIVERS,
        "rule 15: a lost question is asked again; where all are lost, the domain is left alone",
        by_chance=WAYS,
    ),
    Case(
        "mxdrop",
        "addAction(AndRule({here, mx}), DropAction())",
        Expected(FAILS),
        UNKNOWN,
        "no answer to MX never falls back to the address of the domain",
    ),
    Case(
        "mxservfail",
        "addAction(AndRule({here, mx}), RCodeAction(DNSRCode.SERVFAIL))",
        Expected(FAILS),
        UNKNOWN,
        "as mxdrop",
    ),
    Case(
        "limited",
        "addAction(AndRule({here, udp, MaxQPSIPRule(20)}), DropAction())",
        Expected(OK),
        DELIVERS,
        "rate limits lose questions, and they are asked again",
        by_chance=WAYS,
    ),
    Case("big", "", Expected(OK), DELIVERS, "62 exchanges come by TCP", records=_RECORDS + _BIG),
    Case(
        "apexnx",
        'addAction(AndRule({here, aaaa}), PoolAction("parent"))',
        Expected(OK, aaaa=True),
        DNS_QUERY_FAILED,
        "NXDOMAIN to AAAA from the zone above; asked after the pairs (rule 18)",
    ),
    Case(
        "implicitnx",
        'addAction(AndRule({here, aaaa}), PoolAction("parent"))',
        Expected(OK, aaaa=True),
        DNS_QUERY_FAILED,
        "the same for a domain whose own address takes its mail",
        records="@ A 192.0.2.41\n",
    ),
    Case(
        "pool",
        "addAction(AndRule({here, address}), LuaAction(function(dq)"
        " return DNSAction.Spoof, '192.0.2.' .. math.random(1, 200) end))",
        Expected(MOVES),
        DELIVERS,
        "rule 23: another address at each answer is never pinned by default; a resolver repeats one"
        " answer for as long as its TTL says, and a pin that shares an address with it stays",
        behind=dict.fromkeys(RESOLVERS, Expected(OK)),
    ),
)
