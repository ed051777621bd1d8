# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mx_pairs_info as a task runs it, against name servers given by where they listen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.module import (
    ARGUMENT_SPEC,
    run,
)


def mx_pairs(*servers: object, domains: Iterable[str], **options: Any) -> dict[str, Any]:
    """Return the result of a task; addresses reserved for documentation count."""
    given = {
        "domains": list(domains),
        "nameservers": [str(server) for server in servers],
        "allow_private": True,
        **options,
    }
    validated = ArgumentSpecValidator(ARGUMENT_SPEC).validate(given)
    assert not validated.error_messages
    return run(dict(validated.validated_parameters), Context(host="controller"))


def one(*servers: object, domain: str, **options: Any) -> dict[str, Any]:
    """Return what a task says about one domain."""
    (found,) = mx_pairs(*servers, domains=[domain], **options)["domains"]
    return dict(found)
