# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each error of Kerberos means, from texts as MIT's library and its Python bindings have them.

Both protocols say the same; where there is a number, its words may be in any language.
"""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import (
    failures,
    psrp_failures,
)


def gssapi(number: int, words: str = "Irgendetwas") -> str:
    """An error as python-gssapi and pyspnego write it: the number has no sign."""
    return f"SpnegoError (4294967295): Major (851968): X, Minor ({2**32 + number}): {words}"


def pykerberos(number: int, words: str = "Irgendetwas") -> str:
    """An error as pywinrm writes it."""
    return (
        f"KerberosExchangeError: authGSSClientStep() failed: (('X', 851968), ('{words}', {number}))"
    )


def krb5(number: int, words: str = "Irgendetwas") -> str:
    """An error as the Python library krb5 writes it."""
    return f"Krb5Error: {words} {number}"


MEANINGS = {
    -1765328383: "disabled, locked or expired",
    -1765328378: "does not know this user",
    -1765328377: "does not know this host's web service",
    -1765328370: "no kind of encryption",
    -1765328366: "disabled, locked or expired",
    -1765328361: "password has expired",
    -1765328360: "the password is wrong",
    -1765328353: "the password is wrong",
    -1765328352: "ticket has expired",
    -1765328351: "clocks",
    -1765328347: "clocks",
    -1765328249: "configuration",
    -1765328248: "configuration",
    -1765328243: "no Kerberos ticket for this login",
    -1765328234: "no kind of encryption",
    -1765328230: "no Kerberos server of this realm",
    -1765328228: "no Kerberos server of this realm",
    -1765328189: "no Kerberos ticket for this login",
    -1765328160: "configuration",
}


@pytest.mark.parametrize("explain", [failures.explain, psrp_failures.explain])
@pytest.mark.parametrize("form", [gssapi, pykerberos, krb5])
@pytest.mark.parametrize(("number", "words"), MEANINGS.items())
def test_numbers_count_and_not_words(explain, form, number: int, words: str) -> None:  # type: ignore[no-untyped-def]
    assert words in explain(form(number)).sentence


def test_a_number_within_another_does_not_count() -> None:
    for text in (krb5(-17653283779), "Krb5Error: 125296389191"):
        assert failures.explain(text).sentence == "Kerberos authentication failed"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("Password incorrect while getting initial credentials", "the password is wrong"),
        ("Preauthentication failed while getting initial credentials", "the password is wrong"),
        ("Client 'x@HQ.EXAMPLE' not found in Kerberos database while getting", "this user"),
        ("Client's credentials have been revoked while getting", "disabled, locked"),
        ("Client's entry in database has expired while getting", "disabled, locked"),
        ("Password has expired while getting initial credentials", "password has expired"),
        ("Cannot contact any KDC for realm 'HQ.EXAMPLE' while getting", "no Kerberos server"),
        ('Cannot find KDC for realm "HQ.EXAMPLE" while getting', "no Kerberos server"),
        ("Cannot resolve network address for KDC in realm", "no Kerberos server"),
        ("KDC has no support for encryption type while getting", "no kind of encryption"),
        ("Clock skew too great while getting initial credentials", "clocks"),
        ("Configuration file does not specify default realm when parsing", "configuration"),
        ("something else", "Kerberos authentication failed"),
    ],
)
def test_what_kinit_says_to_ansible(words: str, sentence: str) -> None:
    told = f"Kerberos auth failure for principal x@HQ.EXAMPLE: kinit: {words}"
    assert sentence in failures.explain(f"AnsibleConnectionFailure: {told}").sentence


def test_a_missing_kinit_is_no_wrong_password() -> None:
    text = (
        "AnsibleConnectionFailure: Kerberos auth failure when calling kinit cmd 'kinit': [Errno 2]"
        " No such file or directory: 'kinit'"
    )
    cause = failures.explain(text)
    assert "kinit could not be run" in cause.sentence
    assert "ansible_winrm_kinit_cmd" in cause.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "Kerberos authentication requested but the python kerberos library is not installed",
            "pywinrm[kerberos]",
        ),
        ("requested auth method is kerberos, but pykerberos is not installed", "pywinrm[kerberos]"),
        ("ImportError: GSSAPIProxy requires the Python gssapi library: No", "pypsrp[kerberos]"),
    ],
)
def test_missing_libraries_are_named(text: str, words: str) -> None:
    explain = psrp_failures.explain if "gssapi" in text else failures.explain
    cause = explain(text)
    assert cause.missing_library
    assert words in cause.hint


def test_a_refused_ticket_is_no_wrong_password() -> None:
    refused = [
        failures.explain("kerberos: InvalidCredentialsError: the specified credentials were"),
        failures.explain("kerberos: the specified credentials were rejected by the server"),
        psrp_failures.explain(
            "AuthenticationError: Failed to authenticate the user x@HQ.EXAMPLE with kerberos"
        ),
    ]
    for cause in refused:
        assert "did not accept the Kerberos ticket" in cause.sentence
        assert "setspn" in cause.hint
    for text in (
        "ntlm: InvalidCredentialsError: x",
        "basic: the specified credentials were rejected",
    ):
        assert "login was refused" in failures.explain(text).sentence


def test_a_host_that_does_not_prove_itself() -> None:
    cause = failures.explain("MutualAuthenticationError: Unable to authenticate <Response [200]>")
    assert "did not prove" in cause.sentence


def test_what_expires_in_the_middle_of_the_work() -> None:
    for text in (
        "ContextExpiredError: SpnegoError (12): Security context has expired",
        "GSSError: (('The context has expired', 786432), ('Success', 100001))",
    ):
        assert "ticket has expired" in failures.explain(text).sentence
        assert "ticket has expired" in psrp_failures.explain(text).sentence
