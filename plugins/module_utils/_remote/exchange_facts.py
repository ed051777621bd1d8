# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one look at a host found of its Exchange, the same for every version. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum


class Family(StrEnum):
    """Which part of the collection serves a host."""

    IMC = "imc"
    TRANSPORT = "transport"
    NONE = "none"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ExchangeFacts:
    """The fields are the results of the module exchange_info, where their meaning is documented."""

    family: Family
    version: str | None = None
    build: int | str | None = None
    service_pack: str | None = None
    service_build: str | None = None
    service: Mapping[str, object] | None = None
    root_dir: str | None = None
    tracking: Mapping[str, object] = field(default_factory=lambda: {"folder": None, "exists": None})
    pickup: bool | None = None
    resolver: Mapping[str, object] | None = None
    tools: Mapping[str, str | None] = field(default_factory=dict)
    organisation: str | None = None
    server: str | None = None
    servers: Sequence[Mapping[str, object]] = ()
    warnings: Sequence[str] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the facts as the module exchange_info returns them."""
        return {
            "changed": False,
            "exchange_installed": self.family is not Family.NONE,
            **asdict(self),
            "family": str(self.family),
            "servers": list(self.servers),
            "warnings": list(self.warnings),
        }
