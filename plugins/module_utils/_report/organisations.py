# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Send connectors of each organisation once, and who changed them. Pure.

One host of an organisation changes its connectors. Others may defer to it, also to one of another
slice of the same run; a report with both shows the state after the run.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._run.family import Refusal
from .host_result import HostResult
from .states import State
from .text import clean

Entry = dict[str, Any]
_Connector = Mapping[str, Any]

_DONE = (State.CHANGED.value, State.NOT_PROVED.value, State.UP_TO_DATE.value)
_OPEN = State.WOULD_CHANGE.value


@dataclass(slots=True)
class _Organisation:
    """What the hosts of one organisation reported; the host that changes it counts most."""

    number: int
    entry: Entry
    connectors: dict[str, Entry] = field(default_factory=dict)
    external_dns: dict[tuple[str, str], Entry] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    edges: dict[str, None] = field(default_factory=dict)  # that received the change at once

    def take(self, host: str, result: Mapping[str, Any]) -> None:
        """Add what one host reported."""
        before = {connector["name"]: connector for connector in result["connectors"]["before"]}
        after = {connector["name"]: connector for connector in result["connectors"]["after"]}
        if result.get("deferred"):  # the host that changes them reports the change
            after = before
        names = {**before, **after}
        if before == after:  # the usual case; only new names count
            names = {name: names[name] for name in names if name not in self.connectors}
        for name in names:
            entry = _connector(name, before.get(name), after.get(name))
            self.keep({**entry, "by": host if entry["action"] else None})
        for setting in _external_dns(result):
            changes = setting["before"] != setting["after"]
            self.keep_dns({**setting, "changed": changes, "by": host if changes else None})

    def keep(self, entry: Mapping[str, Any]) -> None:
        """Add a connector; the report of a change replaces one without."""
        known = self.connectors.get(entry["name"])
        if known is None or (entry["action"] and not known["action"]):
            self.connectors[entry["name"]] = dict(entry)

    def keep_dns(self, entry: Mapping[str, Any]) -> None:
        """Add a setting of external DNS; the report of a change replaces one without."""
        place = entry["kind"], entry["name"]
        known = self.external_dns.get(place)
        if known is None or (entry["changed"] and not known["changed"]):
            self.external_dns[place] = dict(entry)

    def to_dict(self) -> Entry:
        """Return it as plain data, the connectors by name."""
        names = sorted(self.connectors, key=str.casefold)
        return {
            **self.entry,
            "connectors": [self.connectors[name] for name in names],
            "external_dns": [self.external_dns[place] for place in sorted(self.external_dns)],
            "synchronized_edges": sorted(self.edges),
            "warnings": list(self.warnings),
        }


@dataclass(slots=True)
class Organisations:
    """The organisations of a report, by name and forest."""

    _known: dict[str, _Organisation] = field(default_factory=dict)

    def number(self, host: HostResult) -> int | None:
        """Add what a host reported of its organisation, and return the number of that."""
        result = host.delivery or {}
        if host.failure or "organisation" not in result or "connectors" not in result:
            return None
        name = result["organisation"]
        title = f"{name['name']} ({name['forest']})"
        one = self._known.get(title)
        if one is None:
            head = {"name": title, "domain_controller": result.get("domain_controller")}
            one = self._known[title] = _Organisation(len(self._known), {**head, "hosts": []})
        one.entry["hosts"].append(host.name)
        one.take(host.name, result)
        refused = {f"{_refusal(each)}." for each in result.get("refused") or ()}
        texts = map(str, result.get("warnings") or ())
        one.warnings.update(dict.fromkeys(text for text in texts if text not in refused))
        edges = result.get("edge_synchronization") or {}
        if edges.get("succeeded"):
            one.edges.update(dict.fromkeys(map(str, edges["servers"])))
        return one.number

    def entries(self) -> list[Entry]:
        """Return them as plain data."""
        return [one.to_dict() for one in self._known.values()]


def _refusal(refused: Mapping[str, Any]) -> str:
    """Return the text of a warning about a refused domain; it is in the host's problems, too."""
    name = str(refused.get("connector") or "")
    return Refusal(str(refused.get("reason")), str(refused["domain"]), name).text


def warn_of_subset(entries: Iterable[Mapping[str, Any]], subset: str) -> None:
    """Warn in place where a run for some hosts changes what all servers of an organisation use."""
    for entry in entries:
        number = sum(connector["action"] is not None for connector in entry["connectors"])
        if number:
            these = "This change of a Send connector is"
            if number > 1:
                these = "These changes of Send connectors are"
            entry["warnings"].append(
                f"{these} for the whole organisation, also for its servers outside of"
                f" --limit {clean(subset)}."
            )


