# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WS-Management requests of PowerShell remoting (MS-WSMV, MS-PSRP) at ``/PowerShell``.

Takes the XML of a request and gives the XML of the answer; HTTP, authentication and encryption are
somebody else's.
"""

from __future__ import annotations

import base64
import re
import threading
import uuid
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from .runspace import Runspace
from .shell import Shell

if TYPE_CHECKING:
    from .organisation import Organisation
    from .server import ExchangeServer

NS = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
    "ps": "http://schemas.microsoft.com/powershell",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "f": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault",
}
CONFIGURATION = "http://schemas.microsoft.com/powershell/Microsoft.Exchange"
_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"

# Codes of WS-Management faults (winerror.h).
TIMED_OUT = 2150858793
NO_SUCH_SHELL = 2150858843
NO_SUCH_RESOURCE = 2150858752
BAD_REQUEST = 2150858817
TOO_MANY_SHELLS = 2150859174


class WsmanFault(Exception):  # noqa: N818 - the protocol calls it a fault
    """A request that is answered with a fault and HTTP status 500."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class PowerShellEndpoint:
    """The endpoint of one server. ``max_runspaces`` a user are Exchange's throttling."""

    def __init__(
        self, organisation: Organisation, server: ExchangeServer, *, max_runspaces: int = 18
    ) -> None:
        self.organisation = organisation
        self.server = server
        self.max_runspaces = max_runspaces
        self._shells: dict[uuid.UUID, tuple[str, Runspace]] = {}
        self._lock = threading.Lock()

    @property
    def open_runspaces(self) -> int:
        """Pools that no client has closed."""
        with self._lock:
            return len(self._shells)

    def handle(self, body: bytes, user: str) -> tuple[int, bytes]:
        """Answer a request: HTTP status and XML. Raises DropConnection where a fault says so."""
        self.organisation.counters.request(self.server.name)
        try:
            request = _Request(body)
        except (ET.ParseError, ValueError):
            return 400, b""
        try:
            content = self._dispatch(request, user)
        except WsmanFault as fault:
            return 500, request.fault(fault)
        return 200, request.answer(content)

    def _dispatch(self, request: _Request, user: str) -> str:
        if request.resource != CONFIGURATION:
            raise WsmanFault(
                NO_SUCH_RESOURCE,
                "The WS-Management service cannot process the request. The resource URI "
                f"({request.resource}) was not found in the WS-Management catalog.",
            )
        action = request.action.rsplit("/", 1)[-1]
        if action == "Create":
            return self._create(request, user)
        runspace = self._runspace(request, user)
        if action == "Command":
            return _command(runspace, request)
        if action == "Send":
            return _send(runspace, request)
        if action == "Receive":
            return _receive(runspace, request)
        if action == "Signal":
            return _signal(runspace, request)
        if action == "Delete":
            with self._lock:
                self._shells.pop(request.shell_id, None)
            return ""
        raise WsmanFault(BAD_REQUEST, f"The action {request.action} is not supported.")

    def _create(self, request: _Request, user: str) -> str:
        creation = request.text("rsp:Shell/ps:creationXml")
        runspace = Runspace(Shell(self.organisation, self.server, user))
        with self._lock:
            mine = sum(1 for owner, _ in self._shells.values() if owner == user)
            if mine >= self.max_runspaces:
                raise WsmanFault(
                    TOO_MANY_SHELLS,
                    "Fail to create a runspace because you have exceeded the maximum number of "
                    f"connections allowed : {self.max_runspaces} for the policy party : "
                    "MaxConcurrency. Please close existing runspace and try again.",
                )
            shell_id = request.element("rsp:Shell").get("ShellId") or str(uuid.uuid4())
            runspace.id = uuid.UUID(shell_id)
            self._shells[runspace.id] = (user, runspace)
        runspace.feed(base64.b64decode(creation))
        identity = shell_id.upper()
        return (
            f"<x:ResourceCreated><a:Address>{_ANONYMOUS}</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{CONFIGURATION}</w:ResourceURI><w:SelectorSet>"
            f'<w:Selector Name="ShellId">{identity}</w:Selector></w:SelectorSet>'
            "</a:ReferenceParameters></x:ResourceCreated>"
            f"<rsp:Shell><rsp:ShellId>{identity}</rsp:ShellId>"
            f"<rsp:ResourceUri>{CONFIGURATION}</rsp:ResourceUri>"
            f"<rsp:Owner>{escape(user)}</rsp:Owner><rsp:IdleTimeOut>PT900.000S</rsp:IdleTimeOut>"
            "<rsp:InputStreams>stdin pr</rsp:InputStreams>"
            "<rsp:OutputStreams>stdout</rsp:OutputStreams></rsp:Shell>"
        )

    def _runspace(self, request: _Request, user: str) -> Runspace:
        with self._lock:
            owner, runspace = self._shells.get(request.shell_id, ("", None))
        if runspace is None or owner != user:
            raise WsmanFault(
                NO_SUCH_SHELL,
                "The request for the Windows Remote Shell with ShellId "
                f"{str(request.shell_id).upper()} failed because the shell was not found on the "
                "server.",
            )
        return runspace


