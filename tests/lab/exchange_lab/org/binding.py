# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binding of parameters as PowerShell does it: names, abbreviations, positions, types.

What a parameter accepts is what .NET and PowerShell accept: a Boolean takes no string, an
enumeration takes its names without case, a multi-valued property takes a scalar, a list, or
``@{Add=;Remove=}``.
"""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from . import errors, values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .versions import Family


@dataclass(frozen=True, slots=True)
class Edit:
    """``@{Add=...; Remove=...}`` on a multi-valued property."""

    add: tuple[str, ...]
    remove: tuple[str, ...]

    def apply(self, current: Sequence[str]) -> list[str]:
        """The list after the edit, compared without case."""
        gone = {text.casefold() for text in self.remove}
        kept = [text for text in current if text.casefold() not in gone]
        return unique([*kept, *self.add])


def unique(texts: Sequence[str]) -> list[str]:
    """The texts without repetitions (without case), in order."""
    return list({text.casefold(): text for text in reversed(texts)}.values())[::-1]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a cmdlet. ``families`` are the versions that have it; None means all."""

    name: str
    type_name: str
    convert: Callable[[object], object]
    mandatory: bool = False
    position: int | None = None
    aliases: tuple[str, ...] = ()
    families: frozenset[Family] | None = None

    def matches(self, name: str) -> bool:
        """Whether this is the parameter's full name or an alias."""
        return name.casefold() in (self.name.casefold(), *(a.casefold() for a in self.aliases))


@dataclass(slots=True)
class Bound:
    """The arguments of one call, by canonical parameter name."""

    arguments: dict[str, Any] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.arguments

    def get(self, name: str, default: Any = None) -> Any:
        """The value given, or the default."""
        return self.arguments.get(name, default)

    def text(self, name: str) -> str | None:
        """The value given as text; None where it was not given, or given as $null."""
        value = self.arguments.get(name)
        return None if value is None else str(value)


# --- converters: each raises ValueError with .NET's reason ------------------------------------


def to_string(value: object) -> object:
    """Any scalar."""
    if isinstance(value, list | dict):
        raise ValueError("Cannot convert value to type System.String.")
    return None if value is None else str(value)


def to_boolean(value: object) -> object:
    """A Boolean or a number, never a string."""
    if isinstance(value, bool | int | float) and not isinstance(value, str):
        return bool(value)
    raise ValueError(
        "Boolean parameters accept only Boolean values and numbers, such as $True, $False, 1 or 0."
    )


def to_switch(value: object) -> object:
    """A switch: its mere presence, or ``-Switch:$false``."""
    if value is None:
        return True
    present = getattr(value, "IsPresent", value)
    return to_boolean(present)


def to_int32(low: int = -(2**31), high: int = 2**31 - 1) -> Callable[[object], object]:
    """An Int32 within a range."""

    def convert(value: object) -> object:
        try:
            number = int(str(value))
        except ValueError:
            raise ValueError("Input string was not in a correct format.") from None
        if not low <= number <= high:
            raise ValueError(f"The value {number} must be from {low} through {high}.")
        return number

    return convert


def to_enum(*names: str) -> Callable[[object], object]:
    """One of the names, without case."""

    def convert(value: object) -> object:
        for name in names:
            if str(value).casefold() == name.casefold():
                return name
        listed = ", ".join(names)
        raise ValueError(
            f"Unable to match the identifier name {value} to a valid enumerator name. Specify one "
            f"of the following enumerator names and try again: {listed}"
        )

    return convert


def nullable(convert: Callable[[object], object]) -> Callable[[object], object]:
    """A parameter of a type that has a null (``Nullable`1``): ``-Name $null`` empties it."""
    return lambda value: None if value is None else convert(value)


def to_list(item: Callable[[str], str]) -> Callable[[object], object]:
    """A multi-valued property; each member goes through ``item``."""

    def convert(value: object) -> object:
        if isinstance(value, dict):
            edits = {str(key).casefold(): members(entry) for key, entry in value.items()}
            if not edits.keys() <= {"add", "remove"}:
                raise ValueError('A hash table must use the keys "Add" and "Remove".')
            return Edit(tuple(edits.get("add", [])), tuple(edits.get("remove", [])))
        return unique(members(value))

    def members(value: object) -> list[str]:
        if value is None:
            return []
        scalars = value if isinstance(value, list | tuple) else [value]
        return [item(str(scalar)) for scalar in scalars]

    return convert


