# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of mx_lock, which writes a lock, and of mx_lock_info, which reads one.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from .._base import atomic_write
from .._base.access import Access
from .._base.alive import NO_LOCKS
from .._base.context import Context, EngineModule
from .._base.errors import ExchangeError, InvalidInput
from .._base.texts import listed, utc_text
from .._pairs.module import ARGUMENT_SPEC as PAIRS_SPEC
from .._pairs.names import parse_domain, parse_entry, shown
from .._run.routes import STATUSES
from .lock import Conditions, Entry, Lock, entries_of, renew
from .lock_file import LARGEST, parse, render

#: Options of mx_pairs_info that shape pairs, and so have to be those of the lock.
_CONDITIONS = {
    name: PAIRS_SPEC[name]
    for name in (
        "agreement",
        "allow_private",
        "families",
        "max_pairs",
        "own_addresses",
        "own_names",
    )
}
WRITE_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "resolved": {"type": "dict", "required": True},
    "prune": {"type": "bool", "default": True},
    **_CONDITIONS,
}
READ_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "resolved": {"type": "dict"},
    "domains": {"type": "list", "elements": "raw"},
    "stale": {"type": "str", "choices": ["ignore", "warn", "fail"], "default": "warn"},
    "grace": {"type": "int", "default": 86400},
    **_CONDITIONS,
}

_OWN = re.compile(r"[A-Za-z0-9._:/-]{1,300}")
_OUR_GROUP = Access(0o770)
_OWN_HINT = "Check its content, then correct it with chown and chmod."
_MOST_GRACE = 10 * 366 * 86400  # seconds
#: Seconds to wait for another run that writes a lock in the same folder, and between two tries.
_PATIENCE, _PAUSE = 60.0, 0.05
_NO_STATS = {"questions": 0, "cache_hits": 0, "retries": 0, "tcp": 0, "seconds": 0.0}


