# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the events of the tracking log say about a message (KB Q173364, Q174078).

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from .._run.verdict import Kind, Observation
from .tracking_format import DELIVERED, NOT_DELIVERED, TrackingEvent
from .versions import Release

_NAMES = {
    0: "message transfer in",
    1: "probe transfer in",
    2: "report transfer in",
    4: "message submission",
    7: "message transfer out",
    8: "report transfer out",
    9: "message delivered",
    10: "report delivered",
    26: "distribution list expansion",
    28: "message redirected",
    29: "message rerouted",
    33: "report absorption",
    34: "report generation",
    43: "unroutable report discarded",
    50: "gateway deleted message",
    1000: "local delivery",
    1001: "backbone transfer in",
    1002: "backbone transfer out",
    1003: "gateway transfer out",
    1004: "gateway transfer in",
    1005: "gateway report transfer in",
    1006: "gateway report transfer out",
    1007: "gateway report generation",
    1010: "SMTP queued outbound",
    1011: "SMTP transferred outbound",
    1012: "SMTP received inbound",
    1013: "SMTP transferred inbound",
    1014: "SMTP message rerouted",
    1015: "SMTP report transferred in",
    1016: "SMTP report transferred out",
    1017: "SMTP report generated",
    1018: "SMTP report absorbed",
}
_GATEWAY_OUT, _NDR, _QUEUED, _TRANSFERRED, _REROUTED = 1003, 1007, 1010, 1011, 1014


def event_name(number: int) -> str:
    """Return an event as a person reads it, such as ``1011 SMTP transferred outbound``."""
    return f"{number} {_NAMES.get(number, '')}".rstrip()


def is_ndr(event: TrackingEvent) -> bool:
    """Whether a record says that a message did not reach a recipient."""
    return event.number == _NDR or any(
        recipient.status == NOT_DELIVERED for recipient in event.recipients
    )


def observe(event: TrackingEvent, release: Release | None) -> Observation:
    """Translate a record about a message into an observation.

    Exchange 4.0 has no SMTP events: there 1003, "the message was sent through a gateway", is all
    that says a message left. In 5.x the same event only hands it to the connector.
    """
    return Observation(_kind(event, release), event_name(event.number), event.time, event.time_text)


def _kind(event: TrackingEvent, release: Release | None) -> Kind:
    if is_ndr(event):
        return Kind.RETURNED
    left = _GATEWAY_OUT if release and not release.has_smtp_events else _TRANSFERRED
    receipt = any(recipient.status == DELIVERED for recipient in event.recipients)
    if event.number == left or receipt:
        return Kind.TRANSFERRED
    return Kind.QUEUED if event.number in {_QUEUED, _REROUTED} else Kind.SEEN
