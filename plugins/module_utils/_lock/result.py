# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lock says, in the shape of a result of mx_pairs, so that it can stand in its place. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from .._run.routes import UNKNOWN_STATUSES
from .model import Entry, Lock, Move

_MAX_NAMED = 5  # domains named in one sentence


def listed(names: Sequence[str]) -> str:
    """Return some names for a sentence, and how many more there are."""
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return f"{', '.join(names[:_MAX_NAMED])}{more}"


def told_time(at: datetime | None) -> str | None:
    """Return a time as results have them (UTC), or None."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def read_result(
    lock: Lock,
    live: Mapping[str, Any] | None,
    *,
    path: str,
    stale: Sequence[str],
    moves: Sequence[Move],
) -> dict[str, Any]:
    """Return the task result; ``live`` is what mx_pairs said now, where it was asked, too."""
    now = {domain["domain"]: domain for domain in (live or {}).get("domains", ())}
    domains = [_domain(name, entry, now.get(name)) for name, entry in lock.entries.items()]
    return {
        "changed": False,
        "domains": domains,
        "pairs": [
            {"domain": domain["domain"], **pair} for domain in domains for pair in domain["pairs"]
        ],
        "routes": [
            {
                "domain": name,
                "status": entry.status,
                "addresses": list(dict.fromkeys(pair.address for pair in entry.pairs)),
            }
            for name, entry in lock.entries.items()
        ],
        "stats": (live or {}).get("stats")
        or {
            "domains": len(domains),
            "questions": 0,
            "cache_hits": 0,
            "retries": 0,
            "tcp": 0,
            "seconds": 0.0,
        },
        "lock": {
            "path": path,
            "resolved_at": told_time(lock.seen),
            "stale": bool(stale),
            "stale_domains": list(stale),
            "compared": live is not None,
            "not_compared": [
                name
                for name in lock.entries
                if live is not None and (name not in now or now[name]["status"] in UNKNOWN_STATUSES)
            ],
            "moved": [
                {"domain": move.domain, "lock": _side(move.locked), "live": _side(move.live)}
                for move in moves
            ],
        },
        "warnings": [],
    }


def _side(entry: Entry) -> dict[str, Any]:
    return {"status": entry.status, "pairs": _pairs(entry)}


def _pairs(entry: Entry) -> list[dict[str, Any]]:
    return [
        {
            "preference": pair.preference,
            "exchange": pair.exchange,
            "address": pair.address,
            "ttl": entry.ttl,
        }
        for pair in entry.pairs
    ]


def _domain(name: str, entry: Entry, live: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the lock says of a domain, with what else DNS says of it now, if it was asked."""
    locked = [
        {"code": code, "message": f"{name}: {code}, when the lock was written"}
        for code in entry.warnings
    ]
    return {
        "domain": name,
        "status": entry.status,
        "implicit_mx": entry.implicit_mx,
        "pairs": _pairs(entry),
        "ttl": entry.ttl,
        "valid_until": told_time(entry.good_until),
        "warnings": locked if live is None else list(live.get("warnings") or ()),
        "failures": [] if live is None else list(live.get("failures") or ()),
        "views": [],
        "evidence": None if live is None else live.get("evidence"),
    }
