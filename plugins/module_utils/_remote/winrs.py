# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session over WinRM's command shell, by pywinrm: deadlines, limits, and errors in plain words.

This is the only file that imports pywinrm (and with it requests and the rest).
"""

from __future__ import annotations

import contextlib

# NTLM asks for this by name; imported here, forks share it.
import encodings.utf_16_le  # noqa: F401 # pylint: disable=unused-import
import math
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from ansible.module_utils.basic import missing_required_lib

from .._base.errors import (
    CommandTimeout,
    ExchangeError,
    HostUnreachable,
    InvalidInput,
    LoginRefused,
    MissingLibrary,
    SessionLost,
)
from .failures import WINRM, describe, explain, explain_fault
from .guard import Meter, guard
from .options import LoginOptions
from .session import COMMAND_LINE_LIMIT, Completed, Gate

LIBRARY_ERROR = ""
try:
    import requests.exceptions
    import winrm.protocol
    from winrm.exceptions import WinRMOperationTimeoutError, WSManFaultError
except ImportError:
    LIBRARY_ERROR = traceback.format_exc()

_UTF_8 = 65001  # the code page of our shells
#: Seconds, at least, between the end of an operation on the host and the end of our patience.
_READ_MARGIN = 5
#: Seconds to spend on the deletion of a shell that may be gone.
_PARTING_TIMEOUT = 5
#: A host that answers "nothing yet" at once is asked again after this many seconds.
_PAUSE = 0.1
# ERROR_WSMAN_QUOTA_MAX_OPERATIONS: old WinRM counts all commands of a shell, also ended ones.
_OPERATIONS_USED_UP = 0x803381A6

_T = TypeVar("_T")


class ShellSource(Protocol):
    """Where a session's shell comes from, and what closes it. Errors are pywinrm's or Ansible's."""

    def open(self) -> tuple[Any, str]:
        """Return a pywinrm ``Protocol`` and the id of an open shell."""

    def close(self) -> None:
        """Close the shell, if it is the session's to close."""

    def abandon(self) -> None:
        """Forget a broken shell after an attempt to delete it; ``open`` then makes a new one."""


@dataclass
class OwnShell:
    """A shell of our own, from explicit options."""

    options: LoginOptions
    _protocol: Any = field(default=None, init=False)
    _shell: str = field(default="", init=False)

    def open(self) -> tuple[Any, str]:
        """Log in and create the shell.

        pywinrm has no "negotiate", which is Kerberos, and NTLM where that is not to be had.
        """
        if LIBRARY_ERROR:
            raise MissingLibrary(
                missing_required_lib("pywinrm >= 0.5"), details={"exception": LIBRARY_ERROR}
            )
        options = self.options
        if options.auth != "negotiate":
            return self._opened(options.auth)
        if options.user and options.password:
            try:
                return self._opened("kerberos")
            except (requests.exceptions.ConnectionError, requests.exceptions.Timeout):
                raise  # which no other login changes
            except Exception as error:  # noqa: BLE001 - no ticket, no library: NTLM is next
                del error
            return self._opened("ntlm")
        return self._opened("kerberos")

    def _opened(self, transport: str) -> tuple[Any, str]:
        options, details = self.options, self.options.details
        protocol: Any = winrm.protocol.Protocol(
            endpoint=options.url,
            transport=transport,  # type: ignore[arg-type]
            username=options.user,
            password=options.password,
            ca_trust_path=options.ca_cert or "legacy_requests",
            cert_pem=options.client_cert,
            cert_key_pem=options.client_key,
            server_cert_validation=options.cert_validation,  # type: ignore[arg-type]
            message_encryption=options.message_encryption,  # type: ignore[arg-type]
            proxy=options.proxy or (None if options.ignore_proxy else "legacy_requests"),
            kerberos_hostname_override=options.kerberos_hostname,
            kerberos_delegation=options.kerberos_delegation,
            service=details.service,
            send_cbt=details.send_cbt,
            credssp_disable_tlsv1_2=details.credssp_disable_tlsv1_2,
            operation_timeout_sec=max(1, options.connect_timeout - _READ_MARGIN),
            read_timeout_sec=options.connect_timeout,
        )
        # These two its constructor does not hand on.
        protocol.transport.credssp_auth_mechanism = details.credssp_auth_mechanism
        protocol.transport.credssp_minimum_version = details.credssp_minimum_version
        guard(protocol.transport)
        self._protocol = protocol
        try:
            self._shell = protocol.open_shell(codepage=_UTF_8)
        finally:
            if not self._shell:
                protocol.transport.close_session()
        return protocol, self._shell

    def close(self) -> None:
        """Delete the shell and close the connection."""
        if self._shell:
            self._protocol.close_shell(self._shell)
            self._shell = ""

    def abandon(self) -> None:
        """Try to delete the shell over a fresh connection."""
        shell, self._shell = self._shell, ""
        if shell:
            delete_shell(self._protocol, shell)


