# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Last errors as Exchange 2007 to Subscription Edition writes them: class, origin, address."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.smtp_errors import (
    ErrorClass,
    Origin,
    SmtpError,
    parse_last_error,
    parse_reply,
)
from hypothesis import given
from hypothesis import strategies as st
from transport_fakes import BUSY, DNS_FAILED, REFUSED

FAILOVER = (
    "Attempted failover to alternate host, but that did not succeed. Either there are no alternate"
    " hosts, or delivery failed to all alternate hosts."
)


def read(text: str, own: tuple[str, ...] = ()) -> SmtpError:
    error = parse_last_error(text, own=own)
    assert error is not None
    return error


def since_2016(reply: str, ip: str = "203.0.113.9", name: str = "mail.contoso.example") -> str:
    frame = f"[{{LED={reply}}};{{MSG=}};{{FQDN={name}}};{{IP={ip}}}"
    return frame + ";{LRT=10/21/2020 10:43:36 AM}]"


def in_2013(reply: str, ip: str = "", name: str = "") -> str:
    return f"[{{LRT=11/10/2023 12:24:32 PM}};{{LED={reply}}};{{FQDN={name}}};{{IP={ip}}}]"


def responded(reply: str, rest: str = FAILOVER) -> str:
    return f'451 4.4.0 Primary target IP address responded with: "{reply}" {rest}'


CANNOT_CONNECT = "451 4.4.397 Error communicating with target host. -> 421 4.2.1 Unable to connect"
ANSWERED = "451 4.4.395 Target host responded with error. -> "
COMMUNICATING = "441 4.4.1 Error encountered while communicating with primary target IP address:"
WINSOCK = (
    f'{COMMUNICATING} "Failed to connect. Winsock error code: 10060, Win32 error code: 10060."'
)

