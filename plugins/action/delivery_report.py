# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report on all hosts: print it and write files, apply limits, explain delays, list backups."""

from __future__ import annotations

import datetime as dt
import getpass
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible import context
from ansible.module_utils.ansible_release import __version__ as ansible_version
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._base.errors import ExchangeError
from ..module_utils._diagnosis.data import diagnosed
from ..module_utils._diagnosis.evidence import HostEvidence
from ..module_utils._diagnosis.text import diagnosis
from ..module_utils._pairs.module import nameservers
from ..module_utils._pairs.silence import silent
from ..module_utils._report import plan_file
from ..module_utils._report.backup_list import backup_list, restored_lines
from ..module_utils._report.check import check_report
from ..module_utils._report.document import Run, build
from ..module_utils._report.host_result import NOT_CHECKED, HostResult
from ..module_utils._report.limits import Extent, extent, gate
from ..module_utils._report.organisations import warn_of_subset
from ..module_utils._report.slices import packed, packed_plan
from ..module_utils._report.spec import ARGUMENT_SPEC
from ..module_utils._report.states import worst
from ..module_utils._report.text import Line, clean, failure_of, listed
from ..module_utils._run.backups import COLLECTION
from ..module_utils._run.change_limit import parse_limit
from ..module_utils._run.module_runner import failed
from ..plugin_utils._reporting import report, report_diagnosis, show
from ..plugin_utils._role_variables import results_of

Params = Mapping[str, Any]


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
        routes = params["routes"] = params["routes"] or {}
        if params["hosts"] is None:
            known = {**(routes.get("hosts") or {}), **(routes.get("failures") or {})}
            params["hosts"] = list(routes.get("names") or known)
        check_mode = bool(self._task.check_mode)
        try:
            hosts = _hosts(params, task_vars or {})
            reach = _extent(hosts, params)
            if params["kind"] == "limits":
                result = _limits(hosts, reach, params, check_mode=check_mode)
            elif params["kind"] == "backups":
                result = _backups(hosts)
            elif params["kind"] == "check":
                result = _check(hosts, params)
            elif params["kind"] == "diagnose":
                run = _run(params, task_vars or {}, reach, check_mode=check_mode)
                result = _diagnosis(run, hosts, params)
            else:
                run = _run(params, task_vars or {}, reach, check_mode=check_mode)
                document = build(run, params["routes"], hosts)
                if subset := (task_vars or {}).get("ansible_limit"):
                    warn_of_subset(document["organisations"], str(subset))
                plan = _plan(run, hosts, params) if params["plan"] else None
                restored = params["kind"] == "rollback"
                undoes = params["routes"].get("undoes")
                before = restored_lines(hosts, undoes, check_mode=check_mode) if restored else []
                result = report(document, params, before=before, plan=plan)
                if params["artefact"]:
                    result["artefact"] = {**packed(document), **(packed_plan(plan) if plan else {})}
        except ExchangeError as error:
            return failed(error)
        safe: dict[str, Any] = wrap_var(result)
        return safe


def _hosts(params: Params, variables: Params) -> list[HostResult]:
    """Return the hosts from the variables that the options name.

    A host without a result that did not fail was not started, because a limit or an earlier batch
    stopped the run. The option ``held`` has the reason, or else the failures of the others.
    """
    routes = params["routes"]
    run = (routes.get("run") or {}).get("id")

    def found(variable: str | None) -> dict[str, Mapping[str, Any]]:
        """Return the results of this run; there may be those of an earlier one in a playbook."""
        results = results_of(variables, params["hosts"], variable) if variable else {}
        return {name: one for name, one in results.items() if one.get("run_id", run) == run}

    results, compared = found(params["results"]), found(params["compared"])

    def read(name: str, held: str) -> HostResult:
        return HostResult.read(name, routes, results.get(name), compared.get(name), held=held)

    held = params["held"]
    lack = params["kind"] == "rollback" and _lack_backup(params["hosts"], results)
    if lack and params["undone"] and not routes.get("failed"):
        held = _not_theirs(params["undone"], routes.get("undoes") or {})
    hosts = [read(name, held) for name in params["hosts"]]
    if params["kind"] == "enforce" and not held and (trouble := gate(hosts)):
        held = f"an earlier batch failed ({trouble})"
        hosts = [read(host.name, held) if host.failure == NOT_CHECKED else host for host in hosts]
    return hosts


def _not_theirs(run: str, undoes: Mapping[str, Any]) -> str:
    """Return why a rollback came to nothing: the run to undo changed none of its hosts."""
    listing = "-e mx_delivery_list=true lists the backups"
    if undoes.get("of"):
        text = f"the last run, {run}, changed {listed(undoes['of'])}, and none of these hosts"
        return f"{text} (set mx_delivery_backup to undo another one; {listing})"
    return f"none of these hosts has a backup of run {run} ({listing})"


