# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""imc_delivery on a host whose command lines Wine runs: by ansible-playbook, and in this process.

What of it Wine does not judge, since Wine 8 lacks it, is told in ``wine_computer``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.options import from_params
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.winrs import connect
from ansible_collections.postmaster.exchange.plugins.module_utils._run.imc_delivery import (
    ARGUMENT_SPEC,
    run,
)
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.mail.imc import BAD_ROUTE, SERVICE
from exchange_lab.mail.imc_config import PARAMETERS_KEY, SETUP_KEY
from exchange_lab.mail.imccopy import ImccopyFaults
from exchange_lab.scenario import SIMPLE_HOST, simple
from exchange_lab.windows import wine
from exchange_lab.windows.process import Streams
from exchange_lab.windows.registry import Value
from exchange_lab.windows.services import RUNNING, ServiceStartError
from exchange_lab.windows.wine_computer import WineComputer

_running = wine.running()
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.peers,
    pytest.mark.skipif(not _running, reason=f"{wine.VARIABLE} names no Wine prefix"),
]

SERVICE_KEY = PARAMETERS_KEY.rpartition("\\")[0]
BACKUPS = r"C:\ProgramData\postmaster.exchange"
SWITCH = "DisableResolverSearchList"
FOREIGN = ("PARTNER.CORP;10.1.2.3;0", "ODD.EXAMPLE;relay.odd.example;7")
ROWS = ("nestle.com;192.0.2.25;0", "nestle.com;192.0.2.26;0")
NESTLE = {"domain": "nestle.com", "addresses": ["192.0.2.25", "192.0.2.26"]}
WANTED = {"resolver_search_list": "disabled", "routes": [NESTLE]}
BACKUP = ["parameters.reg", "routes.txt"]


