# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an action plugin of this collection is: its module's engine, run on the controller.

Each plugin is a subclass of ``EngineAction`` with the spec and the engine of its module.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._base.context import Context
from ..module_utils._base.errors import ExchangeError, InvalidInput
from ..module_utils._base.interrupt import orderly_end
from ..module_utils._remote import inventory, options
from ..module_utils._remote.session import Session
from ..module_utils._remote.winrs import Login, WinrsSession, connect
from ..module_utils._run.module_runner import (
    Cmdlets,
    Connector,
    cmdlets_by,
    failed,
    full_spec,
    outcome,
)
from ._progress import Progress
from ._shared import share
from ._shell import ConnectionShell

display = Display()
share()

#: Connections whose tasks run in the worker process on the controller.
_IN_PROCESS = frozenset({"winrm", "psrp", "local"})
_PROXY = "ansible_winrm_proxy"
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_BECOME = (
    "This task is to run as {wanted} (become), but WinRM's command shell and Exchange's PowerShell"
    " run all as the user who logs in. Nothing was done. Log in as the user it is to run as, and"
    " set become: false for the task, or ansible_become: false where the inventory says otherwise."
)
#: From this verbosity on the default callback shows the arguments of a task.
_SHOWS_INVOCATION = 3
#: Since 2.19 a text is a template only if it is marked as one, and no text of a result ever is.
_MARKS_TEMPLATES = tuple(map(int, ansible_version.split(".")[:2])) >= (2, 19)


