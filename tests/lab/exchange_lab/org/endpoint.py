# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WS-Management requests of PowerShell remoting (MS-WSMV, MS-PSRP) at ``/PowerShell``.

HTTP, logins, encryption and faults of connections are those of the lab's WinRM listeners.
"""

from __future__ import annotations

import base64
import binascii
import threading
import uuid
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from ..windows import wsman
from ..windows.winrm_http import CutConnection
from ..windows.wsman import NAMESPACES, SHELL, SoapFault
from .faults import DropConnection
from .runspace import Runspace
from .shell import Shell

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

    from ..windows.wsman import Request
    from .organisation import Organisation
    from .server import ExchangeServer

PATH = "/PowerShell"
CONFIGURATION = "http://schemas.microsoft.com/powershell/Microsoft.Exchange"
_CREATION = "rsp:Shell/{http://schemas.microsoft.com/powershell}creationXml"


class PowerShellEndpoint:
    """The endpoint of one server. ``max_runspaces`` a user are Exchange's throttling.

    ``max_pipelines`` of a runspace may be open at once. A pipeline counts until its client
    terminates it, even where it has ended.
    """

    def __init__(
        self,
        organisation: Organisation,
        server: ExchangeServer,
        *,
        max_runspaces: int = 18,
        max_pipelines: int = 25,
    ) -> None:
        self.organisation = organisation
        self.server = server
        self.max_runspaces = max_runspaces
        self.max_pipelines = max_pipelines
        self._runspaces: dict[uuid.UUID, tuple[str, Runspace]] = {}
        self._lock = threading.Lock()

    @property
    def open_count(self) -> int:
        """Pools that no client has closed."""
        with self._lock:
            return len(self._runspaces)

    def close(self) -> None:
        """Forget all pools."""
        with self._lock:
            self._runspaces.clear()

    def handle(self, request: Request, user: str, *, delegated: bool) -> bytes:
        """Carry out a request of an authenticated user; raises SoapFault or CutConnection."""
        if request.resource != CONFIGURATION:
            raise SoapFault(
                wsman.INVALID_RESOURCE,
                "The WS-Management service cannot process the request. The resource URI "
                f"({request.resource}) was not found in the WS-Management catalog.",
                "a:DestinationUnreachable",
            )
        if request.verb == "Create":
            return self._create(request, user)
        runspace = self._find(request, user)
        if request.verb == "Delete":
            with self._lock:
                self._runspaces.pop(_identity(request.shell_id), None)
            return wsman.done(request)
        if request.verb == "Command":
            return _command(runspace, request, self.max_pipelines)
        handlers = {"Receive": _receive, "Send": _send, "Signal": _signal}
        handler = handlers.get(request.verb)
        if handler is None:
            raise SoapFault(
                wsman.ACTION_NOT_SUPPORTED, "The action is not supported.", "a:ActionNotSupported"
            )
        return handler(runspace, request)

    def _create(self, request: Request, user: str) -> bytes:
        creation = _decoded(request.body.findtext(_CREATION, "", NAMESPACES))
        shell = request.element("rsp:Shell")
        identity = _identity("" if shell is None else shell.get("ShellId", ""))
        runspace = Runspace(Shell(self.organisation, self.server, user))
        with self._lock:
            self._check_quota(user)
            self._runspaces[identity] = (user, runspace)
        runspace.feed(creation)
        return wsman.envelope(
            f"{NAMESPACES['x']}/CreateResponse", request.message_id, _created(identity, user)
        )

    def _check_quota(self, user: str) -> None:
        if sum(owner == user for owner, _skipped in self._runspaces.values()) >= self.max_runspaces:
            raise SoapFault(
                wsman.TOO_MANY_SHELLS,
                "Fail to create a runspace because you have exceeded the maximum number of "
                f"connections allowed : {self.max_runspaces} for the policy party : "
                "MaxConcurrency. Please close existing runspace and try again.",
                "w:QuotaLimit",
                sender=False,
            )

    def _find(self, request: Request, user: str) -> Runspace:
        with self._lock:
            owner, runspace = self._runspaces.get(_identity(request.shell_id), ("", None))
        if runspace is None or owner != user:
            raise SoapFault(
                wsman.SHELL_NOT_FOUND,
                f"The request for the Windows Remote Shell with ShellId {request.shell_id} failed "
                "because the shell was not found on the server.",
                "w:InvalidSelectors",
            )
        return runspace


def _created(identity: uuid.UUID, user: str) -> str:
    shell_id = str(identity).upper()
    return (
        "<x:ResourceCreated><a:Address>http://127.0.0.1/PowerShell</a:Address>"
        f"<a:ReferenceParameters><w:ResourceURI>{CONFIGURATION}</w:ResourceURI><w:SelectorSet>"
        f'<w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>'
        f"</a:ReferenceParameters></x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell_id}"
        f"</rsp:ShellId><rsp:ResourceUri>{CONFIGURATION}</rsp:ResourceUri><rsp:Owner>"
        f"{escape(user)}</rsp:Owner><rsp:IdleTimeOut>PT900.000S</rsp:IdleTimeOut>"
        "<rsp:InputStreams>stdin pr</rsp:InputStreams><rsp:OutputStreams>stdout"
        "</rsp:OutputStreams></rsp:Shell>"
    )


def _invalid() -> SoapFault:
    return SoapFault(wsman.INVALID_PARAMETER, "The parameter is incorrect.", "w:InvalidParameter")


def _identity(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise _invalid() from None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise _invalid() from None


def _element(request: Request, path: str) -> ET.Element:
    element = request.element(path)
    if element is None:
        raise _invalid()
    return element


def _command(runspace: Runspace, request: Request, limit: int) -> bytes:
    line = _element(request, "rsp:CommandLine")
    identity = _identity(line.get("CommandId", ""))
    if not runspace.count(identity, limit):
        raise SoapFault(
            wsman.TOO_MANY_OPERATIONS,
            "The WS-Management service cannot process the request. The maximum number of "
            f"concurrent operations for this user ({limit}) has been exceeded. Close existing "
            "operations for this user, or raise the quota for this user.",
            "w:QuotaLimit",
            sender=False,
        )
    runspace.feed(_decoded(line.findtext("rsp:Arguments", "", NAMESPACES)), identity)
    return wsman.command_started(request, str(identity).upper())


def _send(runspace: Runspace, request: Request) -> bytes:
    stream = _element(request, "rsp:Send/rsp:Stream")
    target = stream.get("CommandId")
    runspace.feed(_decoded(stream.text or ""), _identity(target) if target else None)
    return wsman.done(request)


def _receive(runspace: Runspace, request: Request) -> bytes:
    target = _element(request, "rsp:Receive/rsp:DesiredStream").get("CommandId")
    try:
        pieces, done = runspace.receive(_identity(target) if target else None, request.timeout)
    except DropConnection:
        raise CutConnection from None
    if not pieces and not done:
        raise SoapFault(
            wsman.OPERATION_TIMEOUT,
            "The WS-Management service cannot complete the operation within the time specified in "
            "OperationTimeout.",
            "w:TimedOut",
            sender=False,
        )
    mark = f" CommandId={quoteattr(target)}" if target else ""
    body = "".join(
        f'<rsp:Stream Name="stdout"{mark}>{base64.b64encode(piece).decode()}</rsp:Stream>'
        for piece in pieces
    )
    if target:
        word = "Done" if done else "Running"
        body += f'<rsp:CommandState{mark} State="{SHELL}/CommandState/{word}"/>'
    answer = f"<rsp:ReceiveResponse>{body}</rsp:ReceiveResponse>"
    return wsman.envelope(f"{SHELL}/ReceiveResponse", request.message_id, answer)


def _signal(runspace: Runspace, request: Request) -> bytes:
    signal = _element(request, "rsp:Signal")
    identity = _identity(signal.get("CommandId", ""))
    runspace.stop(identity)
    if signal.findtext("rsp:Code", "", NAMESPACES).lower().endswith("/signal/terminate"):
        runspace.forget(identity)
    return wsman.done(request)
