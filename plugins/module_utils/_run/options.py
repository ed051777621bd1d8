# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator asks of delivery_test, checked before anything is sent.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._base.errors import InvalidInput
from .._mail.addresses import checked_mailbox
from .._pairs.names import parse_domain, shown
from .follow import Patience
from .message import Target
from .submit_smtp import SmtpOptions

#: Who gets the message where no recipient is named: a mailbox every mail domain has to have
#: (RFC 5321 section 4.5.1).
DEFAULT_LOCAL_PART = "postmaster"
#: Messages of one run. A test that writes to thousands of strangers is none.
MOST_DOMAINS = 500

_KEYS = frozenset({"name", "domain", "recipient", "test_recipient"})
_LONGEST = 24 * 3600
_PORTS = range(1, 65_536)


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
            hint="Test those whose routes changed, or in several runs.",
        )
    return tuple(targets.values())


def _target(entry: Any) -> Target:
    if isinstance(entry, str):
        domain = parse_domain(entry.strip())
        return Target(domain, f"{DEFAULT_LOCAL_PART}@{domain}")
    name = _one_of(entry, "name", "domain")
    if name is None:
        raise InvalidInput(
            f"{shown(str(entry))} in the option domains is neither a domain nor a dictionary with"
            " a name and, if wanted, a recipient."
        )
    domain = parse_domain(name.strip())
    recipient = _one_of(entry, "recipient", "test_recipient")
    if recipient is None:
        return Target(domain, f"{DEFAULT_LOCAL_PART}@{domain}")
    mailbox = checked_mailbox(recipient, "domains")
    if mailbox.rpartition("@")[2] != domain:
        raise InvalidInput(
            f"The recipient {mailbox} is no mailbox of the domain {domain}.",
            hint="A test of one domain says nothing about another.",
        )
    return Target(domain, mailbox)


def _one_of(entry: Any, *names: str) -> str | None:
    """Return the text under one of the names of a dictionary, or None."""
    if not isinstance(entry, Mapping) or not _KEYS.issuperset(entry):
        return None
    value = next((entry[name] for name in names if entry.get(name)), None)
    return value if isinstance(value, str) else None


def _patience(deadline: int, interval: int) -> Patience:
    if not (1 <= interval <= deadline <= _LONGEST):
        raise InvalidInput(
            f"deadline ({deadline}) and interval ({interval}) are seconds, at least 1 and at most "
            f"{_LONGEST}, the interval not more than the deadline."
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
        raise InvalidInput("smtp: port has to be 1 to 65535, and timeout 1 second or more.")
    if options.user and not options.starttls and not given.get("cleartext_login"):
        raise InvalidInput(
            "smtp: without starttls the password would be sent readable.",
            hint="Set starttls, or cleartext_login where the network between is trusted.",
        )
    return options
