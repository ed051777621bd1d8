# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three engines on the acting Exchange hosts of the lab, without a network between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import (
    Context,
    Learned,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    CommandTimeout,
    ExchangeError,
    InvalidInput,
    SessionLost,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import (
    ATTENDANT_KEY,
    PARAMETERS_KEY,
    SETUP_KEY,
    UNKNOWN_HOST,
    ImcHost,
    Service,
    ServiceState,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import Completed
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.windows_resolver import (
    NETWORK_KEY,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    delivery_test as run_delivery_test,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    exchange_info as run_exchange_info,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    queue_info as run_queue_info,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.delivery_test import Clock
from ansible_collections.postmaster.exchange.plugins.module_utils._run.options import (
    DELIVERY_TEST_SPEC,
    EXCHANGE_INFO_SPEC,
    QUEUE_INFO_SPEC,
)
from delivery_fakes import ROOT, TRACKING, DirectSession, raising
from exchange_lab.lab import Lab, Machine
from exchange_lab.mail.imc_model import V40, V50, Assumptions, Relay
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.scenario import SIMPLE_HOST, HostSpec, Letter, simple
from exchange_lab.windows.host import LabHost

ARTICLE = "No routing hosts are reachable for nestle.com."
TREATED = replace(
    SIMPLE_HOST,
    switch=("DisableResolverSearchList", 1),
    rows=("NESTLE.COM;192.0.2.25;0", "NESTLE.COM;192.0.2.26;0"),
)
#: A connector that gives up at the first failure.
IMPATIENT = Assumptions(retry_after=(0.01,), expire_after=0.0)


@contextmanager
def running(spec: HostSpec, **changes: Any) -> Iterator[tuple[Lab, Machine]]:
    with Lab(replace(simple(spec), **changes)) as lab:
        yield lab, lab[spec.name]


def options(spec: dict[str, Any], **given: Any) -> dict[str, Any]:
    checked = ArgumentSpecValidator(spec).validate(given)
    assert not checked.error_messages, checked.error_messages
    params: dict[str, Any] = checked.validated_parameters
    return params


def context(session: DirectSession, **more: Any) -> Context:
    return Context(host=session.host, session=session, address="127.0.0.1", **more)


class Hurry:
    """A clock that shortens waits to a tenth, so that the lab can act."""

    def __init__(self) -> None:
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        time.sleep(seconds / 10)

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.slept, sleep=self.sleep)


def deliver(
    machine: Machine,
    *domains: Any,
    session: DirectSession | None = None,
    learned: Learned | None = None,
    **given: Any,
) -> dict[str, Any]:
    """Run delivery_test as the action would, with the lab's port for SMTP."""
    given.setdefault("deadline", 12)
    given.setdefault("interval", 2)
    smtp = {"port": machine.imc.port, **given.pop("smtp", {})}
    check_mode = given.pop("check_mode", False)
    progress = given.pop("progress", lambda _text: None)
    given = {"family": "imc", **given}
    params = options(DELIVERY_TEST_SPEC, domains=list(domains), smtp=smtp, **given)
    session = session or DirectSession(machine.host)
    learned = learned or Learned()
    about = context(session, check_mode=check_mode, progress=progress, learned=learned)
    return run_delivery_test.run_by(Hurry().clock(), params, about)


def queue(machine: Machine, **given: Any) -> dict[str, Any]:
    session = DirectSession(machine.host)
    return run_queue_info.run(options(QUEUE_INFO_SPEC, **given), context(session))


def about(machine: Machine | LabHost, **given: Any) -> dict[str, Any]:
    session = DirectSession(machine.host if isinstance(machine, Machine) else machine)
    return run_exchange_info.run(options(EXCHANGE_INFO_SPEC, **given), context(session))


# -- what another part of the run has learned ------------------------------------------------


def learn(machine: Machine, **changes: Any) -> Learned:
    """Return what exchange_info learns of a host, but for ``changes``."""
    learned, session = Learned(), DirectSession(machine.host)
    given = options(EXCHANGE_INFO_SPEC, gather=changes.pop("gather", "all"))
    run_exchange_info.run(given, context(session, learned=learned))
    learned.keep(replace(learned.of(ImcHost, UNKNOWN_HOST), **changes))
    return learned


def asked_for(session: DirectSession, *keys: str) -> list[bool]:
    """Whether the command lines of a run ask for each of these."""
    return [any(key in line for line in session.lines) for key in keys]


FACTS = ("sc query", *(f'{key}"' for key in (PARAMETERS_KEY, SETUP_KEY, ATTENDANT_KEY)))


@pytest.mark.parametrize("gather", ["basics", "all"])
def test_queue_info_asks_nothing_that_exchange_info_has_learned(gather: str) -> None:
    with running(SIMPLE_HOST) as (_lab, machine):
        alone = queue(machine)
        session = DirectSession(machine.host)
        about = context(session, learned=learn(machine, gather=gather))
        handed = run_queue_info.run(options(QUEUE_INFO_SPEC), about)
    assert asked_for(session, *FACTS) == [False] * 4
    assert len(session.lines) == 1  # nothing waits, and no log is written
    assert {key for key in alone if alone[key] != handed[key]} <= {"counters"}


@pytest.mark.parametrize("missing", ["service", "build", "root_dir", "tracking_dir"])
def test_queue_info_asks_for_what_is_missing_and_no_more(missing: str) -> None:
    with running(SIMPLE_HOST) as (_lab, machine):
        session = DirectSession(machine.host)
        learned = learn(machine, **{missing: getattr(UNKNOWN_HOST, missing)})
        result = run_queue_info.run(options(QUEUE_INFO_SPEC), context(session, learned=learned))
    order = ["service", "root_dir", "build", "tracking_dir"]
    assert asked_for(session, *FACTS) == [name == missing for name in order]
    assert (result["version"], result["service"]) == ("5.5", "running")


def test_delivery_test_asks_in_one_command_for_what_is_not_known() -> None:
    with running(TREATED) as (_lab, machine):
        network = f'{NETWORK_KEY}"'
        for changes, asks in (({}, False), ({"dns_domain": ""}, True)):
            learned = learn(machine, gather="basics", **changes)
            session = DirectSession(machine.host)
            result = deliver(machine, "nestle.com", session=session, learned=learned)
            assert result["sender"] == "postmaster@hq.example"
            assert (result["delivered"], result["method"]) == (["nestle.com"], "pickup")
            assert asked_for(session, *FACTS, network) == [False] * 4 + [asks]
            assert (network in session.lines[0], "Pickup" in session.lines[0]) == (asks, True)


def test_a_sender_that_is_said_needs_no_domain() -> None:
    with running(TREATED) as (_lab, machine):
        session = DirectSession(machine.host)
        deliver(machine, "nestle.com", session=session, sender="me@hq.example")
    assert asked_for(session, *FACTS, f'{NETWORK_KEY}"') == [True] * 4 + [False]


def test_a_stopped_service_that_is_told_of_gets_nothing() -> None:
    with running(SIMPLE_HOST) as (lab, machine):
        learned = learn(machine, service=Service(ServiceState.STOPPED, None))
        with pytest.raises(ExchangeError, match="is stopped, so nothing was sent"):
            deliver(machine, "nestle.com", learned=learned)
        assert lab.sinks.received == ()


def test_without_a_pickup_folder_the_message_goes_by_smtp() -> None:
    with running(TREATED) as (_lab, machine):
        session = DirectSession(machine.host)
        learned = learn(machine, pickup=False)
        result = deliver(machine, "nestle.com", session=session, learned=learned)
    assert (result["method"], result["delivered"]) == ("smtp", ["nestle.com"])
    assert asked_for(session, "Pickup") == [False]


# -- delivery_test: verdicts --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "method"), [(TREATED, "pickup"), (replace(TREATED, version=V50), "smtp")]
)
def test_a_treated_host_delivers(spec: HostSpec, method: str) -> None:
    news: list[str] = []
    with running(spec) as (lab, machine):
        result = deliver(machine, "nestle.com", progress=news.append)
        (mail,) = lab.sinks.received

    (one,) = result["results"]
    assert result["method"] == method
    assert result["changed"] is False
    assert result["delivered"] == ["nestle.com"]
    assert (one["verdict"], one["error"]) == ("delivered", None)
    assert one["time"].endswith("Z")
    assert one["seconds"] >= 0
    assert one["message_id"] == mail.message_id
    assert (mail.sender, mail.recipients) == ("postmaster@hq.example", ("postmaster@nestle.com",))
    assert any("nestle.com: delivered after" in line for line in news)


