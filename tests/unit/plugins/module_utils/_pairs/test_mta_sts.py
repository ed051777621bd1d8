# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 8461 sections 3.1 and 3.2: which record counts, and what a policy says."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.model import (
    StsMode,
    StsPolicy,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.mta_sts import (
    MAX_AGE,
    MAX_PATTERNS,
    BadPolicy,
    parse_policy,
    policy_record,
)
from hypothesis import example, given
from hypothesis import strategies as st

POLICY = (
    b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.NET\r\n"
    b"max_age: 604800\r\n"
)


@pytest.mark.parametrize(
    "record",
    [
        "v=STSv1; id=20160831085700Z;",
        "v=STSv1;id=1",
        "v=STSv1 ;\tid=1 ; ",
        "v=STSv1; id=1; more.of_it-2=a:b<c~",
        "v=STSv1; id=1; id=the-first-one-counts",
    ],
)
def test_a_valid_record(record: str) -> None:
    assert policy_record(["spf", record]) == record


@pytest.mark.parametrize(
    "record",
    [
        "v=STSv1",
        "v=STSv1;",
        "v=STSv1 id=1",
        "v=STSv1x; id=1",
        "V=STSv1; id=1",
        " v=STSv1; id=1",
        "v = STSv1; id=1",
        "v=STSv1; id = 1",
        "v=STSv1; id=",
        "v=STSv1; id=1-2",
        "v=STSv1; id=" + "1" * 33,
        "v=STSv1;; id=1",
        "v=STSv1; id=1; x y=1",
        "v=STSv1; id=1; \\195\\164=1",
    ],
)
def test_an_invalid_record(record: str) -> None:
    assert policy_record([record]) is None


def test_only_records_of_the_version_count_against_each_other() -> None:
    assert policy_record(["v=STSv1 is no policy", "v=STSv1; id=1"]) == "v=STSv1; id=1"
    assert policy_record(["v=STSv1; id=1", "v=STSv1; id=2"]) is None
    assert policy_record(["v=STSv1; id=1", "v=STSv1; broken"]) is None


def test_a_policy() -> None:
    expected = StsPolicy(StsMode.ENFORCE, mx=("mail.example.com", "*.example.net"), max_age=604_800)
    assert parse_policy(POLICY) == expected
    assert parse_policy(POLICY.replace(b"\r\n", b"\n")) == expected
    assert parse_policy(POLICY.replace(b": ", b":").replace(b"\r\n", b" \t\r\n")) == expected
    assert parse_policy(POLICY.removesuffix(b"\r\n")) == expected
    assert parse_policy(POLICY + b"\r\n\r\n") == expected


@pytest.mark.parametrize("mode", list(StsMode))
def test_every_mode(mode: StsMode) -> None:
    assert parse_policy(POLICY.replace(b"enforce", mode.value.encode())).mode is mode


def test_no_exchange_is_needed_for_the_mode_none() -> None:
    policy = parse_policy(b"version: STSv1\nmode: none\nmax_age: 86400\n")
    assert policy == StsPolicy(StsMode.NONE, max_age=86_400)


def test_unknown_fields_and_repeated_ones_are_ignored() -> None:
    more = "note: völlig egal: ja\r\nmode: none\r\nmax_age: x\r\nversion: STSv2\r\n"
    assert parse_policy(POLICY + more.encode()) == parse_policy(POLICY)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"version: STSv1\r\n", b"", "no field version"),
        (b"STSv1", b"STSv2", "'STSv2'"),
        (b"mode: enforce\r\n", b"", "no field mode"),
        (b"mode:", b"Mode:", "no field mode"),
        (b"enforce", b"Enforce", "'Enforce'"),
        (b"max_age: 604800\r\n", b"", "no field max_age"),
        (b"604800", b"-1", "'-1'"),
        (b"604800", b"1" * 11, "max_age"),
        (b"604800", b"%d" % (MAX_AGE + 1), "max_age"),
        (b"604800", "\u0661".encode(), "max_age"),
        (b"mx: mail.example.com\r\nmx: *.Example.NET\r\n", b"", "no field mx"),
        (b"*.Example.NET", b"mail.*.net", "'mail.*.net'"),
        (b"*.Example.NET", b"*", "no pattern"),
        (b"*.Example.NET", b"a..b", "no pattern"),
        (b"\r\nmx", b"\r\n\r\nmx", "the line ''"),
        (b"mode: ", b"mode ", "no field"),
        (b"mode: enforce", b"mode:", "no field"),
        (b"mode", b" mode", "no field"),
        (b"enforce", b"enforce\x00", "no field"),
        (b"enforce", b"enforce\rmode: none", "no field"),
        (b"STSv1", b"\xff", "UTF-8"),
        (b"max_age", b"mx: a.example\r\n" * MAX_PATTERNS + b"max_age", "more than 100"),
        (POLICY, b"", "the line ''"),
        (POLICY, b"<html>" + b"x" * 60_000, "..."),
    ],
)
def test_what_is_no_policy(old: bytes, new: bytes, why: str) -> None:
    assert old in POLICY
    with pytest.raises(BadPolicy) as failed:
        parse_policy(POLICY.replace(old, new, 1))
    assert why in str(failed.value)
    assert len(str(failed.value)) < 200
    assert str(failed.value).isprintable()


@given(st.binary() | st.text("versionmdaxg_: STv1\r\n*.", max_size=80).map(str.encode))
@example(b"mx: \xc4\xb0.example")
def test_whatever_comes_it_is_a_policy_or_none(body: bytes) -> None:
    try:
        told = parse_policy(body).mode or ""
    except BadPolicy as err:
        told = str(err)
    assert told
    assert told.isprintable()
