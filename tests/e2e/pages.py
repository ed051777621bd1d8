# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages of the documentation are made of: marked blocks, headings and links.

A line ``<!-- ... -->`` right before a block says what a test does with it:

- ``not run in the tests: why`` - the commands are left alone, for this reason;
- ``ends with 2`` - the commands have this exit status, instead of 0; or, as in ``0, 2``, each one;
- ``in FILE`` - the text is a file of the administrator's, there from here on;
- ``what it shows`` - the text is part of what the command before it prints.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"

_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page, and the mark above it."""

    language: str
    text: str
    mark: str = ""

    def says(self, mark: str) -> str | None:
        """Return what follows these words in the mark; None where it does not begin with them."""
        return self.mark.removeprefix(mark).lstrip(": ") if self.mark.startswith(mark) else None

    @property
    def commands(self) -> list[str]:
        """The commands that a reader is told to type."""
        lines = self.text.splitlines() if self.language == "console" else []
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def pages() -> list[Path]:
    """Return all pages of the project, wherever they are; hidden folders hold none of ours."""
    found = []
    for folder, below, files in os.walk(ROOT):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [Path(folder, name) for name in files if name.endswith(".md")]
    return sorted(found)


def name_of(page: Path) -> str:
    """How a page is called in the project."""
    return str(page.relative_to(ROOT))


def _block(found: re.Match[str]) -> Block:
    return Block(found["language"], found["text"], found["mark"] or "")


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page in order."""
    for found in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield _block(found)


def blocks_by_heading(page: Path) -> dict[str, list[Block]]:
    """Return the blocks below each heading of the second level."""
    _before, *parts = re.split(r"^## (.+)\n", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        heading: [_block(found) for found in _BLOCK.finditer(text)]
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield where the links of a page lead inside the project: a file, and a heading's anchor."""
    prose = re.sub(r"`[^`\n]*`", "", _FENCED.sub("", page.read_text(encoding="utf-8")))
    for file, anchor in _LINK.findall(prose):
        yield (page.parent / file).resolve() if file else page, anchor


def anchors(page: Path) -> set[str]:
    """Return the anchors that forges give the headings of a page."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    found: set[str] = set()
    for heading in _HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        again = sum(1 for known in found if re.fullmatch(re.escape(anchor) + r"(-\d+)?", known))
        found.add(f"{anchor}-{again}" if again else anchor)
    return found
