# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An administrator's folder on a controller, and the commands typed there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from .warm import Server

CONFIGURATION = """\
[defaults]
inventory = inventory
collections_path = {collections}
callback_result_format = yaml
"""
"""The ansible.cfg that the documentation recommends, and where the collection is."""

_RECAP = re.compile(r"^(\S+)\s+: (ok=\d+\s.*)$", re.MULTILINE)
_BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Run:
    """A command that ended: its exit status and what it printed, both streams in order."""

    status: int
    output: str

    def recap(self, host: str) -> dict[str, int]:
        """Return the counters of a host in the last PLAY RECAP, for example ``changed``."""
        told = dict(_RECAP.findall(self.output))
        return {key: int(number) for key, number in re.findall(r"(\w+)=(\d+)", told[host])}

    @property
    def changed(self) -> int:
        """How many changes all hosts together report."""
        return sum(self.recap(host)["changed"] for host, _skipped in _RECAP.findall(self.output))


@dataclass(slots=True)
class Controller:
    """``folder`` holds ansible.cfg and inventory; ``collections`` is where ours is installed.

    Nothing of the user's own Ansible configuration has a say, and nothing of it is touched.
    """

    folder: Path
    collections: Path
    color: bool = False
    more: Mapping[str, str] = field(default_factory=dict)
    warm: ClassVar[Server | None] = None
    """Where ``playbook`` begins its runs, if anywhere."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = CONFIGURATION.format(collections=self.collections)
        (self.folder / "ansible.cfg").write_text(text, encoding="utf-8")

    @property
    def inventory(self) -> Path:
        """Where a lab is to write its inventory."""
        return self.folder / "inventory" / "hosts.yml"

    def environment(self) -> dict[str, str]:
        """Return the environment of every command."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        color = "ANSIBLE_FORCE_COLOR" if self.color else "ANSIBLE_NOCOLOR"
        return {
            **kept,
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / ".ansible"),
            color: "1",
            "LC_ALL": "C.UTF-8",  # Ansible insists on an encoding of UTF-8
            "NO_PROXY": "127.0.0.1,localhost",
            "PATH": f"{_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PWD": "/nowhere",  # sudo, cron and AWX leave any; paths count from the folder itself
            "XDG_CACHE_HOME": str(self.folder / ".cache"),
            **self.more,
        }

    def run(self, command: Sequence[str] | str, *, timeout: float = 300.0) -> Run:
        """Run a command, or a line for the shell, in the folder; ``timeout`` in seconds."""
        done = subprocess.run(
            command,
            shell=isinstance(command, str),
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
        return Run(done.returncode, done.stdout.decode("utf-8", "replace"))

    def playbook(self, name: str, *options: str, timeout: float = 300.0) -> Run:
        """Run a playbook: one of ours by its short name, or a file."""
        what = name if name.endswith((".yml", ".yaml")) else f"postmaster.exchange.{name}"
        command = ["ansible-playbook", "-i", "inventory", what, *options]
        if self.warm is None:
            return self.run(command, timeout=timeout)
        command[0] = str(_BIN / command[0])
        status, output = self.warm.run(command, self.folder, self.environment(), timeout)
        return Run(status, output.decode("utf-8", "replace"))
