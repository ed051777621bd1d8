# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cause is named only where the evidence shows it; the rules hold for both kinds of hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.causes import (
    Cause,
    Code,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.evidence import (
    HostEvidence,
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
    error_of,
    new_queue,
    old,
    old_queue,
    responded,
)


def found(
    host: HostEvidence, *domains: Any, suffixes: tuple[str, ...] = ()
) -> dict[str, list[Cause]]:
    known = {one["domain"]: one for one in domains}
    return {case.domain: causes for case, causes in findings(host, known, suffixes)}


def of_old(  # pylint: disable=dangerous-default-value
    error: str | None,
    *domains: Any,
    info: dict[str, Any] = OFF,
    planned: dict[str, Any] = TO_PIN,
    tested: dict[str, Any] | None = None,
) -> list[Cause]:
    queue = old_queue(nestle_com=error)
    return found(HostEvidence("mail55", info, queue, planned, tested), *domains)["nestle.com"]


def of_new(
    error: str | None,
    *domains: Any,
    by: str = "DnsConnectorDelivery",
    planned: dict[str, Any] | None = None,
    tested: dict[str, Any] | None = None,
) -> list[Cause]:
    queue = new_queue(by, nestle_com=error)
    return found(HostEvidence("ex19", NEW, queue, planned, tested), *domains)["nestle.com"]


def kinds(causes: list[Cause]) -> list[tuple[Code, bool]]:
    return [(cause.code, cause.sure) for cause in causes]


SURE, MAYBE = True, False


# -- the search list (Q150969)


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (old(), Code.SEARCH_LIST),
        (old(name="DisableResolverSearchList", number=0), Code.SEARCH_LIST),
        (old(name="disableresolversearchlist"), Code.SEARCH_LIST),  # a spelling that does not count
        (OFF, Code.UNREACHABLE),
        (old(suffix="other.example"), Code.UNREACHABLE),
    ],
)
def test_a_suffix_with_an_answer_is_the_cause_where_it_is_appended(
    info: dict[str, Any], expected: Code
) -> None:
    (cause, *_others) = of_old(CONTACT, domain("nestle.com", "ok", HIJACK), info=info)
    assert (cause.code, cause.sure) == (expected, SURE)
    assert cause.switch is (expected is Code.SEARCH_LIST)


def test_it_tells_suffix_answer_and_both_cures() -> None:
    (cause,) = of_old(CONTACT, domain("nestle.com", "ok", HIJACK), info=old())
    assert cause.sentence == (
        "the host appends hq.example to names, and nestle.com.hq.example has an answer (MX 10"
        " mail.hq.example), so mail for nestle.com is misrouted there (Q150969)"
    )
    assert cause.remedy == "Switch the search list off and pin the domain to 192.0.2.25."
    (cause,) = of_old(CONTACT, domain("nestle.com", "temporary_failure", HIJACK), info=old())
    assert (cause.remedy, cause.pin) == ("Switch the search list off.", False)


def test_a_suffix_that_only_the_administrator_knows_counts_too() -> None:
    host = HostEvidence("mail55", old(suffix="x.example"), old_queue(nestle_com=CONTACT), TO_PIN)
    led = domain("nestle.com", "ok", HIJACK)
    assert found(host, led)["nestle.com"][0].code is Code.UNREACHABLE
    named = found(host, led, suffixes=("HQ.example.",))
    assert named["nestle.com"][0].code is Code.SEARCH_LIST


def test_who_looks_no_name_up_is_not_led_astray() -> None:
    led = domain("nestle.com", "ok", HIJACK)
    assert kinds(of_old(CONTACT, led, info=old(), planned=PINNED)) == [(Code.UNREACHABLE, SURE)]


def test_who_reached_the_right_address_was_not_led_astray() -> None:
    led = domain("nestle.com", "ok", HIJACK)
    busy = of_new(responded("421 4.3.2 Service not available"), led)
    assert kinds(busy) == [(Code.BUSY, SURE)]
    host = HostEvidence("mail55", old(), old_queue(nestle_com="451 try later"), TO_PIN)
    assert host.queue is not None
    host.queue["queues"][0]["error"]["address"] = "192.0.2.25"
    assert found(host, led)["nestle.com"][0].code is Code.PUT_OFF


