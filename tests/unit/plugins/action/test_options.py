# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's table of options is where its options are; pages, role and action groups follow it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import EngineModule
from ansible_collections.postmaster.exchange.plugins.module_utils._report.spec import FORMATS
from ansible_collections.postmaster.exchange.plugins.module_utils._run.imc_delivery import (
    ARGUMENT_SPEC as IMC_SPEC,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.module_runner import (
    argument_spec,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.transport_delivery import (
    ARGUMENT_SPEC as CONNECTORS_SPEC,
)
from ansible_collections.postmaster.exchange.plugins.plugin_utils._action import EngineAction
from ansible_collections.postmaster.exchange.plugins.plugin_utils._domain_entries import ENTRY_SPEC

ROOT = Path(__file__).parents[4]
PLUGINS = "ansible_collections.postmaster.exchange.plugins"
TYPES = ("type", "elements", "choices")


def _modules() -> Iterator[tuple[str, EngineModule]]:
    for file in sorted((ROOT / "plugins" / "action").glob("*.py")):
        action = importlib.import_module(f"{PLUGINS}.action.{file.stem}").ActionModule
        if issubclass(action, EngineAction):
            yield file.stem, action.module


MODULES = dict(_modules())


def page(name: str) -> dict[str, Any]:
    """The options of a module's page, with those of its fragments, as ansible-doc puts them."""
    document = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{name}").DOCUMENTATION)
    options: dict[str, Any] = dict(document.get("options") or {})
    for fragment in document.get("extends_documentation_fragment", []):
        _collection, _dot, path = fragment.partition("exchange.")
        file, _dot, variant = path.partition(".")
        module = importlib.import_module(f"{PLUGINS}.doc_fragments.{file}").ModuleDocFragment
        more = yaml.safe_load(getattr(module, variant.upper() or "DOCUMENTATION"))
        options |= more.get("options") or {}
    return options


def agree(documented: Mapping[str, Any], table: Mapping[str, Any], where: str) -> None:
    assert sorted(documented) == sorted(table), where
    for name, option in table.items():
        words, place = documented[name], f"{where}.{name}"
        for key in (*TYPES, "default", "aliases"):
            assert words.get(key) == option.get(key), (place, key)
        assert bool(words.get("required")) is bool(option.get("required")), place
        lines = words["description"]
        lines = [lines] if isinstance(lines, str) else lines
        assert all(isinstance(line, str) and line.endswith(".") for line in lines), place
        agree(words.get("suboptions") or {}, option.get("options") or {}, place)


def secrets(table: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, option in table.items():
        yield f"{where}{name}", option
        yield from secrets(option.get("options") or {}, f"{where}{name}.")


@pytest.mark.parametrize("name", MODULES)
def test_the_page_of_a_module_follows_its_table(name: str) -> None:
    agree(page(name), argument_spec(MODULES[name]), name)


@pytest.mark.parametrize("name", MODULES)
def test_what_can_hold_a_secret_is_never_logged(name: str) -> None:
    for place, option in secrets(argument_spec(MODULES[name])):
        word = place.rpartition(".")[2]
        if word in {"password", "proxy"}:
            assert option.get("no_log") is True, place
        elif "key" in word or "pass" in word:
            assert "no_log" in option, f"{place}: set no_log to true or false"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_what_its_action_plugin_is(name: str) -> None:
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")
    shared = [value for value in vars(module).values() if isinstance(value, EngineModule)]
    assert shared == [MODULES[name]]


# -- action groups

GROUPS: dict[str, list[str]] = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text("utf-8"))[
    "action_groups"
]


@pytest.mark.parametrize(
    ("group", "option"), [("exchange", "connection"), ("powershell", "endpoint")]
)
def test_a_group_has_all_modules_that_take_what_is_set_for_it(group: str, option: str) -> None:
    takers = [name for name, module in MODULES.items() if option in argument_spec(module)]
    assert sorted(GROUPS[group]) == takers
    assert set(GROUPS) == {"exchange", "powershell"}


@pytest.mark.parametrize("name", MODULES)
def test_the_page_of_a_module_names_its_groups(name: str) -> None:
    document = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{name}").DOCUMENTATION)
    fragments = document["extends_documentation_fragment"]
    named = {f.rpartition(".")[2] for f in fragments if ".attributes." in f}
    groups = [group for group, members in GROUPS.items() if name in members]
    expected = {("exchange",): {"exchange"}, ("exchange", "powershell"): {"both"}, (): set()}
    assert named == expected[tuple(groups)]


# -- the role

ROLE: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "roles" / "mx_delivery" / "meta" / "argument_specs.yml").read_text("utf-8")
)["argument_specs"]
_PREFIXES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("test_smtp_", MODULES["delivery_test"].options["smtp"]["options"]),
    ("test_", MODULES["delivery_test"].options),
    ("connector_", CONNECTORS_SPEC),
    ("dns_", MODULES["mx_pairs_info"].options),
    ("lock_", MODULES["mx_lock_info"].options),
)
#: Options of the role alone: those of its own flow, and those that only it reads.
OWN = {
    "domains", "fail_on", "lock", "share", "run", "writers", "serial", "max_changed_hosts", "list",
    "gate", "merge_from", "report_dir", *(f"report_{name}" for name in FORMATS), "test",
    "test_limit", "test_stuck", "rollback_test", "look_at_queues", "state", "backup", "family",
    "exact_confirm", "test_from",
    "plan", "plan_content", "plan_max_age", "plan_out",
}  # fmt: skip
#: Defaults of the role that are meant to differ, since it changes hosts.
DEFAULTS = {"moved_often", "resolver_search_list", "evidence", "min_age", "retry_queues"}


