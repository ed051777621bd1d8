# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runspace pool on the server's side (psrpcore), with the pipelines that run in it."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

from psrpcore import (
    CreatePipelineEvent,
    PowerShell,
    PSRPPayload,
    ServerPipeline,
    ServerRunspacePool,
    StreamType,
)
from psrpcore.types import PipelineState, PSInvocationState

from . import errors, wire
from .faults import DropConnection

if TYPE_CHECKING:
    from psrpcore.types import ErrorRecord

    from .shell import Outcome, Shell

_FRAGMENT = 24_000
_PER_ANSWER = 96_000


class Runspace:
    """One client's pool. Pipelines run in threads of their own; answers wait to be received."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.id: uuid.UUID | None = None
        self._pool = ServerRunspacePool()
        self._ready = threading.Condition()
        self._waiting: dict[uuid.UUID | None, list[bytes]] = {}
        self._running: set[uuid.UUID] = set()
        self._counted: set[uuid.UUID] = set()
        self._dropped: set[uuid.UUID] = set()

    def count(self, pipeline: uuid.UUID, limit: int) -> bool:
        """Count a new pipeline; False where as many are open that nobody has terminated."""
        with self._ready:
            if len(self._counted) >= limit:
                return False
            self._counted.add(pipeline)
            return True

    def forget(self, pipeline: uuid.UUID) -> None:
        """The client has terminated this pipeline: it counts no more."""
        with self._ready:
            self._counted.discard(pipeline)

    def feed(self, data: bytes, pipeline: uuid.UUID | None = None) -> None:
        """Take what the client sent, for the pool or for a pipeline."""
        with self._ready:
            if pipeline is not None and pipeline not in self._pool.pipeline_table:
                ServerPipeline(self._pool, pipeline)
                self._running.add(pipeline)
            self._pool.receive_data(PSRPPayload(data, StreamType.default, pipeline))
            while (event := self._pool.next_event()) is not None:
                if isinstance(event, CreatePipelineEvent):
                    self._start(event)
            self._collect()

    def receive(self, pipeline: uuid.UUID | None, patience: float) -> tuple[list[bytes], bool]:
        """What there is for the client, waiting at most that many seconds; and whether it is done.

        Raises DropConnection where a fault broke this pipeline's connection.
        """
        with self._ready:
            self._ready.wait_for(lambda: self._has_news(pipeline), patience)
            if pipeline in self._dropped:
                self._dropped.discard(pipeline)
                raise DropConnection
            waiting = self._waiting.get(pipeline, [])
            taken: list[bytes] = []
            while waiting and sum(map(len, taken)) < _PER_ANSWER:
                taken.append(waiting.pop(0))
            done = pipeline is not None and pipeline not in self._running and not waiting
            return taken, done

    def stop(self, pipeline: uuid.UUID) -> None:
        """The client does not want this pipeline any more."""
        with self._ready:
            self._running.discard(pipeline)
            self._pool.pipeline_table.pop(pipeline, None)
            self._ready.notify_all()

    def _has_news(self, pipeline: uuid.UUID | None) -> bool:
        waiting = self._waiting.get(pipeline, [])
        if pipeline is None or pipeline not in self._running:
            return bool(waiting) or pipeline is not None
        # While a pipeline runs, only a full answer is worth a request.
        return sum(map(len, waiting)) >= _PER_ANSWER

    def _start(self, event: CreatePipelineEvent) -> None:
        pipeline = self._pool.pipeline_table[event.pipeline_id]
        # Not by ``start()``: that tells the client, which no server does when a pipeline begins.
        pipeline.state = PSInvocationState.Running
        thread = threading.Thread(
            target=self._run, args=(pipeline, event.pipeline), name="pipeline", daemon=True
        )
        thread.start()

    def _run(self, pipeline: ServerPipeline, asked: object) -> None:
        try:
            failed = self._run_commands(pipeline, asked)
        except DropConnection:
            with self._ready:
                self._dropped.add(pipeline.pipeline_id)
                self._finish(pipeline)
            return
        with self._ready:
            if pipeline.pipeline_id in self._pool.pipeline_table:
                _end(pipeline, failed)
            self._finish(pipeline)

    def _run_commands(self, pipeline: ServerPipeline, asked: object) -> ErrorRecord | None:
        if not isinstance(asked, PowerShell):
            error = errors.command_not_found("Get-Command")
            return wire.error_record(error, "", error.error_id)
        for command in asked.commands:
            if not command.end_of_statement:
                # Cmdlets joined by a pipe. Whether Exchange takes them is unknown; the lab doesn't.
                error = errors.scripts_not_allowed(command.command_text)
                return wire.error_record(error, "", error.error_id)
            outcome = self.shell.run(command)
            with self._ready:
                if pipeline.pipeline_id not in self._pool.pipeline_table:
                    return None
                _write(pipeline, outcome)
                self._collect()
            if outcome.failed is not None:
                return outcome.failed
        return None

    def _finish(self, pipeline: ServerPipeline) -> None:
        self._collect()
        self._running.discard(pipeline.pipeline_id)
        self._pool.pipeline_table.pop(pipeline.pipeline_id, None)
        self._ready.notify_all()

    def _collect(self) -> None:
        while (payload := self._pool.data_to_send(_FRAGMENT)) is not None:
            self._waiting.setdefault(payload.pipeline_id, []).append(payload.data)
        self._ready.notify_all()


def _write(pipeline: ServerPipeline, outcome: Outcome) -> None:
    for value in outcome.output:
        pipeline.write_output(value)
    for warning in outcome.warnings:
        pipeline.write_warning(warning)
    for record in outcome.errors:
        pipeline.write_error(
            record.Exception,
            category_info=record.CategoryInfo,
            target_object=record.TargetObject,
            fully_qualified_error_id=record.FullyQualifiedErrorId,
        )


def _end(pipeline: ServerPipeline, failed: ErrorRecord | None) -> None:
    if failed is None:
        pipeline.complete()
        return
    # psrpcore has no public call that fails a pipeline: send the message that such a call would.
    pipeline.prepare_message(
        PipelineState(PipelineState=int(PSInvocationState.Failed), ExceptionAsErrorRecord=failed)
    )
    pipeline.state = PSInvocationState.Failed
