# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connectors as they were: written down before a change, read back, and made so again.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .._base.errors import ExchangeError
from .._run.backups import COLLECTION, FACTS_FILE
from .connector import Connector, connector_from
from .gather import Organisation
from .plan import Plan, Refusal, Step, changes_to, present_parameters, remove_step, set_step

KIND = "send_connectors"

_FORMAT = 1
_MOST = 16_000_000  # bytes of backup.json
# Never written down: it can hold a credential.
_SECRET = frozenset({"AuthenticationCredential"})
#: Parameters of New-SendConnector besides those that a pin decides about, to make a connector anew.
_OTHER_SETTINGS = (
    "CloudServicesMailEnabled",
    "ConnectionInactivityTimeOut",
    "ErrorPolicies",
    "ForceHELO",
    "Fqdn",
    "FrontendProxyEnabled",
    "IgnoreSTARTTLS",
    "MaxMessageSize",
    "SmtpMaxMessagesPerConnection",
    "SourceIPAddress",
    "TlsCertificateName",
    "UseExternalDNSServersEnabled",
)


def new_parameters(connector: Connector) -> dict[str, Any]:
    """Return the parameters that make a connector anew as it was; what is unset is left out."""
    others = {name: connector.raw.get(name) for name in _OTHER_SETTINGS}
    known = {**others, **present_parameters(connector)}
    return {
        "Name": connector.name,
        **{name: value for name, value in known.items() if value not in (None, "", [])},
    }


def set_parameters(old: Connector, now: Connector) -> dict[str, Any]:
    """Return what has to be set on a connector to make it as it was; ``None`` is ``$null``."""
    return changes_to(present_parameters(old), now)


def facts(
    organisation: Organisation,
    domain_controller: str,
    connectors: Iterable[Connector],
    *,
    now: datetime,
) -> dict[str, Any]:
    """Return what backup.json holds."""
    return {
        "format": _FORMAT,
        "kind": KIND,
        "collection": COLLECTION,
        "taken": now.astimezone(UTC).isoformat(timespec="seconds"),
        "organisation": organisation.name,
        "forest": organisation.forest,
        "domain_controller": domain_controller,
        "connectors": [
            {name: value for name, value in connector.raw.items() if name not in _SECRET}
            for connector in connectors
        ],
    }


def worth_keeping(connectors: Sequence[Connector], plan: Plan) -> list[Connector]:
    """Return the connectors a backup holds: all of ours, and those that the plan touches."""
    touched = {step.before.identity for step in plan.steps if step.before}
    return [c for c in connectors if c.ours or c.identity in touched]


def load(folder: Path, organisation: Organisation, host: str) -> tuple[Connector, ...]:
    """Read a backup of this organisation; raises ExchangeError for what is not exactly that."""
    try:
        known = _read(folder)
        _check(known, organisation)
        entries = known.get("connectors")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError("it holds no list of connectors")
        for entry in entries:
            _check_settings(entry)
        return tuple(connector_from(entry, host) for entry in entries)
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(folder, host, str(error)) from error
    except ExchangeError as error:
        raise _unusable(folder, host, error.message) from error


def _unusable(folder: Path, host: str, why: str) -> ExchangeError:
    return ExchangeError(
        f"{host}: the backup in {folder} cannot be used: {why.rstrip('.')}.",
        hint="Choose another backup.",
    )


def _read(folder: Path) -> dict[str, Any]:
    with (folder / FACTS_FILE).open("rb") as file:
        content = file.read(_MOST + 1)
    if len(content) > _MOST:
        raise ValueError(f"{FACTS_FILE} is longer than {_MOST} bytes")
    known = json.loads(content)
    if not isinstance(known, dict):
        raise ValueError(f"{FACTS_FILE} is not of the format this version writes")
    return known


def _check(known: Mapping[str, Any], organisation: Organisation) -> None:
    if known.get("format") != _FORMAT or known.get("kind") != KIND:
        raise ValueError(f"{FACTS_FILE} is not of the format this version writes")
    found = known.get("organisation"), known.get("forest")
    if found != (organisation.name, organisation.forest):
        raise ValueError(f"it is of the organisation {found[0]!r:.80}, and this is {organisation}")


def _check_settings(entry: Mapping[str, Any]) -> None:
    """Refuse a setting that no parameter of a cmdlet can have."""
    for name in _OTHER_SETTINGS:
        value = entry.get(name)
        items = value if isinstance(value, list) else [value]
        if not all(item is None or isinstance(item, (str, int)) for item in items):
            raise ValueError(f"its {name} is none that a connector can have")


def restore_plan(connectors: Sequence[Connector], saved: Sequence[Connector]) -> Plan:
    """Return the steps back to a backup: its connectors as they were, and no others of ours.

    A connector is known again by its identity, or by its name where it was made anew since.
    """
    by_identity = {connector.identity: connector for connector in connectors}
    by_name = {connector.name.casefold(): connector for connector in connectors}
    made, mended, refusals, claimed = [], [], [], set()
    for old in saved:
        label = _label(old)
        now = by_identity.get(old.identity) or by_name.get(old.name.casefold())
        if now is None:
            made.append(Step("New-SendConnector", new_parameters(old), label))
        elif now.identity != old.identity and not now.ours:
            refusals.append(Refusal(label, now.name, "has the name of one that was ours"))
        else:
            claimed.add(now.identity)
            changes = set_parameters(old, now)
            if changes:
                mended.append(set_step(now, changes, label))
    surplus = (c for c in connectors if c.ours and c.identity not in claimed)
    removed = [remove_step(connector, _label(connector)) for connector in surplus]
    return Plan((*made, *mended, *removed), tuple(refusals))


def _label(connector: Connector) -> str:
    return connector.pinned_domain or connector.name
