# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that change delivery have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Options. Each module documents what its ``max_changes`` counts."""

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
  note:
    description:
      - Why the change is made, such as the number of a ticket. It is written into the backup, and
        into the comment of a connector that is changed.
      - It becomes one line of at most 200 characters.
    type: str
  moved_often:
    description:
      - In check mode, warns of pins that moved more often than so many times in the 20 newest
        backups. V(0) reads no backups.
    type: int
    default: 0
  return_plan:
    description:
      - Whether to return RV(planned), what is to be changed and the digest of the state from which
        that was computed. An audit keeps it for an approval.
    type: bool
    default: false
  approved_plan:
    description:
      - What was approved for this host, as C(state) and C(changes) of an earlier RV(planned), and
        the time of that as C(made).
      - The task plans as always. If there is a change to make, and the state or the change differs,
        the task fails and changes nothing. Nothing is taken from this option.
      - V({}) approves no change.
    type: dict
"""
