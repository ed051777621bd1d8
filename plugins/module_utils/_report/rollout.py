# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stops a run over many hosts: too many of them to change, or a batch that did not pass. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._base.errors import InvalidInput
from .._run.change_limit import ChangeLimit, Size
from .._run.changed_domains import came_to_nothing, differs, worth_testing
from .judgement import ARRIVED, failure_of, said
from .text import count, listed

_SHARE = re.compile(r"[1-9]\d{0,5}%?\Z", re.ASCII)
_MOST_HOSTS = 3


@dataclass(frozen=True, slots=True)
class Look:
    """What imc_delivery or transport_delivery found on a host in check mode.

    ``found`` is None where neither ran; ``pinned`` are the host's domains that have pairs.
    """

    name: str
    found: Mapping[str, Any] | None
    pinned: Sequence[str] = ()

    @property
    def told(self) -> Mapping[str, Any]:
        """What was found, or nothing where the look failed or left the host out."""
        found = self.found or {}
        return {} if came_to_nothing(found) else found


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a run reaches: the hosts it changes, and the domains whose way it changes anywhere.

    ``would_refuse`` is why a brake stops it before the first change, or empty.
    """

    changing: tuple[str, ...]
    domains: tuple[str, ...]
    would_refuse: str


def extent(looks: Sequence[Look], brake: ChangeLimit) -> Extent:
    """Return how far a run reaches; ``brake`` is how many of the hosts it may change.

    A host also changes if the connectors of its organisation do. What a brake of a single host
    refuses stops the run as well, unless ``brake`` is forced.
    """
    changing = tuple(look.name for look in looks if differs(look.told))
    domains = dict.fromkeys(
        domain for look in looks for domain in sorted(worth_testing(look.told, look.pinned))
    )
    size = Size("hosts", len(changing), len(looks), changing)
    reasons = [too_many(brake, size)] if brake.refuses(size) else []
    if not brake.force:
        reasons += _refused_hosts(looks)
    return Extent(changing, tuple(domains), "; ".join(reasons))


def too_many(brake: ChangeLimit, size: Size) -> str:
    """Say by how much a run over many hosts would reach too far."""
    share = f" ({100 * size.changed // size.total} %)" if brake.percent else ""
    verb = "host would change" if size.changed == 1 else "hosts would change"
    return (
        f"{size.changed} of {size.total} {verb}{share}, more than mx_delivery_max_changed_hosts"
        f" ({brake.limit}) allows: {listed(size.domains)}"
    )


def _refused_hosts(looks: Iterable[Look]) -> list[str]:
    """Say what the brakes of single hosts refuse; an organisation says it by its first host."""
    reasons: dict[str, str] = {}
    for look in looks:
        if look.told.get("would_refuse"):
            reasons.setdefault(str(look.told["change_limit"]["text"]), look.name)
    lines = [f"{name}: {text}" for text, name in reasons.items()]
    more = len(lines) - _MOST_HOSTS
    return lines[:_MOST_HOSTS] + (
        [f"and the same of {count(more, 'host')} more"] if more > 0 else []
    )


def trouble(results: Mapping[str, Sequence[Mapping[str, Any] | None]]) -> str:
    """Return why the next batch must not start, or nothing.

    ``results`` has the results of the tasks of each host of a batch, by its name, in their order.
    """
    found = [f"{name}: {text}" for name, each in results.items() for text in _troubles(name, each)]
    more = len(found) - _MOST_HOSTS
    return "; ".join(found[:_MOST_HOSTS]) + (f" and {more} more" if more > 0 else "")


def _troubles(name: str, results: Sequence[Mapping[str, Any] | None]) -> Iterator[str]:
    for result in results:
        if result is None:
            continue
        if failure := failure_of(result, "failed without a word"):
            yield failure.removeprefix(f"{name}: ").partition(". ")[0].rstrip(".")
            return
        for one in result.get("results") or ():
            if one["verdict"] not in ARRIVED:
                why = said(one.get("error") or {}) or one.get("reason")
                yield f"test to {one['domain']} {one['verdict']}" + (f" ({why})" if why else "")


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
            f"{wrong!a:.80} is no size of a batch.",
            hint="Give numbers or per cent of the hosts, as in [1, 10%, 100%].",
        )
    return sizes