def test_4_0_tells_by_its_gateway_events() -> None:
    # As if the recipients were custom recipients, for which 4.0 takes mail by SMTP.
    spec = replace(TREATED, version=V40, imccopy=None, relay=Relay.OPEN)
    with running(spec) as (lab, machine):
        result = deliver(machine, "nestle.com", method="smtp")
        assert len(lab.sinks.received) == 1
        untested = deliver(machine, "nestle.com")
        foretold = deliver(machine, "nestle.com", check_mode=True)
        assert len(lab.sinks.received) == 1

    for each in (untested, foretold):
        assert each["results"][0]["verdict"] == "not_tested"
        assert (each["delivered"], each["undelivered"], each["would_send"]) == ([], [], [])
        assert each["method"] == "none"
    last = "by its tracking log, the last mail of a user was "
    assert last in untested["results"][0]["reason"]
    (one,) = result["results"]
    assert (one["verdict"], one["events"][-1]["event"]) == (
        "delivered",
        "1003 gateway transfer out",
    )
    assert "4.0 records no more" in one["reason"]


def test_an_untreated_host_keeps_it_queued_with_the_articles_error() -> None:
    caught = None
    with running(SIMPLE_HOST) as (_skipped, machine):
        try:
            deliver(machine, "nestle.com")
        except ExchangeError as error:
            caught = error

    assert caught is not None
    details: dict[str, Any] = caught.details
    (one,) = details["results"]
    assert one["verdict"] == "queued"
    assert (one["error"]["code"], one["error"]["text"]) == (499, ARTICLE)
    assert "SMTP protocol log L0" in one["error"]["source"]
    assert caught.message == (
        f"mail55: 1 of 1 test messages were not delivered: nestle.com queued (499 {ARTICLE})."
    )


