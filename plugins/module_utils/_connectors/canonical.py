# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One canonical form for each value that Exchange may spell in several ways.

Exchange echoes what it was given in a form of its own (``contoso.com`` comes back as
``SMTP:contoso.com;1``). Comparing canonical forms is what keeps an echo from reading as drift.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from .._base.errors import InvalidInput

_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.ASCII)
_SIZE = re.compile(
    r"(?P<number>[0-9]+)\s*(?P<unit>B|KB|MB|GB|TB)?(\s*\(.*\))?", re.ASCII | re.IGNORECASE
)
_EXACT_BYTES = re.compile(r"\((?P<bytes>[0-9][0-9.,'\s\u00a0\u202f]*) bytes\)", re.ASCII)
_COST = re.compile(r"[0-9]{1,9}", re.ASCII)
_LONGEST_SIZE = 80
_UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}

#: Costs an address space may have (New-SendConnector, parameter AddressSpaces).
COSTS = range(1, 101)


@dataclass(frozen=True, slots=True, order=True)
class AddressSpace:
    """Which recipients a connector takes: ``TYPE:ADDRESS;COST`` (New-SendConnector)."""

    address: str
    cost: int = 1
    kind: str = "SMTP"
    scoped: bool = False

    def __str__(self) -> str:
        scope = "Local:" if self.scoped else ""
        return f"{scope}{self.kind}:{self.address};{self.cost}" if self.kind else self.address


def address_space(text: str) -> AddressSpace:
    """Read an address space in any of its spellings.

    ``contoso.com``, ``SMTP:contoso.com;1``, ``smtp:Contoso.com; 1`` are the same, and ``Local:``
    before it means one Active Directory site. A kind other than SMTP keeps its address
    unchanged, and may lack a cost. Raises InvalidInput for text in another form.
    """
    local, scope, rest = text.strip().partition(":")
    scoped = bool(scope) and local.strip().casefold() == "local"
    rest = rest if scoped else text.strip()
    head, semicolon, tail = rest.rpartition(";")
    body, cost = (head, tail.strip()) if semicolon else (tail, "1")
    kind, colon, address = body.partition(":")
    kind, address = (kind.strip().upper(), address) if colon else ("SMTP", body)
    if kind != "SMTP" and not _COST.fullmatch(cost):
        address, cost = rest.partition(":")[2], "1"
    address = address.strip()
    if kind == "SMTP":
        address = address.rstrip(".").casefold()
    if not address or not kind or not _COST.fullmatch(cost):
        raise InvalidInput(f"{text!r} is not an address space (TYPE:ADDRESS;COST).")
    return AddressSpace(address, int(cost), kind, scoped)


def smart_host(text: str) -> str:
    """Return a smart host as Exchange stores it: ``[192.0.2.10]`` or a lower-case host name.

    Raises InvalidInput for what is neither an address nor a host name.
    """
    bare = text.strip()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1].strip()
    try:
        return f"[{ipaddress.ip_address(bare)}]"
    except ValueError:
        name = bare.rstrip(".").casefold()
    if len(name) > 253 or not _HOST_NAME.fullmatch(name):  # noqa: PLR2004 - RFC 1035, 2.3.4
        raise InvalidInput(f"{text!r} is not a smart host: it must be an address or a host name.")
    return name


def server_name(text: str) -> str:
    """Return a server's short name in lower case.

    Exchange shows a server as ``MBX1``, as a fully qualified name, or as the path of its directory
    object (``.../Servers/MBX1``); all name the same server.
    """
    name = re.split(r"[/\\]", text.strip())[-1]
    return name.split(".", 1)[0].casefold()


def boolean(value: object) -> bool:
    """Read a PowerShell boolean, typed or as text (``True``, ``$true``)."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lstrip("$").casefold()
    if text in {"true", "false"}:
        return text == "true"
    raise InvalidInput(f"{value!r} is not a boolean.")


def size(value: object) -> int | None:
    """Read a size as bytes; ``None`` means *unlimited*.

    Exchange takes ``35MB`` and echoes ``35 MB (36,700,160 bytes)``; the digits are grouped by the
    rules of the server's language, so anything but digits between them is passed over.
    """
    text = str(value).strip()
    if len(text) > _LONGEST_SIZE:  # digits without end
        raise InvalidInput(f"{text:.40} ... is not a size.")
    if text.casefold() == "unlimited":
        return None
    exact = _EXACT_BYTES.search(text)
    if exact:
        return int(re.sub(r"[^0-9]", "", exact["bytes"]))
    match = _SIZE.fullmatch(text)
    if not match:
        raise InvalidInput(f"{value!r} is not a size such as 35MB or Unlimited.")
    return int(match["number"]) * _UNITS[(match["unit"] or "B").upper()]


def size_argument(value: object) -> object:
    """Return a size as a cmdlet is documented to take it: ``35MB`` for what is echoed at length.

    The echo is in the language of the server that wrote it. Other values are returned unchanged.
    """
    try:
        number = size(value)
    except InvalidInput:
        return value
    if number is None:
        return "Unlimited"
    whole = (unit for unit in ("GB", "MB", "KB") if number and number % _UNITS[unit] == 0)
    unit = next(whole, "B")
    return f"{number // _UNITS[unit]}{unit}"
