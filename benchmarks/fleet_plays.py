# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What fleet.py runs: ours, what would be written without it, and the least there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fleet_lab

_KEY = r"HKLM:\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters"
_SWITCH_NAME = "DisableResolverSearchList"
_FILE = r"C:\TEMP\routes.txt"
_SWITCH = {
    "name": "Set the registry value",
    "ansible.windows.win_regedit": {
        "path": _KEY,
        "name": _SWITCH_NAME,
        "data": 1,
        "type": "dword",
    },
}
_ASK = {
    "name": "Open a shell, and ask for the registry value",
    "open_close": {"command": rf"reg query HKLM{_KEY.removeprefix('HKLM:')} /v {_SWITCH_NAME}"},
}
_SAVE = {
    "name": "Read the routes",
    "ansible.windows.win_shell": rf"C:\imccopy.exe -save routes {_FILE}; Get-Content {_FILE}",
    "register": "table",
}


@dataclass(frozen=True, slots=True)
class Case:
    """What to run, on hosts with nothing to do or with everything; how many tasks it has a host.

    ``play`` is the name of a playbook of the collection, or a list of tasks.
    """

    label: str
    play: str | list[dict[str, Any]]
    spoilt: bool = False
    status: int = 0
    variables: tuple[tuple[str, Any], ...] = ()


def _ours(**more: str) -> list[dict[str, Any]]:
    return [
        {
            "name": "Deliver these domains straight to their exchanges",
            "postmaster.exchange.imc_delivery": {
                "resolver_search_list": "disabled",
                "routes": "{{ routes }}",
                **more,
            },
        }
    ]


def _service(state: str) -> dict[str, Any]:
    return {
        "name": "See that the service runs",
        "ansible.windows.win_service": {"name": "MSExchangeIMC", "state": state},
    }


def _restore(domains: int) -> dict[str, Any]:
    """Write the whole table, as a template of somebody would."""
    rows = "\r\n".join(f"+{row}" for row in [fleet_lab.PARTNER, *fleet_lab.rows(domains)])
    text = (
        f"[Header]\r\nVersion=1\r\n\r\n[Routes]\r\nDeliveryRouting=+\r\n{rows}\r\nDefaultRouting="
    )
    return {
        "name": "Write the routes",
        "ansible.windows.win_shell": (
            f"Set-Content {_FILE} @'\r\n{text}\r\n'@\r\nC:\\imccopy.exe -restore routes {_FILE}"
        ),
    }


def routes(domains: int) -> list[dict[str, Any]]:
    """Return what mx_pairs_info would have computed."""
    return [
        {
            "domain": fleet_lab.domain(number),
            "status": "ok",
            "addresses": fleet_lab.addresses(number),
        }
        for number in range(domains)
    ]


def cases(domains: int) -> dict[str, Case]:
    """Return everything that can be measured, by its name on the command line."""
    ours = _ours()
    no_test = (("mx_delivery_test", "none"),)
    return {
        "floor": Case("a shell, opened and closed", [{"name": "Open a shell", "open_close": {}}]),
        "floor-command": Case("a shell, and one command in it", [_ASK]),
        "same": Case("imc_delivery, nothing to do", ours),
        "same-text": Case("imc_delivery, nothing to do, rows as text", _ours(return_routes="text")),
        "peer-same": Case("ansible.windows, nothing to do", [_SWITCH, _SAVE, _service("started")]),
        "change": Case("imc_delivery, all to do", ours, spoilt=True),
        "peer-change": Case(
            "ansible.windows, all to do",
            [_SWITCH, _SAVE, _restore(domains), _service("restarted")],
            spoilt=True,
        ),
        "audit": Case("audit, nothing to do", "audit"),
        "audit-drift": Case(
            "audit, all to do, with its report",
            "audit",
            spoilt=True,
            status=2,
            variables=(("mx_delivery_report_dir", "report"),),
        ),
        "audit-auto": Case(
            "audit, kind not said", "audit", variables=(("mx_delivery_family", "auto"),)
        ),
        "enforce-same": Case("enforce, nothing to do", "enforce", variables=no_test),
        "enforce": Case("enforce, all to do", "enforce", spoilt=True, variables=no_test),
    }
