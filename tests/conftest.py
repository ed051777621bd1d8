# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the collection and its lab importable from a plain checkout."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _link_collection() -> Path:
    """Return a folder from which ``ansible_collections.postmaster.exchange`` is this checkout."""
    link = ROOT / ".build" / "ansible_collections" / "postmaster" / "exchange"
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(ROOT, target_is_directory=True)
    return ROOT / ".build"


for _path in (ROOT / "tests" / "lab", _link_collection()):
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))
