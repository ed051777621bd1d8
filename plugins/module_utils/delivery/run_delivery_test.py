# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of delivery_test: options in, verdicts out, the same wherever it runs.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..context import Context
from ..errors import ExchangeError
from .follow import Clock
from .imc_host import gather_host
from .imc_run import (
    ImcRun,
    check_ready,
    choose_way,
    default_sender,
    refused_results,
)
from .message import Probe, compose, new_run_tag
from .options import DeliveryTestOptions, from_params
from .verdict import Result, failure_message


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result. ``changed`` is false: no setting of the host is touched.

    Raises InvalidInput for options that cannot be used, and ExchangeError where nothing could be
    sent, or with the whole result as details where a message was not delivered.
    """
    return run_by(Clock(), params, context)


def run_by(clock: Clock, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result, with another passing of time."""
    options = _with_smtp_host(from_params(params, context.basedir), context)
    session = context.need_session()
    host = gather_host(session, options.computer)
    check_ready(host)
    sender = options.sender or default_sender(host)
    way = choose_way(session, host, options.method)
    test = ImcRun(session, host, way, options, new_run_tag())
    probes = compose(
        options.targets,
        sender=sender,
        subject=options.subject,
        now=context.now(),
        run_tag=test.run_tag,
    )
    about = _about(test, sender)
    if context.check_mode:
        return about | _preview(probes)
    refused = test.send(probes)
    accepted = [probe for probe in probes if probe.tag not in refused]
    context.progress(f"{_messages(len(accepted))} handed to the host by {way.method}")
    results = refused_results(refused, probes)
    results += test.follow(accepted, context.progress, clock)
    order = {probe.tag: number for number, probe in enumerate(probes)}
    results.sort(key=lambda result: order[result.probe.tag])
    return _judged(about | _told(results), results, options, context)


def _with_smtp_host(options: DeliveryTestOptions, context: Context) -> DeliveryTestOptions:
    """Fill in where mail is submitted: the Exchange computer, else where the session leads to."""
    host = options.smtp.host or options.computer or context.address or context.host
    return replace(options, smtp=replace(options.smtp, host=host))


def _about(test: ImcRun, sender: str) -> dict[str, Any]:
    smtp = test.options.smtp
    return {
        "changed": False,
        "method": test.way.method,
        "sender": sender,
        "version": test.host.version,
        "tracking_folder": test.host.tracking_dir or None,
        "smtp_server": f"{smtp.host}:{smtp.port}" if test.way.method == "smtp" else None,
    }


def _preview(probes: Sequence[Probe]) -> dict[str, Any]:
    """Say what would be sent; no Message-ID, since the real run makes its own."""
    would = [
        {
            "domain": probe.domain,
            "recipient": probe.recipient,
            "sender": probe.sender,
            "subject": probe.subject,
        }
        for probe in probes
    ]
    return {
        "would_send": would,
        "results": [
            {"domain": one["domain"], "recipient": one["recipient"], "verdict": "would_send"}
            for one in would
        ],
        "delivered": [],
        "undelivered": [],
        "msg": f"Would send {_messages(len(would))}.",
    }


def _told(results: Sequence[Result]) -> dict[str, Any]:
    return {
        "would_send": [],
        "results": [result.as_dict() for result in results],
        "delivered": [result.probe.domain for result in results if result.delivered],
        "undelivered": [result.probe.domain for result in results if not result.delivered],
    }


def _judged(
    told: dict[str, Any],
    results: Sequence[Result],
    options: DeliveryTestOptions,
    context: Context,
) -> dict[str, Any]:
    if not told["undelivered"]:
        return told | {"msg": f"{_messages(len(results))} delivered."}
    message = failure_message(context.host, results)
    if not options.fail_on_undelivered:
        return told | {"msg": message}
    raise ExchangeError(
        message,
        hint="No setting was changed. A queued message is still tried by the host; look again with"
        " queue_info.",
        details=told,
    )


def _messages(count: int) -> str:
    return "1 test message" if count == 1 else f"{count} test messages"
