# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects in the form in which Exchange puts them on the wire.

A published trace of an Exchange 2016 answer to pypsrp ("Get-Mailbox") shows it: .NET type names
without the prefix ``Deserialized.`` (the client adds that), all properties as adapted ones,
enumerations, sizes, versions, time spans and object ids as strings, a missing string as an empty
one, a multi-valued property as an object of type ``MultiValuedProperty`` around a list of
strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psrpcore.types import (
    ErrorCategory,
    ErrorCategoryInfo,
    ErrorRecord,
    NETException,
    PSList,
    PSNoteProperty,
    PSObject,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .errors import CmdletError

_OBJECT = "System.Object"
_ASSEMBLY = "Version=15.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35"
_CORE = "mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089"
STRING = f"System.String, {_CORE}"
INT32 = f"System.Int32, {_CORE}"
ADDRESS_SPACE = f"Microsoft.Exchange.Data.AddressSpace, Microsoft.Exchange.Data, {_ASSEMBLY}"
SMART_HOST = f"Microsoft.Exchange.Data.SmartHost, Microsoft.Exchange.Data, {_ASSEMBLY}"
IP_ADDRESS = (
    "System.Net.IPAddress, System, Version=4.0.0.0, Culture=neutral, "
    "PublicKeyToken=b77a5c561934e089"
)
OBJECT_ID = (
    "Microsoft.Exchange.Data.Directory.ADObjectId, Microsoft.Exchange.Data.Directory, " + _ASSEMBLY
)

CONNECTED_DOMAIN = f"Microsoft.Exchange.Data.ConnectedDomain, Microsoft.Exchange.Data, {_ASSEMBLY}"
NETWORK_ADDRESS = f"Microsoft.Exchange.Data.NetworkAddress, Microsoft.Exchange.Data, {_ASSEMBLY}"

# As real servers of 2016 and 2019 write them.
CONFIG_OBJECT = (
    "Microsoft.Exchange.Data.Directory.SystemConfiguration.ADConfigurationObject",
    "Microsoft.Exchange.Data.Directory.ADObject",
    "Microsoft.Exchange.Data.Directory.ADRawEntry",
    "Microsoft.Exchange.Data.ConfigurableObject",
    _OBJECT,
)
PRESENTATION_OBJECT = (
    "Microsoft.Exchange.Data.Directory.Management.ADPresentationObject",
    *CONFIG_OBJECT[1:],
)


@dataclass(frozen=True, slots=True)
class Multi:
    """A multi-valued property: the .NET name of its members' type, and the members as text.

    ``derived`` are the classes of a list that is more than a ``MultiValuedProperty``.
    """

    member: str
    items: Sequence[str]
    derived: tuple[str, ...] = ()

    @property
    def type_names(self) -> list[str]:
        """The .NET type names, most derived first."""
        plain = f"Microsoft.Exchange.Data.MultiValuedProperty`1[[{self.member}]]"
        return [*self.derived, plain, "Microsoft.Exchange.Data.MultiValuedPropertyBase", _OBJECT]


def object_ids(items: Sequence[str]) -> Multi:
    """A list of objects of the directory."""
    derived = f"Microsoft.Exchange.Data.Directory.ADMultiValuedProperty`1[[{OBJECT_ID}]]"
    return Multi(OBJECT_ID, items, (derived,))


def network_addresses(items: Sequence[str]) -> Multi:
    """The addresses under which a server offers its protocols."""
    collection = f"Microsoft.Exchange.Data.ProtocolAddressCollection`1[[{NETWORK_ADDRESS}]]"
    derived = ("Microsoft.Exchange.Data.NetworkAddressCollection", collection)
    return Multi(NETWORK_ADDRESS, items, derived)


@dataclass(frozen=True, slots=True)
class Strings:
    """An array of strings (``System.String[]``)."""

    items: Sequence[str]


def build(type_names: Sequence[str], text: str, properties: Mapping[str, object]) -> PSObject:
    """An object with those type names, that ToString, and those adapted properties."""
    built = PSObject()
    built.PSObject.type_names = list(type_names)
    built.PSObject.to_string = text
    built.PSObject.adapted_properties = [
        PSNoteProperty(name, _value(value)) for name, value in properties.items()
    ]
    return built


def _value(value: object) -> object:
    if isinstance(value, Strings):
        array = PSList(value.items)
        array.PSObject.type_names = ["System.String[]", "System.Array", "System.Object"]
        return array
    if not isinstance(value, Multi):
        return value
    wrapped = PSList(value.items)
    wrapped.PSObject.type_names = value.type_names
    return wrapped


def error_record(error: CmdletError, cmdlet: str, error_id: str) -> ErrorRecord:
    """The record of an error; ``cmdlet`` is the name shown as activity, empty outside of one."""
    exception = NETException(Message=error.message, HResult=-2146233088)
    exception.PSObject.type_names = error.type_names
    record = ErrorRecord(
        Exception=exception,
        CategoryInfo=ErrorCategoryInfo(
            Category=ErrorCategory[error.category],
            Activity=cmdlet,
            Reason=error.reason,
            TargetName=error.target,
            TargetType="String" if error.target else "",
        ),
        TargetObject=error.target or None,
        FullyQualifiedErrorId=error_id,
    )
    record.serialize_extended_info = False
    return record
