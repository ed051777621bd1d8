# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/monitoring.md is followed, with a real SMTP server; its plugin has the usual statuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import docs_labs
import pytest
from aiosmtpd.controller import Controller as SmtpServer
from aiosmtpd.handlers import Message
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from pages import DOCS, blocks
from peer_programs import free_port
from reader import Reader

pytestmark = [pytest.mark.e2e, pytest.mark.full]

PAGE = DOCS / "monitoring.md"


class Mailbox(Message):
    """Keeps what an SMTP server takes in."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[bytes] = []

    def handle_message(self, message: Any) -> None:
        self.messages.append(message.as_bytes())


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), free_port()
    server = SmtpServer(box, hostname="127.0.0.1", port=port)
    server.start()
    yield box, port
    server.stop()


def test_the_page_can_be_followed(
    controller: Controller, tmp_path: Path, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    scenario, _before = docs_labs.of(PAGE.name)
    reader = Reader(controller)
    with Lab(scenario, folder=tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        for block in blocks(PAGE):
            text = block.text.replace("mail.hq.example postmaster", f"127.0.0.1:{port} postmaster")
            reader.follow(replace(block, text=text))
    (raw,) = box.messages
    message = message_from_bytes(raw, policy=default)
    assert message["Subject"] == "All 3 hosts have drift."
    assert message["To"] == "admins@hq.example"
    assert "### Action required" in message.get_content()
    assert (controller.folder / "summary.md").read_text().startswith("## All 3 hosts have drift")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("plugin") / "check_mx_delivery.py"
    (block,) = (b for b in blocks(PAGE) if b.says("in check_mx_delivery.py") is not None)
    file.write_text(block.text)
    return file


def report(verdict: str, finished_at: str) -> dict[str, Any]:
    """Return what the plugin reads of a report."""
    return {
        "run": {"finished_at": finished_at},
        "answer": {
            "verdict": verdict,
            "text": "The answer.",
            "hosts": {"total": 5, "failed": 1},
            "counts": {"would_change": 2, "stuck": 1, "stuck_unlisted": 1},
        },
    }


@pytest.mark.parametrize(
    ("found", "status", "begin"),
    [
        (report("clean", "2999-01-01T00:00:00Z"), 0, "MX_DELIVERY OK - The answer."),
        (report("drift", "2999-01-01T00:00:00Z"), 1, "MX_DELIVERY WARNING - The answer."),
        (report("failed", "2999-01-01T00:00:00Z"), 2, "MX_DELIVERY CRITICAL - The answer."),
        (report("unjudged", "2999-01-01T00:00:00Z"), 3, "MX_DELIVERY UNKNOWN - The answer."),
        (report("clean", "2020-01-01T00:00:00Z"), 2, "MX_DELIVERY CRITICAL - The last audit is "),
        (
            report("nonsense", "2020-01-01T00:00:00Z"),
            3,
            "MX_DELIVERY UNKNOWN - the report cannot be read",
        ),
    ],
)
def test_the_plugin_ends_as_monitoring_expects(
    plugin: Path, controller: Controller, found: dict[str, Any], status: int, begin: str
) -> None:
    (controller.folder / "report.json").write_text(json.dumps(found))
    run = controller.run(["python3", str(plugin), "report.json", "3600"])
    assert run.status == status
    assert run.output.startswith(begin)
    assert len(run.output.splitlines()) == 1
    if "cannot" not in begin:
        assert " | hosts=5 failed=1 pending=2 delayed=2 age=" in run.output


def test_the_plugin_without_a_report_is_unknown(plugin: Path, controller: Controller) -> None:
    run = controller.run(["python3", str(plugin), "missing.json", "3600"])
    assert run.status == 3
    assert run.output.startswith("MX_DELIVERY UNKNOWN - the report cannot be read")
