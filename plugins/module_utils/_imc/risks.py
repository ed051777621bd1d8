# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a change of a host must not be made, or what the administrator has to know of it. Pure.

All of it is documented: rows that keep the service from starting (Q182522, Q148565), rows by short
names (Q285023), clusters (Q316772, Q290651), a relay for all mail (Q199656), subdomains (Q259531).

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from .._run.family import Refusal
from .host import SERVICE_NAME
from .routes import RoutesFile, Row

_MOST_NAMED = 5
_MOST_SHOWN = 80  # characters of a row
_CLUSTER_STEPS = (
    "Change a cluster by hand: with the resource online, set the registry value and the rows, then"
    " take the resource offline and online in Cluster Administrator (Q316772, Q290651)."
)


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMED} more" if names[_MOST_NAMED:] else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def rows_text(rows: Sequence[str]) -> str:
    """Rows as a message shows them, whatever they hold."""
    return listed([ascii(row[:_MOST_SHOWN]) for row in rows])


def malformed(rows: Iterable[Row]) -> list[str]:
    """The rows that the service cannot parse, as written."""
    return [row.raw for row in rows if not row.well_formed]


def cluster_refusal() -> Refusal:
    """The refusal of every change to a node of a cluster."""
    return Refusal(
        f"the host is a node of a cluster, which controls the service {SERVICE_NAME} and restores"
        " its registry key",
        hint=_CLUSTER_STEPS,
    )


def malformed_refusal(rows: Sequence[str]) -> Refusal:
    """The refusal of a start into a table that the service cannot parse."""
    return Refusal(
        f"{_are(rows)}, so the service may not start again (event 4056, Q182522)",
        hint="Correct these rows in the Administrator program, then run again. force: true"
        " restarts the service anyway.",
    )


def malformed_warning(rows: Sequence[str], *, runs: bool, starts: bool) -> str:
    """Explain malformed rows for a service that runs, is stopped, or is about to start."""
    if starts:
        end = "The service may not start again (event 4056), and a rollback would not help"
    elif runs:
        end = "The service runs, but will not start again (event 4056, Q182522)"
    else:
        end = "The service does not start with such rows (event 4056, Q182522)"
    return f"{_are(rows)}. {end}."


def _are(rows: Sequence[str]) -> str:
    number, verb = ("1 row", "is") if len(rows) == 1 else (f"{len(rows)} rows", "are")
    return f"{number} of the route table {verb} malformed ({rows_text(rows)})"


def relay_refusal(relay: str, domains: Sequence[str], source: str = "") -> Refusal:
    """The refusal of pins that lead around the host to which all mail is forwarded."""
    by = f" (by {source})" if source else ""
    return Refusal(
        f"the host forwards all mail to {relay[:_MOST_SHOWN]!a}{by} and asks no MX, so routes of"
        f" {listed(domains)} would bypass that relay",
        hint="Pin these domains on the relay, or leave this host out. bypass_relay: true of a"
        " domain allows its routes here.",
    )


def new_pins(before: Sequence[Row], after: Sequence[Row], wanted: Collection[str]) -> list[str]:
    """The listed domains that get their first rows."""
    had = {row.key for row in before}
    names = dict.fromkeys(row.key for row in after)
    return [name for name in names if name in wanted and name not in had]


def short_names(rows: Iterable[Row]) -> list[str]:
    """The hosts of rows that are names without a domain."""
    hosts = (x for row in rows if row.well_formed for x in row.hosts)
    return list(dict.fromkeys(host for host in hosts if "." not in host))


def row_warnings(file: RoutesFile, wanted: Collection[str]) -> Iterator[str]:
    """Warn of rows that lead nowhere, or that lead a listed domain elsewhere."""
    rows = [row for row in file.rows if row.well_formed]
    dotted = [row.raw for row in rows if any(host.endswith(".") for host in (row.key, *row.hosts))]
    if dotted:
        yield (
            f"Names in routes end in a dot ({rows_text(dotted)}). Exchange returns mail for them"
            " as unreachable."
        )
    exact = [row.raw for row in rows if row.key.startswith("#") and row.key[1:] in wanted]
    if exact:
        yield (
            f"Routes for exactly one name ({rows_text(exact)}) may take precedence over the"
            " managed ones."
        )


def parent_with_rows(name: str, keys: Collection[str]) -> str | None:
    """The name of the rows that take a domain's mail: its own, or the longest parent (Q259531)."""
    while name:
        if name in keys:
            return name
        name = name.partition(".")[2]
    return None


def relayed(file: RoutesFile, names: Iterable[str]) -> dict[str, str]:
    """The names that no row covers, each with the relay that gets all such mail."""
    if not file.relay:
        return {}
    keys = {row.key for row in file.rows if row.well_formed}
    free = (x for x in names if f"#{x}" not in keys and parent_with_rows(x, keys) is None)
    return dict.fromkeys(free, file.relay)


def led_along(rows: Iterable[Row], names: Iterable[str]) -> dict[str, list[str]]:
    """The names without rows of their own, by the parent domain with rows for them."""
    keys = {row.key for row in rows if row.well_formed}
    led: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        parent = parent_with_rows(name, keys)
        if parent not in {None, name} and f"#{name}" not in keys:
            led.setdefault(str(parent), []).append(name)
    return led
