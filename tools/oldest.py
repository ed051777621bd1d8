# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print pip constraints that hold every requirement at exactly the minimum it states."""

from __future__ import annotations

import re
import sys
from pathlib import Path

LOWER_BOUND = re.compile(r"^([A-Za-z0-9._-]+)\s*>=\s*([0-9][0-9.]*)")


def oldest(requirements: str) -> list[str]:
    """Return one ``name == X.Y.Z`` constraint for each ``name >= X.Y.Z`` line."""
    found = (LOWER_BOUND.match(line) for line in requirements.splitlines())
    return [f"{match[1]} == {match[2]}" for match in found if match]


if __name__ == "__main__":
    sys.stdout.write("\n".join(oldest(Path(sys.argv[1]).read_text(encoding="utf-8"))) + "\n")
