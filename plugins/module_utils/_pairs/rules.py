# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From answers to pairs: the rules for MX and addresses, pure and independent of any order.

First ``plan`` lists the exchanges to resolve, then ``decide`` makes the result of a domain from
their addresses (rules 3 to 14, 20, 23 and 24).

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from .addresses import in_order, why_not_global
from .model import (
    ROOT,
    Answer,
    AnswerKind,
    DomainResult,
    DomainSettings,
    DomainWarning,
    Failure,
    Mx,
    Pair,
    Policy,
    Question,
    Status,
    View,
)
from .names import is_address, is_below, is_host_name, shown
from .replies import smaller, smallest

# The answers for the addresses of one exchange, one for each record type asked.
Answers = tuple[Answer, ...]

_NULL_MX = (Mx(0, ROOT),)
#: Exchanges with a cached check of their name: those that many domains share.
_KEPT = 1024
#: Addresses that are good for so many seconds at most may be others at the next answer.
SHORT_LIFE = 60
#: Zones with hosts that change their addresses all the time, and differ by region.
_MOVING_ZONES = ("mail.protection.outlook.com",)

#: The warnings about a domain by their stable codes, each with its sentence for the facts.
WARNINGS = {
    "null_mx_ignored": (
        'the MX "{preference} ." was left out: it is a null MX only alone and with preference 0'
    ),
    "mx_is_address": (
        "the MX {exchange!r} is an address where a host name belongs; it was left out"
    ),
    "mx_is_no_host": "the MX {exchange!r} is not a valid host name; it was left out",
    "mx_is_cname": (
        "the MX host {exchange} is an alias of {target!r}, which violates RFC 2181; some senders"
        " rewrite the recipient because of this (Q153001)"
    ),
    "own_exchange": (
        "the MX host {exchange} ({because}) is our own; MX hosts with preference {preference} or"
        " higher were left out ({dropped} in total) to prevent a mail loop"
    ),
    "exchange_without_address": "the MX host {exchange} {reason} in DNS; it was left out",
    "address_not_global": "the address {address} of {exchange} is {reason}; it was left out{help}",
    "max_pairs": "{found} pairs were found; max_pairs keeps the best {kept}",
    "alias_to_nowhere": "the domain is an alias of {target!r}, which does not exist",
    "dead_exchange": (
        "the MX host {exchange}{best} was left out, because two lookups of its addresses failed"
        " ({reason}); its mail goes to the other MX hosts"
    ),
    "moving": (
        "the addresses change from answer to answer ({reason}). {consequence}; consider external"
        " DNS servers in Exchange instead of pins"
    ),
    "search_list_hijack": (
        "{name} has an answer ({answer}): a server that still appends {suffix} sends mail for this"
        " domain there (Q150969)"
    ),
    "aaaa_trouble": (
        "the AAAA lookup of {name} ends in {kind} at {nameserver}, although the name exists:"
        ' a known cause of "451 4.4.0 DNS query failed" (KB972744)'
    ),
    "denied": (
        "{nameserver} denies that {name} exists, but {witness} confirms it; until they agree, the"
        " addresses are unknown and existing pins stay"
    ),
    "own_host_without_address": (
        "own_addresses contains the host {name}, which has no address in DNS; MX hosts are compared"
        " with its name only"
    ),
}
# Facts that are in the sentence only.
_UNTOLD = frozenset({"help", "best", "consequence"})


def warning(code: str, **facts: str | int) -> DomainWarning:
    """Return the warning of a code with its sentence; names from answers are quoted and cut."""
    texts = {name: _Shown(x) if isinstance(x, str) else x for name, x in facts.items()}
    kept = tuple((name, x) for name, x in facts.items() if name not in _UNTOLD)
    return DomainWarning(code, WARNINGS[code].format(**texts), kept)


