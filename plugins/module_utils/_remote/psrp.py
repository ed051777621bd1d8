# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchange's PowerShell endpoint, by pypsrp: structured cmdlets, deadlines, and plain errors.

This is the only file that imports pypsrp. No script is ever sent: a pipeline is one cmdlet with
typed parameters, which is all that Exchange's runspaces take.
"""

from __future__ import annotations

import contextlib
import math
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from ansible.module_utils.basic import missing_required_lib

from .._base.errors import (
    CommandTimeout,
    ExchangeError,
    HostUnreachable,
    LoginRefused,
    MissingLibrary,
    SessionLost,
)
from . import clixml
from .failures import (
    CONFIGURATION,
    EXCHANGE,
    Cause,
    clean,
    describe,
    explain,
    explain_fault,
    hint_for,
)
from .guard import Meter, checked_sender, guard_session
from .options import LoginOptions
from .session import Cmdlet, CmdletError, Gate

LIBRARY_ERROR = ""
try:
    from pypsrp.complex_objects import PSInvocationState
    from pypsrp.exceptions import WSManFaultError
    from pypsrp.powershell import PowerShell, RunspacePool
    from pypsrp.shell import SignalCode
    from pypsrp.wsman import WSMan
except ImportError:
    LIBRARY_ERROR = traceback.format_exc()

#: Bytes that the answers to one cmdlet may have in all.
OUTPUT_LIMIT = 67_108_864
#: Seconds that a host may hold back the answer to "is there anything yet?".
_POLL = 20
#: Seconds between the end of an operation on the host and the moment we stop reading.
_READ_MARGIN = 5.0
#: Seconds to spend on stopping a pipeline, or on closing a runspace.
_PARTING_TIMEOUT = 5.0
#: A host that answers "nothing yet" at once is asked again after this many seconds.
_PAUSE = 0.1
#: The service principal of IIS (HOST is an alias), and of alternate service accounts.
_SERVICE = "HTTP"
_WORDS = 400  # characters shown of a message from Exchange

_T = TypeVar("_T")


def connect(
    options: LoginOptions, *, host: str = "", gate: Gate = contextlib.nullcontext
) -> PsrpSession:
    """Return a session by complete options; nothing is sent before its first cmdlet.

    ``host`` is the name for messages, by default the host of the options.
    """
    return PsrpSession(options, host=host or options.host, gate=gate)


class PsrpSession:
    """Runs cmdlets in one runspace; see ``session.CmdletSession``."""

    def __init__(
        self, options: LoginOptions, *, host: str, gate: Gate = contextlib.nullcontext
    ) -> None:
        self.host = host
        self._options = options
        self._gate = gate
        self._pool: Any = None
        self._ended: Any = None
        self._meter = Meter()

    @property
    def requests(self) -> int:
        """HTTP requests of this session, those of the login included."""
        return self._meter.requests

    def invoke(self, cmdlet: Cmdlet, *, timeout: float = 120.0) -> Sequence[Mapping[str, Any]]:
        """Run one cmdlet; see ``session.CmdletSession``.

        A cmdlet that takes longer is stopped; it may or may not have run then.
        """
        deadline = time.monotonic() + timeout
        try:
            shell = self._begin(cmdlet, deadline)
        except _LimitReached:
            self._break()  # the host rejected the cmdlet, and counts anew in a new runspace
            shell = self._begin(cmdlet, deadline)
        self._wait(shell, cmdlet, deadline, timeout)
        self._ended = shell
        return self._result(shell, cmdlet)

    def reopen(self) -> None:
        """Forget the runspace; see ``session.CmdletSession``."""
        self.close()

    def close(self) -> None:
        """Close the runspace, in little time."""
        pool, self._pool = self._pool, None
        if pool is not None and not self._delete(pool, fresh=False):
            self._delete(pool, fresh=True)

    def _break(self) -> None:
        """Use this runspace no more: delete it over a new connection.

        After a break the old one's encryption no longer fits; left to itself, the runspace would
        count against the user's limit until its idle time is over.
        """
        pool, self._pool = self._pool, None
        if pool is not None:
            self._delete(pool, fresh=True)

    def _delete(self, pool: Any, *, fresh: bool) -> bool:
        """Delete a runspace and close the connection, in little time; return whether it did."""
        self._ended = None
        self._meter.deadline = time.monotonic() + _PARTING_TIMEOUT
        transport = pool.connection.transport
        try:
            try:
                if fresh:
                    transport.close()
                    transport.session = transport.encryption = None
                if pool.shell.opened:
                    with _no_warnings():
                        pool.shell.close()
            finally:
                transport.close()
        except Exception as error:  # noqa: BLE001 - the work is done, or has failed with its own error
            del error
            return False
        return True

    def _opened(self) -> Any:
        """Return a new, open runspace."""
        if LIBRARY_ERROR:
            raise MissingLibrary(
                missing_required_lib("pypsrp >= 0.8"), details={"exception": LIBRARY_ERROR}
            )
        wsman = _wsman(self._options)
        transport, meter = wsman.transport, self._meter
        build = transport._build_session

        def build_session() -> Any:  # at the first request
            session = build()
            guard_session(session, meter)
            return session

        transport._build_session = build_session
        transport.send = checked_sender(transport.send, lambda error: (*error.args, "", "", "")[2])
        pool = RunspacePool(wsman, configuration_name=CONFIGURATION)
        _guard_messages(pool)
        try:
            pool.open()
        except BaseException:
            self._delete(pool, fresh=True)
            raise
        return pool

    # -- a pipeline

    def _begin(self, cmdlet: Cmdlet, deadline: float) -> Any:
        """Start a cmdlet, in an open runspace, and return its pipeline."""
        self._end()
        if self._pool is None:
            with self._gate():
                self._meter.deadline = time.monotonic() + self._options.connect_timeout
                self._pool = self._call(self._opened, opening=True)
        self._meter.deadline = deadline + _READ_MARGIN
        shell = PowerShell(self._pool)
        shell.add_cmdlet(cmdlet.name)
        for name, value in cmdlet.parameters.items():
            shell.add_parameter(name, _native(value))
        self._call(shell.begin_invoke, starting=True)
        return shell

    def _end(self) -> None:
        """Terminate the pipeline before, which counts against the user's limit until then.

        The last one of a session ends with its runspace.
        """
        shell, self._ended = self._ended, None
        if shell is None or self._pool is None:
            return
        self._meter.deadline = time.monotonic() + _PARTING_TIMEOUT
        identity = getattr(shell, "_command_id", None) or str(shell.id).upper()
        try:
            with _no_warnings():
                self._pool.shell.signal(SignalCode.TERMINATE, identity)
            self._pool.pipelines.pop(shell.id, None)
        except Exception as error:  # noqa: BLE001 - its result stands; the next one gets a new runspace
            del error
            self._break()

    def _wait(self, shell: Any, cmdlet: Cmdlet, deadline: float, timeout: float) -> None:
        """Receive until the pipeline has ended."""
        received = self._meter.received
        while shell.state == PSInvocationState.RUNNING:
            left = deadline - time.monotonic()
            if left <= 0:
                self._stop(shell)
                raise CommandTimeout(
                    f"{self.host}: {cmdlet.name} did not end within {timeout:g} seconds and was"
                    " stopped. It may or may not have run.",
                    hint="Check the load of Exchange, or allow more time.",
                )
            if self._meter.received - received > OUTPUT_LIMIT:
                self._stop(shell)
                raise ExchangeError(
                    f"{self.host}: {cmdlet.name} returned more than {OUTPUT_LIMIT} bytes and was"
                    " stopped."
                )
            before, had = time.monotonic(), len(shell.output)
            self._call(shell.poll_invoke, timeout=math.ceil(min(left, _POLL)))
            idle = shell.state == PSInvocationState.RUNNING and len(shell.output) == had
            if idle and time.monotonic() - before < _PAUSE:
                time.sleep(_PAUSE)

    def _stop(self, shell: Any) -> None:
        """Stop the pipeline; where that fails, the runspace is not used again."""
        self._meter.deadline = time.monotonic() + _PARTING_TIMEOUT
        self._ended = shell
        try:
            with _no_warnings():
                shell.stop()
        except Exception as error:  # noqa: BLE001 - the timeout is the error to raise
            del error
            self._break()

    def _result(self, shell: Any, cmdlet: Cmdlet) -> list[Mapping[str, Any]]:
        if shell.streams.error:
            raise self._refusal(shell.streams.error, cmdlet)
        if shell.state != PSInvocationState.COMPLETED:
            raise SessionLost(
                f"{self.host}: the host ended {cmdlet.name} before it was done. It may or may not"
                " have run."
            )
        try:
            values = [clixml.read(item) for item in shell.output]
        except clixml.NotAnObject as error:
            raise SessionLost(
                f"{self.host}: {cmdlet.name} returned something that is not an object ({error})."
            ) from None
        # What has no properties is its value.
        return [value if isinstance(value, Mapping) else {"Value": value} for value in values]

    def _refusal(self, records: Sequence[Any], cmdlet: Cmdlet) -> CmdletError:
        """Return the first error of a pipeline; the others mostly follow from it."""

        record, secrets = records[0], self._options.secrets

        def text(name: str) -> str:
            value = getattr(record, name, None)
            return value if isinstance(value, str) else ""

        candidates = (text("details_message"), str(record), text("message"))
        words = next((each for each in candidates if each not in {"", "None"}), "")
        error_id = clean(text("fq_error"), secrets, _WORDS)
        reason = clean(text("reason"), secrets)
        more = f" (and {len(records) - 1} more errors)" if len(records) > 1 else ""
        return CmdletError(
            f"{self.host}: {cmdlet.name} failed: {clean(words, secrets, _WORDS)}{more}",
            cmdlet=cmdlet.name,
            error_id=error_id,
            reason=reason,
            hint=hint_for(error_id, reason, cmdlet.name),
        )

    def _call(
        self,
        function: Callable[..., _T],
        *,
        opening: bool = False,
        starting: bool = False,
        **options: Any,
    ) -> _T:
        """Call pypsrp and translate whatever it raises.

        From a garbage answer it lets out all that its XML, base64 and serialiser raise. The
        translation is raised outside of the handler, so that no traceback at any verbosity shows
        the text of the original, which may hold a URL with a password.
        """
        try:
            with _no_warnings():
                return function(**options)
        except ExchangeError:
            raise
        except KeyboardInterrupt:
            self._break()  # in the middle of a request, which spoils the connection
            raise
        except Exception as error:  # noqa: BLE001 - translated, every one of them
            cause = self._cause(error)
        if cause.missing_library:  # pylint: disable=used-before-assignment
            raise MissingLibrary(f"{self.host}: {cause.sentence}.", hint=cause.hint)
        if opening:
            login = f" as {self._options.user}" if self._options.user else ""
            kind = LoginRefused if cause.refused else HostUnreachable
            raise kind(
                f"{self.host}: no session with Exchange's PowerShell{login}: {cause.sentence}.",
                hint=cause.hint,
            )
        if starting and cause is EXCHANGE.quota:
            raise _LimitReached(f"{self.host}: {cause.sentence}.", hint=cause.hint)
        self._break()
        raise SessionLost(
            f"{self.host}: the session with Exchange's PowerShell broke in the middle of a cmdlet:"
            f" {cause.sentence}. The cmdlet may or may not have run.",
            hint=cause.hint,
        )

    def _cause(self, error: Exception) -> Cause:
        if LIBRARY_ERROR or not isinstance(error, WSManFaultError):
            return explain(describe(error), EXCHANGE)
        reason = str(error.provider_fault or error.reason or "")
        return explain_fault(error.code, "", reason, self._options.secrets, EXCHANGE)


class _LimitReached(SessionLost):
    """The host did not run a cmdlet, because this user reached a limit of open work."""


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """Keep Python's warnings from the screen: an option allows an unchecked certificate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _wsman(options: LoginOptions) -> Any:
    details = options.details
    validation: bool | str = options.cert_validation == "validate"
    if validation and options.ca_cert:
        validation = options.ca_cert
    return WSMan(
        options.host,
        port=options.port,
        ssl=options.scheme == "https",
        path=options.path,
        auth=options.auth,
        username=options.user or None,
        password=options.password or None,
        cert_validation=validation,  # type: ignore[arg-type] # handed on to requests as it is
        certificate_pem=options.client_cert,
        certificate_key_pem=options.client_key,
        encryption=options.message_encryption,
        proxy=options.proxy,
        no_proxy=options.ignore_proxy,
        connection_timeout=options.connect_timeout,
        read_timeout=options.connect_timeout,
        operation_timeout=max(1, options.connect_timeout - math.ceil(_READ_MARGIN)),
        reconnection_backoff=_PAUSE,
        negotiate_service=_SERVICE,
        negotiate_hostname_override=options.kerberos_hostname,
        negotiate_delegate=options.kerberos_delegation,
        negotiate_send_cbt=details.send_cbt,
        credssp_auth_mechanism=details.credssp_auth_mechanism,
        credssp_disable_tlsv1_2=details.credssp_disable_tlsv1_2,
        credssp_minimum_version=details.credssp_minimum_version,
    )


def _guard_messages(pool: Any) -> None:
    """Let pypsrp read no message that grows, and leave what cmdlets put out to ``clixml``."""
    serializer = pool._serializer
    deserialize = serializer.deserialize

    def checked(element: Any, metadata: Any = None, clear: bool = True) -> Any:
        if isinstance(element, str):  # a whole message; pypsrp reads its parts as elements
            clixml.check(element)
            if metadata is None:  # an object put out
                return element
            if len(element) > clixml.MAX_RECORD:
                raise clixml.NotAnObject(f"more than {clixml.MAX_RECORD} characters")
        return deserialize(element, metadata, clear)

    serializer.deserialize = checked


def _native(value: Any) -> Any:
    """Return a parameter in the very types that pypsrp serialises.

    Ansible's values are of classes derived from them, which it would take for unknown objects.
    """
    if isinstance(value, list | tuple):
        return [_native(item) for item in value]
    if isinstance(value, bool):
        return value
    for kind in (int, str):
        if isinstance(value, kind):
            return kind(value)
    return value
