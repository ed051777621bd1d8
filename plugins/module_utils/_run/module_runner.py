# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rim of the engine: from a task's options to an engine's run, and to a task's result.

``run_module`` serves a real module; the action plugins share the rest of this file.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible.module_utils.basic import AnsibleModule

from .._base.context import Context
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

Engine = Callable[[Mapping[str, Any], Context], dict[str, Any]]


class Connector(Protocol):
    """Makes a session with Exchange's PowerShell; ``psrp.connect`` is one.

    Modules that need it hand it over, so that the others do not load pypsrp.
    """

    def __call__(self, options: LoginOptions, *, host: str = "") -> CmdletSession:
        """Return a session; ``host`` is the name for messages."""


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


def full_spec(
    argument_spec: Mapping[str, Any], *, needs_session: bool, needs_endpoint: bool = False
) -> dict[str, Any]:
    """Return the argument spec, with ``connection`` and ``endpoint`` for what works on a host."""
    return {
        **argument_spec,
        **(CONNECTION_SPEC if needs_session else {}),
        **(ENDPOINT_SPEC if needs_endpoint else {}),
    }


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
    connects: Connector | None = None,
    **constraints: Any,
) -> None:
    """Be a module: the whole of ``main()``. ``constraints`` are AnsibleModule's ``required_if`` ...

    ``connects`` is for modules that run cmdlets. Relative paths count from the working directory,
    and the host is called what ``connection`` or ``endpoint`` calls it, for a module knows no
    inventory.
    """
    module = AnsibleModule(
        argument_spec=full_spec(
            argument_spec, needs_session=needs_session, needs_endpoint=connects is not None
        ),
        supports_check_mode=True,
        **constraints,
    )
    with orderly_end():
        result = _run(module, engine, needs_session=needs_session, connects=connects)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    # To a module an unreachable host is a failure: the machine it runs on was reached.
    unreachable = result.pop("unreachable", False)
    if result.pop("failed", unreachable):
        module.fail_json(**result)
    module.exit_json(**result)


def _run(
    module: AnsibleModule, engine: Engine, *, needs_session: bool, connects: Connector | None
) -> dict[str, Any]:
    session: Session | None = None
    no_session: ExchangeError | None = None
    connection = (module.params["connection"] or {}) if needs_session else {}
    explicit = (module.params["endpoint"] or {}) if connects else {}
    host = str(connection.get("host") or explicit.get("host") or "localhost")
    cmdlets: Cmdlets | None = None
    if connects:
        cmdlets = cmdlets_by(connects, explicit, inherited(connection), host)
    try:
        if needs_session:
            try:
                session = connect(from_params(connection))
            except InvalidInput as error:
                if not explicit:
                    raise
                no_session = error  # cmdlets may be all that the engine needs
        context = Context(
            host=host,
            session=session,
            no_session=no_session,
            cmdlets=cmdlets,
            address="" if host == "localhost" else host,
            check_mode=module.check_mode,
            diff=module._diff,
        )
        return outcome(engine, module.params, context)
    except ExchangeError as error:
        return failed(error)
    finally:
        for opened in (session, cmdlets):
            if opened is not None:
                opened.close()


def cmdlets_by(
    connects: Connector, explicit: Mapping[str, Any], implied: Mapping[str, Any], host: str
) -> Cmdlets:
    """Return what makes a session from the suboptions of a task and what stands behind them."""

    def make() -> CmdletSession:
        options = endpoint_from_params(merged(explicit, implied))
        return connects(options, host="" if host == "localhost" else host)

    return Cmdlets(make)
