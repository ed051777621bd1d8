# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of mx_lock: writes a lock from what was resolved, and reads one in its place.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from .._base import atomic_write as whole_file
from .._base.context import Context
from .._base.errors import ExchangeError, InvalidInput
from .._pairs.names import parse_domain, shown
from .._run.routes import STATUSES
from .file import LARGEST, parse, render
from .model import Conditions, Entry, Lock, Renewed, entries_of, moved, overdue, renew
from .result import listed, read_result, told_time

_OWN = re.compile(r"[A-Za-z0-9._:/-]{1,300}")
_MOST_GRACE = 10 * 366 * 86400  # seconds


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result.

    Raises InvalidInput for options and locks that cannot be used, and ExchangeError where a file
    cannot be read or written, or is staler than the options allow.
    """
    if not 0 <= params["grace"] <= _MOST_GRACE:
        raise InvalidInput(f"grace is {params['grace']}; it has to be from 0 to {_MOST_GRACE}.")
    path = Path(params["path"]) if params["content"] else context.basedir / params["path"]
    wanted = _conditions(params)
    if params["state"] == "written":
        return _write(params, context, path, wanted)
    return _read(params, context, path, wanted)


def _conditions(params: Mapping[str, Any]) -> Conditions:
    return Conditions(
        families=_sorted(params["families"], str),
        own_names=_sorted(params["own_names"], lambda text: parse_domain(text, host=True)),
        own_addresses=_sorted(params["own_addresses"], _own_address),
        agreement=params["agreement"],
        allow_private=params["allow_private"],
        max_pairs=params["max_pairs"],
    )


def _own_address(text: str) -> str:
    """Return an address, a network or a name in lower case; what it means is for mx_pairs."""
    if not _OWN.fullmatch(text):
        raise InvalidInput(f"own_addresses: {shown(text)} is no address, network or name.")
    return text.lower()


def _sorted(texts: Iterable[str], parse_one: Callable[[str], str]) -> tuple[str, ...]:
    return tuple(sorted({parse_one(text) for text in texts}))


def _found(resolved: Mapping[str, Any] | None, now: datetime) -> dict[str, Entry]:
    """Return what a result of mx_pairs says; InvalidInput if it is none."""
    try:
        found = entries_of((resolved or {})["domains"], now)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InvalidInput(
            "resolved is no result of mx_pairs.",
            hint="Register what postmaster.exchange.mx_pairs returns, and give that.",
        ) from None
    for domain, entry in found.items():
        if entry.status not in STATUSES or parse_domain(domain) != domain:
            raise InvalidInput(
                f"resolved has {shown(domain)} with the status {shown(entry.status)}."
            )
    return found


# -- writing


def _write(
    params: Mapping[str, Any], context: Context, path: Path, conditions: Conditions
) -> dict[str, Any]:
    now = context.now()
    before = _content(path)
    old = parse(before, str(path)) if before is not None else None
    new = renew(old, conditions, _found(params["resolved"], now), now, prune=params["prune"])
    text = render(new.lock)
    # A file that says the same in another form, of another hand, is left alone too.
    rewrite = old is None or old != new.lock
    if rewrite and not context.check_mode:
        whole_file.write(path, (text,), "The lock")
    return {
        "changed": rewrite,
        "path": str(path),
        "times_only": rewrite and not new.changed,
        "content": text if rewrite else (before or b"").decode(),
        "valid_until": told_time(new.lock.good_until),
        "kept": list(new.kept),
        "unknown": list(new.unknown),
        "warnings": list(_warn_of_failures(new)),
        "diff": {
            "before": (before or b"").decode(errors="replace"),
            "after": text if rewrite else (before or b"").decode(errors="replace"),
            "before_header": str(path),
            "after_header": str(path),
        },
    }


def _warn_of_failures(new: Renewed) -> Iterable[str]:
    if new.kept:
        yield f"DNS could not tell now about {listed(new.kept)}: locked as before."
    if new.unknown:
        yield f"DNS could not tell now about {listed(new.unknown)}: not locked."


def _content(path: Path) -> bytes | None:
    """Return what a lock file holds; None where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ExchangeError(
            f"The lock {path} cannot be read: {error.strerror or error}."
        ) from error


# -- reading


def _read(
    params: Mapping[str, Any], context: Context, path: Path, wanted: Conditions
) -> dict[str, Any]:
    content = _content(path) if not params["content"] else params["content"].encode()
    if content is None:
        raise ExchangeError(
            f"There is no lock {path}.", hint="postmaster.exchange.resolve writes one."
        )
    whole = parse(content, str(path))
    if unlike := whole.conditions.unlike(wanted):
        raise InvalidInput(
            f"The lock {path} was computed with {'; '.join(unlike)}.",
            hint="Write it anew by postmaster.exchange.resolve, with the same variables.",
        )
    lock = _narrowed(whole, params["domains"], path)
    now = context.now()
    stale = overdue(lock, now, grace=params["grace"])
    told = _told_stale(lock, stale, path)
    if stale and params["stale"] == "fail":
        raise ExchangeError(
            told,
            hint="Write it anew by postmaster.exchange.resolve, or allow it a longer grace.",
            details={"stale_domains": stale},
        )
    live = None if params["resolved"] is None else _found(params["resolved"], now)
    moves = moved(lock, live or {})
    result = read_result(lock, params["resolved"], path=str(path), stale=stale, moves=moves)
    if stale and params["stale"] == "warn":
        result["warnings"].append(told)
    if moves:
        told = listed([f"{move.domain} ({move})" for move in moves])
        result["warnings"].append(f"DNS has moved away from the lock {path}: {told}.")
    return result


def _narrowed(lock: Lock, domains: Sequence[str] | None, path: Path) -> Lock:
    """Return what a lock says about the domains that are wanted, all of which it has to know."""
    if domains is None:
        return lock
    names = list(dict.fromkeys(parse_domain(domain) for domain in domains))
    if missing := [name for name in names if name not in lock.entries]:
        raise InvalidInput(
            f"The lock {path} does not know {listed(missing)}.",
            hint="Write it anew by postmaster.exchange.resolve, and review what it says of them.",
        )
    return Lock(lock.conditions, {name: lock.entries[name] for name in names})


def _told_stale(lock: Lock, stale: Sequence[str], path: Path) -> str:
    seen = told_time(lock.seen)
    since = f", seen last at {seen}" if seen else ""
    return (
        f"The lock {path} is older than the TTL of {listed(stale)} and the grace allow{since}."
        if stale
        else ""
    )