def test_what_windows_may_append_is_possible_and_never_sure() -> None:
    led = domain("nestle.com", "ok", HIJACK)
    assert kinds(of_new(DNS, led)) == [(Code.UNKNOWN, SURE), (Code.SEARCH_LIST, MAYBE)]
    by_connector = of_new(down(10060), led, by="SmartHostConnectorDelivery")
    assert Code.SEARCH_LIST not in dict(kinds(by_connector))


# -- domains that take no mail, or cannot be found


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("null_mx", Code.NULL_MX),
        ("no_such_domain", Code.NO_SUCH_DOMAIN),
        ("loop", Code.OWN_HOSTS),
        ("no_address", Code.DANGLING),
    ],
)
def test_what_dns_says_of_the_domain_comes_first(status: str, kind: Code) -> None:
    for causes in (
        of_old(CONTACT, domain("nestle.com", status)),
        of_new(DNS, domain("nestle.com", status)),
        of_new(None, domain("nestle.com", status)),
    ):
        assert (causes[0].code, causes[0].sure) == (kind, SURE)
        assert causes[0].remedy
        assert not causes[0].pin


def test_a_dangling_exchange_beside_sound_ones_is_possible() -> None:
    causes = of_old(None, domain("nestle.com", "ok", DANGLING))
    assert kinds(causes) == [(Code.UNKNOWN, SURE), (Code.DANGLING, MAYBE)]
    assert causes[1].evidence == (DANGLING["message"],)
    assert Code.DANGLING not in dict(
        kinds(of_old(None, domain("nestle.com", "ok", DANGLING), planned=PINNED))
    )


# -- what the host could not reach


@pytest.mark.parametrize(
    ("winsock", "said"),
    [
        (10061, "192.0.2.25 refused the connection"),
        (10060, "192.0.2.25 did not answer"),
        (10065, "192.0.2.25 accepted no connection"),
    ],
)
def test_a_connection_that_was_not_made_is_told_by_the_host(winsock: int, said: str) -> None:
    (cause,) = of_new(down(winsock), domain())
    assert (cause.code, cause.sure) == (Code.UNREACHABLE, SURE)
    assert said in cause.sentence
    assert "on this host whether port 25" in cause.remedy


def test_several_out_of_reach_make_the_own_way_out_suspect() -> None:
    both = old_queue(nestle_com=CONTACT, aol_com=CONTACT)
    causes = found(HostEvidence("mail55", OFF, both, {}), domain(), domain("aol.com"))
    assert "so it is for 1 other domain" in causes["aol.com"][0].sentence
    assert "a firewall, or the provider" in causes["aol.com"][0].remedy
    one = new_queue(nestle_com=down(10060), aol_com=DNS)
    causes = found(HostEvidence("ex19", NEW, one), domain(), domain("aol.com"))
    assert "firewall" not in causes["nestle.com"][0].remedy


def test_domains_with_a_cause_of_their_own_do_not_make_it_suspect() -> None:
    both = old_queue(nestle_com=CONTACT, aol_com=CONTACT)
    gone = domain("nestle.com", "no_address", DANGLING)
    causes = found(HostEvidence("mail55", OFF, both, {}), gone, domain("aol.com"))
    assert kinds(causes["nestle.com"]) == [(Code.DANGLING, SURE)]
    assert "other domain" not in causes["aol.com"][0].sentence


def test_domains_that_are_led_astray_do_not_make_it_suspect() -> None:
    both = old_queue(nestle_com=CONTACT, aol_com=CONTACT)
    led = domain("nestle.com", "ok", HIJACK)
    causes = found(HostEvidence("mail55", old(), both, {}), led, domain("aol.com"))
    assert "other domain" not in causes["aol.com"][0].sentence


def test_the_pattern_of_the_article_is_possible_and_pinning_its_cure() -> None:
    causes = of_old(CONTACT, domain(exchanges=3))
    assert kinds(causes) == [(Code.UNREACHABLE, SURE), (Code.SEVERAL_MX, MAYBE)]
    assert causes[1].remedy == "Pin the domain to 192.0.2.25, 192.0.2.26, 192.0.2.27."
    for others in (
        of_old(CONTACT, domain()),
        of_old(CONTACT, domain(exchanges=3), planned=PINNED),
        of_old(None, domain(exchanges=3)),
        of_new(down(10060), domain(exchanges=3)),
    ):
        assert Code.SEVERAL_MX not in dict(kinds(others))


