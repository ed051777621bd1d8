# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The readers and the tables against what real servers wrote, kept beside this repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    plan as planning,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.protocol_log import (
    LoggedFailure,
    parse_log,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.smtp_errors import (
    ErrorClass,
    SmtpError,
    parse_last_error,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.parse import (
    find_value,
    parse_reg_query,
    parse_sc_state,
    values_of,
)

REALDATA = Path(__file__).resolve().parents[3] / "shared" / "realdata"
SENT_ONCE = {"Name", "Usage"}
#: What the readings call a trouble, by the first words, and the classes of an error that it means.
TROUBLES = {
    "no_connection": {ErrorClass.NO_CONNECTION, ErrorClass.CONNECTION_DROPPED},
    "refused, by own organisation": {ErrorClass.OWN_POLICY},
    "refused": {ErrorClass.REFUSED, ErrorClass.TLS_REQUIRED},
    "other (own TLS failure)": {ErrorClass.TLS_FAILED},
    "other (own check of the far certificate)": {ErrorClass.CERTIFICATE},
}
NEVER_SENT = {"AuthenticationCredential", "Confirm", "DomainController", "Force", "WhatIf"}

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(not REALDATA.exists(), reason="the real data is not beside this checkout"),
]


WINDOWS_KEY = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion"
CODE_PAGES = ("utf-8", "cp866", "cp850", "cp1251", "cp1252")


def the_one(data: bytes) -> LoggedFailure:
    (failure,) = parse_log(data).failures
    return failure


def read(text: str) -> SmtpError:
    error = parse_last_error(text)
    assert error is not None
    return error


def test_the_logs_of_the_articles_are_read() -> None:
    first = the_one((REALDATA / "imc/Q228725-L0000000.LOG").read_bytes())
    second = the_one((REALDATA / "imc/Q245787-L0000000.LOG").read_bytes())
    assert (first.domain, first.error.code) == ("tool.com", 499)
    assert (second.domain, second.error.code) == ("fabrikam.com", 550)


@pytest.mark.parametrize("code_page", CODE_PAGES)
def test_sc_is_read_in_every_language(code_page: str) -> None:
    read_states = 0
    for file in sorted((REALDATA / "windows").glob("sc-query-*.txt")):
        try:
            data = file.read_text(encoding="utf-8").encode(code_page)
        except UnicodeEncodeError:  # no code page has every language
            continue
        assert parse_sc_state(data) == 4, file.name  # running
        read_states += 1
    assert read_states


def test_reg_of_windows_server_2003_is_read() -> None:
    dump = parse_reg_query((REALDATA / "windows/reg-query-2003.txt").read_bytes())
    value = find_value(values_of(dump, WINDOWS_KEY), "DevicePath")
    assert value is not None
    assert (value.type, value.data) == ("REG_EXPAND_SZ", "%SystemRoot%\\inf")


def test_every_collected_text_is_read() -> None:
    for line in (REALDATA / "lasterror/lasterrors.jsonl").read_text(encoding="utf-8").splitlines():
        entry: dict[str, Any] = json.loads(line)
        error, right = read(entry["text"]), entry["right_reading"]
        assert "{LED" not in error.line, entry["id"]
        assert "};" not in error.text, entry["id"]
        if "trouble" in right:
            assert error.error_class in TROUBLES[right["trouble"]], entry["id"]
        if "address" in right:
            assert error.address == right["address"], entry["id"]
        if "winsock" in right:
            assert error.winsock == right["winsock"], entry["id"]
        if "said" in right:
            assert error.far_reply == right["said"], entry["id"]
        if "target" in right:
            assert error.host_name == right["target"], entry["id"]
        if "text_ends" in right:
            assert error.text.endswith(right["text_ends"]), entry["id"]


@pytest.mark.parametrize("version", ["2010", "2013", "2016", "2019", "SE"])
def test_every_writable_parameter_of_a_version_is_kept_and_no_other_is_sent(version: str) -> None:
    cmdlets = json.loads((REALDATA / "cmdlets/parameters.json").read_text())
    ours = {*planning.PIN_PARAMETERS, *planning.OTHER_SETTINGS}
    for name in (planning.NEW, planning.SET):
        given = cmdlets[name]["parameters"].items()
        there = {key for key, value in given if version in value["applicable"]}
        switches = {key for key, value in given if value["type"] == "SwitchParameter"}
        there -= NEVER_SENT | SENT_ONCE | switches | {"Identity"}
        assert there == ours - planning.LACKING[version]