class Site:
    """A host that Wine runs, and an administrator who manages it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        assert _running
        self._wine, self._lab, self._base = _running, lab, folder
        (self.machine,) = lab.machines.values()
        self._wine.type_in([f"rd /s /q {BACKUPS}"])
        keys, imccopy = (SERVICE_KEY, SETUP_KEY), self.machine.imccopy
        self.computer = WineComputer(self._wine, self.machine.host, folder, keys, imccopy)
        self.machine.winrm.shells.runner = self.computer.run
        self._before = set(self._files())

    def task(self, options: dict[str, Any]) -> dict[str, Any]:
        """Run the task over a WinRM session of its own, in this process; raises ExchangeError."""
        scenario = self._lab.scenario
        reach = {"host": "127.0.0.1", "port": self.machine.winrm.port, "scheme": "http"}
        login = {"transport": "ntlm", "user": scenario.user, "password": scenario.password}
        checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate(options)
        assert not checked.error_messages
        session = connect(from_params({**reach, **login, "connect_timeout": 5}), host="mail55")
        try:
            context = Context(host="mail55", session=session, basedir=self._base)
            return run(checked.validated_parameters, context)
        finally:
            session.close()

    def by_hand(self, line: str) -> str:
        """Type a line at the host; return what it prints."""
        printed = bytearray()
        streams = Streams(printed.extend, printed.extend)
        assert self.computer.run(line, self.machine.host.open_shell(), streams) == 0, printed
        return printed.decode()

    @property
    def rows(self) -> tuple[str, ...]:
        """The delivery routes."""
        return self.machine.imc.connector.rows

    @property
    def switch(self) -> list[Value]:
        """The registry value, as Wine has stored it."""
        values = self.computer.values(PARAMETERS_KEY)
        return [value for value in values if value.name.lower() == SWITCH.lower()]

    @property
    def settings(self) -> tuple[object, ...]:
        """Registry, table, and whether the service runs."""
        values = self.computer.values(PARAMETERS_KEY)
        return values, self.machine.imc.connector.save(), self.runs

    @property
    def runs(self) -> bool:
        """Whether the service runs."""
        return self.machine.host.services.get(SERVICE).state == RUNNING

    def left(self) -> list[str]:
        """The names of the files that came into the folders a task uses."""
        return sorted(path.name for path in self._files() if path not in self._before)

    def _files(self) -> Iterator[Path]:
        temporary = self._wine.unix(self.by_hand("echo %TEMP%").strip())
        for place in (self._wine.unix(BACKUPS), temporary):
            yield from (path for path in place.rglob("*") if path.is_file())


@pytest.fixture
def lab(tmp_path: Path, controller: Controller) -> Iterator[Lab]:
    host = dataclasses.replace(SIMPLE_HOST, rows=FOREIGN)
    with Lab(simple(host), folder=tmp_path / "lab") as running:
        running.write_inventory(controller.inventory)
        yield running


@pytest.fixture
def site(tmp_path: Path, lab: Lab) -> Site:
    return Site(lab, tmp_path)


def test_by_ansible_enforced_and_then_in_the_desired_state(
    site: Site, play: Callable[..., tuple[Any, dict[str, Any]]]
) -> None:
    def pin(*flags: str) -> dict[str, Any]:
        task = ("pin", {"postmaster.exchange.imc_delivery": WANTED})
        done, results = play("mail55", task, options=flags)
        assert results, done.output
        return dict(results["pin"])

    before = site.settings
    foretold = pin("--check", "--diff")
    assert foretold["changed"], foretold
    assert (site.settings, site.left()) == (before, [])
    result = pin("--diff")
    assert (result["changed"], result["diff"]) == (True, foretold["diff"]), result
    assert site.switch == [Value(SWITCH, "REG_DWORD", 1)]
    assert site.rows == (*FOREIGN, *ROWS)
    assert site.runs
    assert site.machine.host.services.get(SERVICE).starts == 2
    assert site.left() == BACKUP
    settings = site.settings
    again = pin()
    assert (again["changed"], again.get("failed", False)) == (False, False)
    assert site.settings == settings
    assert site.machine.host.services.get(SERVICE).starts == 2


def test_drift_is_repaired_and_the_backup_put_back(site: Site) -> None:
    before = site.settings
    backup = site.task(WANTED)["backup"]
    enforced = site.settings
    export = (Path(backup) / "parameters.reg").read_text("utf-16")
    assert f"[{SERVICE_KEY.replace('HKLM', 'HKEY_LOCAL_MACHINE')}\\Parameters]\r\n" in (
        export.replace("\n", "\r\n")
    )
    # Somebody else spells the value so that it does not count, and takes a row away.
    key = f'"{PARAMETERS_KEY}"'
    site.by_hand(f"reg delete {key} /v {SWITCH} /f")
    site.by_hand(f"reg add {key} /v {SWITCH.lower()} /t REG_DWORD /d 1 /f")
    site.by_hand(r'imccopy -save routes "C:\hand.txt"')
    file = site.computer.files.resolve(r"C:\hand.txt")
    file.write_bytes(file.read_bytes().replace(b"+nestle.com;192.0.2.26;0\r\n", b""))
    site.by_hand(r'imccopy -restore routes "C:\hand.txt"&del "C:\hand.txt"')
    assert (site.switch[0].name, site.rows) == (SWITCH.lower(), (*FOREIGN, ROWS[0]))
    assert site.task(WANTED)["changed"]
    assert site.switch == [Value(SWITCH, "REG_DWORD", 1)]
    assert site.rows == (*FOREIGN, *ROWS)
    assert site.runs
    assert not site.task(WANTED)["changed"]
    # Back to what was before the first run.
    restored = site.task({"state": "restored", "backup": backup})
    assert restored["restored_from"] == backup
    assert site.settings == before != enforced
    assert not site.task({"state": "restored", "backup": backup})["changed"]
    assert set(site.left()) == set(BACKUP)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"fail_restore": True}, "imccopy did not write the route table"),
        ({"deaf": True}, "reads back different"),
        ({"corrupt": True}, "not the documented routes file"),
    ],
)
def test_imccopy_that_fails_leaves_the_host_as_it_was(
    fault: dict[str, bool], said: str, site: Site
) -> None:
    before = site.settings
    site.machine.imccopy.faults = ImccopyFaults(**fault)
    with pytest.raises(ExchangeError, match=said) as caught:
        site.task(WANTED)
    assert caught.value.details.get("state", "old") == "old"
    assert site.settings == before
    assert set(site.left()) <= set(BACKUP)


def test_a_service_that_does_not_start_has_all_put_back(site: Site) -> None:
    before, service = site.settings, site.machine.host.services.get(SERVICE)
    start = service.on_start
    seen: list[object] = []

    def refuse() -> None:
        if any("192.0.2.26" in row for row in site.rows):
            seen.append(site.machine.host.registry.get(PARAMETERS_KEY, SWITCH))
            raise ServiceStartError(BAD_ROUTE)
        start()

    service.on_start = refuse
    with pytest.raises(ExchangeError, match="4056") as caught:
        site.task(WANTED)
    assert caught.value.details["rolled_back"] is True
    assert seen == [Value(SWITCH, "REG_DWORD", 1)]  # what Wine had when the service read it
    assert site.settings == before
    assert site.runs
    assert site.left() == BACKUP
    service.on_start = start
    assert site.task(WANTED)["changed"]
    assert (site.switch, site.rows) == (seen, (*FOREIGN, *ROWS))
