# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that change a host, each one verified: the table, the registry value, and the service.

A service that cannot parse a delivery route starts, and stops again at once (event 4056, Q182522):
so the exit code of ``sc start`` means nothing, and the state is watched.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .._base.errors import ExchangeError
from .._remote import commands
from .._remote.parse import RegistryValue, excerpt, find_value, parse_sc_state
from .._remote.session import Batch, Section, Session
from .gather import add_save, parameters, run_with_temp, saved_table
from .host import SERVICE_NAME, VALUE_NAME, ServiceState
from .host_lock import changed, changing, check_fence
from .layout import Layout, TempFile, copy, wait
from .routes import RoutesFile
from .setting import SettingPlan, same_value, shown

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
_FIRST_PAUSE, _LONGEST_PAUSE = 1, 10  # seconds
#: How many times its limit a service may take in all, as long as it makes progress.
MOST_LIMITS = 2
_WATCH = 2  # seconds that a started service has to stay up


@dataclass(frozen=True, slots=True)
class Reach:
    """How a step gets at its host; ``timeout`` is in seconds, for one command line."""

    session: Session
    layout: Layout
    timeout: float


@dataclass(frozen=True, slots=True)
class Source:
    """The file that imccopy is to read: first copied from a path, and removed unless kept.

    ``over`` is a file on the host with the table that it may replace; no other one is replaced.
    """

    file: TempFile
    copied_from: str = ""
    keep: bool = False
    over: str = ""


class ChangedMeanwhileError(ExchangeError):
    """Another writer changed the table since it was read, so it was not replaced."""


def put_table(reach: Reach, imccopy: str, source: Source, wanted: RoutesFile) -> None:
    """Let imccopy restore the table from a file, and verify the result."""
    session, layout, file = reach.session, reach.layout, source.file
    temp = layout.temp_file()
    batch = changing(layout)
    if source.copied_from:
        batch.add("copy", copy(source.copied_from, file.seen))
    if source.over:  # compared in the very line that writes, so that nothing comes between
        batch.add("now", layout.save(imccopy, temp))
        batch.add("restore", layout.restore_over(imccopy, file, temp, source.over))
    else:
        batch.add("restore", layout.restore(imccopy, file))
    if not source.keep:
        batch.add("drop", commands.delete(file.seen))
    changed(batch, layout)
    add_save(batch, layout, [imccopy], temp)
    sections = run_with_temp(session, batch, temp, reach.timeout)
    check_fence(session.host, sections)
    restored = sections["restore"]
    if source.over and not restored.output.startswith(b"same"):
        raise _not_replaced(session.host, sections)
    if not restored.ok:
        raise ExchangeError(
            f"{session.host}: imccopy did not write the route table (exit code"
            f" {restored.exit_code}, {excerpt(restored.output.removeprefix(b'same').lstrip())})."
        )
    table = saved_table(session.host, [imccopy], sections)
    if table is None or not table.file.same_as(wanted):
        raise ExchangeError(
            f"{session.host}: the route table reads back different from what was written."
        )


def _not_replaced(host: str, sections: Mapping[str, Section]) -> ChangedMeanwhileError:
    saved, restored = sections["now"], sections["restore"]
    if saved.ok and restored.exit_code == 1:
        return ChangedMeanwhileError(
            f"{host}: the route table changed during this run.",
            hint="Check who changed it, then run again.",
        )
    said = excerpt(saved.output + restored.output)
    return ChangedMeanwhileError(
        f"{host}: the route table could not be compared before it is replaced (fc: exit code"
        f" {restored.exit_code}, {said}).",
        hint="Check free disk space and permissions on the host.",
    )


def put_setting(reach: Reach, plan: SettingPlan | None) -> RegistryValue | None:
    """Change the registry value as planned, and see that it is so; without a plan only read it."""
    session, layout = reach.session, reach.layout
    batch = changing(layout) if plan else Batch()
    if plan and plan.delete:
        batch.add("delete", layout.delete_value(plan.delete))
    if plan and plan.add:
        batch.add("add", layout.add_value(plan.add))
    if plan:
        changed(batch, layout)
    batch.add("parameters", layout.query(layout.registry_key))
    sections = batch.run(session, timeout=reach.timeout)
    check_fence(session.host, sections)
    value = find_value(parameters(session.host, layout, sections), VALUE_NAME)
    if plan and not same_value(value, plan.after):
        said = b"".join(sections[x].output for x in ("delete", "add") if x in sections)
        raise ExchangeError(
            f"{session.host}: the registry value reads back as {shown(value)!r}, not as"
            f" {shown(plan.after)!r} ({excerpt(said)})."
        )
    return value


