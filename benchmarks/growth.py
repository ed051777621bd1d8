# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How what is computed grows: the plan of a host with many routes, the report of many hosts.

No host is asked; fleet.py with --domains does that. Each line is one process of its own, so that
its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / ".build"))

import fleet_lab  # noqa: E402 - the path comes first
import fleet_plays  # noqa: E402
import measure  # noqa: E402
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import (  # noqa: E402
    host,
    plan,
    report,
    routes,
    setting,
    spec,
    state,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report import (  # noqa: E402
    document,
    host_result,
    junit,
)
from ansible_collections.postmaster.exchange.plugins.plugin_utils import _page  # noqa: E402

_MEGABYTE = 1_000_000
_HEAD = ("what", "rows or hosts", "domains", "changed", "CPU s", "MB", "result or files")


def _table(rows: Sequence[str]) -> state.Table:
    lines = "".join(f"+{row}\r\n" for row in rows)
    start = "[Header]\r\nVersion=1\r\n\r\n[Routes]\r\nDeliveryRouting=+\r\n"
    content = f"{start}{lines}DefaultRouting=\r\n".encode()
    return state.Table("imccopy", content, routes.RoutesFile.parse(content))


def _result(domains: int, shown: report.ReturnRoutes, *, changed: bool) -> dict[str, Any]:
    """Return what imc_delivery would of a host whose table lacks everything, or nothing."""
    rows = [fleet_lab.PARTNER, *(() if changed else fleet_lab.rows(domains))]
    read = state.HostState(
        service=host.Service(host.ServiceState.RUNNING, 2), value=None, table=_table(rows)
    )
    wanted = spec.parse_imc_routes(fleet_plays.routes(domains), state=plan.State.PRESENT)
    wish = plan.Desired(setting.SearchList.UNMANAGED, wanted)
    made = plan.make_plan(read, wish, plan.Policy(may_restart=True))
    return report.result(made, read, None, "mail0001", shown)


def one_host(rows: int, *, changed: bool) -> str:
    """Gather, plan and tell of one host; returns the size of what it tells."""
    kinds = report.ReturnRoutes
    sizes = [len(json.dumps(_result(rows // 2, one, changed=changed))) for one in kinds]
    return ", ".join(
        f"{one} {size / _MEGABYTE:.2f} MB" for one, size in zip(kinds, sizes, strict=True)
    )


def whole_report(hosts: int, domains: int, *, changed: bool) -> str:
    """Make the three files of a report; returns their sizes."""
    names = [fleet_lab.domain(number) for number in range(domains)]
    pairs = {
        "domains": [
            {
                "domain": name,
                "status": "ok",
                "pairs": [
                    {"preference": 10, "exchange": f"mx.{name}", "address": address, "ttl": 300}
                    for address in fleet_lab.addresses(number)
                ],
            }
            for number, name in enumerate(names)
        ]
    }
    delivery = json.dumps(_result(domains, report.ReturnRoutes.TEXT, changed=changed))
    results = [
        host_result.HostResult(f"mail{number:04}", names, delivery=json.loads(delivery))
        for number in range(hosts)
    ]
    run = document.Run("audit", True, "2026-11-23T12:00:00Z")
    made = document.build(run, pairs, results)
    sizes = {
        "JSON": len(json.dumps(made, ensure_ascii=False, separators=(",", ":"))),
        "HTML": sum(map(len, _page.render(made))),
        "JUnit": sum(map(len, junit.junit(made))),
    }
    return ", ".join(f"{name} {size / _MEGABYTE:.1f} MB" for name, size in sizes.items())


def _measured(kind: str, number: int, domains: int, *, changed: bool) -> list[str]:
    """Run one case in a process of its own."""
    command = [sys.executable, str(HERE / "growth.py"), "--case", kind, str(number), str(domains)]
    done = subprocess.run(
        [*command, str(int(changed))], stdout=subprocess.PIPE, text=True, check=True
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return [
        {"host": "one host", "report": "report"}[kind],
        str(number),
        str(domains),
        "all" if changed else "none",
        f"{told['cpu']:.2f}",
        f"{told['memory']:.0f}",
        told["sizes"],
    ]


def _case(kind: str, number: int, domains: int, changed: bool) -> None:
    began = time.process_time()
    if kind == "host":
        sizes = one_host(number, changed=changed)
    else:
        sizes = whole_report(number, domains, changed=changed)
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {"cpu": time.process_time() - began, "memory": used.ru_maxrss / 1024, "sizes": sizes}
    print(json.dumps(told))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--hosts", type=int, nargs="+", default=[100, 1_000])
    parser.add_argument("--domains", type=int, default=1_000)
    parser.add_argument("--case", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.case:
        kind, number, domains, changed = options.case
        _case(kind, int(number), int(domains), bool(int(changed)))
        return
    print(f"{measure.machine()}\n")
    cases = [("host", rows, rows // 2) for rows in options.rows]
    cases += [("report", hosts, options.domains) for hosts in options.hosts]
    table = [_measured(*case, changed=changed) for case in cases for changed in (False, True)]
    print(measure.table(_HEAD, table))


if __name__ == "__main__":
    main()
