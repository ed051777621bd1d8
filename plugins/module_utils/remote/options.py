# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach a host by WinRM: the option ``connection``, and what an inventory says instead.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from ..errors import InvalidInput
from .commands import computer_name

TRANSPORTS = ("basic", "ntlm", "kerberos", "credssp", "certificate")
HTTP_PORT = 5985
HTTPS_PORT = 5986
#: Seconds.
DEFAULT_TIMEOUT = 30
_SHORTEST_TIMEOUT = 2
_PORTS = range(1, 65536)
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

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
        },
    },
}


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


def general_problem(options: Reached) -> str:
    """Say which option has a value that cannot be, or nothing."""
    if options.port not in _PORTS:
        return f"port {options.port} is not between 1 and 65535"
    if options.connect_timeout < _SHORTEST_TIMEOUT:
        return f"connect_timeout has to be {_SHORTEST_TIMEOUT} seconds or more"
    if not all("!" <= c <= "~" and c not in "?#\\" for c in options.path):
        return "path is no path of a URL"
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
    elif options.transport != "kerberos" and not (options.user and options.password):
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


def from_winrm(get: Callable[[str], Any]) -> dict[str, Any]:
    """Return suboptions from the options of Ansible's connection plugin ``winrm``."""
    return _from_winrm_values(
        {
            "host": get("remote_addr"),
            "user": get("remote_user"),
            "password": get("remote_password"),
            "port": get("port"),
            "scheme": get("scheme"),
            "path": get("path"),
            "transport": get("transport"),
            "connect_timeout": get("connection_timeout"),
        },
        get("_extras") or {},
    )


def from_variables(variables: Callable[[str], Any]) -> dict[str, Any]:
    """Return suboptions from inventory variables, for a connection that has no such options.

    ``variables`` returns the templated value of a variable, or None.
    """

    def first(*names: str) -> Any:
        return next((value for name in names if (value := variables(name)) is not None), None)

    host = first("ansible_winrm_host", "ansible_host", "inventory_hostname")
    port = first("ansible_winrm_port", "ansible_port")
    # The controller is hardly meant just because a play runs there.
    if port is None and host in _LOCAL_NAMES:
        host = None
    extras = (
        "ansible_winrm_ca_trust_path",
        "ansible_winrm_server_cert_validation",
        "ansible_winrm_cert_pem",
        "ansible_winrm_cert_key_pem",
        "ansible_winrm_message_encryption",
        "ansible_winrm_proxy",
    )
    return _from_winrm_values(
        {
            "host": host,
            "user": first("ansible_winrm_user", "ansible_user"),
            "password": first("ansible_winrm_password", "ansible_winrm_pass", "ansible_password"),
            "port": port,
            "scheme": variables("ansible_winrm_scheme"),
            "path": variables("ansible_winrm_path"),
            "transport": variables("ansible_winrm_transport"),
            "connect_timeout": variables("ansible_winrm_connection_timeout"),
        },
        {name: variables(name) for name in extras},
    )


def _from_winrm_values(values: dict[str, Any], extras: Mapping[str, Any]) -> dict[str, Any]:
    transport = values["transport"]
    if isinstance(transport, (list, tuple)):
        transport = transport[0] if transport else None
    certificate = extras.get("ansible_winrm_cert_pem")
    # Two names of pywinrm for what is Basic, or for a client certificate if there is one.
    if transport in {"plaintext", "ssl"}:
        transport = "certificate" if certificate else "basic"
    return _numbered(
        {
            **values,
            "transport": transport,
            "ca_cert": extras.get("ansible_winrm_ca_trust_path"),
            "cert_validation": extras.get("ansible_winrm_server_cert_validation"),
            "client_cert": certificate,
            "client_key": extras.get("ansible_winrm_cert_key_pem"),
            "message_encryption": extras.get("ansible_winrm_message_encryption"),
            "proxy": extras.get("ansible_winrm_proxy"),
        }
    )


def from_psrp(get: Callable[[str], Any]) -> dict[str, Any]:
    """Return suboptions from the options of Ansible's connection plugin ``psrp``.

    Its path is not taken over: it may be that of a PowerShell endpoint, which has no command shell.
    """
    auth = get("auth")
    return _numbered(
        {
            "host": get("remote_addr"),
            "user": get("remote_user"),
            "password": get("remote_password"),
            "port": get("port"),
            "scheme": get("protocol"),
            "transport": None if auth == "negotiate" else auth,
            "ca_cert": get("ca_cert"),
            "cert_validation": get("cert_validation"),
            "client_cert": get("certificate_pem"),
            "client_key": get("certificate_key_pem"),
            "message_encryption": get("message_encryption"),
            "connect_timeout": get("connection_timeout"),
            "proxy": get("proxy"),
        }
    )


def _numbered(values: dict[str, Any]) -> dict[str, Any]:
    """Inventory variables are often text; ports and times are numbers here."""
    for name in ("port", "connect_timeout"):
        if values[name] is not None:
            values[name] = number(values[name], name)
    return values


def number(value: object, name: str) -> int:
    """Return a number that an inventory may hold as text."""
    try:
        return int(str(value))
    except ValueError:
        raise InvalidInput(f"The inventory's {name} is no number.") from None
