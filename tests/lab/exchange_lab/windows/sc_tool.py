# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``sc.exe``: query, queryex, qc, start, stop, config, also for another machine (``\\\\HOST``).

Its exit code is the Windows error number; what it prints, errors too, goes to standard output.
On a German host labels and words of states are translated, as some editions of Windows do.
"""

from __future__ import annotations

from .errors import BAD_NETWORK_PATH, RPC_UNAVAILABLE, SERVICE_DOES_NOT_EXIST, WinError
from .process import Invocation
from .services import (
    RUNNING,
    START_PENDING,
    STOP_PENDING,
    STOPPED,
    Service,
    ServiceManager,
)

_WRONG_USE = 1639  # ERROR_INVALID_COMMAND_LINE
_STATES = {
    "en": {1: "STOPPED", 2: "START_PENDING", 3: "STOP_PENDING", 4: "RUNNING"},
    "de": {1: "BEENDET", 2: "WIRD GESTARTET", 3: "WIRD BEENDET", 4: "WIRD AUSGEFÜHRT"},
}
_LABELS = {
    "en": {},
    "de": {
        "SERVICE_NAME": "DIENSTNAME",
        "DISPLAY_NAME": "ANZEIGENAME",
        "TYPE": "TYP",
        "STATE": "STATUS",
        "WIN32_EXIT_CODE": "WIN32_BEENDIGUNG",
        "SERVICE_EXIT_CODE": "DIENST_BEENDIGUNG",
        "CHECKPOINT": "PRÜFPUNKT",
        "WAIT_HINT": "WARTEHINWEIS",
        "START_TYPE": "STARTTYP",
        "ERROR_CONTROL": "FEHLERSTEUERUNG",
        "BINARY_PATH_NAME": "PROGRAMMPFAD",
        "LOAD_ORDER_GROUP": "LADEGRUPPE",
        "DEPENDENCIES": "ABHÄNGIGKEITEN",
        "SERVICE_START_NAME": "DIENSTKONTO",
    },
}
_START_TYPES = {2: "AUTO_START", 3: "DEMAND_START", 4: "DISABLED"}
_CONFIG_STARTS = {"auto": 2, "demand": 3, "disabled": 4}
_FAILED = {"en": "FAILED", "de": "FEHLER"}
_SUCCESS = {"en": "SUCCESS", "de": "ERFOLG"}


def sc(invocation: Invocation) -> int:
    """Run ``sc``; the exit code is a Windows error number."""
    arguments = invocation.argv[1:]
    manager = invocation.host.services
    if arguments and arguments[0].startswith("\\\\"):
        try:
            manager = invocation.shell.remote(arguments.pop(0)[2:]).services
        except WinError as exc:
            code = RPC_UNAVAILABLE if exc.code == BAD_NETWORK_PATH else exc.code
            return _fail(invocation, "OpenSCManager", code)
    verb = arguments[0].lower() if arguments else ""
    names = [a for a in arguments[1:] if not a.endswith("=")]
    if verb in {"query", "queryex"}:
        return _query(invocation, manager, names, extended=verb == "queryex")
    handler = {"qc": _config, "start": _start, "stop": _stop, "config": _change}.get(verb)
    if handler is None or len(arguments) < 2:
        invocation.out("DESCRIPTION:\r\n        SC is a command line program used for\r\n")
        invocation.out("        communicating with the Service Control Manager and services.\r\n")
        return _WRONG_USE
    return handler(invocation, manager, arguments[1:])


def _fail(invocation: Invocation, call: str, code: int) -> int:
    word = _FAILED[invocation.host.language]
    text = invocation.shell.message(code)
    invocation.out(f"[SC] {call} {word} {code}:\r\n\r\n{text}\r\n\r\n")
    return code


def _line(invocation: Invocation, label: str, value: str) -> str:
    label = _LABELS[invocation.host.language].get(label, label)
    return f"        {label:<19}: {value}\r\n"


def _title(invocation: Invocation, label: str, name: str) -> str:
    return f"{_LABELS[invocation.host.language].get(label, label)}: {name}\r\n"


def _query(
    invocation: Invocation, manager: ServiceManager, names: list[str], *, extended: bool
) -> int:
    if not names:
        for service in manager.all():
            if service.state != STOPPED:
                _show(invocation, service, service.state, display=True, extended=extended)
        return 0
    try:
        service = manager.get(names[0])
    except WinError as exc:
        return _fail(invocation, "EnumQueryServicesStatus:OpenService", exc.code)
    _show(invocation, service, service.state, extended=extended)
    return 0


def _show(
    invocation: Invocation,
    service: Service,
    state: int,
    *,
    display: bool = False,
    extended: bool = False,
) -> None:
    word = _STATES[invocation.host.language][state]
    pending = state in {START_PENDING, STOP_PENDING}
    text = "\r\n" + _title(invocation, "SERVICE_NAME", f"{service.name} ")
    if display:
        text += _title(invocation, "DISPLAY_NAME", service.display_name or service.name)
    text += _line(invocation, "TYPE", "10  WIN32_OWN_PROCESS  ")
    text += _line(invocation, "STATE", f"{state}  {word} ")
    if state == RUNNING:
        text += f"{'':32}(STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)\r\n"
    elif pending:
        text += f"{'':32}(NOT_STOPPABLE, NOT_PAUSABLE, IGNORES_SHUTDOWN)\r\n"
    code, own = service.win32_exit_code, service.service_exit_code
    text += _line(invocation, "WIN32_EXIT_CODE", f"{code}  (0x{code:x})")
    text += _line(invocation, "SERVICE_EXIT_CODE", f"{own}  (0x{own:x})")
    checkpoint = invocation.host.services.checkpoint(service)
    text += _line(invocation, "CHECKPOINT", f"0x{checkpoint:x}")
    text += _line(invocation, "WAIT_HINT", "0x7d0" if pending else "0x0")
    if extended:
        text += _line(invocation, "PID", "0" if state == STOPPED else str(_pid(service)))
        text += _line(invocation, "FLAGS", "")
    invocation.out(text)


def _pid(service: Service) -> int:
    return 1000 + 4 * (sum(service.name.encode()) + service.starts)


def _start(invocation: Invocation, manager: ServiceManager, arguments: list[str]) -> int:
    try:
        service = manager.start(arguments[0])
    except WinError as exc:
        missing = exc.code == SERVICE_DOES_NOT_EXIST
        return _fail(
            invocation, "StartService: OpenService" if missing else "StartService", exc.code
        )
    _show(invocation, service, START_PENDING, extended=True)
    return 0


def _stop(invocation: Invocation, manager: ServiceManager, arguments: list[str]) -> int:
    try:
        service = manager.stop(arguments[0])
    except WinError as exc:
        missing = exc.code == SERVICE_DOES_NOT_EXIST
        return _fail(invocation, "OpenService" if missing else "ControlService", exc.code)
    _show(invocation, service, STOP_PENDING)
    return 0


def _config(invocation: Invocation, manager: ServiceManager, arguments: list[str]) -> int:
    try:
        service = manager.get(arguments[0])
    except WinError as exc:
        return _fail(invocation, "OpenService", exc.code)
    start = manager.start_type(service)
    text = f"[SC] QueryServiceConfig {_SUCCESS[invocation.host.language]}\r\n\r\n"
    text += _title(invocation, "SERVICE_NAME", service.name)
    needed = service.depends_on or ("",)
    rows = [
        ("TYPE", "10  WIN32_OWN_PROCESS "),
        ("START_TYPE", f"{start}   {_START_TYPES.get(start, '')}"),
        ("ERROR_CONTROL", "1   NORMAL"),
        ("BINARY_PATH_NAME", service.binary or f"C:\\exchsrvr\\bin\\{service.name}.exe"),
        ("LOAD_ORDER_GROUP", ""),
        ("TAG", "0"),
        ("DISPLAY_NAME", service.display_name or service.name),
        ("DEPENDENCIES", needed[0]),
        *(("", name) for name in needed[1:]),
        ("SERVICE_START_NAME", "LocalSystem"),
    ]
    invocation.out(text + "".join(_line(invocation, label, value) for label, value in rows))
    return 0


def _change(invocation: Invocation, manager: ServiceManager, arguments: list[str]) -> int:
    """``sc config NAME start= auto|demand|disabled``."""
    try:
        service = manager.get(arguments[0])
    except WinError as exc:
        return _fail(invocation, "OpenService", exc.code)
    wanted = _CONFIG_STARTS.get(arguments[2].lower()) if len(arguments) > 2 else None
    if wanted is None or arguments[1].lower() != "start=":
        return _WRONG_USE
    manager.configure(service, wanted)
    invocation.out(f"[SC] ChangeServiceConfig {_SUCCESS[invocation.host.language]}\r\n")
    return 0
