# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Old hosts whose answers are bent while the engines work on them, commands and all.

Every command line that an engine sends is read as cmd.exe would: nothing that a host tells of its
folders, files and identifiers may become a command.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import family
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import Completed
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    delivery_test as run_delivery_test,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    exchange_info as run_exchange_info,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import imc_delivery
from ansible_collections.postmaster.exchange.plugins.module_utils._run import options as specs
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    queue_info as run_queue_info,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.delivery_test import Clock
from delivery_fakes import ROOT, TRACKING, DirectSession, tracking_record
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.services import Service
from fuzz_cmd_oracle import only_ours
from fuzz_commands import ESCAPES
from fuzz_registry import calmly, target
from fuzz_reports import diagnosed, reported
from fuzz_texts import HEAD, SMTP_LOG
from fuzz_values import NASTY
from hypothesis import strategies as st
from imc_fake_host import FakeHost, table

_NOW = datetime(2026, 11, 23, 11, 45, 7, tzinfo=UTC)
Bend = Callable[[bytes], bytes]


class BentSession:
    """A session whose n-th answer is bent; it reads every line before it is run."""

    def __init__(self, inner: Any, bends: dict[int, Bend]) -> None:
        self.inner = inner
        self.bends = bends
        self.runs = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def run(
        self, command: str, *, timeout: float = 60.0, max_output: int = 16_000_000
    ) -> Completed:
        only_ours(command)
        done: Completed = self.inner.run(command, timeout=timeout, max_output=max_output)
        self.runs += 1
        bend = self.bends.get(self.runs - 1)
        if bend is None:
            return done
        stdout = bend(done.stdout)
        cut = len(stdout) > max_output
        return Completed(-1 if cut else done.exit_code, stdout[:max_output], done.stderr, cut)


# -- how an answer is bent: what stands between the marks, mostly


def _edited(at: float, length: int, piece: bytes) -> Bend:
    def bend(answer: bytes) -> bytes:
        start = int(at * len(answer))
        return answer[:start] + piece + answer[start + length :]

    return bend


def _replaced(word: bytes, piece: bytes) -> Bend:
    return lambda answer: answer.replace(word, piece)


_WORDS = [
    b"C:\\exchsrvr\\imcdata",
    b"C:\\exchsrvr\\tracking.log",
    b"REG_SZ",
    b"REG_DWORD",
    b"0x",
    b"    ",
    b"\r\n",
    b"20261123.log",
    b"L0000001.LOG",
    b"MSG1",
    b"rc 0",
    b"rc 1",
    b"size=",
    b"delivery-test-",
    b"hq.example",
    b"DeliveryRouting",
    b";",
    b"STATE",
    b": 4",
    b"yes",
]
_PIECES = [
    *NASTY,
    *(text.encode("utf-8", "surrogatepass") for text in ESCAPES),
    b"\\\\evil\\share\\x",
    b'C:\\x" & calc & "',
    b"rc 9009",
    b"99999999999999999999",
    b"size=" + b"9" * 5000,
]
_BENDS = st.one_of(
    st.builds(
        _edited,
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 30),
        st.sampled_from(_PIECES) | st.binary(max_size=12),
    ),
    st.builds(_replaced, st.sampled_from(_WORDS), st.sampled_from(_PIECES)),
)
_PLANS = st.dictionaries(st.integers(0, 6), _BENDS, min_size=1, max_size=2)
_EACH = [{at: _replaced(word, piece)} for at in (0, 1, 2) for word in _WORDS for piece in _PIECES]

#: Bends that every run tries: numbers beyond all bounds where a number is read.
_SURE = [
    {at: _replaced(word, word + b"9" * 5000)}
    for at in (0, 1, 2)
    for word in (b"size=", b"0x", b"rc ", b": ", b"Version=")
]

# -- reading engines on a host that holds a queue and logs


