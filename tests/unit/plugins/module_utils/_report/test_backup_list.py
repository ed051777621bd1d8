# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of backups as text."""

from __future__ import annotations

from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._report.backup_list import (
    backup_list,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)


def saved(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "run": "",
        "before": "",
        "usable": True,
        "same": False,
        "summary": "2 routes (nestle.com)",
        **more,
    }


def found(of: str, *backups: dict[str, Any], family: str = "imc", count: int = 0) -> dict[str, Any]:
    return {
        "family": family,
        "of": of,
        "folder": f"/b/{of}",
        "count": count or len(backups),
        "backups": list(backups),
    }


def history(results: list[tuple[str, dict[str, Any] | None]]) -> list[str]:
    return backup_list([HostResult(name, (), backups=result) for name, result in results])


def test_hosts_and_organisations() -> None:
    org = found(
        "First Organization (hq.example)",
        saved("2026-11-23T115000Z", run="r2", before="restored", summary="1 connector (a.example)"),
        saved("2026-11-23T114500Z", run="change-1", before="enforced", same=True, summary="as now"),
        family="transport",
        count=5,
    )
    assert history(
        [
            ("mail5-a", found("mail5-a", saved("2026-11-23T114500Z"))),
            ("mail5-b", found("mail5-b")),
            ("ex19-a", org),
            ("ex19-b", org),
            ("down", {"unreachable": True, "msg": "down: no route to host."}),
            ("unseen", None),
            ("files", {"skipped": True, "skip_reason": "no such service here"}),
        ]
    ) == [
        "mail5-a: 1 backup in /b/mail5-a",
        "  newest first, each with what restoring it would change now",
        "    2026-11-23T114500Z  unnamed run  2 routes (nestle.com)",
        "",
        "mail5-b: no backup in /b/mail5-b",
        "",
        "First Organization (hq.example): 5 backups in /b/First Organization (hq.example)",
        "  newest first, each with what restoring it would change now",
        "    2026-11-23T115000Z  run r2, before a rollback      1 connector (a.example)",
        "    2026-11-23T114500Z  run change-1, before a change  as now",
        "    and 3 older",
        "",
        "down: no route to host.",
        "",
        "unseen: not checked: the run has no result of this host",
        "",
        "files: no such service here",
        "",
        "To restore one: -e mx_delivery_backup=NAME, the name of a backup or a run.",
    ]


def test_where_nothing_could_be_put_back_nothing_is_offered() -> None:
    same = saved("2026-11-23T114500Z", same=True, summary="as it is now")
    broken = saved("2026-11-23T114400Z", usable=False, summary="cannot be put back: x")
    lines = history([("a", found("a", same, broken))])
    assert lines[-1] == "    2026-11-23T114400Z  unnamed run  cannot be put back: x"
    assert history([]) == []


def test_a_diff_stands_below_its_backup() -> None:
    block = {
        "before_header": "a: delivery routes, now",
        "before": "nestle.com  192.0.2.25\npartner.corp  10.1.2.3\n",
        "after_header": "a: delivery routes, in X",
        "after": "partner.corp  10.1.2.3\n",
    }
    lines = history([("a", found("a", saved("X", diff=[block]), saved("W")))])
    assert lines[2:9] == [
        "    X  unnamed run  2 routes (nestle.com)",
        "      --- a: delivery routes, now",
        "      +++ a: delivery routes, in X",
        "      @@ -1,2 +1 @@",
        "      -nestle.com  192.0.2.25",
        "       partner.corp  10.1.2.3",
        "    W  unnamed run  2 routes (nestle.com)",
    ]
