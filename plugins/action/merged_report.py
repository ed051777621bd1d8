from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._base.errors import ExchangeError, InvalidInput
from ..module_utils._report import plan_file
from ..module_utils._report.limits import too_far
from ..module_utils._report.merge import merge
from ..module_utils._report.slices import from_folder, from_variables, pack
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
            result = _merged(params, task_vars or {})
        except ExchangeError as error:
            return failed(error)
        safe: dict[str, Any] = wrap_var(result)
        return safe


def _merged(params: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
    """Merge the reports and return the result of the task; raises ExchangeError."""
    limit = parse_limit("max_changed_hosts", params["max_changed_hosts"])
    folder = params["folder"]
    found = from_folder(folder) if folder else from_variables(variables)
    documents = {name: one for name, one in found.items() if not plan_file.is_plan(one)}
    merged = merge(documents, [clean(name) for name in params["hosts"]])
    plan = _plan(found, params) if params["plan"] else None
    try:
        result = report(merged, params, plan=plan)
        result["would_refuse"] = too_far(merged, limit)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput("One of the documents is not a report of this collection.") from error
    organisations, hosts = merged["organisations"], merged["hosts"]
    kind = merged["run"]["kind"]
    for name, host in zip(params["hosts"], hosts, strict=True):
        if result["verdicts"][name] == "failed" and (kind == "audit" or host["unreachable"]):
            result["verdicts"][name] = "unjudged"
    return {
        **result,
        **({"plan_content": pack(plan_file.as_text(plan))} if plan else {}),
        "kind": kind,
        "slices": len(documents),
        "warnings": [f"{one['name']}: {text}" for one in organisations for text in one["warnings"]],
    }


def _plan(found: Mapping[str, Any], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the plan of the whole run from those of its slices."""
    texts = {name: plan_file.as_text(one) for name, one in found.items() if plan_file.is_plan(one)}
    if not texts:
        raise InvalidInput(
            "Not one slice has a plan.", hint="Set mx_delivery_plan_out for the slices."
        )
    plans = {name: plan_file.parse(text, name) for name, text in texts.items()}
    return plan_file.merge(plans, params["hosts"])
