# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An SMTP client that a server cannot keep busy: replies are bounded in time and in length.

``smtplib`` alone waits anew with every octet, and collects the lines of a reply without end.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import base64
import smtplib
import time
from collections.abc import Iterator

#: Octets of one reply; the longest real ones are lists of extensions (RFC 5321 section 4.5.3.1.5
#: gives a line 512).
MAX_REPLY = 32_768
_CODE = 3  # digits


class BoundedSMTP(smtplib.SMTP):
    """Takes a reply only if it is whole within ``timeout`` seconds, and of sensible length."""

    def getreply(self) -> tuple[int, bytes]:
        """Return code and text of a reply; -1 where what came is none.

        Raises SMTPServerDisconnected, and the connection is closed then.
        """
        texts: list[bytes] = []
        size = 0
        for line in self._lines(time.monotonic() + self.timeout):
            size += len(line)
            if size > MAX_REPLY:
                raise self._broken("it answers without end")
            texts.append(line[_CODE + 1 :].strip(b" \t\r\n"))
            code = int(line[:_CODE]) if line[:_CODE].isdigit() else -1
            if code < 0 or line[_CODE : _CODE + 1] != b"-":
                break
        return code, b"\n".join(texts)

    def _lines(self, deadline: float) -> Iterator[bytes]:
        """Yield lines as they come in, until the deadline (of the monotonic clock)."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        if self.file is None:
            self.file = self.sock.makefile("rb")
        line = b""
        try:
            while True:
                self.sock.settimeout(max(0.001, deadline - time.monotonic()))
                ahead = self.file.peek(1)  # reads at most once
                if not ahead:
                    raise self._broken("it closed the connection")
                piece = self.file.read(ahead.find(b"\n") + 1 or len(ahead))
                line += piece
                if line.endswith(b"\n") or len(line) > MAX_REPLY:
                    self.sock.settimeout(self.timeout)
                    yield line
                    line = b""
                if time.monotonic() > deadline:
                    raise TimeoutError
        except TimeoutError:
            raise self._broken(f"no whole answer came within {self.timeout:g} seconds") from None
        except OSError as error:
            raise self._broken(error.strerror or type(error).__name__) from None

    def _broken(self, why: str) -> smtplib.SMTPServerDisconnected:
        self.close()
        return smtplib.SMTPServerDisconnected(why)


def login_texts(user: str, password: str) -> tuple[str, ...]:
    """Return the forms in which a login travels (RFC 4954): no reply that repeats one is shown."""
    if not password:
        return ()
    plain = f"\0{user}\0{password}".encode()
    encoded = (base64.b64encode(text).decode() for text in (plain, password.encode()))
    return (password, *(text.rstrip("=") for text in encoded))
