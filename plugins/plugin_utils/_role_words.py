# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules by the names that the role has for them: in messages, and checked early.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._base.errors import InvalidInput
from ..module_utils._connectors.external_dns import OPTIONS as EXTERNAL_DNS
from ..module_utils._connectors.spec import parse_options as parse_connectors
from ..module_utils._imc.spec import parse_options as parse_imc
from ..module_utils._run import mail_delivery_spec as spec
from ..module_utils._run.backup_info import parse_options as parse_history
from ..module_utils._run.change_limit import parse_change_limit, parse_removal_limit
from ..module_utils._run.mail_delivery import PARTS
from ..module_utils._run.options import from_params as parse_test
from ..module_utils._run.queue_info import queue_limits

Params = Mapping[str, Any]

_PREFIX = "mx_delivery_"
_MODES = {
    "main": "enforce",
    "audit": "compare",
    "diagnose": "diagnose",
    "check": "check",
    "rollback": "restore",
}
#: A domain to check the options of routes with. It is never asked about.
_ROUTE = {"domain": "check.invalid", "addresses": ["192.0.2.1"], "status": "ok"}
_RESOLVED = {
    "domain": "check.invalid",
    "pairs": [{"address": "192.0.2.1", "preference": 10, "exchange": "mx.check.invalid"}],
}
_GROUPS = {"connectors": "connector_", "test": "test_"}
#: Options that have the same name in the role, and those that have another one.
_SAME = (
    *spec.IMC_OPTIONS,
    "own_domains",
    "min_age",
    "max_changes",
    "max_removed_domains",
    "backup_dir",
    "backup_mode",
    "backup_group",
    "retry_queues",
    "command_timeout",
    "missing_domain",
    "domain_controller",
)
_OTHER = {
    "cmdlet_timeout": "command_timeout",
    "stop_at_refused_login": "stop_at_refused_login",
    "endpoint.port": "endpoint.port",
    "endpoint.scheme": "endpoint.scheme",
    "test.limit": "test_limit",
    **{f"smtp.{name}": f"test_smtp_{name}" for name in ("host", "port", "starttls", "ca_cert")},
}
#: Values that messages advise to set: the option is a word of prose otherwise.
_ADVISED = {
    "force: true": "force: true",
    "force: false": "force: false",
    "state: exact": "state: exact",
    "state: absent": "state: absent",
    "existing: adopt": "connector_existing: adopt",
    "bypass_relay: true": "connector_bypass_relay: true",
}


@lru_cache(maxsize=8)
def _pattern(group: str) -> tuple[re.Pattern[str], Mapping[str, str]]:
    """Return what finds options in a message, and the role's name of each.

    ``group`` is that of the option group that is checked, empty for any message of a run: then only
    names that no sentence has as a word. One in quotes is a key of an entry, and stays.
    """
    names = {name: name for name in _SAME if "_" in name} | _OTHER | _ADVISED
    table = spec.ARGUMENT_SPEC
    for each, prefix in _GROUPS.items():
        own = {name: f"{prefix}{name}" for name in table[each]["options"]}
        own = {name: _variable(each, name) for name in own}
        names |= {name: to for name, to in own.items() if "_" in name or each == group}
    if group == "imc":
        names["imccopy"] = "imccopy"
    ordered = sorted(names, key=len, reverse=True)
    found = "|".join(map(re.escape, ordered))
    return re.compile(rf"(?<![\w.\\/'-])(?:[Tt]he option )?({found})(?![\w\\/])"), names


def _variable(group: str, option: str) -> str:
    """Return the role's name of an option in a group, without its prefix."""
    plain = {
        *EXTERNAL_DNS,
        "tiers",
        "mx_preference",
        "families",
        "domain_controller",
        "retry_queues",
    }
    if option in plain:
        return option
    return f"{_GROUPS[group]}{option}"


def role_words(text: str, group: str = "") -> str:
    """Return a message with the role's variables in the place of the options of modules."""
    pattern, names = _pattern(group)
    return pattern.sub(lambda found: _PREFIX + names[found[1]], text)


def reworded(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result of mail_delivery, its messages in the words of the role."""
    for part in (result, *(result.get(name) or {} for name in PARTS)):
        for key in ("msg", "skip_reason"):
            if isinstance(part.get(key), str):
                part[key] = role_words(part[key])
        if part.get("warnings"):
            part["warnings"] = [role_words(str(text)) for text in part["warnings"]]
        for refused in part.get("refused") or ():
            refused["reason"] = role_words(str(refused["reason"]))
        for lacking in part.get("lacking") or ():
            lacking["msg"] = role_words(str(lacking["msg"]))
        limit = part.get("change_limit")
        if limit and limit.get("text"):
            part["change_limit"] = {**limit, "text": role_words(limit["text"])}
    return result


def check_options(options: Params, entry_point: str) -> None:
    """Check the options of mail_delivery as its engines will, before any host is asked.

    Raises InvalidInput with the role's names for them.
    """
    mode = _MODES.get(entry_point)
    if mode is None:
        return
    given = {**options, "mode": mode}
    if mode != "diagnose":
        given["routes"], given["resolved"] = [_ROUTE], [_RESOLVED]
    checked = ArgumentSpecValidator(spec.ARGUMENT_SPEC).validate(given)
    if checked.error_messages:
        raise InvalidInput(role_words(str(checked.error_messages[0]), "test"))
    params = checked.validated_parameters
    families = ("imc", "transport") if params["family"] == "auto" else (params["family"],)
    for family in families:
        for group, parse in _parsers(family, params):
            try:
                parse()
            except InvalidInput as error:
                # A host with a still unknown Exchange needs valid options of both families.
                text, hint = role_words(error.message, group), role_words(error.hint, group)
                raise InvalidInput(text, hint=hint) from error


def _parsers(family: str, params: Params) -> list[tuple[str, Callable[[], object]]]:
    """Return what checks the options for a family, each with the group that they are in."""
    test = spec.test_params(family, params, [], {})
    parsers: list[tuple[str, Callable[[], object]]] = [
        ("test", lambda: spec.check(params)),
        ("queue", lambda: queue_limits(spec.queue_params(family, params))),
        ("test", lambda: parse_test(test, Path.cwd())),
    ]
    restores = params["mode"] == "restore"
    if family == "imc":
        imc = spec.imc_params(params)
        parsers.append(("imc", lambda: parse_imc(imc)))
    else:
        connectors = spec.connectors_params(params)
        parsers.append(("connectors", lambda: parse_connectors(connectors)))
    if restores:
        parsers.append(("imc", lambda: parse_history(spec.history_params(family, params))))
    else:
        parsers.append(("", lambda: parse_change_limit(params)))
        parsers.append(("", lambda: parse_removal_limit(params)))
    return parsers
