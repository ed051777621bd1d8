# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cmdlets of the lab's Exchange, and how one command of a pipeline is run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import (
    accepted,
    binding,
    cmdlets_connector,
    cmdlets_queue,
    cmdlets_server,
    cmdlets_tracking,
    edge,
    errors,
    wire,
)
from .cmdlet import Call, Cmdlet, qualified_id
from .faults import DropConnection, Fault, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psrpcore import Command
    from psrpcore.types import ErrorRecord, PSObject

    from .organisation import Organisation
    from .server import ExchangeServer

CMDLETS = {
    cmdlet.name.casefold(): cmdlet
    for cmdlet in (
        *cmdlets_connector.CMDLETS,
        *cmdlets_server.CMDLETS,
        *accepted.CMDLETS,
        *edge.CMDLETS,
        *cmdlets_queue.CMDLETS,
        *cmdlets_tracking.CMDLETS,
    )
}


@dataclass(slots=True)
class Outcome:
    """What a command wrote; ``failed`` is the error that ended the whole pipeline."""

    output: list[PSObject] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failed: ErrorRecord | None = None


@dataclass(frozen=True, slots=True)
class Shell:
    """Where commands run and for whom."""

    organisation: Organisation
    server: ExchangeServer
    user: str

    def run(self, command: Command) -> Outcome:
        """Run one command. Raises DropConnection where a fault says so."""
        outcome = Outcome()
        try:
            self._refuse_language(command)
            cmdlet = self._find(command.command_text)
        except errors.CmdletError as error:
            outcome.failed = wire.error_record(error, "", error.error_id)
            return outcome
        self._run_cmdlet(cmdlet, command, outcome)
        return outcome

    def _refuse_language(self, command: Command) -> None:
        """In a runspace without a language a command is a cmdlet's name and nothing else."""
        text = command.command_text
        if command.is_script or not text.replace("-", "").isalnum():
            raise errors.scripts_not_allowed(text)

    def _find(self, name: str) -> Cmdlet:
        cmdlet = CMDLETS.get(name.casefold())
        if cmdlet is None:
            raise errors.command_not_found(name)
        family = self.server.version.family
        if cmdlet.families is not None and family not in cmdlet.families:
            raise errors.command_not_found(name)
        if not self.organisation.may_run(self.user, cmdlet.name):
            raise errors.command_not_found(name)
        return cmdlet

    def _run_cmdlet(self, cmdlet: Cmdlet, command: Command, outcome: Outcome) -> None:
        stop = False
        try:
            bound = self._bind(cmdlet, command.parameters)
            stop = bound.get("ErrorAction") == "Stop"
            call = Call(self.organisation, self.server, self.user, bound)
            outcome.output.extend(self._with_faults(cmdlet, call))
            outcome.warnings.extend(call.warnings)
        except errors.CmdletError as error:
            record = wire.error_record(error, cmdlet.name, qualified_id(error, cmdlet, self.server))
            if error.terminating or stop:
                outcome.failed = record
            else:
                outcome.errors.append(record)

    def _bind(
        self, cmdlet: Cmdlet, arguments: Sequence[tuple[str | None, object]]
    ) -> binding.Bound:
        parameters = [
            parameter
            for parameter in cmdlet.parameters
            if self.organisation.may_use(self.user, cmdlet.name, parameter.name)
        ]
        return binding.bind(parameters, arguments, self.server.version.family)

    def _with_faults(self, cmdlet: Cmdlet, call: Call) -> Sequence[PSObject]:
        fault = self.organisation.faults.next_for(cmdlet.name, self.server.name)
        if fault is not None:
            self._before(fault)
        self.organisation.counters.cmdlet(self.server.name, cmdlet.name, call.bound.arguments)
        output = cmdlet.run(call)
        if fault is not None and fault.kind is Kind.RESET_AFTER:
            raise DropConnection
        return output if fault is None or fault.kind is not Kind.EMPTY else []

    def _before(self, fault: Fault) -> None:
        if fault.kind is Kind.DELAY:
            time.sleep(fault.seconds)
        elif fault.kind is Kind.RESET_BEFORE:
            raise DropConnection
        elif fault.kind is Kind.ERROR:
            raise errors.transient(fault.message)
