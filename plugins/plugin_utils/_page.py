# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a run as one HTML page that needs nothing besides itself.

The answer and the table of hosts are HTML. All else is drawn by the page's script, which gets the
document as JSON. The page forbids itself any style, script or connection but its own.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..module_utils._report.states import (
    ARRIVED,
    DOMAIN_WORDS,
    FAMILY_WORDS,
    HOST_WORDS,
    REASON_WORDS,
    STATUS_WORDS,
    VERDICTS,
    Judge,
    State,
)
from ..module_utils._report.terminal import host_states_text, notices
from ..module_utils._report.text import words

_FOLDER = Path(__file__).parent / "page"
_SCRIPTS = ("dom.js", "model.js", "details.js", "table.js", "main.js")
_TITLES = {
    "audit": "Audit",
    "diagnose": "Diagnosis",
    "enforce": "Enforcement",
    "rollback": "Rollback",
}
_SIGNS = {"clean": "\u2713", "drift": "\u2260", "unjudged": "?", "failed": "\u2717"}
_BAR = 1000  # width of the bar in its own units
_THINNEST = 0.005  # share of the bar, so that one in a thousand is visible


def render(document: Mapping[str, Any]) -> Iterable[str]:
    """Return the page in pieces."""
    run, answer = document["run"], document["answer"]
    pieces: Iterable[str] = _template().generate(
        title=f"{_TITLES[run['kind']]} of Exchange mail delivery",
        run=run,
        answer=answer,
        hosts=document["hosts"],
        sign=_SIGNS[answer["verdict"]],
        bar=_bar(answer["counts"]),
        tiles=_tiles(document),
        test_tiles=_test_tiles(answer["tests"]),
        notices=notices(document),
        facts=_facts(document),
        labels=_LABELS,
        labels_json=_embedded(_LABELS),
        document_json=_embedded(document),
        style=_trusted(_style()),
        style_hash=_hash(_style()),
        script=_trusted(_script()),
        script_hash=_hash(_script()),
    )
    return pieces


_LABELS = {
    "domainStates": {state.value: text for state, text in DOMAIN_WORDS.items()},
    "hostStates": {state.value: text for state, text in HOST_WORDS.items()},
    "reasons": REASON_WORDS,
    "statuses": STATUS_WORDS,
    "verdicts": VERDICTS,
    "families": FAMILY_WORDS,
}


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    environment.filters["states"] = host_states_text
    return environment.get_template("page.html.j2")


@cache
def _style() -> str:
    return (_FOLDER / "page.css").read_text(encoding="utf-8")


@cache
def _script() -> str:
    parts = ((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return "(() => {\n'use strict';\n" + "\n".join(parts) + "})();\n"


def _trusted(text: str) -> Markup:
    """Return a text that needs no escaping: a file of this collection, or safe JSON."""
    return Markup(text)  # noqa: S704


def _hash(text: str) -> str:
    """Return the source expression that allows exactly this style or script (CSP level 2)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(data: Any) -> Markup:
    """Return data as JSON for a script element, which no text in it can end."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return _trusted(text)


def _moment(stamp: str) -> str:
    """Return ``2026-11-23T11:45:07Z`` as ``2026-11-23 11:45:07 UTC``."""
    return stamp.replace("T", " ").replace("Z", " UTC")


def _bar(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the pieces of the bar of all pairs of host and domain; none is too thin to see."""
    widths = {
        state.value: max(counts[state.value] / counts["total"], _THINNEST)
        for state in DOMAIN_WORDS
        if counts[state.value]
    }
    scale = _BAR / sum(widths.values(), 0.0) if widths else 0.0
    pieces, x = [], 0.0
    for name, share in widths.items():
        pieces.append({"name": name, "x": round(x, 1), "width": round(share * scale, 1)})
        x += share * scale
    return pieces


def _tiles(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the counts: domains by state, and those with mail delayed in a queue.

    The counts that a reader looks for are there even if they are 0. The queue's is known only if a
    queue was read.
    """
    counts = document["answer"]["counts"]
    proposed = Judge.of_run(document["run"]).proposed
    difference = State.WOULD_CHANGE if proposed else State.CHANGED
    always = {State.UP_TO_DATE, difference, State.FAILED, State.KEPT}
    tiles = [
        {"name": state.value, "number": counts[state.value], "label": label}
        for state, label in DOMAIN_WORDS.items()
        if counts[state.value] or (counts["total"] and state in always)
    ]
    stuck = counts["stuck"] + counts["stuck_unlisted"]
    queues = [host["queue"] for host in document["hosts"] if host["queue"] is not None]
    if stuck or any(queue["failure"] is None for queue in queues):
        tiles.append({"name": "stuck", "number": stuck, "label": "delayed in the queue"})
    return tiles


def _test_tiles(tests: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the numbers of test messages by verdict."""
    names = dict.fromkeys(ARRIVED, "delivered") | {"not_tested": "not_tested"}
    return [
        {"name": names.get(verdict, "undelivered"), "number": number, "label": words(verdict)}
        for verdict, number in tests.items()
    ]


def _facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the facts of the run, as names and texts."""
    run = document["run"]
    awx, dns, lock = run["by"]["awx"] or {}, run["dns"], run["lock"]
    facts = (
        ("Run", run["id"]),
        ("Kind", run["kind"] + (", check mode" if run["check_mode"] else "")),
        ("Started", run["started_at"] and _moment(run["started_at"])),
        ("Finished", _moment(run["finished_at"])),
        ("User on the controller", run["by"]["login"]),
        ("Slices", run["slices"] and str(len(run["slices"]))),
        ("AWX job", " ".join(filter(None, (awx.get("job"), awx.get("template"))))),
        ("AWX user", awx.get("user")),
        ("DNS", dns["questions"] and f"{dns['questions']} queries in {dns['seconds']:.2f} s"),
        ("Lock file", lock and lock["path"]),
        ("Resolved at", lock and lock["resolved_at"] and _moment(lock["resolved_at"])),
        ("Fails on", ", ".join(words(status) for status in run["fail_on"])),
    )
    return [(name, text) for name, text in facts if text]