class _Request:
    """A request's XML, and the answers to it."""

    def __init__(self, body: bytes) -> None:
        self._root = ET.fromstring(body)
        self._body = self.element_of(self._root, "s:Body")
        header = self.element_of(self._root, "s:Header")
        self.action = header.findtext("a:Action", "", NS)
        self.message_id = header.findtext("a:MessageID", "", NS)
        self.resource = header.findtext("w:ResourceURI", "", NS)
        selector = header.findtext("w:SelectorSet/w:Selector[@Name='ShellId']", "", NS)
        self.shell_id = uuid.UUID(selector) if selector else uuid.UUID(int=0)
        timeout = re.fullmatch(r"PT([0-9.]+)S", header.findtext("w:OperationTimeout", "", NS))
        self.patience = float(timeout[1]) if timeout else 60.0

    @staticmethod
    def element_of(parent: ET.Element, path: str) -> ET.Element:
        found = parent.find(path, NS)
        if found is None:
            raise ValueError(f"no {path} in the request")
        return found

    def element(self, path: str) -> ET.Element:
        """An element of the body; a fault where it is missing."""
        try:
            return self.element_of(self._body, path)
        except ValueError as error:
            raise WsmanFault(BAD_REQUEST, str(error)) from error

    def text(self, path: str) -> str:
        """The text of an element of the body."""
        return self.element(path).text or ""

    def answer(self, content: str) -> bytes:
        """The answer around a body."""
        return self._envelope(self.action + "Response", content)

    def fault(self, fault: WsmanFault) -> bytes:
        """The answer that says what went wrong."""
        text = escape(str(fault))
        return self._envelope(
            "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault",
            "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError"
            "</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang='en-US'>"
            f"{text}</s:Text></s:Reason><s:Detail><f:WSManFault Code='{fault.code}' "
            f"Machine='localhost'><f:Message>{text}</f:Message></f:WSManFault></s:Detail></s:Fault>",
        )

    def _envelope(self, action: str, content: str) -> bytes:
        spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items())
        return (
            f"<s:Envelope {spaces}><s:Header><a:Action>{action}</a:Action>"
            f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID>"
            f"<a:To>{_ANONYMOUS}</a:To><a:RelatesTo>{escape(self.message_id)}</a:RelatesTo>"
            f"</s:Header><s:Body>{content}</s:Body></s:Envelope>"
        ).encode()


def _command(runspace: Runspace, request: _Request) -> str:
    line = request.element("rsp:CommandLine")
    command_id = line.get("CommandId") or str(uuid.uuid4())
    fragment = base64.b64decode(line.findtext("rsp:Arguments", "", NS))
    runspace.feed(fragment, uuid.UUID(command_id))
    return (
        "<rsp:CommandResponse><rsp:CommandId>"
        f"{command_id.upper()}</rsp:CommandId></rsp:CommandResponse>"
    )


def _send(runspace: Runspace, request: _Request) -> str:
    stream = request.element("rsp:Send/rsp:Stream")
    command_id = stream.get("CommandId")
    runspace.feed(
        base64.b64decode(stream.text or ""), uuid.UUID(command_id) if command_id else None
    )
    return "<rsp:SendResponse/>"


def _receive(runspace: Runspace, request: _Request) -> str:
    wanted = request.element("rsp:Receive/rsp:DesiredStream").get("CommandId")
    pipeline = uuid.UUID(wanted) if wanted else None
    pieces, done = runspace.receive(pipeline, request.patience)
    if not pieces and not done:
        raise WsmanFault(
            TIMED_OUT,
            "The WS-Management service cannot complete the operation within the time specified in "
            "OperationTimeout.",
        )
    mark = f' CommandId="{wanted}"' if wanted else ""
    streams = "".join(
        f'<rsp:Stream Name="stdout"{mark}>{base64.b64encode(piece).decode()}</rsp:Stream>'
        for piece in pieces
    )
    state = ""
    if wanted:
        word = "Done" if done else "Running"
        state = f'<rsp:CommandState{mark} State="{NS["rsp"]}/CommandState/{word}"/>'
    return f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>"


def _signal(runspace: Runspace, request: _Request) -> str:
    command_id = request.element("rsp:Signal").get("CommandId")
    if command_id:
        runspace.stop(uuid.UUID(command_id))
    return "<rsp:SignalResponse/>"
