# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service control manager of one host.

A start or stop returns at once with the service in a pending state; the work is done in a thread,
as Windows does, so whoever starts a service has to ask whether it came up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import (
    SERVICE_ALREADY_RUNNING,
    SERVICE_CANNOT_ACCEPT,
    SERVICE_DEPENDENCY_FAILED,
    SERVICE_DEPENDENTS_RUNNING,
    SERVICE_DISABLED,
    SERVICE_DOES_NOT_EXIST,
    SERVICE_NOT_ACTIVE,
    SERVICE_SPECIFIC_ERROR,
    SERVICE_TIMEOUT,
    WinError,
)
from .registry import Registry

STOPPED, START_PENDING, STOP_PENDING, RUNNING = 1, 2, 3, 4
AUTO_START, DEMAND_START, DISABLED = 2, 3, 4
_NEVER_STARTED = 1077  # ERROR_SERVICE_NEVER_STARTED, the exit code of a service not run since boot
SERVICES_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services"


class ServiceStartError(Exception):
    """A service gave up while starting; ``code`` is its service-specific exit code.

    ``win32`` is the exit code where the service has none of its own: 1067 of one that crashed.
    """

    def __init__(self, code: int = 1, message: str = "", *, win32: int = 0) -> None:
        super().__init__(message or f"the service ended with its own error {code}")
        self.code = code
        self.win32 = win32


def _nothing() -> None:
    """What a service does that only has a state."""


@dataclass(slots=True)
class Service:
    """A service; delays are seconds spent in the pending state before ``on_start``/``on_stop``.

    A start that takes long tells its progress by a checkpoint that grows every ``progress`` seconds
    (0: it tells none).
    ``start_fault`` makes the start request itself fail with that error number (1053, 1068).
    ``stop_hangs`` keeps the service in STOP_PENDING until ``ServiceManager.kill``.
    """

    name: str
    state: int = STOPPED
    start_type: int = AUTO_START
    on_start: Callable[[], None] = _nothing
    on_stop: Callable[[], None] = _nothing
    display_name: str = ""
    binary: str = ""
    depends_on: tuple[str, ...] = ()
    start_delay: float = 0.0
    progress: float = 0.0
    pending_since: float = 0.0
    stop_delay: float = 0.0
    start_fault: int = 0
    stop_hangs: bool = False
    win32_exit_code: int = 0
    service_exit_code: int = 0
    starts: int = 0
    stops: int = 0
    thread: threading.Thread | None = field(default=None, repr=False)


