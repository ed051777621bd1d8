# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory sets for sessions, as suboptions of ``connection`` and ``endpoint``.

Pure: the caller hands over what reads a plugin's option, or an inventory's variable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._base.errors import InvalidInput
from .failures import CONFIGURATION
from .options import LoginDetails, inherited

#: Returns the value of an option, or of a variable; None where it has none.
Get = Callable[[str], Any]

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})
_FALSE = frozenset({"false", "no", "off", "0", "n", "f"})
_NUMBERS = ("port", "connect_timeout", "credssp_minimum_version")
_TRUTHS = ("ignore_proxy", "kerberos_delegation", "send_cbt", "credssp_disable_tlsv1_2")
_DETAILS = tuple(LoginDetails.__slots__)
# Suboptions: the option of Ansible's plugin winrm where it has one, and the variables, best first.
_WINRM: dict[str, tuple[str, ...]] = {
    "host": ("remote_addr", "ansible_winrm_host", "ansible_host", "inventory_hostname"),
    "user": ("remote_user", "ansible_winrm_user", "ansible_user"),
    "password": (
        "remote_password", "ansible_winrm_password", "ansible_winrm_pass", "ansible_password",
    ),
    "port": ("port", "ansible_winrm_port", "ansible_port"),
    "scheme": ("scheme", "ansible_winrm_scheme"),
    "path": ("path", "ansible_winrm_path"),
    "transport": ("transport", "ansible_winrm_transport"),
    "connect_timeout": ("connection_timeout", "ansible_winrm_connection_timeout"),
    "ca_cert": ("", "ansible_winrm_ca_trust_path"),
    "cert_validation": ("", "ansible_winrm_server_cert_validation"),
    "client_cert": ("", "ansible_winrm_cert_pem"),
    "client_key": ("", "ansible_winrm_cert_key_pem"),
    "message_encryption": ("", "ansible_winrm_message_encryption"),
    "proxy": ("", "ansible_winrm_proxy"),
    "kerberos_hostname": ("", "ansible_winrm_kerberos_hostname_override"),
    "kerberos_delegation": ("", "ansible_winrm_kerberos_delegation"),
    **{name: ("", f"ansible_winrm_{name}") for name in _DETAILS},
}  # fmt: skip
# Suboptions and the options of Ansible's plugin psrp.
_PSRP = {
    "host": "remote_addr",
    "user": "remote_user",
    "password": "remote_password",
    "port": "port",
    "scheme": "protocol",
    "transport": "auth",
    "ca_cert": "ca_cert",
    "cert_validation": "cert_validation",
    "client_cert": "certificate_pem",
    "client_key": "certificate_key_pem",
    "message_encryption": "message_encryption",
    "connect_timeout": "connection_timeout",
    "proxy": "proxy",
    "ignore_proxy": "ignore_proxy",
    "kerberos_hostname": "negotiate_hostname_override",
    "kerberos_delegation": "negotiate_delegate",
    "service": "negotiate_service",
    "send_cbt": "negotiate_send_cbt",
    **{name: name for name in _DETAILS if name.startswith("credssp")},
}
# Variables of the options of that plugin, where they are not alike.
_PSRP_VARIABLES = {
    "remote_addr": ("ansible_psrp_host", "ansible_host", "inventory_hostname"),
    "remote_user": ("ansible_psrp_user", "ansible_user"),
    "remote_password": ("ansible_winrm_password", "ansible_winrm_pass", "ansible_password"),
    "port": ("ansible_psrp_port", "ansible_port"),
    "ca_cert": ("ansible_psrp_ca_cert", "ansible_psrp_cert_trust_path"),
}


def from_winrm(get: Get) -> dict[str, Any]:
    """Return suboptions from the options of Ansible's connection plugin ``winrm``."""
    extras: Mapping[str, Any] = get("_extras") or {}
    values = {
        name: get(option) if option else extras.get(variables[0])
        for name, (option, *variables) in _WINRM.items()
    }
    # A proxy set to null makes pywinrm ignore the proxies of the environment.
    proxy = _WINRM["proxy"][1]
    values["ignore_proxy"] = True if proxy in extras and extras[proxy] is None else None
    return _typed(values)


