# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted messages of WinRM (MS-WSMV 2.2.9.1): one sealed part, by CredSSP one for each 16 KB."""

from __future__ import annotations

import struct

import spnego
from spnego.exceptions import SpnegoError

#: What the Kerberos library raises, where there is one.
KERBEROS_ERRORS: tuple[type[Exception], ...] = ()
try:
    import gssapi.raw

    KERBEROS_ERRORS = (gssapi.raw.GSSError,)
except ImportError:
    pass

_OPEN_ERRORS: tuple[type[Exception], ...] = (
    SpnegoError,
    *KERBEROS_ERRORS,
    ValueError,
    struct.error,
)
_BOUNDARY = b"--Encrypted Boundary"
_SPNEGO = "application/HTTP-SPNEGO-session-encrypted"
_KERBEROS = "application/HTTP-Kerberos-session-encrypted"
_CREDSSP = "application/HTTP-CredSSP-session-encrypted"
_CREDSSP_PART = 16_384  # bytes of plaintext
_SEVERAL = "multipart/x-multi-encrypted"
_KINDS = ("multipart/encrypted", _SEVERAL)
_PAYLOAD = b"\tContent-Type: application/octet-stream\r\n"


class BadSignatureError(Exception):
    """An encrypted message that cannot be opened: answered 400."""


def is_sealed(content_type: str) -> bool:
    """Tell whether a message of this type is encrypted."""
    return content_type.startswith(_KINDS)


def open_message(context: spnego.ContextProxy, content_type: str, body: bytes) -> bytes:
    """Return the plaintext of an encrypted request; BadSignatureError when it is not right."""
    pieces = body.split(_BOUNDARY)
    if len(pieces) < 4 or pieces[0]:  # nothing, header, payload, end
        raise BadSignatureError("not an encrypted message")
    inner = pieces[1:-1]
    if not content_type.startswith(_SEVERAL):
        inner = [inner[0], _BOUNDARY.join(inner[1:])]  # sealed data may hold anything
    try:
        parts = zip(inner[::2], inner[1::2], strict=True)
        return b"".join(_open(context, header, payload) for header, payload in parts)
    except _OPEN_ERRORS as exc:
        raise BadSignatureError(str(exc)) from exc


def _open(context: spnego.ContextProxy, header: bytes, payload: bytes) -> bytes:
    sealed = payload.partition(_PAYLOAD)[2]
    length = int(header.partition(b"Length=")[2].strip())
    (signature_length,) = struct.unpack("<i", sealed[:4])
    signature = sealed[4 : 4 + signature_length]
    plain = context.unwrap_winrm(signature, sealed[4 + signature_length :])
    if len(plain) != length:
        raise BadSignatureError("the length does not match")
    return plain


def seal_message(context: spnego.ContextProxy, asked_type: str, plain: bytes) -> tuple[str, bytes]:
    """Return the content type and the body of an answer, sealed as the request was."""
    protocol = next(name for name in (_KERBEROS, _CREDSSP, _SPNEGO) if name in asked_type)
    size = _CREDSSP_PART if protocol == _CREDSSP else max(1, len(plain))
    chunks = [plain[start : start + size] for start in range(0, len(plain), size)]
    body = b"".join(_seal(context, protocol, chunk) for chunk in chunks)
    kind = _KINDS[len(chunks) > 1]
    return (
        f'{kind};protocol="{protocol}";boundary="Encrypted Boundary"',
        body + _BOUNDARY + b"--\r\n",
    )


def _seal(context: spnego.ContextProxy, protocol: str, plain: bytes) -> bytes:
    wrapped = context.wrap_winrm(plain)
    length = len(plain) + wrapped.padding_length
    return (
        _BOUNDARY
        + f"\r\n\tContent-Type: {protocol}\r\n\tOriginalContent: type=application/soap+xml;"
        f"charset=UTF-8;Length={length}\r\n".encode()
        + _BOUNDARY
        + b"\r\n"
        + _PAYLOAD
        + struct.pack("<i", len(wrapped.header))
        + wrapped.header
        + wrapped.data
    )
