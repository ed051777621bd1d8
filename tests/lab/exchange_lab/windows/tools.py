# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a lab host's system folder, and how others are added."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .cmdline import command_tail, run_line
from .errors import WinError
from .process import Invocation, Tool
from .reg_tool import reg
from .sc_tool import sc
from .text_tools import fc, find, findstr, more

if TYPE_CHECKING:
    from .host import LabHost

SYSTEM32 = r"C:\Windows\system32"
_NO_COUNTERS = 0xC0000BB8 - (1 << 32)  # PDH_CSTATUS_NO_OBJECT, as a signed exit code


def cmd(invocation: Invocation) -> int:
    """``cmd [/d /s /q /v:on] /c LINE``: a nested shell."""
    text = invocation.raw.lstrip()
    shell = invocation.shell.child()
    while text.startswith("/"):
        switch, rest = text[:2].lower(), text[2:]
        if switch in {"/c", "/k", "/r"}:
            return run_line(command_tail(rest, shell), shell, invocation.streams)
        if switch == "/q":
            shell.echo = False
        elif switch == "/v":
            shell.delayed_expansion = not rest.lower().startswith(":off")
            rest = rest.removeprefix(":on").removeprefix(":ON").removeprefix(":off")
        text = rest.lstrip()
    return 0


def hostname(invocation: Invocation) -> int:
    """``hostname``."""
    invocation.out(f"{invocation.host.name}\r\n")
    return 0


def whoami(invocation: Invocation) -> int:
    """``whoami``."""
    user = invocation.shell.environment.get("USERNAME") or ""
    invocation.out(f"{invocation.host.name}\\{user}\r\n".lower())
    return 0


def where(invocation: Invocation) -> int:
    """``where NAME``: 1 when there is no such program along PATH."""
    missing = False
    for name in invocation.argv[1:]:
        folders = [invocation.shell.cwd]
        folders += (invocation.shell.environment.get("Path") or "").split(";")
        names = [name, *(name + suffix for suffix in (".exe", ".com", ".bat", ".cmd"))]
        files = invocation.host.fs
        paths = [
            f"{folder.rstrip(chr(92))}\\{n}" for folder in filter(None, folders) for n in names
        ]
        hits = [files.spelling(path) for path in paths if files.is_file(path)]
        for hit in dict.fromkeys(hits):
            invocation.out(f"{hit}\r\n")
        missing |= not hits
    if missing:
        invocation.err("INFO: Could not find files for the given pattern(s).\r\n")
    return int(missing)


def timeout(invocation: Invocation) -> int:
    """``timeout``, which refuses to work in a shell without a console."""
    invocation.err(
        "ERROR: Input redirection is not supported, exiting the process immediately.\r\n"
    )
    return 1


def ping(invocation: Invocation) -> int:
    """``ping [-n N] HOST``: one second between two packets; loopback and neighbours answer."""
    arguments = invocation.argv[1:]
    count = 4
    if "-n" in arguments and (index := arguments.index("-n")) + 1 < len(arguments):
        count = int(arguments[index + 1])
        del arguments[index : index + 2]
    target = arguments[-1] if arguments else ""
    try:
        invocation.host.machine(target)
    except WinError:
        invocation.out(
            f"Ping request could not find host {target}. Please check the name and try again.\r\n"
        )
        return 1
    invocation.out(f"\r\nPinging {target} with 32 bytes of data:\r\n")
    for index in range(count):
        if index:
            invocation.streams.sleep(invocation.host.time_scale)
        invocation.out(f"Reply from {target}: bytes=32 time<1ms TTL=128\r\n")
    return 0


def typeperf(invocation: Invocation) -> int:
    r"""``typeperf "\Object\Counter" -sc N``, also ``\\HOST\Object\Counter``."""
    arguments = invocation.argv[1:]
    samples = int(arguments[arguments.index("-sc") + 1]) if "-sc" in arguments else 1
    wanted = [argument for argument in arguments if argument.startswith("\\")]
    columns = [(path, found) for path in wanted if (found := _counter(invocation, path))]
    if not columns:
        invocation.out("\r\nError: No valid counters.\r\n")
        return _NO_COUNTERS
    names = [
        path if path.startswith("\\\\") else f"\\\\{invocation.host.name.upper()}{path}"
        for path, _skipped in columns
    ]
    invocation.out("\r\n" + ",".join(f'"{text}"' for text in ["(PDH-CSV 4.0)", *names]))
    for _round in range(samples):
        invocation.streams.sleep(invocation.host.time_scale)
        now = invocation.host.clock()
        stamp = f"{now:%m/%d/%Y %H:%M:%S}.{now.microsecond // 1000:03}"
        values = [f"{found():.6f}" for _skipped, found in columns]
        invocation.out("\r\n" + ",".join(f'"{text}"' for text in [stamp, *values]))
    invocation.out("\r\nExiting, please wait...                         \r\n")
    invocation.out("The command completed successfully.\r\n\r\n")
    return 0


def _counter(invocation: Invocation, path: str) -> Callable[[], float] | None:
    machine = invocation.host
    if path.startswith("\\\\"):
        name, _skipped, rest = path[2:].partition("\\")
        try:
            machine = invocation.shell.remote(name)
        except WinError:
            return None
        path = f"\\{rest}"
    return {known.casefold(): value for known, value in machine.counters.items()}.get(
        path.casefold()
    )


STANDARD: dict[str, Tool] = {
    "cmd": cmd,
    "fc": fc,
    "find": find,
    "findstr": findstr,
    "hostname": hostname,
    "more": more,
    "ping": ping,
    "reg": reg,
    "sc": sc,
    "timeout": timeout,
    "typeperf": typeperf,
    "where": where,
    "whoami": whoami,
}


def install_standard(host: LabHost) -> None:
    """Put the standard programs into the system folder."""
    for name, tool in STANDARD.items():
        suffix = "com" if name == "more" else "exe"
        host.install(f"{SYSTEM32}\\{name}.{suffix}", tool)