def test_a_queue_without_a_log_says_that_nobody_tells_why() -> None:
    with running(replace(SIMPLE_HOST, diagnostics=0)) as (_skipped, machine):
        result = deliver(machine, "nestle.com", fail_on_undelivered=False)

    assert result["results"][0]["error"] is None
    assert "no log shows why" in result["msg"]


def test_what_comes_back_is_returned() -> None:
    with running(SIMPLE_HOST, assumptions=IMPATIENT) as (_skipped, machine):
        result = deliver(machine, "nestle.com", fail_on_undelivered=False)

    (one,) = result["results"]
    assert (one["verdict"], one["events"][-1]["event"]) == (
        "returned",
        "1007 gateway report generation",
    )
    assert result["undelivered"] == ["nestle.com"]
    assert one["error"] is None  # the last reply was for later, and is not why it came back


def test_what_a_far_server_refuses_comes_back_with_its_words() -> None:
    with running(TREATED) as (lab, machine):
        lab.sinks["192.0.2.26"].temper = Temper.REJECT
        result = deliver(machine, "nestle.com", fail_on_undelivered=False)

    (one,) = result["results"]
    assert (one["verdict"], one["error"]["code"]) == ("returned", 550)
    assert one["error"]["source"].startswith("SMTP protocol log L")
    assert "returned (550 <postmaster@nestle.com>... User unknown)" in result["msg"]


def test_each_domain_has_its_own_verdict_in_the_order_asked() -> None:
    with running(TREATED) as (_skipped, machine):
        result = deliver(
            machine,
            "nosuch.example",
            {"name": "nestle.com", "recipient": "test@nestle.com"},
            fail_on_undelivered=False,
        )

    assert [(one["domain"], one["verdict"]) for one in result["results"]] == [
        ("nosuch.example", "returned"),
        ("nestle.com", "delivered"),
    ]
    assert result["results"][1]["recipient"] == "test@nestle.com"