class _Shown(str):
    """Text from outside; ``!r`` in a sentence quotes, escapes, and cuts it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return shown(str(self))


class Plan(NamedTuple):
    """What the MX answer of a domain leads to.

    ``exchanges`` are those to resolve, best first; ``status`` is set if it follows without any
    address.
    """

    domain: str
    answer: Answer
    exchanges: tuple[Mx, ...] = ()
    implicit: bool = False
    status: Status | None = None
    warnings: tuple[DomainWarning, ...] = ()


class Located(NamedTuple):
    """The outcome of the answers for one exchange, independent of the domains it serves.

    ``addresses`` are in the order of rule 3, each with its time to live, the reason why it is not
    global, if there is one, and whether no host can have it; ``alias`` is the name that the
    exchange really has.
    """

    answers: Answers
    questions: tuple[Question, ...]
    addresses: tuple[tuple[str, int | None, str, bool], ...]
    alias: str
    ttl: int | None
    failures: tuple[Failure, ...]


def locate(answers: Answers) -> Located:
    """Return the outcome of the answers for the addresses of one exchange."""
    ttls = {text: answer.ttl for answer in answers for text in answer.texts}
    return Located(
        answers,
        tuple([answer.question for answer in answers]),
        tuple([(text, ttls[text], *why_not_global(text)) for text in in_order(ttls)]),
        next((answer.chain[-1] for answer in answers if answer.chain), ""),
        smallest([answer.ttl for answer in answers]),
        tuple([failure for answer in answers for failure in answer.failures]),
    )


def plan(domain: str, answer: Answer, policy: Policy) -> Plan:
    """Return which addresses are needed, given the answer to the MX question of a domain."""
    if not answer.kind.definite:
        return Plan(domain, answer, status=Status.TEMPORARY_FAILURE)
    if answer.kind is AnswerKind.NO_SUCH_NAME:
        lost = (warning("alias_to_nowhere", target=answer.chain[-1]),) if answer.chain else ()
        return Plan(domain, answer, status=Status.NO_SUCH_DOMAIN, warnings=lost)
    if answer.mx == _NULL_MX:
        return Plan(domain, answer, status=Status.NULL_MX)
    implicit = answer.kind is AnswerKind.NO_DATA
    usable = [Mx(0, domain)] if implicit else []
    warnings = []
    for mx in () if implicit else sorted(answer.mx):
        if code := _why_no_host(mx.exchange):
            named = {} if mx.exchange == ROOT else {"exchange": mx.exchange}
            warnings.append(warning(code, preference=mx.preference, **named))
        else:
            usable.append(mx)
    own = None
    if policy.own_names:
        own = next((mx for mx in usable if mx.exchange in policy.own_names), None)
    kept = usable
    if own is not None:
        kept = [mx for mx in usable if mx.preference < own.preference]
        warnings.append(_own_exchange(own, "own name", len(usable) - len(kept)))
    status = None if kept else Status.NO_ADDRESS if own is None else Status.LOOP
    return Plan(domain, answer, tuple(kept), implicit, status, tuple(warnings))


@lru_cache(_KEPT)
def _why_no_host(exchange: str) -> str:
    """Return the code of the warning why an exchange can be no host; empty if it can be one."""
    if exchange == ROOT:
        return "null_mx_ignored"
    if is_address(exchange):
        return "mx_is_address"
    return "" if is_host_name(exchange) else "mx_is_no_host"


def _own_exchange(mx: Mx, because: str, dropped: int) -> DomainWarning:
    return warning("own_exchange", **mx._asdict(), because=because, dropped=dropped)


def decide(
    planned: Plan,
    located: Mapping[str, Located],
    policy: Policy,
    settings: DomainSettings,
    dead: Mapping[str, str] | None = None,
) -> DomainResult:
    """Return what is known about a domain; ``located`` has each of its exchanges.

    ``dead`` are exchanges to be left out, because their addresses fail for good, with the reason.
    """
    if planned.status is not None:
        return _without_pairs(planned, planned.status)
    kept, warnings = _without_own(planned.exchanges, located, policy)
    if not kept:
        return _without_pairs(planned, Status.LOOP, warnings)
    if dead:
        for mx in kept:
            if mx.exchange in dead:
                best = ", the best of the domain," if mx == kept[0] else ""
                facts = {**mx._asdict(), "reason": dead[mx.exchange]}
                warnings.append(warning("dead_exchange", **facts, best=best))
        kept = tuple([mx for mx in kept if mx.exchange not in dead])
    found = [located[mx.exchange] for mx in kept]
    failures = [failure for host in found for failure in host.failures]
    if failures or policy.own_unknown:
        failures += policy.own_unknown
        return _without_pairs(planned, Status.TEMPORARY_FAILURE, warnings, failures)
    best_pairs = _best(planned, zip(kept, found, strict=True), settings, warnings)
    if dead and not best_pairs:
        failures = [failure for host in dead for failure in located[host].failures]
        return _without_pairs(planned, Status.TEMPORARY_FAILURE, (), failures)
    if policy.max_pairs and len(best_pairs) > policy.max_pairs:
        warnings.append(warning("max_pairs", found=len(best_pairs), kept=policy.max_pairs))
        best_pairs = best_pairs[: policy.max_pairs]
    lives = [ttl for host in found for _text, ttl, _why, _never in host.addresses]
    return DomainResult(
        planned.domain,
        Status.OK if best_pairs else Status.NO_ADDRESS,
        pairs=tuple(best_pairs),
        implicit_mx=planned.implicit and bool(best_pairs),
        ttl=smallest([planned.answer.ttl, *[host.ttl for host in found]]),
        warnings=(*planned.warnings, *warnings),
        short_lived=any(ttl is not None and ttl <= SHORT_LIFE for ttl in lives),
    )


def _without_pairs(
    planned: Plan,
    status: Status,
    warnings: Iterable[DomainWarning] = (),
    failures: Iterable[Failure] = (),
) -> DomainResult:
    known = status is not Status.TEMPORARY_FAILURE
    return DomainResult(
        planned.domain,
        status,
        ttl=planned.answer.ttl if known else None,
        warnings=(*planned.warnings, *warnings),
        failures=(*planned.answer.failures, *failures),
    )


def _without_own(
    exchanges: tuple[Mx, ...], located: Mapping[str, Located], policy: Policy
) -> tuple[tuple[Mx, ...], list[DomainWarning]]:
    """Drop our own hosts, and all hosts without a better preference than these (rule 8)."""
    if not policy.own_names and not policy.own_networks.ranges:
        return exchanges, []
    for own in exchanges:
        answers = located[own.exchange].answers
        names = {own.exchange, *(name for answer in answers for name in answer.chain)}
        ours = [f"own name {name}" for name in sorted(names & policy.own_names)]
        if policy.own_networks.ranges:
            texts = (text for answer in answers for text in answer.texts)
            ours += [f"own address {text}" for text in texts if text in policy.own_networks]
        if ours:
            kept = tuple([mx for mx in exchanges if mx.preference < own.preference])
            return kept, [_own_exchange(own, ours[0], len(exchanges) - len(kept))]
    return exchanges, []


def _best(
    planned: Plan,
    located: Iterable[tuple[Mx, Located]],
    settings: DomainSettings,
    warnings: list[DomainWarning],
) -> list[Pair]:
    """Return the pairs, each address at its best preference only (rules 3 and 12).

    Exchanges come best first, so the first pair of an address is it. What is wrong with an exchange
    is added to ``warnings``.
    """
    best: dict[str, Pair] = {}
    for mx, host in located:
        if host.alias and not planned.implicit:
            warnings.append(warning("mx_is_cname", **mx._asdict(), target=host.alias))
        if not host.addresses:
            missing = any(answer.kind is AnswerKind.NO_SUCH_NAME for answer in host.answers)
            reason = "does not exist" if missing else "has no address"
            warnings.append(warning("exchange_without_address", **mx._asdict(), reason=reason))
        for text, ttl, reason, never in host.addresses:
            if reason and (never or not settings.allow_private):
                facts = {**mx._asdict(), "address": text, "reason": reason}
                hint = "" if never else " (allow_private keeps it)"
                warnings.append(warning("address_not_global", **facts, help=hint))
            elif text not in best:
                least = smaller(planned.answer.ttl, ttl)
                best[text] = Pair(mx.preference, mx.exchange, text, least)
    return list(best.values())


def moving_by_name(planned: Plan) -> str:
    """Return the zone for which exchanges count as moving whatever they answer, or nothing."""
    return next(
        (z for mx in planned.exchanges for z in _MOVING_ZONES if is_below(mx.exchange, z)), ""
    )


def moving(result: DomainResult, settings: DomainSettings, reason: str) -> DomainResult:
    """Return the result for a domain with moving addresses, with a warning (rule 23)."""
    if settings.moving == "pin":
        told = warning("moving", reason=reason, consequence="They are pinned as seen")
        return result._replace(warnings=(*result.warnings, told), short_lived=True)
    told = warning("moving", reason=reason, consequence="No pin is created and existing pins stay")
    return result._replace(
        status=Status.MOVING,
        pairs=(),
        implicit_mx=False,
        warnings=(*result.warnings, told),
        short_lived=False,
    )


def agreed(views: Collection[tuple[str, DomainResult]]) -> DomainResult:
    """Return the common result of several name servers from the result of each (rule 16).

    Times to live may differ between them: the smallest counts.
    """
    given = tuple(View(server, result.status, result.pairs) for server, result in views)
    results = [result for _server, result in views]
    known = [result for result in results if result.status is not Status.TEMPORARY_FAILURE]
    status = results[0].status
    said = {(x.status, tuple(pair[:3] for pair in x.pairs)) for x in known}
    if len(said) > 1:
        status = Status.DISAGREEMENT
    elif len(known) < len(results):
        status = Status.TEMPORARY_FAILURE
    if status in (Status.DISAGREEMENT, Status.TEMPORARY_FAILURE):
        return DomainResult(
            results[0].domain,
            status,
            warnings=tuple(dict.fromkeys(x for result in results for x in result.warnings)),
            failures=tuple(failure for result in results for failure in result.failures),
            views=given,
        )
    return results[0]._replace(
        pairs=tuple(
            same[0]._replace(ttl=smallest(pair.ttl for pair in same))
            for same in zip(*(result.pairs for result in results), strict=True)
        ),
        ttl=smallest(result.ttl for result in results),
        views=given,
        unconfirmed=results[0].unconfirmed and len(results) == 1,
    )
