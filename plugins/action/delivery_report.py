# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the results of all hosts together, show them, and write them to files."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.ansible_release import __version__ as ansible_version
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._report.artefact import packed
from ..module_utils._report.document import Run, build
from ..module_utils._report.spec import ARGUMENT_SPEC
from ..module_utils._run.backups import COLLECTION
from ..plugin_utils._registered import outcome_of
from ..plugin_utils._reporting import report


class ActionModule(ActionBase):  # type: ignore[misc] # ansible-core is not typed
    """The action plugin of postmaster.exchange.delivery_report; it works on the controller only."""

    _supports_check_mode = True
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the task and return its result, a failed one if a file could not be written."""
        super().run(tmp, task_vars)
        checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate(self._task.args)
        if checked.error_messages:
            return {"failed": True, "msg": checked.errors.msg}
        params: dict[str, Any] = checked.validated_parameters
        document = self._document(params, task_vars or {})
        result = report(document, params)
        if params["artefact"]:
            result["artefact"] = packed(document)
        safe: dict[str, Any] = wrap_var(result)
        return safe

    def _document(self, params: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        hostvars = variables["hostvars"]
        known = [(name, hostvars[name]) for name in params["hosts"]]
        begun = _first(known, "_mx_delivery_run")
        resolved = params["resolved"] or {}
        run = Run(
            kind=params["kind"],
            check_mode=self._task.check_mode,
            started_at=begun.get("started_at"),
            finished_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            id=begun.get("id"),
            login=_login(),
            awx=_awx(variables),
            brake=_first(known, "_mx_delivery_brake").get("would_refuse"),
            collection=COLLECTION,
            ansible=ansible_version,
            fail_on=params["fail_on"],
        )
        return build(
            run,
            resolved,
            [outcome_of(name, told, params["kind"], resolved) for name, told in known],
        )


def _first(known: Sequence[tuple[str, Mapping[str, Any]]], name: str) -> Mapping[str, Any]:
    """Return a variable that says the same for all hosts, of the first that has it."""
    found = (told.get(name) for _unused, told in known)
    return next((value for value in found if isinstance(value, Mapping)), {})


def _login() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def _awx(variables: Mapping[str, Any]) -> dict[str, str] | None:
    """Return job and user of AWX, which sets these variables twice for the sake of older names."""
    found = {
        what: str(variables[f"{prefix}_{name}"])
        for prefix in ("tower", "awx")
        for what, name in (
            ("job", "job_id"),
            ("template", "job_template_name"),
            ("user", "user_name"),
        )
        if variables.get(f"{prefix}_{name}")
    }
    return found or None
