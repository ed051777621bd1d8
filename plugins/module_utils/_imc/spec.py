# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of imc_delivery that are about the host, and what they mean together.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._base.errors import InvalidInput
from .._pairs.names import parse_domain
from .._run.routes import Address, Route, parse_routes
from .family import Timeouts
from .host import PARAMETERS_KEY
from .layout import Layout
from .plan import Desired, Policy, State
from .report import ReturnRoutes
from .setting import SearchList

IMC_SPEC: dict[str, dict[str, Any]] = {
    "resolver_search_list": {
        "type": "str",
        "choices": [str(choice) for choice in SearchList],
        "default": "unmanaged",
    },
    "routes": {"type": "list", "elements": "dict"},
    "known_domains": {"type": "list", "elements": "str", "default": []},
    "silent_exchanges": {"type": "str", "choices": ["warn", "drop"], "default": "warn"},
    "state": {"type": "str", "choices": [str(choice) for choice in State], "default": "present"},
    "missing_domain": {"type": "str", "choices": ["keep", "remove"], "default": "keep"},
    "service_restart": {
        "type": "str",
        "choices": ["when_changed", "never"],
        "default": "when_changed",
    },
    "service_timeout": {"type": "int", "default": 900},
    "command_timeout": {"type": "int", "default": 120},
    "host_backup_dir": {"type": "str"},
    "imccopy": {"type": "str"},
    "registry_key": {"type": "str", "default": PARAMETERS_KEY, "no_log": False},
    "max_routes": {"type": "int", "default": 100},
    "return_routes": {
        "type": "str",
        "choices": [str(choice) for choice in ReturnRoutes],
        "default": "all",
    },
    "missing_service": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
    "missing_imccopy": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
    "target_computer": {"type": "str"},
    "target_imccopy": {"type": "str"},
    "target_directory": {"type": "str", "default": r"C:\TEMP"},
}


@dataclass(frozen=True, slots=True)
class Options:
    """The options, checked."""

    desired: Desired
    policy: Policy
    layout: Layout
    timeouts: Timeouts
    skips_missing_service: bool
    warns_of_missing_imccopy: bool
    return_routes: ReturnRoutes


def parse_options(params: Mapping[str, Any]) -> Options:
    """Check the options of one task; raises InvalidInput before anything is asked of the host."""
    state = State(params["state"])
    _check_together(params, state)
    layout = Layout(
        computer=params["target_computer"] or "",
        imccopy=params["imccopy"] or "",
        target_imccopy=params["target_imccopy"] or "",
        target_directory=params["target_directory"],
        registry_key=params["registry_key"],
        host_backup_dir=params["host_backup_dir"] or "",
    )
    layout.check()
    for name in ("command_timeout", "service_timeout"):
        if params[name] < 1:
            raise InvalidInput(f"{name} must be 1 second or more, not {params[name]}.")
    return Options(
        desired=Desired(
            search_list=SearchList(params["resolver_search_list"]),
            routes=None
            if params["routes"] is None
            else parse_imc_routes(params["routes"], state=state),
            state=state,
            removes_missing=params["missing_domain"] == "remove",
        ),
        policy=Policy(
            may_restart=params["service_restart"] == "when_changed",
            max_routes=params["max_routes"],
            force=bool(params.get("force")),
            known_domains=tuple(map(parse_domain, params["known_domains"])),
            drops_silent=params["silent_exchanges"] == "drop",
        ),
        layout=layout,
        timeouts=Timeouts(float(params["command_timeout"]), float(params["service_timeout"])),
        skips_missing_service=params["missing_service"] == "skip",
        warns_of_missing_imccopy=params["missing_imccopy"] == "warn",
        return_routes=ReturnRoutes(params["return_routes"]),
    )


def _check_together(params: Mapping[str, Any], state: State) -> None:
    managed = params["resolver_search_list"] != SearchList.UNMANAGED
    routes = params["routes"] is not None
    if state is State.RESTORED:
        if routes or managed:
            raise InvalidInput(
                "state: restored restores the contents of the backup. Do not set routes or"
                " resolver_search_list with it."
            )
        return
    if not routes and not managed:
        raise InvalidInput("Nothing to do: give routes, resolver_search_list, or both.")
    if state is not State.PRESENT and not routes:
        raise InvalidInput(f"state: {state} needs the option routes.")
    if params["imccopy"] and params["target_computer"]:
        raise InvalidInput(
            "The option imccopy is a path on the host; behind a management host it is"
            " target_imccopy that runs imccopy on target_computer."
        )
    if params["target_imccopy"] and not params["target_computer"]:
        raise InvalidInput("The option target_imccopy needs target_computer.")


def parse_imc_routes(entries: Sequence[Any], *, state: State) -> tuple[Route, ...]:
    """Check the option ``routes``: the Internet Mail Connector accepts only IPv4."""

    def only_ipv4(address: Address) -> str:
        if address.version == 4:  # noqa: PLR2004 - IPv4
            return ""
        return (
            "is an IPv6 address; the Internet Mail Connector accepts only IPv4 (compute the pairs"
            " with families: ipv4)"
        )

    if state is State.EXACT and not entries:
        raise InvalidInput(
            "routes is empty with state: exact, which would remove every row of the table, also"
            " those of others.",
            hint="Nothing was changed. Check where the list comes from; state: absent removes the"
            " routes of listed domains.",
        )
    return parse_routes(
        entries, needs_addresses=state is not State.ABSENT, check=only_ipv4, kind="IPv4"
    )
