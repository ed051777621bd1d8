# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop and start the Internet Mail Connector, and see that it did.

A service that cannot parse a delivery route starts, and stops again at once (event 4056, Q182522):
so the exit code of ``sc start`` means nothing, and the state is watched.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .._base.errors import ExchangeError
from .._remote.parse import excerpt, parse_sc_state
from .._remote.session import Batch, Section
from .host_lock import changed, changing, check_fence
from .layout import wait
from .state import SERVICE_NAME, ServiceState
from .steps import Reach

# Exit codes of sc: it is already stopped, or running; it takes no control while it changes.
_NOT_STARTED = 1062
_ALREADY_RUNNING = 1056
_NO_CONTROL_NOW = 1061
_REASONS = {
    5: "access is denied",
    1051: "other running services depend on it",
    1053: "it did not answer in time",
    1058: "it is disabled",
    1068: "a service it depends on did not start",
    1069: "its account could not log on",
}
_FIRST_PAUSE, _LONGEST_PAUSE = 1, 4  # seconds
_WATCH = 2  # seconds that a started service has to stay up


class ServiceTrouble(ExchangeError):  # noqa: N818 - reads as what it is
    """The service did not get into the wanted state; ``stopped`` where a start failed."""


@dataclass(frozen=True, slots=True)
class ServiceControl:
    """Starts and stops the service of one host.

    ``limit`` is how long, in seconds, it may take each time; ``clock`` tells seconds passing.
    """

    reach: Reach
    limit: float
    clock: Callable[[], float]

    def state(self) -> ServiceState | None:
        """Return the state now; None where sc does not tell."""
        return self._look(0)

    def stop(self) -> None:
        """Stop the service and wait until it is stopped; raises ServiceTrouble."""
        self._bring("stop", ServiceState.STOPPED, {0, _NOT_STARTED})

    def start(self) -> None:
        """Start the service, wait until it runs, and see it stay up; raises ServiceTrouble."""
        self._bring("start", ServiceState.RUNNING, {0, _ALREADY_RUNNING})
        state = self._look(_WATCH)
        if state is not ServiceState.RUNNING:
            raise self._trouble(f"started, and is {_words(state)} again after {_WATCH} seconds")

    def _bring(self, verb: str, wanted: ServiceState, good: set[int]) -> None:
        deadline = self.clock() + self.limit
        state = self._command(verb, good)
        pause = _FIRST_PAUSE
        while state is not wanted:
            if verb == "start" and state is ServiceState.STOPPED:
                raise self._trouble("did not start: it stopped by itself")
            if self.clock() >= deadline:
                raise self._trouble(
                    f"did not {verb} within {self.limit:.0f} seconds: it is {_words(state)}"
                )
            pause = min(pause + 1, _LONGEST_PAUSE)
            if verb == "stop" and state is ServiceState.RUNNING:
                state = self._command(verb, good)  # it took no control while it was starting
            else:
                state = self._look(pause)

    def _command(self, verb: str, good: set[int]) -> ServiceState | None:
        batch = changing(self.reach.layout)
        batch.add("control", self.reach.layout.service(verb))
        changed(batch, self.reach.layout)
        batch.add("pause", wait(_FIRST_PAUSE))
        batch.add("state", self.reach.layout.service("query"))
        sections = batch.run(self.reach.session, timeout=self.reach.timeout)
        check_fence(self.reach.session.host, sections)
        code = sections["control"].exit_code
        if code not in good and code != _NO_CONTROL_NOW:
            reason = _REASONS.get(code, excerpt(sections["control"].output))
            raise self._trouble(f"did not {verb} (exit code {code}, {reason})")
        return self._state(sections["state"])

    def _look(self, seconds: int) -> ServiceState | None:
        batch = Batch()
        if seconds:
            batch.add("pause", wait(seconds))
        batch.add("state", self.reach.layout.service("query"))
        return self._state(
            batch.run(self.reach.session, timeout=self.reach.timeout + seconds)["state"]
        )

    def _state(self, section: Section) -> ServiceState | None:
        number = parse_sc_state(section.output) if section.ok else None
        return None if number is None else ServiceState(number)

    def _trouble(self, what: str) -> ServiceTrouble:
        return ServiceTrouble(f"{self.reach.session.host}: the service {SERVICE_NAME} {what}.")


def _words(state: ServiceState | None) -> str:
    return "in a state that sc does not tell" if state is None else state.words
