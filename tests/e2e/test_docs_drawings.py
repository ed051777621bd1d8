# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drawings of the documentation in a real browser: every word can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import PROGRAM, Browser, chromium
from pages import DOCS, name_of

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed"),
]

# The place of each text, and of each box, as drawn.
_PLACES = """
(() => {
  const places = (what) => [...document.querySelectorAll(what)].map((part) => {
    const {x, y, width, height} = part.getBBox();
    return {says: part.textContent, box: [x, y, x + width, y + height]};
  });
  const {width, height} = document.documentElement.viewBox.baseVal;
  return {texts: places('text'), boxes: places('.box, .good, .bad'), size: [width, height]};
})()
"""

Box = tuple[float, float, float, float]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


def meet(one: Box, other: Box) -> bool:
    """Tell whether two boxes overlap."""
    apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    return not apart


def inside(one: Box, other: Box) -> bool:
    """Tell whether the first box is in the second."""
    begins = other[0] <= one[0] and other[1] <= one[1]
    return begins and one[2] <= other[2] and one[3] <= other[3]


def illegible(places: dict[str, Any]) -> list[str]:
    """Name the texts that leave the drawing or a box, or that meet another text."""
    texts, boxes = places["texts"], [each["box"] for each in places["boxes"]]
    paper = (0, 0, *places["size"])
    wrong = [each["says"] for each in texts if not inside(each["box"], paper)]
    for number, each in enumerate(texts):
        place = each["box"]
        wrong += [each["says"] for box in boxes if meet(place, box) and not inside(place, box)]
        # Lines of text below each other are closer than the height of the letters allows for.
        wrong += [
            f"{each['says']} / {other['says']}"
            for other in texts[:number]
            if meet((place[0], place[1] + 3, place[2], place[3] - 3), other["box"])
        ]
    return wrong


@pytest.mark.parametrize("drawing", sorted(DOCS.rglob("*.svg")), ids=name_of)
def test_every_word_can_be_read(drawing: Path, browser: Browser) -> None:
    browser.open(drawing)
    places = browser.run(_PLACES)
    assert len(places["texts"]) > 5
    assert illegible(places) == []


def test_a_text_that_does_not_fit_is_noticed(tmp_path: Path, browser: Browser) -> None:
    page = tmp_path / "wrong.svg"
    page.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 60">'
        '<rect class="box" x="10" y="10" width="40" height="30"/>'
        '<text x="12" y="30">much too long</text><text x="200" y="30">one</text>'
        '<text x="205" y="30">two</text><text x="290" y="58">outside</text></svg>'
    )
    browser.open(page)
    assert illegible(browser.run(_PLACES)) == ["outside", "much too long", "two / one"]
