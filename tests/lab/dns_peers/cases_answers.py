# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules 10 to 20: addresses, failures, and what else is told. Each case names its rule."""

from __future__ import annotations

from exchange_lab.mail.dns_server import Fault

from .cases import LAB, NSD, UNBOUND, Case

_PRIVATE = (
    *("0.1.2.3", "10.1.2.3", "100.64.1.2", "127.0.0.2", "169.254.1.2", "172.31.1.2", "192.0.0.9"),
    *("192.0.2.1", "192.88.99.1", "192.168.1.2", "198.19.1.2", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.25", "240.0.0.1", "255.255.255.255"),
)
_PRIVATE6 = (
    *("::", "::1", "::ffff:9.9.9.9", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1"),
    *("2001:db8::1", "2002:909:909::1", "3fff::1", "fc00::1", "fe80::1", "fec0::1", "ff02::1"),
)

ZONES = {
    "family.example": (
        "@ MX 10 six\n@ MX 20 four\n@ MX 30 alias\nsix AAAA 2001:db8::1\nfour A 192.0.2.9\n"
        "both A 192.0.2.10\nboth AAAA 2001:db8::10\nalias CNAME both\n"
    ),
    "private.example": (
        "@ MX 10 mx\nmx A 9.9.9.9\n"
        + "".join(f"mx A {address}\n" for address in _PRIVATE)
        + "six MX 10 mx6\nmx6 AAAA 2620:fe::9\nmx6 AAAA 64:ff9b::9.9.9.9\n"
        + "".join(f"mx6 AAAA {address}\n" for address in _PRIVATE6)
        + "all MX 10 inner\ninner A 10.1.2.3\n"
    ),
    "twice.example": (
        "@ MX 20 b\n@ MX 10 c\n@ MX 20 a\na A 192.0.2.1\na A 192.0.2.3\nb A 192.0.2.1\n"
        "b A 192.0.2.2\nc A 192.0.2.2\n"
    ),
    "part.example": (
        "@ MX 10 mx\n@ MX 20 mx.broken.example.\nmx A 192.0.2.1\nwww CNAME broken.example.\n"
    ),
    "lame.example": "child NS ns.nowhere.invalid.\n@ MX 10 mx.child\n@ A 192.0.2.1\n",
    "refused.example": "@ MX 10 mx\nmx A 192.0.2.1\n",
    "denied.example": "@ MX 10 mx\nmx A 192.0.2.1\n",
    "ttl.example": (
        "@ 900 MX 10 mx\n@ 900 MX 20 other\nmx 800 A 192.0.2.1\nmx 800 A 192.0.2.2\n"
        "other 700 A 192.0.2.3\nalias 600 CNAME @\nvia 900 MX 10 cname\ncname 500 CNAME mx\n"
        "no 900 MX 10 mx\nno 900 MX 20 gone\nzero 0 MX 10 mx\n"
    ),
    "wildhost.example": "* A 203.0.113.9\n",
    "size.example": "".join(
        f"{name} MX 10 {label}{n:02}\n{label}{n:02} A 192.0.2.{n}\n"
        for name, label in (("fits", "x" * 35), ("large", "y" * 45))
        for n in range(20)
    ),
    "calm.example": "@ MX 10 mx\nmx A 192.0.2.1\n",
}
# Zones that NSD is told of and cannot read.
UNREADABLE = ("broken.example",)
_BROKEN = (("broken.example", "*", Fault.SERVFAIL), ("mx.broken.example", "*", Fault.SERVFAIL))


CASES = [
    Case(
        10,
        "IPv4 only",
        "family.example",
        pairs=("20 four.family.example 192.0.2.9", "30 alias.family.example 192.0.2.10"),
        warnings=("exchange_without_address", "mx_is_cname"),
        ttl=60,
    ),
    Case(
        10,
        "IPv6 only",
        "family.example",
        pairs=("10 six.family.example 2001:db8::1", "30 alias.family.example 2001:db8::10"),
        warnings=("exchange_without_address", "mx_is_cname"),
        options={"families": ["ipv6"]},
    ),
    Case(
        10,
        "both",
        "family.example",
        pairs=(
            "10 six.family.example 2001:db8::1",
            "20 four.family.example 192.0.2.9",
            "30 alias.family.example 192.0.2.10",
            "30 alias.family.example 2001:db8::10",
        ),
        warnings=("mx_is_cname",),
        options={"families": ["ipv4", "ipv6"]},
    ),
    Case(
        11,
        "a global address among those that are not",
        "private.example",
        pairs=("10 mx.private.example 9.9.9.9",),
        warnings=("address_not_global",) * len(_PRIVATE),
        options={"allow_private": False},
    ),
    Case(
        11,
        "the same of IPv6",
        "six.private.example",
        pairs=(
            "10 mx6.private.example 64:ff9b::909:909",
            "10 mx6.private.example 2620:fe::9",
        ),
        warnings=("address_not_global",) * len(_PRIVATE6),
        options={"allow_private": False, "families": ["ipv6"]},
    ),
    Case(
        11,
        "none but private ones",
        "all.private.example",
        status="no_address",
        warnings=("address_not_global",),
        options={"allow_private": False},
    ),
    Case(
        11,
        "private ones, if wanted",
        "all.private.example",
        pairs=("10 inner.private.example 10.1.2.3",),
    ),
    Case(
        12,
        "an address of two exchanges",
        "twice.example",
        pairs=(
            "10 c.twice.example 192.0.2.2",
            "20 a.twice.example 192.0.2.1",
            "20 a.twice.example 192.0.2.3",
        ),
    ),
    Case(13, "no such domain", "nosuch.example", status="no_such_domain"),
    Case(
        13,
        "SERVFAIL",
        "broken.example",
        status="temporary_failure",
        failures=("MX broken.example server_failure",),
        faults=_BROKEN,
    ),
    Case(
        13,
        "REFUSED",
        "refused.example",
        status="temporary_failure",
        failures=("MX refused.example refused",),
        faults=(("refused.example", "*", Fault.REFUSED),),
        servers=(LAB, UNBOUND),
    ),
    Case(
        13,
        "a referral instead of an answer",
        "child.lame.example",
        status="temporary_failure",
        failures=("MX child.lame.example lame",),
        otherwise={UNBOUND: ("MX child.lame.example server_failure",)},
        faults=(("child.lame.example", "*", Fault.LAME),),
    ),
    Case(
        13,
        "no answer",
        "denied.example",
        status="temporary_failure",
        failures=("MX denied.example timeout",),
        faults=(("denied.example", "*", Fault.TIMEOUT),),
        options={"timeout": 0.3, "retries": 0},
        servers=(LAB, UNBOUND),
    ),
    Case(
        13,
        "aliases that lead back",
        "a.alias.example",
        status="temporary_failure",
        failures=("MX a.alias.example cname_loop",),
        otherwise={UNBOUND: ("MX a.alias.example server_failure",)},
    ),
    Case(
        13,
        "an alias of itself",
        "self.alias.example",
        status="temporary_failure",
        failures=("MX self.alias.example cname_loop",),
        otherwise={UNBOUND: ("MX self.alias.example server_failure",)},
    ),
    Case(
        14,
        "one exchange of two fails",
        "part.example",
        status="temporary_failure",
        failures=("A mx.broken.example server_failure",),
        faults=_BROKEN,
    ),
    Case(
        14,
        "the target of an alias fails",
        "www.part.example",
        status="temporary_failure",
        failures=("MX www.part.example server_failure",),
        otherwise={NSD: ("MX broken.example server_failure",)},
        faults=(("www.part.example", "*", Fault.SERVFAIL),),
    ),
    Case(
        14,
        "an exchange of preference 10 leads back to itself",
        "looping.alias.example",
        status="temporary_failure",
        failures=("A a.alias.example cname_loop",),
        otherwise={UNBOUND: ("A a.alias.example server_failure",)},
    ),
    Case(
        17,
        "a wildcard MX in the local zone",
        "calm.example",
        pairs=("10 mx.calm.example 192.0.2.1",),
        warnings=("search_list_hijack",),
        options={"search_list": ["hq.example"]},
    ),
    Case(
        17,
        "a wildcard address in one of two suffixes",
        "calm.example",
        pairs=("10 mx.calm.example 192.0.2.1",),
        warnings=("search_list_hijack",),
        options={"search_list": ["nestle.com", "wildhost.example"]},
    ),
    Case(
        17,
        "a suffix that fails is told, and changes nothing",
        "calm.example",
        pairs=("10 mx.calm.example 192.0.2.1",),
        failures=(
            "MX calm.example.broken.example server_failure",
            "A calm.example.broken.example server_failure",
        ),
        options={"search_list": ["broken.example"]},
        faults=(("calm.example.broken.example", "*", Fault.SERVFAIL),),
    ),
    Case(
        18,
        "AAAA of exchanges that have one, or have none",
        "family.example",
        pairs=("20 four.family.example 192.0.2.9", "30 alias.family.example 192.0.2.10"),
        warnings=("exchange_without_address", "mx_is_cname"),
        options={"evidence": True},
    ),
    Case(
        20,
        "the smallest on the way",
        "ttl.example",
        pairs=(
            "10 mx.ttl.example 192.0.2.1",
            "10 mx.ttl.example 192.0.2.2",
            "20 other.ttl.example 192.0.2.3",
        ),
        ttl=700,
    ),
    Case(
        20,
        "an alias counts",
        "alias.ttl.example",
        pairs=(
            "10 mx.ttl.example 192.0.2.1",
            "10 mx.ttl.example 192.0.2.2",
            "20 other.ttl.example 192.0.2.3",
        ),
        ttl=600,
    ),
    Case(
        20,
        "an alias of an exchange counts",
        "via.ttl.example",
        pairs=("10 cname.ttl.example 192.0.2.1", "10 cname.ttl.example 192.0.2.2"),
        warnings=("mx_is_cname",),
        ttl=500,
    ),
    Case(
        20,
        "an absence counts by the minimum of its zone",
        "no.ttl.example",
        pairs=("10 mx.ttl.example 192.0.2.1", "10 mx.ttl.example 192.0.2.2"),
        warnings=("exchange_without_address",),
        ttl=60,
    ),
    Case(
        20,
        "nothing is to be kept",
        "zero.ttl.example",
        pairs=("10 mx.ttl.example 192.0.2.1", "10 mx.ttl.example 192.0.2.2"),
        ttl=0,
    ),
]
