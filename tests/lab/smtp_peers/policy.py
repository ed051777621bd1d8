# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy service that greylists, as postgrey does: the first try of a pair is put off.

Postfix's policy protocol: lines "name=value", an empty line, and an action in return.
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator


class Greylist:
    """Knows which pairs of sender and recipient have been here before."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def action(self, sender: str, recipient: str) -> str:
        """Return what Postfix has to do with this recipient."""
        known = (sender, recipient) in self.seen
        self.seen.append((sender, recipient))
        return "DUNNO" if known else "DEFER_IF_PERMIT Greylisted, try again later"


@contextlib.contextmanager
def greylisting() -> Iterator[tuple[Greylist, int]]:
    """Run the service; yields what it knows, and its port of loopback."""
    greylist = Greylist()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            told: dict[str, str] = {}
            for raw in self.rfile:
                name, _equals, value = raw.decode().strip().partition("=")
                if name:
                    told[name] = value
                else:
                    action = greylist.action(told["sender"], told["recipient"])
                    self.wfile.write(f"action={action}\n\n".encode())
                    told = {}

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield greylist, server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
