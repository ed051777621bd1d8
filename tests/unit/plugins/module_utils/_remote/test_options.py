# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection options: complete and consistent."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.options import (
    CONNECTION_SPEC,
    LoginOptions,
    from_params,
    merged,
)

LOGIN = {"host": "mail5-a.hq.example", "user": "operator", "password": "s3cret"}


def test_the_defaults_are_the_safe_ones() -> None:
    options = from_params(LOGIN)
    assert options.url == "https://mail5-a.hq.example:5986/wsman"
    assert options.auth == "ntlm"
    assert options.cert_validation == "validate"
    assert options.message_encryption == "auto"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"port": 5985}, "http://mail5-a.hq.example:5985/wsman"),
        ({"scheme": "http"}, "http://mail5-a.hq.example:5985/wsman"),
        ({"port": 443, "path": "exchange/wsman"}, "https://mail5-a.hq.example:443/exchange/wsman"),
        ({"host": "2001:db8::7", "scheme": None}, "https://[2001:db8::7]:5986/wsman"),
        ({"scheme": "https", "port": 5985}, "https://mail5-a.hq.example:5985/wsman"),
    ],
)
def test_scheme_port_and_path(given: dict[str, Any], url: str) -> None:
    assert from_params({**LOGIN, **given}).url == url


@pytest.mark.parametrize(
    ("given", "transport"),
    [
        ({"user": "operator@HQ.EXAMPLE"}, "kerberos"),
        ({"user": "operator@HQ.EXAMPLE", "transport": "ntlm"}, "ntlm"),
        ({"client_cert": "c.pem", "client_key": "k.pem"}, "certificate"),
        ({"transport": "basic"}, "basic"),
    ],
)
def test_the_transport_follows_from_what_is_given(given: dict[str, Any], transport: str) -> None:
    assert from_params({**LOGIN, **given}).auth == transport


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"host": None}, "The host to work on is not set"),
        ({"host": "http://a"}, "not usable as a computer name"),
        ({"host": "a@b"}, "not usable as a computer name"),
        ({"port": 0, "scheme": "http"}, "not between 1 and 65535"),
        ({"port": 70000}, "not between 1 and 65535"),
        ({"connect_timeout": 1}, "2 seconds or more"),
        ({"path": "a b"}, "path must be the path of a URL"),
        ({"path": "a\r\nHost: x"}, "path must be the path of a URL"),
        ({"path": "a\x00b"}, "path must be the path of a URL"),
        ({"path": "a\x7f"}, "path must be the path of a URL"),
        ({"password": None}, "needs user and password"),
        ({"password": ""}, "needs user and password"),
        ({"user": None}, "needs user and password"),
        ({"transport": "certificate"}, "needs client_cert"),
        ({"client_cert": "a", "client_key": "b", "scheme": "http"}, "scheme=https"),
        ({"transport": "basic", "scheme": "http"}, "sends the password readable"),
        ({"proxy": "proxy.example:3128"}, "proxy is not a URL such as"),
        ({"proxy": "ftp://u:s3cret@proxy.example"}, "proxy is not a URL such as"),
        ({"proxy": "http://u:s3cret@proxy.example:3128/path"}, "proxy is not a URL such as"),
        ({"kerberos_hostname": "a b"}, "not usable as a computer name"),
    ],
)
def test_what_does_not_fit_together(given: dict[str, Any], message: str | None) -> None:
    params = {**LOGIN, **given}
    if message is None:
        from_params(params)
        return
    with pytest.raises(InvalidInput, match=message) as caught:
        from_params(params)
    assert "s3cret" not in str(caught.value)


def test_basic_over_http_has_to_be_asked_for() -> None:
    options = from_params(
        {**LOGIN, "transport": "basic", "scheme": "http", "message_encryption": "never"}
    )
    assert options.scheme == "http"


def test_kerberos_needs_no_password() -> None:
    assert from_params({"host": "a", "user": "x@Y"}).auth == "kerberos"


def test_secrets_are_known_and_not_shown() -> None:
    options = from_params({**LOGIN, "proxy": "http://user:geheim@proxy.example:3128"})
    assert options.secrets == ("s3cret", "geheim")
    assert "s3cret" not in repr(options)
    assert "geheim" not in repr(options)


def test_no_log_stands_on_what_can_hold_a_password() -> None:
    spec = CONNECTION_SPEC["connection"]["options"]
    assert {name for name, option in spec.items() if option.get("no_log")} == {"password", "proxy"}


def test_the_spec_and_the_options_have_the_same_names() -> None:
    only_of_inventories = {"details"}
    spec = set(CONNECTION_SPEC["connection"]["options"])
    assert spec - {"transport"} | {"auth"} | only_of_inventories == set(LoginOptions.__slots__)


def test_what_the_task_says_wins() -> None:
    inherited = {"host": "a", "port": 1, "user": "u"}
    explicit = {"host": "b", "port": None}
    assert merged(explicit, inherited) == {"host": "b", "port": 1, "user": "u"}
