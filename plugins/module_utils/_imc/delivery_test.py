# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A delivery test on a host with an Internet Mail Connector: send, follow, look for the reasons.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from .._base.errors import ExchangeError
from .._remote.commands import echo_if_exists, list_folder
from .._remote.parse import parse_dir_bare
from .._remote.session import Batch, Section, Session
from .._run import submit_smtp
from .._run.follow import Clock, Followed, Outcome, follow
from .._run.installation import Installation
from .._run.message import Probe
from .._run.options import DEFAULT_LOCAL_PART, DeliveryTestOptions
from .._run.verdict import DeliveryError, Result, Verdict, strongest, verdict_of
from . import pickup as imc_pickup
from .evidence import Evidence, gather_evidence
from .host import ImcHost, facts_batch, layout_of, not_known, read_facts
from .state import SERVICE_NAME, ServiceState
from .tracking import TrackingLogTracker
from .tracking_format import log_names

_TIMEOUT = 60.0
_REASONS = {
    Verdict.DELIVERED: "a server of the destination took the message",
    Verdict.QUEUED: "the message waits in the queue",
    Verdict.RETURNED: "a non-delivery report was made",
    Verdict.REFUSED: "the host did not take the message",
}


@dataclass(frozen=True, slots=True)
class Way:
    """How messages are handed over: ``pickup`` or ``smtp``, and the logs there were before."""

    method: str
    logs: tuple[str, ...]


def check_ready(host: ImcHost) -> None:
    """Raise ExchangeError where a test message could not be sent now."""
    if host.service is None:
        raise ExchangeError(
            f"{host.name}: there is no Internet Mail Connector here, so nothing was sent."
        )
    if host.service.state is not ServiceState.RUNNING:
        raise ExchangeError(
            f"{host.name}: the service {SERVICE_NAME} is {host.service.words}, so nothing was "
            "sent.",
            hint="Start it, then test again.",
        )
    if not host.root_dir:
        raise ExchangeError(
            f"{host.name}: the registry does not tell the connector's folder (RootDir), so "
            "nothing was sent.",
            hint="See whether the connector is completely installed.",
        )


def default_sender(host: ImcHost) -> str:
    """Return the postmaster of the host's own TCP/IP domain."""
    if not host.dns_domain or "." not in host.dns_domain:
        raise ExchangeError(
            f"{host.name}: the host has no TCP/IP domain, so who sends has to be said.",
            hint="Set sender to a mailbox that non-delivery reports may go to.",
        )
    return f"{DEFAULT_LOCAL_PART}@{host.dns_domain}"


def add_way(batch: Batch, host: ImcHost, known: Installation) -> None:
    """Add what ``choose_way`` has to know. Changes nothing."""
    if known.pickup is None:
        batch.add("pickup", echo_if_exists(host.reach(host.root_dir, imc_pickup.FOLDER)))
    if host.tracking_dir:
        batch.add("logs", list_folder(host.reach(host.tracking_dir)))


def choose_way(
    host: ImcHost, wanted: str, sections: Mapping[str, Section], known: Installation
) -> Way:
    """Return how to send, by option or by what the host offers.

    Pickup came with 5.5 (KB Q201314). A folder of that name on an earlier version is nobody's.
    """
    folder = host.reach(host.root_dir, imc_pickup.FOLDER)
    exists = known.pickup if known.pickup is not None else bool(sections["pickup"].output.strip())
    has_pickup = exists and (host.release is None or host.release.has_pickup)
    if wanted == "pickup" and not has_pickup:
        raise ExchangeError(
            f"{host.name}: there is no Pickup folder that Exchange {host.version or ''} reads"
            f" ({folder}). Nothing was sent.".replace("  ", " "),
            hint="Use method: smtp; only Exchange 5.5 has a Pickup folder.",
        )
    method = ("pickup" if has_pickup else "smtp") if wanted == "auto" else wanted
    logs = log_names(parse_dir_bare(sections["logs"].output)) if "logs" in sections else []
    return Way(method, tuple(logs))