def test_a_message_the_host_does_not_take_is_refused() -> None:
    with running(replace(TREATED, version=V50)) as (_skipped, machine):
        machine.host.fs.quota_bytes = machine.host.fs.used_bytes()
        result = deliver(machine, "nestle.com", fail_on_undelivered=False)

    (one,) = result["results"]
    assert (one["verdict"], one["error"]["code"]) == ("refused", 452)
    assert one["error"]["source"] == "submission"


def test_with_tracking_off_it_is_unknown_and_says_so() -> None:
    with running(replace(TREATED, tracking=False)) as (lab, machine):
        result = deliver(machine, "nestle.com", fail_on_undelivered=False)
        assert len(lab.sinks.received) == 1

    (one,) = result["results"]
    assert one["verdict"] == "unknown"
    assert "tracking" in one["reason"]
    assert "unknown (message tracking is off" in result["msg"]


def test_with_tracking_off_what_waits_is_still_found() -> None:
    with running(replace(SIMPLE_HOST, tracking=False)) as (_skipped, machine):
        result = deliver(machine, "nestle.com", fail_on_undelivered=False)

    (one,) = result["results"]
    assert (one["verdict"], one["error"]["text"]) == ("queued", ARTICLE)


def test_without_a_tracking_folder_nobody_waits_for_the_deadline() -> None:
    with running(replace(TREATED, tracking=False)) as (_skipped, machine):
        machine.host.fs.rmdir(TRACKING)
        hurry = Hurry()
        params = options(
            DELIVERY_TEST_SPEC, domains=["nestle.com"], deadline=300, fail_on_undelivered=False
        )
        result = run_delivery_test.run_by(
            hurry.clock(), params, context(DirectSession(machine.host))
        )

    assert hurry.slept < 30
    assert result["results"][0]["reason"] == (
        f"message tracking is off: the folder {TRACKING} does not exist"
    )


def test_a_file_that_the_service_does_not_take_is_found_in_pickup() -> None:
    with running(TREATED) as (_skipped, machine):
        machine.imc.assumptions = replace(machine.imc.assumptions, poll=60.0)
        machine.restart()
        time.sleep(0.1)
        result = deliver(machine, "nestle.com", fail_on_undelivered=False)

    (one,) = result["results"]
    assert (one["verdict"], one["reason"]) == (
        "queued",
        "its file is still in Pickup: the service has not read it",
    )


def test_q279320_a_file_that_the_service_cannot_use_is_found_in_archive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("exchange_lab.mail.imc_intake.parse_dropped", raising(ValueError("empty")))
    with running(TREATED) as (_skipped, machine):
        result = deliver(machine, "nestle.com", fail_on_undelivered=False)
    assert "to Pickup\\Archive (event 4164)" in result["results"][0]["reason"]


def test_a_session_that_breaks_while_following_loses_nothing() -> None:
    with running(TREATED) as (_skipped, machine):
        broken = raising(SessionLost("the line broke"))
        faults = iter([None, None, None, None, broken, broken])
        session = DirectSession(machine.host, faults)
        result = deliver(machine, "nestle.com", session=session)

    assert result["delivered"] == ["nestle.com"]
    assert session.reopened == 2


def test_a_queue_too_big_to_search_does_not_hide_what_the_logs_say() -> None:
    class Slow(DirectSession):
        def run(
            self, command: str, *, timeout: float = 60.0, max_output: int = 16_000_000
        ) -> Completed:
            if "findstr /i" in command:
                raise CommandTimeout("the search took too long")
            return super().run(command, timeout=timeout, max_output=max_output)

    with running(SIMPLE_HOST) as (_lab, machine):
        session = Slow(machine.host)
        result = deliver(machine, "nestle.com", session=session, fail_on_undelivered=False)

    (one,) = result["results"]
    assert (one["verdict"], one["error"]["text"]) == ("queued", ARTICLE)


