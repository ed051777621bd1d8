# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cause is named only where the evidence shows it; the rules hold for both kinds of hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.case import Patient
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.kinds import (
    Cause,
    Kind,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.text import findings
from sickbed import (
    AAAA,
    CONTACT,
    DANGLING,
    DNS,
    HIJACK,
    NEW,
    OFF,
    OUTDATED,
    PINNED,
    TO_PIN,
    connectors,
    domain,
    down,
    new_queue,
    old,
    old_queue,
    responded,
)


def found(
    patient: Patient, *domains: Any, suffixes: tuple[str, ...] = ()
) -> dict[str, list[Cause]]:
    known = {one["domain"]: one for one in domains}
    return {case.domain: causes for case, causes in findings(patient, known, suffixes)}


def of_old(  # pylint: disable=dangerous-default-value
    error: str | None,
    *domains: Any,
    info: dict[str, Any] = OFF,
    planned: dict[str, Any] = TO_PIN,
    tested: dict[str, Any] | None = None,
) -> list[Cause]:
    queue = old_queue(nestle_com=error)
    return found(Patient("mail55", info, queue, planned, tested), *domains)["nestle.com"]


def of_new(
    error: str | None,
    *domains: Any,
    by: str = "DnsConnectorDelivery",
    planned: dict[str, Any] | None = None,
    tested: dict[str, Any] | None = None,
) -> list[Cause]:
    queue = new_queue(by, nestle_com=error)
    return found(Patient("ex19", NEW, queue, planned, tested), *domains)["nestle.com"]


def kinds(causes: list[Cause]) -> list[tuple[Kind, bool]]:
    return [(cause.kind, cause.sure) for cause in causes]


SURE, MAYBE = True, False


# -- the search list (Q150969)


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (old(), Kind.SEARCH_LIST),
        (old(name="DisableResolverSearchList", number=0), Kind.SEARCH_LIST),
        (old(name="disableresolversearchlist"), Kind.SEARCH_LIST),  # a spelling that does not count
        (OFF, Kind.UNREACHABLE),
        (old(suffix="other.example"), Kind.UNREACHABLE),
    ],
)
def test_a_suffix_with_an_answer_is_the_cause_where_it_is_appended(
    info: dict[str, Any], expected: Kind
) -> None:
    (cause, *_others) = of_old(CONTACT, domain("nestle.com", "ok", HIJACK), info=info)
    assert (cause.kind, cause.sure) == (expected, SURE)
    assert cause.switch is (expected is Kind.SEARCH_LIST)


def test_it_tells_suffix_answer_and_both_cures() -> None:
    (cause,) = of_old(CONTACT, domain("nestle.com", "ok", HIJACK), info=old())
    assert cause.sentence == (
        "the host appends hq.example to names, and nestle.com.hq.example has an answer (MX 10"
        " mail.hq.example), so mail for nestle.com is led there (Q150969)"
    )
    assert cause.remedy == "Switch the search list off and pin the domain to 192.0.2.25."
    (cause,) = of_old(CONTACT, domain("nestle.com", "temporary_failure", HIJACK), info=old())
    assert (cause.remedy, cause.pin) == ("Switch the search list off.", False)


def test_a_suffix_that_only_the_administrator_knows_counts_too() -> None:
    patient = Patient("mail55", old(suffix="x.example"), old_queue(nestle_com=CONTACT), TO_PIN)
    led = domain("nestle.com", "ok", HIJACK)
    assert found(patient, led)["nestle.com"][0].kind is Kind.UNREACHABLE
    named = found(patient, led, suffixes=("HQ.example.",))
    assert named["nestle.com"][0].kind is Kind.SEARCH_LIST


def test_who_looks_no_name_up_is_not_led_astray() -> None:
    led = domain("nestle.com", "ok", HIJACK)
    assert kinds(of_old(CONTACT, led, info=old(), planned=PINNED)) == [(Kind.UNREACHABLE, SURE)]


def test_who_reached_the_right_address_was_not_led_astray() -> None:
    led = domain("nestle.com", "ok", HIJACK)
    busy = of_new(responded("421 4.3.2 Service not available"), led)
    assert kinds(busy) == [(Kind.BUSY, SURE)]
    patient = Patient("mail55", old(), old_queue(nestle_com="451 try later"), TO_PIN)
    assert patient.queue is not None
    patient.queue["queues"][0]["address"] = "192.0.2.25"
    assert found(patient, led)["nestle.com"][0].kind is Kind.PUT_OFF


def test_what_windows_may_append_is_possible_and_never_sure() -> None:
    led = domain("nestle.com", "ok", HIJACK)
    assert kinds(of_new(DNS, led)) == [(Kind.UNKNOWN, SURE), (Kind.SEARCH_LIST, MAYBE)]
    by_connector = of_new(down(10060), led, by="SmartHostConnectorDelivery")
    assert Kind.SEARCH_LIST not in dict(kinds(by_connector))


