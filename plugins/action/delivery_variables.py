# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the variables of the role, and tell what a host asks for by them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

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
from ..module_utils._base.errors import InvalidInput
from ..module_utils._report.domains import names
from ..module_utils._report.limits import batches
from ..module_utils._run.change_limit import parse_limit
from ..plugin_utils._action import plain
from ..plugin_utils._shared import share

_FILE = Path(__file__).parents[2] / "roles" / "mx_delivery" / "meta" / "argument_specs.yml"
share()
# Read where the plugin is loaded: before the workers of all hosts are forked, which then share it.
_SPECS: Mapping[str, Any] = yaml_load(_FILE.read_text(encoding="utf-8"))["argument_specs"]
_SPEC = {
    "entry_point": {"type": "str", "required": True},
    "family": {"type": "str", "default": "auto"},
}
_LIMITS = ("mx_delivery_max_changed_hosts", "mx_delivery_max_changes")


class ActionModule(ActionBase):  # type: ignore[misc] # ansible-core is not typed
    """The action plugin of postmaster.exchange.delivery_variables."""

    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what the host asks for, or a failed result that names everything that is wrong."""
        super().run(tmp, task_vars)
        _unused, given = self.validate_argument_spec(argument_spec=_SPEC)
        options: Mapping[str, Any] = _SPECS[given["entry_point"]]["options"]
        variables = task_vars or {}
        values = self._templar.template(
            {name: variables[name] for name in options if name in variables}
        )
        checked = ArgumentSpecValidator(options).validate(
            plain(values), validate_role_argument_spec=True
        )
        wrong = list(checked.error_messages)
        if not wrong:
            try:
                asked = _asked(checked.validated_parameters, str(given["family"]))
            except InvalidInput as error:
                wrong = [str(error)]
        if wrong:
            message = "; ".join(text.rstrip(".") for text in wrong)
            return {
                "failed": True,
                "changed": False,
                "msg": f"{message}. This host was not looked at.",
            }
        result: dict[str, Any] = wrap_var({"changed": False, **asked})
        return result


def _asked(known: Mapping[str, Any], family: str) -> dict[str, Any]:
    """Return what a host asks for; raises InvalidInput for what the specification cannot see.

    The names are one text, since ansible-core keeps it for each host: a list takes five times as
    much.
    """
    limits = [parse_limit(name, known.get(name)) for name in _LIMITS]
    limited = any(limit.most is not None for limit in limits)
    sizes = batches(known.get("mx_delivery_serial") or [])
    return {
        "family": family,
        "domains": "\n".join(names(known["mx_delivery_domains"])),
        "families": known["mx_delivery_families"],
        "own_names": known["mx_delivery_own_names"],
        "own_addresses": known["mx_delivery_own_addresses"],
        "search_list": known.get("mx_delivery_search_list") or [],
        "braked": bool(sizes) or (limited and not known.get("mx_delivery_force")),
    }
