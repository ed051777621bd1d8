# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""delivery_test: every verdict, both ways to send, no secret shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from exchange_lab.lab import Lab
from exchange_lab.mail.imc_listener import Submission
from exchange_lab.mail.imc_model import V40, V50, Assumptions, Relay
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.scenario import NESTLE_SINKS, SIMPLE_HOST, HostSpec, Letter, simple
from worker import Play

Start = Callable[..., Any]

TREATED = replace(
    SIMPLE_HOST,
    switch=("DisableResolverSearchList", 1),
    rows=("NESTLE.COM;192.0.2.25;0", "NESTLE.COM;192.0.2.26;0"),
)
SMTP_PASSWORD = "Sm7p-Secret-Word"


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a lab of one host."""

    @contextmanager
    def running(spec: HostSpec, **changes: Any) -> Iterator[Lab]:
        with Lab(replace(simple(spec), **changes), folder=tmp_path / "lab") as lab:
            yield lab

    return running


def delivery(*domains: Any, **options: Any) -> dict[str, Any]:
    smtp = {"port": "{{ mx_delivery_test_smtp_port }}", **options.pop("smtp", {})}
    given = {"domains": list(domains), "deadline": 4, "interval": 1, "smtp": smtp, **options}
    return {"postmaster.exchange.delivery_test": given}


def verdicts(result: dict[str, Any]) -> dict[str, str]:
    return {one["domain"]: one["verdict"] for one in result["results"]}


def test_5_5_by_pickup(start: Start, play: Play, capfd: pytest.CaptureFixture[str]) -> None:
    with start(TREATED) as lab:
        results = play(
            lab,
            "mail55",
            ("first", delivery("nestle.com", "nosuch.example")),
            ("again", delivery({"name": "nestle.com", "recipient": "mx@nestle.com"})),
        )
        received = lab.sinks.received
    printed = capfd.readouterr().err

    assert verdicts(results["first"]) == {"nestle.com": "delivered", "nosuch.example": "returned"}
    assert results["first"]["failed"] is True
    assert results["first"]["msg"].startswith(
        "mail55: 1 of 2 test messages were not delivered: nosuch.example returned."
    )
    assert results["again"]["failed"] is False
    assert results["again"]["method"] == "pickup"
    assert results["first"]["changed"] is results["again"]["changed"] is False
    assert [mail.recipients for mail in received] == [
        ("postmaster@nestle.com",),
        ("mx@nestle.com",),
    ]
    assert "mail55: the host accepts 2 test messages by pickup" in printed
    assert "mail55: nestle.com: delivered after" in printed


def test_5_0_by_smtp_untreated_and_returned(start: Start, play: Play) -> None:
    with start(replace(SIMPLE_HOST, version=V50)) as lab:
        results = play(lab, "mail55", ("test", delivery("nestle.com", fail_on_undelivered=False)))
        lab["mail55"].imc.assumptions = Assumptions(retry_after=(0.01,), expire_after=0.0)
        lab["mail55"].restart()
        later = play(lab, "mail55", ("test", delivery("nestle.com", fail_on_undelivered=False)))

    assert results["test"]["method"] == "smtp"
    (one,) = results["test"]["results"]
    assert one["verdict"] == "queued"
    assert one["error"]["text"] == ("No routing hosts are reachable for nestle.com.")
    assert verdicts(later["test"]) == {"nestle.com": "returned"}
    assert later["test"]["failed"] is False


def test_4_0_does_not_relay_so_mail_of_users_is_the_test(start: Start, play: Play) -> None:
    waiting = Letter("sales@hq.example", "buyer@nestle.com", "Offer")
    spec = replace(TREATED, version=V40, imccopy=None, letters=(waiting,))
    busy = tuple(replace(sink, temper=Temper.BUSY) for sink in NESTLE_SINKS)
    test = {"deadline": 20}
    with start(spec, sinks=busy) as lab:
        lab["mail55"].imc.wait(lambda imc: any(entry.reply for entry in imc.queue))
        nothing = play(lab, "mail55", ("test", delivery("aol.com", **test)))["test"]
        returned = play(lab, "mail55", ("test", delivery("nestle.com", method="smtp")))["test"]
        for sink in busy:
            Timer(1.0, setattr, (lab.sinks[sink.address], "temper", Temper.ACCEPT)).start()
        real = play(lab, "mail55", ("test", delivery("nestle.com", **test)))["test"]
        assert [mail.recipients for mail in lab.sinks.received] == [("buyer@nestle.com",)]

    assert (verdicts(nothing), nothing["failed"]) == ({"aol.com": "not_tested"}, False)
    assert nothing["msg"].startswith("1 domain not tested: Exchange 4.0 does not relay")
    assert (verdicts(returned), returned["failed"]) == ({"nestle.com": "not_tested"}, False)
    assert "relays to custom recipients only" in returned["msg"]
    assert verdicts(real) == {"nestle.com": "delivered"}
    assert "mail of a user" in real["results"][0]["reason"]


@pytest.mark.parametrize(
    ("relay", "verdict", "article"),
    [(Relay.RETURNED, "returned", "Q255695"), (Relay.PROHIBITED, "refused", "Q193922")],
)
def test_settings_of_the_connector_that_stop_messages_by_smtp_are_named(
    start: Start, play: Play, relay: Relay, verdict: str, article: str
) -> None:
    with start(replace(TREATED, version=V50, relay=relay)) as lab:
        result = play(lab, "mail55", ("test", delivery("nestle.com")))["test"]
    assert verdicts(result) == {"nestle.com": verdict}
    assert article in result["results"][0]["reason"]


def test_tracking_off_is_unknown_and_a_stopped_service_gets_nothing(
    start: Start, play: Play
) -> None:
    with start(replace(TREATED, tracking=False)) as lab:
        results = play(lab, "mail55", ("test", delivery("nestle.com")))
        lab["mail55"].host.services.stop("MSExchangeIMC")
        lab["mail55"].host.services.wait("MSExchangeIMC", {1}, 10.0)
        stopped = play(lab, "mail55", ("test", delivery("nestle.com")))

    assert verdicts(results["test"]) == {"nestle.com": "unknown"}
    assert "message tracking is off" in results["test"]["msg"]
    assert "is stopped, so nothing was sent" in stopped["test"]["msg"]
    assert "results" not in stopped["test"]


def test_check_mode_sends_nothing(start: Start, play: Play) -> None:
    with start(TREATED) as lab:
        results = play(lab, "mail55", ("test", delivery("nestle.com")), check=True)
        assert lab.sinks.received == ()
        assert lab["mail55"].imc.queue == ()

    assert results["test"]["failed"] is False
    assert results["test"]["would_send"][0]["recipient"] == "postmaster@nestle.com"
    assert results["test"]["changed"] is False


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_login_and_no_secret_shown(
    start: Start, play: Play, capfd: pytest.CaptureFixture[str]
) -> None:
    submission = Submission(users={"mx": SMTP_PASSWORD})
    login = {"user": "mx", "password": SMTP_PASSWORD, "cleartext_login": True}
    with start(replace(TREATED, version=V50, submission=submission)) as lab:
        results = play(
            lab,
            "mail55",
            ("readable", delivery("nestle.com", smtp={**login, "cleartext_login": False})),
            ("nobody", delivery("nestle.com")),
            ("wrong", delivery("nestle.com", smtp={**login, "password": SMTP_PASSWORD + "-not"})),
            ("right", delivery("nestle.com", smtp=login)),
            verbosity=5,
        )
        password = lab.scenario.password
    shown = "".join((str(results), *capfd.readouterr()))

    assert "password would be sent in clear text" in results["readable"]["msg"]
    assert verdicts(results["nobody"]) == {"nestle.com": "refused"}
    assert "the login was refused" in results["wrong"]["msg"]
    assert verdicts(results["right"]) == {"nestle.com": "delivered"}
    assert SMTP_PASSWORD not in shown
    assert password not in shown


def test_the_real_module_elsewhere_says_the_same(start: Start, play: Play) -> None:
    with start(TREATED) as lab:
        where = {
            "host": "127.0.0.1",
            "port": lab["mail55"].winrm.port,
            "scheme": "http",
            "user": lab.scenario.user,
            "password": lab.scenario.password,
        }
        elsewhere = {
            "ansible_connection": "elsewhere",
            "ansible_python_interpreter": sys.executable,
        }
        results = play(
            lab,
            "mail55",
            ("here", delivery("nestle.com", "nosuch.example")),
            (
                "there",
                {**delivery("nestle.com", "nosuch.example", connection=where), "vars": elsewhere},
            ),
        )

    assert verdicts(results["here"]) == verdicts(results["there"])
    assert results["there"]["failed"] is True
    assert results["here"]["undelivered"] == results["there"]["undelivered"] == ["nosuch.example"]


def test_bad_input_is_a_clear_error_before_anything_is_asked(start: Start, play: Play) -> None:
    with start(TREATED) as lab:
        before = lab["mail55"].requests
        results = play(
            lab,
            "mail55",
            ("address", delivery("me@nestle.com")),
            ("sender", delivery("nestle.com", sender="nobody")),
            ("method", delivery("nestle.com", method="pigeon")),
            ("port", delivery("nestle.com", method="smtp", smtp={"port": 1})),
        )
        assert lab["mail55"].requests - before < 20  # only the last one looked at the host

    assert "is an e-mail address" in results["address"]["msg"]
    assert "is not a mailbox" in results["sender"]["msg"]
    assert "value of method must be one of" in results["method"]["msg"]
    assert "No test message was accepted: SMTP to 127.0.0.1 port 1" in results["port"]["msg"]
