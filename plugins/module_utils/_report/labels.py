# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a person calls what a report distinguishes. The words are the same in all its forms. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from .judgement import Outcome
from .outcome import Standing

#: How a domain stands on a host, in the order in which a report has them.
STANDINGS = {
    Standing.FAILED: "failed",
    Standing.HELD: "not begun",
    Standing.DRIFTED: "to change",
    Standing.CHANGED: "changed",
    Standing.IN_PLACE: "in place",
    Standing.GONE: "gone",
    Standing.UNKNOWN: "unknown",
    Standing.BY_HAND: "by hand",
}

#: How a host came out.
OUTCOMES = {
    Outcome.FAILED: "failed",
    Outcome.NOT_JUDGED: "could not be judged",
    Outcome.HELD: "not begun",
    Outcome.TO_LOOK_AT: "to look at",
    Outcome.DRIFTED: "differs",
    Outcome.TO_CHANGE: "would be changed",
    Outcome.CHANGED: "changed",
    Outcome.SKIPPED: "no such service",
    Outcome.IN_PLACE: "as it should be",
}

#: The statuses of a domain.
STATUSES = {
    "ok": "ok",
    "null_mx": "takes no mail (null MX)",
    "no_such_domain": "does not exist",
    "no_address": "no address",
    "loop": "only own hosts",
    "temporary_failure": "not known now",
    "disagreement": "name servers differ",
}

VERDICTS = {"clean": "clean", "drift": "differs", "failed": "failed"}

FAMILIES = {"imc": "4.0 to 5.5", "transport": "2010 or later"}
