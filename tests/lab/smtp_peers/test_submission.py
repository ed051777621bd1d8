# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""delivery_test hands messages to a real server: logins, certificates, refusals, words."""

from __future__ import annotations

import secrets
import smtplib
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.message import (
    Probe,
    Target,
    compose,
    message_bytes,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.submission import (
    SmtpOptions,
    submit,
)
from exchange_lab.mail.smtp_sink import SinkFarm
from exchange_lab.windows.certificates import TestAuthority

from .policy import Greylist
from .postfix import Postfix
from .site import MECHANISMS, PASSWORD, SENDER, USER

pytestmark = pytest.mark.peers

REJECTED = "Recipient address rejected"
LOGIN = {"user": USER, "password": PASSWORD}


def probes(*recipients: str, sender: str = SENDER) -> list[Probe]:
    targets = [Target(name.partition("@")[2], name) for name in recipients]
    now = datetime.now(UTC)
    return compose(
        targets, sender=sender, subject="Straße", now=now, run_tag=f"t{secrets.token_hex(8)}"
    )


def options(server: Postfix, listener: str, **more: Any) -> SmtpOptions:
    return SmtpOptions(host="127.0.0.1", port=server.ports[listener], timeout=20.0, **more)


def refusals(
    server: Postfix, listener: str, sent: list[Probe], **more: Any
) -> dict[str, tuple[int | None, str | None, str]]:
    """Return code, enhanced code and text of each refusal, by recipient."""
    refused = submit(sent, options(server, listener, **more))
    recipients = {probe.tag: probe.recipient for probe in sent}
    return {
        recipients[tag]: (error.code, error.enhanced, error.text) for tag, error in refused.items()
    }


def failure(server: Postfix, listener: str, **more: Any) -> ExchangeError:
    """Return the error of a submission that never comes to a message; Postfix took nothing."""
    (probe,) = sent = probes("bob@nestle.com")
    with pytest.raises(ExchangeError) as caught:
        submit(sent, options(server, listener, **more))
    assert probe.message_id not in server.log
    return caught.value


def arrived(server: Postfix, probe: Probe) -> list[Message]:
    """Wait for a message, and return what lies in the mailbox under its Message-ID."""

    def found(it: Postfix) -> list[Message]:
        return [m for m in it.mail(probe.recipient) if m["Message-ID"] == probe.message_id]

    server.wait(lambda it: bool(found(it)))
    return found(server)


def test_plain(server: Postfix) -> None:
    (probe,) = sent = probes("bob@nestle.com")
    assert refusals(server, "mx", sent) == {}
    (mail,) = arrived(server, probe)
    assert mail["Return-Path"] == f"<{SENDER}>"
    lines = mail.as_bytes().replace(b"\n", b"\r\n")
    assert lines.endswith(message_bytes(probe))


def test_one_connection_for_all_and_each_refusal_told(server: Postfix) -> None:
    before = server.log.count("disconnect from unknown")
    sent = probes("nobody@nestle.com", "postmaster@aol.com", "joe@far.example", "bob@nestle.com")
    sent += probes("postmaster@busy.example")
    assert refusals(server, "mx", sent) == {
        "nobody@nestle.com": (
            550,
            "5.1.1",
            f"<nobody@nestle.com>: {REJECTED}: User unknown in virtual mailbox table",
        ),
        "joe@far.example": (554, "5.7.1", "<joe@far.example>: Relay access denied"),
        "postmaster@busy.example": (
            450,
            "4.2.1",
            f"<postmaster@busy.example>: {REJECTED}: Mailbox busy",
        ),
    }
    assert [len(arrived(server, probe)) for probe in (sent[1], sent[3])] == [1, 1]
    server.wait(lambda one: one.log.count("disconnect from unknown") > before)
    assert server.log.count("disconnect from unknown") - before == 1


def test_a_sender_that_is_refused(server: Postfix) -> None:
    sent = probes("bob@nestle.com", sender="spammer@hq.example")
    assert refusals(server, "mx", sent) == {
        "bob@nestle.com": (
            554,
            "5.7.1",
            "<spammer@hq.example>: Sender address rejected: We know you",
        )
    }


def test_a_message_that_is_too_long(server: Postfix) -> None:
    sent = probes("bob@nestle.com", "postmaster@aol.com")
    told = (552, "5.3.4", "Message size exceeds fixed limit")
    assert refusals(server, "small", sent) == dict.fromkeys(
        ("bob@nestle.com", "postmaster@aol.com"), told
    )


def test_greylisting(server: Postfix, greylist: Greylist) -> None:
    sent = probes("postmaster@grey.example")
    ((code, enhanced, text),) = refusals(server, "mx", sent).values()
    assert (code, enhanced) == (450, "4.7.1")
    assert "Greylisted, try again later" in text
    assert refusals(server, "mx", sent) == {}
    assert greylist.seen == [(SENDER, "postmaster@grey.example")] * 2


def test_a_server_that_has_enough_of_errors_gets_the_rest_in_a_new_connection(
    server: Postfix,
) -> None:
    unknown = [f"nobody{number}@nestle.com" for number in range(9)]
    sent = probes(*unknown, "bob@nestle.com")
    refused = refusals(server, "strict", sent)
    assert {name: told[:2] for name, told in refused.items()} == dict.fromkeys(
        unknown, (550, "5.1.1")
    )
    assert "too many errors" in server.log
    assert len(arrived(server, sent[-1])) == 1


def test_too_many_connections(server: Postfix) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["crowded"]):
        error = failure(server, "crowded")
    assert "it answered 421 4.7.0" in error.message
    assert "too many connections" in error.message


