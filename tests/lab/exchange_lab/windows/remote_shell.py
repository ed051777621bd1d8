# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Windows Remote Shell behind WinRM: shells, their commands, signals and quotas."""

from __future__ import annotations

import base64
import binascii
import threading
import uuid
from dataclasses import dataclass, field

from . import wsman
from .errors import DIRECTORY_NAME_INVALID, WinError
from .host import LabHost
from .remote_command import Runner, RunningCommand, run_in_lab
from .shell import Shell
from .wsman import Request, SoapFault

_ENVELOPE_OVERHEAD = 8192  # bytes of an answer that are not output
_HRESULT = 0x80070000  # how a Windows error number appears as a fault code
_SIGNALS = ("terminate", "ctrl_c", "ctrl_break")


@dataclass(slots=True)
class _OpenShell:
    """One shell; ``operations`` counts its commands, which signals do not give back."""

    shell: Shell
    user: str
    commands: dict[str, RunningCommand] = field(default_factory=dict)
    operations: int = 0


@dataclass(slots=True)
class Limits:
    """Quotas as in ``winrm/config``."""

    max_shells_per_user: int = 30
    max_operations_per_user: int = 1500


class RemoteShells:
    """All remote shells of one host. ``runner`` runs their command lines: another may be put in."""

    def __init__(self, host: LabHost, limits: Limits | None = None) -> None:
        self.host = host
        self.limits = limits or Limits()
        self.runner: Runner = run_in_lab
        self.denied_users: set[str] = set()
        self.opened = 0
        self._lock = threading.Lock()
        self._shells: dict[str, _OpenShell] = {}
        self._commands: list[RunningCommand] = []

    @property
    def open_count(self) -> int:
        """How many shells are open: left-overs, if nobody works."""
        with self._lock:
            return len(self._shells)

    @property
    def running_count(self) -> int:
        """How many commands have not ended, those of deleted shells included."""
        with self._lock:
            self._commands = [command for command in self._commands if command.running]
            return len(self._commands)

    def expire(self) -> None:
        """Lose all shells, as when the service is restarted or they were idle too long."""
        with self._lock:
            shells, self._shells = list(self._shells.values()), {}
        for shell in shells:
            for command in shell.commands.values():
                command.stop()

    def close(self) -> None:
        """Stop every command and wait for its thread."""
        self.expire()
        with self._lock:
            commands = list(self._commands)
        for command in commands:
            command.stop()
            command.join(10)

    def handle(self, request: Request, user: str, *, delegated: bool) -> bytes:
        """Carry out a request of an authenticated user; raises SoapFault."""
        if user in self.denied_users:
            raise SoapFault(wsman.ACCESS_DENIED, "Access is denied.", "w:AccessDenied")
        if request.resource.rstrip("/") != wsman.CMD_RESOURCE:
            raise SoapFault(
                wsman.INVALID_RESOURCE,
                "The WS-Management service cannot process the request. The resource URI "
                f"({request.resource}) was not found in the WS-Management catalog. The catalog "
                "contains the metadata that describes resources, or logical endpoints.",
                "a:DestinationUnreachable",
            )
        if request.verb == "Create":
            return self._create(request, user, delegated=delegated)
        handlers = {
            "Command": self._command,
            "Receive": self._receive,
            "Send": self._send,
            "Signal": self._signal,
            "Delete": self._delete,
        }
        handler = handlers.get(request.verb)
        if handler is None:
            raise SoapFault(
                wsman.ACTION_NOT_SUPPORTED, "The action is not supported.", "a:ActionNotSupported"
            )
        return handler(request, self._find(request, user))

    # -- shells ------------------------------------------------------------------------------

    def _create(self, request: Request, user: str, *, delegated: bool) -> bytes:
        page = request.options.get("WINRS_CODEPAGE", "")
        code_page = int(page) if page.isdigit() else self.host.oem_code_page
        shell = self.host.open_shell(user, code_page=code_page, delegated=delegated)
        self._prepare(shell, request)
        shell_id = str(uuid.uuid4()).upper()
        with self._lock:
            self._check_quota(user)
            self._shells[shell_id] = _OpenShell(shell, user)
            self.opened += 1
        return wsman.created(request, shell_id, user)

    def _prepare(self, shell: Shell, request: Request) -> None:
        """Set directory, code page and variables as the client wants them."""
        try:
            shell.encode("")
        except LookupError:
            raise _invalid_parameter() from None
        folder = request.text("rsp:Shell/rsp:WorkingDirectory")
        if folder:
            try:
                full = shell.absolute(folder)
            except WinError:
                full = ""
            if not self.host.fs.is_dir(full):
                code = _HRESULT + DIRECTORY_NAME_INVALID
                raise SoapFault(code, "The directory name is invalid.", "w:InternalError")
            shell.cwd = self.host.fs.spelling(full)
        variables = request.element("rsp:Shell/rsp:Environment")
        for variable in variables if variables is not None else ():
            shell.environment.set(variable.get("Name", ""), variable.text or "")

    def _check_quota(self, user: str) -> None:
        mine = [shell for shell in self._shells.values() if shell.user == user]
        if len(mine) >= self.limits.max_shells_per_user:
            raise SoapFault(
                wsman.TOO_MANY_SHELLS,
                "The WS-Management service cannot process the request. This user is allowed a "
                f"maximum number of {self.limits.max_shells_per_user} concurrent shells, which "
                "has been exceeded. Close existing shells or raise the quota for this user.",
                "w:QuotaLimit",
                sender=False,
            )

    def _find(self, request: Request, user: str) -> _OpenShell:
        with self._lock:
            shell = self._shells.get(request.shell_id.upper())
        if shell is None or shell.user != user:
            raise SoapFault(
                wsman.SHELL_NOT_FOUND,
                f"The request for the Windows Remote Shell with ShellId {request.shell_id} failed "
                "because the shell was not found on the server. Possible causes are: the "
                "specified ShellId is incorrect or the shell no longer exists on the server. "
                "Provide the correct ShellId or create a new shell and retry the operation.",
                "w:InvalidSelectors",
            )
        return shell

    def _delete(self, request: Request, shell: _OpenShell) -> bytes:
        with self._lock:
            self._shells.pop(request.shell_id.upper(), None)
        for command in shell.commands.values():
            command.stop()
        return wsman.done(request)

    # -- commands ----------------------------------------------------------------------------

    def _command(self, request: Request, shell: _OpenShell) -> bytes:
        self._count_operation(shell)
        line = request.text("rsp:CommandLine/rsp:Command") or ""
        arguments = request.body.findall("rsp:CommandLine/rsp:Arguments", wsman.NAMESPACES)
        line = " ".join([line, *(argument.text or "" for argument in arguments)])
        direct = request.options.get("WINRS_SKIP_CMD_SHELL", "").upper() == "TRUE"
        try:
            command = RunningCommand(line, shell.shell.child(), direct=direct, runner=self.runner)
        except WinError as exc:
            code = _HRESULT + exc.code
            raise SoapFault(code, str(exc), "w:InternalError", sender=False) from None
        command_id = str(uuid.uuid4()).upper()
        with self._lock:
            shell.commands[command_id] = command
            self._commands.append(command)
        return wsman.command_started(request, command_id)

    def _count_operation(self, shell: _OpenShell) -> None:
        limit = self.limits.max_operations_per_user
        with self._lock:
            mine = [other for other in self._shells.values() if other.user == shell.user]
            if sum(other.operations for other in mine) >= limit:
                raise SoapFault(
                    wsman.TOO_MANY_OPERATIONS,
                    "The WS-Management service cannot process the request. This user is allowed "
                    f"a maximum number of {limit} concurrent operations, which has been exceeded. "
                    "Close existing operations for this user, or raise the quota for this user.",
                    "w:QuotaLimit",
                    sender=False,
                )
            shell.operations += 1

    def _running(
        self, request: Request, shell: _OpenShell, path: str
    ) -> tuple[str, RunningCommand]:
        """Return the command that an element of the body names in ``CommandId``."""
        element = request.element(path)
        command_id = "" if element is None else element.get("CommandId", "")
        with self._lock:
            command = shell.commands.get(command_id.upper())
        if command is None:
            raise _invalid_parameter()
        return command_id, command

    def _receive(self, request: Request, shell: _OpenShell) -> bytes:
        command_id, command = self._running(request, shell, "rsp:Receive/rsp:DesiredStream")
        limit = max(1024, (request.max_envelope - _ENVELOPE_OVERHEAD) * 3 // 4)
        fetched = command.fetch(request.timeout, limit)
        if fetched is None:
            raise SoapFault(
                wsman.OPERATION_TIMEOUT,
                "The WS-Management service cannot complete the operation within the time "
                "specified in OperationTimeout. ",
                "w:TimedOut",
                sender=False,
            )
        return wsman.received(request, command_id, fetched.output, fetched.exit_code)

    def _send(self, request: Request, shell: _OpenShell) -> bytes:
        _skipped, command = self._running(request, shell, "rsp:Send/rsp:Stream")
        element = request.element("rsp:Send/rsp:Stream")
        text = "" if element is None else element.text or ""
        try:
            command.streams.stdin.feed(base64.b64decode(text, validate=True))
        except binascii.Error:
            raise _invalid_parameter() from None
        if element is not None and element.get("End", "").lower() == "true":
            command.streams.stdin.close()
        return wsman.done(request)

    def _signal(self, request: Request, shell: _OpenShell) -> bytes:
        command_id, command = self._running(request, shell, "rsp:Signal")
        code = (request.text("rsp:Signal/rsp:Code") or "").rpartition("/")[2].lower()
        if code not in _SIGNALS:
            raise _invalid_parameter()
        command.stop()
        if code == "terminate":
            with self._lock:
                shell.commands.pop(command_id.upper(), None)
        return wsman.done(request)


def _invalid_parameter() -> SoapFault:
    return SoapFault(wsman.INVALID_PARAMETER, "The parameter is incorrect.", "w:InvalidParameter")
