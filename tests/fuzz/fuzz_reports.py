# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read of results that hostile hosts brought about: each result goes through here."""

from __future__ import annotations

import csv
import json
from typing import Any
from xml.etree import ElementTree

from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.evidence import (
    HostEvidence,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.text import diagnosis
from ansible_collections.postmaster.exchange.plugins.module_utils._report.comma_separated import (
    HEADER,
    comma_separated,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import Run, build
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.junit import junit
from ansible_collections.postmaster.exchange.plugins.module_utils._report.markdown import markdown
from ansible_collections.postmaster.exchange.plugins.module_utils._report.prometheus import (
    prometheus,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.terminal import summary
from ansible_collections.postmaster.exchange.plugins.module_utils._run.module_runner import failed
from ansible_collections.postmaster.exchange.plugins.plugin_utils._page import render
from prometheus_client.parser import text_string_to_metric_families

RESOLVED: dict[str, Any] = {
    "domains": [
        {
            "domain": "nestle.com",
            "status": "ok",
            "pairs": [
                {
                    "preference": 10,
                    "exchange": "mail.nestle.com",
                    "address": "192.0.2.25",
                    "ttl": 300,
                }
            ],
            "warnings": [],
            "failures": [],
        }
    ],
    "stats": {"questions": 7, "seconds": 0.25},
}
_CONTROL = frozenset(map(chr, [*range(32), *range(0x7F, 0xA0)]))


def returned(result: Any) -> dict[str, Any]:
    """Return a task's result as the next task sees it, which is to say as JSON."""
    told = failed(result) if isinstance(result, ExchangeError) else {"changed": False, **result}
    text = json.dumps(told, default=str)
    text.encode()
    known: dict[str, Any] = json.loads(text)
    return known


def diagnosed(name: str, info: Any, queue: Any) -> None:
    """Check that a diagnosis of these results is lines of text."""
    result = {"exchange": returned(info), "queue": returned(queue), "delivery": {}}
    host = HostResult.read(name, RESOLVED, result)
    _readable(diagnosis(RESOLVED, [HostEvidence.of(host)]))


def reported(name: str, family: str, enforced: Any, tested: Any = None) -> None:
    """Check that a report on these results is lines of text."""
    result = {"family": family, "delivery": returned(enforced)}
    if tested is not None:
        result["tests"] = returned(tested)
    for kind in ("audit", "enforce"):
        run = Run(kind, check_mode=False, finished_at="2026-11-23T12:00:00Z")
        document = build(run, RESOLVED, [HostResult.read(name, RESOLVED, result)])
        _readable([line.text for line in summary(document)])
        ElementTree.fromstring("".join(junit(document)))
        list(text_string_to_metric_families("".join(prometheus(document))))
        for line in "".join(markdown(document)).splitlines():
            _readable([line])
        assert all(len(row) == len(HEADER) for row in csv.reader(comma_separated(document)))
        page = "".join(render(document))
        assert page.count("</script>") == page.count("<script"), "a script that data begins or ends"


def _readable(lines: list[str]) -> None:
    """Lines for a terminal: none of them is two, or moves the cursor."""
    for line in lines:
        assert isinstance(line, str)
        assert not _CONTROL.intersection(line), f"{line!r} holds a control character"
        line.encode()
