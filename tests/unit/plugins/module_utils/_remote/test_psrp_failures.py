# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts of exceptions that a Kerberos or network library raises, and what they mean."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.failures import (
    EXCHANGE,
    explain,
    explain_fault,
    hint_for,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "SpnegoError (1): Minor: No Kerberos credentials available (default cache: FILE:/x)",
            "no Kerberos ticket for this login",
        ),
        ("NoCredentialError: SpnegoError (7): No credential", "no Kerberos ticket"),
        (
            "Krb5Error: Preauthentication failed -1765328360",
            "rejects the password",
        ),
        ("Krb5Error: Password incorrect", "rejects the password"),
        (
            "Krb5Error: Client 'nobody@HQ.EXAMPLE' not found in Kerberos database",
            "has no such user",
        ),
        (
            "SpnegoError: Minor: Server HTTP/10.0.0.1@HQ not found in Kerberos database",
            "no service principal",
        ),
        ("GSSError: Ticket expired", "ticket has expired"),
        ("Krb5Error: Clock skew too great", "clocks"),
        ("Krb5Error: Cannot contact any KDC for realm 'HQ.EXAMPLE'", "no Kerberos server"),
        ("Krb5Error: Cannot find KDC for realm", "no Kerberos server"),
        ("Krb5Error: something new", "Kerberos authentication failed"),
        ("ImportError: GSSAPIProxy requires the Python gssapi library: No", "libraries for"),
        ("BadMechanismError: SpnegoError (2)", "could not agree"),
        ("AuthenticationError: Failed to authenticate the user x with ntlm", "login was refused"),
        ("WinRMTransportError: Bad HTTP response returned from the server. Code: 404", "404"),
        ("ParseError: not well-formed", "not a valid PowerShell remoting response"),
    ],
)
def test_each_gets_its_sentence(text: str, words: str) -> None:
    assert words in explain(text, EXCHANGE).sentence


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (5, "Access is denied.", "may not use Exchange's PowerShell"),
        (2150858811, "The resource URI was not found", "without Exchange"),
        (
            1,
            "The WS-Management service cannot find the Microsoft.Exchange session configuration",
            "without Exchange",
        ),
        (0x803381A5, "", "a limit of the host"),
        (1, "exceeded ... : 18 for the policy party : MaxConcurrency.", "a limit of the host"),
        ("w:InternalError", "it broke: hidden", "returned fault: it broke: ********"),
        (77, "\x1b[31mred", "fault 77"),
    ],
)
def test_faults(code: object, reason: str, words: str) -> None:
    sentence = explain_fault(code, "", reason, ["hidden"], EXCHANGE).sentence
    assert words in sentence
    assert sentence.isprintable()


def test_hints_for_errors() -> None:
    lacks = hint_for("CommandNotFoundException", "", "New-SendConnector")
    assert "lack New-SendConnector. The role 'Send Connectors' has it" in lacks
    other = hint_for("NamedParameterNotFound", "", "Start-EdgeSynchronization")
    assert "this parameter of Start-EdgeSynchronization. Get-ManagementRole -Cmdlet" in other
    assert "domain controller" in hint_for("[..] 3F,Get", "ADTransientException", "Get-Queue")
    assert hint_for("anything", "else", "Get-Queue") == ""
