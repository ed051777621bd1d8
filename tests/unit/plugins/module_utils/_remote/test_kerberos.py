# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each error of Kerberos means, from texts as MIT's library and its Python bindings have them.

Both protocols give the same cause; with an error number, its text may be in any language.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.failures import (
    EXCHANGE,
    WINRM,
    Service,
    explain,
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
    -1765328378: "has no such user",
    -1765328377: "no service principal",
    -1765328370: "no encryption type",
    -1765328366: "disabled, locked or expired",
    -1765328361: "password has expired",
    -1765328360: "rejects the password",
    -1765328353: "rejects the password",
    -1765328352: "ticket has expired",
    -1765328351: "clocks",
    -1765328347: "clocks",
    -1765328249: "configuration",
    -1765328248: "configuration",
    -1765328243: "no Kerberos ticket for this login",
    -1765328234: "no encryption type",
    -1765328230: "no Kerberos server of this realm",
    -1765328228: "no Kerberos server of this realm",
    -1765328189: "no Kerberos ticket for this login",
    -1765328160: "configuration",
}


@pytest.mark.parametrize("service", [WINRM, EXCHANGE], ids=["winrm", "psrp"])
@pytest.mark.parametrize("form", [gssapi, pykerberos, krb5])
@pytest.mark.parametrize(("number", "words"), MEANINGS.items())
def test_numbers_count_and_not_words(
    service: Service, form: Callable[[int], str], number: int, words: str
) -> None:
    assert words in explain(form(number), service).sentence


def test_a_number_within_another_does_not_count() -> None:
    for text in (krb5(-17653283779), "Krb5Error: 125296389191"):
        assert explain(text, WINRM).sentence == "Kerberos authentication failed"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("Password incorrect while getting initial credentials", "rejects the password"),
        ("Preauthentication failed while getting initial credentials", "rejects the password"),
        ("Client 'x@HQ.EXAMPLE' not found in Kerberos database while getting", "no such user"),
        ("Client's credentials have been revoked while getting", "disabled, locked"),
        ("Client's entry in database has expired while getting", "disabled, locked"),
        ("Password has expired while getting initial credentials", "password has expired"),
        ("Cannot contact any KDC for realm 'HQ.EXAMPLE' while getting", "no Kerberos server"),
        ('Cannot find KDC for realm "HQ.EXAMPLE" while getting', "no Kerberos server"),
        ("Cannot resolve network address for KDC in realm", "no Kerberos server"),
        ("KDC has no support for encryption type while getting", "no encryption type"),
        ("Clock skew too great while getting initial credentials", "clocks"),
        ("Configuration file does not specify default realm when parsing", "configuration"),
        ("something else", "Kerberos authentication failed"),
    ],
)
def test_what_kinit_says_to_ansible(words: str, sentence: str) -> None:
    told = f"Kerberos auth failure for principal x@HQ.EXAMPLE: kinit: {words}"
    assert sentence in explain(f"AnsibleConnectionFailure: {told}", WINRM).sentence


def test_a_missing_kinit_is_no_wrong_password() -> None:
    text = (
        "AnsibleConnectionFailure: Kerberos auth failure when calling kinit cmd 'kinit': [Errno 2]"
        " No such file or directory: 'kinit'"
    )
    cause = explain(text, WINRM)
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
    cause = explain(text, EXCHANGE if "gssapi" in text else WINRM)
    assert cause.missing_library
    assert words in cause.hint


def test_a_refused_ticket_is_no_wrong_password() -> None:
    refused = [
        explain("kerberos: InvalidCredentialsError: the specified credentials were", WINRM),
        explain("kerberos: the specified credentials were rejected by the server", WINRM),
        explain(
            "AuthenticationError: Failed to authenticate the user x@HQ.EXAMPLE with kerberos",
            EXCHANGE,
        ),
    ]
    for cause in refused:
        assert "rejected the Kerberos ticket" in cause.sentence
        assert "setspn" in cause.hint
    for text in (
        "ntlm: InvalidCredentialsError: x",
        "basic: the specified credentials were rejected",
    ):
        assert "login was refused" in explain(text, WINRM).sentence


def test_a_host_that_does_not_prove_itself() -> None:
    cause = explain("MutualAuthenticationError: Unable to authenticate <Response [200]>", WINRM)
    assert "mutual authentication failed" in cause.sentence


def test_what_expires_in_the_middle_of_the_work() -> None:
    for text in (
        "ContextExpiredError: SpnegoError (12): Security context has expired",
        "GSSError: (('The context has expired', 786432), ('Success', 100001))",
    ):
        assert "ticket has expired" in explain(text, WINRM).sentence
        assert "ticket has expired" in explain(text, EXCHANGE).sentence


@pytest.mark.parametrize("service", [WINRM, EXCHANGE], ids=["winrm", "psrp"])
@pytest.mark.parametrize(
    "text",
    [
        # Active Directory's KDC names nothing; the words follow pykerberos' own "client".
        pykerberos(-1765328377, "Server not found in Kerberos database"),
        "KerberosExchangeError: authGSSClientStep() failed: Server not found in Kerberos database",
        gssapi(-1765328377, "Server not found in Kerberos database"),
        "GSSError: Server krbtgt/LAB@HQ.EXAMPLE not found in Kerberos database",
        "Server 'WSMAN/mail5-a.hq.example@HQ.EXAMPLE' not found in Kerberos database",
    ],
)
def test_a_missing_service_principal_is_no_missing_user(text: str, service: Service) -> None:
    cause = explain(text, service)
    assert cause.sentence.endswith("no service principal (HTTP/ or WSMAN/) for this host")
    assert "setspn" in cause.hint


def test_a_user_whose_name_has_a_server_in_it() -> None:
    text = "Kerberos auth failure: kinit: Client 'server not@HQ' not found in Kerberos database"
    assert "no such user" in explain(text.replace(" not@", "@"), WINRM).sentence
