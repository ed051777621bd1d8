# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All targets together: importing the modules registers them."""

from __future__ import annotations

import fuzz_commands
import fuzz_dns
import fuzz_hosts
import fuzz_objects
import fuzz_smtp
import fuzz_texts
import fuzz_wire
from fuzz_registry import TARGETS
from fuzz_values import mutated

__all__ = [
    "TARGETS",
    "fuzz_commands",
    "fuzz_dns",
    "fuzz_hosts",
    "fuzz_objects",
    "fuzz_smtp",
    "fuzz_texts",
    "fuzz_wire",
    "mutated",
]