def test_a_search_that_took_too_long_is_the_reason_where_nothing_else_is_known() -> None:
    class Blind(DirectSession):
        def run(
            self, command: str, *, timeout: float = 60.0, max_output: int = 16_000_000
        ) -> Completed:
            if "findstr" in command:
                raise CommandTimeout("the search took too long")
            return super().run(command, timeout=timeout, max_output=max_output)

    with running(TREATED) as (_lab, machine):
        session = Blind(machine.host)
        result = deliver(machine, "nestle.com", session=session, fail_on_undelivered=False)

    (one,) = result["results"]
    assert (one["verdict"], one["reason"]) == ("unknown", "the search took too long")


# -- delivery_test: before anything is sent -----------------------------------------------------


def test_check_mode_sends_nothing_and_says_what_it_would_send() -> None:
    with running(TREATED) as (lab, machine):
        before = sorted(machine.host.fs.walk(ROOT))
        result = deliver(machine, "nestle.com", check_mode=True, sender="mx@hq.example")
        time.sleep(0.2)
        assert lab.sinks.received == ()
        assert sorted(machine.host.fs.walk(ROOT)) == before

    assert result["would_send"] == [
        {
            "domain": "nestle.com",
            "recipient": "postmaster@nestle.com",
            "sender": "mx@hq.example",
            "subject": "Delivery test",
        }
    ]
    assert [one["verdict"] for one in result["results"]] == ["would_send"]
    assert result["changed"] is False


def test_a_stopped_service_gets_nothing() -> None:
    with (
        running(replace(TREATED, running=False)) as (_skipped, machine),
        pytest.raises(ExchangeError, match="is stopped, so nothing was sent"),
    ):
        deliver(machine, "nestle.com")


def test_pickup_is_refused_on_5_0_even_if_somebody_made_the_folder() -> None:
    with running(replace(TREATED, version=V50)) as (_skipped, machine):
        machine.host.fs.mkdir(f"{ROOT}\\Pickup")
        with pytest.raises(ExchangeError, match=r"Exchange 5\.0 has no Pickup folder"):
            deliver(machine, "nestle.com", method="pickup")
        assert deliver(machine, "nestle.com")["method"] == "smtp"


def test_a_host_without_a_domain_needs_a_sender() -> None:
    with running(TREATED) as (_skipped, machine):
        key = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
        machine.host.registry.delete(key, "Domain")
        with pytest.raises(ExchangeError, match="the test needs a sender"):
            deliver(machine, "nestle.com", check_mode=True)
        result = deliver(machine, "nestle.com", sender="mx@hq.example")

    assert result["sender"] == "mx@hq.example"


def test_a_host_without_a_connector_gets_nothing(machine: LabHost) -> None:
    params = options(DELIVERY_TEST_SPEC, domains=["nestle.com"])
    with pytest.raises(ExchangeError, match="Internet Mail Connector is not installed"):
        run_delivery_test.run(params, context(DirectSession(machine)))


# -- queue_info ---------------------------------------------------------------------------------

LETTERS = (
    Letter("a@hq.example", "b@nestle.com", "one"),
    Letter("a@hq.example", "c@nestle.com", "two"),
    Letter("a@hq.example", "d@flaky.example", "three"),
)


def stuck_host(**changes: Any) -> HostSpec:
    return replace(SIMPLE_HOST, letters=LETTERS, **changes)


def wait_for_failures(machine: Machine) -> None:
    machine.imc.wait(lambda imc: all(entry.reply for entry in imc.queue))


def test_queue_info_tells_who_waits_and_why() -> None:
    with running(stuck_host()) as (_skipped, machine):
        wait_for_failures(machine)
        result = queue(machine)

    assert result["files"] == 3
    assert result["bytes"] > 300
    assert result["files_unread"] == 0
    assert result["stuck_domains"] == ["flaky.example", "nestle.com"]
    first = result["queues"][0]
    assert (first["domain"], first["messages"]) == ("nestle.com", 2)
    assert (first["error"]["code"], first["error"]["error_class"]) == (499, "no_connection")
    assert first["last_error"] == f"499 {ARTICLE}"
    assert result["oldest"] == min(one["oldest"] for one in result["queues"])
    assert result["counters"]["queued_outbound"] == 3
    assert {"nestle.com", "flaky.example"} == {one["domain"] for one in result["failures"]}
    assert len(result["failures"]) == len({str(one) for one in result["failures"]})


