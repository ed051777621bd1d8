# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Send connectors of each organisation, once, whatever the number of its hosts. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._run.changed_domains import deferred
from .outcome import HostOutcome

_Connector = Mapping[str, Any]


@dataclass(slots=True)
class _Organisation:
    """What the hosts of one organisation told about it; what a host changes it knows best."""

    number: int
    entry: dict[str, Any]
    connectors: dict[str, dict[str, Any]] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class Organisations:
    """The organisations of a report, by name and forest."""

    _known: dict[str, _Organisation] = field(default_factory=dict)

    def number(self, host: HostOutcome) -> int | None:
        """Take in what a host tells of its organisation, and return the number of that."""
        result = host.enforced or {}
        if host.failure or "organisation" not in result or "connectors" not in result:
            return None
        told = result["organisation"]
        title = f"{told['name']} ({told['forest']})"
        one = self._known.get(title)
        if one is None:
            one = self._known[title] = _Organisation(len(self._known), _head(title, result))
        one.entry["hosts"].append(host.name)
        _take_connectors(one, host.name, result)
        one.warnings.update(dict.fromkeys(str(text) for text in result.get("warnings") or ()))
        return one.number

    def entries(self) -> list[dict[str, Any]]:
        """Return them as plain data."""
        return [_plain(one) for one in self._known.values()]


def joined(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each organisation once, from what several reports say of it.

    A connector is as the report says in which something becomes of it.
    """
    found: dict[str, _Organisation] = {}
    for entry in entries:
        one = found.get(entry["name"])
        if one is None:
            head = {key: entry[key] for key in ("name", "domain_controller")}
            one = found[entry["name"]] = _Organisation(len(found), {**head, "hosts": []})
        one.entry["hosts"].extend(entry["hosts"])
        one.warnings.update(dict.fromkeys(entry["warnings"]))
        for connector in entry["connectors"]:
            known = one.connectors.get(connector["name"])
            if known is None or (connector["action"] and not known["action"]):
                one.connectors[connector["name"]] = dict(connector)
    return [_plain(one) for one in found.values()]


def _plain(one: _Organisation) -> dict[str, Any]:
    """Return it as plain data, the connectors by name."""
    names = sorted(one.connectors, key=str.casefold)
    return {
        **one.entry,
        "connectors": [one.connectors[name] for name in names],
        "warnings": list(one.warnings),
    }


def _head(title: str, result: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": title, "domain_controller": result.get("domain_controller"), "hosts": []}


def _take_connectors(one: _Organisation, host: str, result: Mapping[str, Any]) -> None:
    before = {connector["name"]: connector for connector in result["connectors"]["before"]}
    after = {connector["name"]: connector for connector in result["connectors"]["after"]}
    if deferred(result):  # whoever changes them says what becomes of them
        after = before
    names = {**before, **after}
    if before == after:  # as of all hosts but the one that changes them: only what is new counts
        names = {name: names[name] for name in names if name not in one.connectors}
    for name in names:
        entry = _connector(name, before.get(name), after.get(name))
        known = one.connectors.get(name)
        if known is None or (entry["action"] and not known["action"]):
            one.connectors[name] = {**entry, "by": host if entry["action"] else None}


def _connector(name: str, before: _Connector | None, after: _Connector | None) -> dict[str, Any]:
    """Return one connector; how it was before only where that is not how it is now."""
    action = None
    if before != after:
        action = "create" if before is None else "remove" if after is None else "change"
    domains = connector_domains(after or before or {})
    entry: dict[str, Any] = {"name": name, "domains": domains, "action": action}
    if action:
        entry["before"] = before and _facts(before)
    return {**entry, "after": after and _facts(after)}


def _facts(connector: _Connector) -> dict[str, Any]:
    return {key: value for key, value in connector.items() if key != "name" and value is not None}


def connector_domains(connector: _Connector) -> list[str]:
    """Return the domains in address spaces such as ``SMTP:nestle.com;1``."""
    spaces: Sequence[str] = connector.get("address_spaces") or ()
    return [space.partition(":")[2].rpartition(";")[0] or space for space in spaces]
