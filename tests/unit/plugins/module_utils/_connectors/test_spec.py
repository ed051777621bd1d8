# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of transport_delivery, and the ones refused before the first connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.spec import (
    Options,
    parse_options,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.transaction import (
    parse_policy,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.transport_delivery import (
    ARGUMENT_SPEC,
)

NESTLE = {"domain": "Nestle.COM.", "addresses": ["192.0.2.26", "192.0.2.25", "192.0.2.25"]}
RESOLVED = [
    {
        "domain": "nestle.com",
        "pairs": [
            {"address": "192.0.2.25", "preference": 10},
            {"address": "192.0.2.26", "preference": 20},
            {"address": "192.0.2.26", "preference": 30},
        ],
        "evidence": {"authentic": False},
    }
]


def options(**params: Any) -> Options:
    checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate(params)
    assert not checked.error_messages
    parse_policy(checked.validated_parameters, Path("/play"))
    return parse_options(checked.validated_parameters)


def test_a_route_becomes_a_pin_in_canonical_form() -> None:
    parsed = options(routes=[NESTLE], source_servers=["MBX2.hq.example", "mbx1"], cost=7)
    (pin,) = parsed.desired.pins
    assert pin.domain == "nestle.com"
    assert pin.smart_hosts == ("[192.0.2.25]", "[192.0.2.26]")
    assert (pin.cost, pin.source_servers) == (7, ("mbx1", "mbx2"))


def test_an_empty_list_never_means_that_all_pins_go() -> None:
    with pytest.raises(InvalidInput, match="routes is empty with state: exact"):
        options(routes=[], state="exact")


def test_best_tier_by_what_mx_pairs_found() -> None:
    parsed = options(routes=[NESTLE], resolved=RESOLVED, mx_preference="best")
    assert parsed.desired.pins[0].smart_hosts == ("[192.0.2.25]",)


@pytest.mark.parametrize(
    ("state", "gone", "status", "kind"),
    [
        ("present", "keep", "temporary_failure", "kept"),
        ("absent", "remove", "temporary_failure", "kept"),
        ("exact", "remove", "disagreement", "kept"),
        ("present", "keep", "null_mx", "kept"),
        ("exact", "keep", "no_such_domain", "kept"),
        ("present", "remove", "null_mx", "removed"),
        ("absent", "keep", "null_mx", "removed"),
        ("absent", "keep", "ok", "removed"),
    ],
)
def test_statuses_decide(state: str, gone: str, status: str, kind: str) -> None:
    parsed = options(
        routes=[{"domain": "a.example", "status": status}], state=state, missing_domain=gone
    )
    assert parsed.desired.pins == ()
    assert set(getattr(parsed.desired, kind)) == {"a.example"}


@pytest.mark.parametrize(("state", "kind"), [("present", "kept"), ("absent", "removed")])
def test_a_domain_that_one_name_server_alone_denies_keeps_its_pin(state: str, kind: str) -> None:
    route = {"domain": "a.example", "status": "no_such_domain", "unconfirmed": True}
    parsed = options(routes=[route], state=state, missing_domain="remove")
    assert set(getattr(parsed.desired, kind)) == {"a.example"}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, (25, 7, True, "DomainValidation", "x.example")),
        ({"port": 2525, "cost": 3}, (2525, 3, True, "DomainValidation", "x.example")),
        ({"require_tls": False}, (25, 7, False, None, None)),
        ({"tls_auth_level": "encryption_only"}, (25, 7, True, "EncryptionOnly", None)),
        ({"tls_domain": "y.example"}, (25, 7, True, "DomainValidation", "y.example")),
    ],
)
def test_a_domain_can_have_settings_of_its_own(
    own: dict[str, Any], expected: tuple[object, ...]
) -> None:
    """They take the place of the options of these names for this domain, and for no other."""
    tls = {"require_tls": True, "tls_auth_level": "domain_validation", "tls_domain": "x.example"}
    other = {"domain": "other.example", "addresses": ["192.0.2.9"]}
    parsed = options(routes=[{**NESTLE, **own}, other], cost=7, **tls)
    made = [
        (pin.port, pin.cost, pin.require_tls, pin.tls_auth_level, pin.tls_domain)
        for pin in parsed.desired.pins
    ]
    assert made == [expected, (25, 7, True, "DomainValidation", "x.example")]


