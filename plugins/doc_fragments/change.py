# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that change delivery have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Options. A module says itself what its ``max_changes`` counts."""

    DOCUMENTATION = r"""
options:
  force:
    description:
      - Whether a change that is larger than O(max_changes) or O(max_removed_domains) is made
        nevertheless, with a warning.
      - On Exchange 4.0 to 5.5 also whether a running service is restarted though the route table
        has malformed rows, and whether the backup of another computer is put back.
    type: bool
    default: false
  run_id:
    description:
      - Name of the run that this task is part of. It is written into the backup, which can be found
        by it, and returned.
      - It has 1 to 64 letters, digits, dots, colons or any of C(_+-), and begins with a letter or
        digit.
    type: str
"""
