# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the reports of all slices of a run together, show the result, and write it to files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._base.errors import ExchangeError, InvalidInput
from ..module_utils._report.artefact import is_packed, unpacked
from ..module_utils._report.merge import merge, too_far
from ..module_utils._report.spec import MERGED_SPEC
from ..module_utils._report.text import clean
from ..module_utils._run.change_limit import parse_limit
from ..module_utils._run.module_runner import failed
from ..plugin_utils._reporting import report


class ActionModule(ActionBase):  # type: ignore[misc] # ansible-core is not typed
    """The action plugin of postmaster.exchange.merged_report; it works on the controller only."""

    _supports_check_mode = True
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the task and return its result, a failed one if there is nothing to merge."""
        super().run(tmp, task_vars)
        checked = ArgumentSpecValidator(MERGED_SPEC).validate(self._task.args)
        if checked.error_messages:
            return {"failed": True, "msg": checked.errors.msg}
        params: dict[str, Any] = checked.validated_parameters
        try:
            brake = parse_limit("max_changed_hosts", params["max_changed_hosts"])
            documents = _documents(params["folder"], task_vars or {})
            merged = merge(documents, [clean(name) for name in params["hosts"]])
        except ExchangeError as error:
            return failed(error)
        result = report(merged, params)
        result["kind"] = merged["run"]["kind"]
        result["slices"] = len(documents)
        result["warnings"] = [
            f"{one['name']}: {text}" for one in merged["organisations"] for text in one["warnings"]
        ]
        result["would_refuse"] = too_far(merged, brake)
        pairs = zip(params["hosts"], merged["hosts"], strict=True)
        result["unreachable_hosts"] = [name for name, host in pairs if host["unreachable"]]
        safe: dict[str, Any] = wrap_var(result)
        return safe


def _documents(folder: str | None, variables: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the reports of the slices by where they come from."""
    if not folder:
        return _handed_on(variables)
    try:
        files = sorted(Path(folder).glob("*.json"))
        return {str(file): _read(file) for file in files}
    except OSError as error:
        raise ExchangeError(f"{folder} cannot be read: {error.strerror or error}.") from error


def _handed_on(variables: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the reports in variables; a look beforehand is passed over once there is the run."""
    names = sorted(name for name in variables if is_packed(name))
    found = {name: unpacked(name, variables[name]) for name in names}
    looks = {name: _only_looked(document) for name, document in found.items()}
    if all(looks.values()):
        return found
    return {name: document for name, document in found.items() if not looks[name]}


def _only_looked(document: Mapping[str, Any]) -> bool:
    run = document.get("run")
    return isinstance(run, Mapping) and bool(run.get("check_mode"))


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{file} is no report of a slice.") from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{file} is no report of a slice.")
    return document