def _lack_backup(names: Iterable[str], results: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return true if none of the hosts has the backup to restore."""
    return all((results.get(name, {}).get("delivery") or {}).get("no_backup") for name in names)


def _extent(hosts: Sequence[HostResult], params: Params) -> Extent:
    """Return how far the run reaches, and whether a limit stops it."""
    name = "mx_delivery_max_changed_hosts"
    limit = parse_limit(name, params["max_changed_hosts"], force=params["force"])
    domains = params["routes"].get("domains") or ()
    pinned = {entry["domain"] for entry in domains if entry["status"] == "ok"}
    name = "mx_delivery_max_removed_domains"
    removals = parse_limit(name, params["max_removed_domains"], force=params["force"])
    return extent(hosts, pinned, limit, removals)


def _limits(
    hosts: Sequence[HostResult], reach: Extent, params: Params, *, check_mode: bool
) -> dict[str, Any]:
    """Return how far the run reaches, and why its next hosts must not be changed.

    A failure stops the batches after it; one of a comparison before the first change does not.
    """
    begun = not params["compared"] or any(host.delivery is not None for host in hosts)
    held = gate(hosts) if begun else ""
    if held:
        held = f"an earlier batch failed ({held})"
    elif reach.would_refuse and not check_mode:
        held = f"{reach.would_refuse}. To allow it, set mx_delivery_force=true or raise the limit"
    return {
        "changed": False,
        "changing": list(reach.changing),
        "domains": list(reach.domains),
        "would_refuse": reach.would_refuse,
        "held": held,
        "hosts": [] if held else [host.name for host in hosts if not host.unfit],
    }


def _backups(hosts: Sequence[HostResult]) -> dict[str, Any]:
    """Print the list of backups, and return it with a verdict on each host."""
    lines = [clean(line) for line in backup_list(hosts)]
    show(map(Line, lines))
    failures = {
        host.name: failure_of(host.backups) or ("" if host.backups else host.failure)
        for host in hosts
    }
    verdicts = {
        host.name: "clean"
        if not failures[host.name]
        else "unjudged"
        if host.unreachable
        else "failed"
        for host in hosts
    }
    return {
        "changed": False,
        "lines": lines,
        "problems": {name: clean(text) for name, text in failures.items() if text},
        "verdicts": verdicts,
        "verdict": worst(list(verdicts.values())),
        "files": {},
    }


def _check(hosts: Sequence[HostResult], params: Params) -> dict[str, Any]:
    """Print what the first contact found, and return it with a verdict on each host."""
    dns = params["routes"].get("dns") or {}
    found, gap = list[str](), ""
    try:
        servers = nameservers(dns.get("nameservers"), dns.get("port") or 53)
        found = [str(one) for one in servers]
        if quiet := silent(servers):
            reasons = listed(f"{server} does not answer ({why})" for server, why in quiet.items())
            gap = (
                f"DNS: {reasons}. Check the address and the firewall (port 53, UDP and TCP), or"
                " set mx_delivery_nameservers."
            )
    except ExchangeError as error:
        gap = f"DNS: {error}"
    checked = check_report(hosts, found, gap, _behind(params["routes"]))
    show(checked.lines)
    problems = {name: clean(text) for name, text in checked.problems.items()}
    return {
        "changed": False,
        "lines": [clean(line.text) for line in checked.lines],
        "problems": problems,
        "messages": problems,
        "verdicts": dict(checked.verdicts),
        "verdict": worst(list(checked.verdicts.values())),
        "files": {},
    }


def _behind(routes: Params) -> set[str]:
    """Return the hosts that have a management host in front of them."""
    settings = [one["options"]["imc"] for one in routes.get("settings") or ()]
    numbers: Mapping[str, int] = routes.get("hosts") or {}
    return {name for name, at in numbers.items() if settings[at].get("target_computer")}


def _diagnosis(run: Run, hosts: Sequence[HostResult], params: Params) -> dict[str, Any]:
    """Print a diagnosis, write its files, and return it with a verdict on each host.

    A host without a full result is a problem of its own; waiting mail on the others is not.
    """
    routes = params["routes"]
    evidence = [HostEvidence.of(host) for host in hosts]
    given = {"suffixes": params["search_list"], "inventories": _inventories()}
    document = diagnosed(build(run, routes, hosts), routes, evidence, **given)
    return report_diagnosis(document, diagnosis(routes, evidence, **given), params)


def _inventories() -> list[str]:
    """Return the sources of hosts that ansible-playbook was given, as paths from here."""
    given = context.CLIARGS.get("inventory") or ()
    return [os.path.relpath(one) if Path(one).exists() else str(one) for one in given]


def _run(params: Params, variables: Params, reach: Extent, *, check_mode: bool) -> Run:
    """Return which run this is."""
    begun = params["routes"].get("run") or {}
    return Run(
        kind=params["kind"],
        check_mode=check_mode,
        started_at=begun.get("started_at"),
        finished_at=dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        id=begun.get("id"),
        login=_login(),
        awx=_awx(variables),
        limit=reach.would_refuse or None,
        collection=COLLECTION,
        ansible=ansible_version,
        fail_on=params["fail_on"],
        note=params["note"],
    )


def _plan(run: Run, hosts: Sequence[HostResult], params: Params) -> dict[str, Any]:
    """Return the plan of an audit, for people to approve."""
    made = run.started_at or run.finished_at
    plan = plan_file.build(
        hosts, made=made, run=run.id or "", collection=COLLECTION, note=params["note"]
    )
    return {**plan}


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def _awx(variables: Params) -> dict[str, str] | None:
    """Return job and user of AWX, which sets each variable under an older name, too."""
    names = {"job": "job_id", "template": "job_template_name", "user": "user_name"}
    known = {
        key: str(variables[f"{prefix}_{name}"])
        for prefix in ("tower", "awx")
        for key, name in names.items()
        if variables.get(f"{prefix}_{name}")
    }
    return known or None
