# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test message, as a mail reader sees it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.message import (
    Probe,
    Target,
    compose,
    message_bytes,
    message_lines,
    new_run_tag,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 11, 45, 0, tzinfo=UTC)


def probes(subject: str = "Delivery test", count: int = 2) -> list[Probe]:
    targets = [Target(f"d{n}.example", f"postmaster@d{n}.example") for n in range(count)]
    return compose(targets, sender="mx@hq.example", subject=subject, now=NOW, run_tag=new_run_tag())


def test_a_mail_reader_finds_every_header() -> None:
    (probe, _skipped) = probes()
    message = message_from_bytes(message_bytes(probe), policy=policy.default)

    assert message["From"] == "mx@hq.example"
    assert message["To"] == "postmaster@d0.example"
    assert message["Subject"] == "Delivery test"
    assert message["Date"].datetime == NOW
    assert message["Message-ID"] == probe.message_id
    assert message["Auto-Submitted"] == "auto-generated"
    assert "automatic delivery test" in message.get_content()
    assert not message.defects


def test_message_ids_are_unique_and_share_the_tag_of_the_run() -> None:
    tag = new_run_tag()
    targets = [Target("a.example", "postmaster@a.example")] * 3
    run = compose(targets, sender="mx@hq.example", subject="x", now=NOW, run_tag=tag)

    assert len({probe.message_id for probe in run}) == 3
    assert all(probe.message_id == f"<{probe.tag}@hq.example>" for probe in run)
    assert all(probe.tag.startswith(tag) for probe in run)
    assert new_run_tag() != tag


def test_a_tag_is_a_plain_search_string() -> None:
    assert re.fullmatch(r"[a-z0-9-]{30,60}", new_run_tag())


@pytest.mark.parametrize("subject", ["two\nlines", "x" * 201, "bell\x07"])
def test_a_subject_that_is_no_single_line_is_refused(subject: str) -> None:
    with pytest.raises(InvalidInput):
        probes(subject)


def printable(text: str) -> bool:
    return text.isprintable()


@given(st.text(max_size=200).filter(printable))
def test_any_printable_subject_arrives_as_it_was_given(subject: str) -> None:
    (probe,) = probes(subject, count=1)
    message = message_from_bytes(message_bytes(probe), policy=policy.default)

    assert str(message["Subject"]).strip() == subject.strip()


@given(st.text(max_size=200).filter(printable))
def test_lines_are_short_and_hold_nothing_a_command_line_would_take_for_itself(
    subject: str,
) -> None:
    (probe,) = probes(subject, count=1)
    for line in message_lines(probe):
        assert line.isascii()
        assert len(line) <= 78 or line.startswith("Subject: ")
        assert len(line) <= 998
        assert not set(line) & set('&|^%!"')
        assert "/?" not in line
