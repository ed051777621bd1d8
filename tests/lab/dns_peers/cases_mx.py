# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules 1 to 9: from a domain to its exchanges. Each case names the rule that decides it."""

from __future__ import annotations

from exchange_lab.scenario import LOCAL_ZONE, NESTLE

from .cases import NSD, UNBOUND, Case

_CHAIN = "".join(f"c{number} CNAME c{number + 1}\n" for number in range(1, 10))
_NESTLE = (
    "10 mx1.nestle.com 192.0.2.25",
    "20 mx2.nestle.com 192.0.2.26",
    "20 mx3.nestle.com 192.0.2.27",
)
_MANY = "".join(f"@ MX {10 + n} mx{n:03}\nmx{n:03} A 192.0.2.{n}\n" for n in range(60))
_TOO_MANY = "".join(f"@ MX {n} mx{n:03}\nmx{n:03} A 192.0.2.{n}\n" for n in range(101))

ZONES = {
    "hq.example": LOCAL_ZONE,
    "nestle.com": NESTLE,
    "xn--bcher-kva.example": "@ MX 10 mx\nmx A 192.0.2.1\n",
    "order.example": (
        "@ MX 20 a\n@ MX 10 c\n@ MX 10 b\n@ MX 9 z\n"
        "a A 192.0.2.9\nb A 192.0.2.100\nb A 192.0.2.30\nb A 192.0.2.4\nc A 192.0.2.3\n"
        "z A 192.0.2.200\ncase MX 10 MX.Case\nMX.Case A 192.0.2.5\n"
    ),
    "many.example": _MANY,
    "toomany.example": _TOO_MANY,
    "implicit.example": (
        "@ A 192.0.2.2\n@ A 192.0.2.1\nwww CNAME @\ntext TXT nothing\nlow.deep A 192.0.2.5\n"
        "*.wild A 192.0.2.6\nsix AAAA 2001:db8::1\n"
    ),
    "null.example": "@ MX 0 .\n@ A 192.0.2.1\nten MX 10 .\nten A 192.0.2.2\n",
    "nulls.example": "@ MX 0 .\n@ MX 10 mx\nmx A 192.0.2.3\nalias CNAME null.example.\n",
    "alias.example": (
        "@ MX 10 mx\nmx CNAME real\nreal A 192.0.2.4\nfar MX 10 mx.far\n"
        "mx.far CNAME mx1.nestle.com.\n"
        "www CNAME nestle.com.\nnear CNAME @\nlost CNAME nosuch.nestle.com.\n"
        "a CNAME b\nb CNAME a\nself CNAME self\nlooping MX 10 a\nlosing MX 10 lost\n"
        f"{_CHAIN}c10 MX 10 real\nempty CNAME text\ntext TXT nothing\n"
        "*.star CNAME nestle.com.\n"
    ),
    "dname.example": "below DNAME order.example.\n@ MX 10 mx.low\nlow DNAME nestle.example.\n",
    "nestle.example": "mx A 192.0.2.8\n",
    "wild.example": "*.sub MX 5 mx\nmx A 192.0.2.10\nreal.sub A 192.0.2.11\n",
    "literal.example": "@ MX 10 192.0.2.7.\n@ MX 20 mx\nmx A 192.0.2.8\nonly MX 10 192.0.2.7.\n",
    "nohost.example": "@ MX 10 mail\\032server\n@ MX 20 under_score\nunder_score A 192.0.2.8\n",
    "own.example": (
        "@ MX 10 far\n@ MX 20 ours\n@ MX 20 equal\n@ MX 30 worse\n"
        "far A 192.0.2.1\nours A 203.0.113.55\nequal A 192.0.2.2\nworse A 192.0.2.3\n"
        "alias MX 5 far\nalias MX 10 there\nthere CNAME ours\nbest MX 0 ours\nbest MX 10 far\n"
        "implicit A 203.0.113.55\nnoaddress MX 10 gone\nnoaddress MX 20 far\n"
    ),
    "dangling.example": (
        "@ MX 10 gone\n@ MX 20 mx\n@ MX 30 text\nmx A 192.0.2.6\ntext TXT nothing\n"
        "other MX 10 gone\nother MX 20 text\n"
    ),
}

