# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get-, New-, Set- and Remove-SendConnector, after the cmdlet reference's topics of those names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import binding, connectors, errors, routing
from .cmdlet import CONFIG_TASKS, Call, Cmdlet

if TYPE_CHECKING:
    from psrpcore.types import PSObject

    from .directory import Record

_IDENTITY = binding.Parameter("Identity", "SendConnectorIdParameter", binding.to_string, position=1)
_MANDATORY = binding.Parameter(
    "Identity", "SendConnectorIdParameter", binding.to_string, mandatory=True, position=1
)


def _shown(call: Call, record: Record, controller: str) -> PSObject:
    name = call.organisation.connector_dn(record.name)
    return connectors.to_object(record, name, controller, call.family)


def _find(call: Call, controller: str) -> Record:
    identity = call.bound.text("Identity") or ""
    organisation = call.organisation
    for record in organisation.directory.read(controller):
        names = (record.name, str(record.guid), organisation.connector_dn(record.name))
        if identity.casefold() in (name.casefold() for name in names):
            return record
    raise errors.object_not_found(identity, controller)


def get(call: Call) -> list[PSObject]:
    """All connectors, or the one asked for; asking for one that is not there is an error."""
    controller = call.domain_controller()
    if call.bound.text("Identity") is not None:
        return [_shown(call, _find(call, controller), controller)]
    records = call.organisation.directory.read(controller)
    return [_shown(call, record, controller) for record in records]


def _servers(call: Call, settings: dict[str, Any], controller: str) -> None:
    """Replace the source servers by their canonical names."""
    if "SourceTransportServers" not in settings:
        return
    found = []
    for identity in settings["SourceTransportServers"]:
        server = call.organisation.find_server(identity)
        if server is None:
            raise errors.object_not_found(identity, controller)
        found.append(server.name)
    if not found:
        raise errors.invalid_operation("The SourceTransportServers parameter must not be empty.")
    settings["SourceTransportServers"] = binding.unique(found)


def new(call: Call) -> list[PSObject]:
    """Create a connector and show it."""
    call.confirm("Creating Send connector", default=False)
    controller = call.domain_controller()
    current = connectors.defaults(call.family, call.server.name)
    settings = connectors.given_settings(call.bound.arguments, current)
    _servers(call, settings, controller)
    merged = {**current, **settings, routing.USAGE: connectors.usage(call.bound.arguments)}
    connectors.check(settings, merged)
    connectors.check_source_address(call, settings, merged)
    if call.bound.get("WhatIf"):
        return []
    name = call.organisation.connector_dn(str(merged["Name"]))
    record = call.organisation.directory.create(controller, merged, name)
    return [_shown(call, record, controller)]


def change(call: Call) -> list[PSObject]:
    """Change a connector; it shows nothing, but warns where nothing is modified."""
    call.confirm("Modifying Send connector", default=False)
    controller = call.domain_controller()
    record = _find(call, controller)
    settings = connectors.given_settings(call.bound.arguments, record.attributes)
    _servers(call, settings, controller)
    merged = {**record.attributes, **settings}
    connectors.check(settings, merged)
    connectors.check_source_address(call, settings, merged)
    changed = {name: value for name, value in settings.items() if record.attributes[name] != value}
    if not changed:
        call.warnings.append(
            "The command completed successfully but no settings of "
            f"'{record.name}' have been modified."
        )
    elif not call.bound.get("WhatIf"):
        _refuse_taken_name(call, record, changed, controller)
        call.organisation.directory.modify(controller, record.guid, changed)
    return []


def _refuse_taken_name(
    call: Call, record: Record, changed: dict[str, Any], controller: str
) -> None:
    if "Name" not in changed:
        return
    other = call.organisation.directory.find(controller, str(changed["Name"]))
    if other is not None and other.guid != record.guid:
        raise errors.object_exists(call.organisation.connector_dn(other.name), controller)


def remove(call: Call) -> list[PSObject]:
    """Remove a connector; it asks unless told not to."""
    controller = call.domain_controller()
    record = _find(call, controller)
    call.confirm(
        f'Are you sure you want to perform this action? Removing Send connector "{record.name}".',
        default=True,
    )
    if not call.bound.get("WhatIf"):
        call.organisation.directory.delete(controller, record.guid)
    return []


CMDLETS = (
    Cmdlet(
        "Get-SendConnector",
        f"{CONFIG_TASKS}.GetSendConnector",
        (_IDENTITY, connectors.DOMAIN_CONTROLLER),
        get,
    ),
    Cmdlet("New-SendConnector", f"{CONFIG_TASKS}.NewSendConnector", connectors.NEW_PARAMETERS, new),
    Cmdlet(
        "Set-SendConnector", f"{CONFIG_TASKS}.SetSendConnector", connectors.SET_PARAMETERS, change
    ),
    Cmdlet(
        "Remove-SendConnector",
        f"{CONFIG_TASKS}.RemoveSendConnector",
        (
            _MANDATORY,
            connectors.DOMAIN_CONTROLLER,
            connectors.CONFIRM,
            connectors.WHAT_IF,
        ),
        remove,
    ),
)
