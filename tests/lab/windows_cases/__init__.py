# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One table of what is typed on Windows and what it comes to: for the lab and for Wine."""

from __future__ import annotations

from . import (
    branches,
    code_pages,
    files,
    flow,
    folders,
    redirects,
    reg_add,
    reg_delete,
    reg_export,
    reg_import,
    reg_query,
    text,
)
from .case import Case

_MODULES = (
    text,
    flow,
    branches,
    redirects,
    files,
    folders,
    code_pages,
    reg_query,
    reg_add,
    reg_delete,
    reg_export,
    reg_import,
)
CASES: list[Case] = [case for module in _MODULES for case in module.CASES]