def plain(value: Any) -> Any:
    """Return arguments of a task without the marks that ansible-core puts on every text in them.

    They say where a text came from, and that it may be a template. The arguments have been
    templated already, and each copy or check of a marked text costs many times one of a plain text.
    """
    if isinstance(value, str):
        return "".join((value,))
    if getattr(value, "__ENCRYPTED__", False):  # before 2.19; no text, but knows to become one
        return str(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


class EngineAction(ActionBase):  # type: ignore[misc] # ansible-core is not typed
    """Runs an engine in the worker process, or its module on the machine of another connection.

    Subclasses set the class attributes; ``constraints`` are those of the argument spec, such as
    ``required_if``, and ``connects`` is given where the engine runs Exchange cmdlets. A plugin
    that works on no host runs on the controller whatever the connection is, unless the task is
    delegated.
    """

    argument_spec: ClassVar[Mapping[str, Any]]
    engine: ClassVar[staticmethod[[Mapping[str, Any], Context], dict[str, Any]]]
    needs_session: ClassVar[bool] = True
    connects: ClassVar[Connector | None] = None
    constraints: ClassVar[Mapping[str, Any]] = {}

    _supports_check_mode = True
    _supports_async = True  # where the module runs; refused below where it does not

    #: What the task was given, once it was run; ``until`` runs it again.
    _given: Mapping[str, Any] | None = None

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the task and return its result."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        if not self._in_process():
            done: dict[str, Any] = self._execute_module(
                module_name=self._task.resolved_action or self._task.action,
                module_args=self._task.args,
                task_vars=variables,
                wrap_async=self._task.async_val,
            )
            return done
        if self._task.async_val:
            message = (
                f"{self._task.action} runs on the controller for this connection and cannot be "
                "asynchronous. Hosts are worked on in parallel as 'forks' allows."
            )
            return {"failed": True, "msg": message}
        if wanted := self._becomes():
            return {"failed": True, "msg": _NO_BECOME.format(wanted=wanted)}
        result = self._run_in_process(variables)
        if not (result.get("failed") or result.get("unreachable")):
            self._shed()
        return result

    def _shed(self) -> None:
        """Take lists out of what ansible-core sends back as the task, now that it is done.

        It keeps that for each host until all hosts are through: for 1,000 routes more than 1 MB a
        host. It stays whole where the debugger of tasks may begin, which can run it once more.
        """
        if self._task.debugger == "always":
            return
        arguments = self._task.args.items()
        self._task.args = {name: what for name, what in arguments if not isinstance(what, list)}

    @property
    def _on_host(self) -> bool:
        """Whether the engine works on a host."""
        return self.needs_session or self.connects is not None

    def _in_process(self) -> bool:
        if self._connection.transport == "local" and not self._on_host:
            return self._connection.become is None  # the module can run as another user
        here = self._connection.transport in _IN_PROCESS or self._leads_to_windows()
        return here or not (self._on_host or self._task.delegate_to)

    def _leads_to_windows(self) -> bool:
        """Whether the connection, such as SSH, ends where no Python module can run."""
        return bool(getattr(self._connection._shell, "_IS_WINDOWS", False))

    def _becomes(self) -> str:
        """Return as whom ``become`` wants the task to run, where that is not who logs in."""
        become = self._connection.become
        if become is None or not self._on_host:
            return ""
        wanted = str(become.get_option("become_user") or "another user")
        known = self._connection.transport in {"winrm", "psrp"}
        user = str(self._connection.get_option("remote_user") or "") if known else ""
        return "" if wanted.casefold() == user.casefold() else wanted

    def _run_in_process(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        spec = full_spec(
            self.argument_spec,
            needs_session=self.needs_session,
            needs_endpoint=self.connects is not None,
        )
        if self._given is None:
            self._given = plain(self._task.args)
        checked = ArgumentSpecValidator(spec, **self.constraints).validate(self._given)
        params: dict[str, Any] = checked.validated_parameters
        if checked.error_messages:
            message = checked.errors.msg
            if isinstance(checked.errors[0], UnsupportedError):
                message = f"Unsupported parameters for ({self._task.action}) module: {message}"
            result: dict[str, Any] = {"failed": True, "msg": message}
        else:
            with orderly_end():
                result = self._run_engine(params, variables)
        if display.verbosity >= _SHOWS_INVOCATION:
            result.setdefault("invocation", {"module_args": params})
        if checked._no_log_values:
            result = remove_values(result, checked._no_log_values)
        return result if _MARKS_TEMPLATES else wrap_var(result)

    def _run_engine(
        self, params: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        session: Session | None = None
        no_session: ExchangeError | None = None
        cmdlets: Cmdlets | None = None
        address = ""
        explicit = params.get("connection") or {}
        name = self._display_name({**(params.get("endpoint") or {}), **explicit}, variables)
        try:
            if self.connects is not None:
                cmdlets, address = self._cmdlets(self.connects, params, name, variables)
            if self.needs_session:
                try:
                    session, address = self._session(explicit, name, variables)
                except InvalidInput as error:
                    if self.connects is None:
                        raise
                    no_session = error  # cmdlets may be all that the engine needs
            context = Context(
                host=name,
                session=session,
                no_session=no_session,
                cmdlets=cmdlets,
                address=address,
                check_mode=self._task.check_mode,
                diff=self._task.diff,
                basedir=Path(self._loader.get_basedir()),
                progress=Progress(name),
            )
            return outcome(type(self).engine, params, context)
        except ExchangeError as error:
            return failed(error)
        except KeyboardInterrupt:
            if session is not None:
                session.reopen()  # Ansible would have closed its shell, and does not any more
            raise
        finally:
            for opened in (session, cmdlets):
                if opened is not None:
                    opened.close()

    def _display_name(self, explicit: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
        """The inventory's name; the option's host only where that would be the controller."""
        name = str(self._task.delegate_to or variables.get("inventory_hostname") or "localhost")
        return str(explicit.get("host") or name) if name in _LOCAL_NAMES else name

    def _session(
        self, explicit: Mapping[str, Any], name: str, variables: Mapping[str, Any]
    ) -> tuple[Session, str]:
        """The inventory's own connection where it will do, else one of explicit options.

        Returned with the name or address that it leads to.
        """
        get = self._connection.get_option
        transport = self._connection.transport
        given = any(value is not None for value in explicit.values())
        if transport == "winrm" and not given:
            password, proxy = get("remote_password"), (get("_extras") or {}).get(_PROXY)
            address = str(get("remote_addr") or name)
            session = WinrsSession(
                ConnectionShell(self._connection),
                host=name,
                login=Login(get("remote_user") or "", f"{address} port {get('port')}"),
                secrets=options.secrets_of(password or "", str(proxy) if proxy else None),
            )
            return session, address
        chosen = options.from_params(options.merged(explicit, self._inherited(variables)))
        return connect(chosen, host=name), chosen.host

    def _inherited(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the inventory says about WinRM, as suboptions of ``connection``."""
        get = self._connection.get_option
        if self._connection.transport == "winrm":
            return inventory.from_winrm(get)
        if self._connection.transport == "psrp":
            return inventory.from_psrp(get)
        return inventory.from_variables(self._reader(variables))

    def _reader(self, variables: Mapping[str, Any]) -> inventory.Get:
        """Return what reads a variable of the inventory."""
        return lambda variable: plain(self._templar.template(variables.get(variable)))

    def _cmdlets(
        self,
        connects: Connector,
        params: Mapping[str, Any],
        name: str,
        variables: Mapping[str, Any],
    ) -> tuple[Cmdlets, str]:
        """Return what leads to Exchange's PowerShell, and the host's name or address.

        Nothing is opened yet, and options that do not fit are not complained of, for an engine may
        not need it.
        """
        explicit = params.get("endpoint") or {}
        if self._connection.transport == "psrp":
            said = inventory.endpoint_from_psrp(self._connection.get_option)
        elif self._connection.transport == "winrm":
            said = options.inherited(self._inherited(variables))
        else:
            said = inventory.endpoint_from_variables(self._reader(variables))
        connection = options.inherited(params.get("connection") or {})
        known = options.merged(connection, said)
        address = str(explicit.get("host") or known.get("host") or name)
        return cmdlets_by(connects, explicit, known, name), address
