# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why mail for a domain is delayed: the causes that the evidence shows or allows, best first. Pure.

Without evidence the cause is *unknown*, never the likeliest one. Both families share the rules.

``451 4.4.0 DNS query failed`` of Exchange 2010 and later has several causes: the domain's name
servers mishandle AAAA (KB972744), the host's own DNS fails, or one that does not show. The answers
of DNS on the controller do not prove those on the host, so a single domain never proves anything
about the host's DNS.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from .._imc.host import LAST_FIX, has_every_fix, silence_cure
from .._mail.smtp_errors import ErrorClass, Origin
from .._report.states import STATUS_WORDS
from .._report.text import count, failure_text, listed, words
from .evidence import StuckDomain
from .smtp_replies import OWN_ERRORS, meaning


class Code(StrEnum):
    """The stable codes of causes; among sure ones, the first here comes first."""

    ARRIVES = "arrives"  # a test message did: nothing keeps the mail any more
    MALFORMED_ROW = "malformed_row"  # event 4056
    SERVICE_DOWN = "service_down"
    NULL_MX = "null_mx"
    NO_SUCH_DOMAIN = "no_such_domain"
    OWN_HOSTS = "own_hosts"
    SEARCH_LIST = "search_list"
    REMOTE_AAAA = "remote_aaaa"
    OWN_DNS = "own_dns"
    OLD_PIN = "old_pin"
    PARENT_ROUTE = "parent_route"  # Q259531
    SILENT = "silent"  # Q182821
    WRONG_REGION = "wrong_region"
    DANGLING = "dangling"
    CERTIFICATE = "certificate"
    DOMAIN_SECURITY = "domain_security"
    FRONT_END = "front_end"
    OWN_POLICY = "own_policy"
    RELAY_REFUSED = "relay_refused"
    REVERSE_DNS = "reverse_dns"
    HELO = "helo"
    SENDER = "sender"
    SENDER_BLOCKED = "sender_blocked"
    GREYLISTED = "greylisted"
    BLOCKED = "blocked"
    AUTHENTICATION = "authentication"
    TLS_REQUIRED = "tls_required"
    TLS = "tls"
    LOOPS = "loops"
    BUSY = "busy"
    PUT_OFF = "put_off"
    REFUSED = "refused"
    DROPPED = "dropped"
    UNREACHABLE = "unreachable"
    CACHED = "cached"  # Q285023
    NO_ROUTE = "no_route"
    EXPIRED = "expired"
    SEVERAL_MX = "several_mx"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause: a sentence without its end, its evidence, and what to do about it.

    ``instead`` is another remedy. ``sure`` is what the evidence shows, as opposed to what it only
    allows. ``pin`` and ``switch`` are what this collection can do: pin the domain, switch the
    search list off.
    """

    code: Code
    sentence: str
    remedy: str = ""
    evidence: tuple[str, ...] = ()
    instead: str = ""
    sure: bool = True
    pin: bool = False
    switch: bool = False


Every = Sequence[StuckDomain]
Rule = Callable[[StuckDomain, Every], Iterator[Cause]]

# So many domains do not fail at once by chance.
_SEVERAL = 2
_MOST_EVIDENCE = 3
_HOW = {10061: "refused the connection", 10060: "did not answer"}  # Windows Sockets
_DAEMON = re.compile(r"(?i)unable to contact destination SMTP da?emon")
_RANK = {code: place for place, code in enumerate(Code)}
# Warnings of mx_pairs_info about mail servers that cannot be reached.
_DANGLING = (
    "exchange_without_address",
    "mx_is_address",
    "mx_is_no_host",
    "address_not_global",
    "alias_to_nowhere",
)
_EXTERNAL_DNS = (
    "Other name servers for outbound mail (mx_delivery_external_dns) are an alternative that does"
    " not go out of date."
)


def causes(domain: StuckDomain, every: Every) -> list[Cause]:
    """Return the causes of one domain, at least one; ``every`` are all of its host."""
    if domain.arrived:
        left = f"a test message from this host to {domain.domain} just"
        if domain.onward:
            return [
                Cause(
                    Code.ARRIVES,
                    f"{left} left: {domain.onward}",
                    "Wait for the next retry here, and look for the mail there.",
                )
            ]
        return [
            Cause(
                Code.ARRIVES,
                f"{left} arrived, so nothing delays the mail any longer",
                "Wait for the next retry.",
            )
        ]
    known = [cause for rule in _RULES for cause in rule(domain, every)]
    if not any(cause.sure for cause in known):
        known.append(_unknown(domain))
    known.sort(key=lambda cause: (not cause.sure, _RANK[cause.code]))
    return known


def _unknown(domain: StuckDomain) -> Cause:
    """Return what would show the cause."""
    sentence, remedy = (
        "the logs do not show it",
        "Run diagnose again with -e mx_delivery_test_stuck=true, which sends a test message.",
    )
    evidence: tuple[str, ...] = ()
    if domain.error is None and domain.transport:
        sentence, remedy = "Exchange has no error yet", "Run diagnose again after the next retry."
    elif domain.error is None:
        sentence = "the host has no error"
        remedy = (
            "Enable the SMTP protocol log of the service (level 3 or more, Q154505), and run"
            " diagnose again."
        )
    elif domain.error_class is ErrorClass.DNS:
        sentence = "DNS has no address of a smart host of its connector"
        remedy = "Check the smart hosts of the connector that carries this domain."
    else:
        evidence = _failures(domain)
    return Cause(Code.UNKNOWN, sentence, remedy, evidence)


# -- the host, and the domain in DNS


def _service(domain: StuckDomain, _every: Every) -> Iterator[Cause]:
    """Yield the cause of a host with a stopped service."""
    if domain.blocked:
        yield why_down(domain.blocked)


def why_down(blocked: str) -> Cause:
    """Return why a service does not run, ``malformed`` or ``stopped``, and what to do."""
    if blocked == "malformed":
        return Cause(
            Code.MALFORMED_ROW,
            "the service does not run, and the route table has a row that it cannot parse (event"
            " 4056, Q182522)",
            "Correct the row in the E-Mail Domain table of the Internet Mail Connector, then start"
            " the service.",
        )
    return Cause(
        Code.SERVICE_DOWN,
        "the service MSExchangeIMC does not run",
        "Start it; the event log has the reason if it stops again.",
    )


def _accepts_none(domain: StuckDomain, _every: Every) -> Iterator[Cause]:
    if domain.status == "null_mx":
        yield Cause(
            Code.NULL_MX,
            "the domain accepts no mail (null MX, RFC 7505)",
            "Inform the senders. The mail cannot be delivered, and returns only when it expires.",
        )
    elif domain.status == "no_such_domain":
        yield Cause(
            Code.NO_SUCH_DOMAIN,
            "the domain does not exist in DNS",
            "Inform the senders; the address may be mistyped. The mail returns when it expires.",
        )
    elif domain.status == "loop":
        notes = tuple(str(note["message"]) for note in domain.warnings("own_exchange"))
        yield Cause(
            Code.OWN_HOSTS,
            "all mail servers of the domain are your own hosts, so its mail would loop",
            "Make it a domain that your hosts accept mail for, or correct its MX records.",
            notes[:1],
        )


def _search_list(domain: StuckDomain, _every: Every) -> Iterator[Cause]:
    """Names with a suffix appended that have an answer (Q150969)."""
    hijacks = domain.warnings("search_list_hijack")
    hijacks = [note for note in hijacks if note["suffix"] in domain.suffixes]
    # Mail to an address needs no name, and a host that reached the right address found it.
    led = domain.pins or domain.parent or domain.by_smart_hosts
    if not hijacks or led or _reached(domain):
        return
    suffix, name, answer = (str(hijacks[0][key]) for key in ("suffix", "name", "answer"))
    exists = f"{name} has an answer ({answer})"
    if domain.transport:
        yield Cause(
            Code.SEARCH_LIST,
            f"Windows may append {suffix} to names, and {exists}, so mail may be misrouted there"
            " (Q150969)",
            _pin(domain),
            sure=False,
            pin=domain.can_be_pinned,
        )
    elif domain.appends:
        pin = f" and {_pin(domain, first=False)}" if domain.can_be_pinned else "."
        yield Cause(
            Code.SEARCH_LIST,
            f"the host appends {suffix} to names, and {exists}, so mail for {domain.domain} is"
            " misrouted there (Q150969)",
            f"Switch the search list off{pin}",
            pin=domain.can_be_pinned,
            switch=True,
        )


def _reached(domain: StuckDomain) -> bool:
    """Return true if the host reached an address that DNS has for the domain."""
    return domain.error is not None and domain.error.address in domain.addresses


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _old_pin(domain: StuckDomain, _every: Every) -> Iterator[Cause]:
    """Addresses of a route or connector that are no longer in DNS."""
    addresses = filter(_is_address, domain.pins)  # a route by name leads where DNS has that name
    old = [address for address in addresses if address not in domain.addresses]
    if domain.status != "ok" or not old or domain.reply is not None:
        return
    tried = domain.error.address if domain.error else None
    if tried is not None and tried not in old:
        return
    yield Cause(
        Code.OLD_PIN,
        f"its pin leads to {listed(old)}, which is no longer in DNS"
        if len(old) == 1
        else f"its pin leads to {listed(old)}, which are no longer in DNS",
        _pin(domain),
        sure=tried in old or len(old) == len(domain.pins),
        pin=domain.repins or domain.by_hand,
    )


def _parent_route(domain: StuckDomain, _every: Every) -> Iterator[Cause]:
    """A route of the domain above it, which takes the mail of subdomains, too."""
    hosts = list(filter(_is_address, domain.parent_hosts))
    foreign = [host for host in hosts if host not in domain.addresses]
    if domain.status != "ok" or not foreign or _reached(domain):
        return
    yield Cause(
        Code.PARENT_ROUTE,
        f"the route of {domain.parent} also takes mail for {domain.domain} (Q259531) and leads to"
        f" {listed(foreign)}, not a mail server of {domain.domain} in DNS",
        _pin(domain),
        sure=len(foreign) == len(domain.parent_hosts),
        pin=domain.can_be_pinned,
    )


def _no_greeting(domain: StuckDomain, _every: Every) -> Iterator[Cause]:
    """A mail server that accepts the connection and sends no greeting (Q182821)."""
    tried = domain.pins or domain.addresses
    silent = [address for address in tried if address in domain.silent]
    if not silent or domain.reply is not None or domain.parent:
        return
    cure = silence_cure(domain.build)
    several = len(tried) >= _SEVERAL
    no_other = ", and this build tries no other mail server then (Q182821)"
    accept = "accept connections and send" if silent[1:] else "accepts connections and sends"
    pin = _pin(domain) if several and domain.answering != domain.addresses else ""
    yield Cause(
        Code.SILENT,
        f"{listed(silent)} {accept} no greeting{no_other if cure and several else ''}",
        " ".join(filter(None, (cure, pin)))
        or "Check reverse DNS of this host (Q190026) and ask the postmaster there.",
        sure=domain.error is not None and domain.error.address in silent,
        pin=bool(pin),
    )


def _dangling(domain: StuckDomain, _every: Every) -> Iterator[Cause]:
    notes = tuple(str(note["message"]) for note in domain.warnings(*_DANGLING))
    if domain.status == "no_address":
        yield Cause(
            Code.DANGLING,
            "no mail server of the domain has a usable address",
            "Inform the postmaster there by other means than mail. If you know their address, it"
            " can be pinned until DNS is corrected.",
            notes,
        )
    elif domain.can_be_pinned and notes and not domain.pins and not _reached(domain):
        yield Cause(
            Code.DANGLING,
            "some mail servers of the domain have no usable address, and Exchange may wait for"
            " them",
            _pin(domain),
            notes,
            sure=False,
            pin=True,
        )


# -- DNS on Exchange 2010 and later


def _dns(domain: StuckDomain, every: Every) -> Iterator[Cause]:
    """The one cause of a failed query, or why none shows."""
    if not (domain.transport and domain.asks_dns) or domain.status in {"null_mx", "no_such_domain"}:
        return
    if aaaa := _aaaa_failures(domain):
        pin = f"Pin the domain to {listed(domain.addresses)}." if domain.addresses else ""
        yield Cause(
            Code.REMOTE_AAAA,
            "the domain's name servers ignore or mishandle AAAA, so Exchange finds no address"
            " (KB972744)",
            pin,
            tuple(aaaa[:_MOST_EVIDENCE]),
            _EXTERNAL_DNS,
            pin=bool(domain.addresses),
        )
        return
    alike = [one for one in every if one.asks_dns and not _aaaa_failures(one)]
    yield (
        _silent(domain, alike) if domain.status == "temporary_failure" else _answered(domain, alike)
    )


def _aaaa_failures(domain: StuckDomain) -> list[str]:
    """Return the servers that fail on AAAA, each once for all names it fails on alike."""
    alike: dict[tuple[str, str], list[str]] = {}
    for note in domain.warnings("aaaa_trouble"):
        key = str(note["nameserver"]), str(note["kind"])
        alike.setdefault(key, []).append(str(note["name"]))
    return [
        f"AAAA of {listed(names)} at {server}: {words(kind)}"
        for (server, kind), names in alike.items()
    ]


def _failures(domain: StuckDomain) -> tuple[str, ...]:
    """Return the failed queries that the domain depends on."""
    failed = (domain.resolved or {}).get("failures") or ()
    return tuple(failure_text(one) for one in failed if one.get("needed", True))


def _silent(domain: StuckDomain, alike: Every) -> Cause:
    """DNS fails on the host and on the controller."""
    evidence = _failures(domain)[:_MOST_EVIDENCE]
    if all(one.status == "temporary_failure" for one in alike) and len(alike) >= _SEVERAL:
        return Cause(
            Code.OWN_DNS,
            f"your own DNS. None of the {count(len(alike), 'domain')} that wait for DNS has an"
            " answer on the controller either",
            "Check the name servers of this host and of the controller.",
            evidence,
        )
    return Cause(
        Code.UNKNOWN,
        "DNS does not answer on the controller either",
        "Run diagnose again later; the domain's name servers may be down.",
        evidence,
    )


def _answered(domain: StuckDomain, alike: Every) -> Cause:
    """DNS fails on the host and not on the controller."""
    fine = [one for one in alike if one.status == "ok"]
    checked = [one for one in fine if (one.resolved or {}).get("evidence") is not None]
    if domain not in fine:
        status = STATUS_WORDS.get(domain.status, "no result")
        return Cause(Code.UNKNOWN, f"DNS on the controller has for the domain: {status}")
    if domain not in checked:
        return Cause(
            Code.UNKNOWN,
            "DNS answers on the controller, and AAAA was not asked",
            "Set mx_delivery_evidence: true and run diagnose again.",
        )
    if len(checked) == len(alike) >= _SEVERAL:
        return Cause(
            Code.OWN_DNS,
            f"the DNS of this host. It fails for {count(len(alike), 'domain')}, and name servers"
            " answer the controller for all of them, also AAAA",
            "Check the name servers of this host (ExternalDNSServers and the adapters). Until then"
            f" the domain can be pinned to {listed(domain.addresses)}.",
            (f"the controller asked for {listed(one.domain for one in checked)}",),
            _EXTERNAL_DNS,
            pin=domain.can_be_pinned,
        )
    return Cause(
        Code.UNKNOWN,
        "DNS answers on the controller, also AAAA",
        "Ask the name servers of this host for the domain (ExternalDNSServers and the adapters).",
    )


# -- the way out, and the other mail server


def _reply(domain: StuckDomain, _every: Every) -> Iterator[Cause]:
    """A reply of the next hop; if the mail was misrouted, that is not the domain's server."""
    reply = domain.reply
    if reply is None or any(cause.sure for cause in _search_list(domain, ())):
        return
    known = meaning(reply)
    hop = domain.next_hop("another mail server")
    if reply.origin is Origin.RELAY:
        hop = f"the relay {domain.next_hop(domain.relay)}".rstrip()
    elif reply.origin is Origin.EDGE:
        hop = f"the Edge server {domain.next_hop('')}".rstrip()
    code, remedy, pin = Code(known.code), known.remedy, False
    if code is Code.WRONG_REGION:
        pin = domain.can_be_pinned and (domain.repins or domain.by_hand or not domain.pins)
        remedy = (
            f"Its pin is out of date: {_pin(domain, first=False)}"
            if domain.pins and pin
            else "Remove its pin or static route, or wait until DNS has the new MX records."
        )
    elif code is Code.RELAY_REFUSED:
        remedy = (
            "Allow this host on the relay, or correct its credentials there."
            if reply.origin is Origin.RELAY
            else "The server does not host the domain: compare the pin or route with the MX"
            " records, and ask the postmaster there."
        )
    yield Cause(code, f"{hop} {known.clause}", remedy, pin=pin)


