# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values in the forms that Exchange accepts and the canonical ones that it echoes.

Sources: "New-SendConnector" and "Set-SendConnector" (AddressSpaces, SmartHosts, MaxMessageSize,
ConnectionInactivityTimeOut). Every function raises ``ValueError`` with the reason.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
_SIZE = re.compile(
    r"\s*(?P<number>[0-9][0-9,]*(?:\.[0-9]+)?)\s*(?P<unit>B|KB|MB|GB|TB)?"
    r"(?:\s*\((?P<bytes>[0-9,]+) bytes\))?\s*\Z",
    re.IGNORECASE,
)
_SPAN = re.compile(
    r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>[0-5]?\d)(?::(?P<seconds>[0-5]?\d))?"
    r"(?:\.(?P<fraction>\d{1,7}))?\Z"
)
_UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
MAX_SIZE = 2_147_483_647
_MAX_COST = 100
UNLIMITED = "Unlimited"


def is_domain(name: str) -> bool:
    """Whether a name is a host or domain name of RFC 1035, without a trailing dot."""
    return 0 < len(name) <= 253 and all(_LABEL.match(label) for label in name.split("."))


@dataclass(frozen=True, slots=True)
class AddressSpace:
    """``[Local:]type:space;cost`` of a Send connector. ``scoped`` is the prefix ``Local:``."""

    kind: str
    space: str
    cost: int
    scoped: str = ""

    @classmethod
    def parse(cls, text: str) -> AddressSpace:
        """Read what a cmdlet is given: ``[type:]space[;cost]``, SMTP and 1 where missing."""
        read = cls.read(text)
        if not 1 <= read.cost <= _MAX_COST:
            raise ValueError(f"The address space cost '{read.cost}' must be from 1 through 100.")
        if read.kind.upper() == "SMTP" and not _smtp_space(read.space):
            raise ValueError(f"The SMTP address space '{read.space}' is not valid.")
        return read

    @classmethod
    def read(cls, text: str) -> AddressSpace:
        """Read what stands in the directory, which can be anything at all."""
        kind, separator, rest = text.strip().partition(":")
        scoped = ""
        if separator and kind.casefold() == "local":
            scoped, (kind, separator, rest) = f"{kind}:", rest.partition(":")
        if not separator:
            kind, rest = "SMTP", kind
        space, separator, cost = rest.rpartition(";")
        if not separator or not cost.strip().isdecimal():
            space, cost = rest, "1"
        return cls(kind, space.strip(), int(cost), scoped)

    def __str__(self) -> str:
        """What Exchange echoes: with type and cost, the type in the spelling that was given."""
        return f"{self.scoped}{self.kind}:{self.space};{self.cost}"

    def specificity(self, domain: str) -> int:
        """How specifically this space covers a domain: labels matched, exact above wildcard.

        0 is the ``*`` space; -1 means that it does not cover the domain at all.
        """
        if self.kind.upper() != "SMTP":
            return -1
        domain, space = domain.lower().rstrip("."), self.space.lower()
        if space == "*":
            return 0
        if space == "--":  # the organisation's own domains, as an Edge sees them
            return -1
        if space.startswith("*."):
            # "*.contoso.com" is the domain itself and all its subdomains ("Send connectors").
            base = space[2:]
            covered = domain == base or domain.endswith("." + base)
            return 2 * (base.count(".") + 1) if covered else -1
        return 2 * (space.count(".") + 1) + 1 if domain == space else -1


def _smtp_space(space: str) -> bool:
    if space in ("*", "--"):
        return True
    return is_domain(space.removeprefix("*."))


def smart_host(text: str) -> str:
    """Canonical smart host: ``[192.0.2.10]`` for an address, the name as it is for a name."""
    bare = text.strip()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    try:
        return f"[{ipaddress.ip_address(bare)}]"
    except ValueError:
        if bare != text.strip() or not is_domain(bare) or re.fullmatch(r"[0-9.]+", bare):
            raise ValueError(f"'{text}' is not a valid smart host.") from None
        return bare


def smart_host_target(text: str, port: int) -> tuple[str, int, bool]:
    """(host, port, whether it is an address) of what stands in the directory.

    No cmdlet takes ``relay:587`` or ``[IPv6:2001:db8::1]``, but organisations have them.
    """
    bare = text.strip().removeprefix("[").removesuffix("]")
    if bare.casefold().startswith("ipv6:"):
        bare = bare[len("ipv6:") :]
    name, separator, number = bare.rpartition(":")
    if separator and ":" not in name and number.isdecimal():
        bare, port = name, int(number)
    try:
        return str(ipaddress.ip_address(bare)), port, True
    except ValueError:
        return bare, port, False


def message_size(value: object) -> str:
    """Canonical size: ``35 MB (36,700,160 bytes)`` or ``Unlimited``.

    Accepts a number of bytes, ``35MB``, ``35 MB (36,700,160 bytes)`` and ``unlimited``.
    """
    text = str(value).strip()
    if text.lower() == "unlimited":
        return UNLIMITED
    match = _SIZE.match(text)
    if match is None:
        raise ValueError(f"'{text}' is not a size.")
    if match["bytes"]:
        count = int(match["bytes"].replace(",", ""))
    else:
        count = int(
            float(match["number"].replace(",", "")) * _UNITS[(match["unit"] or "B").upper()]
        )
    if count > MAX_SIZE:
        raise ValueError(f"The size must be between 0 and {MAX_SIZE} bytes.")
    return quantified(count)


def quantified(count: int) -> str:
    """A number of bytes as a ByteQuantifiedSize prints itself."""
    for unit in ("TB", "GB", "MB", "KB"):
        if count >= _UNITS[unit]:
            short = f"{count / _UNITS[unit]:.4g}"
            return f"{short} {unit} ({count:,} bytes)"
    return f"{count} B ({count:,} bytes)"


def size_in_bytes(canonical: str) -> int | None:
    """The number of bytes of a canonical size; None for Unlimited."""
    if canonical == UNLIMITED:
        return None
    match = _SIZE.match(canonical)
    if match is None or not match["bytes"]:
        raise ValueError(f"'{canonical}' is not a canonical size.")
    return int(match["bytes"].replace(",", ""))


def time_span(value: object) -> timedelta:
    """Read an EnhancedTimeSpan: ``[d.]hh:mm[:ss]``, or a duration that PSRP carried as one."""
    if isinstance(value, timedelta):
        return value
    match = _SPAN.match(str(value).strip())
    if match is None:
        raise ValueError("String was not recognized as a valid TimeSpan.")
    return timedelta(
        days=int(match["days"] or 0),
        hours=int(match["hours"]),
        minutes=int(match["minutes"]),
        seconds=int(match["seconds"] or 0),
    )


def print_span(span: timedelta) -> str:
    """A time span as .NET prints it: ``00:10:00`` or ``2.00:00:00``."""
    seconds = int(span.total_seconds())
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"
    return f"{days}.{clock}" if days else clock
