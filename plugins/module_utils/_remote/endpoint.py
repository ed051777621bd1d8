# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach Exchange's PowerShell endpoint: the option ``endpoint``, and what is inherited.

The endpoint is a virtual directory of the web server, ``http://FQDN/PowerShell``; who logs in there
is who logs in by WinRM, so user, password and trust come from the same inventory variables. Port,
scheme and path do not: those of WinRM are another service's.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._base.errors import InvalidInput
from . import options

AUTHENTICATIONS = ("kerberos", "negotiate", "ntlm", "basic", "credssp", "certificate")
CONFIGURATION = "Microsoft.Exchange"
HTTP_PORT = 80
HTTPS_PORT = 443
_ONLY_HTTPS = frozenset({"basic", "certificate"})
_NEED_PASSWORD = frozenset({"basic", "credssp", "ntlm"})

#: Fragment of the argument spec of every module that runs Exchange cmdlets.
ENDPOINT_SPEC: dict[str, dict[str, Any]] = {
    "endpoint": {
        "type": "dict",
        "options": {
            "host": {"type": "str"},
            "port": {"type": "int"},
            "scheme": {"type": "str", "choices": ["http", "https"]},
            "path": {"type": "str"},
            "user": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "auth": {"type": "str", "choices": list(AUTHENTICATIONS)},
            "ca_cert": {"type": "path"},
            "cert_validation": {"type": "str", "choices": ["validate", "ignore"]},
            "client_cert": {"type": "path"},
            "client_key": {"type": "path", "no_log": False},
            "message_encryption": {"type": "str", "choices": ["auto", "always", "never"]},
            "connect_timeout": {"type": "int"},
            "proxy": {"type": "str", "no_log": True},
            **options.LOGIN_SPEC,
        },
    },
}

# What a WinRM connection and the endpoint of the same host have in common.
_SHARED = (
    "host",
    "user",
    "password",
    "ca_cert",
    "cert_validation",
    "client_cert",
    "client_key",
    "connect_timeout",
    "proxy",
    "ignore_proxy",
    "kerberos_hostname",
    "kerberos_delegation",
    "details",
)


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """All that a runspace needs, complete and consistent. Times are in seconds."""

    host: str
    port: int = HTTP_PORT
    scheme: str = "http"
    path: str = "PowerShell"
    user: str = ""
    password: str = field(default="", repr=False)
    auth: str = "kerberos"
    ca_cert: str | None = None
    cert_validation: str = "validate"
    client_cert: str | None = None
    client_key: str | None = None
    message_encryption: str = "auto"
    connect_timeout: int = 60
    proxy: str | None = field(default=None, repr=False)
    ignore_proxy: bool = False
    kerberos_hostname: str | None = None
    kerberos_delegation: bool = False
    details: options.LoginDetails = options.AS_USUAL

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown."""
        return options.secrets_of(self.password, self.proxy)


def from_params(params: Mapping[str, Any]) -> EndpointOptions:
    """Return complete options from suboptions of ``endpoint``; those that are None are not set.

    Raises InvalidInput for what is missing or does not fit together.
    """
    given = {name: value for name, value in params.items() if value is not None}
    auth = str(given.get("auth") or ("certificate" if given.get("client_cert") else "kerberos"))
    chosen = EndpointOptions(
        **{
            "host": "",
            **given,
            **_where(given, auth),
            "auth": auth,
            "path": str(given.get("path", "PowerShell")).strip("/"),
        }
    )
    options.check_host(chosen.host, option="endpoint")
    problem = options.general_problem(chosen) or _problem(chosen)
    if problem:
        raise InvalidInput(f"The endpoint of {chosen.host} cannot be reached: {problem}.")
    return chosen


def _where(given: Mapping[str, Any], auth: str) -> dict[str, Any]:
    """Port and scheme follow from each other, and from what may only go over TLS."""
    secure = given.get("port") == HTTPS_PORT or (auth in _ONLY_HTTPS and "port" not in given)
    scheme = given.get("scheme") or ("https" if secure else "http")
    port = given.get("port", HTTPS_PORT if scheme == "https" else HTTP_PORT)
    return {"scheme": scheme, "port": port}


def _problem(chosen: EndpointOptions) -> str:
    """Say what does not fit together, or nothing."""
    auth, encryption = chosen.auth, chosen.message_encryption
    if auth == "certificate":
        if not (chosen.client_cert and chosen.client_key and chosen.scheme == "https"):
            return "auth=certificate needs client_cert, client_key and scheme=https"
    elif auth in _NEED_PASSWORD and not (chosen.user and chosen.password):
        return f"auth={auth} needs user and password"
    elif chosen.password and not chosen.user:
        return "there is a password without a user"
    if auth in _ONLY_HTTPS:
        if encryption == "always":
            return f"auth={auth} has no message encryption"
        if chosen.scheme == "http" and encryption != "never":
            return (
                "auth=basic over http would send the password readable; use scheme=https or another"
                " auth (or set message_encryption=never to allow it)"
            )
    return ""


def inherited(connection: Mapping[str, Any]) -> dict[str, Any]:
    """Return what suboptions of the option ``connection`` say about the endpoint as well."""
    return {
        **{name: connection.get(name) for name in _SHARED},
        "auth": connection.get("transport"),
    }
