# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One refused login is enough: an account that a host refused is not tried at the next host.

Directories lock an account after a few wrong passwords, and a run over 120 hosts would try it 120
times. So until one login of an account has succeeded, its logins come one after the other, and
after a refused one none. ansible-core loads action plugins before it forks a process for each host:
a file without a name, made here, is what these processes share. It holds digests with a random
salt, and names of hosts. If it cannot be made or locked, logins go on without it.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator

from ..module_utils._base.errors import HostUnreachable, LoginRefused

#: Seconds to wait for another process's login, which is longer than most logins take.
_WAIT = 30.0
_PAUSE = 0.05
_PROBE = 5.0
_MOST = 1_000_000  # bytes read of the file


class Logins:
    """What the processes of one run know of their logins."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._file = None
        with contextlib.suppress(OSError):
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - until the run ends
            atexit.register(self._file.close)
            self._made = self._identity()

    @contextlib.contextmanager
    def attempt(
        self, user: str, password: str, host: str, address: tuple[str, int] | None
    ) -> Iterator[None]:
        """Stand around one login. Raises HostUnreachable where it would be one too many.

        ``address`` is None where the host cannot be reached directly. A host that does not accept
        a connection keeps no other one waiting.
        """
        account = json.dumps([user.casefold(), password]).encode()
        key = hashlib.blake2b(account, key=self._salt, digest_size=16).hexdigest()
        with contextlib.ExitStack() as stack:
            if not self._outcome(key) and _accepts(address):
                stack.enter_context(self._turn(key))
            state, where = self._outcome(key) or ("", "")
            if state == "refused":
                raise HostUnreachable(
                    f"{host}: not tried, because {where} refused the login as {user}.",
                    hint="Correct user or password; stop_at_refused_login: false tries each host.",
                    details={"not_tried": True},
                )
            try:
                yield
            except LoginRefused:
                if not state:
                    self._note(key, "refused", host)
                raise
            if not state:
                self._note(key, "accepted", host)

    def _identity(self) -> tuple[int, int] | None:
        """Return which file is open; a process may have closed it, and another have its number."""
        if self._file is None:
            return None
        status = os.fstat(self._file.fileno())
        return status.st_dev, status.st_ino

    def _outcome(self, key: str) -> tuple[str, str] | None:
        """Return how the first login of an account ended, and at which host; None before it."""
        with contextlib.suppress(OSError):
            if self._file is not None and self._identity() == self._made:
                for line in os.pread(self._file.fileno(), _MOST, 0).splitlines():
                    found, state, host = json.loads(line)
                    if found == key:
                        return state, host
        return None

    def _note(self, key: str, state: str, host: str) -> None:
        with contextlib.suppress(OSError):
            if self._file is not None and self._identity() == self._made:
                os.write(self._file.fileno(), json.dumps([key, state, host]).encode() + b"\n")

    @contextlib.contextmanager
    def _turn(self, key: str) -> Iterator[None]:
        """Wait until no other process logs in with this account, or its outcome is there.

        The locks are those of fcntl, which a process that dies gives back.
        """
        place = _MOST + int(key[:8], 16)
        deadline = time.monotonic() + _WAIT
        held = False
        try:
            while self._file is not None and not held and time.monotonic() < deadline:
                try:
                    fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                    held = True
                except (BlockingIOError, PermissionError):
                    if self._outcome(key):
                        break
                    time.sleep(_PAUSE)
                except OSError:
                    break
            yield
        finally:
            if held and self._file is not None:
                with contextlib.suppress(OSError):
                    fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)


def _accepts(address: tuple[str, int] | None) -> bool:
    """Return true if the host accepts a connection, so that a login would follow."""
    if address is None:
        return True
    try:
        socket.create_connection(address, _PROBE).close()
    except OSError:
        return False
    return True
