# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that do not fit together, or would be dangerous on a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.spec import parse_options
from ansible_collections.postmaster.exchange.plugins.module_utils._run.transaction import (
    parse_policy,
)
from imc_runs import DONE, NESTLE, params

BASE = Path("/srv/play")


def test_defaults() -> None:
    options = parse_options(params(**DONE))
    assert parse_policy(params(**DONE), BASE).backup_dir == BASE / "backups"
    assert options.policy.may_restart
    assert options.policy.max_routes == 100
    assert (options.timeouts.command, options.timeouts.service) == (120, 900)
    assert not options.desired.removes_missing


def test_paths_count_from_the_playbook_unless_absolute() -> None:
    options = parse_policy(params(backup_dir="kept", **DONE), BASE)
    assert options.backup_dir == BASE / "kept"
    options = parse_policy(params(backup_dir="/var/kept", **DONE), BASE)
    assert options.backup_dir == Path("/var/kept")
    assert parse_policy(params(state="restored", backup="b/x"), BASE).backup == BASE / "b/x"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "Nothing to do"),
        ({"resolver_search_list": "disabled", "state": "exact"}, "state: exact needs"),
        ({"resolver_search_list": "disabled", "state": "absent"}, "state: absent needs"),
        ({"state": "restored"}, "needs the option backup"),
        ({"state": "restored", "backup": "x", "routes": [NESTLE]}, "Do not set routes or"),
        (
            {"state": "restored", "backup": "x", "resolver_search_list": "enabled"},
            "Do not set routes or",
        ),
        ({**DONE, "backup": "x"}, "for state: restored only"),
        ({**DONE, "backup_dir": "a\0b"}, "backup_dir is not a path"),
        ({"state": "restored", "backup": "\0"}, "backup is not a path"),
        ({**DONE, "service_timeout": 0}, "service_timeout must be 1"),
        ({**DONE, "command_timeout": -1}, "command_timeout must be 1"),
        ({**DONE, "imccopy": 'C:\\x" & del'}, "not usable as a Windows path"),
        ({**DONE, "imccopy": "imccopy.exe"}, "must be absolute"),
        ({**DONE, "host_backup_dir": r"C:\%TEMP%"}, "not usable as a Windows path"),
        ({**DONE, "registry_key": r"HKLM\SYSTEM\x & del"}, "not usable as a registry key"),
        ({**DONE, "target_computer": "MAIL & del"}, "not usable as a computer name"),
        ({**DONE, "target_imccopy": "x"}, "needs target_computer"),
        ({**DONE, "target_computer": "A", "imccopy": r"C:\x.exe"}, "target_imccopy"),
        ({**DONE, "target_computer": "A", "target_directory": r"C:\a b"}, "without spaces"),
        ({**DONE, "target_computer": "A", "target_directory": r"\\B\c$"}, "without spaces"),
        ({**DONE, "target_computer": "A", "target_imccopy": "x & y"}, "not usable as a command"),
        ({**DONE, "target_computer": "A", "target_imccopy": 'x "y"'}, "not usable as a command"),
        ({**DONE, "target_computer": "A", "target_imccopy": "%COMSPEC%"}, "not usable"),
        (
            {**DONE, "target_computer": "A", "target_imccopy": "x {arguments} {arguments}"},
            "not usable as a command",
        ),
    ],
)
def test_what_is_refused(options: dict[str, Any], reason: str) -> None:
    given = params(**options)
    with pytest.raises(InvalidInput, match=reason):
        (parse_options(given), parse_policy(given, BASE))
