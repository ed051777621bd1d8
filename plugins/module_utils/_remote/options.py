# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach a host: the options ``connection`` (WinRM) and ``endpoint`` (Exchange's PowerShell).

The endpoint is a virtual directory of the web server, ``http://FQDN/PowerShell``. The user who logs
in there is the one who logs in by WinRM, so user, password and trust come from the same inventory
variables. Port, scheme and path do not: those of WinRM belong to another service.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .._base.errors import InvalidInput
from .commands import computer_name

_SHORTEST_TIMEOUT = 2
_NEED_PASSWORD = frozenset({"basic", "credssp", "ntlm"})
_NO_ENCRYPTION = frozenset({"basic", "certificate"})
_PROXY_URL = re.compile(r"(?:https?|socks[45][ah]?)://[^\s/]+/?", re.IGNORECASE)


def _suboptions(way: str) -> dict[str, dict[str, Any]]:
    """Return the table of suboptions; ``way`` names the one for the way to log in."""
    ways = ["kerberos", "negotiate", "ntlm", "basic", "credssp", "certificate"]
    return {
        "host": {"type": "str"},
        "port": {"type": "int"},
        "scheme": {"type": "str", "choices": ["http", "https"]},
        "path": {"type": "str"},
        "user": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        way: {"type": "str", "choices": ways},
        "ca_cert": {"type": "path"},
        "cert_validation": {"type": "str", "choices": ["validate", "ignore"]},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "message_encryption": {"type": "str", "choices": ["auto", "always", "never"]},
        "connect_timeout": {"type": "int"},
        "proxy": {"type": "str", "no_log": True},
        "ignore_proxy": {"type": "bool"},
        "kerberos_hostname": {"type": "str"},
        "kerberos_delegation": {"type": "bool"},
    }


#: Fragments of the argument specs of the modules that work on a host, or run Exchange cmdlets.
CONNECTION_SPEC: dict[str, dict[str, Any]] = {
    "connection": {"type": "dict", "options": _suboptions("transport")},
    "stop_at_refused_login": {"type": "bool", "default": True},
}
ENDPOINT_SPEC: dict[str, dict[str, Any]] = {
    "endpoint": {"type": "dict", "options": _suboptions("auth")},
}
# Port, scheme and path are the service's own; the ways to log in have two names.
_INHERITED = [
    name
    for name in CONNECTION_SPEC["connection"]["options"]
    if name not in {"port", "scheme", "path", "transport", "message_encryption"}
]


@dataclass(frozen=True, slots=True)
class LoginDetails:
    """Details of a login that only an inventory sets, by pywinrm's names.

    ``service`` is that of WinRM's Kerberos principal, and no other service's.
    """

    service: str = "HTTP"
    send_cbt: bool = True
    credssp_auth_mechanism: str = "auto"
    credssp_disable_tlsv1_2: bool = False
    credssp_minimum_version: int = 2


@dataclass(frozen=True, slots=True)
class LoginOptions:
    """All that a session needs, complete and consistent. Times are in seconds."""

    host: str
    port: int
    scheme: str
    path: str
    auth: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca_cert: str | None = None
    cert_validation: str = "validate"
    client_cert: str | None = None
    client_key: str | None = None
    message_encryption: str = "auto"
    connect_timeout: int = 30
    proxy: str | None = field(default=None, repr=False)
    ignore_proxy: bool = False
    kerberos_hostname: str | None = None
    kerberos_delegation: bool = False
    details: LoginDetails = LoginDetails()

    @property
    def url(self) -> str:
        """URL of the service."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{self.path}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown."""
        return secrets_of(self.password, self.proxy)


def secrets_of(password: str, proxy: str | None) -> tuple[str, ...]:
    """Return a password, and that in a proxy's URL, where there are any."""
    in_proxy = urlsplit(proxy).password if proxy else None
    return tuple(text for text in (password, in_proxy) if text)