def _own_error(domain: StuckDomain, _every: Every) -> Iterator[Cause]:
    """What this side reports of itself."""
    error = domain.error
    if error is not None and domain.reply is None and error.error_class in OWN_ERRORS:
        known = OWN_ERRORS[error.error_class]
        proxied = error.origin is Origin.FRONT_END
        side = "the front end of your organisation" if proxied else "this host"
        clause = known.clause.format(side=side, hop=domain.next_hop())
        yield Cause(Code(known.code), clause, known.remedy)


def _connection(domain: StuckDomain, every: Every) -> Iterator[Cause]:
    """No connection, or one that broke off; the host itself reports that."""
    error = domain.error
    if error is None or not _cannot_connect(domain):
        return
    alike = sum(map(_cannot_connect, every))
    others = f"; so it is for {count(alike - 1, 'other domain')}" if alike >= _SEVERAL else ""
    if error.error_class is ErrorClass.CONNECTION_DROPPED:
        yield Cause(
            Code.DROPPED,
            f"the connection to {domain.next_hop()} broke off{others}",
            "Check firewalls that inspect SMTP or limit packets (MTU) on the way, and TLS on both"
            " sides.",
        )
        return
    how = _HOW.get(error.winsock or 0, "accepted no connection")
    where = domain.next_hop("") or ", ".join(domain.pins[:2])
    what = f"{where} {how}" if where else "this host could connect to none"
    whose = f"the relay {domain.relay}" if domain.relay else "the mail servers of the domain"
    proxy = ""
    if not domain.transport and _DAEMON.search(error.reply):
        proxy = " A proxy firewall in between may have reported this: check its log."
    yield Cause(
        Code.UNREACHABLE,
        f"this host cannot reach {whose}: {what}{others}",
        "Check whether this host reaches port 25 of any server: a firewall, or the provider, may"
        " block it."
        if others
        else "Check on this host whether port 25 there answers; if not, ask the postmaster there."
        f"{proxy}",
    )


