# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Postfix instance: configuration, start, end, log and mailboxes."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from peer_programs import free_port, output, program

_PATIENCE = 30.0  # seconds
_NOBODY = 65534

# What any instance needs: no look-ups, no network but loopback, nothing of the system's own.
_MAIN = {
    "compatibility_level": "3.6",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "myhostname": "mx.nestle.com",
    "mydestination": "",
    "mynetworks": "",
    "local_recipient_maps": "",
    "local_transport": "error:no local mail",
    "alias_maps": "",
    "alias_database": "",
    "biff": "no",
    "disable_dns_lookups": "yes",
    "smtp_dns_support_level": "disabled",
    "smtpd_peername_lookup": "no",
    "smtpd_error_sleep_time": "0",
    "virtual_uid_maps": f"static:{_NOBODY}",
    "virtual_gid_maps": f"static:{_NOBODY}",
}
_SERVICES = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running instance; ``ports`` are those of its listeners, by name."""

    folder: Path
    ports: Mapping[str, int] = field(default_factory=dict)

    @property
    def log(self) -> str:
        """What it logged so far."""
        file = self.folder / "maillog"
        return file.read_text() if file.exists() else ""

    def mail(self, recipient: str) -> list[Message]:
        """Return what lies in a mailbox."""
        folder = self.folder / "mail" / recipient / "new"
        files = sorted(folder.iterdir()) if folder.exists() else []
        return [message_from_bytes(file.read_bytes()) for file in files]

    def wait(self, wanted: Callable[[Postfix], bool]) -> None:
        """Return as soon as ``wanted`` holds; what it logged is the complaint if it never does."""
        deadline = time.monotonic() + _PATIENCE
        while not wanted(self):
            assert time.monotonic() < deadline, self.log[-5000:]
            time.sleep(0.02)


@contextlib.contextmanager
def postfix(
    main: Mapping[str, str],
    listeners: Mapping[str, Mapping[str, str]],
    prepare: Callable[[Path], None] = lambda _folder: None,
) -> Iterator[Postfix]:
    """Run Postfix with some settings, and listeners with settings of their own.

    "{folder}" in a value is the folder of the instance; ``prepare`` puts into it what else is
    needed, before the start.
    """
    if os.geteuid() != 0:
        pytest.skip("only root may start Postfix")
    starter = program("postfix")
    # Not below the folder of the tests: Postfix works as users of its own, who may not look there.
    folder = Path(tempfile.mkdtemp(prefix="exchange-lab-postfix-"))
    try:
        folder.chmod(0o755)
        ports = {name: free_port() for name in listeners}
        _configure(folder, main, listeners, ports)
        prepare(folder)
        command = [starter, "-c", str(folder / "etc")]
        output(*command, "start")
        try:
            yield Postfix(folder, ports)
        finally:
            subprocess.run([*command, "stop"], check=False, capture_output=True)
            with contextlib.suppress(subprocess.SubprocessError):
                subprocess.run([*command, "abort"], check=False, capture_output=True, timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _configure(
    folder: Path,
    main: Mapping[str, str],
    listeners: Mapping[str, Mapping[str, str]],
    ports: Mapping[str, int],
) -> None:
    for name in ("etc", "queue", "data", "mail"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix", "postfix")
    os.chown(folder / "mail", _NOBODY, _NOBODY)
    own = {
        "queue_directory": f"{folder}/queue",
        "data_directory": f"{folder}/data",
        "virtual_mailbox_base": f"{folder}/mail",
        "maillog_file": f"{folder}/maillog",
        "maillog_file_prefixes": str(folder),
    }
    settings = {**_MAIN, **own, **main}
    text = "".join(f"{key} = {value}\n" for key, value in settings.items())
    (folder / "etc" / "main.cf").write_text(text.replace("{folder}", str(folder)))
    lines = [_SERVICES]
    for name, more in listeners.items():
        lines.append(f"127.0.0.1:{ports[name]} inet n - n - - smtpd\n")
        lines += [f"  -o {{ {key} = {value} }}\n" for key, value in more.items()]
    (folder / "etc" / "master.cf").write_text("".join(lines).replace("{folder}", str(folder)))