def test_nothing_is_concluded_from_what_only_the_controller_sees() -> None:
    """Addresses in DNS do not prove that the host can reach them."""
    for causes in (of_old(None, domain()), of_new(None, domain())):
        assert kinds(causes) == [(Code.UNKNOWN, SURE)]


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
        assert kinds(causes) == [(Code.OLD_PIN, SURE)]
        assert causes[0].sentence == "its pin leads to 192.0.2.99, which is no longer in DNS"
        assert causes[0].pin


@pytest.mark.parametrize("target", ["gw.hq.example", "192.0.2.25, gw.hq.example", ""])
def test_a_route_by_name_list_or_dns_is_no_old_pin(target: str) -> None:
    row = {"domain": "nestle.com", "address": target, "flag": "0"}
    planned = {"routes": {"before": [row], "after": []}}
    assert Code.OLD_PIN not in dict(kinds(of_old(CONTACT, domain(), planned=planned)))


def test_a_pin_of_which_one_address_is_left_behind_is_judged_by_the_address_that_was_tried() -> (
    None
):
    smart = "SmartHostConnectorDelivery"
    planned = connectors("192.0.2.25", "192.0.2.99", steps=True)
    sound = of_new(down(10060), domain(), by=smart, planned=planned)
    assert kinds(sound) == [(Code.UNREACHABLE, SURE)]
    gone = down(10060).replace("192.0.2.25", "192.0.2.99")
    assert kinds(of_new(gone, domain(), by=smart, planned=planned))[0] == (Code.OLD_PIN, SURE)
    untold = of_new(None, domain(), by=smart, planned=planned)
    assert kinds(untold) == [(Code.UNKNOWN, SURE), (Code.OLD_PIN, MAYBE)]


@pytest.mark.parametrize("status", ["temporary_failure", "disagreement", "no_such_domain"])
def test_a_pin_is_not_called_old_by_a_dns_that_does_not_know(status: str) -> None:
    assert Code.OLD_PIN not in dict(kinds(of_old(CONTACT, domain(status=status), planned=OUTDATED)))


# -- the replies of the other server


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
        ("530 5.7.0 Must issue a STARTTLS command first", "tls_required"),
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
        assert kinds(causes) == [(Code(kind), SURE)], reply
        assert causes[0].remedy
        assert not causes[0].pin
    assert of_new(responded(reply), domain())[0].sentence.startswith("192.0.2.25 ")
    assert of_old(reply, domain())[0].sentence.startswith("another mail server ")


def test_the_address_in_a_reply_is_not_taken_for_the_one_who_said_it() -> None:
    """Postfix and others name the address that came: the host's own."""
    reply = "450 4.7.1 Client host rejected: cannot find your hostname, [203.0.113.55]"
    host = HostEvidence("mail55", OFF, old_queue(nestle_com=reply), TO_PIN)
    assert host.queue is not None
    host.queue["queues"][0]["error"]["address"] = "203.0.113.55"
    for (cause,) in (found(host, domain())["nestle.com"], of_new(reply, domain())):
        assert cause.sentence.startswith("another mail server rejects mail from an")


@pytest.mark.parametrize(
    "reply",
    ["421 NSO hq.example Something of its own", "Out of memory", "250 OK", "\x1b[31m", "9" * 5000],
)
def test_what_the_connector_says_itself_is_not_the_far_side(reply: str) -> None:
    (cause,) = of_old(reply, domain())
    assert cause.code is Code.UNKNOWN
    assert "mx_delivery_test_stuck" in cause.remedy


# -- DNS query failed (KB972744)


def test_aaaa_trouble_is_the_cause_of_a_failed_query_and_of_nothing_else() -> None:
    troubled = domain("nestle.com", "ok", AAAA, {**AAAA, "name": "nestle.com"})
    (cause,) = of_new(DNS, troubled)
    assert (cause.code, cause.pin) == (Code.REMOTE_AAAA, True)
    assert cause.evidence == ("AAAA of demon.nestle.com, nestle.com at 203.0.113.53: timeout",)
    assert kinds(of_new(responded("421 busy"), troubled)) == [(Code.PUT_OFF, SURE)]
    pinned = of_new(DNS, troubled, by="SmartHostConnectorDelivery")
    assert (pinned[0].code, "smart host" in pinned[0].sentence) == (Code.UNKNOWN, True)
    assert of_old(CONTACT, troubled)[0].code is Code.UNREACHABLE  # the connector asks for no AAAA


def both(*domains: Any) -> set[Code]:
    queue = new_queue(nestle_com=DNS, aol_com=DNS)
    return {one[0].code for one in found(HostEvidence("ex19", NEW, queue), *domains).values()}