def _cannot_connect(domain: StuckDomain) -> bool:
    """Whether it is the right servers that do not answer this host."""
    broken = {ErrorClass.NO_CONNECTION, ErrorClass.CONNECTION_DROPPED}
    if domain.error_class not in broken or domain.blocked:
        return False
    elsewhere = (_accepts_none, _search_list, _old_pin, _parent_route, _no_greeting, _dangling)
    return not any(cause.sure for rule in elsewhere for cause in rule(domain, ()))


def _cached(domain: StuckDomain, _every: Every) -> Iterator[Cause]:
    """An address that the service looked up long ago and keeps (Q285023)."""
    tried = domain.error.address if domain.error else None
    if domain.transport or domain.pins or domain.parent or not _cannot_connect(domain):
        return
    if tried is not None and domain.addresses and tried not in domain.addresses:
        yield Cause(
            Code.CACHED,
            f"the service keeps addresses until it is restarted (Q285023), and {tried} is not in"
            " DNS for the domain",
            "Restart the service MSExchangeIMC. Since 5.5.2654.52 it follows the TTL with the"
            " registry value EnableTTL.",
            sure=False,
        )


def _no_route(domain: StuckDomain, _every: Every) -> Iterator[Cause]:
    if domain.error_class is ErrorClass.NO_ROUTE:
        yield Cause(
            Code.NO_ROUTE,
            "no Send connector of the organisation carries this domain",
            "Create one for the address space *"
            + (f", or {_pin(domain, first=False)}" if domain.can_be_pinned else "."),
            pin=domain.can_be_pinned,
        )