class ServiceManager:
    """The services of a host. The start type lives in the registry, where ``reg`` can change it."""

    def __init__(self, registry: Registry, *, time_scale: float = 1.0) -> None:
        self._registry = registry
        self._services: dict[str, Service] = {}
        self._changed = threading.Condition(threading.RLock())
        self._closing = threading.Event()
        self.time_scale = time_scale

    def add(self, service: Service) -> Service:
        """Install a service and write its registry key; it is not started by this."""
        key = f"{SERVICES_KEY}\\{service.name}"
        with self._changed:
            self._services[service.name.casefold()] = service
        if service.state == STOPPED:
            service.win32_exit_code = _NEVER_STARTED
        binary = service.binary or f"C:\\exchsrvr\\bin\\{service.name}.exe"
        self._registry.set(key, "Type", "REG_DWORD", 0x10)
        self._registry.set(key, "Start", "REG_DWORD", service.start_type)
        self._registry.set(key, "ErrorControl", "REG_DWORD", 1)
        self._registry.set(key, "ImagePath", "REG_EXPAND_SZ", binary)
        self._registry.set(key, "DisplayName", "REG_SZ", service.display_name or service.name)
        self._registry.set(key, "ObjectName", "REG_SZ", "LocalSystem")
        if service.depends_on:
            self._registry.set(key, "DependOnService", "REG_MULTI_SZ", service.depends_on)
        return service

    def get(self, name: str) -> Service:
        """Return a service by its name; WinError(1060) when it is not installed."""
        with self._changed:
            found = self._services.get(name.casefold())
        if found is None:
            raise WinError(SERVICE_DOES_NOT_EXIST, name)
        return found

    def all(self) -> list[Service]:
        """Return every service, sorted by name."""
        with self._changed:
            return [self._services[name] for name in sorted(self._services)]

    def start_type(self, service: Service) -> int:
        """Return the start type (2, 3 or 4) as the registry has it now."""
        value = self._registry.get(f"{SERVICES_KEY}\\{service.name}", "Start")
        return value.data if value and isinstance(value.data, int) else service.start_type

    def configure(self, service: Service, start_type: int) -> None:
        """Set the start type, as ``sc config`` does."""
        self._registry.set(f"{SERVICES_KEY}\\{service.name}", "Start", "REG_DWORD", start_type)

    def start(self, name: str) -> Service:
        """Ask a service to start; errors 1056, 1058, 1053, 1060, and what its fault says."""
        service = self.get(name)
        with self._changed:
            if service.state != STOPPED:
                raise WinError(SERVICE_ALREADY_RUNNING, name)
            if self.start_type(service) == DISABLED:
                raise WinError(SERVICE_DISABLED, name)
            if service.start_fault:
                raise WinError(service.start_fault, name)
        for needed in service.depends_on:
            self._start_dependency(needed)
        with self._changed:
            service.state, service.starts = START_PENDING, service.starts + 1
            service.win32_exit_code = service.service_exit_code = 0
            service.pending_since = time.monotonic()
            self._spawn(service, self._run_start)
        return service

    def _start_dependency(self, name: str) -> None:
        if self.get(name).state == STOPPED:
            self.start(name)
        if self.wait(name, {RUNNING, STOPPED}, 30.0) != RUNNING:
            raise WinError(SERVICE_DEPENDENCY_FAILED, name)

    def stop(self, name: str) -> Service:
        """Ask a service to stop; errors 1062, 1061, 1051, 1060."""
        service = self.get(name)
        with self._changed:
            if service.state == STOPPED:
                raise WinError(SERVICE_NOT_ACTIVE, name)
            if service.state != RUNNING:
                raise WinError(SERVICE_CANNOT_ACCEPT, name)
            if any(self._leans_on(other, service) for other in self._services.values()):
                raise WinError(SERVICE_DEPENDENTS_RUNNING, name)
            service.state, service.stops = STOP_PENDING, service.stops + 1
            self._spawn(service, self._run_stop)
        return service

    @staticmethod
    def _leans_on(other: Service, service: Service) -> bool:
        needed = {name.casefold() for name in other.depends_on}
        return other.state != STOPPED and service.name.casefold() in needed

    def kill(self, name: str, exit_code: int = 1067) -> None:
        """End a service at once, as a crash (1067) or the task manager does."""
        service = self.get(name)
        if service.state in {RUNNING, STOP_PENDING}:
            service.on_stop()
        self._settle(service, STOPPED, exit_code)

    def wait(self, name: str, states: set[int], timeout: float) -> int:
        """Wait (seconds) until the service is in one of the states; return the state it has."""
        service = self.get(name)
        with self._changed:
            self._changed.wait_for(lambda: service.state in states, timeout)
            return service.state

    def checkpoint(self, service: Service) -> int:
        """How far a pending start has come, as the service tells it."""
        if service.state != START_PENDING or not service.progress:
            return 0
        elapsed = time.monotonic() - service.pending_since
        return int(elapsed / (service.progress * self.time_scale))

    def close(self) -> None:
        """Stop every service and wait for all threads."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        for service in self.all():
            if service.thread and service.thread is not threading.current_thread():
                service.thread.join(10)
            if service.state == RUNNING:
                service.on_stop()
                service.state = STOPPED

    # -- inside ------------------------------------------------------------------------------

    def _spawn(self, service: Service, work: Callable[[Service], None]) -> None:
        service.thread = threading.Thread(
            target=work, args=(service,), name=f"service-{service.name}", daemon=True
        )
        service.thread.start()

    def _pause(self, seconds: float) -> None:
        self._closing.wait(seconds * self.time_scale)

    def _run_start(self, service: Service) -> None:
        self._pause(service.start_delay)
        if self._closing.is_set():
            self._settle(service, STOPPED, 0)
            return
        try:
            service.on_start()
        except ServiceStartError as exc:
            service.service_exit_code = 0 if exc.win32 else exc.code
            self._settle(service, STOPPED, exc.win32 or SERVICE_SPECIFIC_ERROR)
        except Exception:
            self._settle(service, STOPPED, SERVICE_TIMEOUT)
            raise
        else:
            self._settle(service, RUNNING, 0)

    def _run_stop(self, service: Service) -> None:
        self._pause(service.stop_delay)
        while service.stop_hangs and not self._closing.is_set() and service.state == STOP_PENDING:
            time.sleep(0.01)
        if service.state == STOP_PENDING:
            service.on_stop()
            self._settle(service, STOPPED, 0)

    def _settle(self, service: Service, state: int, exit_code: int) -> None:
        with self._changed:
            service.state, service.win32_exit_code = state, exit_code
            self._changed.notify_all()
