# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Exchange's PowerShell is: defaults, what is inherited, what does not fit together."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.inventory import (
    endpoint_from_psrp,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.options import (
    endpoint_from_params,
    inherited,
)

USER = {"host": "ex1.hq.example", "user": "admin@HQ.EXAMPLE", "password": "pw"}


@pytest.mark.parametrize(
    ("given", "scheme", "port", "auth"),
    [
        ({}, "http", 80, "kerberos"),
        ({"scheme": "https"}, "https", 443, "kerberos"),
        ({"port": 443}, "https", 443, "kerberos"),
        ({"port": 8080}, "http", 8080, "kerberos"),
        ({"auth": "basic"}, "https", 443, "basic"),
        ({"auth": "ntlm"}, "http", 80, "ntlm"),
        ({"client_cert": "c", "client_key": "k"}, "https", 443, "certificate"),
        ({"auth": "basic", "scheme": "http", "message_encryption": "never"}, "http", 80, "basic"),
    ],
)
def test_port_scheme_and_authentication_follow_from_each_other(
    given: dict[str, Any], scheme: str, port: int, auth: str
) -> None:
    options = endpoint_from_params({**USER, **given})
    assert (options.scheme, options.port, options.auth) == (scheme, port, auth)
    assert options.path == "PowerShell"


def test_kerberos_needs_no_password_and_a_path_no_slash() -> None:
    options = endpoint_from_params({"host": "ex1.hq.example", "path": "/exchange/PowerShell/"})
    assert (options.user, options.password) == ("", "")
    assert options.path == "exchange/PowerShell"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"host": None}, "'endpoint'"),
        ({"host": "ex1;calc"}, "ex1;calc"),
        ({"auth": "basic", "scheme": "http"}, "readable"),
        ({"auth": "basic", "message_encryption": "always"}, "no message encryption"),
        ({"auth": "ntlm", "password": None}, "needs user and password"),
        ({"auth": "credssp", "user": None}, "needs user and password"),
        ({"user": None}, "password is set, but user is not"),
        ({"auth": "certificate", "scheme": "http"}, "client_cert"),
        ({"port": 0}, "between 1 and 65535"),
        ({"connect_timeout": 1}, "2 seconds or more"),
        ({"path": "Power Shell"}, "path must be the path of a URL"),
    ],
)
def test_what_does_not_fit_is_refused_without_secrets(given: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        endpoint_from_params({**USER, "password": "hidden", **given})
    assert why in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_secrets_are_known_and_not_shown() -> None:
    options = endpoint_from_params(
        {**USER, "password": "hidden", "proxy": "http://u:secret@proxy:3128"}
    )
    assert set(options.secrets) == {"hidden", "secret"}
    assert "hidden" not in repr(options)
    assert "secret" not in repr(options)


def test_port_scheme_and_path_of_winrm_are_not_inherited() -> None:
    winrm = {**USER, "port": 5986, "scheme": "https", "path": "/wsman", "transport": "ntlm"}
    options = endpoint_from_params(inherited(winrm))
    assert (options.port, options.scheme, options.path) == (80, "http", "PowerShell")
    assert (options.user, options.auth) == (USER["user"], "ntlm")


@pytest.mark.parametrize(
    ("configuration", "port", "path"),
    [("Microsoft.Exchange", 8080, "exchange"), ("Microsoft.PowerShell", 80, "PowerShell")],
)
def test_a_psrp_connection_to_exchange_is_taken_as_it_is(
    configuration: str, port: int, path: str
) -> None:
    plugin: dict[str, Any] = {
        "remote_addr": "ex1.hq.example",
        "remote_user": "admin",
        "remote_password": "pw",
        "port": "8080",
        "protocol": "http",
        "path": "exchange",
        "auth": "negotiate",
        "configuration_name": configuration,
    }
    options = endpoint_from_params(endpoint_from_psrp(plugin.get))
    assert (options.port, options.path, options.auth) == (port, path, "negotiate")
