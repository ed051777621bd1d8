# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rim of the engine: from a task's options to an engine's run, and to a task's result.

``run_module`` serves a real module; the action plugins share the rest of this file.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .context import Context
from .errors import ExchangeError, HostUnreachable
from .remote.options import CONNECTION_SPEC, from_params
from .remote.session import Session
from .remote.winrs import connect

Engine = Callable[[Mapping[str, Any], Context], dict[str, Any]]


def full_spec(argument_spec: Mapping[str, Any], *, needs_session: bool) -> dict[str, Any]:
    """Return the argument spec, with the option ``connection`` for what works on a host."""
    return {**argument_spec, **(CONNECTION_SPEC if needs_session else {})}


def outcome(engine: Engine, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Run an engine and return the task's result; what the engine raises is a failed one.

    Only ExchangeError is an answer; anything else is a defect and goes up as it is.
    """
    try:
        result = engine(params, context)
    except ExchangeError as error:
        result = failed(error)
    if not (context.diff or context.check_mode):
        result.pop("diff", None)
    return {"changed": False, **result}


def failed(error: ExchangeError) -> dict[str, Any]:
    """Return the result of a failed task; an error's details are keys of it.

    It is ``unreachable`` instead of ``failed`` where no session could be opened.
    """
    kind = "unreachable" if isinstance(error, HostUnreachable) else "failed"
    return {**error.details, kind: True, "msg": str(error)}


def run_module(
    argument_spec: Mapping[str, Any],
    engine: Engine,
    *,
    needs_session: bool = True,
    **constraints: Any,
) -> None:
    """Be a module: the whole of ``main()``. ``constraints`` are AnsibleModule's ``required_if`` ...

    Relative paths count from the working directory, and the host is called what ``connection``
    calls it, for a module knows no inventory.
    """
    module = AnsibleModule(
        argument_spec=full_spec(argument_spec, needs_session=needs_session),
        supports_check_mode=True,
        **constraints,
    )
    result = _run(module, engine, needs_session=needs_session)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    # To a module an unreachable host is a failure: the machine it runs on was reached.
    unreachable = result.pop("unreachable", False)
    if result.pop("failed", unreachable):
        module.fail_json(**result)
    module.exit_json(**result)


def _run(module: AnsibleModule, engine: Engine, *, needs_session: bool) -> dict[str, Any]:
    session: Session | None = None
    host = "localhost"
    try:
        if needs_session:
            options = from_params(module.params["connection"] or {})
            session, host = connect(options), options.host
        context = Context(
            host=host,
            session=session,
            address=host if session is not None else "",
            check_mode=module.check_mode,
            diff=module._diff,
        )
        return outcome(engine, module.params, context)
    except ExchangeError as error:
        return failed(error)
    finally:
        if session is not None:
            session.close()