def source(name: str) -> Mapping[str, Any] | None:
    """The module's option that a variable of the role hands a value to."""
    for prefix, table in _PREFIXES:
        if name.startswith(prefix) and name.removeprefix(prefix) in table:
            option: Mapping[str, Any] = table[name.removeprefix(prefix)]
            return option
    specs = [IMC_SPEC, CONNECTORS_SPEC, *(argument_spec(module) for module in MODULES.values())]
    return next((spec[name] for spec in specs if name in spec), None)


VARIABLES = sorted(
    {(name.removeprefix("mx_delivery_")) for entry in ROLE.values() for name in entry["options"]}
)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_of_the_role_follows_the_option_that_it_sets(name: str) -> None:
    option = source(name)
    for entry, spec in ROLE.items():
        words = spec["options"].get(f"mx_delivery_{name}")
        if words is None or name in OWN:
            continue
        assert option is not None, f"{name}: no module has it; name it in OWN"
        for key in TYPES:
            assert words.get(key) == option.get(key), (entry, name, key)
        assert bool(words.get("no_log")) is bool(option.get("no_log")), (entry, name)
        # What has no default of its own is left to the module.
        if name not in DEFAULTS and words.get("default") not in (None, "", []):
            assert words["default"] == option.get("default"), (entry, name)


def test_a_variable_is_the_same_at_each_entry_point() -> None:
    seen: dict[str, tuple[str, dict[str, Any]]] = {}
    for entry, spec in ROLE.items():
        for name, words in spec["options"].items():
            kept = {key: words.get(key) for key in (*TYPES, "default", "no_log")}
            first, known = seen.setdefault(name, (entry, kept))
            assert kept == known, (name, first, entry)


def test_the_settings_of_a_domain_follow_their_table() -> None:
    """Role and page describe what the table has; each entry point that takes domains alike."""
    entries = [spec["options"].get("mx_delivery_domains") for spec in ROLE.values()]
    described = [words["options"] for words in entries if words]
    assert len(described) == 5
    for options in described:
        agree(options, ENTRY_SPEC, "mx_delivery_domains")
    table = (ROOT / "docs" / "domain-settings.md").read_text("utf-8")
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(ENTRY_SPEC)


def test_an_entry_point_that_reads_backups_takes_who_shares_them() -> None:
    for entry, spec in ROLE.items():
        given = {f"mx_delivery_backup_{name}" for name in ("dir", "mode", "group")}
        taken = given & {*spec["options"]} if "options" in spec else set()
        assert taken in (given, set()), entry
