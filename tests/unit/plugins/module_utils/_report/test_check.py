# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""First contact as text: a block a host, each problem once with its remedy, the answer."""

from __future__ import annotations

from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._report.check import (
    CheckReport,
    check_report,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)

OLD = {
    "family": "imc",
    "version": "5.5",
    "service_pack": "SP4",
    "build": 2653,
    "service": {"name": "MSExchangeIMC", "state": "running", "start_type": "auto"},
    "resolver": {
        "domain": "hq.example",
        "search_list": [],
        "search_list_disabled": True,
        "nameservers": ["10.0.0.53"],
    },
    "tools": {"reg": r"C:\reg.exe", "imccopy": None},
    "clock_difference": 2,
}
NEW = {
    "family": "transport",
    "version": "2019",
    "build": "15.2.1544.4",
    "organisation": "First",
    "server": "EX19",
    "servers": [
        {"name": "EX19", "external_dns": {"servers": ["203.0.113.53"], "adapter_enabled": False}}
    ],
    "clock_difference": None,
}
READ = {"allowed": ["registry", "service"], "lacking": []}


def host(name: str, exchange: dict[str, Any], **more: Any) -> HostResult:
    given = {"rights": READ, "family": exchange.get("family", ""), **more}
    return HostResult(name, (), exchange=exchange, **given)


def report(*hosts: HostResult, **more: Any) -> CheckReport:
    return check_report(hosts, ["127.0.0.1:53"], **{"gap": "", **more})


def text(checked: CheckReport) -> str:
    return " ".join(" ".join(line.text for line in checked.lines).split())


def test_what_hosts_of_both_families_show() -> None:
    checked = report(host("mail55", OLD), host("ex19", NEW), behind=["mail55"])
    shown = text(checked)
    for said in (
        "Controller: DNS 127.0.0.1:53",
        "mail55: Exchange 5.5 SP4, build 2653; MSExchangeIMC is running (start: auto)",
        "clock on the management host: as on this controller",
        "DNS Windows asks 10.0.0.53; appended to names: hq.example (off:",
        "account may read registry, service",
        "tools reg; not there: imccopy",
        "ex19: Exchange 2019, build 15.2.1544.4; organisation First (servers EX19)",
        "clock not seen (no answer by WinRM)",
        "DNS Transport asks 203.0.113.53",
        "account may run registry, service",
        "Not checked: the rights to change",
        "Both hosts are ready for an audit.",
    ):
        assert said in shown
    assert checked.verdicts == {"mail55": "clean", "ex19": "clean"}
    assert checked.problems == {}


def test_hosts_alike_share_a_problem_and_its_remedy() -> None:
    down = [
        host(
            name, {"unreachable": True, "msg": f"{name}: no route. Check the network."}, rights=None
        )
        for name in ("a", "b")
    ]
    late = host("c", {**OLD, "clock_difference": -421})
    lacking = {"allowed": [], "lacking": [{"what": "Get-Queue", "msg": "d: lacks it. Add it."}]}
    checked = report(*down, late, host("d", NEW, rights=lacking))
    shown = text(checked)
    for said in (
        "a: not read; see below",
        "a, b: no route. Check the network.",
        "c: its clock is 7 min 1 s behind this controller's, and Kerberos allows 5 minutes.",
        "account may run nothing; not Get-Queue",
        "d: lacks it. Add it.",
        "Of 4 hosts, 2 have problems, 2 could not be reached.",
    ):
        assert said in shown
    assert shown.count("no route") == 1
    assert list(checked.verdicts.values()) == ["unjudged", "unjudged", "failed", "failed"]


def test_a_host_without_exchange_and_one_without_an_answer() -> None:
    checked = report(host("web", {"family": "none"}, rights=None), HostResult("odd", ()))
    shown = text(checked)
    assert "web: Exchange was not found here, or its version is unknown. Check the name" in shown
    assert "odd: not checked: the run has no result of this host" in shown
    assert checked.verdicts == {"web": "failed", "odd": "failed"}


def test_a_controller_without_name_servers_fails_each_host() -> None:
    checked = check_report([host("mail55", OLD)], [], "DNS: no server. Set one.")
    assert "controller: DNS: no server. Set one." in text(checked)
    assert checked.verdicts == {"mail55": "failed"}


def test_no_host() -> None:
    assert "No host took part." in text(report())
