# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test messages through an Internet Mail Connector: by Pickup or SMTP, followed by its logs.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from .._base.errors import ExchangeError
from .._base.texts import utc_text
from .._mail.delivery import Poll, Retries, Retry, TestResult, Verdict
from .._mail.message import DEFAULT_LOCAL_PART, Probe
from .._mail.smtp_errors import SmtpError
from .._mail.submission import SmtpOptions, Submission, submit
from .._remote.commands import echo_if_exists, list_folder
from .._remote.parse import decode, parse_dir_bare
from .._remote.session import Batch, Section, Session
from . import pickup
from .files import Reader, run_all, search_folder
from .host import SERVICE_NAME, UNKNOWN_HOST, ImcHost, ServiceState, facts_batch, read_facts
from .protocol_log import LoggedFailure, newest_by_domain, read_smtp_logs, smtp_log_commands
from .real_mail import RealMail
from .tracking import TrackingLog, log_names

_TIMEOUT = 60.0
#: SMTP protocol logs that are read, the newest, and how much a search in the queue may print.
_LOGS, _MAX_OUTPUT, _SEARCH_TIMEOUT = 20, 4_000_000, 120.0

_REASONS = {
    Verdict.DELIVERED: "a server of the destination accepted the message",
    Verdict.QUEUED: "the message waits in the queue",
    Verdict.RETURNED: "a non-delivery report was made",
    Verdict.NOT_TESTED: "Exchange 4.0 does not relay, so it would return a test message (Q148985)",
    Verdict.REFUSED: "the host rejected the message",
}
_NOT_RELAYED = (
    "; routing restrictions of the connector may keep this controller from relaying (Q193922)"
)
_NOT_REROUTED = (
    "; the connector may be set not to reroute incoming SMTP mail, and returns it then (Q255695)"
)


def open_test(
    session: Session,
    submission: Submission,
    run_tag: str,
    *,
    computer: str = "",
    known: ImcHost = UNKNOWN_HOST,
) -> ImcTest:
    """Return the test of a host; nothing is sent yet. Raises ExchangeError where it cannot be.

    Where the folders are known, one command line asks for all the rest.
    """
    names = known.unknown
    if not (submission.sender or known.dns_domain):
        names.append("network")
    batch = facts_batch(computer, names)
    at_once = bool(known.root_dir and known.tracking_dir)
    if at_once:
        _add_folders(batch, read_facts(session.host, computer, {}, known))
    sections = batch.run(session, timeout=_TIMEOUT)
    host = read_facts(session.host, computer, sections, known)
    _check_ready(host)
    if not at_once:
        batch = Batch()
        _add_folders(batch, host)
        sections = batch.run(session, timeout=_TIMEOUT)
    chosen = _method(host, submission.method, sections)
    logs = log_names(parse_dir_bare(sections["logs"].output)) if "logs" in sections else []
    tracking = TrackingLog(session, host, run_tag, logs)
    real = RealMail(session, host)
    return ImcTest(session, host, chosen, submission.smtp, run_tag, tracking, real)


def _add_folders(batch: Batch, host: ImcHost) -> None:
    """Add commands that look for the Pickup folder and list the present tracking logs."""
    if host.pickup is None:
        batch.add("pickup", echo_if_exists(host.reach(host.root_dir, pickup.FOLDER)))
    if host.tracking_dir:
        batch.add("logs", list_folder(host.reach(host.tracking_dir)))


def _check_ready(host: ImcHost) -> None:
    """Raise ExchangeError where a test message could not be sent now."""
    if host.service is None:
        raise ExchangeError(
            f"{host.name}: the Internet Mail Connector is not installed, so nothing was sent."
        )
    if host.service.state is not ServiceState.RUNNING:
        raise ExchangeError(
            f"{host.name}: the service {SERVICE_NAME} is {host.service.words}, so nothing was "
            "sent.",
            hint="Start it, then test again.",
        )
    if not host.root_dir:
        raise ExchangeError(
            f"{host.name}: the registry does not contain the connector's folder (RootDir), so "
            "nothing was sent.",
            hint="Check that the connector is completely installed.",
        )


