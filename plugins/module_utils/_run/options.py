# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specifications of exchange_info, queue_info and delivery_test.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from .._base.errors import InvalidInput
from .._mail.addresses import checked_mailbox
from .._mail.message import DEFAULT_LOCAL_PART, Target
from .._mail.submission import SmtpOptions
from .._pairs.names import parse_domain, shown

METHODS = ("auto", "pickup", "smtp")

#: Which kind of Exchange a host is: 4.0 to 5.5, or 2010 and later.
FAMILIES = ("imc", "transport")

#: The family is detected unless this option names it.
FAMILY_OPTION: dict[str, Any] = {
    "type": "str",
    "choices": ["auto", *FAMILIES],
    "default": "auto",
}

EXCHANGE_INFO_SPEC: dict[str, dict[str, Any]] = {
    "family": FAMILY_OPTION,
    "gather": {"type": "str", "choices": ["all", "basics"], "default": "all"},
    "target_computer": {"type": "str"},
    "smtp_host": {"type": "str"},
    "smtp_port": {"type": "int"},
}

QUEUE_INFO_SPEC: dict[str, dict[str, Any]] = {
    "family": FAMILY_OPTION,
    "all_servers": {"type": "bool", "default": False},
    "own_domains": {"type": "list", "elements": "str", "default": []},
    "min_age": {"type": "int", "default": 0},
    "max_files": {"type": "int", "default": 100, "aliases": ["max_messages"]},
    "max_bytes": {"type": "int", "default": 262_144},
    "max_logs": {"type": "int", "default": 20},
    "tracking_lines": {"type": "int", "default": 5_000},
    "counters": {"type": "bool", "default": True},
    "target_computer": {"type": "str"},
}

DELIVERY_TEST_SPEC: dict[str, dict[str, Any]] = {
    "family": FAMILY_OPTION,
    "retry_queues": {"type": "bool", "default": False},
    "remove_queued": {"type": "bool", "default": False},
    "domains": {"type": "list", "elements": "raw", "required": True},
    "sender": {"type": "str"},
    "subject": {"type": "str", "default": "Delivery test"},
    "method": {"type": "str", "choices": [*METHODS], "default": "auto"},
    "smtp": {
        "type": "dict",
        "options": {
            "host": {"type": "str"},
            "port": {"type": "int", "default": 25},
            "starttls": {"type": "bool", "default": False},
            "user": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "cleartext_login": {"type": "bool", "default": False},
            "ca_cert": {"type": "path"},
            "validate": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 30},
        },
        "required_together": [["user", "password"]],
    },
    "deadline": {"type": "int", "default": 300},
    "interval": {"type": "int", "default": 5},
    "fail_on_undelivered": {"type": "bool", "default": True},
    "target_computer": {"type": "str"},
}


#: Messages of one run, so that a test never writes to thousands of strangers.
MOST_DOMAINS = 500

