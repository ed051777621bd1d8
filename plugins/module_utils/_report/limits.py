# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stops a run over many hosts: too many changes, or a batch with a failure. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._base.errors import InvalidInput
from .._run.change_limit import ChangeLimit, Size
from .._run.changed_domains import came_to_nothing, differs, worth_testing
from .host_result import NOT_CHECKED, HostResult, limit_of, undelivered
from .states import State
from .text import count, failure_of, listed

_SHARE = re.compile(r"[1-9]\d{0,5}%?\Z", re.ASCII)
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a run reaches: the hosts that differ, and the domains that get a new way out of one.

    ``would_refuse`` is why a limit stops it before the first change, or empty.
    """

    changing: tuple[str, ...]
    domains: tuple[str, ...]
    would_refuse: str


def extent(
    hosts: Sequence[HostResult],
    pinned: Collection[str],
    limit: ChangeLimit,
    removals: ChangeLimit | None = None,
) -> Extent:
    """Return how far a run reaches, from a comparison of its hosts.

    ``pinned`` are the domains with addresses, ``limit`` is how many of the hosts may change, and
    ``removals`` how many missing domains may lose their pins on all hosts together. A
    change that a single host's limit refuses stops the run, too, unless ``limit`` is forced. Hosts
    of one organisation report its connectors alike, so that they count as one, and so does their
    refusal.
    """
    plans = {host.name: host.compared or host.delivery or {} for host in hosts}
    plans = {name: {} if came_to_nothing(plan) else plan for name, plan in plans.items()}
    changing = tuple(name for name, plan in plans.items() if differs(plan))
    domains: dict[str, None] = {}
    refusals: dict[str, str] = {}
    for host in hosts:
        plan = plans[host.name]
        here = [domain for domain in host.domains if domain in pinned]
        domains.update(dict.fromkeys(sorted(worth_testing(plan, here))))
        if plan.get("would_refuse") and (refused := limit_of({**plan})):
            refusals.setdefault(refused["text"], host.name)
    owners = {name: _owner(name, plan.get("organisation")) for name, plan in plans.items()}
    size = _size(owners, changing)
    reasons = [too_many(limit, size)] if limit.refuses(size) else []
    going = dict.fromkeys(name for x in plans.values() for name in x.get("removed_domains") or ())
    gone = Size("missing domains", len(going), len(going), tuple(going))
    if removals and not removals.percent and removals.refuses(gone) and not refusals:
        reasons.append(
            f"{count(len(going), 'missing domain')} would be removed;"
            f" mx_delivery_max_removed_domains allows {removals.limit}: {listed(list(going))}"
        )
    if not limit.force:
        texts = [f"{name}: {text}" for text, name in refusals.items()]
        reasons += texts[:_MOST_NAMED]
        if (more := len(texts) - _MOST_NAMED) > 0:
            reasons.append(f"and the same for {count(more, 'more host')}")
    return Extent(changing, tuple(domains), "; ".join(reasons))


def _owner(name: str, organisation: Mapping[str, Any] | None) -> str:
    """Return what a host changes: its organisation, or itself."""
    return f"{organisation['name']} ({organisation['forest']})" if organisation else name


def _size(owners: Mapping[str, str], changing: Sequence[str]) -> Size:
    """Return how many hosts and organisations change; ``owners`` has that of each host."""
    changed = tuple(dict.fromkeys(owners[name] for name in changing))
    every = dict.fromkeys(owners.values())
    noun = "hosts" if len(every) == len(owners) else "hosts and organisations"
    return Size(noun, len(changed), len(every), changed)


def too_many(limit: ChangeLimit, size: Size) -> str:
    """Return by how much a run over many hosts would change too much."""
    share = f" ({100 * size.changed // size.total} %)" if limit.percent else ""
    things = count(size.total, "host") if size.noun == "hosts" else f"{size.total} {size.noun}"
    return (
        f"{size.changed} of {things} would change{share};"
        f" mx_delivery_max_changed_hosts allows {limit.limit}: {listed(size.domains)}"
    )


def too_far(document: Mapping[str, Any], limit: ChangeLimit) -> str:
    """Return why a run must not change what a report found pending, or nothing."""
    hosts = document["hosts"]
    changing = tuple(host["name"] for host in hosts if host["state"] == State.WOULD_CHANGE)
    organisations = document["organisations"]

    def owner(host: Mapping[str, Any]) -> str:
        number = host["organisation"]
        return str(host["name"] if number is None else organisations[number]["name"])

    size = _size({host["name"]: owner(host) for host in hosts}, changing)
    return too_many(limit, size) if limit.refuses(size) else ""


def gate(hosts: Sequence[HostResult]) -> str:
    """Return why the next batch must not start after one with these hosts, or nothing."""
    texts = []
    for host in hosts:
        failure = host.failure if host.failure != NOT_CHECKED else ""
        failure = failure or failure_of(host.tests).removeprefix(f"{host.name}: ")
        if failure:
            texts.append(f"{host.name}: {failure.partition('. ')[0].rstrip('.')}")
        else:
            texts += [f"{host.name}: {sentence}" for sentence in undelivered(host.tests or {})]
    more = len(texts) - _MOST_NAMED
    return "; ".join(texts[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def batches(serial: Any) -> list[str]:
    """Return the sizes of batches, as ``serial`` of a play takes them: ``1``, ``10%``, ``100%``.

    They are given as a list, or as text with commas. The last one holds for all further batches;
    without any, all hosts are one batch. Raises InvalidInput.
    """
    given = serial if isinstance(serial, Sequence) and not isinstance(serial, str) else [serial]
    sizes = [part.strip() for each in given for part in str(each).split(",")]
    sizes = [size for size in sizes if size]
    wrong = next((size for size in sizes if not _SHARE.match(size)), None)
    if wrong is not None:
        raise InvalidInput(
            f"{wrong!a:.80} is not a batch size.",
            hint="Give numbers or per cent of the hosts, as in [1, 10%, 100%].",
        )
    return sizes
