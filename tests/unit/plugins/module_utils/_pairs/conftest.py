# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of mx_pairs_info share: a run against name servers of the lab."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.module import (
    ARGUMENT_SPEC,
    run,
)
from exchange_lab.mail.dns_server import DnsServer

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
Params = Callable[..., dict[str, Any]]


@pytest.fixture
def params() -> Params:
    """Return a function that completes options as Ansible does."""

    def complete(**options: Any) -> dict[str, Any]:
        validated = ArgumentSpecValidator(ARGUMENT_SPEC).validate(options)
        assert not validated.error_messages
        return dict(validated.validated_parameters)

    return complete


@pytest.fixture
def resolve(params: Params) -> Callable[..., dict[str, Any]]:
    """Return a function that runs mx_pairs_info against some servers, with little patience."""

    def go(*servers: DnsServer, domains: list[str], **options: Any) -> dict[str, Any]:
        options.setdefault("timeout", 0.25)
        options.setdefault("lifetime", 3.0)
        options.setdefault("retries", 1)
        options.setdefault("allow_private", True)
        options.setdefault("nameservers", [f"{x.address}:{x.port}" for x in servers])
        return run(params(domains=domains, **options), Context(host="test", now=lambda: NOW))

    return go


@pytest.fixture
def one(resolve: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return a function that runs mx_pairs_info for one domain and returns its result."""

    def go(*servers: DnsServer, domain: Any = "nestle.com", **options: Any) -> dict[str, Any]:
        (found,) = resolve(*servers, domains=[domain], **options)["domains"]
        return dict(found)

    return go