def open_run(
    session: Session, options: DeliveryTestOptions, known: Installation, run_tag: str
) -> ImcRun:
    """Return the test of a host; nothing is sent yet. Raises ExchangeError where it cannot be.

    Where the folders are known, one command line asks for all the rest.
    """
    layout = layout_of(options.computer)
    names = not_known(known)
    if not (options.sender or known.domain):
        names.append("network")
    batch = facts_batch(layout, names)
    at_once = bool(known.root_dir and known.tracking_folder)
    if at_once:
        add_way(batch, read_facts(session.host, layout, {}, known), known)
    sections = batch.run(session, timeout=_TIMEOUT)
    host = read_facts(session.host, layout, sections, known)
    check_ready(host)
    if not at_once:
        batch = Batch()
        add_way(batch, host, known)
        sections = batch.run(session, timeout=_TIMEOUT)
    return ImcRun(
        session, host, choose_way(host, options.method, sections, known), options, run_tag
    )


@dataclass(frozen=True, slots=True)
class ImcRun:
    """One test on one host, once everything about it is known."""

    session: Session
    host: ImcHost
    way: Way
    options: DeliveryTestOptions
    run_tag: str

    @property
    def method(self) -> str:
        """How messages are handed over."""
        return self.way.method

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
        return default_sender(self.host)

    def send(self, probes: Sequence[Probe]) -> dict[str, DeliveryError]:
        """Hand the messages over; return those that were refused, by tag."""
        if self.way.method == "pickup":
            return imc_pickup.submit(self.session, self.host, probes)
        return submit_smtp.submit(probes, self.options.smtp)

    def follow(
        self, probes: Sequence[Probe], progress: Callable[[str], None], clock: Clock
    ) -> list[Result]:
        """Follow accepted messages to their results, with the reasons that can be found."""
        tracker = TrackingLogTracker(self.session, self.host, self.run_tag, self.way.logs)
        outcome = follow(probes, tracker, self.options.patience, progress, clock)
        evidence = Evidence()
        if any(_wants_a_reason(one) for one in outcome.followed):
            evidence = gather_evidence(self.session, self.host, self.run_tag)
        return [_result(one, outcome, evidence, self.host) for one in outcome.followed]


def refused_results(refused: Mapping[str, DeliveryError], probes: Sequence[Probe]) -> list[Result]:
    """Return the results of the messages that the host did not take."""
    return [
        Result(probe, Verdict.REFUSED, _REASONS[Verdict.REFUSED], error=refused[probe.tag])
        for probe in probes
        if probe.tag in refused
    ]


def _wants_a_reason(one: Followed) -> bool:
    return not one.final or verdict_of(one.observations) is Verdict.RETURNED


def _result(one: Followed, outcome: Outcome, evidence: Evidence, host: ImcHost) -> Result:
    verdict = verdict_of(one.observations)
    decisive = strongest(one.observations)
    result = Result(
        one.probe,
        verdict,
        _REASONS.get(verdict, ""),
        time=decisive.time if decisive else None,
        seconds=one.seconds,
        observations=tuple(one.observations),
    )
    if one.final:
        if verdict is Verdict.DELIVERED and host.release and not host.release.has_smtp_events:
            result = replace(
                result, reason="the gateway sent it; Exchange 4.0 records no more than that"
            )
        failure = evidence.failures.get(one.probe.domain)
        if verdict is Verdict.RETURNED and failure and not failure.failure.temporary:
            result = replace(result, error=failure.error)
        return result
    return _explained(result, outcome, evidence)


def _explained(result: Result, outcome: Outcome, evidence: Evidence) -> Result:
    """Say why a message is not known to have left, as far as that can be found out."""
    probe = result.probe
    if f"{imc_pickup.short_name(probe.tag)}.txt" in evidence.untouched:
        return replace(
            result,
            verdict=Verdict.QUEUED,
            reason="its file still lies in Pickup: the service has not taken it",
        )
    if result.verdict is Verdict.QUEUED or probe.tag in evidence.waiting:
        failure = evidence.failures.get(probe.domain)
        return replace(
            result,
            verdict=Verdict.QUEUED,
            reason=_REASONS[Verdict.QUEUED] + ("" if failure else ", and no log tells why"),
            error=failure.error if failure else None,
        )
    # A failure in the logs says nothing here: the message may have gone by another exchange.
    hindrance = outcome.blind or next(iter(evidence.notes), "")
    return replace(
        result,
        reason=hindrance
        or "the tracking log has no record of it; is message tracking enabled on the connector?",
    )
