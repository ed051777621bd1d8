# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service reads at its start, and only then (Q150969, Q169770, Q182522)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..windows.registry import Registry
from .imc_directory import Connector, Route, parse_route

SERVICES_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services"
PARAMETERS_KEY = SERVICES_KEY + r"\MSExchangeIMC\Parameters"
ATTENDANT_KEY = SERVICES_KEY + r"\MSExchangeSA\Parameters"
TCPIP_KEY = SERVICES_KEY + r"\Tcpip\Parameters"
SETUP_KEY = r"HKLM\SOFTWARE\Microsoft\Exchange\Setup"
SWITCH = "DisableResolverSearchList"
DEFAULT_TRACKING_FOLDER = r"C:\exchsrvr\tracking.log"


class NotConfigured(Exception):  # noqa: N818 - said of the host
    """The registry lacks what the service cannot do without."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of one run of the service."""

    root: str
    tracking_folder: str
    suffixes: tuple[str, ...]
    routes: tuple[Route, ...]
    tracking: bool
    diagnostics: int
    relay: Route | None = None
    arrows: bool = False


def read_configuration(registry: Registry, connector: Connector) -> Configuration:
    """Read everything; raises NotConfigured, or RouteError for a row that cannot be parsed."""
    return Configuration(
        root=read_root(registry),
        tracking_folder=_text(registry, ATTENDANT_KEY, "LogDirectory") or DEFAULT_TRACKING_FOLDER,
        suffixes=() if search_list_disabled(registry) else _search_list(registry),
        routes=tuple(parse_route(row) for row in connector.rows),
        tracking=connector.tracking,
        diagnostics=connector.diagnostics,
        relay=Route("", connector.relay, 0) if connector.relay else None,
        arrows=connector.arrows,
    )


def read_root(registry: Registry) -> str:
    """Return RootDir, the Imcdata folder."""
    root = _text(registry, PARAMETERS_KEY, "RootDir")
    if not root:
        raise NotConfigured(f"there is no RootDir in {PARAMETERS_KEY}")
    return root


def search_list_disabled(registry: Registry) -> bool:
    """Tell whether the switch is set. Its name is case-sensitive (Q150969), any non-zero counts."""
    value = registry.get(PARAMETERS_KEY, SWITCH)
    return (
        value is not None and value.name == SWITCH and value.type == "REG_DWORD" and value.data != 0
    )


def has_domain(registry: Registry) -> bool:
    """Whether TCP/IP has a domain; without one the service does not start (Q154589, Q312439)."""
    return bool(_text(registry, TCPIP_KEY, "Domain").strip("."))


def _search_list(registry: Registry) -> tuple[str, ...]:
    listed = _text(registry, TCPIP_KEY, "SearchList") or _text(registry, TCPIP_KEY, "Domain")
    return tuple(part.strip(".") for part in re.split(r"[ ,;]+", listed) if part.strip("."))


def _text(registry: Registry, key: str, name: str) -> str:
    value = registry.get(key, name)
    return value.data if value is not None and isinstance(value.data, str) else ""