def test_a_domain_can_have_its_best_exchanges_only() -> None:
    best = options(routes=[{**NESTLE, "mx_preference": "best"}], resolved=RESOLVED)
    every = options(
        routes=[{**NESTLE, "mx_preference": "all"}], resolved=RESOLVED, mx_preference="best"
    )
    assert (len(best.desired.pins[0].smart_hosts), len(every.desired.pins[0].smart_hosts)) == (1, 2)


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({}, "needs the option routes"),
        ({"routes": [], "backup": "b"}, "for state: restored only"),
        ({"state": "restored"}, "needs the option backup"),
        ({"state": "restored", "backup": "b", "routes": []}, "does not accept routes"),
        ({"routes": [{"domain": "a.example"}]}, "must have at least one address"),
        ({"routes": [{"domain": "a b", "addresses": ["192.0.2.1"]}]}, "a b"),
        ({"routes": [{"domain": "a.example", "addresses": ["mx.a.example"]}]}, "not an IP address"),
        (
            {"routes": [{"domain": "a.example", "addresses": ["0.0.0.0"]}]},
            "the address of a mail server",
        ),
        (
            {"routes": [{"domain": "a.example", "addresses": ["fe80::1"]}]},
            "the address of a mail server",
        ),
        (
            {"routes": [{"domain": "a.example", "addresses": ["::1"]}]},
            "the address of a mail server",
        ),
        (
            {"routes": [{"domain": "a.example", "addresses": ["169.254.0.1"]}]},
            "the address of a mail server",
        ),
        (
            {"routes": [{"domain": "a.example", "addresses": ["64:ff9b::7f00:1"]}]},
            "the address of a mail server",
        ),
        ({"routes": [NESTLE], "mx_preference": "best"}, "MX preference of every address"),
        ({"routes": [{**NESTLE, "mx_preference": "some"}]}, "nestle.com: 'mx_preference' must be"),
        ({"routes": [{**NESTLE, "port": 0}]}, "nestle.com: 'port' must be 1 to 65535"),
        ({"routes": [{**NESTLE, "port": True}]}, "port must be a number"),
        ({"routes": [{**NESTLE, "tls_auth_level": "all"}]}, "nestle.com: 'tls_auth_level' must be"),
        ({"routes": [{**NESTLE, "tls_domain": "a.de"}]}, "nestle.com: 'tls_auth_level'"),
        ({"routes": [NESTLE], "cost": 0}, "1 to 100"),
        ({"routes": [NESTLE], "port": 70000}, "1 to 65535"),
        ({"routes": [NESTLE], "name_template": "fixed"}, "{domain} once"),
        ({"routes": [NESTLE], "name_template": "{domain} {domain}"}, "{domain} once"),
        ({"routes": [NESTLE], "name_template": "{domain}*"}, "{domain} once"),
        ({"routes": [NESTLE], "source_servers": ["a;b"]}, "a;b"),
        ({"routes": [NESTLE], "domain_controller": "dc1 x"}, "dc1 x"),
        ({"routes": [NESTLE], "tls_auth_level": "encryption_only"}, "needs require_tls"),
        (
            {"routes": [NESTLE], "require_tls": True, "tls_auth_level": "domain_validation"},
            "need each other",
        ),
        ({"routes": [NESTLE], "require_tls": True, "tls_domain": "x.example"}, "need each other"),
        (
            {
                "routes": [NESTLE],
                "require_tls": True,
                "tls_auth_level": "domain_validation",
                "tls_domain": "x;y",
            },
            "must be a domain",
        ),
        ({"routes": [NESTLE], "resolved": [{"domain": 5}]}, "resolved[0]"),
        ({"routes": [NESTLE], "resolved": [{"domain": "a.example", "pairs": [1]}]}, "resolved[0]"),
        ({"routes": [NESTLE], "cmdlet_timeout": 0}, "must be 1 to 86400"),
    ],
)
def test_what_must_not_be_used_is_named(params: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        options(**params)
    assert why in str(caught.value)