def joined(entries: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Return each organisation once, from several reports; a reported change wins."""
    known: dict[str, _Organisation] = {}
    for entry in entries:
        one = known.get(entry["name"])
        if one is None:
            head = {key: entry[key] for key in ("name", "domain_controller")}
            one = known[entry["name"]] = _Organisation(len(known), {**head, "hosts": []})
        one.entry["hosts"].extend(entry["hosts"])
        one.warnings.update(dict.fromkeys(entry["warnings"]))
        for connector in entry["connectors"]:
            one.keep(connector)
        for setting in entry["external_dns"]:
            one.keep_dns(setting)
        one.edges.update(dict.fromkeys(entry["synchronized_edges"]))
    return [one.to_dict() for one in known.values()]


def _external_dns(result: Mapping[str, Any]) -> Iterator[Entry]:
    """Yield the settings of external DNS that one host reported; both kinds in one form."""
    managed = result.get("external_dns") or {}
    for kind in ("server", "connector"):
        for one in managed.get(f"{kind}s") or ():
            before, after = one["before"], one["after"]
            if result.get("deferred"):  # the host that changes it reports the change
                after = before
            yield {"kind": kind, "name": one["name"], "before": before, "after": after}


def _connector(name: str, before: _Connector | None, after: _Connector | None) -> Entry:
    """Return one connector; ``before`` only if it changes."""
    action = None
    if before != after:
        action = "create" if before is None else "remove" if after is None else "change"

    def facts(connector: _Connector | None) -> Entry | None:
        if connector is None:
            return None
        return {
            key: value for key, value in connector.items() if key != "name" and value is not None
        }

    spaces: Sequence[str] = (after or before or {}).get("address_spaces") or ()
    domains = [space.partition(":")[2].rpartition(";")[0] or space for space in spaces]
    entry: Entry = {"name": name, "domains": domains, "action": action}
    if action:
        entry["before"] = facts(before)
    return {**entry, "after": facts(after)}


# -- hosts that deferred


def settle(hosts: Sequence[Entry]) -> None:
    """Mark in place, on deferring hosts, the domains with connectors that another host changed.

    A host with no such domain deferred the external DNS.
    """
    for host, writers in _deferring(hosts):
        done = {
            number for one in writers for state in _DONE for number in one["domains"].get(state, ())
        }
        domains = host["domains"]
        settled = [number for number in domains.get(_OPEN, ()) if number in done]
        if not settled:
            if _defers_dns(host) and any(one["state"] in _DONE for one in writers):
                host["state"] = State.UP_TO_DATE.value
            continue
        still = [number for number in domains[_OPEN] if number not in done]
        in_place = sorted({*domains.get(State.UP_TO_DATE.value, ()), *settled})
        grouped = {**domains, _OPEN: still, State.UP_TO_DATE.value: in_place}
        host["domains"] = {one.value: grouped[one.value] for one in State if grouped.get(one)}
        if not still and host["state"] == State.WOULD_CHANGE:
            host["state"] = State.UP_TO_DATE.value


def forgotten(hosts: Sequence[Entry]) -> Iterator[tuple[Entry, list[int]]]:
    """Yield hosts with the domains (by number) that they deferred and no host was to change.

    With none of them it is the external DNS. Takes all hosts of a run, after ``settle``.
    """
    for host, writers in _deferring(hosts):
        planned = {number for one in writers for number in one["domains"].get(_OPEN, ())}
        lacking = [number for number in host["domains"].get(_OPEN, ()) if number not in planned]
        if lacking or (_defers_dns(host) and all(one["state"] != _OPEN for one in writers)):
            yield host, lacking


def _defers_dns(host: Entry) -> bool:
    """Return true if a deferring host leaves only external DNS to another host."""
    return bool(host["state"] == State.WOULD_CHANGE and not host["domains"].get(_OPEN))


def _deferring(hosts: Sequence[Entry]) -> Iterator[tuple[Entry, list[Entry]]]:
    """Yield each host that deferred, with those that may change its organisation."""
    writers: dict[int, list[Entry]] = {}
    for host in hosts:
        if host["organisation"] is not None and not host["deferred"]:
            writers.setdefault(host["organisation"], []).append(host)
    for host in hosts:
        if host["deferred"]:
            yield host, writers.get(host["organisation"], [])
