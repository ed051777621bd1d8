# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says about WinRM and PowerShell, as suboptions of ``connection`` and
``endpoint``. Pure: whoever calls knows where the values come from.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._base.errors import InvalidInput
from . import endpoint
from .options import LoginDetails

#: Returns the value of an option, or of a variable; None where it has none.
Get = Callable[[str], Any]

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})
_FALSE = frozenset({"false", "no", "off", "0", "n", "f"})
_TRUST = "ansible_winrm_ca_trust_path"
_PROXY = "ansible_winrm_proxy"
_PYWINRM = (
    _TRUST,
    _PROXY,
    "ansible_winrm_server_cert_validation",
    "ansible_winrm_cert_pem",
    "ansible_winrm_cert_key_pem",
    "ansible_winrm_message_encryption",
    "ansible_winrm_kerberos_hostname_override",
    "ansible_winrm_kerberos_delegation",
    "ansible_winrm_service",
    "ansible_winrm_send_cbt",
    "ansible_winrm_credssp_auth_mechanism",
    "ansible_winrm_credssp_disable_tlsv1_2",
    "ansible_winrm_credssp_minimum_version",
)
# Variables of the options of Ansible's connection plugin psrp, where they are not alike.
_PSRP = {
    "remote_addr": ("ansible_psrp_host", "ansible_host", "inventory_hostname"),
    "remote_user": ("ansible_psrp_user", "ansible_user"),
    "remote_password": ("ansible_winrm_password", "ansible_winrm_pass", "ansible_password"),
    "port": ("ansible_psrp_port", "ansible_port"),
    "ca_cert": ("ansible_psrp_ca_cert", "ansible_psrp_cert_trust_path"),
}
_SSH = frozenset({"ssh", "paramiko", "paramiko_ssh"})


def from_winrm(get: Get) -> dict[str, Any]:
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


def from_variables(variables: Get) -> dict[str, Any]:
    """Return suboptions from inventory variables, for a connection that has no such options.

    ``variables`` returns the templated value of a variable, or None.
    """
    if plugin_of(variables) == "psrp":
        return _no_controller(from_psrp(_psrp_option(variables)))
    host = _first(variables, "ansible_winrm_host", "ansible_host", "inventory_hostname")
    user = _first(variables, "ansible_winrm_user", "ansible_user")
    password = _first(variables, "ansible_winrm_password", "ansible_winrm_pass", "ansible_password")
    extras = {name: value for name in _PYWINRM if (value := variables(name)) is not None}
    return _no_controller(
        _from_winrm_values(
            {
                "host": host,
                "user": user,
                "password": password,
                "port": _port(variables),
                "scheme": variables("ansible_winrm_scheme"),
                "path": variables("ansible_winrm_path"),
                "transport": variables("ansible_winrm_transport"),
                "connect_timeout": variables("ansible_winrm_connection_timeout"),
            },
            extras,
        )
    )


def plugin_of(variables: Get) -> str:
    """Return the short name of the connection plugin that the variables name, or nothing."""
    return str(variables("ansible_connection") or "").rpartition(".")[2]


def _port(variables: Get) -> Any:
    """Return WinRM's port; that of a host reached by SSH is another service's."""
    names = ("ansible_winrm_port", "ansible_port")
    return _first(variables, *(names[:1] if plugin_of(variables) in _SSH else names))


def _no_controller(found: dict[str, Any]) -> dict[str, Any]:
    """Return what was found; the controller is hardly meant just because a play runs there."""
    if found["port"] is None and found["host"] in _LOCAL_NAMES:
        found["host"] = None
    return found


def _first(variables: Get, *names: str) -> Any:
    return next((value for name in names if (value := variables(name)) is not None), None)


def _psrp_option(variables: Get) -> Get:
    """Return what reads the options of the plugin psrp from the variables that set them."""

    def get(option: str) -> Any:
        return _first(variables, *_PSRP.get(option, (f"ansible_psrp_{option}",)))

    return get


