# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach a host by WinRM: the option ``connection``.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from .._base.errors import InvalidInput
from .commands import computer_name

TRANSPORTS = ("basic", "ntlm", "kerberos", "negotiate", "credssp", "certificate")
HTTP_PORT = 5985
HTTPS_PORT = 5986
#: Seconds.
DEFAULT_TIMEOUT = 30
_SHORTEST_TIMEOUT = 2
_PORTS = range(1, 65536)
#: Ways to log in that a ticket is enough for.
_TICKETS = frozenset({"kerberos", "negotiate"})
_PROXY_URL = re.compile(r"(?:https?|socks[45][ah]?)://[^\s/]+/?", re.IGNORECASE)

#: Suboptions that WinRM and Exchange's endpoint have in common.
LOGIN_SPEC: dict[str, dict[str, Any]] = {
    "ignore_proxy": {"type": "bool"},
    "kerberos_hostname": {"type": "str"},
    "kerberos_delegation": {"type": "bool"},
}

#: Fragment of the argument spec of every module that works on a host.
CONNECTION_SPEC: dict[str, dict[str, Any]] = {
    "connection": {
        "type": "dict",
        "options": {
            "host": {"type": "str"},
            "port": {"type": "int"},
            "user": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "transport": {"type": "str", "choices": list(TRANSPORTS)},
            "scheme": {"type": "str", "choices": ["http", "https"]},
            "path": {"type": "str"},
            "ca_cert": {"type": "path"},
            "cert_validation": {"type": "str", "choices": ["validate", "ignore"]},
            "client_cert": {"type": "path"},
            "client_key": {"type": "path", "no_log": False},
            "message_encryption": {"type": "str", "choices": ["auto", "always", "never"]},
            "connect_timeout": {"type": "int"},
            "proxy": {"type": "str", "no_log": True},
            **LOGIN_SPEC,
        },
    },
}


@dataclass(frozen=True, slots=True)
class LoginDetails:
    """What only an inventory says of a login; the names are those of pywinrm.

    ``service`` is that of WinRM's Kerberos principal, and no other service's.
    """

    service: str = "HTTP"
    send_cbt: bool = True
    credssp_auth_mechanism: str = "auto"
    credssp_disable_tlsv1_2: bool = False
    credssp_minimum_version: int = 2


AS_USUAL = LoginDetails()


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """All that a WinRM connection needs, complete and consistent. Times are in seconds."""

    host: str
    port: int = HTTPS_PORT
    scheme: str = "https"
    path: str = "/wsman"
    user: str = ""
    password: str = field(default="", repr=False)
    transport: str = "ntlm"
    ca_cert: str | None = None
    cert_validation: str = "validate"
    client_cert: str | None = None
    client_key: str | None = None
    message_encryption: str = "auto"
    connect_timeout: int = DEFAULT_TIMEOUT
    proxy: str | None = field(default=None, repr=False)
    ignore_proxy: bool = False
    kerberos_hostname: str | None = None
    kerberos_delegation: bool = False
    details: LoginDetails = AS_USUAL

    @property
    def endpoint(self) -> str:
        """URL of the WinRM listener."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown."""
        return secrets_of(self.password, self.proxy)


def secrets_of(password: str, proxy: str | None) -> tuple[str, ...]:
    """Return a password, and that in a proxy's URL, where there are any."""
    in_proxy = urlsplit(proxy).password if proxy else None
    return tuple(text for text in (password, in_proxy) if text)


def from_params(params: Mapping[str, Any]) -> ConnectionOptions:
    """Return complete options from suboptions of ``connection``; those that are None are not set.

    Raises InvalidInput for what is missing or does not fit together.
    """
    given = {name: value for name, value in params.items() if value is not None}
    options = ConnectionOptions(
        **{
            "host": "",
            **given,
            **_where(given),
            "transport": _transport(given),
            "path": "/" + str(given.get("path", "wsman")).lstrip("/"),
        }
    )
    check_host(options.host)
    _check_consistency(options)
    return options


def _where(given: Mapping[str, Any]) -> dict[str, Any]:
    """Port and scheme follow from each other as they do for ansible.builtin.winrm."""
    scheme = given.get("scheme") or ("http" if given.get("port") == HTTP_PORT else "https")
    port = given.get("port") or (HTTP_PORT if scheme == "http" else HTTPS_PORT)
    return {"scheme": scheme, "port": port}


def _transport(given: Mapping[str, Any]) -> str:
    """A client certificate or a user like ``name@REALM`` says which transport is meant."""
    if given.get("transport"):
        return str(given["transport"])
    if given.get("client_cert"):
        return "certificate"
    return "kerberos" if "@" in str(given.get("user", "")) else "ntlm"


def check_host(host: str, *, option: str = "connection") -> None:
    """Raise InvalidInput for what is no name and no address; ``option`` is where to set it."""
    if not host:
        raise InvalidInput(
            "Which host to work on is not known.",
            hint=f"Set 'host' in the option '{option}', or use an inventory host with "
            "ansible_connection=winrm.",
        )
    try:
        ipaddress.ip_address(host)
    except ValueError:
        computer_name(host)


class Reached(Protocol):
    """What options of WinRM and of Exchange's endpoint have in common."""

    @property
    def port(self) -> int:
        """TCP port."""

    @property
    def connect_timeout(self) -> int:
        """Seconds."""

    @property
    def path(self) -> str:
        """Path of the URL."""

    @property
    def proxy(self) -> str | None:
        """URL of a proxy."""

    @property
    def kerberos_hostname(self) -> str | None:
        """The host's name in Kerberos, where it is another than that of the URL."""


def general_problem(options: Reached) -> str:
    """Say which option has a value that cannot be, or nothing."""
    if options.port not in _PORTS:
        return f"port {options.port} is not between 1 and 65535"
    if options.connect_timeout < _SHORTEST_TIMEOUT:
        return f"connect_timeout has to be {_SHORTEST_TIMEOUT} seconds or more"
    if not all("!" <= c <= "~" and c not in "?#\\" for c in options.path):
        return "path is no path of a URL"
    if options.proxy and not _PROXY_URL.fullmatch(options.proxy):
        return "proxy is no URL such as http://proxy.example:3128 or socks5h://localhost:1080"
    if options.kerberos_hostname:
        computer_name(options.kerberos_hostname)
    return ""


def _check_consistency(options: ConnectionOptions) -> None:
    problem = general_problem(options) or _problem(options)
    if problem:
        raise InvalidInput(f"The connection to {options.host} cannot be made: {problem}.")


def _problem(options: ConnectionOptions) -> str:
    """Say what does not fit together, or nothing."""
    if options.transport == "certificate":
        if not (options.client_cert and options.client_key and options.scheme == "https"):
            return "transport=certificate needs client_cert, client_key and scheme=https"
    elif options.transport not in _TICKETS and not (options.user and options.password):
        return f"transport={options.transport} needs user and password"
    elif (
        options.transport == "basic"
        and options.scheme == "http"
        and options.message_encryption != "never"
    ):
        return (
            "transport=basic over http would send the password readable; use scheme=https or "
            "another transport (or set message_encryption=never to allow it)"
        )
    return ""


def merged(explicit: Mapping[str, Any], inherited: Mapping[str, Any]) -> dict[str, Any]:
    """Return the suboptions with those given in the task ahead of those of the inventory."""
    return {**inherited, **{name: value for name, value in explicit.items() if value is not None}}
