# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that make, read or list backups have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Options."""

    DOCUMENTATION = r"""
options:
  backup_mode:
    description:
      - Octal mode of the folders of backups. Files get the same without the right to execute.
      - Backups are read only where no other user can have written them. With a mode that lets a
        group write, such as V(2770), members of O(backup_group) share them.
      - The default V(0700) gives access only to the user who runs ansible-playbook.
    type: str
  backup_group:
    description:
      - Group of the folders and files of backups, a name or a number. The user must be a member.
      - By default it is the user's own.
    type: str
"""
