# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real SSH server on loopback, to which the user of the tests logs in by a key of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import peer_programs

NAMES = ("bastion.hq.example", "jump.hq.example")
_PRIVILEGE_SEPARATION = Path("/run/sshd")  # sshd wants it where it runs as root


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Path]:
    """Run a server; yields the client's configuration, in which ``NAMES`` lead to it."""
    server = peer_programs.program("sshd")
    folder.mkdir(exist_ok=True)
    port = peer_programs.free_port()
    for name in ("host-key", "user-key"):
        if not (folder / name).exists():
            make = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
            peer_programs.output(*make)
    if os.geteuid() == 0:
        _PRIVILEGE_SEPARATION.mkdir(exist_ok=True)
    theirs, ours = folder / "sshd_config", folder / "config"
    theirs.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host-key\n"
        f"AuthorizedKeysFile {folder}/user-key.pub\nStrictModes no\nUsePAM no\nPidFile none\n"
        "PasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    ours.write_text(
        f"Host {' '.join(NAMES)}\n  HostName 127.0.0.1\n  Port {port}\n"
        f"  User {getpass.getuser()}\n  IdentityFile {folder}/user-key\n  IdentitiesOnly yes\n"
        f"  StrictHostKeyChecking accept-new\n  UserKnownHostsFile {folder}/known_hosts-{port}\n"
        "  LogLevel ERROR\n  ExitOnForwardFailure yes\n"
    )
    command = [server, "-D", "-e", "-f", str(theirs)]
    with peer_programs.running(command, lambda: _listens(port), folder):
        yield ours


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
