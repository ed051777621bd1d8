# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock file: YAML in one canonical form, so that a change of it reads as what changed. Pure.

Pairs come first, sorted by domain, one line for each pair; times come last.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from itertools import zip_longest
from typing import Any

from ansible.module_utils.common.yaml import HAS_YAML, yaml_load

from .._base.errors import InvalidInput, MissingLibrary
from .._pairs.module import AGREEMENTS, FAMILIES
from .._pairs.names import is_host_name, parse_domain, shown
from .._run.routes import GONE_STATUSES
from .lock import Conditions, Entry, Lock, LockedPair

VERSION = 1
#: Octets of the largest lock that is read: some hundred thousand domains.
LARGEST = 64_000_000

_STATUSES = frozenset({"ok", *GONE_STATUSES})
_PAIR = re.compile(r"([0-9]{1,5}) (\S{1,253}) ([0-9A-Fa-f.:]{2,45})")
_TIME = re.compile(r"([0-9-]{10}T[0-9:]{8}Z)(?: \+([0-9]{1,10}) s)?")
_PLAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]*[a-z][a-z0-9-]*)+")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CLOCK = "%Y-%m-%dT%H:%M:%SZ"
_MAX_PREFERENCE = 65535
_MAX_TTL = 2**31 - 1  # RFC 2181 section 8
_HEAD = """\
# Mail servers of these domains, as last resolved from DNS. Written by the playbook
# postmaster.exchange.resolve; enforce and audit take the pairs from here (mx_delivery_lock).
# A pair is: preference, exchange, address. Times are at the end, so that diffs stay readable.
"""


def render(lock: Lock) -> str:
    """Return the text of a lock, which parse() reads back as the same."""
    return _HEAD + "\n".join(_lines(lock)) + "\n"


def _lines(lock: Lock) -> Iterator[str]:
    made = lock.conditions
    yield f"version: {VERSION}"
    yield "computed_with:"
    yield f"  agreement: {made.agreement}"
    yield f"  allow_private: {str(made.allow_private).lower()}"
    yield f"  max_pairs: {made.max_pairs}"
    yield from _listing("  families", made.families)
    for name in ("own_addresses", "own_names"):
        yield from _listing(f"  {name}", [_quoted(value) for value in getattr(made, name)])
    yield "domains:" if lock.entries else "domains: {}"
    for domain, entry in sorted(lock.entries.items()):
        yield f"  {_quoted(domain)}:"
        yield f"    status: {entry.status}"
        if entry.unconfirmed:
            yield "    unconfirmed: true"
        if entry.implicit_mx:
            yield "    implicit_mx: true"
        if entry.pairs:
            # In quotes where YAML would take the end for that of a name (2001:db8::).
            texts = [str(pair) for pair in entry.pairs]
            quoted = [json.dumps(text) if text.endswith(":") else text for text in texts]
            yield from _listing("    pairs", quoted)
        if entry.warnings:
            yield from _listing("    warnings", entry.warnings)
    times = {domain: entry for domain, entry in sorted(lock.entries.items()) if entry.seen}
    yield "times:" if times else "times: {}"
    for domain, entry in times.items():
        at = entry.seen.strftime(_CLOCK) if entry.seen else ""
        # As a text in quotes where YAML would make a time of it.
        time = f'"{at}"' if entry.ttl is None else f"{at} +{entry.ttl} s"
        yield f"  {_quoted(domain)}: {time}"


def _listing(name: str, values: Sequence[str]) -> Iterator[str]:
    yield f"{name}:" if values else f"{name}: []"
    indent = " " * (len(name) - len(name.lstrip()) + 2)
    yield from (f"{indent}- {value}" for value in values)