_KEYS = frozenset({"name", "domain", "recipient", "test_recipient", "addresses", "relay"})
_LONGEST = 24 * 3600
_PORTS = range(1, 65_536)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for verdicts, and how often to poll, in seconds.

    Most messages leave within seconds, so the first polls come sooner than ``interval``.
    """

    deadline: float
    interval: float

    def pause(self, polls: int) -> float:
        """Return the seconds to wait after so many polls."""
        return min(self.interval, 2.0 ** min(polls - 1, 30))


@dataclass(frozen=True, slots=True)
class DeliveryTestOptions:
    """The options of a run. ``sender`` and ``smtp.host`` are empty for their defaults."""

    targets: tuple[Target, ...]
    sender: str
    subject: str
    method: str
    smtp: SmtpOptions
    patience: Patience
    fail_on_undelivered: bool
    computer: str


def from_params(params: Mapping[str, Any], basedir: Path) -> DeliveryTestOptions:
    """Return checked options; ``basedir`` is what a relative ``ca_cert`` is looked for in.

    Raises InvalidInput with the first thing that is wrong.
    """
    sender = params.get("sender")
    return DeliveryTestOptions(
        targets=_targets(params["domains"]),
        sender=checked_mailbox(sender, "sender") if sender else "",
        subject=params["subject"],
        method=params["method"],
        smtp=_smtp(params.get("smtp") or {}, basedir),
        patience=_patience(params["deadline"], params["interval"]),
        fail_on_undelivered=params["fail_on_undelivered"],
        computer=params.get("target_computer") or "",
    )


def _targets(entries: Sequence[Any]) -> tuple[Target, ...]:
    """Return whom to write to, each domain once, in the order given."""
    targets: dict[str, Target] = {}
    for entry in entries:
        target = _target(entry)
        known = targets.setdefault(target.domain, target)
        if known != target:
            raise InvalidInput(
                f"{target.domain} is listed twice, with the recipients {known.recipient} and "
                f"{target.recipient}.",
                hint="A domain gets one test message; name one recipient.",
            )
    if len(targets) > MOST_DOMAINS:
        raise InvalidInput(
            f"{len(targets)} domains would get a test message; the limit is {MOST_DOMAINS}.",
            hint="Test only the domains with changed routes, or split the list into several runs.",
        )
    return tuple(targets.values())


def _target(entry: Any) -> Target:
    if isinstance(entry, str):
        domain = parse_domain(entry.strip())
        return Target(domain, f"{DEFAULT_LOCAL_PART}@{domain}")
    name = _one_of(entry, "name", "domain")
    if name is None:
        raise InvalidInput(
            f"{shown(str(entry))} in the option domains must be a domain, or a dictionary with a"
            " name and an optional recipient."
        )
    domain = parse_domain(name.strip())
    way = Target(domain, f"{DEFAULT_LOCAL_PART}@{domain}", _addresses(entry), _relay(entry))
    recipient = _one_of(entry, "recipient", "test_recipient")
    if recipient is None:
        return way
    mailbox = checked_mailbox(recipient, "domains")
    if mailbox.rpartition("@")[2] != domain:
        raise InvalidInput(
            f"The recipient {mailbox} is not a mailbox of the domain {domain}.",
            hint="Name a mailbox of that domain, or leave recipient out to test postmaster.",
        )
    return replace(way, recipient=mailbox)


def _addresses(entry: Mapping[str, Any]) -> frozenset[str]:
    """Return the addresses of the domain's own mail servers, in their usual form."""
    try:
        return frozenset(str(ip_address(each)) for each in entry.get("addresses") or ())
    except (ValueError, TypeError):
        given = shown(str(entry["addresses"]))
        raise InvalidInput(
            f"addresses in the option domains must be IP addresses, not {given}."
        ) from None


def _relay(entry: Mapping[str, Any]) -> str:
    relay = _one_of(entry, "relay") or ""
    return relay if relay.isprintable() else ""


def _one_of(entry: Any, *names: str) -> str | None:
    """Return the text under one of the names of a dictionary, or None."""
    if not isinstance(entry, Mapping) or not _KEYS.issuperset(entry):
        return None
    value = next((entry[name] for name in names if entry.get(name)), None)
    return value if isinstance(value, str) else None


def _patience(deadline: int, interval: int) -> Patience:
    if not (1 <= interval <= deadline <= _LONGEST):
        raise InvalidInput(
            f"deadline ({deadline}) and interval ({interval}) must be 1 to {_LONGEST} seconds,"
            " and deadline must be at least interval."
        )
    return Patience(deadline, interval)


def _smtp(given: Mapping[str, Any], basedir: Path) -> SmtpOptions:
    ca_cert = given.get("ca_cert")
    options = SmtpOptions(
        host=given.get("host") or "",
        port=given.get("port", 25),
        starttls=given.get("starttls", False),
        user=given.get("user") or "",
        password=given.get("password") or "",
        ca_cert=basedir / ca_cert if ca_cert else None,
        validate=given.get("validate", True),
        timeout=given.get("timeout", 30),
    )
    if options.port not in _PORTS or not 1 <= options.timeout <= _LONGEST:
        raise InvalidInput("smtp.port must be 1 to 65535, and smtp.timeout 1 second or more.")
    if options.user and not options.starttls and not given.get("cleartext_login"):
        raise InvalidInput(
            "smtp: without starttls the password would be sent in clear text.",
            hint="Set starttls, or cleartext_login on a trusted network.",
        )
    return options
