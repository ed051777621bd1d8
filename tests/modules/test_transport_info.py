# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_info on Exchange 2010 and later: which family, which version, who resolves names."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from exchange_lab.lab import Lab
from transport_site import SCENARIO, transport
from worker import Play

AUTO = {"postmaster.exchange.exchange_info": {"endpoint": "{{ mx_delivery_endpoint }}"}}
BUILDS = {
    "ex10": ("2010", "14.3.123.4"),
    "ex16": ("2016", "15.1.2507.6"),
    "exse": ("SE", "15.2.2562.17"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An organisation of three servers; no test changes it."""
    with Lab(SCENARIO, folder=tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.mark.parametrize("name", BUILDS)
def test_family_version_and_organisation_are_found_without_being_told(
    site: Lab, play: Play, name: str
) -> None:
    before = site.servers[name].endpoint_requests
    results = play(site, name, ("info", AUTO))
    info = results["info"]

    assert (info["family"], info["version"], info["build"]) == ("transport", *BUILDS[name])
    assert (info["organisation"], info["server"]) == ("First Organization", name)
    assert [one["version"] for one in info["servers"]] == ["2010", "2016", "SE"]
    assert (info["changed"], info.get("warnings", [])) == (False, [])
    assert info["resolver"]["search_list"] == ["hq.example"]
    assert info["servers"][0]["external_dns"]["adapter_enabled"] is True
    # Opening with NTLM, two cmdlets (one more on 2010) of two requests, closing.
    assert site.servers[name].endpoint_requests - before <= 5 + 3 * 2 + 2 + 1


def test_the_registry_answers_where_the_endpoint_does_not(site: Lab, play: Play) -> None:
    closed = {"postmaster.exchange.exchange_info": {"endpoint": {"port": 1}}}
    wanted = transport("exchange_info", endpoint={"port": 1})
    results = play(site, "exse", ("info", closed), ("wanted", wanted))

    assert (results["info"]["family"], results["info"]["version"]) == ("transport", "SE")
    assert results["info"]["servers"] == []
    assert any("The organisation could not be read" in note for note in results["info"]["warnings"])
    # Who asks for the family by name wants its answer: the host is unreachable then.
    assert results["wanted"]["unreachable"] is True


def test_without_winrm_exchange_itself_is_asked(site: Lab, play: Play) -> None:
    task = transport("exchange_info", connection={"port": 1, "host": "127.0.0.1"})
    info = play(site, "ex16", ("info", task))["info"]

    assert (info["version"], info["resolver"]) == ("2016", None)
    assert any("The DNS suffixes of Windows could not be read" in note for note in info["warnings"])


def test_the_module_elsewhere_says_the_same_as_the_action(site: Lab, play: Play) -> None:
    login = {"user": site.scenario.user, "password": site.scenario.password}
    where = {"host": "127.0.0.1", "auth": "ntlm", **login}
    task = {
        **transport(
            "exchange_info",
            endpoint={"port": "{{ mx_delivery_endpoint.port }}", **where},
            target_computer="ex16",
        ),
        "vars": {
            "ansible_connection": "elsewhere",
            "ansible_python_interpreter": sys.executable,
        },
    }
    results = play(site, "ex16", ("here", transport("exchange_info")), ("there", task))
    here, there = results["here"], results["there"]

    assert not there["failed"], there
    for key in ("family", "version", "build", "organisation", "server", "servers"):
        assert there[key] == here[key]
    assert there["resolver"] is None  # nobody told the module how to reach WinRM
    assert site.scenario.password not in str(results)