def write_lock(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Update a lock from ``resolved``; the result of mx_lock.

    Raises InvalidInput for options and locks that cannot be used, and ExchangeError where the file
    cannot be read or written.
    """
    path = context.basedir / params["path"]
    with contextlib.ExitStack() as stack:
        if not context.check_mode:
            stack.enter_context(_alone(path))
        return _written(params, context, path)


def _written(params: Mapping[str, Any], context: Context, path: Path) -> dict[str, Any]:
    now = context.now()
    content = _content(path)
    before = "" if content is None else content.decode(errors="replace")
    old = None if content is None else parse(content, str(path))
    live = _entries(params["resolved"], now)
    new = renew(old, _conditions(params), live, now, prune=params["prune"])
    rewrite = old is None or old != new.lock
    after = render(new.lock) if rewrite else before
    if rewrite and not context.check_mode:
        atomic_write.write(path, (after,), "The lock", mode=0o666)
    warnings = []
    if new.kept:
        warnings.append(f"DNS had no answer for {listed(new.kept)}: locked as before.")
    if new.unknown:
        warnings.append(f"DNS had no answer for {listed(new.unknown)}: not locked.")
    return {
        "changed": rewrite,
        "path": str(path),
        "times_only": rewrite and not new.changed,
        "content": after,
        "valid_until": utc_text(new.lock.good_until),
        "kept": new.kept,
        "unknown": new.unknown,
        "warnings": warnings,
        "diff": {
            "before": before,
            "after": after,
            "before_header": str(path),
            "after_header": str(path),
        },
    }


def read_lock(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the content of a lock, with the keys of mx_pairs_info; the result of mx_lock_info.

    Raises InvalidInput for options and locks that cannot be used, and ExchangeError where the file
    cannot be read or is staler than the options allow.
    """
    if not 0 <= params["grace"] <= _MOST_GRACE:
        raise InvalidInput(f"grace is {params['grace']}; it must be from 0 to {_MOST_GRACE}.")
    given = params["content"]
    path = Path(params["path"]) if given else context.basedir / params["path"]
    content = given.encode() if given else _content(path)
    if content is None:
        raise ExchangeError(
            f"Lock file {path} does not exist.",
            hint="Create it with the playbook postmaster.exchange.resolve.",
        )
    lock = parse(content, str(path))
    if unlike := lock.conditions.unlike(_conditions(params)):
        raise InvalidInput(
            f"The lock {path} was computed with {'; '.join(unlike)}.",
            hint="Write it again with postmaster.exchange.resolve and the same variables.",
        )
    if params["domains"] is not None:
        names = list(dict.fromkeys(parse_entry(entry)[0] for entry in params["domains"]))
        if missing := [name for name in names if name not in lock.entries]:
            raise InvalidInput(
                f"The lock {path} does not contain {listed(missing)}.",
                hint="Write it again with postmaster.exchange.resolve, and review the change.",
            )
        lock = Lock(lock.conditions, {name: lock.entries[name] for name in names})
    now = context.now()
    stale = lock.expired(now, grace=params["grace"])
    warnings = []
    if stale and params["stale"] != "ignore":
        since = f", last seen at {utc_text(lock.seen)}" if lock.seen else ""
        message = f"The lock {path} has expired for {listed(stale)} (TTL and grace{since})."
        if params["stale"] == "fail":
            raise ExchangeError(
                message,
                hint="Write it again with postmaster.exchange.resolve, or allow a longer grace.",
                details={"stale_domains": stale},
            )
        warnings.append(message)
    resolved = params["resolved"]
    live = {} if resolved is None else _entries(resolved, now)
    moved = lock.moved(live)
    if moved:
        moves = [f"{x} ({lock.entries[x].destination} -> {live[x].destination})" for x in moved]
        warnings.append(f"DNS has moved away from the lock {path}: {listed(moves)}.")
    return {
        **_as_pairs_info(lock, resolved),
        "lock": {
            "path": str(path),
            "resolved_at": utc_text(lock.seen),
            "stale": bool(stale),
            "stale_domains": stale,
            "compared": resolved is not None,
            "not_compared": [
                name
                for name in lock.entries
                if resolved is not None and not (name in live and live[name].known)
            ],
            "moved": [
                {
                    "domain": name,
                    **{
                        side: {"status": entry.status, "pairs": _pairs(entry)}
                        for side, entry in (("lock", lock.entries[name]), ("live", live[name]))
                    },
                }
                for name in moved
            ],
        },
        "warnings": warnings,
    }


def _as_pairs_info(lock: Lock, resolved: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the keys of mx_pairs_info, with the current warnings and failures of ``resolved``."""
    live = {domain["domain"]: domain for domain in (resolved or {}).get("domains", ())}
    domains: list[dict[str, Any]] = []
    for name, entry in lock.entries.items():
        noted = [
            {"code": code, "message": f"{name}: {code}, when the lock was written"}
            for code in entry.warnings
        ]
        now = live.get(name)
        domains.append(
            {
                "domain": name,
                "status": entry.status,
                "implicit_mx": entry.implicit_mx,
                "pairs": _pairs(entry),
                "ttl": entry.ttl,
                "valid_until": utc_text(entry.good_until),
                "warnings": noted if now is None else list(now.get("warnings") or ()),
                "failures": [] if now is None else list(now.get("failures") or ()),
                "views": [],
                "evidence": None if now is None else now.get("evidence"),
            }
        )
    return {
        "changed": False,
        "domains": domains,
        "pairs": [{"domain": x["domain"], **pair} for x in domains for pair in x["pairs"]],
        "routes": [
            {
                "domain": name,
                "status": entry.status,
                "addresses": list(dict.fromkeys(pair.address for pair in entry.pairs)),
                **({"unconfirmed": True} if entry.unconfirmed else {}),
            }
            for name, entry in lock.entries.items()
        ],
        "stats": (resolved or {}).get("stats") or {"domains": len(domains), **_NO_STATS},
    }


def _pairs(entry: Entry) -> list[dict[str, Any]]:
    return [{**pair._asdict(), "ttl": entry.ttl} for pair in entry.pairs]


def _conditions(params: Mapping[str, Any]) -> Conditions:
    for text in params["own_addresses"]:  # addresses, networks and names; mx_pairs_info reads them
        if not _OWN.fullmatch(text):
            raise InvalidInput(f"own_addresses: {shown(text)} is not an address, network or name.")
    return Conditions(
        families=tuple(sorted(set(params["families"]))),
        own_names=tuple(sorted({parse_domain(x, host=True) for x in params["own_names"]})),
        own_addresses=tuple(sorted({x.lower() for x in params["own_addresses"]})),
        agreement=params["agreement"],
        allow_private=params["allow_private"],
        max_pairs=params["max_pairs"],
    )


def _entries(resolved: Mapping[str, Any], now: datetime) -> dict[str, Entry]:
    """Return the entries of a result of mx_pairs_info; InvalidInput if it is something else."""
    try:
        entries = entries_of(resolved, now)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InvalidInput(
            "resolved is not a result of mx_pairs_info.",
            hint="Register the result of postmaster.exchange.mx_pairs_info and pass it.",
        ) from None
    for domain, entry in entries.items():
        if entry.status not in STATUSES or parse_domain(domain) != domain:
            raise InvalidInput(
                f"resolved has {shown(domain)} with the status {shown(entry.status)}."
            )
    return entries


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other runs from a lock file between reading and writing it.

    Its folder is locked, not the file, which another one takes the place of. Without locks in its
    file system (NFS, some FUSE) nothing is kept away.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ExchangeError(
            f"The lock could not be written to {path}: {error.strerror or error}."
        ) from error
    try:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise ExchangeError(
                        f"Another run has been writing to {path.parent} for {_PATIENCE:.0f} s."
                    ) from None
                time.sleep(_PAUSE)
            except OSError as error:
                if error.errno not in NO_LOCKS | {errno.EBADF}:  # EBADF: NFS, opened for reading
                    raise ExchangeError(
                        f"{path.parent} could not be locked: {error.strerror or error}."
                    ) from error
                break
            else:
                break
        yield
    finally:
        os.close(folder)  # and with it the lock


def _content(path: Path) -> bytes | None:
    """Return the bytes of a lock file; None if it does not exist.

    Raises ExchangeError where others than its owner, or the user's own group, may have written it.
    """
    try:
        _OUR_GROUP.check(path, root=True, hint=_OWN_HINT)
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ExchangeError(
            f"The lock {path} cannot be read: {error.strerror or error}."
        ) from error


READ_MODULE = EngineModule(READ_SPEC, read_lock, needs_session=False)
WRITE_MODULE = EngineModule(WRITE_SPEC, write_lock, needs_session=False)