def test_queue_info_changes_nothing_and_leaves_nothing() -> None:
    with running(stuck_host()) as (_skipped, machine):
        wait_for_failures(machine)
        session = DirectSession(machine.host)
        run_queue_info.run(options(QUEUE_INFO_SPEC), context(session))

    verbs = {"del", "move", "copy", "mkdir", "rd", "add", "delete", "start", "stop", ">", ">>"}
    assert not verbs & {word for line in session.lines for word in line.split()}


def test_queue_info_without_logs_says_what_that_means() -> None:
    with running(stuck_host(diagnostics=0)) as (_skipped, machine):
        wait_for_failures(machine)
        result = queue(machine, counters=False)

    assert result["stuck_domains"] == ["flaky.example", "nestle.com"]
    assert [one["last_error"] for one in result["queues"]] == [None, None]
    assert set(result["counters"].values()) == {None}
    assert any("diagnostics level 3" in note for note in result["warnings"])


def test_queue_info_says_what_it_did_not_look_into() -> None:
    with running(stuck_host()) as (_skipped, machine):
        wait_for_failures(machine)
        machine.host.fs.write_bytes(f"{ROOT}\\Out\\HUGE", b"To: x@huge.example\r\n" * 100_000)
        machine.host.fs.write_bytes(f"{ROOT}\\Out\\A & B", b"To: x@odd.example\r\n\r\n")
        few = queue(machine, max_files=2)
        result = queue(machine)

    assert (few["files"], few["files_unread"]) == (5, 3)
    assert any("3 of 5 messages were not read" in note for note in few["warnings"])
    assert (result["files"], result["files_unread"]) == (5, 2)
    assert result["stuck_domains"] == ["flaky.example", "nestle.com"]


def test_queue_info_names_returned_mail_from_the_end_of_the_tracking_log() -> None:
    with running(stuck_host(), assumptions=IMPATIENT) as (_skipped, machine):
        machine.imc.wait(lambda imc: len(imc.journal.returned) == 3)
        log = next(name for name in machine.host.fs.listdir(TRACKING))
        data = machine.host.fs.read_bytes(f"{TRACKING}\\{log}")
        filler = b"id\t1012\t2026.1.1 0:0:0" + b"\t" * 10 + b"0\r\n"
        machine.host.fs.write_bytes(f"{TRACKING}\\{log}", filler * 70_000 + data)
        result = queue(machine, tracking_lines=100)

    assert result["stuck_domains"] == []
    assert {one["domain"] for one in result["returned"]} == {"nestle.com", "flaky.example"}
    assert {one["event"] for one in result["returned"]} == {"1007 gateway report generation"}


def test_queue_info_leaves_out_own_domains_and_young_mail() -> None:
    with running(stuck_host(diagnostics=0)) as (_skipped, machine):
        wait_for_failures(machine)
        assert queue(machine, min_age=3600)["stuck_domains"] == []
        assert queue(machine, own_domains=["Nestle.com"])["stuck_domains"] == ["flaky.example"]


def test_queue_info_on_a_host_without_a_connector_fails(machine: LabHost) -> None:
    with pytest.raises(ExchangeError, match="Internet Mail Connector is not installed"):
        run_queue_info.run(options(QUEUE_INFO_SPEC), context(DirectSession(machine)))


@pytest.mark.parametrize("name", ["max_files", "max_bytes", "max_logs", "tracking_lines"])
def test_queue_info_refuses_limits_that_are_none(name: str, machine: LabHost) -> None:
    for value in (-1, 10**9):
        with pytest.raises(InvalidInput, match=name):
            run_queue_info.run(
                options(QUEUE_INFO_SPEC, **{name: value}), context(DirectSession(machine))
            )


# -- exchange_info ------------------------------------------------------------------------------