CASES = [
    Case(
        1,
        "upper case and a trailing dot",
        "nestle.com",
        asked="NESTLE.com.",
        pairs=_NESTLE,
    ),
    Case(
        1,
        "an international name",
        "xn--bcher-kva.example",
        asked="B\u00fccher\u3002example",
        pairs=("10 mx.xn--bcher-kva.example 192.0.2.1",),
    ),
    Case(
        1,
        "no search list touches the domain",
        "nosuch.invalid",
        status="no_such_domain",
        warnings=("search_list_hijack",),
        options={"search_list": ["hq.example"]},
    ),
    Case(
        3,
        "by preference, exchange, address as a number",
        "order.example",
        pairs=(
            "9 z.order.example 192.0.2.200",
            "10 b.order.example 192.0.2.4",
            "10 b.order.example 192.0.2.30",
            "10 b.order.example 192.0.2.100",
            "10 c.order.example 192.0.2.3",
            "20 a.order.example 192.0.2.9",
        ),
    ),
    Case(
        3,
        "an exchange in upper case",
        "case.order.example",
        pairs=("10 mx.case.order.example 192.0.2.5",),
    ),
    Case(
        3,
        "sixty exchanges, over TCP",
        "many.example",
        pairs=tuple(f"{10 + n} mx{n:03}.many.example 192.0.2.{n}" for n in range(60)),
    ),
    Case(
        13,
        "more exchanges than any mail domain has",
        "toomany.example",
        status="temporary_failure",
        failures=("MX toomany.example malformed",),
    ),
    Case(
        4,
        "addresses and no MX",
        "implicit.example",
        implicit=True,
        pairs=("0 implicit.example 192.0.2.1", "0 implicit.example 192.0.2.2"),
        ttl=60,
    ),
    Case(
        4,
        "an alias of addresses without MX",
        "www.implicit.example",
        implicit=True,
        pairs=("0 www.implicit.example 192.0.2.1", "0 www.implicit.example 192.0.2.2"),
    ),
    Case(
        4,
        "a name that exists by a wildcard",
        "any.wild.implicit.example",
        implicit=True,
        pairs=("0 any.wild.implicit.example 192.0.2.6",),
    ),
    Case(
        4,
        "neither MX nor address",
        "text.implicit.example",
        status="no_address",
        warnings=("exchange_without_address",),
    ),
    Case(
        4,
        "a name that exists by a name below it only",
        "deep.implicit.example",
        status="no_address",
        warnings=("exchange_without_address",),
    ),
    Case(4, "a name that does not exist", "no.implicit.example", status="no_such_domain", ttl=60),
    Case(4, "an MX by a wildcard", "x.sub.wild.example", pairs=("5 mx.wild.example 192.0.2.10",)),
    Case(
        4,
        "a wildcard does not cover a name that exists",
        "real.sub.wild.example",
        implicit=True,
        pairs=("0 real.sub.wild.example 192.0.2.11",),
    ),
    Case(5, "null MX, with an address besides", "null.example", status="null_mx", ttl=300),
    Case(5, "null MX by an alias", "alias.nulls.example", status="null_mx"),
    Case(
        5,
        ". beside another exchange",
        "nulls.example",
        pairs=("10 mx.nulls.example 192.0.2.3",),
        warnings=("null_mx_ignored",),
    ),
    Case(
        5,
        ". with another preference than 0",
        "ten.null.example",
        status="no_address",
        warnings=("null_mx_ignored",),
    ),
    Case(
        6,
        "an alias into another zone",
        "www.alias.example",
        pairs=_NESTLE,
    ),
    Case(
        6,
        "an alias by a wildcard",
        "any.star.alias.example",
        pairs=_NESTLE,
    ),
    Case(
        6,
        "an exchange that is an alias, for an alias within the zone",
        "near.alias.example",
        pairs=("10 mx.alias.example 192.0.2.4",),
        warnings=("mx_is_cname",),
    ),
    Case(
        6,
        "an exchange that is an alias into another zone",
        "far.alias.example",
        pairs=("10 mx.far.alias.example 192.0.2.25",),
        warnings=("mx_is_cname",),
    ),
    Case(
        6,
        "an alias of a name that does not exist",
        "lost.alias.example",
        status="no_such_domain",
        warnings=("alias_to_nowhere",),
    ),
    Case(
        6,
        "an alias of a name without MX and address",
        "empty.alias.example",
        status="no_address",
        warnings=("exchange_without_address",),
    ),
    Case(
        6,
        "an exchange that is an alias of nothing",
        "losing.alias.example",
        status="no_address",
        warnings=("mx_is_cname", "exchange_without_address"),
    ),
    Case(6, "eight aliases", "c2.alias.example", pairs=("10 real.alias.example 192.0.2.4",)),
    Case(
        6,
        "nine aliases",
        "c1.alias.example",
        status="temporary_failure",
        failures=("MX c1.alias.example cname_loop",),
    ),
    Case(
        6,
        "a name below a DNAME",
        "case.below.dname.example",
        pairs=("10 mx.case.order.example 192.0.2.5",),
        servers=(NSD, UNBOUND),
    ),
    Case(
        6,
        "an exchange below a DNAME",
        "dname.example",
        pairs=("10 mx.low.dname.example 192.0.2.8",),
        warnings=("mx_is_cname",),
        servers=(NSD, UNBOUND),
    ),
    Case(
        7,
        "an address beside an exchange",
        "literal.example",
        pairs=("20 mx.literal.example 192.0.2.8",),
        warnings=("mx_is_address",),
    ),
    Case(
        7,
        "an address and nothing else",
        "only.literal.example",
        status="no_address",
        warnings=("mx_is_address",),
    ),
    Case(
        7,
        "what can be no host name, and an underscore",
        "nohost.example",
        pairs=("20 under_score.nohost.example 192.0.2.8",),
        warnings=("mx_is_no_host",),
    ),
    Case(
        8,
        "our own name",
        "own.example",
        pairs=("10 far.own.example 192.0.2.1",),
        warnings=("own_exchange",),
        options={"own_names": ["OURS.own.example."]},
    ),
    Case(
        8,
        "our own address",
        "own.example",
        pairs=("10 far.own.example 192.0.2.1",),
        warnings=("own_exchange",),
        options={"own_addresses": ["203.0.113.55"]},
    ),
    Case(
        8,
        "our own range",
        "own.example",
        pairs=("10 far.own.example 192.0.2.1",),
        warnings=("own_exchange",),
        options={"own_addresses": ["203.0.113.0/24"]},
    ),
    Case(
        8,
        "a host whose address DNS tells",
        "own.example",
        pairs=("10 far.own.example 192.0.2.1",),
        warnings=("own_exchange",),
        options={"own_addresses": ["mail55.hq.example"]},
    ),
    Case(
        8,
        "our own name behind an alias",
        "alias.own.example",
        pairs=("5 far.own.example 192.0.2.1",),
        warnings=("own_exchange",),
        options={"own_names": ["ours.own.example"]},
    ),
    Case(
        8,
        "nothing is left",
        "best.own.example",
        status="loop",
        warnings=("own_exchange",),
        options={"own_addresses": ["203.0.113.55"]},
    ),
    Case(
        8,
        "an implicit MX of our own",
        "implicit.own.example",
        status="loop",
        warnings=("own_exchange",),
        options={"own_addresses": ["203.0.113.55"]},
    ),
    Case(
        8,
        "our own name has no address",
        "noaddress.own.example",
        status="loop",
        warnings=("own_exchange",),
        options={"own_names": ["gone.own.example"]},
    ),
    Case(
        9,
        "exchanges that do not exist or have no address",
        "dangling.example",
        pairs=("20 mx.dangling.example 192.0.2.6",),
        warnings=("exchange_without_address", "exchange_without_address"),
    ),
    Case(
        9,
        "no exchange has an address",
        "other.dangling.example",
        status="no_address",
        warnings=("exchange_without_address", "exchange_without_address"),
    ),
]
