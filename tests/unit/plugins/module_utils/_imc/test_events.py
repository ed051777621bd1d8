# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each event of the tracking log has the meaning of its version."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import release_of
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.tracking import (
    TrackingEvent,
    event_name,
    observe,
    parse_text,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.delivery import Stage
from delivery_fakes import tracking_record


def event(number: int, status: str = "") -> TrackingEvent:
    (found,) = parse_text(tracking_record(number, ("SMTP:a@b.example", status)))
    return found


@pytest.mark.parametrize(
    ("number", "status", "kind"),
    [
        (1010, "", Stage.QUEUED),
        (1011, "", Stage.TRANSFERRED),
        (1014, "", Stage.QUEUED),
        (1007, "1", Stage.RETURNED),
        (1007, "", Stage.RETURNED),
        (1017, "1", Stage.RETURNED),
        (1015, "1", Stage.RETURNED),
        (1015, "0", Stage.TRANSFERRED),
        (1017, "", Stage.SEEN),
        (1018, "", Stage.SEEN),
        (1003, "", Stage.SEEN),
        (1012, "", Stage.SEEN),
        (4711, "", Stage.SEEN),
    ],
)
def test_events_of_5_x(number: int, status: str, kind: Stage) -> None:
    assert observe(event(number, status), release_of(2653)).stage is kind
    assert observe(event(number, status), None).stage is kind


@pytest.mark.parametrize(
    ("number", "status", "kind"),
    [
        (1003, "", Stage.TRANSFERRED),
        (1007, "1", Stage.RETURNED),
        (1004, "", Stage.SEEN),
    ],
)
def test_events_of_4_0(number: int, status: str, kind: Stage) -> None:
    assert observe(event(number, status), release_of(996)).stage is kind


def test_what_the_relay_has_is_relayed_until_a_receipt_says_more() -> None:
    seen = observe(event(1011), release_of(2653), "gw.hq.example")
    assert (seen.stage, "gw.hq.example" in seen.reason) == (Stage.RELAYED, True)
    receipt = observe(event(1015, "0"), release_of(2653), "gw.hq.example")
    assert receipt.stage is Stage.TRANSFERRED


def test_an_event_has_a_name_and_a_time() -> None:
    seen = observe(event(1011), release_of(1460))

    assert seen.event == "1011 SMTP transferred outbound"
    assert seen.time is not None
    assert event_name(4711) == "4711"


@pytest.mark.parametrize(
    ("build", "version", "service_pack"),
    [
        (837, "4.0", "RTM"),
        (996, "4.0", "SP5"),
        (1458, "5.0", "SP1"),
        (1960, "5.5", "RTM"),
        (2653, "5.5", "SP4"),
        (2500, "5.5", None),
        (997, "4.0", None),
        (1462, "5.0", None),
        (2656, "5.5", None),
    ],
)
def test_a_build_belongs_to_a_release(build: int, version: str, service_pack: str | None) -> None:
    release = release_of(build)

    assert release is not None
    assert (release.version, release.service_pack) == (version, service_pack)


@pytest.mark.parametrize("build", [None, 0, 836, 1000, 1456, 1500, 1959, 2700, 6249])
def test_a_build_of_no_release_is_none(build: int | None) -> None:
    assert release_of(build) is None