def test_exchange_info_of_an_untreated_5_5() -> None:
    with running(SIMPLE_HOST) as (_skipped, machine):
        result = about(machine)

    assert (result["family"], result["version"], result["build"]) == ("imc", "5.5", 2653)
    assert result["service_pack"] == "SP4"
    assert result["service"]["state"] == "running"
    assert result["root_dir"] == ROOT
    assert result["tracking"] == {"folder": TRACKING, "exists": True}
    assert result["pickup"] is True
    assert result["resolver"]["search_list_disabled"] is False
    assert result["resolver"]["search_list"] == ["hq.example"]
    assert result["tools"]["imccopy"] == r"C:\exchsrvr\bin\imccopy.exe"
    assert result["tools"]["findstr"].endswith(r"\findstr.exe")
    assert result["tools"]["restest"] is None
    assert result["warnings"] == []


@pytest.mark.parametrize(
    ("switch", "disabled"),
    [
        (("DisableResolverSearchList", 1), True),
        (("DisableResolverSearchList", 0), False),
        (("disableresolversearchlist", 1), False),
    ],
)
def test_exchange_info_knows_that_the_spelling_counts(
    switch: tuple[str, int], disabled: bool
) -> None:
    with running(replace(SIMPLE_HOST, switch=switch)) as (_skipped, machine):
        resolver = about(machine)["resolver"]

    assert resolver["search_list_disabled"] is disabled
    assert resolver["stored_name"] == switch[0]


def test_exchange_info_of_4_0_notes_what_is_missing() -> None:
    spec = replace(SIMPLE_HOST, version=V40, imccopy=None, running=False)
    with running(spec) as (_skipped, machine):
        result = about(machine)

    assert (result["version"], result["service_pack"]) == ("4.0", "SP5")
    assert result["service"]["state"] == "stopped"
    assert result["pickup"] is False
    assert any("imccopy was not found" in note for note in result["warnings"])


@pytest.mark.parametrize("family", ["auto", "imc"])
def test_the_basics_are_what_the_registry_tells_in_one_command(family: str) -> None:
    with running(SIMPLE_HOST) as (_skipped, machine):
        whole = about(machine, family=family)
        session = DirectSession(machine.host)
        given = options(EXCHANGE_INFO_SPEC, family=family, gather="basics")
        basics = run_exchange_info.run(given, context(session))

    assert len(session.lines) == 1
    differ = {key for key in whole if basics[key] != whole[key]}
    assert differ == {"tracking", "pickup", "tools"}
    assert basics["tracking"] == {"folder": TRACKING, "exists": None}
    assert (basics["pickup"], basics["tools"], basics["warnings"]) == (None, {}, [])


def test_the_basics_say_nothing_of_what_was_not_looked_for() -> None:
    spec = replace(SIMPLE_HOST, version=V40, imccopy=None, running=False)
    with running(spec) as (_skipped, machine):
        result = about(machine, gather="basics")

    assert (result["version"], result["service"]["state"]) == ("4.0", "stopped")
    assert result["warnings"] == []  # and not that imccopy was not found


def test_the_basics_of_a_host_without_exchange_are_an_answer(machine: LabHost) -> None:
    result = about(machine, gather="basics")

    assert (result["family"], result["exchange_installed"]) == ("none", False)
    assert result["warnings"] == ["Exchange 4.0, 5.0 or 5.5 is not installed on this host."]


def test_exchange_info_of_a_host_without_exchange_is_an_answer(machine: LabHost) -> None:
    result = about(machine)

    assert (result["family"], result["exchange_installed"]) == ("none", False)
    assert result["service"] is None
    assert result["tools"]["sc"] is not None
    assert result["warnings"] == ["Exchange 4.0, 5.0 or 5.5 is not installed on this host."]


def test_exchange_info_of_another_exchange_says_so(machine: LabHost) -> None:
    machine.registry.set(
        r"HKLM\SOFTWARE\Microsoft\Exchange\Setup", "NewestBuild", "REG_DWORD", 6944
    )
    result = about(machine)

    assert (result["family"], result["version"], result["build"]) == ("other", None, 6944)


def test_the_busy_exchange_is_named_where_only_the_switch_is_set() -> None:
    spec = replace(SIMPLE_HOST, switch=("DisableResolverSearchList", 1))
    with running(spec) as (lab, machine):
        lab.sinks["192.0.2.25"].temper = Temper.DEFER
        result = deliver(machine, "nestle.com", fail_on_undelivered=False)

    assert result["results"][0]["error"]["code"] == 451
