# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test messages: sent through a host, and followed until each has its verdict or the time is up.

The family chooses the sources (``Tester``). This file keeps the time, shows
progress, and survives a broken session: the messages are already sent, so their results must not be
lost.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from .._base.context import Context, EngineModule
from .._base.errors import CommandTimeout, ExchangeError, HostUnreachable, InvalidInput, SessionLost
from .._connectors import delivery_test as connectors
from .._connectors.servers import NO_SERVERS, KnownServers
from .._imc import delivery_test as imc
from .._imc.host import UNKNOWN_HOST, ImcHost
from .._mail.delivery import (
    Observation,
    Poll,
    Retries,
    Retry,
    TestResult,
    Verdict,
    is_final,
    strongest,
    verdict_of,
)
from .._mail.message import Probe, compose, new_run_tag
from .._mail.smtp_errors import SmtpError
from .._mail.submission import Submission
from .._remote.psrp import connect
from .exchange_info import with_family
from .options import DELIVERY_TEST_SPEC, DeliveryTestOptions, Patience, from_params

#: Seconds without news after which progress shows that the run still waits.
_SILENCE = 30.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Passing time, in seconds; another one makes the loop testable."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Tester(Protocol):
    """The part of a family that tests delivery on one host."""

    @property
    def method(self) -> str:
        """How messages are handed over: ``pickup``, ``smtp``, or ``none`` where nothing can be."""

    @property
    def version(self) -> str | None:
        """The version of Exchange, where it is known."""

    @property
    def tracking_folder(self) -> str | None:
        """The folder of the tracking log, where messages are followed in files."""

    def default_sender(self) -> str:
        """Return the sender where none is named. Raises ExchangeError where it is not known."""

    def find_retries(self, domains: Collection[str], sleep: Callable[[float], None]) -> Retries:
        """Return the queues that hold mail for the domains and can be retried."""

    def retry(
        self,
        retries: Sequence[Retry],
        progress: Callable[[str], None],
        sleep: Callable[[float], None],
    ) -> tuple[Retry, ...]:
        """Retry queues; return those that were. Raises ExchangeError that names the others."""

    def submit(self, probes: Sequence[Probe]) -> dict[str, SmtpError]:
        """Hand messages over; return those that were refused, by tag."""

    def poll(self, pending: Sequence[Probe]) -> Poll:
        """Look once. Raises SessionLost, CommandTimeout or HostUnreachable."""

    def reopen(self) -> None:
        """Make the next poll use a new session."""

    def reason(self, verdict: Verdict) -> str:
        """Return what a verdict means on this host."""

    def explain(self, results: Sequence[TestResult], blind: str) -> list[TestResult]:
        """Return the results of messages that did not arrive with the reasons that can be found.

        ``blind`` is why the logs could not be read in the end, or empty.
        """

    def remove(self, probes: Sequence[Probe]) -> list[str]:
        """Remove messages from the queues; returns warnings about those that stay. Never raises."""


@dataclass(slots=True)
class _Followed:
    """What is known of one message, and when (in seconds) its verdict was last seen to change."""

    probe: Probe
    observations: list[Observation] = field(default_factory=list)
    seconds: float | None = None

    @property
    def final(self) -> bool:
        return is_final(self.observations)

    @property
    def verdict(self) -> Verdict:
        return verdict_of(self.observations)

    def add(self, new: Sequence[Observation], seconds: float) -> bool:
        """Take what is new; return whether the verdict changed."""
        before = self.verdict
        self.observations += [seen for seen in new if seen not in self.observations]
        changed = self.verdict is not before
        self.seconds = seconds if changed else self.seconds
        return changed

    def result(self, tester: Tester) -> TestResult:
        decisive = strongest(self.observations)
        return TestResult(
            self.probe,
            self.verdict,
            (decisive and decisive.reason) or tester.reason(self.verdict),
            time=decisive.time if decisive else None,
            seconds=self.seconds,
            error=decisive.error if decisive else None,
            observations=tuple(self.observations),
        )


