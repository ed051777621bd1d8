# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a run as metrics in Prometheus' text format, for node_exporter's textfile. Pure.

Names and units follow Prometheus' conventions: base units, and a time is seconds since the epoch.
A state is a label; the series of the present state has the value 1, and no other state has one.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .rows import Row, rows
from .states import VERDICTS

PREFIX = "mx_delivery_"


@dataclass(frozen=True, slots=True)
class Sample:
    """A value, a number as Prometheus writes it, with its labels."""

    value: float
    labels: Mapping[str, str]


def prometheus(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the file, a metric at a time; every metric has samples, help and type."""
    for name, text, samples in _metrics(document):
        lines = [_sample(name, sample) for sample in samples]
        if lines:
            yield f"# HELP {PREFIX}{name} {text}\n# TYPE {PREFIX}{name} gauge\n"
            yield from lines


def _metrics(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    run, answer, hosts = document["run"], document["answer"], document["hosts"]
    kind = {"kind": run["kind"]}
    ended = seconds(run["finished_at"])
    domains = list(rows(document))
    yield "run_finished_timestamp_seconds", "End of the last run.", _given(ended, kind)
    if run["started_at"]:
        lasted = ended - seconds(run["started_at"])
        yield "run_duration_seconds", "Time the last run took.", _given(lasted, kind)
    yield (
        "run_verdict",
        "1 for the verdict of the last run, 0 for the others.",
        [Sample(answer["verdict"] == one, {**kind, "verdict": one}) for one in VERDICTS],
    )
    yield (
        "host_state",
        "State of a host after the last run.",
        [
            Sample(1, {"host": host["name"], "state": host["state"], "verdict": host["verdict"]})
            for host in hosts
        ],
    )
    yield (
        "domain_state",
        "State of a domain on a host after the last run.",
        [Sample(1, {**_place(row), "state": row.state}) for row in domains if row.state],
    )
    yield (
        "delayed_messages",
        "Messages of a domain that are delayed in the queue of a host.",
        [
            Sample(row.delayed, _place(row))
            for row in domains
            if row.stuck and row.delayed is not None
        ],
    )
    yield (
        "oldest_delayed_message_age_seconds",
        "Age of the oldest delayed message at the end of the last run.",
        [Sample(ended - seconds(row.oldest), _place(row)) for row in domains if row.oldest],
    )
    yield (
        "delay_cause",
        "Best cause of delayed mail that the last diagnosis found, by its code.",
        [Sample(1, {**_place(row), "code": row.cause}) for row in domains if row.cause],
    )
    yield (
        "test_messages",
        "Test messages of the last run by result.",
        [Sample(number, {"result": result}) for result, number in answer["tests"].items()],
    )
    yield (
        "pin_ttl_left_seconds",
        "Remaining time to live of a domain's addresses in DNS; negative once it has expired.",
        [
            Sample(seconds(domain["valid_until"]) - ended, {"domain": domain["name"]})
            for domain in document["domains"]
            if domain.get("valid_until")
        ],
    )


def _given(value: float, labels: Mapping[str, str]) -> list[Sample]:
    return [Sample(value, labels)]


def _place(row: Row) -> dict[str, str]:
    return {"host": row.host["name"], "domain": row.domain}


def seconds(time: str) -> float:
    """Return a time of the document (ISO 8601) as seconds since the epoch."""
    return datetime.fromisoformat(time).timestamp()


def _sample(name: str, sample: Sample) -> str:
    labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in sample.labels.items())
    return f"{PREFIX}{name}{{{labels}}} {sample.value:.15g}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
