# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook sets once for all modules, and what a wrong password does to many hosts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DIRECT

NAME = "postmaster.exchange"


def _play(controller: Controller, **play: Any) -> None:
    (controller.folder / "play.yml").write_text(json.dumps([{"gather_facts": False, **play}]))


def test_module_defaults_of_the_groups_reach_every_member(
    tmp_path: Path, controller: Controller
) -> None:
    """Hosts without any variable of a connection: all they need is set once, for the play."""
    with Lab(DIRECT, tmp_path / "lab") as lab:
        lab.write_inventory(tmp_path / "written" / "hosts.yml")
        known = yaml.safe_load((tmp_path / "written" / "hosts.yml").read_text())["exchange"]
        login = yaml.safe_load((tmp_path / "written" / "group_vars" / "exchange.yml").read_text())
        groups = known["children"]
        old = next(iter(groups["exchange_imc"]["hosts"].values()))
        new = next(iter(groups["exchange_transport"]["hosts"].values()))
        account = {"user": login["ansible_user"], "password": login["ansible_password"]}
        connection = {"host": "127.0.0.1", "scheme": "http", "transport": "ntlm", **account}
        endpoint = {"port": new["mx_delivery_endpoint"]["port"]}
        hosts = {
            "old": {"winrm": old["ansible_port"], "families": "imc"},
            "new": {"winrm": new["ansible_port"], "families": "transport"},
        }
        controller.inventory.parent.mkdir(parents=True, exist_ok=True)
        controller.inventory.write_text(
            json.dumps({"all": {"hosts": hosts, "vars": {"ansible_connection": "local"}}})
        )
        calls: dict[str, dict[str, Any]] = {
            "exchange_info": {},
            "queue_info": {"family": "{{ families }}"},
            "backup_info": {"family": "{{ families }}"},
            "delivery_test": {"family": "{{ families }}", "domains": ["nestle.com"]},
            "mail_delivery": {"mode": "compare", "routes": []},
            "imc_delivery": {"routes": []},
            "transport_delivery": {"routes": []},
        }
        only = {"imc_delivery": "imc", "transport_delivery": "transport"}
        _play(
            controller,
            hosts="all",
            module_defaults={
                f"group/{NAME}.exchange": {"connection": {**connection, "port": "{{ winrm }}"}},
                f"group/{NAME}.powershell": {"endpoint": endpoint},
            },
            tasks=[
                {
                    "name": name,
                    f"{NAME}.{name}": options,
                    "when": f"families == '{only[name]}'" if name in only else True,
                }
                for name, options in calls.items()
            ],
        )
        done = controller.playbook("play.yml", "--check")
    assert done.status == 0, done.output
    for host in hosts:
        assert done.recap(host)["ok"] == len(calls) - 1, done.output


def test_a_wrong_password_is_tried_at_one_host_only(tmp_path: Path, controller: Controller) -> None:
    with Lab(replace(DIRECT, organisation=None), tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        names = list(lab.machines)
        _play(controller, hosts="all", tasks=[{"name": "See", f"{NAME}.exchange_info": {}}])
        done = controller.playbook("play.yml", "-e", "ansible_password=wrong", "-f", "10")
        output = " ".join(done.output.split())
        assert output.count("the login was refused") == 1, done.output
        assert output.count("not tried, because") == len(names) - 1
        assert "wrong\n" not in done.output
        assert all(done.recap(name)["unreachable"] == 1 for name in names)
        tried = [name for name in names if lab.machines[name].requests]
        assert len(tried) == 1
        _play(
            controller,
            hosts="all",
            tasks=[{"name": "See", f"{NAME}.exchange_info": {"stop_at_refused_login": False}}],
        )
        done = controller.playbook("play.yml", "-e", "ansible_password=wrong", "-f", "10")
        output = " ".join(done.output.split())
        assert output.count("the login was refused") == len(names), done.output