def follow(
    probes: Sequence[Probe],
    tester: Tester,
    patience: Patience,
    progress: Callable[[str], None],
    clock: Clock,
) -> list[TestResult]:
    """Poll until every message has a final verdict, the deadline is over, or polling is in vain.

    The last poll is never before the deadline, so a slow host cannot cut the time short.
    """
    started = clock.monotonic()
    followed = [_Followed(probe) for probe in probes]
    polls = 0
    shown = 0.0
    while True:
        polls += 1
        pending = [one.probe for one in followed if not one.final]
        poll = _poll(tester, pending) if pending else Poll()
        elapsed = clock.monotonic() - started
        for one in followed:
            if one.add(poll.observations.get(one.probe.tag, ()), elapsed):
                decisive = strongest(one.observations)
                left = one.verdict in {Verdict.DELIVERED, Verdict.RELAYED}
                event = "" if left or not decisive else decisive.event
                progress(
                    f"{one.probe.domain}: {one.verdict} after {elapsed:.0f} s"
                    + (f" ({event})" if event else "")
                )
                shown = elapsed
        remaining = patience.deadline - elapsed
        if all(one.final for one in followed) or poll.hopeless or remaining <= 0:
            break
        if elapsed - shown >= _SILENCE:
            progress(
                f"after {elapsed:.0f} of at most {patience.deadline:.0f} s,"
                f" {sum(not one.final for one in followed)} of {len(followed)} test messages are"
                " still followed"
            )
            shown = elapsed
        clock.sleep(min(patience.pause(polls), remaining))
    results = [one.result(tester) for one in followed]
    unclear = [one for one, state in zip(results, followed, strict=True) if not state.final]
    unclear += [one for one in results if one.verdict is Verdict.RETURNED and one.error is None]
    explained = (
        {one.probe.tag: one for one in tester.explain(unclear, poll.blind)} if unclear else {}
    )
    return [explained.get(result.probe.tag, result) for result in results]


def _poll(tester: Tester, pending: Sequence[Probe]) -> Poll:
    try:
        return tester.poll(pending)
    except (SessionLost, CommandTimeout, HostUnreachable) as error:
        tester.reopen()
        return Poll(blind=error.message)


def test_delivery(
    tester: Tester,
    probes: Sequence[Probe],
    patience: Patience,
    progress: Callable[[str], None],
    clock: Clock,
) -> list[TestResult]:
    """Send messages and follow those that the host accepts; return a result for each, in order."""
    if tester.method == "none":
        progress("no test message can be sent; mail of users is followed")
        return follow(probes, tester, patience, progress, clock)
    refused = tester.submit(probes)
    accepted = [probe for probe in probes if probe.tag not in refused]
    progress(f"the host accepts {_messages(len(accepted))} by {tester.method}")
    results = [
        TestResult(probe, Verdict.REFUSED, tester.reason(Verdict.REFUSED), error=refused[probe.tag])
        for probe in probes
        if probe.tag in refused
    ]
    results += follow(accepted, tester, patience, progress, clock)
    order = {probe.tag: number for number, probe in enumerate(probes)}
    return sorted(results, key=lambda result: order[result.probe.tag])


