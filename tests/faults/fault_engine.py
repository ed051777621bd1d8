# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run an engine in a process of its own, which can be killed at any request.

A ``Stable`` is forked before anything starts a thread, and forks once more for each run; so a run
begins clean, and a killed one is really gone: no ``finally`` of it is carried out.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import signal
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import (
    guard,
    psrp,
    winrs,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import (
    options as connection,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    imc_delivery as imc,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    transport_delivery as transport,
)

_ENOUGH = 60.0  # seconds that no run takes


@dataclass(frozen=True)
class Job:
    """A run of ``imc`` or ``transport``, and what befalls it.

    ``reach`` are the options of its connection. ``dies_at`` is the number of the HTTP request (from
    1) that is not sent any more, since the process is killed. ``full_at`` is the number of the
    operation on the controller's disk from which on it is full.
    """

    family: str
    host: str
    reach: Mapping[str, Any]
    options: Mapping[str, Any]
    base: Path
    dies_at: int = 0
    full_at: int = 0
    check: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``done``, ``failed``, ``killed``, or ``defect`` with a traceback.

    ``told`` is the result of the task or the details of the error; ``endings`` is, for each command
    line, which error the session raised, or nothing. ``writes`` counts operations on the disk.
    """

    kind: str
    told: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    requests: int = 0
    writes: int = 0
    endings: tuple[str, ...] = ()


class Stable:
    """Where runs come from. To be made before any thread."""

    def __init__(self) -> None:
        self._here, there = multiprocessing.Pipe()
        self._child = os.fork()
        if self._child == 0:
            self._here.close()
            _breed(there)
        there.close()

    def run(self, job: Job) -> Outcome:
        """Carry a run out and wait for its end."""
        self._here.send(job)
        if not self._here.poll(_ENOUGH):
            os.kill(self._child, signal.SIGKILL)
            raise TimeoutError(f"a run did not end: {job}")
        outcome: Outcome = self._here.recv()
        return outcome

    def close(self) -> None:
        """End it."""
        self._here.close()
        os.kill(self._child, signal.SIGKILL)  # a later Stable holds the other end of the pipe, too
        os.waitpid(self._child, 0)


def _breed(pipe: Connection) -> None:
    """Fork for every job; never returns."""
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            os._exit(0)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            with os.fdopen(writing, "wb") as file:
                pickle.dump(_run(job), file)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            answer = file.read()
        os.waitpid(child, 0)
        pipe.send(pickle.loads(answer) if answer else Outcome("killed"))


# -- in the process of a run


def _run(job: Job) -> Outcome:
    os.environ["XDG_CACHE_HOME"] = str(job.base / "cache")
    for patient in (winrs, psrp):
        patient._READ_MARGIN = 0.3  # a test need not wait as long as an administrator
        patient._PARTING_TIMEOUT = 2
    disk, endings = _Disk(job.full_at), list[str]()
    _count_requests(job.dies_at)
    _note_endings(endings)
    session: Any = None
    given: dict[str, Any] = {"host": job.host, "basedir": job.base, "check_mode": job.check}
    try:
        if job.family == "imc":
            session = winrs.connect(connection.from_params(job.reach), host=job.host)
            context = Context(
                host=job.host, session=session, basedir=job.base, check_mode=job.check
            )
            engine, spec = imc.run, imc.ARGUMENT_SPEC
        else:
            session = psrp.connect(connection.endpoint_from_params(job.reach), host=job.host)
            context = Context(cmdlets=lambda: session, **given)
            engine, spec = transport.run, transport.ARGUMENT_SPEC
        params = ArgumentSpecValidator(spec).validate(job.options).validated_parameters
        disk.watch()
        try:
            kind, told, text = "done", engine(params, context), ""
        except ExchangeError as error:
            kind, told, text = "failed", error.details, str(error)
    except Exception:  # noqa: BLE001 - a defect, to be shown where the tests are
        return Outcome("defect", text=traceback.format_exc())
    finally:
        if session:
            session.close()
    return Outcome(kind, told, text, session.requests, disk.count, tuple(endings))


def _count_requests(dies_at: int) -> None:
    send, count = guard._GuardedAdapter.send, [0]

    def counted(self: Any, request: Any, **options: Any) -> Any:
        count[0] += 1
        if count[0] == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return send(self, request, **options)

    guard._GuardedAdapter.send = counted


def _note_endings(endings: list[str]) -> None:
    run = winrs.WinrsSession.run

    def noted(self: Any, *args: Any, **options: Any) -> Any:
        try:
            done = run(self, *args, **options)
        except ExchangeError as error:
            endings.append(type(error).__name__)
            raise
        endings.append("")
        return done

    winrs.WinrsSession.run = noted


class _Disk:
    """The disk of the controller: what makes files and folders, or forces them to the disk."""

    def __init__(self, full_at: int) -> None:
        self._full_at = full_at
        self.count = 0

    def watch(self) -> None:
        """Count from now on."""
        os.mkdir = self._watched(os.mkdir)
        os.fsync = self._watched(os.fsync)
        tempfile.mkstemp = self._watched(tempfile.mkstemp)
        os.open = self._watched(os.open, lambda args: bool(args[1] & os.O_CREAT))

    def _watched(
        self, function: Callable[..., Any], counts: Callable[[Any], bool] = lambda _args: True
    ) -> Callable[..., Any]:
        def watched(*args: Any, **options: Any) -> Any:
            if counts(args):
                self.count += 1
                if 0 < self._full_at <= self.count:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(*args, **options)

        return watched
