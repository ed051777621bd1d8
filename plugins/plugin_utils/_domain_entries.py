# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of mx_delivery_domains: a name, or a dictionary with settings for one domain. Pure.

``ENTRY_SPEC`` is the table of these settings, from which a test derives the role's specification
and the page docs/domain-settings.md.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..module_utils._base.errors import InvalidInput
from ..module_utils._base.texts import one_line
from ..module_utils._connectors.canonical import COSTS
from ..module_utils._connectors.spec import CONNECTOR_SPEC, PORTS
from ..module_utils._pairs.model import DomainSettings
from ..module_utils._pairs.module import ARGUMENT_SPEC as PAIRS_SPEC
from ..module_utils._pairs.names import parse_domain, shown
from ..module_utils._run.routes import CONNECTOR_SETTINGS, NOTE_LIMIT

_OPTION = "mx_delivery_domains"


def _without_default(spec: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an option that is left to the one for all domains where an entry lacks it."""
    return {key: value for key, value in spec[name].items() if key in {"type", "choices"}}


#: What an entry may have, in the form of Ansible's argument specifications.
ENTRY_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "note": {"type": "str"},
    "test": {"type": "bool", "default": True},
    "test_recipient": {"type": "str"},
    "bypass_relay": {"type": "bool", "default": False},
    **{name: _without_default(PAIRS_SPEC, name) for name in DomainSettings._fields},
    **{name: _without_default(CONNECTOR_SPEC, name) for name in CONNECTOR_SETTINGS},
}
_RANGES = {"port": PORTS, "cost": COSTS}
#: Keys of an entry that its route gets, unless they have the default value.
_OF_ROUTES = ("note", "test", "test_recipient", "bypass_relay", *CONNECTOR_SETTINGS)


@dataclass(frozen=True, slots=True)
class Entry:
    """A domain of the list: its settings for its routes, and those for DNS."""

    domain: str
    route: Mapping[str, Any] = field(default_factory=dict)
    dns: Mapping[str, Any] = field(default_factory=dict)


def parse_entries(entries: Sequence[Any]) -> dict[str, Entry]:
    """Read a list of domains; of several entries for one domain the first counts.

    Raises InvalidInput that names the entry that is wrong.
    """
    known: dict[str, Entry] = {}
    for given in entries:
        entry = _parse(given)
        known.setdefault(entry.domain, entry)
    return known


def _parse(given: Any) -> Entry:
    settings: Mapping[str, Any] = given if isinstance(given, Mapping) else {"name": given}
    name = settings.get("name")
    if not isinstance(name, str):
        raise InvalidInput(
            f"{_OPTION}: {shown(str(given))} is not a domain: give a name, or a dictionary with the"
            " key 'name'."
        )
    for key in settings:
        if key not in ENTRY_SPEC:
            near = difflib.get_close_matches(str(key), ENTRY_SPEC, 1)
            meant = f"did you mean '{near[0]}'? " if near else ""
            raise InvalidInput(
                f"{_OPTION}: {shown(name)} has the unknown key {str(key)!a:.60}; {meant}The keys"
                f" are {', '.join(sorted(ENTRY_SPEC))}."
            )
    try:
        domain = parse_domain(name.strip())
    except InvalidInput as error:
        raise InvalidInput(f"{_OPTION}: {error.message}.") from error
    values = {
        key: _value(name, key, settings[key])
        for key in ENTRY_SPEC
        if key != "name" and settings.get(key) is not None
    }
    if "note" in values:
        values["note"] = one_line(values["note"], NOTE_LIMIT)
    return Entry(
        domain,
        {key: values[key] for key in _OF_ROUTES if _says_something(key, values.get(key))},
        {key: values[key] for key in DomainSettings._fields if key in values},
    )


def _says_something(key: str, value: Any) -> bool:
    return value not in (None, "") and value is not ENTRY_SPEC[key].get("default", ...)


def _value(name: str, key: str, value: Any) -> Any:
    """Return the value of a setting; raises InvalidInput where it is not one."""
    option, where = ENTRY_SPEC[key], f"{_OPTION}: {key} of {shown(name)} must be"
    if option["type"] == "bool" and not isinstance(value, bool):
        raise InvalidInput(f"{where} true or false.")
    if option["type"] == "int":
        allowed = _RANGES[key]
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        if isinstance(number, bool) or not isinstance(number, int) or number not in allowed:
            raise InvalidInput(f"{where} a number from {allowed[0]} to {allowed[-1]}.")
        return number
    if option["type"] == "str" and not isinstance(value, str):
        raise InvalidInput(f"{where} a text.")
    if "choices" in option and value not in option["choices"]:
        raise InvalidInput(f"{where} one of {', '.join(option['choices'])}.")
    return value