class ServiceError(ExchangeError):
    """The service did not reach the required state."""


class StillStartingError(ServiceError):
    """The service is neither running nor stopped yet: it may only need more time (Q184542)."""


@dataclass(frozen=True, slots=True)
class ServiceControl:
    """Starts and stops the service of one host.

    ``limit`` is how long, in seconds, it may take each time without progress, which is any change
    of what ``sc`` shows: a state, a checkpoint. ``clock`` shows seconds passing.
    """

    reach: Reach
    limit: float
    clock: Callable[[], float]

    def state(self, after: int = 0) -> ServiceState | None:
        """Return the state, ``after`` some seconds; None where sc does not show it."""
        return _state_in(self._query(after))

    def _query(self, after: int) -> Section:
        batch = Batch()
        if after:
            batch.add("pause", wait(after))
        batch.add("state", self.reach.layout.service("query"))
        return batch.run(self.reach.session, timeout=self.reach.timeout + after)["state"]

    def stop(self) -> bool:
        """Stop the service and wait until it is stopped; raises ServiceError.

        Returns False if it was stopped already.
        """
        return self._bring("stop", ServiceState.STOPPED, {0, _NOT_STARTED}) != _NOT_STARTED

    def start(self) -> None:
        """Start the service, wait until it runs, and see it stay up; raises ServiceError."""
        self._bring("start", ServiceState.RUNNING, {0, _ALREADY_RUNNING})
        state = self.state(_WATCH)
        if state is not ServiceState.RUNNING:
            raise self._error(f"started, and is {_words(state)} again after {_WATCH} seconds")

    def _bring(self, verb: str, wanted: ServiceState, good: set[int]) -> int:
        """Bring the service into a state; returns the exit code of the first command."""
        began = progress = self.clock()
        first, shown = self._command(verb, good)
        pause = _FIRST_PAUSE
        while (state := _state_in(shown)) is not wanted:
            if verb == "start" and state is ServiceState.STOPPED:
                raise self._error("did not start: it stopped by itself")
            now = self.clock()
            most = self.limit * (MOST_LIMITS if verb == "start" else 1)
            if now - progress >= self.limit or now - began >= most:
                text = f"did not {verb} within {now - began:.0f} seconds: it is {_words(state)}"
                starting = verb == "start" and state is ServiceState.START_PENDING
                raise self._error(text, StillStartingError if starting else ServiceError)
            pause = min(pause + 1, _LONGEST_PAUSE)
            before = shown.output
            if verb == "stop" and state is ServiceState.RUNNING:
                _code, shown = self._command(verb, good)  # it took no control while starting
            else:
                shown = self._query(pause)
            progress = progress if shown.output == before else self.clock()
        return first

    def _command(self, verb: str, good: set[int]) -> tuple[int, Section]:
        layout = self.reach.layout
        batch = changing(layout)
        batch.add("control", layout.service(verb))
        changed(batch, layout)
        batch.add("pause", wait(_FIRST_PAUSE))
        batch.add("state", layout.service("query"))
        sections = batch.run(self.reach.session, timeout=self.reach.timeout)
        check_fence(self.reach.session.host, sections)
        code = sections["control"].exit_code
        if code not in good and code != _NO_CONTROL_NOW:
            reason = _REASONS.get(code, excerpt(sections["control"].output))
            raise self._error(f"did not {verb} (exit code {code}, {reason})")
        return code, sections["state"]

    def _error(self, what: str, kind: type[ServiceError] = ServiceError) -> ServiceError:
        return kind(f"{self.reach.session.host}: the service {SERVICE_NAME} {what}.")


def _state_in(section: Section) -> ServiceState | None:
    number = parse_sc_state(section.output) if section.ok else None
    return None if number is None else ServiceState(number)


def _words(state: ServiceState | None) -> str:
    return "in a state that sc does not show" if state is None else state.words
