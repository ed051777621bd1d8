# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry value that switches the resolver search list off (Q150969, Q190711). Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from .._remote.parse import RegistryValue
from .host import VALUE_NAME

DISABLED = RegistryValue(VALUE_NAME, "REG_DWORD", "0x1")

_NUMBER = re.compile(r"0x[0-9a-f]{1,8}\Z", re.IGNORECASE)
# What `reg add` puts back exactly, by type. Other types or data are left to the administrator.
_ADDABLE = {
    "REG_DWORD": _NUMBER,
    "REG_BINARY": re.compile(r"(?:[0-9a-f]{2}){1,256}\Z", re.IGNORECASE),
    "REG_SZ": re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,254}[A-Za-z0-9])?\Z"),
}


class SearchList(StrEnum):
    """Option resolver_search_list."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    UNMANAGED = "unmanaged"


def number(value: RegistryValue | None) -> int | None:
    """Return the number a REG_DWORD holds, or None for anything else."""
    if value is None or value.type != "REG_DWORD" or not _NUMBER.match(value.data):
        return None
    return int(value.data, 16)


def same_value(one: RegistryValue | None, other: RegistryValue | None) -> bool:
    """True for values equal to the letter; numbers in any notation."""
    if one is None or other is None:
        return one is other
    if (one.name, one.type) != (other.name, other.type):
        return False
    return one.data == other.data or (number(one) is not None and number(one) == number(other))


def can_be_added(value: RegistryValue) -> bool:
    """Whether ``reg add`` can make exactly this value (to undo a change, or from a backup)."""
    pattern = _ADDABLE.get(value.type)
    return (
        value.name.lower() == VALUE_NAME.lower()
        and pattern is not None
        and bool(pattern.match(value.data))
    )


def shown(value: RegistryValue | None) -> str:
    """Return the value as a line that a person reads."""
    if value is None:
        return f"{VALUE_NAME} (absent)"
    dword = number(value)
    return f"{value.name} {value.type} {value.data if dword is None else dword}".rstrip()


@dataclass(frozen=True, slots=True)
class SettingPlan:
    """The present value and the required one; None means absent."""

    before: RegistryValue | None
    after: RegistryValue | None

    @property
    def changed(self) -> bool:
        """Whether anything has to be done."""
        return not same_value(self.before, self.after)

    @property
    def delete(self) -> str:
        """The name to delete first, or nothing.

        `reg add` over a name keeps the stored spelling, so a wrong one has to go before.
        """
        if self.before is None or not self.changed:
            return ""
        after = self.after
        replaced = after is None or (self.before.name, self.before.type) != (after.name, after.type)
        return self.before.name if replaced else ""

    @property
    def add(self) -> RegistryValue | None:
        """The value to add, or None."""
        return self.after if self.changed else None

    @property
    def undo(self) -> SettingPlan:
        """The way back."""
        return SettingPlan(self.after, self.before)


def plan_setting(before: RegistryValue | None, wanted: SearchList) -> SettingPlan:
    """Plan the value: any number but 0 in the right type and spelling is as good as 1."""
    if wanted is SearchList.UNMANAGED:
        return SettingPlan(before, before)
    if wanted is SearchList.ENABLED:
        return SettingPlan(before, None)
    good = before is not None and before.name == VALUE_NAME and bool(number(before))
    return SettingPlan(before, before if good else DISABLED)
