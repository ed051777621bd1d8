# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rim of the engine: from a task's options to an engine's run, and to a task's result.

``run_module`` serves a real module; the action plugins share the rest of this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._base.context import Context, EngineModule
from .._base.errors import ExchangeError, HostUnreachable, InvalidInput
from .._base.interrupt import orderly_end
from .._remote.options import (
    CONNECTION_SPEC,
    ENDPOINT_SPEC,
    LoginOptions,
    endpoint_from_params,
    from_params,
    inherited,
    merged,
)
from .._remote.session import CmdletSession, Session
from .._remote.winrs import connect


@dataclass(slots=True)
class Cmdlets:
    """Makes the session with Exchange's PowerShell when an engine first asks, and closes it."""

    make: Callable[[], CmdletSession]
    _session: CmdletSession | None = field(default=None, init=False)

    def __call__(self) -> CmdletSession:
        """Return the one session. Raises InvalidInput where the options do not lead to one."""
        if self._session is None:
            self._session = self.make()
        return self._session

    def close(self) -> None:
        """Close the session, if there is one. Never raises."""
        if self._session is not None:
            self._session.close()


def argument_spec(module: EngineModule) -> dict[str, Any]:
    """Return all options of a module: its own, and those that lead to its host."""
    return {
        **module.options,
        **(CONNECTION_SPEC if module.on_host else {}),
        **(ENDPOINT_SPEC if module.connects else {}),
    }


def endpoint_options(
    params: Mapping[str, Any], implied: Mapping[str, Any] | None = None
) -> LoginOptions:
    """Return the options of Exchange's PowerShell from those of a task.

    The option ``endpoint`` wins over ``connection``, and both over ``implied``, which an inventory
    has. Raises InvalidInput.
    """
    connection = inherited(params.get("connection") or {})
    return endpoint_from_params(
        merged(params.get("endpoint") or {}, merged(connection, implied or {}))
    )


def outcome(module: EngineModule, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Run an engine and return the task's result; an ExchangeError is a failed one.

    Anything else that the engine raises is a defect and goes up as it is.
    """
    try:
        result = module.engine(params, context)
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


def run_module(module: EngineModule) -> None:
    """Be a module: the whole of ``main()``.

    Relative paths count from the working directory, and the host's name is that in ``connection``
    or ``endpoint``, since a module has no inventory.
    """
    task = AnsibleModule(
        argument_spec=argument_spec(module), supports_check_mode=True, **module.constraints
    )
    with orderly_end():
        result = _run(task, module)
    for warning in result.pop("warnings", []):
        task.warn(warning)
    # To a module an unreachable host is a failure: the machine it runs on was reached.
    unreachable = result.pop("unreachable", False)
    if result.pop("failed", unreachable):
        task.fail_json(**result)
    task.exit_json(**result)


def _run(task: AnsibleModule, module: EngineModule) -> dict[str, Any]:
    session: Session | None = None
    no_session: ExchangeError | None = None
    cmdlets: Cmdlets | None = None
    connection = task.params.get("connection") or {}
    endpoint = task.params.get("endpoint") or {}
    host = str(connection.get("host") or endpoint.get("host") or "")
    if connects := module.connects:
        cmdlets = Cmdlets(lambda: connects(endpoint_options(task.params), host=host))
    try:
        if module.needs_session:
            try:
                session = connect(from_params(connection))
            except InvalidInput as error:
                if not endpoint:
                    raise
                no_session = error  # cmdlets may be all that the engine needs
        context = Context(
            host=host or "localhost",
            session=session,
            no_session=no_session,
            cmdlets=cmdlets,
            address=host,
            check_mode=task.check_mode,
            diff=task._diff,
        )
        return outcome(module, task.params, context)
    except ExchangeError as error:
        return failed(error)
    finally:
        for opened in (session, cmdlets):
            if opened is not None:
                opened.close()