def to_fqdn(value: object) -> object:
    """A fully qualified domain name, or $null."""
    if value is None or str(value) == "":
        return None
    if not values.is_domain(str(value)):
        raise ValueError(f'"{value}" isn\'t a valid SMTP domain.')
    return str(value)


def to_size(value: object) -> object:
    """An Unlimited<ByteQuantifiedSize>, canonical."""
    return values.message_size(value)


def to_span(low: timedelta, high: timedelta) -> Callable[[object], object]:
    """An EnhancedTimeSpan within a range, as .NET prints it."""

    def convert(value: object) -> object:
        span = values.time_span(value)
        if not low <= span <= high:
            limits = f"{values.print_span(low)} through {values.print_span(high)}"
            raise ValueError(f"The value must be from {limits}.")
        return values.print_span(span)

    return convert


def to_ip(value: object) -> object:
    """An IP address."""
    return str(ipaddress.ip_address(str(value)))


def to_guid(value: object) -> object:
    """A Guid."""
    return uuid.UUID(str(value))


def to_result_size(value: object) -> object:
    """A number of results, or Unlimited (None)."""
    if str(value).lower() == "unlimited":
        return None
    return to_int32(0)(value)


def to_datetime(value: object) -> object:
    """A DateTime object, or the short date form of the United States that the docs show."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    for form in ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y"):
        try:
            return datetime.strptime(str(value), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("String was not recognized as a valid DateTime.") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def to_credential(value: object) -> object:
    """A PSCredential; only its user name is kept."""
    if value is None:
        return None
    user = getattr(value, "UserName", None)
    if user is None:
        raise ValueError("Cannot convert value to type System.Management.Automation.PSCredential.")
    return str(user)


# --- binding ------------------------------------------------------------------------------------

_STREAMS = ("Continue", "SilentlyContinue", "Stop", "Ignore", "Inquire")
COMMON = (
    Parameter("ErrorAction", "ActionPreference", to_enum(*_STREAMS), aliases=("ea",)),
    Parameter("WarningAction", "ActionPreference", to_enum(*_STREAMS), aliases=("wa",)),
    Parameter("InformationAction", "ActionPreference", to_enum(*_STREAMS), aliases=("infa",)),
    Parameter("Verbose", "SwitchParameter", to_switch, aliases=("vb",)),
    Parameter("Debug", "SwitchParameter", to_switch, aliases=("db",)),
    Parameter("OutBuffer", "Int32", to_int32(0), aliases=("ob",)),
)


def bind(
    parameters: Sequence[Parameter], arguments: Sequence[tuple[str | None, object]], family: Family
) -> Bound:
    """Bind the arguments of a call. Raises CmdletError exactly as PowerShell's binder would."""
    known = [p for p in (*parameters, *COMMON) if p.families is None or family in p.families]
    bound: dict[str, Any] = {}
    positional: list[object] = []
    for name, value in arguments:
        if name is None:
            positional.append(value)
            continue
        parameter = _find(known, name.removeprefix("-").removesuffix(":"))
        if parameter.name in bound:
            raise errors.parameter_twice(parameter.name)
        bound[parameter.name] = _convert(parameter, value)
    _bind_positions(known, positional, bound)
    missing = [p.name for p in known if p.mandatory and p.name not in bound]
    if missing:
        raise errors.missing_mandatory(missing)
    return Bound(bound)


def _find(known: Sequence[Parameter], name: str) -> Parameter:
    exact = [parameter for parameter in known if parameter.matches(name)]
    if exact:
        return exact[0]
    starting = [p for p in known if p.name.casefold().startswith(name.casefold())]
    if len(starting) == 1:
        return starting[0]
    if starting:
        raise errors.parameter_ambiguous(name, [parameter.name for parameter in starting])
    raise errors.parameter_not_found(name)


def _bind_positions(
    known: Sequence[Parameter], positional: Sequence[object], bound: dict[str, Any]
) -> None:
    places = sorted(
        (p for p in known if p.position is not None and p.name not in bound),
        key=lambda parameter: parameter.position or 0,
    )
    for index, value in enumerate(positional):
        if index >= len(places):
            raise errors.positional_not_found(str(value))
        bound[places[index].name] = _convert(places[index], value)


def _convert(parameter: Parameter, value: object) -> object:
    try:
        return parameter.convert(value)
    except ValueError as error:
        raise errors.transformation(
            parameter.name, value, parameter.type_name, str(error)
        ) from error
