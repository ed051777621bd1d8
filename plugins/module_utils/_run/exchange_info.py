# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Exchange a host runs, and what can be done about its mail.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from .._base.context import Context, EngineModule
from .._connectors.exchange_info import Windows, transport_facts
from .._connectors.servers import NO_SERVERS, SETUP_KEYS, KnownServers, installed_build
from .._imc.exchange_info import imc_facts
from .._imc.host import EVERYTHING, UNKNOWN_HOST, ImcHost, facts_batch, gather_host, read_facts
from .._mail.submission import greeting
from .._remote.commands import computer_name, reg_query, usable
from .._remote.exchange_facts import ExchangeFacts, Family
from .._remote.parse import parse_reg_query, values_of
from .._remote.psrp import connect
from .._remote.session import Session
from .._remote.windows_resolver import add_resolver, resolver_from
from .options import EXCHANGE_INFO_SPEC

_TIMEOUT, _BANNER_SECONDS = 60.0, 5.0


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result; a host without Exchange is an answer, not a failure."""
    computer, port = params.get("target_computer") or "", params.get("smtp_port")
    host = params.get("smtp_host") or computer or context.address or context.host
    facts = exchange_facts(
        context,
        family=params.get("family") or "auto",
        computer=computer,
        basics=params.get("gather") == "basics",
        banner=partial(greeting, host, port, _BANNER_SECONDS) if port else str,
    )
    return {**facts.to_dict(), "clock_difference": clock_difference(context)}


def clock_difference(context: Context) -> int | None:
    """Return by how many seconds the host's clock is ahead of ours; None where it is not known."""
    host_time = context.session.host_time if context.session is not None else None
    return None if host_time is None else round((host_time - context.now()).total_seconds())


def exchange_facts(
    context: Context,
    *,
    family: str = "auto",
    computer: str = "",
    basics: bool = False,
    banner: Callable[[], str] = str,
) -> ExchangeFacts:
    """Return what a host runs; ``family`` is looked for where it is ``auto``.

    ``banner`` asks an Internet Mail Connector for its greeting.

    Raises ExchangeError where the host does not answer.
    """
    windows = None
    if family != Family.TRANSPORT:
        session = context.need_session()
        if family == Family.IMC:
            host = gather_host(session, computer)
        else:
            host, windows = detect(session, computer)
        if windows is None:
            facts = imc_facts(session, host, basics=basics, banner=banner)
            context.learned.keep(replace(host, pickup=facts.pickup if host.root_dir else None))
            return facts
    facts = transport_facts(context, computer=computer, basics=basics, windows=windows)
    context.learned.keep(known_servers(facts))
    return facts


def detect(session: Session, computer: str) -> tuple[ImcHost, Windows | None]:
    """Read a host of either kind: also what Setup of Exchange 2010 and later leaves there."""
    batch = facts_batch(computer, (name for name in EVERYTHING if name != "network"))
    add_resolver(batch, computer)
    where = computer_name(computer) if computer else None
    names = {f"setup{number}": key for number, key in enumerate(SETUP_KEYS)}
    for name, key in names.items():
        batch.add(name, reg_query(key, computer=where))
    sections = batch.run(session, timeout=_TIMEOUT)
    builds = (
        installed_build(values_of(parse_reg_query(sections[name].output), key))
        for name, key in names.items()
        if sections[name].ok
    )
    build = next(filter(None, builds), None)
    windows = Windows(build, resolver_from(sections)) if build else None
    return read_facts(session.host, computer, sections), windows


def with_family(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Return the options with the family of the host, which is looked for where it is ``auto``.

    A host without Exchange counts as one of the Internet Mail Connector; its engine reports what is
    missing. Raises ExchangeError where the host does not answer.
    """
    if params.get("family") != "auto":
        return params
    if context.learned.of(ImcHost, UNKNOWN_HOST) is not UNKNOWN_HOST:
        return {**params, "family": Family.IMC.value}
    if context.no_session is not None and params.get("endpoint"):  # all that is known of the host
        return {**params, "family": Family.TRANSPORT.value}
    host, windows = detect(context.need_session(), params.get("target_computer") or "")
    if windows is None:
        context.learned.keep(host)
    return {**params, "family": (Family.TRANSPORT if windows else Family.IMC).value}


def known_servers(facts: ExchangeFacts) -> KnownServers:
    """Return the servers that transport mail, where a cmdlet can carry all their names."""
    names = [usable(str(one["name"]), computer_name) for one in facts.servers if one["transport"]]
    if not all(names):
        return NO_SERVERS
    here = next((one for one in facts.servers if one["name"] == facts.server), None)
    version = str((here or {}).get("version") or "")
    edges = (
        usable(str(one["name"]), computer_name)
        for one in facts.servers
        if "edge" in str(one["roles"]).casefold()
    )
    server = usable(facts.server or "", computer_name)
    return KnownServers(tuple(names), server, version, tuple(filter(None, edges)))


MODULE = EngineModule(EXCHANGE_INFO_SPEC, run, connects=connect)
