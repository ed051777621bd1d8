# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is at the other end of a WinRM connection, and the encryption of messages (MS-WSMV 2.2.9.1).

One ``Authenticator`` belongs to one TCP connection, as on Windows.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import spnego
from spnego.exceptions import SpnegoError

_BOUNDARY = b"--Encrypted Boundary"
_PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
ENCRYPTED_TYPE = f'multipart/encrypted;protocol="{_PROTOCOL}";boundary="Encrypted Boundary"'
# The library takes the credentials' file from the environment. The variable is there from now on
# (empty is none), since other threads may walk through the environment while it is changed.
_USER_FILE = "NTLM_USER_FILE"
os.environ.setdefault(_USER_FILE, "")
_user_file_lock = threading.Lock()

# What the library raises for tokens that are none, besides its own error.
_TOKEN_ERRORS = (SpnegoError, ValueError, LookupError, AttributeError, TypeError, struct.error)

Acceptor = Callable[[bytes], spnego.ContextProxy]
"""Makes the security context for a connection from its first token."""


class LoginRefusedError(Exception):
    """Wrong user, password or token: answered 401."""


class BadSignatureError(Exception):
    """An encrypted message that cannot be opened: answered 400."""


def write_user_file(path: Path, users: Mapping[str, str]) -> None:
    r"""Write the credentials of the NTLM acceptor; ``DOMAIN\user`` and bare names are known.

    Raises ValueError for what the file format cannot hold.
    """
    lines = []
    for user, password in users.items():
        domain, _skipped, name = user.rpartition("\\")
        if ":" in user + password:
            raise ValueError("the acceptor's credential file has no way to write a colon")
        lines.append(f"{domain}:{name}:{password}\n")
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text("".join(lines), encoding="utf-8")
    fresh.replace(path)


class Authenticator:
    """The security context of one connection."""

    def __init__(
        self, users: Mapping[str, str], user_file: Path, acceptor: Acceptor | None = None
    ) -> None:
        self._users = users
        self._user_file = user_file
        self._acceptor = acceptor or self._default_acceptor
        self._context: spnego.ContextProxy | None = None
        self.user: str | None = None
        self.delegated = False

    @property
    def encrypts(self) -> bool:
        """Whether messages on this connection can be encrypted."""
        return self._context is not None and self._context.complete

    def basic(self, credentials: str) -> None:
        """Check the value of a Basic header; sets ``user`` or raises LoginRefusedError."""
        self.user = None
        try:
            text = base64.b64decode(credentials, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as exc:
            raise LoginRefusedError("not a Basic credential") from exc
        user, _skipped, password = text.partition(":")
        known = {name.casefold(): name for name in self._users}.get(user.casefold())
        if known is None or self._users[known] != password:
            raise LoginRefusedError(user)
        self.user, self.delegated = known, True

    def negotiate(self, token_text: str) -> bytes | None:
        """Take a token of NTLM or SPNEGO; return ours. Sets ``user`` when complete."""
        try:
            token = base64.b64decode(token_text, validate=True)
        except binascii.Error as exc:
            raise LoginRefusedError("not a token") from exc
        if self._context is None or self._context.complete:
            self._start(token)
        try:
            answer = self._step(token)
        except _TOKEN_ERRORS as exc:
            self._context = None
            raise LoginRefusedError(str(exc)) from exc
        return answer

    def _start(self, token: bytes) -> None:
        self.user = None
        with _credentials(self._user_file):
            self._context = self._acceptor(token)

    def _step(self, token: bytes) -> bytes | None:
        context = self._context
        assert context is not None
        with _credentials(self._user_file):
            answer = context.step(token)
        if context.complete:
            self.user = self._known_user(context.client_principal or "")
        return answer

    def _known_user(self, principal: str) -> str:
        """Return the login as the host knows it."""
        bare = principal.rpartition("\\")[2]
        for name in self._users:
            if name.casefold() in {principal.casefold(), bare.casefold()}:
                return name
        return principal

    @staticmethod
    def _default_acceptor(token: bytes) -> spnego.ContextProxy:
        if token.startswith(b"NTLMSSP\0"):
            return spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
        # The library's own SPNEGO around NTLM, whether or not a Kerberos library is installed.
        return spnego.server(protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate)

    # -- messages ----------------------------------------------------------------------------

    def open_message(self, body: bytes) -> bytes:
        """Return the plaintext of an encrypted request; BadSignatureError when it is not right."""
        parts = body.split(_BOUNDARY)
        if len(parts) < 3 or self._context is None:
            raise BadSignatureError("not an encrypted message")
        header, payload = parts[1], _BOUNDARY.join(parts[2:-1])
        sealed = payload.partition(b"application/octet-stream\r\n")[2]
        try:
            length = int(header.partition(b"Length=")[2].strip())
            (signature_length,) = struct.unpack("<i", sealed[:4])
            signature = sealed[4 : 4 + signature_length]
            plain = self._context.unwrap_winrm(signature, sealed[4 + signature_length :])
        except (SpnegoError, ValueError, struct.error) as exc:
            raise BadSignatureError(str(exc)) from exc
        if len(plain) != length:
            raise BadSignatureError("the length does not match")
        return plain

    def seal_message(self, plain: bytes) -> bytes:
        """Return the body of an encrypted answer."""
        assert self._context is not None
        wrapped = self._context.wrap_winrm(plain)
        length = len(plain) + wrapped.padding_length
        sealed = struct.pack("<i", len(wrapped.header)) + wrapped.header + wrapped.data
        return (
            _BOUNDARY
            + f"\r\n\tContent-Type: {_PROTOCOL}\r\n\tOriginalContent: type=application/soap+xml;"
            f"charset=UTF-8;Length={length}\r\n".encode()
            + _BOUNDARY
            + b"\r\n\tContent-Type: application/octet-stream\r\n"
            + sealed
            + _BOUNDARY
            + b"--\r\n"
        )


@contextlib.contextmanager
def _credentials(user_file: Path) -> Iterator[None]:
    """Let the library find a listener's credentials for a moment."""
    with _user_file_lock:
        before, os.environ[_USER_FILE] = os.environ[_USER_FILE], str(user_file)
        try:
            yield
        finally:
            os.environ[_USER_FILE] = before
