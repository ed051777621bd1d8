# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often pins moved, from the states that backups hold."""

from __future__ import annotations

from ansible_collections.postmaster.exchange.plugins.module_utils._run.moves import moves


def test_a_pin_that_comes_goes_or_stays_has_not_moved() -> None:
    states = [
        {},
        {"a.de": ["192.0.2.1"], "b.de": ["192.0.2.9"]},
        {"a.de": ["192.0.2.2"], "b.de": ["192.0.2.9"]},
        {"a.de": ["192.0.2.1"]},
        {"a.de": ["192.0.2.1"], "b.de": ["192.0.2.8"]},
    ]
    assert moves(states) == {"a.de": 2}
