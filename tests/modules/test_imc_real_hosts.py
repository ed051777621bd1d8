# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of Exchange 4.0 to 5.5 as they are out there, and what imc_delivery does there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.lab import Lab
from exchange_lab.mail.imc import SERVICE
from exchange_lab.mail.imc_config import PARAMETERS_KEY
from exchange_lab.scenario import SIMPLE_HOST, HostSpec, simple
from worker import Worker

ROUTE = {"domain": "nestle.com", "addresses": ["192.0.2.25", "192.0.2.26"]}


class Site:
    """A lab with one host, and an administrator who runs tasks on it."""

    def __init__(self, lab: Lab, folder: Path, host: str) -> None:
        self.lab, self.host = lab, host
        file = lab.write_inventory(folder / "inventory" / "hosts.yml")
        self.worker = Worker(folder, file)

    def enforce(self, **options: Any) -> dict[str, Any]:
        """Pin the domain."""
        given = {"resolver_search_list": "disabled", "routes": [ROUTE], **options}
        return self.worker.run(self.host, {"postmaster.exchange.imc_delivery": given})


@pytest.fixture
def host(tmp_path: Path) -> Any:
    @contextmanager
    def start(spec: HostSpec = SIMPLE_HOST, **more: Any) -> Iterator[Site]:
        with Lab(replace(simple(spec), **more), folder=tmp_path / "lab") as lab:
            yield Site(lab, tmp_path / "project", spec.name)

    return start


def test_a_node_of_a_cluster_is_left_alone(host: Any) -> None:
    with host(replace(SIMPLE_HOST, cluster=True)) as site:
        machine = site.lab["mail55"]
        starts = machine.host.services.get(SERVICE).starts
        assert site.enforce()["failed"]
        assert machine.imc.connector.rows == ()
        assert machine.host.registry.get(PARAMETERS_KEY, "DisableResolverSearchList") is None
        assert machine.host.services.get(SERVICE).starts == starts


def test_a_pin_past_the_host_that_everything_is_forwarded_to_is_refused(host: Any) -> None:
    with host(replace(SIMPLE_HOST, forward_to="192.0.2.27")) as site:
        site.enforce()
        assert site.lab["mail55"].imc.connector.rows == ()


def test_no_restart_into_a_table_that_the_service_cannot_parse(host: Any) -> None:
    with host(SIMPLE_HOST) as site:
        machine = site.lab["mail55"]
        machine.imc.connector.restore(
            b"[Header]\r\nVersion=1\r\n[Routes]\r\nDeliveryRouting=+\r\n+anlsf.msbp.co\r\n"
            b"DefaultRouting=\r\n"
        )
        starts = machine.host.services.get(SERVICE).starts
        site.enforce()
        assert machine.host.services.get(SERVICE).starts == starts
        assert machine.host.services.get(SERVICE).state == 4


def test_a_slow_start_is_waited_for(host: Any) -> None:
    with host(replace(SIMPLE_HOST, start_seconds=300.0), time_scale=0.05) as site:
        result = site.enforce()
        assert not result.get("failed")
        assert site.lab["mail55"].host.services.get(SERVICE).starts == 2
        assert len(site.lab["mail55"].imc.connector.rows) == 2


def test_rows_of_others_that_articles_know_are_no_odd_ones(host: Any) -> None:
    rows = ("#list.example;10.1.2.3;0", "two.example;10.1.2.3,10.1.2.4;0", "dns.example;;0")
    with host(replace(SIMPLE_HOST, rows=rows)) as site:
        result = site.enforce()
        assert result["changed"] is True
        assert "4056" not in str(result.get("warnings"))
        assert site.lab["mail55"].imc.connector.rows[:3] == rows


def test_a_row_by_a_short_name_is_warned_of_before_the_search_list_goes(host: Any) -> None:
    with host(replace(SIMPLE_HOST, rows=("gw.example;mail;0",))) as site:
        result = site.enforce()
        assert "mail" in str(result.get("warnings", "")) + str(result.get("msg", ""))
        assert site.lab["mail55"].host.services.get(SERVICE).state == 4


def test_subdomains_that_are_wanted_get_rows_of_their_own(host: Any) -> None:
    routes = [ROUTE, {"domain": "list.nestle.com", "addresses": ["192.0.2.27"]}]
    with host(SIMPLE_HOST) as site:
        site.enforce(routes=routes)
        machine = site.lab["mail55"]
        machine.imc.send("a@hq.example", "x@list.nestle.com")
        assert site.lab.sinks.wait(bool)[0].address == "192.0.2.27"


def test_what_the_host_for_all_mail_has_is_relayed(host: Any) -> None:
    with host(replace(SIMPLE_HOST, forward_to="192.0.2.27")) as site:
        task = {
            "mode": "diagnose",
            "family": "imc",
            "routes": [ROUTE],
            "queue": {"read": False},
            "test": {"domains": "stuck", "interval": 1, "deadline": 10},
        }
        result = site.worker.run(site.host, {"postmaster.exchange.mail_delivery": task})
        assert "bypass that relay" in result["delivery"]["refusals"][0]
        (one,) = result["tests"]["results"]
        assert (one["verdict"], "the relay 192.0.2.27" in one["reason"]) == ("relayed", True)