# Texts that Exchange wrote (in public threads, articles and reports), and their meaning.
CASES = {
    "2010, KB972744": (
        DNS_FAILED,
        {"error_class": "dns", "origin": "this_host", "code": 451, "enhanced": "4.4.0"},
    ),
    "2010, KB4051498: the service's own word in quotes": (
        responded("421 4.4.1 Connection timed out."),
        {"error_class": "no_connection", "origin": "this_host", "address": None},
    ),
    "2010, KB979175": (
        responded("451 5.7.3 Cannot achieve Exchange Server authentication."),
        {"error_class": "authentication", "origin": "this_host"},
    ),
    "2010, unable to connect": (
        responded("421 4.2.1 Unable to connect."),
        {"error_class": "no_connection", "origin": "this_host", "code": 451},
    ),
    "2013, a quoted reply": (
        in_2013(
            responded("451 4.7.3 This domain is not allowed."), "203.0.113.7", "contoso.example"
        ),
        {
            "error_class": "refused",
            "origin": "far_server",
            "code": 451,
            "enhanced": "4.7.3",
            "text": "This domain is not allowed.",
            "address": "203.0.113.7",
            "host_name": "contoso.example",
            "time": "11/10/2023 12:24:32 PM",
        },
    ),
    "2013, Domain Security requires mutual TLS": (
        in_2013(responded("451 4.7.3 The admin has temporarily disallowed this secure domain.")),
        {"error_class": "domain_security", "origin": "this_host"},
    ),
    "expired, not a policy": (
        "550 4.4.7 QUEUE.Expired; message expired",
        {"error_class": "expired", "origin": "this_host"},
    ),
    "2016, a relay that is named by its address": (
        since_2016("550 5.1.8 Access denied, bad outbound sender", "10.0.0.40", "10.0.0.40"),
        {"address": "10.0.0.40", "host_name": None, "origin": "far_server"},
    ),
    "2013, winsock code": (
        in_2013(f"{WINSOCK} {FAILOVER} The last endpoint attempted was 172.24.16.149:475"),
        {
            "error_class": "no_connection",
            "origin": "this_host",
            "winsock": 10060,
            "address": "172.24.16.149",
            "host_name": None,
        },
    ),
    "2013, winsock code without an endpoint": (
        in_2013(f"{WINSOCK} {FAILOVER} The last endpoint attempted was "),
        {"error_class": "no_connection", "winsock": 10060, "address": None},
    ),
    "2013, DNS": (
        in_2013(
            "451 4.4.0 DNS query failed. The error was: DNS query failed with error ErrorRetry"
        ),
        {"error_class": "dns", "origin": "this_host"},
    ),
    "DNS, plain": (
        (
            "451 4.4.0 DNS query failed. The error was: SMTPSEND.DNS.NonExistentDomain; nonexistent"
            " domain"
        ),
        {"error_class": "dns", "origin": "this_host"},
    ),
    "2013, front end: FQDN and IP are its own, IPv6 endpoint without brackets": (
        "[{LRT=15-01-21 23:50:05};{LED=450 4.7.0 Proxy session setup failed on Frontend with '"
        + responded("451 4.4.0 Security status InvalidToken.")
        + " The last endpoint attempted was 2001:db8:102:103::100:25'}"
        ";{FQDN=EX1.contoso.example};{IP=192.168.12.4}]",
        {
            "error_class": "tls_failed",
            "origin": "front_end",
            "code": 450,
            "enhanced": "4.7.0",
            "address": "2001:db8:102:103::100",
            "host_name": None,
        },
    ),
    "2016, front end: the far server requires TLS": (
        since_2016(
            "450 4.4.101 Proxy session setup failed on Frontend with '451 4.4.0 Primary target IP"
            ' address responded with "451 5.7.3 STARTTLS is required to send mail." '
            f"{FAILOVER} The last endpoint attempted was 203.0.113.8:25'",
            "10.0.0.4",
            "EX1.contoso.example",
        ),
        {
            "error_class": "tls_required",
            "origin": "far_server",
            "text": "STARTTLS is required to send mail.",
            "address": "203.0.113.8",
            "host_name": None,
        },
    ),
    "2016, front end without a word of why": (
        since_2016("450 4.7.0 Proxy session setup failed on Frontend with 'x'", "10.0.0.4", "EX1"),
        {"error_class": "front_end_proxy", "origin": "front_end", "address": None},
    ),
    "2016, timed out": (
        since_2016(f"{CANNOT_CONNECT} -> SocketTimedout: Socket error code 10060"),
        {
            "error_class": "no_connection",
            "origin": "this_host",
            "winsock": 10060,
            "address": "203.0.113.9",
            "host_name": "mail.contoso.example",
            "time": "10/21/2020 10:43:36 AM",
        },
    ),
    "2016, refused connection": (
        since_2016(f"{CANNOT_CONNECT} -> SocketConnectionRefused: Socket error code 10061"),
        {"error_class": "no_connection", "winsock": 10061},
    ),
    "2016, no way to an IPv6 address": (
        since_2016(
            f"{CANNOT_CONNECT} -> SocketError: Failed to connect. Winsock error code: 10051, Win32"
            " error code: 10051",
            "2001:db8:142:3::10",
        ),
        {"error_class": "no_connection", "winsock": 10051, "address": "2001:db8:142:3::10"},
    ),
    "2019, dropped": (
        since_2016(f"{ANSWERED}421 4.4.2 Connection dropped due to ConnectionReset"),
        {"error_class": "connection_dropped", "origin": "this_host"},
    ),
    "2019, dropped by a timeout": (
        (
            "[{LED=451 4.4.397 Error communicating with target host -> 421 4.4.2 Connection dropped"
            " due to timeout};{MSG=};{FQDN=mail.contoso.example};{IP=203.0.113.9};{LRT=}]"
        ),
        {"error_class": "connection_dropped", "origin": "this_host", "time": None},
    ),
    "2019, STARTTLS": (
        since_2016(f"{ANSWERED}451 5.7.3 STARTTLS is required to send mail"),
        {"error_class": "tls_required", "origin": "far_server", "enhanced": "5.7.3"},
    ),
    "2019, not available": (
        since_2016(f"{ANSWERED}421 4.3.2 Service not available"),
        {
            "error_class": "refused",
            "origin": "far_server",
            "code": 421,
            "enhanced": "4.3.2",
            "text": "Service not available",
        },
    ),
    "2019, own check of a certificate": (
        since_2016("454 4.7.5 Certificate validation failure, reason:untrustedroot"),
        {"error_class": "certificate", "origin": "this_host", "address": "203.0.113.9"},
    ),
    "2019, blanks in the frame": (
        (
            f"[{{LED={ANSWERED}454 4.7.0 Temporary authentication failure}}; {{MSG=}};"
            " {FQDN=EDGE1.contoso.example}; {IP=10.0.0.9}; {LRT=15/07/2025 09:21:04}]"
        ),
        {
            "error_class": "authentication",
            "origin": "far_server",
            "address": "10.0.0.9",
            "host_name": "EDGE1.contoso.example",
            "time": "15/07/2025 09:21:04",
        },
    ),
    "Exchange Online, wrong region": (
        since_2016(f"{ANSWERED}451 4.4.62 Mail sent to the wrong Office 365 region. ATTR35."),
        {"error_class": "wrong_region", "origin": "far_server", "enhanced": "4.4.62"},
    ),
    "a relay that refuses": (
        since_2016("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain"),
        {"error_class": "relay_refused", "origin": "far_server"},
    ),
    "the words of 5.5": ("550 Relaying is prohibited", {"error_class": "relay_refused"}),
    "several lines of a reply": (
        since_2016(
            "550-5.7.26 The mail is blocked because the sender is unauthenticated. 550-5.7.26 SPF"
            " [] with ip: [198.51.100.7] = did not pass 550 5.7.26 d9443c01a7336 - smtp",
            "192.0.2.27",
        ),
        {
            "error_class": "refused",
            "code": 550,
            "enhanced": "5.7.26",
            "text": "The mail is blocked because the sender is unauthenticated. SPF [] with ip:"
            " [198.51.100.7] = did not pass d9443c01a7336 - smtp",
            "address": "192.0.2.27",
        },
    ),
    "braces in a reply": (
        since_2016(
            "451-4.7.23 Unable to verify SPF for 451 4.7.23 contoso.example. i{2b0c499b-c8}"
        ),
        {
            "error_class": "refused",
            "text": "Unable to verify SPF for contoso.example. i{2b0c499b-c8}",
        },
    ),
    "a reply that imitates the frame": (
        since_2016("550 no};{MSG=};{FQDN=evil.example};{IP=198.51.100.66};{LRT=x"),
        {"address": "203.0.113.9", "host_name": "mail.contoso.example"},
    ),
    "a reply that quotes a reply": (
        '550 5.1.1 The next host responded with: "421 busy"',
        {"code": 550, "error_class": "refused", "origin": "far_server"},
    ),
    "quotes in a quoted reply": (
        responded('550 5.1.1 "buyer" is unknown.'),
        {"code": 550, "text": '"buyer" is unknown.'},
    ),
    "rejected by a rule of the own organisation": (
        (
            "[{LED=550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by"
            " organization policy};{MSG=};{FQDN=};{IP=};{LRT=}]"
        ),
        {
            "error_class": "own_policy",
            "origin": "this_host",
            "text": "TRANSPORT.RULES.RejectMessage; the message was rejected by organization"
            " policy",
        },
    ),
    "senders have to be authenticated, in the own organisation": (
        "[{LRT=};{LED=550 5.7.1 RESOLVER.RST.AuthRequired; authentication required};{FQDN=};{IP=}]",
        {"error_class": "own_policy", "origin": "this_host"},
    ),
    "no connector": (
        "A matching connector cannot be found to route the external recipient",
        {"error_class": "no_route", "origin": "this_host", "code": None},
    ),
    "4.4.x in a plain text": (
        "400 4.4.7 Message delayed",
        {"error_class": "other", "origin": "this_host"},
    ),
    "an address in an error of this side": (
        "421 4.4.1 Unable to connect to 192.0.2.25",
        {"error_class": "no_connection", "address": "192.0.2.25"},
    ),
    "an address in a reply is this host's": (
        "450 4.7.25 Client host rejected: no hostname, [203.0.113.50]",
        {"error_class": "refused", "address": None},
    ),
    "a far server that cannot connect to its own": (
        "451 4.3.0 Unable to connect to the database",
        {"error_class": "refused", "origin": "far_server"},
    ),
    "new words": ("Something new", {"error_class": "other", "code": None, "text": "Something new"}),
    "fakes, busy": (BUSY, {"code": 421, "enhanced": "4.3.2", "address": "192.0.2.25"}),
    "fakes, refused": (REFUSED, {"error_class": "no_connection", "winsock": 10061, "code": 441}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_last_error_is_read_as_exchange_means_it(name: str) -> None:
    text, wanted = CASES[name]
    assert read(text).to_dict() | wanted == read(text).to_dict()


def test_the_organisations_own_servers_are_never_the_far_side() -> None:
    text = in_2013("451 4.7.0 Temporary server error", "10.0.0.4", "EX2.contoso.example")
    assert read(text).address == "10.0.0.4"
    error = read(text, own=("ex2.contoso.example", "10.0.0.4"))
    assert (error.address, error.host_name) == (None, None)


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("192.0.2.25:25", "192.0.2.25"),
        ("[2001:db8::25]:25", "2001:db8::25"),
        ("2001:db8:1:2:3:4:5:6:25", "2001:db8:1:2:3:4:5:6"),
        ("mail.nestle.com:25", None),
    ],
)
def test_the_endpoint_in_the_text_is_the_address_where_no_field_has_it(
    endpoint: str, address: str | None
) -> None:
    error = read(f"441 4.4.1 Failed. The last endpoint attempted was {endpoint}")
    assert error.address == address


