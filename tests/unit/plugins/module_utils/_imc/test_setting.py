# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry value: its spelling, its type, and the way back."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import VALUE_NAME
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.setting import (
    DISABLED,
    SearchList,
    SettingPlan,
    can_be_added,
    plan_setting,
    same_value,
    shown,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.parse import RegistryValue

WRONG_SPELLING = RegistryValue("disableresolversearchlist", "REG_DWORD", "0x1")
WRONG_TYPE = RegistryValue(VALUE_NAME, "REG_SZ", "1")
ZERO = RegistryValue(VALUE_NAME, "REG_DWORD", "0x0")
TWO = RegistryValue(VALUE_NAME, "REG_DWORD", "0x2")


@pytest.mark.parametrize("before", [None, WRONG_SPELLING, WRONG_TYPE, ZERO, TWO, DISABLED])
def test_unmanaged_is_left_alone(before: RegistryValue | None) -> None:
    assert not plan_setting(before, SearchList.UNMANAGED).changed


@pytest.mark.parametrize(
    ("before", "deleted"),
    [(None, ""), (WRONG_SPELLING, WRONG_SPELLING.name), (WRONG_TYPE, VALUE_NAME), (ZERO, "")],
)
def test_disabling_deletes_first_what_cannot_be_overwritten(
    before: RegistryValue | None, deleted: str
) -> None:
    plan = plan_setting(before, SearchList.DISABLED)
    assert plan.changed
    assert plan.delete == deleted
    assert plan.add == DISABLED


@pytest.mark.parametrize("before", [DISABLED, TWO, RegistryValue(VALUE_NAME, "REG_DWORD", "0X1")])
def test_any_number_but_zero_is_good_enough(before: RegistryValue) -> None:
    plan = plan_setting(before, SearchList.DISABLED)
    assert not plan.changed
    assert (plan.delete, plan.add) == ("", None)


@pytest.mark.parametrize("before", [WRONG_SPELLING, WRONG_TYPE, ZERO, DISABLED])
def test_enabling_deletes_the_value_as_it_is_spelled(before: RegistryValue) -> None:
    plan = plan_setting(before, SearchList.ENABLED)
    assert plan.delete == before.name
    assert plan.add is None
    assert not plan_setting(None, SearchList.ENABLED).changed


def test_the_way_back_makes_the_old_value() -> None:
    undo = plan_setting(WRONG_SPELLING, SearchList.DISABLED).undo
    assert undo.delete == VALUE_NAME
    assert undo.add == WRONG_SPELLING
    assert SettingPlan(DISABLED, DISABLED).undo.add is None


@pytest.mark.parametrize(
    "value",
    [
        RegistryValue(VALUE_NAME, "REG_MULTI_SZ", "1"),
        RegistryValue(VALUE_NAME, "REG_EXPAND_SZ", "%PATH%"),
        RegistryValue(VALUE_NAME, "REG_SZ", 'a" & del'),
        RegistryValue(VALUE_NAME, "REG_SZ", "a\nb"),
        RegistryValue(VALUE_NAME, "REG_SZ", "a\n"),
        RegistryValue(VALUE_NAME, "REG_DWORD", "1 & del"),
        RegistryValue(VALUE_NAME, "REG_DWORD", "0x100000000"),
        RegistryValue("RootDir", "REG_SZ", "a"),
    ],
)
def test_values_that_could_not_be_put_back(value: RegistryValue) -> None:
    assert not can_be_added(value)


@pytest.mark.parametrize(
    "value", [DISABLED, WRONG_SPELLING, WRONG_TYPE, RegistryValue(VALUE_NAME, "REG_BINARY", "01FF")]
)
def test_values_that_can_be_put_back(value: RegistryValue) -> None:
    assert can_be_added(value)


def test_numbers_are_compared_as_numbers_and_names_to_the_letter() -> None:
    assert same_value(DISABLED, RegistryValue(VALUE_NAME, "REG_DWORD", "0x00000001"))
    assert not same_value(DISABLED, WRONG_SPELLING)
    assert not same_value(DISABLED, None)
    assert same_value(None, None)


def test_how_it_is_shown() -> None:
    assert shown(None) == "DisableResolverSearchList (absent)"
    assert shown(TWO) == "DisableResolverSearchList REG_DWORD 2"
    assert shown(WRONG_TYPE) == "DisableResolverSearchList REG_SZ 1"
