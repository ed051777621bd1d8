# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of modules about one host, as small as a diagnosis needs them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._imc.protocol_log import parse_log
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.smtp_errors import (
    SmtpError,
    parse_last_error,
    printable,
)

CONTACT = "421 NSO hq.com Unable to contact destination SMTP demon nestle.com"
DNS = "451 4.4.0 DNS query failed"
FAILURE = {
    "name": "nestle.com",
    "type": "MX",
    "nameserver": "203.0.113.53",
    "message": "no answer",
    "needed": True,
}
HIJACK = {
    "code": "search_list_hijack",
    "message": "nestle.com.hq.example has an answer",
    "suffix": "hq.example",
    "name": "nestle.com.hq.example",
    "answer": "MX 10 mail.hq.example",
}
AAAA = {
    "code": "aaaa_trouble",
    "name": "demon.nestle.com",
    "nameserver": "203.0.113.53",
    "kind": "timeout",
    "message": "the AAAA lookup of demon.nestle.com ends in timeout at 203.0.113.53",
}
DANGLING = {
    "code": "exchange_without_address",
    "message": "the MX host mx9.nestle.com does not exist in DNS; it was left out",
    "exchange": "mx9.nestle.com",
}
EVIDENCE = {"authentic": False}


def responded(reply: str) -> str:
    """A reply of a far server as Exchange 2013 and later quote it."""
    return (
        f'451 4.4.0 Primary target IP address responded with: "{reply}" The last endpoint attempted'
        " was 192.0.2.25:25"
    )


def down(winsock: int) -> str:
    """The error of a connection that was not made."""
    return (
        '441 4.4.1 Error encountered while communicating with primary target IP address: "Failed to'
        f' connect. Winsock error code: {winsock}, Win32 error code: {winsock}." The last endpoint'
        " attempted was 192.0.2.25:25"
    )


def old(*, name: str | None = None, number: int = 1, suffix: str = "hq.example") -> dict[str, Any]:
    """A result of exchange_info of a 5.5 host; ``name`` is the registry value's stored name."""
    return {
        "family": "imc",
        "version": "5.5",
        "resolver": {
            "search_list_disabled": name is not None and number != 0,
            "stored_name": name,
            "domain": suffix.upper(),
            "search_list": [],
        },
        "warnings": [],
    }


OFF = old(name="DisableResolverSearchList")
NEW = {
    "family": "transport",
    "version": "2019",
    "server": "EX19",
    "servers": [{"name": "EX19", "external_dns": {"servers": [], "adapter_enabled": True}}],
    "resolver": {"domain": "hq.example", "search_list": ["hq.example"]},
    "warnings": [],
}


def imc_error(line: str | None) -> dict[str, Any] | None:
    """The typed error of a line in the SMTP protocol log."""
    if line is None:
        return None
    failures = parse_log(line.encode()).failures
    error = failures[0].error if failures else SmtpError(printable(line))
    return replace(error, source="SMTP protocol log L0000009.LOG").to_dict()


def error_of(line: object, source: str = "") -> dict[str, Any] | None:
    """The typed error of a last error."""
    error = parse_last_error(line, source=source)
    return error.to_dict() if error else None


def old_queue(**errors: str | None) -> dict[str, Any]:
    """A result of queue_info of a 5.5 host: a domain for each error (``_`` is a dot)."""
    named = {name.replace("_", "."): error for name, error in errors.items()}
    return {
        "family": "imc",
        "service": "running",
        "files": len(named),
        "queues": [
            {
                "domain": name,
                "messages": 1,
                "oldest": "2026-11-23T08:00:00Z",
                "last_error": error,
                "error": imc_error(error),
            }
            for name, error in named.items()
        ],
        "stuck_domains": sorted(named),
        "warnings": [],
    }


def new_queue(delivery_type: str = "DnsConnectorDelivery", **errors: str | None) -> dict[str, Any]:
    """The same of a Transport server, with a queue for each domain."""
    named = {name.replace("_", "."): error for name, error in errors.items()}
    return {
        "family": "transport",
        "files": len(named),
        "queues": [
            {
                "domain": name,
                "messages": 1,
                "oldest": None,
                "last_error": error,
                "error": error_of(error),
            }
            for name, error in named.items()
        ],
        "transport_queues": [
            {"domains": [name], "delivery_type": delivery_type, "error": error_of(error)}
            for name, error in named.items()
        ],
        "stuck_domains": sorted(named),
        "warnings": [],
    }


def domain(  # pylint: disable=dangerous-default-value
    name: str = "nestle.com",
    status: str = "ok",
    *warnings: Any,
    evidence: Any = EVIDENCE,
    exchanges: int = 1,
) -> dict[str, Any]:
    """One domain in a result of mx_pairs_info; its addresses begin at 192.0.2.25."""
    pairs = [
        {"exchange": f"mx{number}.{name}", "address": f"192.0.2.{25 + number}"}
        for number in range(exchanges)
    ]
    return {
        "domain": name,
        "status": status,
        "pairs": pairs if status == "ok" else [],
        "warnings": list(warnings),
        "failures": [FAILURE] if status == "temporary_failure" else [],
        "evidence": evidence,
    }


def row(address: str, name: str = "nestle.com") -> dict[str, str]:
    """A row of the route table in a result of imc_delivery."""
    return {"domain": name, "address": address, "flag": "0"}


TO_PIN = {"routes": {"before": [], "after": [row("192.0.2.25")]}}
PINNED = {"routes": {"before": [row("192.0.2.25")], "after": [row("192.0.2.25")]}}
OUTDATED = {"routes": {"before": [row("192.0.2.99")], "after": [row("192.0.2.25")]}}


def connectors(*hosts: str, name: str = "nestle.com", steps: bool = False) -> dict[str, Any]:
    """A result of transport_delivery where a connector of ours pins the domain to these hosts."""
    ours = {"address_spaces": [f"SMTP:{name};1"], "smart_hosts": [f"[{one}]" for one in hosts]}
    step = {"cmdlet": "Set-SendConnector", "connector": "x", "domain": name}
    return {"connectors": {"before": [ours]}, "steps": [step] if steps else []}
