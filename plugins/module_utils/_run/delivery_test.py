# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of delivery_test: options in, verdicts out, the same wherever it runs.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from .._base.context import Context, EngineModule
from .._base.errors import ExchangeError, InvalidInput
from .._connectors import delivery_test as transport_run
from .._connectors.delivery_test import TransportRun
from .._connectors.retry import Retries, find_retries, retry
from .._imc import delivery_test as imc_run
from .._imc.delivery_test import refused_results
from .._remote.psrp import connect
from .follow import Clock
from .installation import parse_installation
from .message import Probe, compose, new_run_tag
from .options import DeliveryTestOptions, from_params
from .specs import DELIVERY_TEST_SPEC
from .verdict import DeliveryError, Result, failure_message


class Test(Protocol):
    """A test on one host, ready to send; each family of Exchange has its own."""

    @property
    def options(self) -> DeliveryTestOptions:
        """What the administrator asks for."""

    @property
    def method(self) -> str:
        """How messages are handed over, ``pickup`` or ``smtp``."""

    @property
    def version(self) -> str | None:
        """The version of Exchange, where it is known."""

    @property
    def tracking_folder(self) -> str | None:
        """The folder of the tracking log, where messages are followed in files."""

    def default_sender(self) -> str:
        """Return who sends if nobody is named. Raises ExchangeError where that is not known."""

    def send(self, probes: Sequence[Probe]) -> dict[str, DeliveryError]:
        """Hand messages over; return those that were refused, by tag."""

    def follow(
        self, probes: Sequence[Probe], progress: Callable[[str], None], clock: Clock
    ) -> list[Result]:
        """Follow accepted messages to their results."""


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result. ``changed`` is false unless queues were retried: no setting of the
    host is touched.

    Raises InvalidInput for options that cannot be used, and ExchangeError where nothing could be
    sent, or with the whole result as details where a message was not delivered.
    """
    return run_by(Clock(), params, context)


def run_by(clock: Clock, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result, with another passing of time."""
    options = _with_smtp_host(from_params(params, context.basedir), context)
    run_tag = new_run_tag()
    test = _open(params, options, context, run_tag)
    sender = options.sender or test.default_sender()
    probes = compose(
        options.targets,
        sender=sender,
        subject=options.subject,
        now=context.now(),
        run_tag=run_tag,
    )
    retries = _retries(test, clock) if params.get("retry_queues") else Retries()
    about = _about(test, sender, retries)
    if context.check_mode:
        would = [one.as_dict() for one in retries.chosen]
        return about | {"changed": bool(would), "would_retry": would} | _preview(probes)
    if isinstance(test, TransportRun):
        done = retry(test.session, retries.chosen, context.progress, clock.sleep)
        about |= {"changed": bool(done), "retried": [one.as_dict() for one in done]}
    refused = _send(test, probes, about)
    accepted = [probe for probe in probes if probe.tag not in refused]
    context.progress(f"{_messages(len(accepted))} handed to the host by {test.method}")
    results = refused_results(refused, probes)
    results += test.follow(accepted, context.progress, clock)
    order = {probe.tag: number for number, probe in enumerate(probes)}
    results.sort(key=lambda result: order[result.probe.tag])
    return _judged(about | _told(results), results, options, context)


def _open(
    params: Mapping[str, Any], options: DeliveryTestOptions, context: Context, run_tag: str
) -> Test:
    known = parse_installation(params)
    if params.get("family") == "transport":
        names = (context.host, context.address)
        return transport_run.open_run(context.need_cmdlets(), options, known, names)
    if params.get("retry_queues"):
        raise InvalidInput(
            "retry_queues is for family=transport; the Internet Mail Connector has no command to"
            " try a queue again."
        )
    return imc_run.open_run(context.need_session(), options, known, run_tag)


def _send(
    test: Test, probes: Sequence[Probe], about: Mapping[str, Any]
) -> dict[str, DeliveryError]:
    try:
        return test.send(probes)
    except ExchangeError as error:
        # What was retried before was changed, though no message could be sent after it.
        error.details.update({key: about[key] for key in ("changed", "retried")})
        raise


def _retries(test: Test, clock: Clock) -> Retries:
    if not isinstance(test, TransportRun):
        return Retries()  # refused before: see _open
    domains = {target.domain for target in test.options.targets}
    return find_retries(test.session, test.servers, domains, clock.sleep, test.accepted)


def _with_smtp_host(options: DeliveryTestOptions, context: Context) -> DeliveryTestOptions:
    """Fill in where mail is submitted: the Exchange computer, else where the session leads to."""
    host = options.smtp.host or options.computer or context.address or context.host
    return replace(options, smtp=replace(options.smtp, host=host))


def _about(test: Test, sender: str, retries: Retries) -> dict[str, Any]:
    smtp = test.options.smtp
    return {
        "changed": False,
        "retried": [],
        "would_retry": [],
        "notes": list(retries.notes),
        "method": test.method,
        "sender": sender,
        "version": test.version,
        "tracking_folder": test.tracking_folder,
        "smtp_server": f"{smtp.host}:{smtp.port}" if test.method == "smtp" else None,
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


MODULE = EngineModule(DELIVERY_TEST_SPEC, run, connects=connect)
