# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of Ansible that begin in a process which has imported their libraries already.

A quarter of what a small playbook costs is the import of other projects' libraries. A server
imports them once, and forks for each run; nothing of Ansible or of the collection is imported
ahead, so a run reads its own settings. This file is the server, too; it imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

_LIBRARIES = (
    "asyncio concurrent.futures cryptography.hazmat.backends cryptography.hazmat.primitives.ciphers"
    " dns.message dns.rdtypes.ANY.MX dns.resolver email.message http.client idna jinja2.nativetypes"
    " jinja2.sandbox multiprocessing.connection multiprocessing.queues packaging.requirements"
    " pypsrp.powershell requests requests_ntlm resolvelib spnego winrm xml.dom.minidom yaml"
)
_REQUEST = 1 << 17


class Server:
    """A server, from the first run on; ``close`` ends it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ours: socket.socket | None = None

    def run(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
    ) -> tuple[int, bytes]:
        """Run a Python program by its path; return its exit status and what it printed.

        Raises subprocess.TimeoutExpired.
        """
        request = [list(map(str, command)), str(folder), dict(environment)]
        with self._lock:
            ours = self._ours or self._start()
            reading, writing = os.pipe()
            with os.fdopen(reading, "rb") as printed:
                socket.send_fds(ours, [json.dumps(request).encode()], [writing])
                os.close(writing)
                child = int(ours.recv(100))
                ended = threading.Timer(timeout, _kill, [child])
                ended.start()
                output = printed.read()
                status = int(ours.recv(100))
                if not ended.is_alive():
                    raise subprocess.TimeoutExpired(command, timeout, output)
                ended.cancel()
        return status, output

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
            )
        self._ours = ours
        return ours

    def close(self) -> None:
        """End the server."""
        if self._ours is not None and self._process is not None:
            self._ours.close()
            self._process.wait()
            self._ours = self._process = None


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, 9)


def _serve(theirs: socket.socket) -> None:
    """Fork for each request; return in the forked process, as the program that it is to be."""
    while True:
        request, (writing, *_none), _flags, _sender = _received(theirs)
        child = os.fork()
        if child == 0:
            command, folder, environment = json.loads(request)
            for number in (1, 2):
                os.dup2(writing, number)
            os.close(writing)
            theirs.close()
            sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
            kept = "backslashreplace"
            sys.stderr = os.fdopen(2, "w", 1, "utf-8", kept, closefd=False)
            # what Ansible writes to beside these; typeshed calls the names final
            vars(sys).update(__stdout__=sys.stdout, __stderr__=sys.stderr)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            sys.argv = command
            sys.path[0] = os.path.dirname(command[0])  # noqa: PTH120 - pathlib is not needed here
            return
        os.close(writing)
        theirs.send(b"%d" % child)
        _pid, status = os.waitpid(child, 0)
        theirs.send(b"%d" % os.waitstatus_to_exitcode(status))


def _received(theirs: socket.socket) -> tuple[bytes, list[int], int, object]:
    found = socket.recv_fds(theirs, _REQUEST, 1)
    if not found[0]:
        sys.exit(0)
    return found


if __name__ == "__main__":
    for _name in _LIBRARIES.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(_name)
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_path(sys.argv[0], run_name="__main__")
