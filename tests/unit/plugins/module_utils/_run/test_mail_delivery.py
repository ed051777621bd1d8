# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_delivery: which parts run, what a failure leaves, and which domains are tested."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    HostUnreachable,
    InvalidInput,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import mail_delivery
from ansible_collections.postmaster.exchange.plugins.module_utils._run.mail_delivery_spec import (
    ARGUMENT_SPEC,
    routes_for,
)

ROUTES = [
    {"domain": "nestle.com", "status": "ok", "addresses": ["192.0.2.1"]},
    {"domain": "AOL.com.", "status": "ok", "addresses": ["192.0.2.2"]},
    {"domain": "missing.example", "status": "null_mx"},
    {"domain": "slow.example", "status": "temporary_failure"},
]
PINNED = {"before": [], "after": [{"domain": "AOL.COM", "address": "192.0.2.1", "flag": "0"}]}
SWITCH = {"name": "DisableResolverSearchList", "type": "REG_DWORD", "data": 1}


def params(mode: str = "enforce", **given: Any) -> dict[str, Any]:
    """The options of a task with all defaults, as Ansible hands them over."""
    checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate({"mode": mode, **given})
    assert checked.error_messages == []
    return dict(checked.validated_parameters)


class Engines:
    """Stands for the engines of all parts; ``ran`` is what was asked of them, in order."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, Mapping[str, Any], Context]] = []
        self.results: dict[str, Any] = {
            "exchange": {"changed": False, "family": "imc"},
            "imc": {"changed": True, "routes": PINNED, "diff": ["rows"], "warnings": ["large"]},
            "connectors": {"changed": False, "steps": []},
            "test": {"changed": False, "undelivered": [], "msg": "1 test message delivered."},
            "queue": {"changed": False, "stuck_domains": []},
            "history": {"changed": False, "backups": []},
        }

    def engine(self, name: str) -> Any:
        def run(options: Mapping[str, Any], context: Context) -> dict[str, Any]:
            self.ran.append((name, options, context))
            result = self.results[name]
            if isinstance(result, ExchangeError):
                raise result
            return dict(result)

        return run

    @property
    def names(self) -> list[str]:
        return [name for name, _options, _context in self.ran]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    made = Engines()
    for name in made.results:
        monkeypatch.setattr(mail_delivery, f"run_{name}", made.engine(name))
    return made


def run(mode: str, *, check: bool = False, **given: Any) -> dict[str, Any]:
    return mail_delivery.run(params(mode, **given), Context("mail55", check_mode=check))


@pytest.mark.parametrize(
    ("mode", "given", "names"),
    [
        ("compare", {"routes": ROUTES}, ["exchange", "imc"]),
        ("compare", {"routes": ROUTES, "family": "imc"}, ["imc"]),
        ("compare", {"routes": ROUTES, "family": "transport"}, ["connectors"]),
        (
            "compare",
            {"routes": [], "family": "transport", "read_resolver": True, "queue": {"read": True}},
            ["exchange", "connectors", "queue"],
        ),
        ("compare", {"routes": ROUTES, "queue": {"read": True}}, ["exchange", "queue", "imc"]),
        ("compare", {"routes": ROUTES, "family": "imc", "test": {"domains": "all"}}, ["imc"]),
        ("enforce", {"routes": ROUTES, "family": "imc"}, ["imc"]),
        (
            "enforce",
            {"routes": ROUTES, "family": "imc", "test": {"domains": "changed"}},
            ["imc", "test"],
        ),
        ("diagnose", {}, ["exchange", "queue"]),
        ("diagnose", {"routes": ROUTES}, ["exchange", "queue", "imc"]),
        (
            "diagnose",
            {
                "routes": ROUTES,
                "family": "imc",
                "queue": {"read": False},
                "test": {"domains": "stuck"},
            },
            ["imc", "test"],
        ),
        ("check", {}, ["exchange", "imc"]),
        ("check", {"family": "imc", "queue": {"read": True}}, ["exchange", "imc"]),
        ("restore", {}, ["exchange", "imc"]),
        ("history", {"family": "imc"}, ["history"]),
    ],
)
def test_a_mode_runs_its_parts_once(
    engines: Engines, mode: str, given: dict[str, Any], names: list[str]
) -> None:
    result = run(mode, **given)
    assert engines.names == names
    assert "failed" not in result
    assert result["failed_part"] is None
    assert result["mode"] == mode


@pytest.mark.parametrize("mode", ["compare", "diagnose", "check"])
def test_comparing_never_changes_anything(engines: Engines, mode: str) -> None:
    run(mode, routes=ROUTES, family="imc", test={"domains": "stuck"})
    changing = [context for name, _options, context in engines.ran if name == "imc"]
    assert all(context.check_mode for context in changing)


def test_a_part_gets_what_an_earlier_one_learned(engines: Engines) -> None:
    result = run("enforce", routes=ROUTES, queue={"read": True})
    first, *others = (context.learned for _name, _options, context in engines.ran)
    assert all(learned is first for learned in others)
    assert (result["diff"], result["warnings"]) == (["rows"], ["large"])
    assert "diff" not in result["delivery"]


def test_a_failure_names_its_part_and_keeps_those_before_it(engines: Engines) -> None:
    engines.results["test"] = HostUnreachable("mail55: no answer.", details={"retried": []})
    result = run("enforce", routes=ROUTES, test={"domains": "all"}, queue={"read": True})
    assert engines.names == ["exchange", "imc", "test"]  # whoever is out of reach has no queue
    assert (result["changed"], result["unreachable"]) == (True, True)
    assert (result["failed_part"], result["msg"]) == ("tests", "mail55: no answer.")
    assert result["delivery"]["routes"] == PINNED
    assert result["tests"]["unreachable"]


def test_a_change_that_failed_is_not_tested_and_the_queue_is_read(engines: Engines) -> None:
    engines.results["imc"] = ExchangeError("mail55: no.", details={"rolled_back": True})
    result = run(
        "enforce", family="imc", routes=ROUTES, test={"domains": "all"}, queue={"read": True}
    )
    assert engines.names == ["imc", "queue"]
    assert (result["failed_part"], result["failed"]) == ("delivery", True)
    assert result["delivery"]["rolled_back"]
    assert result["queue"] == {"changed": False, "stuck_domains": []}


def test_without_an_exchange_nothing_else_runs(engines: Engines) -> None:
    engines.results["exchange"] = HostUnreachable("mail55: no answer.")
    result = run("enforce", routes=ROUTES, queue={"read": True})
    assert engines.names == ["exchange"]
    assert (result["family"], result["failed_part"]) == ("", "exchange")
    assert (result["delivery"], result["queue"]) == (None, None)


@pytest.mark.parametrize(("fails", "state"), [(True, True), (False, None)])
def test_mail_that_does_not_arrive_fails_the_task_unless_it_is_judged_later(
    engines: Engines, *, fails: bool, state: bool | None
) -> None:
    engines.results["test"] = {"undelivered": ["aol.com"], "msg": "mail55: aol.com queued."}
    test = {"domains": "all", "fail_on_undelivered": fails}
    result = run("enforce", family="imc", routes=ROUTES, test=test)
    assert result.get("failed") is state
    assert result["failed_part"] == ("tests" if fails else None)


def test_test_messages_go_to_the_recipients_of_the_routes(engines: Engines) -> None:
    untested = {**ROUTES[1], "domain": "quiet.example", "test": False}
    routes = [{**ROUTES[0], "test_recipient": "a@nestle.com"}, ROUTES[1], untested]
    test = {"domains": "all", "smtp": {"port": 26}, "deadline": 7}
    login = {"user": "tester", "password": "secret"}
    run("enforce", family="imc", routes=routes, test=test, smtp_login=login)
    options = engines.ran[-1][1]
    assert options["domains"] == [
        {"name": "nestle.com", "recipient": "a@nestle.com", "addresses": ["192.0.2.1"]},
        {"name": "aol.com", "addresses": ["192.0.2.2"]},
    ]
    assert {key: options["smtp"][key] for key in ("user", "password", "port")} == {
        **login,
        "port": 26,
    }
    assert (options["deadline"], options["fail_on_undelivered"]) == (7, False)


def test_what_the_table_says_of_a_relay_goes_with_the_messages(engines: Engines) -> None:
    refused = ExchangeError("no pin past gw", details={"refusals": ["past gw"]})
    refused.details["relayed"] = {"aol.com": "gw"}
    engines.results["imc"] = refused
    test = {"domains": "stuck"}
    run("diagnose", family="imc", routes=ROUTES, test=test, queue={"read": False})
    known = {"name": "aol.com", "addresses": ["192.0.2.2"], "relay": "gw"}
    assert known in engines.ran[-1][1]["domains"]


@pytest.mark.parametrize(
    ("mode", "given", "message"),
    [
        ("enforce", {}, "mode: enforce needs the option routes"),
        ("enforce", {"routes": [], "backup": "x"}, "backup is for mode: restore, or compare"),
        ("compare", {}, "mode: compare needs the option routes"),
        ("enforce", {"routes": [{"name": "a"}]}, "routes.0. has no domain"),
        ("enforce", {"routes": [], "test": {"limit": -1}}, "test.limit is -1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    engines: Engines, mode: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        run(mode, **given)
    assert engines.names == []


# -- restoring


@pytest.mark.parametrize(
    ("backup", "exists", "left_alone"),
    [
        ("", True, False),
        ("change-4711", True, True),
        ("change-4711", False, False),
        ("2026-11-23T114500Z", True, False),
        ("/srv/backups/mail55", True, False),
    ],
)
def test_a_host_that_a_run_did_not_change_is_left_alone(
    engines: Engines, tmp_path: Path, backup: str, *, exists: bool, left_alone: bool
) -> None:
    engines.results["imc"] = ExchangeError("mail55: none.", details={"no_backup": True})
    if exists:
        (tmp_path / "kept").mkdir()
    given = params("restore", family="imc", backup=backup, backup_dir="kept")
    result = mail_delivery.run(given, Context("mail55", basedir=tmp_path))
    assert bool(result["delivery"].get("no_backup")) is True
    assert ("failed" in result) is not left_alone
    options = engines.ran[0][1]
    assert (options["state"], options["routes"]) == ("restored", None)
    assert options["backup"] == (backup if "/" in backup else f"kept/{backup}".rstrip("/"))


# -- which domains are tested


@pytest.mark.parametrize(
    ("which", "delivery", "picked"),
    [
        ("changed", {"routes": PINNED}, ["aol.com"]),
        ("changed", {"routes": {"before": [], "after": []}}, []),
        ("changed", {"registry": {"before": None, "after": SWITCH}}, ["nestle.com", "aol.com"]),
        ("changed", {"routes": PINNED, "worksheet": [{"domain": "aol.com"}]}, []),
        ("changed", {"steps": [{"domain": "aol.com"}]}, ["aol.com"]),
        ("changed", {"steps": []}, []),
        ("changed", {"skipped": True}, []),
        ("all", {"routes": {"before": [], "after": []}}, ["nestle.com", "aol.com"]),
        ("all", {"skipped": True}, []),
        ("all", {"deferred": True}, []),
        ("all", {"failed": True}, []),
        ("all", {"unreachable": True}, []),
        ("none", {"routes": PINNED}, []),
        ("stuck", {"routes": PINNED}, ["nestle.com", "aol.com", "slow.example"]),
    ],
)
def test_domains_are_tested_that_leave_by_a_new_way(
    which: str, delivery: dict[str, Any], picked: list[str]
) -> None:
    pick = mail_delivery.domains_to_test
    assert pick(params(routes=ROUTES, test={"domains": which}), delivery) == picked
    few = params(routes=ROUTES, test={"domains": which, "limit": 1})
    assert pick(few, delivery) == picked[:1]


def test_domains_that_change_elsewhere_are_tested_where_they_are_pinned() -> None:
    also = ["nestle.com", "missing.example", "other.example"]
    pick = mail_delivery.domains_to_test
    given = params(routes=ROUTES, test={"domains": "changed"}, also_test=also)
    assert pick(given, {"steps": []}) == ["nestle.com"]
    assert pick(given, {"skipped": True}) == []


def test_external_dns_is_tested_by_domains_that_cannot_be_pinned() -> None:
    names = ("moving.example", "pinned.example")
    moving = [{"domain": name, "status": "moving"} for name in names]
    given = params(routes=[*ROUTES, *moving], test={"domains": "changed"})
    uses = {"name": "Internet", "before": False, "after": True}
    delivery = {
        "steps": [],
        "external_dns": {"servers": [], "connectors": [uses]},
        "connectors": {"after": [{"address_spaces": ["SMTP:pinned.example;1"]}]},
    }
    assert mail_delivery.domains_to_test(given, delivery) == ["moving.example"]
    same = {"servers": [], "connectors": [{**uses, "before": True}]}
    assert mail_delivery.domains_to_test(given, {**delivery, "external_dns": same}) == []


@pytest.mark.parametrize(
    ("delivery", "picked"),
    [
        ({"routes": PINNED}, ["aol.com"]),
        ({"routes": {"before": PINNED["after"], "after": PINNED["before"]}}, []),
        (
            {
                "steps": [{"domain": "odd.example"}, {"domain": "gone.example"}, {"domain": "*"}],
                "connectors": {"after": [{"address_spaces": ["SMTP:odd.example;1", "SMTP:*;1"]}]},
            },
            ["odd.example"],
        ),
        ({}, []),
        ({"routes": PINNED, "registry": {"before": SWITCH, "after": None}}, ["aol.com"]),
        ({"routes": PINNED, "worksheet": [{}]}, []),
        ({"routes": PINNED, "same_as": "mail50"}, []),
        ({"routes": PINNED, "no_backup": True}, []),
        ({"routes": PINNED, "failed": True}, []),
    ],
)
def test_a_restore_tests_what_it_pins_anew(delivery: dict[str, Any], picked: list[str]) -> None:
    given = params("restore", routes=ROUTES, test={"domains": "changed"})
    assert mail_delivery.domains_to_test(given, delivery) == picked


def test_a_host_gets_the_addresses_that_it_can_use() -> None:
    both = {"domain": "a.example", "status": "ok", "addresses": ["192.0.2.1", "2001:db8::1"]}
    new = {"domain": "b.example", "status": "ok", "addresses": ["2001:db8::2"]}
    gone = {"domain": "c.example", "status": "null_mx", "addresses": []}
    given = params(routes=[both, new, gone])
    assert routes_for("imc", given) == [
        {**both, "addresses": ["192.0.2.1"]},
        {**new, "addresses": [], "status": "no_address"},
        gone,
    ]
    assert routes_for("transport", given) == [both, new, gone]
    four = params(routes=[both, new], connectors={"families": ["ipv4"]})
    assert [route["status"] for route in routes_for("transport", four)] == ["ok", "no_address"]
    odd = params(routes=[{"domain": "a.example", "addresses": ["no address"]}])
    assert routes_for("imc", odd) == odd["routes"]  # the engine names what is wrong with it


def test_a_comparison_with_a_backup_is_that_of_a_rollback(engines: Engines) -> None:
    limits = {"max_changes": "25%", "force": True}
    run("compare", family="imc", backup="change-1", **limits)
    options = engines.ran[0][1]
    assert (options["state"], options["backup"]) == ("restored", "backups/change-1")
    assert {name: options[name] for name in limits} == limits


@pytest.mark.parametrize(("mode", "removes"), [("restore", True), ("enforce", False)])
def test_a_rollback_leaves_no_test_message_in_a_queue(
    engines: Engines, mode: str, *, removes: bool
) -> None:
    engines.results["connectors"] = {
        "steps": [{"domain": "aol.com"}],
        "connectors": {"after": [{"address_spaces": ["SMTP:aol.com;1"]}]},
    }
    run(mode, family="transport", routes=ROUTES, test={"domains": "changed"})
    assert engines.ran[-1][0] == "test"
    assert engines.ran[-1][1]["remove_queued"] is removes
