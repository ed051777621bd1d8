# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A diagnosis as data: codes, confidence, next steps, and commands that can be copied."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.causes import (
    Cause,
    Code,
    causes,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.commands import (
    commands,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.data import diagnosed
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.evidence import (
    HostEvidence,
    StuckDomain,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.comma_separated import (
    comma_separated,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import Run, build
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.markdown import markdown
from ansible_collections.postmaster.exchange.plugins.module_utils._report.prometheus import (
    prometheus,
)
from sickbed import AAAA, CONTACT, DNS, HIJACK, NEW, TO_PIN, domain, new_queue, old, old_queue

RUN = Run("diagnose", check_mode=False, finished_at="2026-11-23T11:47:31Z")
NEW_HOST = HostEvidence("ex19", NEW, new_queue(nestle_com=DNS))
OLD_HOST = HostEvidence("mail55", old(), old_queue(nestle_com=CONTACT), TO_PIN)
RESOLVED = {"domains": [domain("nestle.com", "ok", AAAA, HIJACK)], "changed": False}


def document(*evidence: HostEvidence) -> dict[str, Any]:
    hosts = [
        HostResult(one.name, [], one.delivery, queue=one.queue, family=family_of(one))
        for one in evidence
    ]
    return diagnosed(build(RUN, RESOLVED, hosts), RESOLVED, evidence, inventories=["hosts.yml"])


def family_of(host: HostEvidence) -> str:
    return "transport" if host.transport else "imc"


def test_a_cause_has_code_confidence_evidence_and_next_step() -> None:
    found = document(NEW_HOST)
    (one,) = found["hosts"][0]["diagnosis"]
    first, second = one["causes"]
    assert (one["domain"], first["code"], first["confidence"]) == (
        "nestle.com",
        "remote_aaaa",
        "shown",
    )
    assert first["text"].endswith("so Exchange finds no address (KB972744).")
    assert first["evidence"]
    assert first["next_step"].startswith("Pin the domain to ")
    assert "mx_delivery_external_dns" in first["alternative"]
    assert (second["code"], second["confidence"]) == ("search_list", "possible")
    assert found["answer"]["text"] == "Mail for 1 domain is delayed on 1 host."
    assert found["answer"]["verdict"] == "clean"


def test_a_cause_that_nothing_shows_has_no_confidence() -> None:
    unknown = HostEvidence("ex19", NEW, new_queue(nestle_com=None))
    (one,) = document(unknown)["hosts"][0]["diagnosis"]
    assert (one["causes"][0]["code"], one["causes"][0]["confidence"]) == ("unknown", None)


def test_a_host_that_could_not_be_read_is_a_problem() -> None:
    broken = HostEvidence("ex19", {"failed": True, "msg": "ex19: no answer."}, None)
    found = document(broken, OLD_HOST)
    assert found["hosts"][0]["problems"] == ["no answer."]
    assert found["hosts"][0]["verdict"] == "failed"
    assert found["answer"]["text"] == (
        "Mail for 1 domain is delayed on 1 host; 1 host could not be read."
    )
    assert found["answer"]["verdict"] == "failed"


def texts(host: HostEvidence, place: str) -> list[str]:
    """The commands of all causes of the first domain, for one place."""
    (one,) = document(host)["hosts"][0]["diagnosis"]
    every = [command for cause in one["causes"] for command in cause["commands"]]
    return [command["command"] for command in every if command["place"] == place]


def test_commands_for_the_playbooks_name_host_domain_and_inventory() -> None:
    audit, enforce, *_others = texts(NEW_HOST, "controller")
    words = shlex.split(audit)
    assert words[:4] == ["ansible-playbook", "-i", "hosts.yml", "postmaster.exchange.audit"]
    assert words[-2:] == ["--limit", "ex19"]
    assert json.loads(words[words.index("-e") + 1]) == {"mx_delivery_domains": ["nestle.com"]}
    assert shlex.split(enforce)[3] == "postmaster.exchange.enforce"


def test_commands_for_the_exchange_management_shell() -> None:
    found = texts(NEW_HOST, "exchange_shell")
    queue = "Get-Queue -Server EX19 -Filter {NextHopDomain -eq 'nestle.com'}"
    assert found[0] == f"{queue} | Format-List Identity,Status,MessageCount,LastError"
    assert "Resolve-DnsName -Name nestle.com -Type MX" in found
    assert any(one.endswith(" -Type AAAA") for one in found)


def test_commands_for_a_host_of_the_old_family() -> None:
    assert texts(OLD_HOST, "host") == ["nslookup -querytype=mx nestle.com."]
    down = StuckDomain("nestle.com", blocked="stopped")
    (cause,) = causes(down, [down])
    assert [one.text for one in commands(OLD_HOST, down, cause)] == ["net start MSExchangeIMC"]


@pytest.mark.parametrize("name", ["nestle.com'; Remove-Item C:\\", "$(reboot).example", "a b"])
def test_a_name_that_is_no_domain_is_in_no_command(name: str) -> None:
    wrong = StuckDomain(name, transport=True)
    assert commands(NEW_HOST, wrong, Cause(Code.UNKNOWN, "x", pin=True)) == []


def test_a_server_with_an_odd_name_is_in_no_command() -> None:
    odd = HostEvidence("ex19", {**NEW, "server": "EX19; Stop-Computer"}, new_queue(nestle_com=DNS))
    assert all("Stop-Computer" not in one for one in texts(odd, "exchange_shell"))


def test_all_formats_have_the_causes() -> None:
    found = document(NEW_HOST)
    assert "| ex19 | nestle.com | shown | The domain's name servers" in "".join(markdown(found))
    assert ",remote_aaaa\r\n" in "".join(comma_separated(found))
    line = 'mx_delivery_delay_cause{host="ex19",domain="nestle.com",code="remote_aaaa"} 1'
    assert line in "".join(prometheus(found))


def test_the_page_names_every_code() -> None:
    page = (Path(__file__).parents[5] / "docs" / "causes.md").read_text("utf-8")
    assert [code.value for code in Code if f"`{code.value}`" not in page] == []
