# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pass DNS over UDP on, and each reply after a delay: a name server that is far away.

    python delay_proxy.py ADDRESS PORT SERVER_ADDRESS SERVER_PORT MILLISECONDS

Questions of all clients leave by one socket, each under an id of the proxy's own. SIGTERM ends it.
"""

from __future__ import annotations

import selectors
import signal
import socket
import sys
import time
from collections import deque

_LARGEST = 65535
_AT_ONCE = 256  # datagrams read before anything else is done


def main(address: str, port: int, server: str, server_port: int, delay: float) -> int:
    """Run until SIGTERM; ``delay`` is in seconds."""
    front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for sock in (front, back):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.setblocking(False)
    front.bind((address, port))
    back.connect((server, server_port))
    selector = selectors.DefaultSelector()
    selector.register(front, selectors.EVENT_READ)
    selector.register(back, selectors.EVENT_READ)
    asked: dict[int, tuple[bytes, tuple[str, int]]] = {}
    replies: deque[tuple[float, bytes, tuple[str, int]]] = deque()
    count = 0
    ended = False

    def end(*_arguments: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    while not ended:
        wait = 0.5 if not replies else max(0.0, replies[0][0] - time.monotonic())
        for key, _events in selector.select(wait):
            for _unused in range(_AT_ONCE):
                try:
                    if key.fileobj is front:
                        wire, client = front.recvfrom(_LARGEST)
                        ident = count & 0xFFFF
                        asked[ident] = wire[:2], client
                        back.send(ident.to_bytes(2, "big") + wire[2:])
                        count += 1
                    else:
                        wire = back.recv(_LARGEST)
                        ours, client = asked.pop(int.from_bytes(wire[:2], "big"))
                        replies.append((time.monotonic() + delay, ours + wire[2:], client))
                except (BlockingIOError, KeyError, ConnectionRefusedError):
                    break
        now = time.monotonic()
        while replies and replies[0][0] <= now:
            _due, wire, client = replies.popleft()
            front.sendto(wire, client)
    return 0


if __name__ == "__main__":
    sys.exit(
        main(
            sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5]) / 1000
        )
    )