def open_tester(
    params: Mapping[str, Any], options: DeliveryTestOptions, context: Context, run_tag: str
) -> Tester:
    """Return the tester of the family that the options name; nothing is sent yet."""
    submission = Submission(options.method, options.smtp, options.sender)
    if params.get("family") == "transport":
        return connectors.open_test(
            context.need_cmdlets(),
            submission,
            (context.host, context.address),
            context.learned.of(KnownServers, NO_SERVERS),
        )
    if params.get("retry_queues"):
        raise InvalidInput(
            "retry_queues is for family=transport; the Internet Mail Connector has no command to"
            " try a queue again."
        )
    return imc.open_test(
        context.need_session(),
        submission,
        run_tag,
        computer=options.computer,
        known=context.learned.of(ImcHost, UNKNOWN_HOST),
    )


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result. ``changed`` is false unless queues were retried: no setting of the
    host is touched.

    Raises InvalidInput for options that cannot be used, and ExchangeError where nothing could be
    sent, or with the whole result as details where a message was not delivered.
    """
    return run_by(Clock(), params, context)


def run_by(clock: Clock, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result, with another passing of time."""
    options = from_params(params, context.basedir)
    params = with_family(params, context)
    # Mail is submitted to the Exchange computer, else where the session leads to.
    host = options.smtp.host or options.computer or context.address or context.host
    options = replace(options, smtp=replace(options.smtp, host=host))
    run_tag = new_run_tag()
    tester = open_tester(params, options, context, run_tag)
    sender = options.sender or tester.default_sender()
    probes = compose(
        options.targets,
        sender=sender,
        subject=options.subject,
        now=context.now(),
        run_tag=run_tag,
    )
    retries = Retries()
    if params.get("retry_queues"):
        domains = {target.domain for target in options.targets}
        retries = tester.find_retries(domains, clock.sleep)
    answer: dict[str, Any] = {
        "changed": False,
        "retried": [],
        "would_retry": [],
        "warnings": list(retries.warnings),
        "method": tester.method,
        "sender": sender,
        "version": tester.version,
        "tracking_folder": tester.tracking_folder,
        "smtp_server": f"{host}:{options.smtp.port}" if tester.method == "smtp" else None,
    }
    if context.check_mode and tester.method != "none":
        would = [one.to_dict() for one in retries.chosen]
        return answer | {"changed": bool(would), "would_retry": would} | _preview(probes)
    if context.check_mode:
        reason = tester.reason(Verdict.NOT_TESTED)
        foretold = [TestResult(probe, Verdict.NOT_TESTED, reason) for probe in probes]
        return _judged(answer, foretold, options, context)
    retried = tester.retry(retries.chosen, context.progress, clock.sleep)
    answer |= {"changed": bool(retried), "retried": [one.to_dict() for one in retried]}
    try:
        results = test_delivery(tester, probes, options.patience, context.progress, clock)
    except ExchangeError as error:
        # What was retried before was changed, though no message could be sent after it.
        error.details.update({key: answer[key] for key in ("changed", "retried")})
        raise
    waiting = [one.probe for one in results if one.verdict is Verdict.QUEUED]
    if params.get("remove_queued") and waiting:
        answer["warnings"] += tester.remove(waiting)
    return _judged(answer, results, options, context)


def _preview(probes: Sequence[Probe]) -> dict[str, Any]:
    """Return what would be sent; no Message-ID, since the real run makes its own."""
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
        "relayed": [],
        "undelivered": [],
        "msg": f"Would send {_messages(len(would))}.",
    }


def _judged(
    answer: dict[str, Any],
    results: Sequence[TestResult],
    options: DeliveryTestOptions,
    context: Context,
) -> dict[str, Any]:
    """Return the answer with the results; raises ExchangeError for undelivered messages."""
    unsent = [result for result in results if result.verdict is Verdict.NOT_TESTED]
    relayed = [result for result in results if result.relayed]
    arrived = sum(result.delivered for result in results)
    missed = [r for r in results if not (r.delivered or r.relayed) and r not in unsent]
    answer |= {
        "would_send": [],
        "results": [result.to_dict() for result in results],
        "delivered": [result.probe.domain for result in results if result.delivered],
        "relayed": [result.probe.domain for result in relayed],
        "undelivered": [result.probe.domain for result in missed],
    }
    if unsent:
        domains = "1 domain" if len(unsent) == 1 else f"{len(unsent)} domains"
        message = f"{domains} not tested: {unsent[0].reason}."
        return answer | {"msg": message, "warnings": [*answer["warnings"], message]}
    if not missed:
        ways = ((arrived, "delivered"), (len(relayed), "relayed"))
        words = ", ".join(f"{number} {way}" for number, way in ways if number)
        messages = "Test message" if len(results) == 1 else "Test messages"
        return answer | {"msg": f"{messages}: {words}."}
    message = (
        f"{context.host}: {len(missed)} of {len(results)} test messages were not delivered: "
        + "; ".join(result.phrase for result in missed)
        + "."
    )
    if not options.fail_on_undelivered:
        return answer | {"msg": message}
    raise ExchangeError(
        message,
        hint="No setting was changed. The host retries queued messages; check them with"
        " queue_info.",
        details=answer,
    )


def _messages(count: int) -> str:
    return "1 test message" if count == 1 else f"{count} test messages"


MODULE = EngineModule(DELIVERY_TEST_SPEC, run, connects=connect)
