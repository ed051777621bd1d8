# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken over from an inventory: from both of Ansible's plugins, and from bare variables."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.inventory import (
    endpoint_from_psrp,
    endpoint_from_variables,
    from_psrp,
    from_variables,
    from_winrm,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.options import (
    LoginDetails,
    LoginOptions,
    endpoint_from_params,
    from_params,
)

WINRM = {
    "remote_addr": "10.0.0.7",
    "remote_user": "operator",
    "remote_password": "s3cret",
    "port": "5985",
    "scheme": None,
    "path": "/wsman",
    "transport": ["ntlm"],
    "connection_timeout": None,
    "_extras": {
        "ansible_winrm_ca_trust_path": "/etc/ca.pem",
        "ansible_winrm_server_cert_validation": "ignore",
        "ansible_winrm_message_encryption": "always",
    },
}


def test_options_of_the_winrm_connection() -> None:
    options = from_params(from_winrm(WINRM.__getitem__))
    assert options == LoginOptions(
        host="10.0.0.7",
        port=5985,
        scheme="http",
        path="wsman",
        user="operator",
        password="s3cret",
        auth="ntlm",
        ca_cert="/etc/ca.pem",
        cert_validation="ignore",
        message_encryption="always",
    )


@pytest.mark.parametrize(
    ("transport", "extras", "expected"),
    [
        (None, {}, None),
        ([], {}, None),
        (["plaintext"], {}, "basic"),
        (["ssl"], {}, "basic"),
        (["ssl"], {"ansible_winrm_cert_pem": "c.pem"}, "certificate"),
        (["kerberos", "ntlm"], {}, "negotiate"),
        (["kerberos", "basic"], {}, "kerberos"),
        ("credssp", {}, "credssp"),
    ],
)
def test_names_of_transports(transport: Any, extras: dict[str, str], expected: str | None) -> None:
    values = {**WINRM, "transport": transport, "_extras": extras}
    assert from_winrm(values.__getitem__)["transport"] == expected


PSRP = {
    "remote_addr": "10.0.0.7",
    "remote_user": "operator",
    "remote_password": "s3cret",
    "port": 5986,
    "protocol": "https",
    "path": "PowerShell",
    "auth": "negotiate",
    "ca_cert": "/etc/ca.pem",
    "cert_validation": "validate",
    "certificate_pem": None,
    "certificate_key_pem": None,
    "message_encryption": "auto",
    "connection_timeout": 17,
    "proxy": None,
}


def test_options_of_the_psrp_connection() -> None:
    options = from_params(from_psrp(PSRP.get))
    assert options.url == "https://10.0.0.7:5986/wsman"
    assert options.auth == "negotiate"
    assert options.ca_cert == "/etc/ca.pem"
    assert options.connect_timeout == 17


def test_variables_of_an_inventory() -> None:
    variables = {
        "inventory_hostname": "mail5-a",
        "ansible_host": "10.0.0.7",
        "ansible_user": "operator",
        "ansible_password": "s3cret",
        "ansible_port": "5985",
        "ansible_winrm_transport": "ntlm",
        "ansible_winrm_connection_timeout": "9",
    }
    options = from_params(from_variables(variables.get))
    assert (options.host, options.port, options.scheme) == ("10.0.0.7", 5985, "http")
    assert options.connect_timeout == 9


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_the_controller_is_not_taken_for_a_host(host: str) -> None:
    given = from_variables({"inventory_hostname": host}.get)
    with pytest.raises(InvalidInput, match="The host to work on"):
        from_params({"user": "a", "password": "b", **given})


def test_a_port_that_is_no_number() -> None:
    with pytest.raises(InvalidInput, match="port is not a number"):
        from_winrm({**WINRM, "port": "abc"}.__getitem__)