def sends_readable_password(get: Get) -> bool:
    """Return True if the plugin ``winrm`` would use Basic over plain HTTP without being set to.

    It does if no transport is set, and after the others of a list of them.
    """
    values = from_winrm(get)
    http = (values["scheme"] or ("http" if values["port"] == 5985 else "https")) == "http"  # noqa: PLR2004
    given = get("transport")
    ways = [given] if isinstance(given, str) else [way for way in given or () if way]
    default = "kerberos" if "@" in str(values["user"] or "") else "plaintext"
    readable = not {"basic", "plaintext", "ssl"}.isdisjoint(ways or [default])
    return http and readable and values["message_encryption"] != "never"


def from_variables(variables: Get) -> dict[str, Any]:
    """Return suboptions from inventory variables, if the connection has no such options.

    ``variables`` returns the templated value of a variable, or None.
    """
    plugin = _plugin(variables)
    if plugin == "psrp":
        return _no_controller(from_psrp(_psrp_option(variables)))
    values = {name: _first(variables, *names) for name, (_option, *names) in _WINRM.items()}
    if plugin in {"ssh", "paramiko", "paramiko_ssh"}:  # ansible_port is that of another service
        values["port"] = variables("ansible_winrm_port")
    return _no_controller(_typed({**values, "ignore_proxy": None}))


def from_psrp(get: Get) -> dict[str, Any]:
    """Return suboptions from the options of Ansible's connection plugin ``psrp``.

    Its path is not taken over: it may be that of a PowerShell endpoint, which has no command shell.
    """
    values = {name: get(option) for name, option in _PSRP.items()}
    return _typed({**values, "transport": values["transport"] or "negotiate"})


def endpoint_from_psrp(get: Get) -> dict[str, Any]:
    """Return suboptions of ``endpoint`` from the options of Ansible's connection plugin ``psrp``.

    Where that connection leads to Exchange's own configuration, it is this very endpoint.
    """
    connection = from_psrp(get)
    if get("configuration_name") != CONFIGURATION:
        return inherited(connection)
    own = ("port", "scheme", "message_encryption")
    return {
        **inherited(connection),
        **{name: connection[name] for name in own},
        "path": get("path"),
    }


def endpoint_from_variables(variables: Get) -> dict[str, Any]:
    """The same from inventory variables, if the connection has no such options."""
    if _plugin(variables) == "psrp":
        return _no_controller({"port": None, **endpoint_from_psrp(_psrp_option(variables))})
    return inherited(from_variables(variables))


def _plugin(variables: Get) -> str:
    """Return the short name of the connection plugin that the variables name, or nothing."""
    return str(variables("ansible_connection") or "").rpartition(".")[2]


def _psrp_option(variables: Get) -> Get:
    """Return what reads the options of the plugin psrp from the variables that set them."""
    return lambda name: _first(variables, *_PSRP_VARIABLES.get(name, (f"ansible_psrp_{name}",)))


def _first(variables: Get, *names: str) -> Any:
    return next((value for name in names if (value := variables(name)) is not None), None)


def _no_controller(suboptions: dict[str, Any]) -> dict[str, Any]:
    """Drop the controller as a host: it is hardly meant just because a play runs there."""
    if suboptions["port"] is None and suboptions["host"] in _LOCAL_NAMES:
        suboptions["host"] = None
    return suboptions


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """Return suboptions of the right types; inventory variables are often text."""
    for name, value in values.items():
        if value is not None and name in _NUMBERS:
            try:
                values[name] = int(str(value))
            except ValueError:
                raise InvalidInput(f"The inventory's {name} is not a number.") from None
        elif value is not None and name in _TRUTHS:
            word = str(value).strip().lower()
            if word not in _TRUE | _FALSE:
                raise InvalidInput(f"The inventory's {name} must be true or false.")
            values[name] = word in _TRUE
    details = {name: values.pop(name) for name in _DETAILS}
    # A list of pywinrm's names for the ways to log in.
    given = values["transport"]
    ways = [given] if isinstance(given, str) else list(given or [None])
    if ways[:2] == ["kerberos", "ntlm"]:
        ways = ["negotiate"]
    elif ways[0] in {"plaintext", "ssl"}:  # Basic, or a client certificate if there is one
        ways = ["certificate" if values["client_cert"] else "basic"]
    return {
        **values,
        "transport": ways[0],
        "details": LoginDetails(**{k: v for k, v in details.items() if v is not None}),
    }