# -- domains that take no mail, or cannot be found


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("null_mx", Kind.NULL_MX),
        ("no_such_domain", Kind.NO_SUCH_DOMAIN),
        ("loop", Kind.OWN_HOSTS),
        ("no_address", Kind.DANGLING),
    ],
)
def test_what_dns_says_of_the_domain_comes_first(status: str, kind: Kind) -> None:
    for causes in (
        of_old(CONTACT, domain("nestle.com", status)),
        of_new(DNS, domain("nestle.com", status)),
        of_new(None, domain("nestle.com", status)),
    ):
        assert (causes[0].kind, causes[0].sure) == (kind, SURE)
        assert causes[0].remedy
        assert not causes[0].pin


def test_a_dangling_exchange_beside_sound_ones_is_possible() -> None:
    causes = of_old(None, domain("nestle.com", "ok", DANGLING))
    assert kinds(causes) == [(Kind.UNKNOWN, SURE), (Kind.DANGLING, MAYBE)]
    assert causes[1].evidence == (DANGLING["message"],)
    assert Kind.DANGLING not in dict(
        kinds(of_old(None, domain("nestle.com", "ok", DANGLING), planned=PINNED))
    )


# -- what the host could not reach


@pytest.mark.parametrize(
    ("winsock", "said"),
    [
        (10061, "192.0.2.25 refused the connection"),
        (10060, "192.0.2.25 did not answer"),
        (10065, "192.0.2.25 took no connection"),
    ],
)
def test_a_connection_that_was_not_made_is_told_by_the_host(winsock: int, said: str) -> None:
    (cause,) = of_new(down(winsock), domain())
    assert (cause.kind, cause.sure) == (Kind.UNREACHABLE, SURE)
    assert said in cause.sentence
    assert "on this host whether port 25" in cause.remedy


def test_several_out_of_reach_make_the_own_way_out_suspect() -> None:
    both = old_queue(nestle_com=CONTACT, aol_com=CONTACT)
    causes = found(Patient("mail55", OFF, both, {}), domain(), domain("aol.com"))
    assert "so it is with 1 other domain" in causes["aol.com"][0].sentence
    assert "port 25: a firewall" in causes["aol.com"][0].remedy
    one = new_queue(nestle_com=down(10060), aol_com=DNS)
    causes = found(Patient("ex19", NEW, one), domain(), domain("aol.com"))
    assert "firewall" not in causes["nestle.com"][0].remedy


def test_domains_with_a_cause_of_their_own_do_not_make_it_suspect() -> None:
    both = old_queue(nestle_com=CONTACT, aol_com=CONTACT)
    gone = domain("nestle.com", "no_address", DANGLING)
    causes = found(Patient("mail55", OFF, both, {}), gone, domain("aol.com"))
    assert kinds(causes["nestle.com"]) == [(Kind.DANGLING, SURE)]
    assert "other domain" not in causes["aol.com"][0].sentence


def test_domains_that_are_led_astray_do_not_make_it_suspect() -> None:
    both = old_queue(nestle_com=CONTACT, aol_com=CONTACT)
    led = domain("nestle.com", "ok", HIJACK)
    causes = found(Patient("mail55", old(), both, {}), led, domain("aol.com"))
    assert "other domain" not in causes["aol.com"][0].sentence


def test_the_pattern_of_the_article_is_possible_and_pinning_its_cure() -> None:
    causes = of_old(CONTACT, domain(exchanges=3))
    assert kinds(causes) == [(Kind.UNREACHABLE, SURE), (Kind.SEVERAL_MX, MAYBE)]
    assert causes[1].remedy == "Pin the domain to 192.0.2.25, 192.0.2.26, 192.0.2.27."
    for others in (
        of_old(CONTACT, domain()),
        of_old(CONTACT, domain(exchanges=3), planned=PINNED),
        of_old(None, domain(exchanges=3)),
        of_new(down(10060), domain(exchanges=3)),
    ):
        assert Kind.SEVERAL_MX not in dict(kinds(others))


def test_nothing_is_concluded_from_what_only_the_controller_sees() -> None:
    """That DNS has addresses says nothing about whether the host can reach them."""
    for causes in (of_old(None, domain()), of_new(None, domain())):
        assert kinds(causes) == [(Kind.UNKNOWN, SURE)]


# -- pins that DNS has left behind


def test_a_pin_that_dns_does_not_name_any_more() -> None:
    for causes in (
        of_old(CONTACT, domain(), planned=OUTDATED),
        of_new(
            down(10060).replace("192.0.2.25", "192.0.2.99"),
            domain(),
            by="SmartHostConnectorDelivery",
            planned=connectors("192.0.2.99", steps=True),
        ),
    ):
        assert kinds(causes) == [(Kind.OLD_PIN, SURE)]
        assert causes[0].sentence == "it is pinned to 192.0.2.99, which DNS does not name any more"
        assert causes[0].pin


