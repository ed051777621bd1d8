# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins of the collection load the shared state of workers before the first fork."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.postmaster.exchange.plugins.plugin_utils import _shared

_COLLECTIONS = str(Path(_shared.__file__).parents[5])
_PLUGINS = "ansible_collections.postmaster.exchange.plugins"
# Tells whether ansible-core has still to open a file of filters or tests when one is asked for.
_LOADS = """
import importlib
from ansible.plugins import loader
loader.init_plugin_loader([{collections!r}])
opened = []
read = loader.PluginLoader._load_module_source
loader.PluginLoader._load_module_source = lambda *args, **names: (
    opened.append(args[0].type) or read(*args, **names)
)
importlib.import_module({module!r})
opened.clear()
loader.filter_loader.get("ansible.builtin.combine")
loader.test_loader.get("ansible.builtin.failed")
print(sorted(set(opened)))
"""


def opened_after(module: str) -> str:
    """Import a module in a process of its own; return which kinds of plugins it left to load."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADS.format(module=module, collections=_COLLECTIONS)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["imc_delivery", "delivery_routes"])
def test_filters_and_tests_are_loaded_with_an_action(name: str) -> None:
    assert opened_after(f"{_PLUGINS}.action.{name}") == "[]"


def test_without_an_action_they_are_not() -> None:
    assert opened_after(f"{_PLUGINS}.module_utils._base.errors") == "['filter', 'test']"
