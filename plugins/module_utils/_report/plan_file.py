# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a run as a file: what an audit writes, people approve, and enforce compares. Pure.

docs/plan-schema.json describes it. The file has one form only, so that what people read in it is
what a run reads: plain ASCII, sorted keys, each once.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from .._base.errors import InvalidInput
from .._run.approval import canonical
from .host_result import HostResult
from .text import count

FORMAT = "postmaster.exchange plan"
VERSION = 1

Document = Mapping[str, Any]

_KEYS = frozenset(
    {"format", "version", "collection", "made", "run", "note", "hosts", "not_planned"}
)
_HOST_KEYS = frozenset({"family", "organisation", "same_as", "state", "changes"})
_TIME = "%Y-%m-%dT%H:%M:%SZ"
#: By how much the clocks of two controllers may differ.
_SKEW = timedelta(minutes=5)
_NOT_CHECKED = "no slice reported on this host"


def build(
    hosts: Iterable[HostResult], *, made: str, run: str, collection: str, note: str
) -> Document:
    """Return the plan of the hosts that were compared; the others with the reason."""
    planned: dict[str, Any] = {}
    missing: dict[str, str] = {}
    first: dict[tuple[str, str], str] = {}
    for host in hosts:
        delivery = host.delivery or {}
        plan = delivery.get("planned")
        if host.failure or not plan:
            missing[host.name] = host.failure or host.skipped or "it was not compared"
            continue
        name = delivery.get("organisation") or {}
        organisation = f"{name['name']} ({name['forest']})" if name else None
        entry = {"family": host.family, "organisation": organisation, "same_as": None, **plan}
        if organisation:
            before = first.setdefault((organisation, canonical(plan)), host.name)
            if before != host.name:
                entry |= {"same_as": before, "state": None, "changes": None}
        planned[host.name] = entry
    return {
        "format": FORMAT,
        "version": VERSION,
        "collection": collection,
        "made": made,
        "run": run,
        "note": note,
        "hosts": planned,
        "not_planned": missing,
    }


def as_text(document: Document) -> str:
    """Return a plan in its one form."""
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def is_plan(document: object) -> bool:
    """Return true if plain data has the format of a plan."""
    return isinstance(document, Mapping) and document.get("format") == FORMAT


def parse(text: str, what: str) -> Document:
    """Read a plan; raises InvalidInput that names it as ``what`` for anything but a plan."""
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
        if not is_plan(document):
            raise InvalidInput(f"{what} is not a plan of this collection.")
        if document.get("version") != VERSION:
            raise InvalidInput(
                f"{what} is a plan of version {document.get('version')!a:.20}; this collection"
                f" reads version {VERSION}."
            )
        _check(document)
        if as_text(document) != text:
            raise ValueError("it is not in the form in which an audit writes it")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidInput(
            f"{what} cannot be used: {str(error)[:200]}.",
            hint="No host was contacted. Use the file that the audit wrote, without any change.",
        ) from error
    return dict(document)


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!a:.80} occurs twice in one object")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number of JSON")


def _check(document: Document) -> None:
    """Raise ValueError where the parts of a plan are not those of one."""
    if document.keys() != _KEYS:
        odd = sorted(document.keys() ^ _KEYS)
        raise ValueError(f"the key {odd[0]!a:.80} is missing or not known")
    for key in ("collection", "made", "run", "note"):
        if not isinstance(document[key], str):
            raise ValueError(f"{key} is not a text")
    if not all(isinstance(why, str) for why in document["not_planned"].values()):
        raise ValueError("not_planned has more than texts")
    datetime.strptime(document["made"], _TIME)
    hosts = document["hosts"]
    for name, host in hosts.items():
        if host.keys() != _HOST_KEYS:
            raise ValueError(f"the host {name!a:.80} has other keys than a host of a plan")
        same = host["same_as"]
        if same is not None:
            if (host["state"], host["changes"]) != (None, None) or hosts[same]["same_as"]:
                raise ValueError(f"the host {name!a:.80} is not the same as another")
        elif not isinstance(host["state"], str) or not isinstance(host["changes"], list):
            raise ValueError(f"the host {name!a:.80} has no state or no changes")


def check_age(document: Document, now: datetime, max_age: int, what: str) -> None:
    """Raise InvalidInput for a plan older than ``max_age`` seconds, or from the future.

    With 0 it may be of any age.
    """
    made = datetime.strptime(document["made"], _TIME).replace(tzinfo=UTC)
    if made > now + _SKEW:
        raise InvalidInput(
            f"{what} was made at {document['made']}, which is in the future.",
            hint="No host was contacted. Set the clocks of the controllers.",
        )
    if max_age and now - made > timedelta(seconds=max_age):
        raise InvalidInput(
            f"{what} has expired: it was made at {document['made']}, and"
            f" mx_delivery_plan_max_age allows {count(max_age, 'second')}.",
            hint="No host was contacted. Run the audit again, and have the new plan approved.",
        )


def approved(document: Document, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the option approved_plan of mail_delivery for each host, planned or not."""
    hosts, made = document["hosts"], document["made"]
    options = {}
    for name in names:
        host = hosts.get(name, {})
        host = hosts[host["same_as"]] if host.get("same_as") else host
        planned = {key: host[key] for key in ("state", "changes") if key in host}
        options[name] = {"made": made, **planned}
    return options


def merge(plans: Mapping[str, Document], expected: Sequence[str]) -> Document:
    """Return the plan of a whole run from those of its slices, by what messages call each.

    It is as old as the oldest of them. ``expected`` are all hosts. Raises InvalidInput for plans of
    different runs, or with a host in common.
    """
    (first, one), *others = plans.items()
    hosts: dict[str, Any] = dict(one["hosts"])
    missing: dict[str, str] = dict(one["not_planned"])
    for name, other in others:
        for key in ("run", "note", "collection"):
            if one[key] != other[key]:
                raise InvalidInput(
                    f"{first} and {name} are of different runs: {key} is {one[key]!a:.80} and"
                    f" {other[key]!a:.80}."
                )
        both = sorted((hosts.keys() | missing) & (other["hosts"].keys() | other["not_planned"]))
        if both:
            raise InvalidInput(f"Two plans have the host {both[0]!a:.80}; {name} is one of them.")
        hosts |= other["hosts"]
        missing |= other["not_planned"]
    for name in expected:
        if name not in hosts and name not in missing:
            missing[name] = _NOT_CHECKED
    made = min(str(each["made"]) for each in plans.values())
    return {**one, "made": made, "hosts": hosts, "not_planned": missing}
