# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cmdlet of the lab is: its name, parameters, versions, and the function that runs it."""

from __future__ import annotations

import time
import uuid
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import binding, errors
from .versions import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psrpcore.types import PSObject

    from .organisation import Organisation
    from .server import ExchangeServer

CONFIG_TASKS = "Microsoft.Exchange.Management.SystemConfigurationTasks"


@dataclass(slots=True)
class Call:
    """One run of a cmdlet: where, by whom, with what; and what it wrote besides its output."""

    organisation: Organisation
    server: ExchangeServer
    user: str
    bound: binding.Bound
    warnings: list[str] = field(default_factory=list)

    @property
    def family(self) -> Family:
        """The version of the server that runs it."""
        return self.server.version.family

    def domain_controller(self) -> str:
        """The domain controller that serves this call."""
        return self.organisation.directory.choose(self.bound.text("DomainController"))

    def confirm(self, question: str, *, default: bool) -> None:
        """Ask, unless ``-Confirm:$false``; nobody can answer in a remote session without a host."""
        if self.bound.get("Confirm", default) and not self.bound.get("Force", False):
            raise errors.confirmation_impossible(question)


@dataclass(frozen=True, slots=True)
class Cmdlet:
    """A cmdlet. ``families`` are the versions that have it; None means all."""

    name: str
    class_name: str
    parameters: tuple[binding.Parameter, ...]
    run: Callable[[Call], Sequence[PSObject]]
    families: frozenset[Family] | None = None


def qualified_id(error: errors.CmdletError, cmdlet: Cmdlet, server: ExchangeServer) -> str:
    """The FullyQualifiedErrorId that this server gives an error of this cmdlet."""
    if not error.exchange:
        return f"{error.error_id},{cmdlet.class_name}"
    code = f"{zlib.crc32(error.message.encode()):08X},{cmdlet.class_name}"
    if server.version.family < Family.E2013:
        return code
    now = time.gmtime()
    clock = time.strftime("%I:%M:%S %p", now).lstrip("0")
    stamp = f"{now.tm_mon}/{now.tm_mday}/{now.tm_year} {clock}"
    return (
        f"[Server={server.name},RequestId={uuid.uuid4()},TimeStamp={stamp}] "
        f"[FailureCategory=Cmdlet-{error.reason}] {code}"
    )
