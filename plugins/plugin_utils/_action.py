# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of all action plugins here: run the engine of a module on the controller.

Each plugin is a subclass of ``EngineAction`` with its ``EngineModule``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._base.context import Context, EngineModule
from ..module_utils._base.errors import ExchangeError, InvalidInput
from ..module_utils._base.interrupt import orderly_end
from ..module_utils._remote import inventory
from ..module_utils._remote.failures import CONFIGURATION
from ..module_utils._remote.options import (
    LoginOptions,
    from_params,
    inherited,
    merged,
)
from ..module_utils._remote.session import Gate, Session
from ..module_utils._remote.winrs import Login, WinrsSession, connect
from ..module_utils._run.module_runner import (
    Cmdlets,
    argument_spec,
    endpoint_options,
    failed,
    outcome,
)
from ._logins import Logins
from ._progress import Progress
from ._shared import share
from ._shell import ConnectionShell

display = Display()
share()
_LOGINS = Logins()  # before workers are forked

#: Connections with tasks that run in the worker process on the controller.
_IN_PROCESS = frozenset({"winrm", "psrp", "local"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_BECOME = (
    "The task is to become {wanted}, but WinRM and Exchange PowerShell always run as the login user"
    " (become is not supported). Nothing was done. Log in as that user, and set become: false for"
    " the task, or ansible_become: false in the inventory."
)
_READABLE = (
    "The inventory's connection would send the password readable (Basic over plain HTTP). Set"
    " ansible_winrm_transport to ntlm, kerberos or credssp, or use HTTPS; to send it readable"
    " anyway, set ansible_winrm_transport: basic and ansible_winrm_message_encryption: never."
)
#: From this verbosity on the default callback shows the arguments of a task.
_SHOWS_INVOCATION = 3
#: Since 2.19 a text is a template only if it is marked as one, and no text of a result ever is.
_MARKS_TEMPLATES = tuple(map(int, ansible_version.split(".")[:2])) >= (2, 19)
# Where ansible-core's messages about a wrong option show its value.
_VALUE = re.compile(r"(, got(?: no match for)?: |(?<=unable to convert to )(\w+): ).*", re.DOTALL)


def without_value(message: str) -> str:
    """Return ansible-core's message about a wrong option without the option's value.

    It may be a secret in a wrong place.
    """
    return _VALUE.sub(lambda found: found[2] or "", message)


def plain(value: Any) -> Any:
    """Return arguments of a task without the marks that ansible-core puts on every text in them.

    They record the origin of a text, and that it may be a template. The arguments have been
    templated already, and each copy or check of a marked text costs many times one of a plain text.
    """
    if isinstance(value, str):
        return "".join((value,))
    if getattr(value, "__ENCRYPTED__", False):  # before 2.19; no text, but can become one
        return str(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


class EngineAction(ActionBase):  # type: ignore[misc] # ansible-core is not typed
    """Runs an engine in the worker process, or its module on the machine of another connection.

    Subclasses set ``module``. One that works on no host runs on the controller whatever the
    connection is, unless the task is delegated.
    """

    module: ClassVar[EngineModule]

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
        if self._given is None:
            self._given = plain(self._task.args)
        spec = argument_spec(self.module)
        checked = ArgumentSpecValidator(spec, **self.module.constraints).validate(self._given)
        if checked.error_messages:
            message = without_value(checked.errors.msg)
            if isinstance(checked.errors[0], UnsupportedError):
                message = f"Unsupported parameters for ({self._task.action}) module: {message}"
            return {"failed": True, "msg": message}
        if not self._in_process():
            done: dict[str, Any] = self._execute_module(
                module_name=self._task.resolved_action or self._task.action,
                module_args=self._task.args,
                task_vars=variables,
                wrap_async=self._task.async_val,
            )
            return done
        if message := self._refusal():
            return {"failed": True, "msg": message}
        params: dict[str, Any] = checked.validated_parameters
        if params.get("family") == "auto" and self._leads_to_exchange():
            params["family"] = "transport"
        with orderly_end():
            result = self._run_engine(params, variables)
        if display.verbosity >= _SHOWS_INVOCATION:
            result.setdefault("invocation", {"module_args": params})
        if checked._no_log_values:
            result = remove_values(result, checked._no_log_values)
        if not (result.get("failed") or result.get("unreachable")):
            self._shed()
        return result if _MARKS_TEMPLATES else wrap_var(result)

    def _shed(self) -> None:
        """Take lists out of what ansible-core sends back as the task, now that it is done.

        It keeps that for each host until all hosts are through: for 1,000 routes more than 1 MB a
        host. It stays whole where the debugger of tasks may begin, which can run it once more.
        """
        if self._task.debugger == "always":
            return
        arguments = self._task.args.items()
        self._task.args = {name: what for name, what in arguments if not isinstance(what, list)}

    def _in_process(self) -> bool:
        on_host, transport = self.module.on_host, self._connection.transport
        if transport == "local" and not on_host:
            return self._connection.become is None  # the module can run as another user
        # A connection such as SSH may end where no Python module can run.
        windows = bool(getattr(self._connection._shell, "_IS_WINDOWS", False))
        return transport in _IN_PROCESS or windows or not (on_host or self._task.delegate_to)

    def _leads_to_exchange(self) -> bool:
        """Return true if the connection is Exchange's own PowerShell (2010 and later)."""
        if self._connection.transport != "psrp":
            return False
        return bool(self._connection.get_option("configuration_name") == CONFIGURATION)

    def _refusal(self) -> str:
        """Return why the task cannot run on the controller as it is asked to, or nothing."""
        if self._task.async_val:
            return (
                f"{self._task.action} runs on the controller for this connection and cannot be "
                "asynchronous. Hosts are worked on in parallel as 'forks' allows."
            )
        become = self._connection.become
        if become is None or not self.module.on_host:
            return ""
        wanted = str(become.get_option("become_user") or "another user")
        known = self._connection.transport in {"winrm", "psrp"}
        user = str(self._connection.get_option("remote_user") or "") if known else ""
        return "" if wanted.casefold() == user.casefold() else _NO_BECOME.format(wanted=wanted)

    def _run_engine(
        self, params: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        session: Session | None = None
        no_session: ExchangeError | None = None
        cmdlets: Cmdlets | None = None
        address = ""
        name = self._display_name(params, variables)
        try:
            if self.module.connects is not None:
                cmdlets, address = self._cmdlets(params, name, variables)
            if self.module.needs_session:
                try:
                    session, address = self._session(params, name, variables)
                except InvalidInput as error:
                    if self.module.connects is None:
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
                basedir=Path.cwd(),  # where ansible-playbook was started
                progress=Progress(name),
            )
            return outcome(self.module, params, context)
        except ExchangeError as error:
            return failed(error)
        except KeyboardInterrupt:
            if session is not None:
                session.reopen()  # Ansible no longer closes its shell
            raise
        finally:
            for opened in (session, cmdlets):
                if opened is not None:
                    opened.close()

    def _display_name(self, params: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
        """The inventory's name; the option's host only where that would be the controller."""
        name = str(self._task.delegate_to or variables.get("inventory_hostname") or "localhost")
        given = {**(params.get("endpoint") or {}), **(params.get("connection") or {})}
        return str(given.get("host") or name) if name in _LOCAL_NAMES else name

    def _session(
        self, params: Mapping[str, Any], name: str, variables: Mapping[str, Any]
    ) -> tuple[Session, str]:
        """The inventory's own connection where it will do, else one of explicit options.

        Returned with the name or address that it leads to.
        """
        get = self._connection.get_option
        explicit = params.get("connection") or {}
        given = any(value is not None for value in explicit.values())
        if self._connection.transport != "winrm" or given:
            options = from_params(merged(explicit, self._inherited(variables)))
            return connect(options, host=name, gate=_gate(params, options, name)), options.host
        if inventory.sends_readable_password(get):
            raise InvalidInput(_READABLE)
        user, password = get("remote_user") or "", get("remote_password") or ""
        proxy = (get("_extras") or {}).get("ansible_winrm_proxy")
        host, port = str(get("remote_addr") or name), get("port")
        at = LoginOptions(
            host, int(port or 0), "", "", "", user, password, proxy=str(proxy) if proxy else None
        )
        session = WinrsSession(
            ConnectionShell(self._connection),
            host=name,
            login=Login(user, f"{host} port {port}"),
            secrets=at.secrets,
            gate=_gate(params, at, name),
        )
        return session, host

    def _inherited(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the inventory sets for WinRM, as suboptions of ``connection``."""
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
        self, params: Mapping[str, Any], name: str, variables: Mapping[str, Any]
    ) -> tuple[Cmdlets, str]:
        """Return what leads to Exchange's PowerShell, and the host's name or address.

        Nothing is opened yet, and unsuitable options raise nothing, because an engine may not need
        it.
        """
        if self._connection.transport == "psrp":
            implied = inventory.endpoint_from_psrp(self._connection.get_option)
        elif self._connection.transport == "winrm":
            implied = inherited(self._inherited(variables))
        else:
            implied = inventory.endpoint_from_variables(self._reader(variables))
        hosts = (params.get("endpoint"), params.get("connection"), implied)
        address = next((str(each["host"]) for each in hosts if each and each.get("host")), name)
        connects = self.module.connects
        if connects is None:
            raise AssertionError("the caller asks for it where there is one")

        def make() -> Any:
            options = endpoint_options(params, implied)
            return connects(options, host=name, gate=_gate(params, options, name))

        return Cmdlets(make), address


def _gate(params: Mapping[str, Any], options: LoginOptions, name: str) -> Gate:
    """Return the gate around a login; a null one if it cannot lock an account."""
    if not (options.password and params["stop_at_refused_login"]):
        return contextlib.nullcontext
    address = None if options.proxy else (options.host, options.port)
    return partial(_LOGINS.attempt, options.user, options.password, name, address)
