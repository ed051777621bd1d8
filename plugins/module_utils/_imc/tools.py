# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the tools that the collection uses are on a host.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ntpath import basename

from .._remote.commands import echo_if_exists
from .._remote.parse import decode
from .._remote.session import Section
from .host import ImcHost
from .layout import beside

#: What the collection runs, and what the Exchange CD has for administrators (Q182522, Q142261,
#: Q195804).
TOOLS = ("reg", "sc", "find", "findstr", "typeperf", "imccopy", "imcsave", "restest")
#: Where KB Q262126 tells to copy imccopy, and where it lies on many hosts.
_IMCCOPY_PLACES = (r"C:\imccopy.exe", r"C:\exchsrvr\bin\imccopy.exe")


def tool_commands() -> dict[str, str]:
    """Return the command that prints the path of each tool that PATH finds, a line each."""
    names = " ".join(f"{name}.exe" for name in TOOLS)
    # With a dot, since a bare echo tells whether echo is on.
    return {"tools": f"for %I in ({names}) do @echo.%~$PATH:I"}


def imccopy_commands(host: ImcHost) -> dict[str, str]:
    """Return the commands that look for imccopy where PATH does not lead, by section."""
    return {
        f"imccopy{number}": echo_if_exists(host.reach(path))
        for number, path in enumerate(_places(host))
    }


def _places(host: ImcHost) -> Iterable[str]:
    near = beside(host.root_dir)
    return (*_IMCCOPY_PLACES, near) if near else _IMCCOPY_PLACES


def read_tools(host: ImcHost, sections: Mapping[str, Section]) -> dict[str, str | None]:
    """Return the path of each tool, or None.

    On another computer only imccopy matters, and PATH is that of the host in front of it.
    """
    found: dict[str, str | None] = dict.fromkeys(TOOLS)
    for line in decode(sections["tools"].output).splitlines():
        path = line.strip()
        name = basename(path).lower().removesuffix(".exe")
        if "\\" in path and name in found:
            found[name] = path
    if host.computer:
        found["imccopy"] = None
    for number, path in enumerate(_places(host)):
        if found["imccopy"] is None and sections[f"imccopy{number}"].output.strip():
            found["imccopy"] = path
    return found
