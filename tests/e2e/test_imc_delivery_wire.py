# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""imc_delivery over a real WinRM session that breaks at every command of the transaction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils.imc.module import run
from ansible_collections.postmaster.exchange.plugins.module_utils.imc.spec import ARGUMENT_SPEC
from ansible_collections.postmaster.exchange.plugins.module_utils.remote.options import from_params
from ansible_collections.postmaster.exchange.plugins.module_utils.remote.winrs import connect
from exchange_lab.lab import Lab, Machine
from exchange_lab.mail.imc import SERVICE
from exchange_lab.mail.imc_config import PARAMETERS_KEY
from exchange_lab.scenario import SIMPLE_HOST, simple
from exchange_lab.windows.services import RUNNING

pytestmark = pytest.mark.e2e

FOREIGN = ("PARTNER.CORP;10.1.2.3;0", "ODD.EXAMPLE;relay.odd.example;7")
ROWS = ("nestle.com;192.0.2.25;0", "nestle.com;192.0.2.26;0")
SWITCH = "DisableResolverSearchList"
OPTIONS: dict[str, Any] = {
    "resolver_search_list": "disabled",
    "routes": [{"domain": "nestle.com", "addresses": ["192.0.2.25", "192.0.2.26"]}],
    "command_timeout": 10,
}


class Wire:
    """One lab host, reset to its untreated state at will, and a task run on it in this process."""

    def __init__(self, lab: Lab, base: Path) -> None:
        (self.machine,) = lab.machines.values()
        self.lab = lab
        self._base = base
        self._saved = self.machine.imc.connector.save()

    def untreat(self) -> None:
        """Make the host what it was before the first run."""
        self.machine.imc.connector.restore(self._saved)
        if self._switch() is not None:
            self.machine.host.registry.delete(PARAMETERS_KEY, SWITCH)
        self.machine.restart()
        self.machine.winrm.traffic.reset()

    def run(self) -> dict[str, Any]:
        """Run the task over a session of its own."""
        scenario = self.lab.scenario
        options = from_params(
            {
                "host": "127.0.0.1",
                "port": self.machine.winrm.port,
                "scheme": "http",
                "transport": "ntlm",
                "user": scenario.user,
                "password": scenario.password,
                "connect_timeout": 5,
            }
        )
        checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate(OPTIONS)
        session = connect(options, host="mail55")
        try:
            context = Context(host="mail55", session=session, basedir=self._base)
            return run(checked.validated_parameters, context)
        finally:
            session.close()

    def _switch(self) -> object:
        return self.machine.host.registry.get(PARAMETERS_KEY, SWITCH)

    @property
    def is_old(self) -> bool:
        """Whether the settings are those of before."""
        return self._switch() is None and self.machine.imc.connector.save() == self._saved

    @property
    def is_new(self) -> bool:
        """Whether the settings are those wanted."""
        return self._switch() is not None and self.machine.imc.connector.rows == (*FOREIGN, *ROWS)

    @property
    def runs(self) -> bool:
        """Whether the service runs."""
        return self.machine.host.services.get(SERVICE).state == RUNNING

    def litter(self) -> list[str]:
        """What a transaction should not leave."""
        paths = self.machine.host.fs.root.rglob("*")
        return [path.name for path in paths if path.name.startswith(("pmx-", "at-work"))]


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    host = dataclasses.replace(SIMPLE_HOST, rows=FOREIGN)
    with Lab(dataclasses.replace(simple(host), time_scale=0.02), folder=tmp_path / "lab") as lab:
        yield Wire(lab, tmp_path)


def _commands(machine: Machine) -> int:
    return machine.winrm.traffic.actions.count("Command")


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("reset", "Command"),
        ("reset_after", "Command"),
        ("reset_after", "Receive"),
        ("drop_after", "Receive"),
        ("truncated", "Receive"),
        ("garbage", "Command"),
        ("http500", "Receive"),
    ],
)
def test_a_session_that_breaks_at_every_command(kind: str, action: str, wire: Wire) -> None:
    wire.untreat()
    wire.run()
    number_of_commands = _commands(wire.machine)
    assert number_of_commands >= 9
    failures = 0
    for number in range(1, number_of_commands + 1):
        wire.untreat()
        wire.machine.winrm.faults.at(f"{action}#{number}", kind)
        try:
            wire.run()
        except ExchangeError as error:
            failures += 1
            _check(error, wire)
        else:
            assert wire.is_new
        wire.machine.winrm.faults.clear()
        assert wire.runs
        assert [row for row in wire.machine.imc.connector.rows if row in FOREIGN] == [*FOREIGN]
        wire.run()
        assert wire.is_new
        assert wire.runs
        assert not wire.run()["changed"]
        assert wire.litter() == []
    assert failures > number_of_commands // 2
    assert wire.lab.winrm.open_shells <= 1


@pytest.mark.parametrize("command", [1, 5, 7])
def test_a_host_that_stops_answering(
    command: int, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own deadline ends the wait: before anything changed, at the table, at the service."""
    monkeypatch.setitem(OPTIONS, "command_timeout", 2)
    wire.untreat()
    wire.machine.winrm.faults.at(f"Receive#{command}", "hang_after")
    began = monotonic()
    with pytest.raises(ExchangeError) as caught:
        wire.run()
    assert monotonic() - began < 40
    _check(caught.value, wire)
    wire.machine.winrm.faults.clear()
    wire.run()
    assert wire.is_new
    assert wire.runs
    assert wire.litter() == []


def _check(error: ExchangeError, wire: Wire) -> None:
    """What an error says has to be true."""
    if "othing was changed." in error.message or error.details.get("state") == "old":
        assert wire.is_old, error
    elif error.details["state"] == "new":
        assert wire.is_new, error
    else:
        assert "by hand" in error.hint