def from_params(params: Mapping[str, Any]) -> LoginOptions:
    """Return complete options from suboptions of ``connection``; those that are None are not set.

    Port and scheme follow from each other as they do for ansible.builtin.winrm; a client
    certificate or a user like ``name@REALM`` implies the transport. Raises InvalidInput.
    """
    given = {name: value for name, value in params.items() if value is not None}
    scheme = given.get("scheme") or ("http" if given.get("port") == 5985 else "https")  # noqa: PLR2004
    implied = "kerberos" if "@" in str(given.get("user", "")) else "ntlm"
    auth = given.pop("transport", "") or _by_certificate(given) or implied
    given = {
        "port": 5985 if scheme == "http" else 5986,
        "path": "wsman",
        **given,
        "scheme": scheme,
        "auth": auth,
    }
    return _checked(given, "connection", "transport")


def endpoint_from_params(params: Mapping[str, Any]) -> LoginOptions:
    """Return complete options from suboptions of ``endpoint``; those that are None are not set.

    What may only go over TLS implies https. Raises InvalidInput.
    """
    given = {name: value for name, value in params.items() if value is not None}
    auth = given.get("auth") or _by_certificate(given) or "kerberos"
    secure = given.get("port", 443 if auth in _NO_ENCRYPTION else 80) == 443  # noqa: PLR2004
    scheme = given.get("scheme") or ("https" if secure else "http")
    given = {
        "port": 443 if scheme == "https" else 80,
        "path": "PowerShell",
        "connect_timeout": 60,
        **given,
        "scheme": scheme,
        "auth": auth,
    }
    return _checked(given, "endpoint", "auth")


def _by_certificate(given: Mapping[str, Any]) -> str:
    return "certificate" if given.get("client_cert") else ""


def _checked(given: Mapping[str, Any], option: str, way: str) -> LoginOptions:
    """Return the options. Raises InvalidInput for what is missing or does not fit together."""
    options = LoginOptions(**{"host": "", **given, "path": str(given["path"]).strip("/")})
    if not options.host:
        raise InvalidInput(
            "The host to work on is not set.",
            hint=f"Set 'host' in the option '{option}', or use an inventory host with "
            "ansible_connection=winrm.",
        )
    try:
        ipaddress.ip_address(options.host)
    except ValueError:
        computer_name(options.host)
    if options.kerberos_hostname:
        computer_name(options.kerberos_hostname)
    if problem := _value_problem(options) or _login_problem(options, way):
        raise InvalidInput(f"The option {option} for {options.host} is not valid: {problem}.")
    return options


def _value_problem(options: LoginOptions) -> str:
    """Return which option has a value that cannot be, or nothing."""
    if not 1 <= options.port <= 65_535:  # noqa: PLR2004
        return f"port {options.port} is not between 1 and 65535"
    if options.connect_timeout < _SHORTEST_TIMEOUT:
        return f"connect_timeout must be {_SHORTEST_TIMEOUT} seconds or more"
    if not all("!" <= c <= "~" and c not in "?#\\" for c in options.path):
        return "path must be the path of a URL"
    if options.proxy and not _PROXY_URL.fullmatch(options.proxy):
        return "proxy is not a URL such as http://proxy.example:3128 or socks5h://localhost:1080"
    return ""


def _login_problem(options: LoginOptions, way: str) -> str:
    """Return what does not fit together, or nothing; ``way`` names the option ``auth`` is of."""
    auth = options.auth
    if auth == "certificate":
        if not (options.client_cert and options.client_key and options.scheme == "https"):
            return f"{way}=certificate needs client_cert, client_key and scheme=https"
    elif auth in _NEED_PASSWORD and not (options.user and options.password):
        return f"{way}={auth} needs user and password"
    elif way == "auth" and options.password and not options.user:
        return "password is set, but user is not"
    if auth in _NO_ENCRYPTION and options.message_encryption == "always":
        return f"{way}={auth} has no message encryption"
    if auth == "basic" and options.scheme == "http" and options.message_encryption != "never":
        return (
            f"{way}=basic over http sends the password readable; use scheme=https or another {way}"
            " (or set message_encryption=never to allow it)"
        )
    return ""


def merged(explicit: Mapping[str, Any], inherited: Mapping[str, Any]) -> dict[str, Any]:
    """Return the suboptions with those given in the task ahead of those of the inventory."""
    return {**inherited, **{name: value for name, value in explicit.items() if value is not None}}


def inherited(connection: Mapping[str, Any]) -> dict[str, Any]:
    """Return the suboptions of ``connection`` that count for the endpoint as well."""
    names = (*_INHERITED, "details")
    return {"auth": connection.get("transport"), **{name: connection.get(name) for name in names}}