def test_the_own_dns_is_the_cause_where_several_domains_have_no_other() -> None:
    assert both(*(domain(name, "temporary_failure") for name in ("nestle.com", "aol.com"))) == {
        Code.OWN_DNS
    }
    assert both(domain(), domain("aol.com")) == {Code.OWN_DNS}


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
    assert both(*pair) == {Code.UNKNOWN}


def test_one_domain_with_another_cause_does_not_explain_the_others() -> None:
    assert both(domain("nestle.com", "ok", AAAA), domain("aol.com")) == {
        Code.REMOTE_AAAA,
        Code.UNKNOWN,
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
    assert kinds(of_new(DNS, one)) == [(Code.UNKNOWN, SURE)]


def test_no_route() -> None:
    error = "A matching connector cannot be found to route the external recipient"
    (cause,) = of_new(error, domain())
    assert (cause.code, cause.pin) == (Code.NO_ROUTE, True)
    assert of_new(error, domain(status="disagreement"))[0].remedy.endswith("address space *.")


# -- test messages, and what is not known


def test_a_test_message_is_the_newest_evidence() -> None:
    led = domain("nestle.com", "ok", HIJACK)
    arrived = {"results": [{"domain": "nestle.com", "verdict": "delivered"}]}
    for causes in (
        of_old(CONTACT, led, info=old(), tested=arrived),
        of_new(DNS, led, tested=arrived),
    ):
        assert kinds(causes) == [(Code.ARRIVES, SURE)]
    onward = {"domain": "nestle.com", "verdict": "relayed", "reason": "the Edge EDGE1 has it"}
    (relayed,) = of_new(DNS, led, tested={"results": [onward]})
    assert (relayed.code, relayed.sentence.endswith("left: the Edge EDGE1 has it")) == (
        Code.ARRIVES,
        True,
    )
    greylisted = error_of("451 4.7.1 Greylisted", "queue EX19\\3")
    put_off = {"results": [{"domain": "nestle.com", "verdict": "queued", "error": greylisted}]}
    assert kinds(of_new(DNS, domain(), tested=put_off)) == [(Code.GREYLISTED, SURE)]
    silent = {"results": [{"domain": "nestle.com", "verdict": "unknown", "error": None}]}
    other = {"results": [{"domain": "aol.com", "verdict": "delivered"}]}
    for tested in (silent, other, {"failed": True}, {"results": []}):
        assert kinds(of_old(CONTACT, domain(), tested=tested)) == [(Code.UNREACHABLE, SURE)]


def test_without_an_error_it_is_not_known_and_what_would_tell_is_said() -> None:
    (cause,) = of_old(None, domain())
    assert (cause.code, "level 3 or more" in cause.remedy) == (Code.UNKNOWN, True)
    (cause,) = of_new(None, domain())
    assert (cause.code, "next retry" in cause.remedy) == (Code.UNKNOWN, True)
    (cause,) = of_new("Something new", domain())
    assert cause.code is Code.UNKNOWN


def test_there_is_always_a_cause() -> None:
    for error in (None, CONTACT, "451 x", "?"):
        for status in ("ok", "temporary_failure", "disagreement", "loop", "no_address", "null_mx"):
            assert of_old(error, domain(status=status))
            assert of_new(error, domain(status=status))
            assert of_new(error)


# -- causes with a last error of their own


PROXY = (
    "[{{LRT=15-01-21 23:50:05}};{{LED=450 4.7.0 Proxy session setup failed on Frontend with '{}'}};"
    "{{FQDN=EX19.hq.example}};{{IP=192.168.12.4}}]"
)


DROPPED = (
    "451 4.4.397 Error communicating with target host -> 421 4.4.2 Connection dropped due to"
    " timeout"
)


@pytest.mark.parametrize(
    ("error", "code", "said", "advice"),
    [
        (
            "454 4.7.5 Certificate validation failure, reason:untrustedroot",
            "certificate",
            "this host rejected the certificate of the other mail server",
            "TlsAuthLevel",
        ),
        (
            responded("451 5.7.3 STARTTLS is required to send mail"),
            "tls_required",
            "192.0.2.25 requires TLS",
            "IgnoreSTARTTLS",
        ),
        (
            DROPPED,
            "dropped",
            "the connection to the other mail server broke off",
            "MTU",
        ),
        (
            PROXY.format("the proxy layer has no session"),
            "front_end",
            "the front end of your organisation could not set up the session",
            "FrontendProxyEnabled",
        ),
        (
            PROXY.format(responded("451 4.4.0 Security status InvalidToken.")),
            "tls",
            "the front end of your organisation and 192.0.2.25 could not negotiate TLS",
            "TLS versions",
        ),
        (
            responded("451 4.7.3 The admin has temporarily disallowed this secure domain."),
            "domain_security",
            "mutual TLS of the domain (Domain Security), and this host did not reach it with 192.0",
            "TLSSendDomainSecureList",
        ),
        (
            "550 4.4.7 QUEUE.Expired; message expired",
            "expired",
            "waited for longer than Exchange keeps it",
            "DEFER",
        ),
        (
            responded("550 5.1.8 Access denied, bad outbound sender AS(42000001)"),
            "sender_blocked",
            "192.0.2.25 blocks the sender for unwanted mail",
            "restricted entities",
        ),
        (
            responded("550 5.4.62 ATTR1 Wrong Office 365 region"),
            "wrong_region",
            "192.0.2.25 no longer serves the domain (4.4.62)",
            "Remove its pin or static route",
        ),
        (
            responded("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain"),
            "relay_refused",
            "192.0.2.25 does not relay mail of this host for the domain",
            "does not host the domain",
        ),
        (
            "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by policy",
            "own_policy",
            "a rule or setting of your own organisation rejects the mail",
            "transport rules",
        ),
    ],
)
def test_an_error_of_its_own_has_advice_of_its_own(
    error: str, code: str, said: str, advice: str
) -> None:
    (cause,) = of_new(error, domain())
    assert (cause.code, cause.sure) == (Code(code), SURE)
    assert said in cause.sentence
    assert advice in cause.remedy
    assert "EX19" not in cause.sentence
    assert "192.168.12.4" not in cause.sentence


def test_a_pin_in_the_wrong_region_is_to_be_renewed() -> None:
    (cause,) = of_new(
        responded("451 4.4.62 Mail sent to the wrong Office 365 region. ATTR35"),
        domain(),
        by="SmartHostConnectorDelivery",
        planned=connectors("192.0.2.99", steps=True),
    )
    assert (cause.code, cause.pin) == (Code.WRONG_REGION, True)
    assert cause.remedy == "Its pin is out of date: pin the domain to 192.0.2.25."


def test_the_host_itself_is_never_the_other_side() -> None:
    queue = new_queue(nestle_com=down(10060))
    for entry in (queue["queues"][0], queue["transport_queues"][0]):
        entry["error"] |= {"address": "10.1.1.1", "host_name": "EX19.hq.example"}
    info = {
        **NEW,
        "servers": [{**NEW["servers"][0], "fqdn": "ex19.hq.example"}],
        "addresses": ["10.1.1.1"],
    }
    (cause,) = found(HostEvidence("ex19", info, queue), domain())["nestle.com"]
    assert "this host could connect to none" in cause.sentence


def test_a_domain_that_a_relay_carries_is_not_to_be_pinned() -> None:
    queue = new_queue("SmartHostConnectorDelivery", nestle_com=responded("550 5.7.1 no"))
    queue["transport_queues"][0]["next_hop"] = "relay.hq.example"
    for entry in (queue["queues"][0], queue["transport_queues"][0]):
        entry["error"]["origin"] = "relay"
    host = HostEvidence("ex19", NEW, queue)
    (cause,) = found(host, domain())["nestle.com"]
    assert (cause.code, cause.pin) == (Code.REFUSED, False)
    assert cause.sentence.startswith("the relay 192.0.2.25 rejects")
    dangling = found(host, domain("nestle.com", "ok", DANGLING))["nestle.com"]
    assert not any(one.pin for one in dangling)
    unreachable = new_queue("SmartHostConnectorDelivery", nestle_com=down(10061))
    unreachable["transport_queues"][0]["next_hop"] = "relay.hq.example"
    (cause,) = found(HostEvidence("ex19", NEW, unreachable), domain())["nestle.com"]
    assert "cannot reach the relay relay.hq.example" in cause.sentence


@pytest.mark.parametrize(
    ("rows", "code"),
    [(["+broken"], Code.MALFORMED_ROW), ([], Code.SERVICE_DOWN)],
)
def test_nothing_leaves_a_host_whose_service_is_down(rows: list[Any], code: Code) -> None:
    queue = {**old_queue(nestle_com=CONTACT), "service": "stopped"}
    planned = {"malformed_rows": rows}
    first, *others = found(HostEvidence("mail55", OFF, queue, planned), domain())["nestle.com"]
    assert (first.code, first.sure) == (code, SURE)
    assert Code.UNREACHABLE not in {one.code for one in others}
    assert ("4056" in first.sentence) is (code is Code.MALFORMED_ROW)


def test_name_servers_of_the_transport_service_are_the_alternative_to_a_pin() -> None:
    (cause,) = of_new(DNS, domain("nestle.com", "ok", AAAA))
    assert "(mx_delivery_external_dns)" in cause.instead


def test_codes_are_stable() -> None:
    """Programs and the page on causes name them."""
    assert {str(code) for code in Code} >= {"search_list", "remote_aaaa", "certificate", "dropped"}


# -- what only Exchange 4.0 to 5.5 does


def silent(address: str) -> dict[str, Any]:
    queue = old_queue(nestle_com="499 No routing hosts are reachable for nestle.com.")
    queue["queues"][0]["error"]["address"] = address
    return queue | {"next_hops": [{"address": address, "domains": [], "silent": True}]}


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (1960, "Exchange 5.5 SP1 ends the fault (Q182821). Pin the domain to 192.0.2.26 with"),
        (1460, "A hotfix after Exchange 5.0 SP2 ends the fault"),
        (2653, "Pin the domain to 192.0.2.26 with mx_delivery_silent_exchanges: drop."),
    ],
)
def test_a_server_that_accepts_and_is_silent_is_left_out_of_the_pin(build: int, words: str) -> None:
    host = HostEvidence("mail55", OFF | {"build": build}, silent("192.0.2.25"), TO_PIN)
    (cause, *others) = found(host, domain("nestle.com", "ok", exchanges=2))["nestle.com"]
    assert (cause.code, cause.sure, cause.pin) == (Code.SILENT, True, True)
    assert cause.remedy.startswith(words)
    assert ("tries no other mail server" in cause.sentence) is (build < 2232)
    assert others == []


