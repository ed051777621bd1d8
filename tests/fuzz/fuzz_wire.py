# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of WinRM and of Exchange's PowerShell, bent by the lab's servers as they go out.

The sessions are real ones, over HTTP on the loopback; so pywinrm, pypsrp and the XML library below
are fuzzed with them.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import gzip
import re
import socket
import struct
import tempfile
import threading
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import (
    options,
    psrp,
    winrs,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import Cmdlet
from exchange_lab.org.lab import OrganisationLab
from exchange_lab.org.versions import Family
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.remote_shell import RemoteShells
from exchange_lab.windows.winrm_listener import HttpListener, Settings
from exchange_lab.windows.wsman import Request
from fuzz_registry import calmly, target
from fuzz_values import NASTY, mutated
from hypothesis import strategies as st

USER, PASSWORD = "operator", "S3cret-Passw0rd"
_OPEN = Settings(basic=True, allow_unencrypted=True)

Bend = Callable[[bytes], bytes]


class Bending:
    """Stands before the service of a listener, and bends its n-th answer from now on."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.at = -1
        self.bend: Bend = bytes

    @property
    def open_count(self) -> int:
        return int(self.inner.open_count)

    def close(self) -> None:
        self.inner.close()

    def handle(self, request: Request, user: str, *, delegated: bool) -> bytes:
        answer: bytes = self.inner.handle(request, user, delegated=delegated)
        self.at -= 1
        return self.bend(answer) if self.at == -1 else answer


# -- how answers are bent

_ENTITIES = "".join(
    f'<!ENTITY {this} "{f"&{last};" * 10}">' for last, this in pairwise("abcdefghijkl")
)
_BOMB = f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{_ENTITIES}]><x>&l;</x>'.encode()
_BOMB = b'<?xml version="1.0"?>' + _BOMB
_WHOLE = [
    b"",
    b"<",
    b"<html><body>no</body></html>",
    _BOMB,
    _BOMB.decode().encode("utf-16"),
    _BOMB.replace(b'version="1.0"', b'version="1.0" encoding="utf-7"'),
    b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
    b"<a>" * 100_000,
    b"<a>" * 100_000 + b"</a>" * 100_000,
    b"<a " + b'b="c" ' * 10_000 + b"/>",
    b"\x00" * 5_000_000,
    b"<x>" + b"A" * 4_000_000 + b"</x>",
    b"\x1f\x8b\x08" + b"\x00" * 40,
]
_TEXTS = [
    "",
    "x",
    "-1",
    "9" * 5000,
    "QUJD" * 100_000,
    "QUJD=QUJD",
    "\u0665",
    "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done",
    "00000000-0000-0000-0000-000000000000",
    "urn:uuid:1",
]


def _replaced(whole: bytes) -> Bend:
    return lambda _answer: whole


def _edited(at: float, length: int, piece: bytes) -> Bend:
    def bend(answer: bytes) -> bytes:
        start = int(at * len(answer))
        return answer[:start] + piece + answer[start + length :]

    return bend


def _restructured(which: float, action: str, text: str) -> Bend:
    """Change one element of a document, which stays well formed."""

    def bend(answer: bytes) -> bytes:
        root = ET.fromstring(answer)
        everything = list(root.iter())
        chosen = everything[int(which * (len(everything) - 1))]
        match action:
            case "text":
                chosen.text = text
            case "attributes":
                for name in list(chosen.attrib):
                    chosen.set(name, text)
            case "rename":
                chosen.tag = chosen.tag.rpartition("}")[0] + "}Other"
            case "empty":
                chosen.clear()
            case "repeat":
                chosen.extend(list(chosen) * 50)
            case "nest":
                for _number in range(2_000):
                    child = ET.Element(chosen.tag)
                    chosen.append(child)
                    chosen = child
        return _text(root)

    return bend


def _text(root: ET.Element) -> bytes:
    # What nests so deeply cannot be written by the library, which recurses.
    try:
        return ET.tostring(root)
    except RecursionError:
        return b"<a>" * 5_000 + b"</a>" * 5_000


_FRACTIONS = st.floats(0, 1, exclude_max=True)
_BENDS = st.one_of(
    st.sampled_from(_WHOLE).map(_replaced),
    st.builds(
        _edited,
        _FRACTIONS,
        st.integers(0, 60),
        st.sampled_from([*NASTY, b"<a>", b"</s:Body>", b"&x;", b"<!DOCTYPE x>"])
        | st.binary(max_size=8),
    ),
    st.builds(
        _restructured,
        _FRACTIONS,
        st.sampled_from(["text", "text", "attributes", "rename", "empty", "repeat", "nest"]),
        st.sampled_from(_TEXTS),
    ),
)


# -- the command shell of WinRM


@cache
def _shells() -> tuple[Bending, HttpListener]:
    folder = tempfile.TemporaryDirectory(prefix="fuzz-")
    host = LabHost("MAIL5A", Path(folder.name), users={USER: PASSWORD}, time_scale=0.05)
    bending = Bending(RemoteShells(host, None))
    bending.inner.limits.max_shells_per_user = 10**9
    bending.inner.limits.max_operations_per_user = 10**9
    listener = HttpListener(host.name, host.users, bending, settings=_OPEN)
    for close in (folder.cleanup, host.close, listener.stop):
        atexit.register(close)
    return bending, listener


_STEPS = st.integers(0, 5)


@target(
    "answers of WinRM",
    "WinRM, PSRP",
    st.tuples(_STEPS, _BENDS),
    examples=100,
    each=[(step, _replaced(whole)) for step in range(5) for whole in _WHOLE],
)
def _winrm(made: tuple[int, Bend]) -> None:
    bending, listener = _shells()
    params = {
        "host": listener.address,
        "port": listener.port,
        "scheme": "http",
        "user": USER,
        "password": PASSWORD,
        "transport": "basic",
        "message_encryption": "never",
        "connect_timeout": 6,
    }
    session = winrs.connect(options.from_params(params), host="mail5-a")
    bending.at, bending.bend = made
    try:
        for command in ("echo one&echo two 1>&2", "type nothing"):
            found = calmly(_run, session, command)
            assert PASSWORD not in str(found)
    finally:
        session.close()
        bending.at = -1


def _run(session: winrs.WinrsSession, command: str) -> Any:
    return session.run(command, timeout=3.0)


# -- Exchange's PowerShell

_STREAM = re.compile(rb"(<rsp:Stream [^>]*>)([A-Za-z0-9+/=]+)(</rsp:Stream>)")
_FRAGMENT = struct.Struct("!QQBI")
_HEADER = 40  # destination, type, runspace pool, pipeline (MS-PSRP 2.2.1)
_BOM = b"\xef\xbb\xbf"


def _inside(bend: Bend) -> Bend:
    """Bend the CLIXML of the messages in an answer, and frame them anew (MS-PSRP 2.2.4)."""

    def messages(data: bytes) -> bytes:
        framed = b""
        while len(data) > _FRAGMENT.size:
            number, order, flags, length = _FRAGMENT.unpack_from(data)
            blob, data = data[_FRAGMENT.size :][:length], data[_FRAGMENT.size + length :]
            head, xml = blob[:_HEADER], blob[_HEADER:].removeprefix(_BOM)
            if xml.startswith(b"<"):
                blob = head + _BOM + bend(xml)
            framed += _FRAGMENT.pack(number, order, flags, len(blob)) + blob
        return framed

    def stream(match: re.Match[bytes]) -> bytes:
        made = messages(base64.b64decode(match[2]))
        return match[1] + base64.b64encode(made) + match[3]

    return lambda answer: _STREAM.sub(stream, answer)


_LAUGHS = (
    "".join(f'<Obj RefId="{n}"><LST>' for n in range(9, -1, -1))
    + "<S>x</S>"
    + "".join(f'<Ref RefId="{n}"/>' * 20 + "</LST></Obj>" for n in range(10))
).encode()
_DEEP = b'<Obj RefId="0"><LST>' * 300 + b"<S>x</S>" + b"</LST></Obj>" * 300
_PROPERTIES = b'<Obj RefId="0" N="b"><Props>'
_HEAVY = _PROPERTIES * 300 + b'<S N="a">' + b"x" * 900_000 + b"</S>" + b"</Props></Obj>" * 300
_WIDE = b'<Obj RefId="0"><MS>' + b'<S N="a">x</S>' * 100_000 + b"</MS></Obj>"
_SERIALISED = [
    _LAUGHS,
    _DEEP,
    _HEAVY,
    _WIDE,
    b"<S>x</S>",
    b"<Nil/>",
    b"<I32>x</I32>",
    b"<Obj/>",
    b"<Ref/>",
]
_PSRP_BENDS = st.one_of(
    _BENDS,
    _BENDS.map(_inside),
    _BENDS.map(_inside),
    st.sampled_from(_SERIALISED).map(_replaced).map(_inside),
)


@cache
def _organisation() -> tuple[Bending, HttpListener]:
    lab = OrganisationLab.build({"EX16": Family.E2016}, users={USER: PASSWORD}, settings=_OPEN)
    lab.start()
    atexit.register(lab.close)
    served = lab.endpoints["EX16"]
    served.max_runspaces = 10**9
    bending = Bending(served)
    lab.listeners["EX16"]._shells = bending
    session = _endpoint_session(lab.listeners["EX16"])
    session.invoke(
        Cmdlet(
            "New-SendConnector",
            {
                "Name": "nestle",
                "AddressSpaces": ["SMTP:nestle.com;1"],
                "SmartHosts": ["[192.0.2.1]"],
                "DNSRoutingEnabled": False,
            },
        )
    )
    session.close()
    return bending, lab.listeners["EX16"]


def _endpoint_session(listener: HttpListener) -> psrp.PsrpSession:
    params = {
        "host": listener.address,
        "port": listener.port,
        "scheme": "http",
        "user": USER,
        "password": PASSWORD,
        "auth": "basic",
        "message_encryption": "never",
        "connect_timeout": 6,
    }
    return psrp.connect(options.endpoint_from_params(params), host="ex16")


@target(
    "answers of Exchange's PowerShell",
    "WinRM, PSRP",
    st.tuples(st.integers(0, 6), _PSRP_BENDS),
    examples=100,
    each=[(step, _inside(_replaced(xml))) for step in range(5) for xml in _SERIALISED + _WHOLE],
)
def _powershell(made: tuple[int, Bend]) -> None:
    bending, listener = _organisation()
    session = _endpoint_session(listener)
    bending.at, bending.bend = made
    try:
        for name in ("Get-SendConnector", "Get-Nothing"):
            found = calmly(_invoke, session, Cmdlet(name))
            assert PASSWORD not in str(found)
            for answer in [] if isinstance(found, Exception) else found:
                assert all(isinstance(name, str) for name in answer)
    finally:
        session.close()
        bending.at = -1


def _invoke(session: psrp.PsrpSession, cmdlet: Cmdlet) -> Any:
    return session.invoke(cmdlet, timeout=3.0)


# -- HTTP below both


def _zipped(times: int) -> bytes:
    """A hundred megabytes of nothing, compressed so often."""
    squeezed = gzip.compress(b"\x00" * 100_000_000)
    for _number in range(times - 1):
        squeezed = gzip.compress(squeezed)
    return squeezed


def _answer(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    head = [b"HTTP/1.1 " + status, b"Content-Type: application/soap+xml", *fields]
    return b"\r\n".join([*head, b"", body])


_BODY = b"<s:Envelope/>"
_HTTP = [
    _answer(_BODY, b"Content-Length: 13"),
    _answer(_BODY, b"Content-Length: 99999999999"),
    _answer(_BODY, b"Content-Length: -1"),
    _answer(_BODY, b"Content-Length: x"),
    _answer(b"d\r\n" + _BODY + b"\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
    _answer(b"ffffffffff\r\n" + _BODY, b"Transfer-Encoding: chunked"),
    _answer(b"-1\r\n" + _BODY, b"Transfer-Encoding: chunked"),
    _answer(b"", b"Location: http://127.0.0.1:9/", status=b"302 Found"),
    _answer(b"", b"WWW-Authenticate: Negotiate !!!", status=b"401 Unauthorized"),
    _answer(b"", b"WWW-Authenticate: " + b"x" * 60_000, status=b"401 Unauthorized"),
    _answer(_BODY, b"X: " + b"x" * 100_000),
    _answer(_BODY, *[b"X-%d: y" % n for n in range(500)]),
    _answer(_BODY, b"Content-Length: 13", status=b"500 " + b"x" * 60_000),
    _answer(b"<s:Fault>" * 10, status=b"500 Internal Server Error"),
    _answer(b"", status=b"999 \xff\xfe"),
    b"HTTP/9.9 200 OK\r\n\r\n",
    b"SSH-2.0-x\r\n",
    b"",
    _answer(_zipped(1), b"Content-Encoding: gzip"),
    _answer(_zipped(2), b"Content-Encoding: gzip, gzip"),
    _answer(_zipped(3), b"Content-Encoding: gzip, gzip, gzip"),
    _answer(zlib.compress(b"\x00" * 100_000_000), b"Content-Encoding: deflate"),
    _answer(b"\x1f\x8b broken", b"Content-Encoding: gzip"),
    _answer(_BODY, b"Content-Encoding: br, zstd, x"),
]
_SMALL = [text for text in _HTTP if len(text) < 1000]


def _say(listener: socket.socket, told: bytes) -> None:
    """Answer every request alike, until the listener is closed."""
    with contextlib.suppress(OSError):
        while True:
            connection, _address = listener.accept()
            connection.settimeout(10)
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(told)


@target(
    "HTTP below WinRM and PowerShell",
    "WinRM, PSRP",
    mutated(_SMALL, [b"Transfer-Encoding: chunked\r\n", b"Content-Length: ", b"HTTP/1.1 100 \r\n"]),
    examples=60,
    each=_HTTP,
)
def _http(told: bytes) -> None:
    for kind in ("winrm", "psrp"):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=_say, args=(listener, told), daemon=True).start()
            params = {
                "host": "127.0.0.1",
                "port": listener.getsockname()[1],
                "scheme": "http",
                "user": USER,
                "password": PASSWORD,
                "message_encryption": "never",
                "connect_timeout": 6,
            }
            if kind == "winrm":
                chosen = options.from_params({**params, "transport": "basic"})
                shell = winrs.connect(chosen, host="mail5-a")
                found = calmly(_run, shell, "echo one")
                shell.close()
            else:
                session = psrp.connect(options.endpoint_from_params({**params, "auth": "basic"}))
                found = calmly(_invoke, session, Cmdlet("Get-Queue"))
                session.close()
            listener.shutdown(socket.SHUT_RDWR)
        assert isinstance(found, ExchangeError)
        assert PASSWORD not in str(found)
