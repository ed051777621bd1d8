# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the collection and its lab importable from a plain checkout.

With ``NO_SKIPS`` in the environment a skipped test fails the run: where everything that tests need
is said to be there, a skip means that something was not looked at.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest


def _leave_home_alone() -> None:
    """Let nothing of the user's own settings have a say, and write nothing into their home."""
    home = Path(tempfile.mkdtemp(prefix="tests-home-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith("ANSIBLE_")]:
        del os.environ[name]
    configuration = home / "ansible.cfg"
    configuration.touch()
    os.environ["ANSIBLE_CONFIG"] = str(configuration)
    os.environ["ANSIBLE_HOME"] = str(home / "ansible")
    os.environ["XDG_CACHE_HOME"] = str(home / "cache")


if "ansible" not in sys.modules:  # ``ansible-test units`` has its own
    _leave_home_alone()

ROOT = Path(__file__).resolve().parent.parent


def _link_collection() -> Path:
    """Return a folder from which ``ansible_collections.postmaster.exchange`` is this checkout."""
    link = ROOT / ".build" / "ansible_collections" / "postmaster" / "exchange"
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another process was faster
            link.symlink_to(ROOT, target_is_directory=True)
    return ROOT / ".build"


for _path in (ROOT / "tests" / "lab", ROOT / "tests" / "unit" / "fakes", _link_collection()):
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))

# Collections are imported as Ansible imports them, for tests/modules runs tasks in this process.
# ``ansible-test units`` has a finder of its own, and only what a module has on its host.
with contextlib.suppress(ModuleNotFoundError):
    from ansible.plugins import loader
    from ansible.utils.collection_loader import AnsibleCollectionConfig

    if AnsibleCollectionConfig.collection_finder is None:
        loader.init_plugin_loader([str(ROOT / ".build")])


def _skipped(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", ())) if os.environ.get("NO_SKIPS") else 0


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let skipped tests fail the run where none may be skipped."""
    if _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why a run without failures fails."""
    if number := _skipped(terminalreporter.config):
        terminalreporter.write_line(f"{number} skipped where NO_SKIPS allows none", red=True)
