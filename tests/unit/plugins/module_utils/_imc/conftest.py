# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts for the tests of this folder, and runs of the real modules' engines on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._run.backup_info import (
    ARGUMENT_SPEC,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.backup_info import (
    run as engine,
)
from imc_fake_host import FakeHost
from imc_runs import Runner

List = Callable[..., dict[str, Any]]


@pytest.fixture
def backups(tmp_path: Path) -> List:
    """Runs backup_info on a host in memory: ``backups(host, diff=True, limit=1)``."""

    def found(host: FakeHost, *, diff: bool = False, **options: Any) -> dict[str, Any]:
        checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate({"family": "imc", **options})
        assert not checked.error_messages
        context = Context(host=host.host, session=host, diff=diff, basedir=tmp_path)
        return engine(checked.validated_parameters, context)

    return found


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs imc_delivery on hosts in memory."""
    return Runner(tmp_path, monkeypatch)
