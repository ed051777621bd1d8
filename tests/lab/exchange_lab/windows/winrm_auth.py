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
from typing import Any

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import BadBindingsError, SpnegoError

from .winrm_seal import KERBEROS_ERRORS, BadSignatureError, open_message, seal_message

__all__ = ["Acceptor", "Authenticator", "BadSignatureError", "LoginRefusedError", "write_user_file"]

_CHANNEL_BOUND = 2048  # GSS_C_CHANNEL_BOUND_FLAG
# The library takes the credentials' file from the environment. The variable is there from now on
# (empty is none), since other threads may walk through the environment while it is changed.
_USER_FILE = "NTLM_USER_FILE"
os.environ.setdefault(_USER_FILE, "")
_user_file_lock = threading.Lock()

# What the library raises for tokens that are none, besides its own error.
_TOKEN_ERRORS: tuple[type[Exception], ...] = (
    SpnegoError,
    *KERBEROS_ERRORS,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    struct.error,
)

Acceptor = Callable[[bytes, GssChannelBindings | None], spnego.ContextProxy]
"""Makes the security context for a connection from its first token and the binding it requires."""


class LoginRefusedError(Exception):
    """Wrong user, password or token: answered 401."""


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


def default_acceptor(token: bytes, binding: GssChannelBindings | None) -> spnego.ContextProxy:
    """NTLM, bare or within SPNEGO; also Kerberos, with the keys that ``KRB5_KTNAME`` names.

    It is always the library's own SPNEGO, so that NTLM is the same where Kerberos is installed.
    """
    if token.startswith(b"NTLMSSP\0"):
        options = spnego.NegotiateOptions.use_ntlm
        return spnego.server(protocol="ntlm", options=options, channel_bindings=binding)
    options = spnego.NegotiateOptions.use_negotiate
    return spnego.server(protocol="negotiate", options=options, channel_bindings=binding)


def credssp_acceptor(_token: bytes, _binding: GssChannelBindings | None) -> spnego.ContextProxy:
    """CredSSP around NTLM: the client sends its password in a TLS session of its own.

    That one the login is bound to (MS-CSSP 3.1.5), and to none around it.
    """
    return spnego.server(protocol="credssp", options=spnego.NegotiateOptions.use_negotiate)


def _unbound(context: Any) -> bool:
    """Tell whether a login by Kerberos came without a binding, which the library lets pass."""
    if context.protocol == "credssp" or context.negotiated_protocol != "kerberos":
        return False
    return not context._context._context_attr & _CHANNEL_BOUND


def _delegated(context: spnego.ContextProxy) -> bool:
    """Tell whether CredSSP brought a password, or Kerberos a ticket to get others with."""
    forwarded = spnego.ContextReq.delegate in context.context_attr
    return forwarded or context.get_extra_info("client_credential") is not None


class Authenticator:
    """The security context of one connection.

    With a ``binding`` only a login is taken that its client bound to the same TLS end (RFC 5929).
    """

    def __init__(
        self,
        users: Mapping[str, str],
        user_file: Path,
        acceptor: Acceptor | None = None,
        binding: GssChannelBindings | None = None,
    ) -> None:
        self._users = users
        self._user_file = user_file
        self._acceptor = acceptor or default_acceptor
        self._binding = binding
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

    def negotiate(self, token_text: str, *, credssp: bool = False) -> bytes | None:
        """Take a token of NTLM, SPNEGO, Kerberos or CredSSP; return ours.

        Sets ``user`` when complete, and ``delegated`` where the login can be used further on.
        """
        try:
            token = base64.b64decode(token_text, validate=True)
        except binascii.Error as exc:
            raise LoginRefusedError("not a token") from exc
        if self._context is None or self._context.complete:
            self._start(token, credssp_acceptor if credssp else self._acceptor)
        try:
            answer = self._step(token)
        except _TOKEN_ERRORS as exc:
            self._context = None
            raise LoginRefusedError(str(exc)) from exc
        return answer

    def _start(self, token: bytes, acceptor: Acceptor) -> None:
        self.user, self.delegated = None, False
        with _credentials(self._user_file):
            self._context = acceptor(token, self._binding)

    def _step(self, token: bytes) -> bytes | None:
        context = self._context
        assert context is not None
        with _credentials(self._user_file):
            answer = context.step(token)
        if context.complete:
            if self._binding is not None and _unbound(context):
                raise BadBindingsError(context_msg="the login is bound to no TLS end")
            self.user = self._known_user(context.client_principal or "")
            self.delegated = _delegated(context)
        return answer

    def _known_user(self, principal: str) -> str:
        """Return the login as the host knows it."""
        bare = principal.rpartition("\\")[2]
        for name in self._users:
            if name.casefold() in {principal.casefold(), bare.casefold()}:
                return name
        return principal

    # -- messages ----------------------------------------------------------------------------

    def open_message(self, content_type: str, body: bytes) -> bytes:
        """Return the plaintext of an encrypted request; BadSignatureError when it is not right."""
        if self._context is None:
            raise BadSignatureError("nobody logged in on this connection")
        return open_message(self._context, content_type, body)

    def seal_message(self, asked_type: str, plain: bytes) -> tuple[str, bytes]:
        """Return type and body of an encrypted answer to a request of a type."""
        assert self._context is not None
        return seal_message(self._context, asked_type, plain)


@contextlib.contextmanager
def _credentials(user_file: Path) -> Iterator[None]:
    """Let the library find a listener's credentials for a moment."""
    with _user_file_lock:
        before, os.environ[_USER_FILE] = os.environ[_USER_FILE], str(user_file)
        try:
            yield
        finally:
            os.environ[_USER_FILE] = before