def _quoted(text: str) -> str:
    """Return a name so that YAML reads a text, also where it looks like a number or a word."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def parse(content: bytes, where: str) -> Lock:
    """Return the lock in a file; InvalidInput names the fault and its place.

    ``where`` names the file in messages. Nothing in it is believed: names, addresses and numbers
    are checked as those of an answer are.
    """
    try:
        lock = _lock(_loaded(content))
        _check_form(content.decode(), lock)
    except InvalidInput as error:
        raise InvalidInput(
            f"The lock {where} cannot be used: {error.message}.",
            hint="Restore it, or delete it and write it again with the playbook"
            " postmaster.exchange.resolve.",
        ) from error
    return lock


def _check_form(text: str, lock: Lock) -> None:
    """Refuse a text that YAML reads otherwise than who reviews it may, as with a key twice.

    Whatever is not what ``render`` writes is refused; only comments at the top and the ends
    of lines are free.
    """
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    head = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    pairs = zip_longest(lines[head:], _lines(lock), fillvalue="")
    for number, (line, own) in enumerate(pairs, start=head + 1):
        if line != own:
            raise InvalidInput(
                f"line {number} is {shown(line)}, but mx_lock would write {shown(own)}"
                " for the same content"
            )


def _loaded(content: bytes) -> Mapping[Any, Any]:
    if not HAS_YAML:
        raise MissingLibrary("The Python library PyYAML, which reads the lock, is not installed.")
    if len(content) > LARGEST:
        raise InvalidInput(f"it has {len(content)} octets; the limit is {LARGEST}")
    # Names for parts that are used again could make a small file a huge one. A lock never has any.
    if re.search(rb"(^|[\s\[{,:-])[&*][A-Za-z0-9_-]", content):
        raise InvalidInput("it has YAML anchors or aliases, which are not allowed in a lock")
    try:
        loaded = yaml_load(content.decode())
    except UnicodeDecodeError:
        raise InvalidInput("it is not UTF-8") from None
    except RecursionError:
        raise InvalidInput("it is nested too deeply") from None
    except Exception as error:  # noqa: BLE001 - PyYAML's own, and what hostile text makes it raise
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark is not None else type(error).__name__
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise InvalidInput(f"it is not valid YAML ({place}: {problem})") from None
    return _mapping(loaded, "the file")


def _lock(data: Mapping[Any, Any]) -> Lock:
    if data.get("version") != VERSION:
        raise InvalidInput(f"its version is {shown(str(data.get('version')))}, not {VERSION}")
    _only(data, {"version", "computed_with", "domains", "times"}, "the file")
    times = _mapping(data.get("times"), "times")
    domains = _mapping(data.get("domains"), "domains")
    for domain in times:
        if domain not in domains:
            raise InvalidInput(f"times has {shown(str(domain))}, which is not in domains")
    entries = {}
    for name, value in domains.items():
        if not isinstance(name, str) or parse_domain(name) != name:
            raise InvalidInput(f"{shown(str(name))} is not a domain in canonical form")
        entries[name] = _entry(name, value, times.get(name))
    made = _mapping(data.get("computed_with"), "computed_with")
    _only(made, set(Conditions.__dataclass_fields__), "computed_with")
    families = _texts(made.get("families"), "families")
    agreement, private, most = (made.get(x) for x in ("agreement", "allow_private", "max_pairs"))
    if not families or not set(families) <= set(FAMILIES):
        raise InvalidInput("families of computed_with must hold ipv4, ipv6 or both")
    if agreement not in AGREEMENTS:
        raise InvalidInput(f"agreement of computed_with must be one of {', '.join(AGREEMENTS)}")
    if not isinstance(private, bool):
        raise InvalidInput("allow_private of computed_with must be true or false")
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        raise InvalidInput("max_pairs of computed_with must be 0 or more")
    conditions = Conditions(
        families=tuple(families),
        own_names=tuple(_texts(made.get("own_names"), "own_names")),
        own_addresses=tuple(_texts(made.get("own_addresses"), "own_addresses")),
        agreement=agreement,
        allow_private=private,
        max_pairs=most,
    )
    return Lock(conditions, entries)


def _entry(domain: str, value: object, time: object) -> Entry:
    data = _mapping(value, domain)
    _only(data, {"status", "unconfirmed", "pairs", "implicit_mx", "warnings"}, domain)
    status = data.get("status")
    if status not in _STATUSES:
        raise InvalidInput(f"{domain}: the status must be one of {', '.join(sorted(_STATUSES))}")
    pairs = tuple(_pair(domain, text) for text in _texts(data.get("pairs", []), f"{domain}: pairs"))
    if bool(pairs) != (status == "ok"):
        raise InvalidInput(f"{domain}: a domain must have pairs if its status is ok, and only then")
    implicit, unconfirmed = data.get("implicit_mx", False), data.get("unconfirmed", False)
    if not isinstance(implicit, bool) or not isinstance(unconfirmed, bool):
        raise InvalidInput(f"{domain}: implicit_mx and unconfirmed must be true or false")
    warnings = _texts(data.get("warnings", []), f"{domain}: warnings")
    if not all(_CODE.fullmatch(code) for code in warnings):
        raise InvalidInput(f"{domain}: warnings must be codes, such as mx_is_cname")
    seen, ttl = _seen(domain, time)
    return Entry(status, pairs, implicit, tuple(warnings), seen, ttl, unconfirmed)


def _pair(domain: str, text: str) -> LockedPair:
    match = _PAIR.fullmatch(text)
    if not match or int(match[1]) > _MAX_PREFERENCE:
        raise InvalidInput(
            f"{domain}: {shown(text)} is not a pair of preference, exchange and address"
        )
    if not is_host_name(match[2]):
        raise InvalidInput(f"{domain}: {shown(match[2])} is not a host name")
    try:
        address = ip_address(match[3])
    except ValueError:
        raise InvalidInput(f"{domain}: {shown(match[3])} is not an IP address") from None
    return LockedPair(int(match[1]), match[2], str(address))


def _seen(domain: str, time: object) -> tuple[datetime | None, int | None]:
    if time is None:
        return None, None
    match = _TIME.fullmatch(time) if isinstance(time, str) else None
    try:
        at = datetime.strptime(match[1] if match else "", _CLOCK).replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput(f"{domain}: {shown(str(time))} is not a time and TTL") from None
    ttl = int(match[2]) if match and match[2] else None
    if ttl is not None and ttl > _MAX_TTL:
        raise InvalidInput(f"{domain}: the TTL {ttl} is too large; the limit is {_MAX_TTL} seconds")
    return at, ttl


def _mapping(value: object, where: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{where} must map names to values")
    return value


def _texts(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidInput(f"{where} must be a list of texts")
    return value


def _only(data: Mapping[Any, Any], known: Collection[str], where: str) -> None:
    for key in data:
        if key not in known:
            raise InvalidInput(f"{where} has {shown(str(key))}, which is not a valid key")
