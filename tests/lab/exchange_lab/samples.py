# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of tasks, as the modules return them, for tests of what is made of them.

Real results are far larger than what a test is about; these say what a report reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SWITCH = {"name": "DisableResolverSearchList", "type": "REG_DWORD", "data": 1}
SUFFIX = "hq.example"
NOW = "2026-11-23T11:47:31Z"


def domain(name: str, *addresses: str, status: str = "ok", **more: Any) -> dict[str, Any]:
    """One domain of a result of mx_pairs_info; each address is an exchange of its own."""
    failure = {
        "name": name,
        "type": "MX",
        "kind": "timeout",
        "nameserver": "192.0.2.53",
        "message": "no answer",
        "needed": True,
    }
    return {
        "domain": name,
        "status": status,
        "implicit_mx": False,
        "pairs": [
            {
                "preference": 10 * number,
                "exchange": f"mx{number}.{name}",
                "address": address,
                "ttl": 300,
            }
            for number, address in enumerate(addresses, start=1)
        ],
        "ttl": 300 if addresses else None,
        "valid_until": NOW if addresses else None,
        "warnings": [],
        "failures": [failure] if status == "temporary_failure" else [],
        "views": [],
        "evidence": None,
        **more,
    }


def resolved(*domains: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A result of mx_pairs_info."""
    return {"domains": list(domains), "stats": {"questions": 7, "seconds": 0.25}, **more}


def hijack(name: str, suffix: str = SUFFIX) -> dict[str, str]:
    """A warning of mx_pairs_info that a name has an answer with a suffix (Q150969)."""
    answer = f"MX 10 mail.{suffix}"
    return {
        "code": "search_list_hijack",
        "message": f"{name}.{suffix} has an answer ({answer})",
        "name": f"{name}.{suffix}",
        "suffix": suffix,
        "answer": answer,
    }


def rows(*pairs: str) -> list[dict[str, str]]:
    """Rows of a table of delivery routes, each ``domain address``."""
    return [
        {"domain": name, "address": address, "flag": "0"}
        for name, address in (pair.split() for pair in pairs)
    ]


def table(
    before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]], **more: Any
) -> dict[str, Any]:
    """A result of imc_delivery that changes the table from one to the other."""
    return {
        "changed": before != after,
        "registry": {"before": SWITCH, "after": SWITCH},
        "routes": {"before": before, "after": after},
        "service": {"state": "running"},
        "restarted": before != after,
        "restart_required": False,
        "worksheet": [],
        "warnings": [],
        "change_limit": None,
        "backup": None,
        **more,
    }


def connector(name: str, *hosts: str, title: str = "", **more: Any) -> dict[str, Any]:
    """A Send connector that pins a domain, as transport_delivery returns it."""
    return {
        "name": title or f"postmaster.exchange {name}",
        "address_spaces": [f"SMTP:{name};1"],
        "smart_hosts": [f"[{host}]" for host in hosts],
        "dns_routing": False,
        "source_servers": ["ex19-a"],
        "tls_domain": None,
        **more,
    }


def organisation(
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    *changed: str,
    name: str = "HQ",
    **more: Any,
) -> dict[str, Any]:
    """A result of transport_delivery that changes the connectors of some domains."""
    return {
        "changed": bool(changed),
        "organisation": {"name": name, "forest": "hq.example"},
        "domain_controller": "dc1.hq.example",
        "connectors": {"before": list(before), "after": list(after)},
        "steps": [{"cmdlet": "Set-SendConnector", "domain": each} for each in changed],
        "refused": [],
        "warnings": [],
        "change_limit": None,
        "backup": None,
        **more,
    }


def message(name: str, verdict: str = "delivered", **more: Any) -> dict[str, Any]:
    """One message of a result of delivery_test."""
    return {
        "domain": name,
        "recipient": f"postmaster@{name}",
        "message_id": "<delivery-test-9f86-0001@hq.example>",
        "verdict": verdict,
        "reason": "",
        "time": NOW,
        "seconds": 5.1,
        "error": None,
        "events": [{"event": "1011 SMTP transferred outbound", "time": NOW}],
        **more,
    }


def waiting(*stuck: str, error: str = "busy") -> dict[str, Any]:
    """A result of queue_info with a message for each of these domains."""
    known = {
        "code": 421,
        "enhanced": None,
        "text": error,
        "error_class": "refused",
        "origin": "far_server",
        "address": None,
        "host_name": None,
        "time": None,
        "winsock": None,
        "line": f"421 {error}",
        "source": "",
    }
    return {
        "files": len(stuck),
        "queues": [
            {"domain": name, "messages": 1, "oldest": NOW, "error": known} for name in stuck
        ],
        "stuck_domains": list(stuck),
    }


def appending(*suffixes: str, version: str = "5.5") -> dict[str, Any]:
    """A result of exchange_info of a host whose names may get suffixes."""
    resolver = {"search_list": suffixes, "source": "suffixes", "search_list_disabled": False}
    return {"version": version, "resolver": resolver}


def pinned(domains: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The rows that lead domains of mx_pairs_info to their addresses."""
    return [
        {"domain": each["domain"], "address": pair["address"], "flag": "0"}
        for each in domains
        for pair in each["pairs"]
    ]