def _several_mx(domain: StuckDomain, _every: Every) -> Iterator[Cause]:
    """The pattern of Microsoft article Q169781, which names no fault behind it."""
    if domain.transport or domain.pins or domain.parent or not _cannot_connect(domain):
        return
    if domain.mail_servers >= _SEVERAL:
        fixed = (
            f". Exchange {LAST_FIX} and later has every documented fix for several mail servers, so"
            " the other causes come first"
        )
        yield Cause(
            Code.SEVERAL_MX,
            f"it has {domain.mail_servers} mail servers, the case of Microsoft article Q169781"
            f"{fixed if has_every_fix(domain.build) else ''}",
            _pin(domain),
            sure=False,
            pin=True,
        )


def _pin(domain: StuckDomain, *, first: bool = True) -> str:
    """Return the advice to pin, as the first words of a sentence or not."""
    if not domain.can_be_pinned:
        return ""
    where = listed(domain.answering)
    if domain.by_hand:
        text = f"enter its rows by hand, because imccopy is missing: {where}."
    else:
        drop = " with mx_delivery_silent_exchanges: drop"
        text = f"pin the domain to {where}{drop if domain.answering != domain.addresses else ''}."
    return text[0].upper() + text[1:] if first else text


_RULES: tuple[Rule, ...] = (
    _service,
    _accepts_none,
    _search_list,
    _dns,
    _old_pin,
    _parent_route,
    _no_greeting,
    _dangling,
    _reply,
    _own_error,
    _connection,
    _cached,
    _no_route,
    _several_mx,
)
