# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run tasks in this process, by the code that a worker process of ``ansible-playbook`` runs.

Variables of an inventory, templates, the connection plugin, ``until``, ``delegate_to`` and the
action plugin are Ansible's and ours; only the processes, the strategy and the callbacks are absent.
A task takes a twentieth of what a playbook of that task takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible import context
from ansible.executor.task_executor import TaskExecutor
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import play as plays
from ansible.playbook.play_context import PlayContext
from ansible.plugins import loader
from ansible.plugins.callback import CallbackBase
from ansible.template import trust_as_template
from ansible.utils.display import Display
from ansible.vars.manager import VariableManager

Result = dict[str, Any]
Play = Callable[..., dict[str, Result]]

_PLUGINS = Path(__file__).parents[1] / "e2e" / "ansible_plugins"
_COMMAND_LINE = {
    "become": False,
    "become_method": None,
    "become_user": None,
    "connection": "ssh",
    "remote_user": None,
    "subset": None,
    "verbosity": 0,
}

#: What Ansible says of a plugin that raises where it should have returned a failure.
_DEFECTS = ("Task failed: ", "Unexpected failure")


class Worker:
    """Runs tasks on the hosts of an inventory; ``folder`` is that of the playbook."""

    def __init__(self, folder: Path, inventory: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._inventory = inventory
        loader.connection_loader.add_directory(str(_PLUGINS / "connection"))

    def hosts(self) -> list[str]:
        """Return the names of all hosts."""
        inventory = InventoryManager(self._loader(), sources=[str(self._inventory)])
        return [host.name for host in inventory.get_hosts()]

    def run(
        self,
        host: str,
        task: Mapping[str, Any],
        *,
        check: bool = False,
        diff: bool = False,
        variables: Mapping[str, Any] | None = None,
        verbosity: int = 0,
    ) -> Result:
        """Run a task on a host and return its result; ``variables`` win over the inventory's.

        Raises AssertionError where the task ended by an exception.
        """
        with _verbose(verbosity), contextlib.chdir(self._folder):
            return self._run(host, task, check, diff, variables or {})

    def _run(
        self, host: str, task: Mapping[str, Any], check: bool, diff: bool, more: Mapping[str, Any]
    ) -> Result:
        context.CLIARGS = ImmutableDict(_COMMAND_LINE, check=check, diff=diff)
        data = self._loader()
        inventory = InventoryManager(data, sources=[str(self._inventory)])
        manager = VariableManager(data, inventory)
        manager._extra_vars = _trusted(more)
        play = plays.Play.load(
            {"name": "tests", "hosts": host, "gather_facts": False, "tasks": [_trusted(task)]},
            variable_manager=manager,
            loader=data,
        )
        tasks = [one for block in play.compile() for one in block.block]
        [todo] = [one for one in tasks if not one.action.endswith("meta")]
        target = inventory.get_host(host)
        known = manager.get_vars(play=play, host=target, task=todo)
        executor = TaskExecutor(
            target, todo, known, PlayContext(play), data, _LOADERS, _NO_CALLBACKS, manager
        )
        returned = executor.run()
        inner = ("_ansible_", "exception")  # an exception has no traceback, so no user sees it
        result: Result = {key: it for key, it in returned.items() if not key.startswith(inner)}
        assert not str(result.get("msg", "")).startswith(_DEFECTS), result["msg"]
        if "warnings" in result:
            result["warnings"] = [_text_of(one) for one in result["warnings"]]
        return result

    def _loader(self) -> DataLoader:
        data = DataLoader()
        data.set_basedir(str(self._folder))
        return data


_LOADERS = SimpleNamespace(
    **{
        f"{kind}_loader": getattr(loader, f"{kind}_loader")
        for kind in ("action", "become", "connection", "filter", "lookup", "module", "test")
    }
)


_NO_CALLBACKS = SimpleNamespace(send_callback=lambda *_args, **_options: None)


def shown_diff(result: Result) -> str:
    """Return what ``--diff`` prints of a result."""
    return str(CallbackBase()._get_diff(result["diff"]))


@contextlib.contextmanager
def _verbose(level: int) -> Iterator[None]:
    display = Display()
    before, display.verbosity = display.verbosity, level
    try:
        yield
    finally:
        display.verbosity = before


def _text_of(warning: Any) -> str:
    """Return a warning as a registered result has it; it is an object since ansible-core 2.19."""
    return str(warning.event.msg if hasattr(warning, "event") else warning)


def _trusted(value: Any) -> Any:
    """Return a value whose texts may be templates, as those of a playbook may."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, Mapping):
        return {key: _trusted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_trusted(item) for item in value]
    return value
