# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the pictures of docs/report.md anew, from an audit of the lab: terminal and HTML page.

Needs Chromium and ``.build``, as ``make test`` leaves it: ``python tests/e2e/pictures.py .build``.
"""

from __future__ import annotations

import html
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from chromium import Browser, chromium  # noqa: E402 - the path comes first
from exchange_lab.controller import Controller  # noqa: E402
from exchange_lab.lab import Lab  # noqa: E402
from exchange_lab.scenario_default import DEFAULT  # noqa: E402

_COLORS = {"0;32": "#4ec9a0", "0;33": "#d7ba5d", "0;31": "#f48771", "1;35": "#c586c0"}
_ESCAPE = re.compile(r"\x1b\[([\d;]*)m")


def as_html(text: str) -> str:
    """Return the text of a terminal, with its colours, as a page."""
    parts = _ESCAPE.split(text)
    pieces = [html.escape(parts[0])]
    for code, piece in zip(parts[1::2], parts[2::2], strict=True):
        color = _COLORS.get(code, "inherit")
        pieces.append(f'<span style="color:{color}">{html.escape(piece)}</span>')
    style = "background:#1e1e1e;color:#d4d4d4;font:13px/1.45 DejaVu Sans Mono,monospace;margin:16px"
    return f'<meta charset="utf-8"><body style="{style}"><pre style="margin:0">{"".join(pieces)}'


def photograph(browser: Browser, page: Path, picture: Path, width: int, height: int) -> None:
    """Write what a browser shows of the top of a page."""
    browser.open(page)
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.call("Emulation.setDeviceMetricsOverride", **size)
    browser.screenshot(picture)


def main() -> None:
    """Run an audit, and photograph both of its reports."""
    docs = ROOT / "docs"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        controller = Controller(folder / "audit", Path(sys.argv[1]).resolve(), color=True)
        with Lab(DEFAULT, folder=folder / "lab") as lab:
            lab.write_inventory(controller.inventory)
            run = controller.playbook("audit", "-e", "mx_delivery_report_dir=report")
        before, begin, rest = run.output.partition("Of 5 hosts")
        report = (begin + rest).partition("\nNotices")[0]
        color = _ESCAPE.findall(before)[-1:]  # that of the first line
        text = "".join(f"\x1b[{code}m" for code in color) + report
        (folder / "terminal.html").write_text(as_html(text), encoding="utf-8")
        with chromium(folder / "profile") as browser:
            lines = report.count("\n") + 1
            terminal = docs / "report-terminal.png"
            photograph(browser, folder / "terminal.html", terminal, 700, 19 * lines + 20)
            page = folder / "audit" / "report" / "report.html"
            photograph(browser, page, docs / "report-page.png", 1000, 760)


if __name__ == "__main__":
    main()