def _from_winrm_values(values: dict[str, Any], extras: Mapping[str, Any]) -> dict[str, Any]:
    def extra(name: str) -> Any:
        return extras.get(f"ansible_winrm_{name}")

    certificate = extra("cert_pem")
    return _typed(
        {
            **values,
            "transport": _transport(values["transport"], certificate),
            "ca_cert": extras.get(_TRUST),
            "cert_validation": extra("server_cert_validation"),
            "client_cert": certificate,
            "client_key": extra("cert_key_pem"),
            "message_encryption": extra("message_encryption"),
            "proxy": extras.get(_PROXY),
            # To pywinrm a proxy that is said to be null means none, whatever the environment says.
            "ignore_proxy": True if _PROXY in extras and extras[_PROXY] is None else None,
            "kerberos_hostname": extra("kerberos_hostname_override"),
            "kerberos_delegation": extra("kerberos_delegation"),
        },
        {
            "service": extra("service"),
            "send_cbt": extra("send_cbt"),
            "credssp_auth_mechanism": extra("credssp_auth_mechanism"),
            "credssp_disable_tlsv1_2": extra("credssp_disable_tlsv1_2"),
            "credssp_minimum_version": extra("credssp_minimum_version"),
        },
    )


def _transport(given: Any, certificate: Any) -> Any:
    """Return the way to log in that a list of pywinrm's names for them means."""
    ways = [given] if isinstance(given, str) else list(given or ())
    if ways[:2] == ["kerberos", "ntlm"]:
        return "negotiate"
    # Two names of pywinrm for what is Basic, or for a client certificate if there is one.
    if ways and ways[0] in {"plaintext", "ssl"}:
        return "certificate" if certificate else "basic"
    return ways[0] if ways else None


def from_psrp(get: Get) -> dict[str, Any]:
    """Return suboptions from the options of Ansible's connection plugin ``psrp``.

    Its path is not taken over: it may be that of a PowerShell endpoint, which has no command shell.
    """
    return _typed(
        {
            "host": get("remote_addr"),
            "user": get("remote_user"),
            "password": get("remote_password"),
            "port": get("port"),
            "scheme": get("protocol"),
            "transport": get("auth") or "negotiate",
            "ca_cert": get("ca_cert"),
            "cert_validation": get("cert_validation"),
            "client_cert": get("certificate_pem"),
            "client_key": get("certificate_key_pem"),
            "message_encryption": get("message_encryption"),
            "connect_timeout": get("connection_timeout"),
            "proxy": get("proxy"),
            "ignore_proxy": get("ignore_proxy"),
            "kerberos_hostname": get("negotiate_hostname_override"),
            "kerberos_delegation": get("negotiate_delegate"),
        },
        {
            "service": get("negotiate_service"),
            "send_cbt": get("negotiate_send_cbt"),
            "credssp_auth_mechanism": get("credssp_auth_mechanism"),
            "credssp_disable_tlsv1_2": get("credssp_disable_tlsv1_2"),
            "credssp_minimum_version": get("credssp_minimum_version"),
        },
    )


def endpoint_from_psrp(get: Get) -> dict[str, Any]:
    """Return suboptions of ``endpoint`` from the options of Ansible's connection plugin ``psrp``.

    Where that connection leads to Exchange's own configuration, it is this very endpoint.
    """
    found = endpoint.inherited(from_psrp(get))
    if get("configuration_name") == endpoint.CONFIGURATION:
        for name, option in (("port", "port"), ("scheme", "protocol"), ("path", "path")):
            found[name] = get(option)
        found["message_encryption"] = get("message_encryption")
        if found["port"] is not None:
            found["port"] = _number(found["port"], "port")
    return found


def endpoint_from_variables(variables: Get) -> dict[str, Any]:
    """The same from inventory variables, for a connection that has no such options."""
    if plugin_of(variables) == "psrp":
        return _no_controller({"port": None, **endpoint_from_psrp(_psrp_option(variables))})
    return endpoint.inherited(from_variables(variables))


def _typed(values: dict[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    """Inventory variables are often text; here numbers are numbers, and what is true is True."""
    for name in ("port", "connect_timeout"):
        if values[name] is not None:
            values[name] = _number(values[name], name)
    for name in ("ignore_proxy", "kerberos_delegation"):
        if values[name] is not None:
            values[name] = _truth(values[name], name)
    return {**values, "details": _details(details)}


def _details(given: Mapping[str, Any]) -> LoginDetails:
    """Return those that are set, with the defaults of the others."""
    known = {name: value for name, value in given.items() if value is not None}
    for name in known.keys() & {"send_cbt", "credssp_disable_tlsv1_2"}:
        known[name] = _truth(known[name], name)
    if "credssp_minimum_version" in known:
        known["credssp_minimum_version"] = _number(
            known["credssp_minimum_version"], "credssp_minimum_version"
        )
    return LoginDetails(**known)


def _number(value: object, name: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise InvalidInput(f"The inventory's {name} is no number.") from None


def _truth(value: object, name: str) -> bool:
    word = str(value).strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise InvalidInput(f"The inventory's {name} is neither true nor false.")
