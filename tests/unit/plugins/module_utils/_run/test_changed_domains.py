# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes of a result, and the domains that are worth a test message for it."""

from __future__ import annotations

from ansible_collections.postmaster.exchange.plugins.module_utils._run.changed_domains import (
    changed_domains,
    worth_testing,
)
from exchange_lab.samples import connector, domain, organisation, pinned, rows, table

BOTH = pinned([domain("nestle.com", "192.0.2.25"), domain("aol.com", "198.51.100.9")])
NEW = connector("nestle.com", "192.0.2.25")


def test_changed_domains_compare_without_case_and_with_order() -> None:
    two = rows("NESTLE.COM 192.0.2.25", "nestle.com 192.0.2.26")
    swapped = rows("nestle.com 192.0.2.26", "nestle.com 192.0.2.25")
    assert changed_domains(table(two, swapped)) == ["nestle.com"]
    upper = rows("NESTLE.COM 192.0.2.25", "NESTLE.COM 192.0.2.26")
    assert changed_domains(table(two, upper)) == []
    assert changed_domains(table([{"raw": "+broken"}, *two], [])) == ["nestle.com"]
    assert changed_domains({"routes": None}) == []


def test_worth_testing_are_the_domains_with_a_new_way() -> None:
    assert worth_testing(table([], BOTH), ["nestle.com"]) == {"nestle.com"}
    assert worth_testing(organisation([], [NEW], "nestle.com"), ["nestle.com", "aol.com"]) == {
        "nestle.com"
    }