def _method(host: ImcHost, wanted: str, sections: Mapping[str, Section]) -> str:
    """Return how to send, by option or by what the host offers.

    Pickup came with 5.5 (KB Q201314). A folder of that name on an earlier version is not read.
    """
    exists = host.pickup
    if exists is None:
        exists = bool(sections["pickup"].output.strip())
    has_pickup = exists and (host.release is None or host.release.has_pickup)
    if wanted == "pickup" and not has_pickup:
        folder = host.reach(host.root_dir, pickup.FOLDER)
        raise ExchangeError(
            f"{host.name}: Exchange {host.version or ''} has no Pickup folder"
            f" ({folder}). Nothing was sent.".replace("  ", " "),
            hint="Use method: smtp; only Exchange 5.5 has a Pickup folder.",
        )
    if wanted != "auto":
        return wanted
    if has_pickup:
        return "pickup"
    relays = host.release is None or host.release.relays
    return "smtp" if relays else "none"


@dataclass(frozen=True, slots=True)
class _Evidence:
    """Why messages have not left: where they lie, and what the SMTP logs hold.

    ``waiting`` are the tags of messages found in ``RootDir\\Out``, ``untouched`` the names of files
    that still lie in Pickup, ``archived`` of those that the service could not use, ``failures`` the
    last failure by domain.
    """

    waiting: frozenset[str]
    untouched: frozenset[str]
    archived: frozenset[str]
    failures: Mapping[str, LoggedFailure]
    hindrance: str


