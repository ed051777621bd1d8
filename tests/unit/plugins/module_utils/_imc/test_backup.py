# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup is read back as text that anybody may have written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import backup
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.backup import (
    HostBackup,
    Identity,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.family import MailConnector
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import (
    VALUE_NAME,
    Service,
    ServiceState,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.layout import Layout
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.plan import Policy, Saved
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.routes import RoutesFile
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.state import HostState
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.parse import RegistryValue
from ansible_collections.postmaster.exchange.plugins.module_utils._run import backups, transaction
from imc_fake_host import FakeHost, table

KEY = r"HKLM\SYSTEM\X\Parameters"
ORIGIN = Identity("MAIL5-A", KEY, 2653, "/o=HQ/ou=Main")
VALUE = RegistryValue(VALUE_NAME.lower(), "REG_DWORD", "0x2")
STATE = HostState(service=Service(ServiceState.RUNNING, 2), value=VALUE, build=2653)
STATE = replace(STATE, computer="mail5-a", organisation="/o=hq/ou=main")
ROUTES = table("a.example;192.0.2.1;0", "caf\xe9;relay;9")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path, STATE, ROUTES)


def write(base: Path, state: HostState, routes: bytes | None) -> Path:
    """Write a backup as a run does."""
    moment = datetime(2026, 11, 23, 11, 45, tzinfo=UTC)
    made = backups.make_folder(base, "mail5-a", moment)
    snapshot = backup.snapshot(ORIGIN, state, HostBackup(r"C:\x", b"", routes))
    facts = backups.Origin(owner="mail5-a", host="mail5-a").facts(moment)
    backups.write(made, "mail5-a", {**snapshot.facts, **facts}, snapshot.files)
    return made.path


def load(folder: Path, state: HostState = STATE, *, force: bool = False) -> Saved:
    layout = Layout(registry_key=KEY)
    family = MailConnector(FakeHost(), "mail5-a", layout, policy=Policy(force=force))
    return transaction.load(family, folder, state, "mail5-a")


def test_it_comes_back_as_it_was(folder: Path) -> None:
    saved = load(folder)
    assert saved.value == VALUE
    assert saved.routes == RoutesFile.parse(ROUTES)


def test_what_it_tells(folder: Path) -> None:
    known = json.loads((folder / "backup.json").read_text())
    assert known["taken"] == "2026-11-23T11:45:00+00:00"
    assert known["service"]["state"] == "running"
    assert known["exchange_build"] == 2653
    assert known["host_folder"] == r"C:\x"


def test_the_version_is_that_of_the_collection() -> None:
    root = Path(__file__).resolve().parents[5]
    galaxy = yaml.safe_load((root / "galaxy.yml").read_text())
    assert f"{galaxy['namespace']}.{galaxy['name']} {galaxy['version']}" == backups.COLLECTION


def _change(**fields: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "backup.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return change


def _text(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "backup.json").write_text(text) and None


def _routes(content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / "routes.txt").write_bytes(content) and None


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_text("{"), "Expecting"),
        (_text("[]"), "not of the format"),
        (_text("[" * 60000), "cannot be used"),
        (_text('{"format": 1}' + " " * backups.MOST_BYTES), "longer than"),
        (_change(format=2), "not of the format"),
        (_change(computer="mail5-b"), "its computer is 'mail5-b', but this host's is 'mail5-a'"),
        (_change(computer=7), "its computer is 7"),
        (_change(computer=None), "its computer is None"),
        (_change(exchange_build=1458), "its Exchange build is 1458, but this host's is 2653"),
        (_change(organisation="/o=X/ou=Main"), "its organisation is '/o=X/ou=Main'"),
        (_change(registry_key=r"HKLM\SOFTWARE"), "registry_key"),
        (_change(value=[]), "cannot be restored exactly"),
        (_change(value={"name": "RootDir", "type": "REG_SZ", "data": "x"}), "be restored"),
        (
            _change(value={"name": VALUE_NAME, "type": "REG_SZ", "data": "x & y"}),
            "be restored",
        ),
        (_change(value={"name": VALUE_NAME, "type": "REG_DWORD", "data": 1}), "be restored"),
        (_change(routes_sha256="0" * 64), "SHA-256"),
        (_change(routes_sha256=5), "SHA-256"),
        (_routes(ROUTES + b"x"), "SHA-256"),
        (lambda folder: (folder / "routes.txt").unlink(), "No such file"),
        (lambda folder: (folder / "backup.json").unlink(), "No such file"),
    ],
)
def test_what_is_refused(folder: Path, spoil: Callable[[Path], None], reason: str) -> None:
    spoil(folder)
    with pytest.raises(ExchangeError, match=reason) as caught:
        load(folder)
    assert str(folder) in caught.value.message


def test_a_routes_file_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, STATE, b"[Header]\r\n")
    with pytest.raises(ExchangeError, match=r"routes.txt is not a routes file"):
        load(folder)


def test_a_backup_without_value_and_table(tmp_path: Path) -> None:
    state = HostState(service=STATE.service, value=None)
    saved = load(write(tmp_path, state, None))
    assert (saved.value, saved.routes) == (None, None)


def test_by_force_another_computer_gets_it(folder: Path) -> None:
    other = replace(STATE, computer="MAIL50", build=1458)
    with pytest.raises(
        ExchangeError, match="its computer is 'MAIL5-A', but this host's is 'MAIL50'"
    ):
        load(folder, other)
    assert load(folder, other, force=True).value == VALUE


def test_what_is_not_known_of_a_computer_does_not_count(folder: Path) -> None:
    assert load(folder, replace(STATE, build=None, organisation="")).value == VALUE
