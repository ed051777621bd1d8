# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one gather finds on a host with an Internet Mail Connector.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from .._remote.parse import RegistryValue
from .journal import Marker
from .lease import Claim
from .routes import RoutesFile

SERVICE_NAME = "MSExchangeIMC"


class ServiceState(IntEnum):
    """States as ``sc query`` numbers them; its words are translated."""

    STOPPED = 1
    START_PENDING = 2
    STOP_PENDING = 3
    RUNNING = 4
    CONTINUE_PENDING = 5
    PAUSE_PENDING = 6
    PAUSED = 7

    @property
    def words(self) -> str:
        """The state, for messages and results."""
        return self.name.lower().replace("_", " ")


_START_TYPES = {0: "boot", 1: "system", 2: "auto", 3: "manual", 4: "disabled"}
_DISABLED = 4


@dataclass(frozen=True, slots=True)
class Service:
    """State and start type of the service; ``start_type`` is the registry's ``Start``."""

    state: ServiceState
    start_type: int | None

    @property
    def runs(self) -> bool:
        """Whether it has, or is about to have, settings loaded that a restart would renew."""
        return self.state in {ServiceState.RUNNING, ServiceState.START_PENDING}

    @property
    def disabled(self) -> bool:
        """Whether it could not be started again once stopped."""
        return self.start_type == _DISABLED

    @property
    def words(self) -> str:
        """The state, for messages and results."""
        return self.state.words

    @property
    def start_words(self) -> str:
        """The start type, for messages and results."""
        return _START_TYPES.get(-1 if self.start_type is None else self.start_type, "unknown")


@dataclass(frozen=True, slots=True)
class Table:
    """The delivery route table as imccopy saved it.

    ``imccopy`` is the command that did it. ``inexact`` says why ``content`` may not be every byte
    of what was saved; then the table can be compared, but not be written.
    """

    imccopy: str
    content: bytes
    file: RoutesFile
    inexact: str = ""


@dataclass(frozen=True, slots=True)
class Debt:
    """The process of the service that was not restarted after a change, and the one there is now.

    None where that is not known.
    """

    process: int | None
    now: int | None

    @property
    def paid(self) -> bool:
        """Whether that process is certainly gone, so that a later one loaded the settings."""
        return None not in (self.process, self.now) and self.process != self.now


@dataclass(frozen=True, slots=True)
class HostState:
    """A host at one moment.

    ``value`` is the registry value as stored, spelling included, or None where there is none.
    ``table`` is None where it was not asked for or, with ``no_imccopy``, where no imccopy exists.
    ``build`` is NewestBuild, 837 to 996 for Exchange 4.0, 1457 to 1460 for 5.0, 1960 to 2653 for
    5.5; None where the host does not tell, or was not asked. ``tracking_folder`` is empty then.
    ``marker`` is the note of a run at work, or of one that broke off, ``claim`` that of a run that
    has, or had, the host for itself. ``debt`` is the note that a restart is owed.
    """

    service: Service
    value: RegistryValue | None
    table: Table | None = None
    no_imccopy: bool = False
    root_dir: str = ""
    build: int | None = None
    tracking_folder: str = ""
    marker: Marker | None = None
    claim: Claim | None = None
    debt: Debt | None = None

    @property
    def left_behind(self) -> Marker | None:
        """What a run that broke off left, an empty note where it changed nothing yet.

        That it broke off has to be certain, see ``claim.why_alive``.
        """
        if self.marker is None and self.claim is not None:
            return Marker("", was_running=False)
        return self.marker

    @property
    def restart_owed(self) -> bool:
        """Whether the service still works with settings from before a change."""
        return self.debt is not None and self.service.runs and not self.debt.paid
