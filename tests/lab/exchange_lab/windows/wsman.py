# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WS-Management envelopes as the Windows Remote Shell uses them (MS-WSMV)."""

from __future__ import annotations

import base64
import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
}
SHELL = NAMESPACES["rsp"]
CMD_RESOURCE = f"{SHELL}/cmd"
_ANONYMOUS = f"{NAMESPACES['a']}/role/anonymous"
_FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
_FAULT_NAMESPACE = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
_DURATION = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?$")

OPERATION_TIMEOUT = 2150858793
SHELL_NOT_FOUND = 2150858843
TOO_MANY_SHELLS = 2150859173
TOO_MANY_OPERATIONS = 2150859174
INVALID_RESOURCE = 2150858811
ACTION_NOT_SUPPORTED = 2150858754
ACCESS_DENIED = 5
INVALID_PARAMETER = 87


class NotSoapError(Exception):
    """The body of a request is no envelope."""


class SoapFault(Exception):  # noqa: N818 - what the protocol calls it
    """The request is answered with a fault (HTTP 500)."""

    def __init__(self, code: int, text: str, subcode: str, *, sender: bool = True) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.subcode = subcode
        self.sender = sender


@dataclass(frozen=True, slots=True)
class Request:
    """One envelope from a client."""

    action: str
    message_id: str
    resource: str
    shell_id: str
    options: dict[str, str]
    timeout: float
    max_envelope: int
    body: ET.Element

    @property
    def verb(self) -> str:
        """The last part of the action: Create, Command, Receive, Send, Signal or Delete."""
        return self.action.rpartition("/")[2]

    def text(self, path: str) -> str | None:
        """Return the text of an element of the body, or None."""
        return self.body.findtext(path, None, NAMESPACES)

    def element(self, path: str) -> ET.Element | None:
        """Return an element of the body."""
        return self.body.find(path, NAMESPACES)


def duration(text: str | None, default: float) -> float:
    """Return the seconds of an ISO 8601 duration such as ``PT20S``."""
    match = _DURATION.match(text or "")
    if not match:
        return default
    days, hours, minutes = (int(part or 0) for part in match.groups()[:3])
    return ((days * 24 + hours) * 60 + minutes) * 60 + float(match[4] or 0)


def parse(data: bytes) -> Request:
    """Read an envelope; NotSoapError when it is none."""
    try:
        root = ET.fromstring(data)
    except ET.ParseError as exc:
        raise NotSoapError(str(exc)) from exc
    header = root.find("s:Header", NAMESPACES)
    body = root.find("s:Body", NAMESPACES)
    if header is None or body is None:
        raise NotSoapError("no header or body")
    selectors = header.findall("w:SelectorSet/w:Selector", NAMESPACES)
    options = header.findall("w:OptionSet/w:Option", NAMESPACES)
    size = header.findtext("w:MaxEnvelopeSize", "153600", NAMESPACES)
    return Request(
        action=header.findtext("a:Action", "", NAMESPACES).strip(),
        message_id=header.findtext("a:MessageID", "", NAMESPACES).strip(),
        resource=header.findtext("w:ResourceURI", "", NAMESPACES).strip(),
        shell_id=next(
            (s.text or "" for s in selectors if s.get("Name", "").lower() == "shellid"), ""
        ),
        options={option.get("Name", ""): option.text or "" for option in options},
        timeout=duration(header.findtext("w:OperationTimeout", None, NAMESPACES), 60.0),
        max_envelope=int(size) if size.isdigit() else 153600,
        body=body,
    )


def envelope(action: str, relates_to: str, body: str) -> bytes:
    """Return an answer around the XML of a body."""
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    return (
        f'<s:Envelope xml:lang="en-US" {spaces}><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><a:To>{_ANONYMOUS}</a:To>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault(request: Request | None, problem: SoapFault) -> bytes:
    """Return the envelope of a fault."""
    text = escape(problem.text)
    side = "s:Sender" if problem.sender else "s:Receiver"
    body = (
        f"<s:Fault><s:Code><s:Value>{side}</s:Value><s:Subcode><s:Value>{problem.subcode}"
        f'</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">{text} </s:Text>'
        f'</s:Reason><s:Detail><f:WSManFault xmlns:f="{_FAULT_NAMESPACE}" '
        f'Code="{problem.code}" Machine="127.0.0.1"><f:Message>{text} </f:Message>'
        f"</f:WSManFault></s:Detail></s:Fault>"
    )
    return envelope(_FAULT_ACTION, request.message_id if request else "", body)


def created(request: Request, shell_id: str, owner: str) -> bytes:
    """Return the answer to Create."""
    body = (
        f"<x:ResourceCreated><a:Address>http://127.0.0.1/wsman</a:Address>"
        f"<a:ReferenceParameters><w:ResourceURI>{CMD_RESOURCE}</w:ResourceURI><w:SelectorSet>"
        f'<w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>'
        f"</a:ReferenceParameters></x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell_id}"
        f"</rsp:ShellId><rsp:ResourceUri>{CMD_RESOURCE}</rsp:ResourceUri><rsp:Owner>"
        f"{escape(owner)}</rsp:Owner><rsp:IdleTimeOut>PT7200.000S</rsp:IdleTimeOut>"
        f"<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr"
        f"</rsp:OutputStreams></rsp:Shell>"
    )
    return envelope(f"{NAMESPACES['x']}/CreateResponse", request.message_id, body)


def command_started(request: Request, command_id: str) -> bytes:
    """Return the answer to Command."""
    body = f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"
    return envelope(f"{SHELL}/CommandResponse", request.message_id, body)


def received(
    request: Request, command_id: str, output: list[tuple[str, bytes]], exit_code: int | None
) -> bytes:
    """Return the answer to Receive; with an exit code the command is done."""
    name = quoteattr(command_id)
    streams = "".join(
        f'<rsp:Stream Name="{stream}" CommandId={name}>{base64.b64encode(data).decode()}'
        "</rsp:Stream>"
        for stream, data in output
    )
    if exit_code is None:
        state = f'<rsp:CommandState CommandId={name} State="{SHELL}/CommandState/Running"/>'
    else:
        state = "".join(
            f'<rsp:Stream Name="{stream}" CommandId={name} End="true"></rsp:Stream>'
            for stream in ("stdout", "stderr")
        )
        state += (
            f'<rsp:CommandState CommandId={name} State="{SHELL}/CommandState/Done">'
            f"<rsp:ExitCode>{exit_code}</rsp:ExitCode></rsp:CommandState>"
        )
    body = f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>"
    return envelope(f"{SHELL}/ReceiveResponse", request.message_id, body)


def done(request: Request) -> bytes:
    """Return the answer to Send, Signal or Delete."""
    if request.verb == "Delete":
        return envelope(f"{NAMESPACES['x']}/DeleteResponse", request.message_id, "")
    body = f"<rsp:{request.verb}Response/>"
    return envelope(f"{SHELL}/{request.verb}Response", request.message_id, body)
