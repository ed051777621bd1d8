# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of delivery_test, checked before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.message import Target
from ansible_collections.postmaster.exchange.plugins.module_utils._run.options import (
    DELIVERY_TEST_SPEC,
    MOST_DOMAINS,
    DeliveryTestOptions,
    from_params,
)


def options(*domains: Any, **more: Any) -> DeliveryTestOptions:
    checked = ArgumentSpecValidator(DELIVERY_TEST_SPEC).validate({"domains": list(domains), **more})
    assert not checked.error_messages, checked.error_messages
    return from_params(checked.validated_parameters, Path("/plays"))


@pytest.mark.parametrize(
    ("entry", "target"),
    [
        ("Nestle.COM.", Target("nestle.com", "postmaster@nestle.com")),
        ("bücher.example", Target("xn--bcher-kva.example", "postmaster@xn--bcher-kva.example")),
        ({"name": "a.example"}, Target("a.example", "postmaster@a.example")),
        ({"domain": "a.example", "recipient": "t@A.example"}, Target("a.example", "t@a.example")),
        (
            {"name": "a.example", "test_recipient": "t@a.example"},
            Target("a.example", "t@a.example"),
        ),
    ],
)
def test_an_entry_is_a_domain_or_a_dictionary(entry: Any, target: Target) -> None:
    assert options(entry).targets == (target,)


def test_a_domain_given_twice_gets_one_message() -> None:
    assert len(options("nestle.com", "NESTLE.com.", "aol.com").targets) == 2


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        (["user@nestle.com"], "e-mail address"),
        (["192.0.2.1"], "address"),
        (["nestle.com; del *"], "white space"),
        ([{"name": "a.example", "recipient": "x@b.example"}], "not a mailbox of the domain"),
        ([{"name": "a.example", "recipient": "x & y@a.example"}], "not a mailbox"),
        ([{"recipient": "x@b.example"}], "must be a domain, or a dictionary"),
        ([{"name": "a.example", "color": "red"}], "must be a domain, or a dictionary"),
        ([17], "must be a domain, or a dictionary"),
        (["a.example", {"name": "a.example", "recipient": "x@a.example"}], "listed twice"),
        ([f"d{n}.example" for n in range(MOST_DOMAINS + 1)], "the limit is"),
    ],
)
def test_an_entry_that_cannot_be_tested_is_refused(entries: list[Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        options(*entries)


@pytest.mark.parametrize(
    "more",
    [
        {"deadline": 0},
        {"interval": 0},
        {"deadline": 5, "interval": 6},
        {"deadline": 90_000},
        {"sender": "nobody"},
        {"smtp": {"port": 0}},
        {"smtp": {"timeout": 0}},
    ],
)
def test_an_option_out_of_bounds_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        options("nestle.com", **more)


def test_a_password_is_not_sent_readable_unless_that_is_allowed() -> None:
    login = {"user": "mx", "password": "secret"}
    with pytest.raises(InvalidInput, match="in clear text"):
        options("nestle.com", smtp=login)

    assert options("nestle.com", smtp={**login, "starttls": True}).smtp.user == "mx"
    assert options("nestle.com", smtp={**login, "cleartext_login": True}).smtp.user == "mx"


def test_a_relative_certificate_file_lies_beside_the_play() -> None:
    chosen = options("nestle.com", smtp={"ca_cert": "files/ca.pem"})

    assert chosen.smtp.ca_cert == Path("/plays/files/ca.pem")
