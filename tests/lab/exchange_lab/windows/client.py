# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real client, pywinrm, set up for a listener of the lab."""

from __future__ import annotations

from typing import Any

from winrm.protocol import Protocol

from .winrm_server import Listener


def client(listener: Listener, transport: str = "ntlm", **more: Any) -> Protocol:
    """Return pywinrm's ``Protocol`` for a listener, as the first user of its host.

    ``more`` are arguments of ``Protocol``; nothing is sent by this.
    """
    user, password = next(iter(listener.host.users.items()))
    options: dict[str, Any] = {"username": user, "password": password, "ca_trust_path": None}
    return Protocol(listener.url, **{**options, "transport": transport, **more})


def one_command(protocol: Protocol, line: str) -> tuple[bytes, bytes, int]:
    """Run one command line in a shell of its own; return output, errors and exit code."""
    shell = protocol.open_shell(codepage=65001)
    command = protocol.run_command(shell, line)
    out, err, code = protocol.get_command_output(shell, command)
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)
    return out, err, code