@cache
def _machine() -> LabHost:
    folder = tempfile.mkdtemp(prefix="fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    host = LabHost("MAIL55", Path(folder), time_scale=0.001)
    services = r"HKLM\SYSTEM\CurrentControlSet\Services"
    for key, name, kind, data in (
        (rf"{services}\MSExchangeIMC\Parameters", "RootDir", "REG_SZ", ROOT),
        (rf"{services}\MSExchangeIMC", "Start", "REG_DWORD", 2),
        (rf"{services}\MSExchangeSA\Parameters", "LogDirectory", "REG_SZ", TRACKING),
        (rf"{services}\Tcpip\Parameters", "Domain", "REG_SZ", "hq.example"),
        (rf"{services}\Tcpip\Parameters", "SearchList", "REG_SZ", "hq.example,example"),
        (r"HKLM\SOFTWARE\Microsoft\Exchange\Setup", "NewestBuild", "REG_DWORD", 2653),
        (r"HKLM\SOFTWARE\Microsoft\Exchange\Setup", "Services", "REG_SZ", r"C:\exchsrvr"),
    ):
        host.registry.set(key, name, kind, data)
    host.services.add(Service("MSExchangeIMC", state=4, display_name="IMC"))
    for name in ("Out", "Log", "Pickup"):
        host.fs.mkdir(f"{ROOT}\\{name}")
    host.fs.mkdir(TRACKING)
    host.fs.write_bytes(f"{ROOT}\\Out\\MSG1", HEAD)
    host.fs.write_bytes(f"{ROOT}\\Log\\L0000001.LOG", SMTP_LOG)
    record = tracking_record(1007, ("SMTP:a@nestle.com", "1"), remote_id="<x@hq.example>")
    host.fs.write_bytes(f"{TRACKING}\\20261123.log", record)
    return host


def _params(spec: dict[str, Any], **given: Any) -> dict[str, Any]:
    checked = ArgumentSpecValidator(spec).validate(given)
    assert not checked.error_messages, checked.error_messages
    return dict(checked.validated_parameters)


def _context(session: Any, **more: Any) -> Context:
    return Context(host="mail55", session=session, address="127.0.0.1", now=lambda: _NOW, **more)


@target(
    "old host bent under exchange_info and queue_info",
    "commands",
    _PLANS,
    examples=40,
    each=_EACH[::23] + _SURE,
)
def _look(bends: dict[int, Bend]) -> None:
    session = BentSession(DirectSession(_machine()), bends)
    params = _params(specs.EXCHANGE_INFO_SPEC, family="imc")
    info = calmly(run_exchange_info.run, params, _context(session))
    session.runs = 0
    queue = calmly(run_queue_info.run, _params(specs.QUEUE_INFO_SPEC), _context(session))
    diagnosed("mail55", info, queue)


_UNCHANGED = {
    "registry": {"before": None, "after": None},
    "routes": {"before": [], "after": []},
    "service": {"state": "running"},
    "restarted": False,
    "restart_required": False,
    "worksheet": [],
}


@target(
    "old host bent under delivery_test", "commands", _PLANS, examples=20, each=_EACH[::61] + _SURE
)
def _test(bends: dict[int, Bend]) -> None:
    session = BentSession(DirectSession(_machine()), bends)
    slept = 0.0

    def sleep(seconds: float) -> None:
        nonlocal slept
        slept += seconds

    clock = Clock(monotonic=lambda: slept, sleep=sleep)
    params = _params(
        specs.DELIVERY_TEST_SPEC,
        domains=["nestle.com"],
        method="pickup",
        sender="postmaster@hq.example",
        deadline=4,
        interval=1,
    )
    tested = calmly(run_delivery_test.run_by, clock, params, _context(session))
    reported("mail55", "imc", _UNCHANGED, tested)


# -- the transaction


@contextlib.contextmanager
def _hurry(host: FakeHost, folder: str) -> Iterator[None]:
    """Let the transaction's clock be the host's, and no disk wait for its platter."""
    before = family.monotonic, os.fsync, os.environ.get("XDG_CACHE_HOME")
    family.monotonic, os.fsync = host.tick, lambda _handle: None
    os.environ["XDG_CACHE_HOME"] = folder
    try:
        yield
    finally:
        family.monotonic, os.fsync = before[:2]
        if before[2] is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = before[2]


@target(
    "old host bent under imc_delivery", "commands", _PLANS, examples=40, each=_EACH[::19] + _SURE
)
def _transaction(bends: dict[int, Bend]) -> None:
    host = FakeHost(routes=table("aol.com;192.0.2.9;0"))
    session = BentSession(host, bends)
    params = _params(
        imc_delivery.ARGUMENT_SPEC,
        resolver_search_list="disabled",
        routes=[{"domain": "nestle.com", "addresses": ["192.0.2.25"]}],
    )
    with tempfile.TemporaryDirectory() as folder, _hurry(host, folder):
        enforced = calmly(imc_delivery.run, params, _context(session, basedir=Path(folder)))
    reported("mail55", "imc", enforced)
    # What is another's survives whatever a host tells.
    assert "aol.com;192.0.2.9;0" in host.rows