def test_where_all_are_silent_or_only_one_is_nothing_is_left_to_pin() -> None:
    host = HostEvidence("mail55", OFF | {"build": 2653}, silent("192.0.2.25"), TO_PIN)
    (cause, *_others) = found(host, domain("nestle.com"))["nestle.com"]
    assert (cause.code, cause.pin) == (Code.SILENT, False)
    assert "Q190026" in cause.remedy


def test_a_route_of_the_parent_leads_a_subdomain_elsewhere() -> None:
    led: list[dict[str, Any]] = [
        {"domain": "nestle.com", "parent": "com", "hosts": ["198.51.100.1"], "before": True}
    ]
    planned = TO_PIN | {"led_by_parent": led}
    (cause, *_others) = of_old(CONTACT, domain(), planned=planned)
    assert (cause.code, cause.sure, cause.pin) == (Code.PARENT_ROUTE, True, True)
    assert "the route of com also takes mail for nestle.com (Q259531)" in cause.sentence
    led[0]["hosts"] = ["192.0.2.25"]
    assert kinds(of_old(CONTACT, domain(), planned=planned)) == [(Code.UNREACHABLE, SURE)]


def test_with_5_5_sp4_no_fault_with_several_servers_is_left() -> None:
    several = domain("nestle.com", "ok", exchanges=2)
    for build, left in ((2650, False), (2653, True)):
        causes = of_old(CONTACT, several, info=OFF | {"build": build})
        assert causes[-1].code is Code.SEVERAL_MX
        assert ("5.5 SP4 and later has every documented fix" in causes[-1].sentence) is left


def test_nothing_is_advised_to_be_pinned_where_a_pin_is_refused() -> None:
    refused = TO_PIN | {"failed": True, "refusals": ["the host forwards all mail to a relay"]}
    causes = of_old(CONTACT, domain("nestle.com", "ok", exchanges=2), planned=refused)
    assert "Pin" not in " ".join(cause.remedy for cause in causes)


def test_q285023_an_address_that_is_in_dns_no_more_may_be_kept_by_the_service() -> None:
    queue = silent("198.51.100.9") | {"next_hops": []}
    causes = found(HostEvidence("mail55", OFF, queue, TO_PIN), domain())["nestle.com"]
    assert (Code.CACHED, MAYBE) in kinds(causes)
    assert Code.CACHED not in dict(kinds(of_old(CONTACT, domain())))
