# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts deferred to another one, which may belong to another slice of the same run. Pure.

Send connectors are the organisation's, so one of its hosts is to change them. The others only look,
and what they find depends on whether that one was there before them. A report that knows both says
of them what is so after the run.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .judgement import Outcome
from .outcome import Standing

Entry = dict[str, Any]

_DONE = (Standing.CHANGED.value, Standing.IN_PLACE.value)
_OPEN = Standing.DRIFTED.value


def settle(hosts: Sequence[Entry]) -> None:
    """Set in place, on hosts that deferred, what the one that changes their organisation did."""
    for host, writers in _deferring(hosts):
        done = {
            number for one in writers for how in _DONE for number in one["standing"].get(how, ())
        }
        standing = host["standing"]
        settled = [number for number in standing.get(_OPEN, ()) if number in done]
        if not settled:
            continue
        still = [number for number in standing[_OPEN] if number not in done]
        grouped = {
            **standing,
            _OPEN: still,
            Standing.IN_PLACE.value: sorted({*standing.get(Standing.IN_PLACE.value, ()), *settled}),
        }
        host["standing"] = {one.value: grouped[one.value] for one in Standing if grouped.get(one)}
        if not still and host["outcome"] == Outcome.TO_CHANGE:
            host["outcome"] = Outcome.IN_PLACE.value


def forgotten(hosts: Sequence[Entry]) -> Iterator[tuple[Entry, list[int]]]:
    """Yield hosts with the numbers of domains that they deferred, and that no host was to change.

    To be asked of all hosts of a run, after ``settle``.
    """
    for host, writers in _deferring(hosts):
        seen = {number for one in writers for number in one["standing"].get(_OPEN, ())}
        lacking = [number for number in host["standing"].get(_OPEN, ()) if number not in seen]
        if lacking:
            yield host, lacking


def _deferring(hosts: Sequence[Entry]) -> Iterator[tuple[Entry, list[Entry]]]:
    """Yield each host that deferred, with those that may change its organisation."""
    writers: dict[int, list[Entry]] = {}
    for host in hosts:
        if host["organisation"] is not None and not host["deferred"]:
            writers.setdefault(host["organisation"], []).append(host)
    for host in hosts:
        if host["deferred"]:
            yield host, writers.get(host["organisation"], [])