def test_the_dictionary_of_an_error_is_the_error_again() -> None:
    for text, _wanted in CASES.values():
        error = read(text)
        assert SmtpError.from_dict(error.to_dict()) == error


def test_a_reply_has_a_line_and_says_whether_it_is_final() -> None:
    reply = parse_reply("421 4.4.1 Connection to 192.0.2.25 timed out")
    assert reply is not None
    assert (reply.enhanced, reply.text) == ("4.4.1", "Connection to 192.0.2.25 timed out")
    assert reply.reply == "421 4.4.1 Connection to 192.0.2.25 timed out"
    assert reply.temporary
    assert parse_reply("550 no") is not None
    assert not read("550 no").temporary


@pytest.mark.parametrize("line", ["250 OK", "RCPT TO:<a@b.example>", "", "4210 x", "599x"])
def test_other_lines_are_no_errors(line: str) -> None:
    assert parse_reply(line) is None


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_no_error_is_none(nothing: str | None) -> None:
    assert parse_last_error(nothing) is None


FRAMES = ["{}", in_2013("{}").replace("{LED={}}", "{LED=%}"), since_2016("%"), responded("%")]


@given(st.text(), st.sampled_from(FRAMES))
def test_hostile_text_never_raises_and_never_reaches_a_terminal(text: str, frame: str) -> None:
    error = parse_last_error(frame.replace("%", text).replace("{}", text))
    if error is not None:
        for shown in (error.line, error.text, error.host_name or "", error.time or ""):
            assert shown.isprintable()
            assert len(shown) <= 2000
        assert len(error.line) <= 500
        assert error.origin in Origin
        assert error.error_class in ErrorClass
