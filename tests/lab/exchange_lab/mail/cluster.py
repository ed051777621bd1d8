# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node of a Windows NT cluster: the connector is a Generic Service resource of it.

A resource that ends without the cluster's doing is restarted, and its registry key is put back to
the last checkpoint whenever it comes online (Q188635, Q316772, Q290651): a change that was made
while it was offline is lost.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..windows.services import RUNNING, STOPPED, Service
from .imc_config import PARAMETERS_KEY

if TYPE_CHECKING:
    from ..windows.registry import Value
    from .imc import Imc

SERVICE = "ClusSvc"
_RESTART_SECONDS = 5.0


class Cluster:
    """The cluster's part in the life of the connector's service."""

    def __init__(self, imc: Imc, service: Service) -> None:
        self._imc = imc
        self._service = service
        self._checkpoint: list[Value] | None = None
        self._offline = False
        self._closed = threading.Event()
        imc.host.services.add(Service(SERVICE, state=RUNNING, display_name="Cluster Server"))
        service.on_start, service.on_stop = self._on_start, self._on_stop

    def take_offline(self) -> None:
        """Stop the resource as Cluster Administrator does: nobody restarts it."""
        self._offline = True
        self._imc.host.services.stop(self._service.name)

    def bring_online(self) -> None:
        """Start the resource as Cluster Administrator does."""
        self._offline = False
        self._imc.host.services.start(self._service.name)

    def close(self) -> None:
        """Let no restart happen any more."""
        self._closed.set()

    def _on_start(self) -> None:
        registry = self._imc.host.registry
        if self._checkpoint is not None:
            for value in registry.values(PARAMETERS_KEY):
                registry.delete(PARAMETERS_KEY, value.name)
            for value in self._checkpoint:
                registry.set(PARAMETERS_KEY, value.name, value.type, value.data)
        self._imc.on_start()

    def _on_stop(self) -> None:
        self._checkpoint = self._imc.host.registry.values(PARAMETERS_KEY)
        self._imc.on_stop()
        if not self._offline and not self._closed.is_set():
            threading.Thread(target=self._restart, name="cluster", daemon=True).start()

    def _restart(self) -> None:
        services = self._imc.host.services
        if self._closed.wait(_RESTART_SECONDS * services.time_scale):
            return
        if services.wait(self._service.name, {STOPPED, RUNNING}, _RESTART_SECONDS) == STOPPED:
            services.start(self._service.name)