@dataclass(frozen=True, slots=True)
class ImcTest:
    """One test on one host, once everything about it is known; see ``delivery_test.Tester``."""

    session: Session
    host: ImcHost
    method: str
    smtp: SmtpOptions
    run_tag: str
    tracking: TrackingLog
    real: RealMail

    @property
    def version(self) -> str | None:
        """The version of the host."""
        return self.host.version

    @property
    def tracking_folder(self) -> str | None:
        """The folder of the host's tracking log, where it is known."""
        return self.host.tracking_dir or None

    def default_sender(self) -> str:
        """Return the postmaster of the host's own TCP/IP domain."""
        domain = self.host.dns_domain
        if not domain or "." not in domain:
            raise ExchangeError(
                f"{self.host.name}: the host has no TCP/IP domain, so the test needs a sender.",
                hint="Set sender to a mailbox that non-delivery reports may go to.",
            )
        return f"{DEFAULT_LOCAL_PART}@{domain}"

    def find_retries(self, _domains: Collection[str], _sleep: Callable[[float], None]) -> Retries:
        """Return nothing: the connector has no command to try a queue again."""
        return Retries()

    def retry(
        self,
        _retries: Sequence[Retry],
        _progress: Callable[[str], None],
        _sleep: Callable[[float], None],
    ) -> tuple[Retry, ...]:
        """Do nothing."""
        return ()

    def submit(self, probes: Sequence[Probe]) -> dict[str, SmtpError]:
        """Hand the messages over; return those that were refused, by tag."""
        if self.method == "pickup":
            return pickup.submit(self.session, self.host, probes)
        return submit(probes, self.smtp)

    def poll(self, pending: Sequence[Probe]) -> Poll:
        """Look for messages in the tracking log, or for those of users where none can be sent."""
        return self.real.poll(pending) if self.method == "none" else self.tracking.poll(pending)

    def reopen(self) -> None:
        """Use a new session from now on."""
        self.session.reopen()

    def reason(self, verdict: Verdict) -> str:
        """Return what a verdict means on this host."""
        release = self.host.release
        reason = _REASONS.get(verdict, "")
        if verdict is Verdict.DELIVERED and release and not release.has_smtp_events:
            reason = "the gateway sent it; Exchange 4.0 records no more than that"
        if self.method == "none" and verdict in {Verdict.DELIVERED, Verdict.RETURNED}:
            return f"{reason} (mail of a user, as Exchange 4.0 relays no test message)"
        if self.method == "smtp" and verdict is Verdict.REFUSED:
            reason += _NOT_RELAYED
        elif self.method == "smtp" and verdict is Verdict.RETURNED:
            reason += _NOT_REROUTED
        return reason

    def remove(self, probes: Sequence[Probe]) -> list[str]:
        """Return which messages stay: no command is documented that takes them from the queue."""
        domains = ", ".join(probe.domain for probe in probes)
        return [f"The test messages to {domains} stay in the queue of the host until they expire."]

    def explain(self, results: Sequence[TestResult], blind: str) -> list[TestResult]:
        """Return the results of messages that did not arrive with the reasons that can be found."""
        if self.method == "none":
            return [self._untested(result, blind) for result in results]
        evidence = self._evidence()
        explained = [self._explained(result, evidence, blind) for result in results]
        if self.method == "smtp" and self.host.release and not self.host.release.relays:
            explained = [_if_not_relayed(result) for result in explained]
        return explained

    def _untested(self, result: TestResult, blind: str) -> TestResult:
        """Return the result of a domain to which no mail left while the log was followed."""
        last = self.real.last.get(result.probe.domain)
        seen = blind or "its tracking log has no mail of users to the domain"
        if result.verdict is Verdict.RETURNED:
            seen = "mail of a user was returned, and the tracking log does not show why"
        elif last is not None and not blind:
            when = utc_text(last.time) or last.time_text
            seen = f"by its tracking log, the last mail of a user was {when} ({last.event})"
        reason = f"{_REASONS[Verdict.NOT_TESTED]}; {seen}"
        return replace(result, verdict=Verdict.NOT_TESTED, reason=reason)

    def _explained(self, result: TestResult, evidence: _Evidence, blind: str) -> TestResult:
        probe = result.probe
        failure = evidence.failures.get(probe.domain)
        error = failure.error if failure else None
        if result.verdict is Verdict.RETURNED:
            return result if error is None or error.temporary else replace(result, error=error)
        file = f"{pickup.short_name(probe.tag)}.txt"
        if file in evidence.archived:
            reason = (
                r"the service moved its file to Pickup\Archive (event 4164): it could not read it,"
                " or saw it empty before 5.5 SP4 (Q279320, Q250441)"
            )
            return replace(result, reason=reason)
        if file in evidence.untouched:
            reason = "its file is still in Pickup: the service has not read it"
            return replace(result, verdict=Verdict.QUEUED, reason=reason)
        if result.verdict is Verdict.QUEUED or probe.tag in evidence.waiting:
            reason = _REASONS[Verdict.QUEUED] + ("" if error else ", and no log shows why")
            return replace(result, verdict=Verdict.QUEUED, reason=reason, error=error)
        # A failure in the logs proves nothing here: another mail server may have the message.
        reason = blind or evidence.hindrance
        unseen = (
            "the tracking log has no record of it. Check that message tracking is enabled on the"
            " connector, which Standard Edition has only with the Site Connector (Q164175)"
        )
        return replace(result, reason=reason or unseen)

    def _evidence(self) -> _Evidence:
        """Look for the messages; what cannot be read hinders, and raises nothing.

        Each look is separate: the search of a queue with a giant file may take longer than a run
        waits, and must not hide what the logs show.
        """
        warnings: list[str] = []
        untouched: frozenset[str] = frozenset()
        archived: frozenset[str] = frozenset()
        waiting: frozenset[str] = frozenset()
        failures: Sequence[LoggedFailure] = ()
        reader = Reader(self.session, warnings)
        host = self.host
        commands = {
            "pickup": list_folder(host.reach(host.root_dir, pickup.FOLDER)),
            "archive": list_folder(host.reach(host.root_dir, pickup.FOLDER, "Archive")),
        }
        commands |= smtp_log_commands(host)
        out = {"out": search_folder(host.reach(host.root_dir, "Out"), [self.run_tag])}
        try:
            sections = self._run(commands)
            untouched = frozenset(parse_dir_bare(sections["pickup"].output))
            archived = frozenset(parse_dir_bare(sections["archive"].output))
            try:
                failures = read_smtp_logs(reader, host, sections, _LOGS).failures
            except ExchangeError as error:
                warnings.append(error.message)
            text = decode(self._run(out)["out"].output)
            tags = re.findall(re.escape(self.run_tag) + r"-\d+", text, re.IGNORECASE)
            waiting = frozenset(tag.lower() for tag in tags)
        except ExchangeError as error:
            warnings.append(error.message)
        hindrance = next(iter(warnings), "")
        return _Evidence(waiting, untouched, archived, newest_by_domain(failures), hindrance)

    def _run(self, commands: Mapping[str, str]) -> dict[str, Section]:
        return run_all(self.session, commands, timeout=_SEARCH_TIMEOUT, max_output=_MAX_OUTPUT)


def _if_not_relayed(result: TestResult) -> TestResult:
    """Return what a returned message shows on Exchange 4.0: nothing about the route."""
    if result.verdict is not Verdict.RETURNED:
        return result
    reason = "Exchange 4.0 relays to custom recipients only and returned the message (Q148985)"
    return replace(result, verdict=Verdict.NOT_TESTED, reason=reason)
