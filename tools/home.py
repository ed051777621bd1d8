# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the public address of the collection into galaxy.yml: its repository, issues, and pages.

    python tools/home.py galaxy.yml REPOSITORY [ISSUES [DOCUMENTATION]]

Issues and documentation are below the repository unless they are given. Running it again with
another address replaces the first one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

KEYS = ("repository", "documentation", "homepage", "issues")


def with_home(metadata: str, repository: str, issues: str = "", documentation: str = "") -> str:
    """Return galaxy.yml with these addresses; raises ValueError for one that is not https."""
    home = repository.rstrip("/")
    addresses = {
        "repository": home,
        "documentation": documentation or f"{home}/blob/main/docs/README.md",
        "homepage": home,
        "issues": issues or f"{home}/issues",
    }
    for key, address in addresses.items():
        if urlsplit(address).scheme != "https" or not urlsplit(address).netloc:
            raise ValueError(f"{key} must be an https address, not {address!r}.")
    kept = re.sub(rf"^(?:{'|'.join(KEYS)}):.*\n", "", metadata, flags=re.MULTILINE)
    lines = "".join(f"{key}: {address}\n" for key, address in addresses.items())
    return re.sub(r"^dependencies:", f"{lines}dependencies:", kept, count=1, flags=re.MULTILINE)


def main(file: str, *addresses: str) -> None:
    """Rewrite the file."""
    path = Path(file)
    path.write_text(with_home(path.read_text(encoding="utf-8"), *addresses), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (TypeError, ValueError) as error:
        sys.exit(f"{error}\n{__doc__}")
