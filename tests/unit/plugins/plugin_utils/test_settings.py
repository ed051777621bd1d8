# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the role's variables to the options of mail_delivery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._run.mail_delivery_spec import (
    ARGUMENT_SPEC,
    check,
)
from ansible_collections.postmaster.exchange.plugins.plugin_utils import _settings
from ansible_collections.postmaster.exchange.plugins.plugin_utils._settings import (
    Settings,
    dns_options,
    settings_of,
)

ROOT = Path(__file__).resolve().parents[4]
ROLE = yaml.safe_load((ROOT / "roles/mx_delivery/meta/argument_specs.yml").read_text())
MODES = {
    "main": "enforce",
    "audit": "compare",
    "diagnose": "diagnose",
    "check": "check",
    "rollback": "restore",
}


def values(entry_point: str = "main", **given: Any) -> dict[str, Any]:
    """The checked variables of a host, with all defaults."""
    options = ROLE["argument_specs"][entry_point]["options"]
    domains = {} if entry_point in {"diagnose", "check"} else {"domains": ["nestle.com"]}
    named = {f"mx_delivery_{name}": value for name, value in (domains | given).items()}
    checked = ArgumentSpecValidator(options).validate(named)
    assert checked.error_messages == []
    return dict(checked.validated_parameters)


def settings(entry_point: str = "main", **given: Any) -> Settings:
    return settings_of(values(entry_point, **given), entry_point, may_change=True)


@pytest.mark.parametrize("entry_point", MODES)
def test_the_options_are_those_of_mail_delivery(entry_point: str) -> None:
    routes = {} if entry_point in {"diagnose", "check"} else {"routes": [{"domain": "nestle.com"}]}
    options = settings(entry_point).to_dict({**routes, "domains": []})["options"]
    checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate({**options, "mode": MODES[entry_point]})
    assert checked.error_messages == []
    check({**checked.validated_parameters, "mode": MODES[entry_point]})


def test_every_variable_for_a_host_reaches_its_option() -> None:
    """An option that has a variable of its name in the role gets the value of that."""
    made = settings(
        max_routes=7,
        connector_cost=9,
        test_deadline=11,
        test_smtp_port=26,
        missing_domain="remove",
        mx_preference="best",
        command_timeout=77,
        test="all",
    )
    options = made.options
    assert options["imc"]["max_routes"] == 7
    assert (options["connectors"]["cost"], options["connectors"]["mx_preference"]) == (9, "best")
    assert (options["test"]["deadline"], options["test"]["smtp"]["port"]) == (11, 26)
    assert (options["test"]["domains"], options["missing_domain"]) == ("all", "remove")
    assert options["command_timeout"] == 77
    assert settings("audit", own_domains=["hq.example"]).options["queue"] == {
        "own_domains": ["hq.example"],
        "min_age": 300,
        "read": True,
    }
    assert settings("diagnose", test_stuck=True).options["test"]["domains"] == "stuck"


def test_no_password_gets_into_the_result() -> None:
    secret = "not to be shown"
    made = settings(
        test_smtp_user="tester",
        test_smtp_password=secret,
        connection={"password": secret},
        endpoint={"password": secret},
    )
    assert secret not in repr(made)


NAMES = ("nestle.com", "b.de", "aol.com", "c.de")


def test_a_host_gets_the_routes_of_its_domains_with_their_recipients() -> None:
    made = settings(
        family="transport",
        domains=[
            {"name": "AOL.com.", "bypass_relay": True},
            {"name": "b.de", "test_recipient": "x@b.de", "test": True, "bypass_relay": False},
            {"name": "c.de", "test": False, "port": "2525", "require_tls": False, "note": "A\n 7"},
        ],
    )
    resolved = {
        "routes": [{"domain": name, "addresses": []} for name in NAMES],
        "domains": [{"domain": name} for name in NAMES],
    }
    told = made.to_dict(resolved)
    assert told["domains"] == ["aol.com", "b.de", "c.de"]
    assert told["untested"] == ["c.de"]
    own = {"note": "A 7", "test": False, "port": 2525, "require_tls": False}
    assert told["options"]["routes"] == [
        {"domain": "b.de", "addresses": [], "test_recipient": "x@b.de"},
        {"domain": "aol.com", "addresses": [], "bypass_relay": True},
        {"domain": "c.de", "addresses": [], **own},
    ]
    assert [one["domain"] for one in told["options"]["resolved"]] == ["b.de", "aol.com", "c.de"]
    assert "resolved" not in settings(family="imc").to_dict(resolved)["options"]


