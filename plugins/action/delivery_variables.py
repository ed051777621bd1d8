# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the variables of the role by its argument specification, and by what that cannot say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase

# The first filter of a collection that a task uses makes ansible-core load all filters of that
# collection. This plugin is loaded by the process that forks a worker for each host and task; what
# is imported here, none of them has to read and compile again.
from ..filter import (  # noqa: F401 # pylint: disable=unused-import
    backup_list,
    changed_domains,
    delivery_diagnosis,
    delivery_extent,
    delivery_trouble,
    delivery_wishes,
    domain_names,
    domains_to_test,
    organisation_writers,
    routes_for,
)
from ..module_utils.brake import parse_limit
from ..module_utils.errors import InvalidInput
from ..module_utils.report.domains import names
from ..module_utils.report.rollout import batches
from ..plugin_utils._shared import share

_FILE = Path(__file__).parents[2] / "roles" / "mx_delivery" / "meta" / "argument_specs.yml"
share()
# Read where the plugin is loaded: before the workers of all hosts are forked, which then share it.
_SPECS: Mapping[str, Any] = yaml_load(_FILE.read_text(encoding="utf-8"))["argument_specs"]
_LIMITS = ("mx_delivery_max_changed_hosts", "mx_delivery_max_changes")


class ActionModule(ActionBase):  # type: ignore[misc] # ansible-core is not typed
    """The action plugin of postmaster.exchange.delivery_variables."""

    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return a failed result that names everything that is wrong, or one without a change."""
        super().run(tmp, task_vars)
        _unused, given = self.validate_argument_spec(
            argument_spec={"entry_point": {"type": "str", "required": True}}
        )
        options: Mapping[str, Any] = _SPECS[given["entry_point"]]["options"]
        variables = task_vars or {}
        values = self._templar.template(
            {name: variables[name] for name in options if name in variables}
        )
        wrong = list(_wrong(options, values))
        if not wrong:
            return {"changed": False}
        message = f"{'; '.join(wrong)}. This host was not looked at."
        return {"failed": True, "changed": False, "msg": message}


def _wrong(options: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong; what only makes sense in a valid variable is looked at then only."""
    checked = ArgumentSpecValidator(options).validate(values, validate_role_argument_spec=True)
    if checked.error_messages:
        yield from (message.rstrip(".") for message in checked.error_messages)
        return
    known: Mapping[str, Any] = checked.validated_parameters
    try:
        names(known["mx_delivery_domains"])
        for name in _LIMITS:
            parse_limit(name, known.get(name))
        batches(known.get("mx_delivery_serial") or [])
    except InvalidInput as error:
        yield str(error).rstrip(".")
