# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins without a cause in an audit, each with the evidence. Pure.

Only answers count: a domain without a lookup of AAAA, or a host with an unknown search list, is
never named.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .states import State
from .text import listed

_Entry = Mapping[str, Any]

_AAAA = (
    "Name servers answer AAAA for them and their mail servers, as asked from the controller, and no"
    " search list misroutes them."
)
_EXTERNAL = "Exchange asks external DNS servers, which need no pins."
_ONE_SERVER = "DNS has one address for each, and the search list {}."


def needless(document: _Entry) -> Iterator[str]:
    """Yield sentences about pins that may no longer be needed; nothing but for an audit."""
    if document["run"]["kind"] != "audit":
        return
    for organisation in document["organisations"]:
        yield from _of_organisation(organisation, document["domains"])
    hosts: dict[tuple[str, str], list[str]] = {}
    for host in document["hosts"]:
        if host["family"] == "imc" and (found := _of_host(host, document["domains"])):
            hosts.setdefault(found, []).append(host["name"])
    for (names, why), where in hosts.items():
        yield _sentence(names, listed(where), why)


def _sentence(names: str, where: str, why: str) -> str:
    return f"{names}: an audit finds no cause for the pin on {where}. {why}"


def _of_organisation(organisation: _Entry, domains: list[_Entry]) -> Iterator[str]:
    known = {domain["name"]: domain for domain in domains}
    pinned = [
        name
        for connector in organisation["connectors"]
        if connector["action"] is None
        for name in connector["domains"]
    ]
    if pinned and _asks_external_dns(organisation["external_dns"]):
        yield _sentence(listed(pinned), organisation["name"], _EXTERNAL)
    elif names := [name for name in pinned if _answers_aaaa(known.get(name, {}))]:
        yield _sentence(listed(names), organisation["name"], _AAAA)


def _asks_external_dns(settings: list[_Entry]) -> bool:
    """Whether all servers have external name servers, and a connector uses them."""
    servers = [one["after"] for one in settings if not isinstance(one["after"], bool)]
    asked = [one["servers"] and not one["adapter_enabled"] for one in servers]
    return bool(servers) and all(asked) and any(one["after"] is True for one in settings)


def _answers_aaaa(domain: _Entry) -> bool:
    evidence = domain.get("evidence")
    if domain.get("status") != "ok" or evidence is None or evidence.get("aaaa_not_asked"):
        return False
    codes = {warning["code"] for warning in domain.get("warnings", ())}
    return codes.isdisjoint({"aaaa_trouble", "search_list_hijack"})


def _of_host(host: _Entry, domains: list[_Entry]) -> tuple[str, str] | None:
    """Return the pins of a host of Exchange 4.0 to 5.5 without a cause, and the evidence.

    Several addresses are a cause: these versions may not go on to the next one (Q169781, Q182821).
    """
    search_list = host["search_list"]
    if not search_list:
        return None
    off = search_list["disabled"] is True
    if not (off or search_list["suffixes"]):
        return None
    names = [
        domain["name"]
        for domain in (domains[n] for n in host["domains"].get(State.UP_TO_DATE.value, ()))
        if domain["status"] == "ok" and len(domain["pairs"]) == 1
        if off or not _hijacked(domain, search_list["suffixes"])
    ]
    if not names:
        return None
    return listed(names), _ONE_SERVER.format("is off" if off else "does not misroute them")


def _hijacked(domain: _Entry, suffixes: list[str]) -> bool:
    """Return true if a suffix misroutes the domain, or if this is unknown."""
    return any(
        warning["code"] == "search_list_hijack" and warning.get("suffix") in suffixes
        for warning in domain.get("warnings", ())
    )
