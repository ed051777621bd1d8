# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one task hands to the next about a host: it arrives as it was, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import ServiceState
from ansible_collections.postmaster.exchange.plugins.module_utils._run.installation import (
    INSTALLATION_SPEC,
    NOTHING,
    Installation,
    parse_installation,
    usable,
)

WHOLE = Installation(
    service=ServiceState.START_PENDING,
    build=2653,
    root_dir=r"C:\exchsrvr\imcdata",
    tracking_folder=r"\\FILES\logs\tracking.log",
    pickup=False,
    domain="hq.example",
    version="SE",
    server="EX19-A",
    servers=("EX19-A", "exse-b"),
)


def checked(**given: Any) -> Installation:
    """What a task makes of the option."""
    validated = ArgumentSpecValidator(INSTALLATION_SPEC).validate({"installation": given})
    assert not validated.error_messages, validated.error_messages
    return parse_installation(validated.validated_parameters)


@pytest.mark.parametrize("known", [WHOLE, NOTHING, Installation(pickup=True, build=0)])
def test_what_is_handed_on_arrives(known: Installation) -> None:
    assert checked(**known.as_dict()) == known


def test_what_is_not_known_is_not_in_it() -> None:
    assert NOTHING.as_dict() == {}
    assert Installation(service=ServiceState.RUNNING).as_dict() == {"service": "running"}
    assert parse_installation({}) == parse_installation({"installation": None}) == NOTHING
    assert checked(root_dir=None, build=None, servers=None) == NOTHING


@pytest.mark.parametrize("name", ["root_dir", "tracking_folder"])
@pytest.mark.parametrize(
    "text",
    [
        r"C:\exchsrvr & del C:\boot.ini",
        r'C:\exchsrvr" & del "C:\boot.ini',
        r"C:\%TEMP%\imcdata",
        "C:\\exchsrvr\ndel",
        r"C:\exchsrvr\^imcdata",
        r"exchsrvr\imcdata",
        r"C:\exchsrvr\CON",
        "C:\\exchsrvr\\imcd\N{FULLWIDTH QUOTATION MARK}ata",
        "C:\\" + "x" * 300,
    ],
)
def test_a_folder_that_no_command_line_may_carry_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidInput, match=f"installation.{name}: "):
        checked(**{name: text})
    assert usable(text) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("domain", "hq.example>evil"),
        ("domain", "hq example"),
        ("domain", "hq.example\r\nBcc: all@hq.example"),
        ("server", "EX19\\31"),
        ("servers", ["EX19", "EX*"]),
        ("servers", ["EX19", ""]),
    ],
)
def test_names_that_are_none_are_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=f"installation.{name}: "):
        checked(**{name: value})


@pytest.mark.parametrize(
    "given",
    [{"service": "broken"}, {"version": "5.5"}, {"build": "new"}, {"root": r"C:\exchsrvr"}],
)
def test_what_the_option_does_not_have_is_refused(given: dict[str, str]) -> None:
    assert ArgumentSpecValidator(INSTALLATION_SPEC).validate({"installation": given}).error_messages
