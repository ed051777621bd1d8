# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run imc_delivery on a host in memory, as a task would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import family
from ansible_collections.postmaster.exchange.plugins.module_utils._run.imc_delivery import (
    ARGUMENT_SPEC,
    run,
)
from imc_fake_host import FakeHost

NESTLE = {"domain": "nestle.com", "addresses": ["192.0.2.25", "192.0.2.26"]}
DONE = {"resolver_search_list": "disabled", "routes": [NESTLE]}
DONE_ROWS = ["nestle.com;192.0.2.25;0", "nestle.com;192.0.2.26;0"]


def params(**options: Any) -> dict[str, Any]:
    """Return the options of a task with all defaults, as Ansible hands them over."""
    checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate(options)
    assert not checked.error_messages
    return dict(checked.validated_parameters)


class Runner:
    """Runs tasks on hosts; backups go to ``base``."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base = base
        self._monkeypatch = monkeypatch
        self._time = datetime(2026, 11, 23, 11, 45, tzinfo=UTC)
        # A disk that really writes takes most of the time of these tests.
        monkeypatch.setattr("os.fsync", lambda _handle: None)
        monkeypatch.setenv("XDG_CACHE_HOME", str(base / "cache"))

    def __call__(self, host: FakeHost, *, check: bool = False, **options: Any) -> dict[str, Any]:
        self._monkeypatch.setattr(family, "monotonic", host.tick)
        context = Context(
            host=host.host,
            session=host,
            check_mode=check,
            diff=True,
            basedir=self.base,
            now=self._now,
        )
        return run(params(**{"service_timeout": 60, **options}), context)

    def _now(self) -> datetime:
        """A clock that never stands still: thousands of runs fit into a second of a real one."""
        self._time += timedelta(seconds=1)
        return self._time

    def fail(self, host: FakeHost, **options: Any) -> ExchangeError:
        """Run a task that has to fail; return why it did."""
        with pytest.raises(ExchangeError) as caught:
            self(host, **options)
        return caught.value

    def backups(self) -> list[Path]:
        """All backups on the controller."""
        return sorted(self.base.glob("backups/*/*/backup.json"))
