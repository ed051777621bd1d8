# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WinRM listeners for lab hosts, on loopback: HTTP or HTTPS, Basic, NTLM and Negotiate."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import TracebackType

from .certificates import Certificate
from .host import LabHost
from .remote_shell import Limits, RemoteShells
from .winrm_auth import Acceptor
from .winrm_listener import HttpListener, Settings, Traffic

__all__ = ["Listener", "Settings", "Traffic", "WinRMServer"]


class Listener(HttpListener):
    """One host's WinRM on one port. ``shells`` can be shared with another listener of the host."""

    def __init__(
        self,
        host: LabHost,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        certificate: Certificate | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        shells: RemoteShells | None = None,
        acceptor: Acceptor | None = None,
    ) -> None:
        self.host = host
        self.shells = shells or RemoteShells(host, limits)
        super().__init__(
            host.name,
            host.users,
            self.shells,
            address=address,
            port=port,
            certificate=certificate,
            settings=settings,
            acceptor=acceptor,
        )
        self.clock = lambda: host.clock()  # noqa: PLW0108 # pylint: disable=unnecessary-lambda


class WinRMServer:
    """The WinRM listeners of a whole lab."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []

    def add(
        self,
        host: LabHost,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        certificate: Certificate | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        acceptor: Acceptor | None = None,
    ) -> Listener:
        """Open a listener for a host; a second one of the same host shares its shells."""
        shells = next((item.shells for item in self.listeners if item.host is host), None)
        listener = Listener(
            host,
            address=address,
            port=port,
            certificate=certificate,
            settings=settings,
            limits=limits,
            shells=shells,
            acceptor=acceptor,
        )
        self.listeners.append(listener)
        return listener

    @property
    def requests_by_host(self) -> Mapping[str, int]:
        """How many requests each host got since the start or ``reset``."""
        counts: dict[str, int] = {}
        for listener in self.listeners:
            counts[listener.host.name] = counts.get(listener.host.name, 0) + (
                listener.traffic.requests
            )
        return counts

    @property
    def open_shells(self) -> int:
        """How many shells are open on all hosts."""
        return sum(shells.open_count for shells in {item.shells for item in self.listeners})

    def reset(self) -> None:
        """Start all counters anew."""
        for listener in self.listeners:
            listener.traffic.reset()

    def stop(self) -> None:
        """Stop all listeners."""
        with contextlib.ExitStack() as stack:
            for listener in self.listeners:
                stack.callback(listener.stop)

    def __enter__(self) -> WinRMServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