def test_a_pin_of_which_one_address_is_left_behind_is_judged_by_the_address_that_was_tried() -> (
    None
):
    smart = "SmartHostConnectorDelivery"
    planned = connectors("192.0.2.25", "192.0.2.99", steps=True)
    sound = of_new(down(10060), domain(), by=smart, planned=planned)
    assert kinds(sound) == [(Kind.UNREACHABLE, SURE)]
    gone = down(10060).replace("192.0.2.25", "192.0.2.99")
    assert kinds(of_new(gone, domain(), by=smart, planned=planned))[0] == (Kind.OLD_PIN, SURE)
    untold = of_new(None, domain(), by=smart, planned=planned)
    assert kinds(untold) == [(Kind.UNKNOWN, SURE), (Kind.OLD_PIN, MAYBE)]


@pytest.mark.parametrize("status", ["temporary_failure", "disagreement", "no_such_domain"])
def test_a_pin_is_not_called_old_by_a_dns_that_does_not_know(status: str) -> None:
    assert Kind.OLD_PIN not in dict(kinds(of_old(CONTACT, domain(status=status), planned=OUTDATED)))


# -- what the far side says


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (
            "450 4.7.1 Client host rejected: cannot find your hostname, [203.0.113.55]",
            "reverse_dns",
        ),
        ("450 4.7.25 Client host rejected", "reverse_dns"),
        ("550 5.7.25 The IP address does not have a PTR record", "reverse_dns"),
        ("554 IP address has no rDNS", "reverse_dns"),
        ("421 4.7.0 reverse DNS lookup failed", "reverse_dns"),
        ("450 4.7.1 <mail>: Helo command rejected: Host not found", "helo"),
        ("504 5.5.2 <mail>: Helo command rejected: need fully-qualified hostname", "helo"),
        ("451 4.7.1 Greylisting in action, please come back later", "greylisted"),
        ("450 4.2.0 <a@nestle.com>: Recipient address rejected: Greylisted", "greylisted"),
        ("554 5.7.1 Service unavailable; blocked using zen.spamhaus.org", "blocked"),
        ("421 4.7.0 your host is on our blocklist", "blocked"),
        ("550 5.7.23 SPF validation failed", "authentication"),
        ("550 5.7.26 Unauthenticated email is not accepted", "authentication"),
        ("530 5.7.0 Must issue a STARTTLS command first", "tls"),
        ("421 mail.hq.example Mail loops back to this host", "loops"),
        ("554 5.4.6 Too many hops", "loops"),
        ("451 <a@hq.example>... Sender domain must resolve", "sender"),
        ("450 4.1.8 <a@hq.example>: Sender address rejected: Domain not found", "sender"),
        ("421 4.3.2 Service not available", "busy"),
        ("421 Too many concurrent connections from you", "busy"),
        ("452 4.3.1 Insufficient system storage", "busy"),
        ("451 4.3.0 Temporary lookup failure", "put_off"),
        ("450 sorry", "put_off"),
        ("550 5.1.1 User unknown", "refused"),
        ("554 no", "refused"),
    ],
)
def test_replies_of_the_far_side(reply: str, kind: str) -> None:
    for causes in (
        of_old(reply, domain()),
        of_new(reply, domain()),
        of_new(responded(reply), domain()),
    ):
        assert kinds(causes) == [(Kind(kind), SURE)], reply
        assert causes[0].remedy
        assert not causes[0].pin
    assert of_new(responded(reply), domain())[0].sentence.startswith("192.0.2.25 ")
    assert of_old(reply, domain())[0].sentence.startswith("a server of the other side ")


def test_the_address_in_a_reply_is_not_taken_for_the_one_who_said_it() -> None:
    """Postfix and others name the address that came: the host's own."""
    reply = "450 4.7.1 Client host rejected: cannot find your hostname, [203.0.113.55]"
    patient = Patient("mail55", OFF, old_queue(nestle_com=reply), TO_PIN)
    assert patient.queue is not None
    patient.queue["queues"][0]["address"] = "203.0.113.55"
    for (cause,) in (found(patient, domain())["nestle.com"], of_new(reply, domain())):
        assert cause.sentence.startswith("a server of the other side does not take mail from an")


@pytest.mark.parametrize(
    "reply",
    ["421 NSO hq.example Something of its own", "Out of memory", "250 OK", "\x1b[31m", "9" * 5000],
)
def test_what_the_connector_says_itself_is_not_the_far_side(reply: str) -> None:
    (cause,) = of_old(reply, domain())
    assert cause.kind is Kind.UNKNOWN
    assert "mx_delivery_test_stuck" in cause.remedy