@pytest.mark.parametrize("listener", ["tls", "tls_only"])
def test_starttls_with_the_right_authority(
    server: Postfix, authority: TestAuthority, listener: str
) -> None:
    before = server.log.count("TLS connection established")
    sent = probes("bob@nestle.com")
    assert refusals(server, listener, sent, starttls=True, ca_cert=authority.ca_file) == {}
    server.wait(lambda it: it.log.count("TLS connection established") == before + 1)


@pytest.fixture
def trusted(authority: TestAuthority, stranger: Path) -> Callable[[str], Path]:
    """Whom a client trusts that talks to a listener: a stranger, if nothing else is wrong."""
    return lambda listener: stranger if listener == "tls" else authority.ca_file


@pytest.mark.parametrize(
    ("listener", "said", "hint"),
    [
        ("tls", "unable to get local issuer certificate", "ca_cert"),
        ("other_name", "IP address mismatch", "a host name that is in the server's certificate"),
        ("expired", "certificate has expired", "Renew the certificate"),
    ],
)
def test_starttls_with_a_certificate_that_is_not_right(
    trusted: Callable[[str], Path], server: Postfix, listener: str, said: str, hint: str
) -> None:
    error = failure(server, listener, starttls=True, ca_cert=trusted(listener), **LOGIN)
    assert f"its certificate is not trusted: {said}" in error.message
    assert hint in (error.hint or "")
    assert refusals(server, listener, probes("bob@nestle.com"), starttls=True, validate=False) == {}


def test_starttls_where_there_is_none(server: Postfix) -> None:
    error = failure(server, "mx", starttls=True)
    assert "the server does not offer STARTTLS" in error.message
    assert "Leave out starttls" in (error.hint or "")


def test_no_starttls_where_it_is_demanded(server: Postfix) -> None:
    ((code, enhanced, text),) = refusals(server, "tls_only", probes("bob@nestle.com")).values()
    assert (code, enhanced, text) == (530, "5.7.0", "Must issue a STARTTLS command first")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_login_lets_mail_be_relayed(
    server: Postfix, authority: TestAuthority, sinks: SinkFarm, mechanism: str
) -> None:
    (probe,) = sent = probes("joe@accept.example")
    tls = {"starttls": True, "ca_cert": authority.ca_file}
    assert refusals(server, mechanism, sent, **tls, **LOGIN) == {}
    received = sinks.wait(lambda items: any(x.message_id == probe.message_id for x in items), 30)
    (item,) = [x for x in received if x.message_id == probe.message_id]
    assert (item.sender, item.recipients) == (SENDER, ("joe@accept.example",))
    assert item.content.endswith(message_bytes(probe))


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password(server: Postfix, authority: TestAuthority, mechanism: str) -> None:
    wrong = {"user": USER, "password": "wrong-battery-staple"}
    error = failure(server, mechanism, starttls=True, ca_cert=authority.ca_file, **wrong)
    assert "the login was refused: 535 5.7.8 Error: authentication failed" in error.message
    assert "Check user and password" in (error.hint or "")
    assert "wrong-battery-staple" not in f"{error.message}{error.hint}{error.details}"


def test_no_login_is_relay_access_denied(server: Postfix, authority: TestAuthority) -> None:
    sent = probes("joe@accept.example")
    told = refusals(server, "plain", sent, starttls=True, ca_cert=authority.ca_file)
    assert told == {
        "joe@accept.example": (554, "5.7.1", "<joe@accept.example>: Relay access denied")
    }


def test_a_login_that_is_offered_over_tls_only(server: Postfix) -> None:
    error = failure(server, "plain", **LOGIN)
    assert "the server does not offer a login" in error.message
    assert "Set starttls" in (error.hint or "")


def test_a_login_of_a_kind_that_is_not_spoken(server: Postfix, authority: TestAuthority) -> None:
    """Exchange offers NTLM and GSSAPI only, where basic logins are turned off."""
    error = failure(server, "ntlm", starttls=True, ca_cert=authority.ca_file, **LOGIN)
    assert "the server offers no login by CRAM-MD5, PLAIN or LOGIN" in error.message
    assert "from this address without one" in (error.hint or "")


def test_a_login_in_clear_text(server: Postfix, sinks: SinkFarm) -> None:
    (probe,) = sent = probes("joe@accept.example")
    assert refusals(server, "cleartext", sent, **LOGIN) == {}
    sinks.wait(lambda items: any(x.message_id == probe.message_id for x in items), 30)


def test_postfix_never_saw_a_password_in_its_log(server: Postfix) -> None:
    assert PASSWORD not in server.log