@pytest.mark.parametrize(
    ("given", "limited"),
    [
        ({}, False),
        ({"serial": ""}, False),
        ({"serial": [1]}, True),
        ({"serial": [1], "force": True}, True),
        ({"max_changes": "5%"}, True),
        ({"max_changed_hosts": "0"}, True),
        ({"max_changed_hosts": "3", "force": True}, False),
    ],
)
def test_limits_and_batches_ask_for_a_comparison_first(
    given: dict[str, Any], *, limited: bool
) -> None:
    assert settings(**given).limited is limited


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"domains": ["sales@partner.example"]}, "mx_delivery_domains: .* is an e-mail address"),
        ({"domains": ["https://partner.example/"]}, "mx_delivery_domains: 'https:"),
        ({"domains": ["192.0.2.25"]}, "is an address, not a domain"),
        ({"domains": ["*.partner.example"]}, "mx_delivery_domains: '[*]"),
        ({"domains": ["a..b"]}, "mx_delivery_domains: 'a..b'"),
        ({"domains": [{"domain": "a.de"}]}, "give a name, or a dictionary with the key 'name'"),
        ({"domains": [{"name": "a.de", "recipient": "x@a.de"}]}, "unknown key 'recipient'"),
        ({"domains": [{"name": "a.de", "recipient": "x@a.de"}]}, "did you mean 'test_recipient'"),
        ({"domains": [7]}, "is not a domain"),
        ({"domains": [{"name": "a.de", "test": "no"}]}, "test of 'a.de' must be true or false"),
        ({"domains": [{"name": "a.de", "cost": 101}]}, "cost of 'a.de' must be a number from 1"),
        ({"domains": [{"name": "a.de", "port": True}]}, "port of 'a.de' must be a number from 1"),
        ({"domains": [{"name": "a.de", "note": 7}]}, "note of 'a.de' must be a text"),
        ({"domains": [{"name": "a.de", "moving": "perhaps"}]}, "moving of 'a.de' .* one of keep"),
        ({"own_names": ["a b"]}, "mx_delivery_own_names: "),
        ({"own_addresses": ["300.0.0.1"]}, "mx_delivery_own_addresses: "),
        ({"search_list": ["a b"]}, "mx_delivery_search_list: "),
        ({"max_changes": "much"}, "mx_delivery_max_changes must be a number"),
        ({"max_changed_hosts": "-1"}, "mx_delivery_max_changed_hosts must be a number"),
        ({"serial": ["half"]}, "'half' is not a batch size"),
    ],
)
def test_what_is_wrong_is_named_with_its_variable(given: dict[str, Any], message: str) -> None:
    entry_point = "audit" if "search_list" in given else "main"
    with pytest.raises(InvalidInput, match=message):
        settings(entry_point, **given)


def test_text_with_commas_is_the_list_that_it_is() -> None:
    assert list(settings(domains="a.example, b.example").domains) == ["a.example", "b.example"]


def test_of_several_entries_for_one_domain_the_first_counts() -> None:
    entries = [{"name": "A.de", "test_recipient": "x@a.de"}, "a.de.", "b.de"]
    domains = settings(domains=entries).domains
    assert [domains["a.de"].route, domains["b.de"].route] == [{"test_recipient": "x@a.de"}, {}]


@pytest.mark.parametrize(
    ("family", "families"),
    [("imc", ["ipv4"]), ("transport", ["ipv6"]), ("auto", ["ipv4", "ipv6"])],
)
def test_dns_is_asked_for_the_addresses_that_any_host_can_use(
    family: str, families: list[str]
) -> None:
    given = values(family=family, families=["ipv6"], dns_port=5353, evidence=True)
    made = settings_of(given, "main", may_change=True)
    options = dns_options([made], given)
    assert (options["families"], options["port"]) == (families, 5353)
    assert not options["evidence"]  # a question for AAAA is not free of effect (rule 18)
    looking = dns_options([settings_of(given, "audit", may_change=True)], given)
    assert looking["evidence"] is (family != "imc")
    assert options["nameservers"] is None


def test_the_wishes_of_all_hosts_are_put_together() -> None:
    one = settings(own_names=["a.hq.example"], domains=["nestle.com"])
    two = settings(own_addresses=["10.0.0.0/8"], domains=["aol.com", "nestle.com"])
    options = dns_options([one, two], values())
    assert (options["own_names"], options["own_addresses"]) == (["a.hq.example"], ["10.0.0.0/8"])
    assert _settings.all_domains([one, two]) == ["nestle.com", "aol.com"]


def test_settings_of_a_domain_reach_dns() -> None:
    entries = [{"name": "A.de", "allow_private": True, "moving": "pin"}, "b.de"]
    one = settings_of(values(domains=entries), "main", may_change=True)
    two = settings_of(values(domains=["a.de", "b.de"]), "main", may_change=True)
    private = {"domain": "a.de", "allow_private": True, "moving": "pin"}
    assert _settings.dns_entries([one]) == [private, "b.de"]
    assert _settings.dns_entries([two, one]) == [private, "b.de"]