# -- DNS query failed (KB972744)


def test_aaaa_trouble_is_the_cause_of_a_failed_query_and_of_nothing_else() -> None:
    troubled = domain("nestle.com", "ok", AAAA, {**AAAA, "name": "nestle.com"})
    (cause,) = of_new(DNS, troubled)
    assert (cause.kind, cause.pin) == (Kind.REMOTE_AAAA, True)
    assert cause.evidence == ("AAAA of demon.nestle.com, nestle.com at 203.0.113.53: timeout",)
    assert kinds(of_new(responded("421 busy"), troubled)) == [(Kind.PUT_OFF, SURE)]
    pinned = of_new(DNS, troubled, by="SmartHostConnectorDelivery")
    assert (pinned[0].kind, "smart host" in pinned[0].sentence) == (Kind.UNKNOWN, True)
    assert of_old(CONTACT, troubled)[0].kind is Kind.UNREACHABLE  # the connector asks for no AAAA


def both(*domains: Any) -> set[Kind]:
    queue = new_queue(nestle_com=DNS, aol_com=DNS)
    return {one[0].kind for one in found(Patient("ex19", NEW, queue), *domains).values()}


def test_the_own_dns_is_the_cause_where_several_domains_have_no_other() -> None:
    assert both(*(domain(name, "temporary_failure") for name in ("nestle.com", "aol.com"))) == {
        Kind.OWN_DNS
    }
    assert both(domain(), domain("aol.com")) == {Kind.OWN_DNS}


@pytest.mark.parametrize(
    "pair",
    [
        (domain(), domain("aol.com", "temporary_failure")),
        (domain(evidence=None), domain("aol.com", evidence=None)),
        (domain(status="disagreement"), domain("aol.com")),
        (),
    ],
)
def test_mixed_answers_prove_nothing(pair: tuple[Any, ...]) -> None:
    assert both(*pair) == {Kind.UNKNOWN}


def test_one_domain_with_another_cause_does_not_explain_the_others() -> None:
    assert both(domain("nestle.com", "ok", AAAA), domain("aol.com")) == {
        Kind.REMOTE_AAAA,
        Kind.UNKNOWN,
    }


@pytest.mark.parametrize(
    "one",
    [
        domain(),
        domain(status="temporary_failure"),
        domain(evidence=None),
        domain(status="disagreement"),
    ],
)
def test_a_single_domain_proves_nothing_about_the_own_dns(one: Any) -> None:
    assert kinds(of_new(DNS, one)) == [(Kind.UNKNOWN, SURE)]


def test_no_route() -> None:
    error = "A matching connector cannot be found to route the external recipient"
    (cause,) = of_new(error, domain())
    assert (cause.kind, cause.pin) == (Kind.NO_ROUTE, True)
    assert of_new(error, domain(status="disagreement"))[0].remedy.endswith("address space *.")


# -- test messages, and what is not known


def test_a_test_message_is_the_newest_evidence() -> None:
    led = domain("nestle.com", "ok", HIJACK)
    arrived = {"results": [{"domain": "nestle.com", "verdict": "delivered"}]}
    for causes in (
        of_old(CONTACT, led, info=old(), tested=arrived),
        of_new(DNS, led, tested=arrived),
    ):
        assert kinds(causes) == [(Kind.ARRIVES, SURE)]
    greylisted = {"code": 451, "enhanced": "4.7.1", "text": "Greylisted", "source": "queue EX19\\3"}
    put_off = {"results": [{"domain": "nestle.com", "verdict": "queued", "error": greylisted}]}
    assert kinds(of_new(DNS, domain(), tested=put_off)) == [(Kind.GREYLISTED, SURE)]
    silent = {"results": [{"domain": "nestle.com", "verdict": "unknown", "error": None}]}
    other = {"results": [{"domain": "aol.com", "verdict": "delivered"}]}
    for tested in (silent, other, {"failed": True}, {"results": []}):
        assert kinds(of_old(CONTACT, domain(), tested=tested)) == [(Kind.UNREACHABLE, SURE)]


def test_without_an_error_it_is_not_known_and_what_would_tell_is_said() -> None:
    (cause,) = of_old(None, domain())
    assert (cause.kind, "level 3 or more" in cause.remedy) == (Kind.UNKNOWN, True)
    (cause,) = of_new(None, domain())
    assert (cause.kind, "next retry" in cause.remedy) == (Kind.UNKNOWN, True)
    (cause,) = of_new("Something new", domain())
    assert cause.kind is Kind.UNKNOWN


def test_there_is_always_a_cause() -> None:
    for error in (None, CONTACT, "451 x", "?"):
        for status in ("ok", "temporary_failure", "disagreement", "loop", "no_address", "null_mx"):
            assert of_old(error, domain(status=status))
            assert of_new(error, domain(status=status))
            assert of_new(error)
