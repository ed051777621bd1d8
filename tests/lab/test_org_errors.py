# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts of last errors, word for word as real servers of each version printed them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from exchange_lab.org import last_error
from exchange_lab.org.last_error import FrontEnd, Place, Trouble
from exchange_lab.org.versions import Family

_FAR = Place("mail.contoso.com", "203.0.113.9")
_FAILOVER = (
    "Attempted failover to alternate host, but that did not succeed. Either there are no alternate "
    "hosts, or delivery failed to all alternate hosts."
)
_OWN = FrontEnd("EX1.contoso.local", "10.0.0.4")
_REQUIRED = "451 5.7.3 STARTTLS is required to send mail"


def _without_time(text: str) -> str:
    return re.sub(r"\{LRT=[^}]*\}", "{LRT=}", text)


def _since_2016(words: str, host: str = _FAR.host, address: str = _FAR.address) -> str:
    return f"[{{LED={words}}};{{MSG=}};{{FQDN={host}}};{{IP={address}}};{{LRT=}}]"


_UNABLE = "451 4.4.397 Error communicating with target host. -> 421 4.2.1 Unable to connect"
_DROPPED = "421 4.4.2 Connection dropped due to"
_RESPONDED = "451 4.4.395 Target host responded with error. ->"


@pytest.mark.parametrize(
    ("trouble", "said", "words"),
    [
        (Trouble.TIMED_OUT, "", f"{_UNABLE} -> SocketTimedout: Socket error code 10060"),
        (Trouble.REFUSED, "", f"{_UNABLE} -> SocketConnectionRefused: Socket error code 10061"),
        (Trouble.REPLY, _REQUIRED, f"{_RESPONDED} {_REQUIRED}"),
        (Trouble.RESET, "", f"{_RESPONDED} {_DROPPED} ConnectionReset"),
        (
            Trouble.SILENT,
            "",
            f"451 4.4.397 Error communicating with target host -> {_DROPPED} timeout",
        ),
        (
            Trouble.CERTIFICATE,
            "untrustedroot",
            "454 4.7.5 Certificate validation failure, reason:untrustedroot",
        ),
    ],
)
def test_since_2016_arrows_lead_from_exchanges_words_to_what_they_are_about(
    trouble: Trouble, said: str, words: str
) -> None:
    for family in (Family.E2016, Family.E2019, Family.SE):
        text = last_error.no_contact(family, trouble, said, _FAR)
        assert _without_time(text) == _since_2016(words)


def test_the_frame_of_2013_has_the_time_first() -> None:
    text = last_error.no_contact(
        Family.E2013, Trouble.TIMED_OUT, "", Place("", "172.24.16.149", 475)
    )
    words = (
        "441 4.4.1 Error encountered while communicating with primary target IP address: "
        '"Failed to connect. Winsock error code: 10060, Win32 error code: 10060." '
        f"{_FAILOVER} The last endpoint attempted was 172.24.16.149:475"
    )
    assert _without_time(text) == f"[{{LRT=}};{{LED={words}}};{{FQDN=}};{{IP=172.24.16.149}}]"


def test_an_ipv6_endpoint_stands_without_brackets() -> None:
    place = Place("mail.contoso.com", "2001:db8::9")
    text = last_error.no_contact(Family.E2013, Trouble.SILENT, "", place)
    assert "The last endpoint attempted was 2001:db8::9:25}" in text


def test_2010_has_plain_text() -> None:
    text = last_error.no_contact(Family.E2010, Trouble.SILENT, "", _FAR)
    assert text == (
        '451 4.4.0 Primary target IP address responded with: "421 4.4.1 Connection timed out." '
        f"{_FAILOVER}"
    )


@pytest.mark.parametrize(
    ("family", "start", "colon"),
    [(Family.E2013, "450 4.7.0", ":"), (Family.E2016, "450 4.4.101", "")],
)
def test_a_front_end_is_named_instead_of_the_far_host(
    family: Family, start: str, colon: str
) -> None:
    text = last_error.no_contact(family, Trouble.REPLY, _REQUIRED, _FAR, _OWN)
    words = (
        f"{start} Proxy session setup failed on Frontend with '451 4.4.0 Primary target IP address "
        f'responded with{colon} "{_REQUIRED}." {_FAILOVER} '
        "The last endpoint attempted was 203.0.113.9:25'"
    )
    assert f"{{LED={words}}}" in text
    assert "{FQDN=EX1.contoso.local};{IP=10.0.0.4}" in text


def test_domain_security_has_one_text_on_all_versions() -> None:
    for family in Family:
        text = last_error.insecure(family, _FAR)
        assert '"451 4.7.3 The admin has temporarily disallowed this secure domain."' in text


def test_own_words_have_empty_fields() -> None:
    words = "550 4.4.7 QUEUE.Expired; message expired"
    assert last_error.own_words(Family.E2010, words) == words
    assert (
        last_error.own_words(Family.E2013, words) == f"[{{LRT=}};{{LED={words}}};{{FQDN=}};{{IP=}}]"
    )
    assert last_error.own_words(Family.SE, words) == _since_2016(words, "", "")


_REAL = Path(__file__).resolve().parents[3] / "shared" / "realdata" / "lasterror/lasterrors.jsonl"
# What the lab can say: the place, the version and the trouble of real texts.
_MADE = {
    "2016-timedout": (Family.E2016, Trouble.TIMED_OUT, ""),
    "2016-refused": (Family.E2016, Trouble.REFUSED, ""),
    "2019-starttls": (Family.E2019, Trouble.REPLY, _REQUIRED),
    "2019-svc": (Family.E2019, Trouble.REPLY, "421 4.3.2 Service not available"),
    "2019-reset": (Family.E2019, Trouble.RESET, ""),
    "2019-dropped": (Family.E2019, Trouble.SILENT, ""),
    "2010-timeout": (Family.E2010, Trouble.SILENT, ""),
}


@pytest.mark.peers
@pytest.mark.parametrize("name", _MADE)
def test_the_texts_are_those_that_real_servers_printed(name: str) -> None:
    if not _REAL.exists():
        pytest.skip(f"the real data is not there ({_REAL})")
    lines = map(json.loads, _REAL.read_text(encoding="utf-8").splitlines())
    (real,) = [line["text"] for line in lines if line["id"] == name]
    family, trouble, said = _MADE[name]
    assert _without_time(last_error.no_contact(family, trouble, said, _FAR)) == _without_time(real)