def test_the_fine_print_of_the_winrm_connection() -> None:
    extras = {
        "ansible_winrm_kerberos_hostname_override": "mail5-a.hq.example",
        "ansible_winrm_kerberos_delegation": "yes",
        "ansible_winrm_service": "WSMAN",
        "ansible_winrm_send_cbt": "false",
        "ansible_winrm_credssp_auth_mechanism": "ntlm",
        "ansible_winrm_credssp_disable_tlsv1_2": "no",
        "ansible_winrm_credssp_minimum_version": "5",
        "ansible_winrm_proxy": "http://proxy.example:3128",
    }
    options = from_params(from_winrm({**WINRM, "_extras": extras}.__getitem__))
    assert options.kerberos_hostname == "mail5-a.hq.example"
    assert options.kerberos_delegation is True
    assert options.ignore_proxy is False
    assert options.proxy == "http://proxy.example:3128"
    assert options.details == LoginDetails("WSMAN", False, "ntlm", False, 5)
    same = {"ansible_winrm_proxy": None}
    direct = from_winrm({**WINRM, "_extras": same}.__getitem__)
    assert from_params(direct).ignore_proxy is True


def test_the_fine_print_of_the_psrp_connection_reaches_both() -> None:
    values = {
        **PSRP,
        "ignore_proxy": "true",
        "negotiate_hostname_override": "ex1.hq.example",
        "negotiate_delegate": True,
        "negotiate_service": "WSMAN",
        "negotiate_send_cbt": False,
        "credssp_auth_mechanism": "kerberos",
        "credssp_disable_tlsv1_2": True,
        "credssp_minimum_version": 5,
    }
    shell = from_params(from_psrp(values.get))
    cmdlets = endpoint_from_params(endpoint_from_psrp(values.get))
    for options in (shell, cmdlets):
        assert options.ignore_proxy
        assert options.kerberos_hostname == "ex1.hq.example"
        assert options.kerberos_delegation
        assert options.details == LoginDetails("WSMAN", False, "kerberos", True, 5)


@pytest.mark.parametrize(
    ("connection", "ports", "expected"),
    [
        ("winrm", {"ansible_port": 1, "ansible_winrm_port": 2}, 2),
        ("ansible.builtin.psrp", {"ansible_port": 1, "ansible_psrp_port": 3}, 3),
        ("ssh", {"ansible_port": 22}, 5986),
        ("ansible.builtin.ssh", {"ansible_port": 22, "ansible_winrm_port": 5985}, 5985),
        ("local", {"ansible_port": 4}, 4),
    ],
)
def test_the_port_is_that_of_the_service(
    connection: str, ports: dict[str, int], expected: int
) -> None:
    variables = {**LOGIN, "ansible_connection": connection, **ports}
    assert from_params(from_variables(variables.get)).port == expected


LOGIN = {"ansible_host": "10.0.0.7", "ansible_user": "operator", "ansible_password": "s3cret"}
EXCHANGE = {
    **LOGIN,
    "ansible_connection": "psrp",
    "ansible_psrp_configuration_name": "Microsoft.Exchange",
    "ansible_psrp_port": "8443",
    "ansible_psrp_protocol": "https",
    "ansible_psrp_path": "PowerShell",
    "ansible_psrp_auth": "basic",
    "ansible_psrp_cert_trust_path": "/etc/ca.pem",
    "ansible_psrp_proxy": "socks5h://127.0.0.1:1080",
    "ansible_psrp_message_encryption": "auto",
}


def test_variables_of_psrp_lead_to_the_same_endpoint_as_its_options() -> None:
    """A task delegated to the controller has the variables of the host, and another connection."""
    options = endpoint_from_params(endpoint_from_variables(EXCHANGE.get))
    assert (options.scheme, options.port, options.path) == ("https", 8443, "PowerShell")
    assert (options.auth, options.ca_cert) == ("basic", "/etc/ca.pem")
    assert options.proxy == "socks5h://127.0.0.1:1080"
    assert from_params(from_variables({**EXCHANGE, "ansible_psrp_auth": None}.get)).auth == (
        "negotiate"
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ansible_winrm_kerberos_delegation", "perhaps", "must be true or false"),
        ("ansible_winrm_credssp_minimum_version", "new", "is not a number"),
    ],
)
def test_what_is_no_truth_and_no_number(name: str, value: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        from_winrm({**WINRM, "_extras": {name: value}}.__getitem__)