def delete_shell(protocol: Any, shell: str) -> None:
    """Delete a shell over a fresh connection, in little time; whatever fails is left alone.

    A fresh connection, since after a break the old one's encryption no longer fits.
    """
    transport = protocol.transport
    protocol.operation_timeout_sec = _PARTING_TIMEOUT - 1
    transport.read_timeout_sec = _PARTING_TIMEOUT
    try:
        transport.close_session()
        protocol.close_shell(shell)
    except Exception as error:  # noqa: BLE001 - the shell is lost already; there is nothing to do
        del error


def connect(
    options: LoginOptions, *, host: str = "", gate: Gate = contextlib.nullcontext
) -> WinrsSession:
    """Return a session by explicit options; nothing is sent before its first command.

    ``host`` is the name for messages, by default the host of the options.
    """
    return WinrsSession(
        OwnShell(options),
        host=host or options.host,
        login=Login(options.user, f"{options.host} port {options.port}", options.auth),
        secrets=options.secrets,
        gate=gate,
    )


@dataclass(frozen=True, slots=True)
class Login:
    """How a session logs in, for messages; ``at`` is address and port."""

    user: str = ""
    at: str = ""
    auth: str = ""


class WinrsSession:
    """Runs command lines in one WinRM command shell; see ``session.Session``."""

    def __init__(
        self,
        source: ShellSource,
        *,
        host: str,
        login: Login | None = None,
        secrets: tuple[str, ...] = (),
        gate: Gate = contextlib.nullcontext,
    ) -> None:
        self.host = host
        self._source = source
        self._login = login or Login()
        self._secrets = secrets
        self._gate = gate
        self._protocol: Any = None
        self._shell = ""
        self._broken = False
        self._margin = _READ_MARGIN
        self._meters: list[Meter] = []

    @property
    def requests(self) -> int:
        """HTTP requests of this session, those of the login included where it is our own."""
        return sum(meter.requests for meter in self._meters)

    @property
    def host_time(self) -> datetime | None:
        """The host's clock now; see ``session.Session``."""
        return self._meters[-1].host_time if self._meters else None

    def run(
        self, command: str, *, timeout: float = 60.0, max_output: int = 16_000_000
    ) -> Completed:
        """Run one command line; see ``session.Session``.

        After more than ``max_output`` bytes, or ``timeout`` seconds, the command is terminated. A
        cut answer has the exit code -1. A host that stops answering at all is noticed as much later
        as the connection's read timeout is longer than its operation timeout.
        """
        if not command or not all(c.isprintable() or c > "\x7f" for c in command):
            raise InvalidInput("A command line must not be empty or hold control characters.")
        if len(command) > COMMAND_LINE_LIMIT:
            raise InvalidInput(
                f"The command line has {len(command)} characters; the limit is"
                f" {COMMAND_LINE_LIMIT}."
            )
        self._open()
        deadline = time.monotonic() + timeout
        patience = self._protocol.operation_timeout_sec, self._protocol.transport.read_timeout_sec
        self._margin = max(_READ_MARGIN, patience[1] - patience[0])
        try:
            command_id = self._start(command, deadline)
            return self._collect(command_id, deadline, timeout, max_output)
        finally:
            if self._protocol is not None:
                self._set_patience(*patience)

    def reopen(self) -> None:
        """Drop the shell and the connection; the next command makes new ones."""
        self._protocol, self._broken = None, False
        self._source.abandon()

    def close(self) -> None:
        """Close what this session opened itself."""
        self._protocol = None
        try:
            if not self._broken:
                self._source.close()
        except Exception as error:  # noqa: BLE001 - never raises: the work is done, or failed before
            del error
            self._broken = True
        if self._broken:
            self.reopen()

    def _open(self) -> None:
        if self._protocol is not None:
            return
        if self._broken:
            self.reopen()
        with self._gate():
            protocol, self._shell = self._call(self._source.open, opening=True)
        meter = guard(protocol.transport)
        if meter not in self._meters:
            self._meters.append(meter)
        self._protocol = protocol

    def _start(self, command: str, deadline: float) -> str:
        """Start the command, in a new shell where the old one takes no more; return its id."""
        self._limit(deadline)
        try:
            return str(self._call(self._protocol.run_command, self._shell, command))
        except _OperationsUsedUp:
            self.reopen()
            self._open()
            self._limit(deadline)
            return str(self._call(self._protocol.run_command, self._shell, command))

    def _collect(
        self, command_id: str, deadline: float, timeout: float, max_output: int
    ) -> Completed:
        """Receive until the command has ended, and terminate what is left of it."""
        stdout, stderr = bytearray(), bytearray()
        while (begun := time.monotonic()) < deadline:
            self._limit(deadline)
            out, err, exit_code, done = self._call(self._receive, command_id)
            stdout += out
            stderr += err
            if len(stdout) + len(stderr) > max_output:
                self._signal(command_id)
                cut = bytes(stdout[:max_output])
                return Completed(-1, cut, bytes(stderr[: max_output - len(cut)]), truncated=True)
            if done:
                self._signal(command_id)
                return Completed(exit_code, bytes(stdout), bytes(stderr))
            if not (out or err) and time.monotonic() - begun < _PAUSE:
                time.sleep(_PAUSE)
        self._signal(command_id)
        raise CommandTimeout(
            f"{self.host}: a command did not end within {timeout:g} seconds and was stopped.",
            hint="Check the load of the host, or allow more time.",
        )

    def _receive(self, command_id: str) -> tuple[bytes, bytes, int, bool]:
        try:
            answer: tuple[bytes, bytes, int, bool] = self._protocol.get_command_output_raw(
                self._shell, command_id
            )
        except WinRMOperationTimeoutError:
            return b"", b"", -1, False
        return answer

    def _signal(self, command_id: str) -> None:
        """Terminate the command, or the rest of it. A failure does not change the result."""
        self._set_patience(_PARTING_TIMEOUT - 1, _PARTING_TIMEOUT)
        try:
            self._protocol.cleanup_command(self._shell, command_id)
        except Exception as error:  # noqa: BLE001 - whatever it was, this shell is not used again
            del error
            self._break()

    def _limit(self, deadline: float) -> None:
        """Let the host hold an answer back no longer than until our own deadline."""
        left = math.ceil(deadline - time.monotonic())
        seconds = min(max(1, left), winrm.protocol.Protocol.DEFAULT_OPERATION_TIMEOUT_SEC)
        self._set_patience(seconds, seconds + self._margin)

    def _set_patience(self, operation: float, read: float) -> None:
        self._protocol.operation_timeout_sec = operation
        self._protocol.transport.read_timeout_sec = read

    def _break(self) -> None:
        """Use this shell no more; it is deleted with the next command, or at the close."""
        self._protocol, self._broken = None, True

    def _call(self, function: Callable[..., _T], *args: Any, opening: bool = False) -> _T:
        """Call pywinrm and translate what it raises.

        From a garbage answer it lets out whatever its XML, its base64 or its assertions raise. The
        translation is raised outside of the handler: so it carries no context, and no traceback at
        any verbosity shows the text of the original, which may hold a URL with a password.
        """
        try:
            return function(*args)
        except ExchangeError:
            raise
        except KeyboardInterrupt:
            if not opening:
                self._break()  # in the middle of a request, which spoils the connection
            raise
        except Exception as error:  # noqa: BLE001 - translated, every one of them
            problem = self._translated(error, opening=opening)
        if not opening and not isinstance(problem, _OperationsUsedUp):
            self._break()
        raise problem

    def _translated(self, error: Exception, *, opening: bool) -> ExchangeError:
        code: object = None
        if not LIBRARY_ERROR and isinstance(error, WSManFaultError):
            code, subcode = error.wsman_fault_code, error.fault_subcode or ""
            cause = explain_fault(code, subcode, error.reason, self._secrets, WINRM)
        else:
            # As Ansible's plugin puts it; pywinrm's own text lacks the way to log in.
            cause = explain(f"{self._login.auth}: {describe(error)}", WINRM)
        kind: type[ExchangeError] = SessionLost
        text = f"{self.host}: {cause.sentence}."
        if _OPERATIONS_USED_UP in (code, getattr(error, "wmierror_code", None)) and not opening:
            kind = _OperationsUsedUp
        elif cause.missing_library:
            kind = MissingLibrary
        elif opening:
            login = f" as {self._login.user}" if self._login.user else ""
            login += f" at {self._login.at}" if self._login.at else ""
            kind = LoginRefused if cause.refused else HostUnreachable
            text = f"{self.host}: no WinRM session{login}: {cause.sentence}."
        else:
            text = (
                f"{self.host}: the WinRM session broke in the middle of a command:"
                f" {cause.sentence}. The command may or may not have run."
            )
        return kind(text, hint=cause.hint)


class _OperationsUsedUp(SessionLost):
    """A shell takes no more commands; a new one does."""
