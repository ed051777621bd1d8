# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for secrets in whatever a run printed and wrote, in every encoding they travel in."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

from spnego._ntlm_raw.crypto import ntowfv1

Encoder = Callable[[str], bytes]


def _base64_within(data: bytes, offset: int, *, url: bool = False) -> bytes:
    """Return the base64 that a text leaves in that of a longer one, in which it begins at offset.

    The first and the last character depend on what stands around it, and are left out.
    """
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    encoded = encode(b"\0" * offset + data)
    first = -(-offset * 8 // 6)  # characters that hold a bit of what stands before
    last = (offset + len(data)) * 8 // 6
    return encoded[first:last]


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def _twice(text: str) -> bytes:
    return json.dumps(json.dumps(text)[1:-1])[1:-1].encode()


#: Each encoding by its name. Basic is ``user:password`` in base64, a PLAIN login of SMTP
#: ``\0user\0password``: the password stands at any of three offsets in them.
ENCODERS: Mapping[str, Encoder] = {
    "plain": str.encode,
    "reversed": lambda text: text[::-1].encode(),
    "UTF-16": _utf16,
    "base64, at offset 0": lambda text: _base64_within(text.encode(), 0),
    "base64, at offset 1": lambda text: _base64_within(text.encode(), 1),
    "base64, at offset 2": lambda text: _base64_within(text.encode(), 2),
    "base64 for URLs, at offset 0": lambda text: _base64_within(text.encode(), 0, url=True),
    "base64 for URLs, at offset 1": lambda text: _base64_within(text.encode(), 1, url=True),
    "base64 for URLs, at offset 2": lambda text: _base64_within(text.encode(), 2, url=True),
    "base64 of UTF-16, at offset 0": lambda text: _base64_within(_utf16(text), 0),
    "base64 of UTF-16, at offset 1": lambda text: _base64_within(_utf16(text), 1),
    "base64 of UTF-16, at offset 2": lambda text: _base64_within(_utf16(text), 2),
    "URL": lambda text: quote(text, safe="").encode(),
    "URL with its slash": lambda text: quote(text).encode(),
    "URL in lower case": lambda text: quote(text, safe="").replace("%2F", "%2f").lower().encode(),
    "form": lambda text: quote_plus(text).encode(),
    "XML": lambda text: escape(text).encode(),
    "XML attribute": lambda text: quoteattr(text)[1:-1].encode(),
    "JSON": lambda text: json.dumps(text)[1:-1].encode(),
    "JSON in JSON": _twice,
    "Python": lambda text: repr(text)[1:-1].encode(),
    "shell": lambda text: shlex.quote(text).encode(),
    "shell in double quotes": lambda text: "".join(
        f"\\{char}" if char in '\\"$`' else char for char in text
    ).encode(),
    "YAML in single quotes": lambda text: text.replace("'", "''").encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "hex in capitals": lambda text: text.encode().hex().upper().encode(),
    "hex of UTF-16": lambda text: _utf16(text).hex().encode(),
    "NT hash": lambda text: ntowfv1(text).hex().encode(),
    "NT hash in capitals": lambda text: ntowfv1(text).hex().upper().encode(),
    "NT hash, raw": ntowfv1,
    "NT hash in base64": lambda text: base64.b64encode(ntowfv1(text)).rstrip(b"="),
    "Ansible vault's hex": lambda text: text.encode().hex().encode().hex().encode(),
}


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret that was found: its name, its encoding, where, and what stands around it."""

    secret: str
    encoding: str
    place: str
    around: str


class Search:
    """Looks for secrets, which are given with a name for each."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.needles = [
            (name, encoding, encode(secret))
            for name, secret in secrets.items()
            for encoding, encode in ENCODERS.items()
        ]

    def text(self, place: str, data: bytes) -> Iterator[Leak]:
        """Yield the secrets in some bytes."""
        # A line that a callback wrapped must not hide anything.
        joined = b"".join(data.split(b"\n"))
        for name, encoding, needle in self.needles:
            for where in (data, joined):
                at = where.find(needle)
                if at >= 0:
                    around = where[max(0, at - 80) : at + len(needle) + 40]
                    yield Leak(name, encoding, place, around.decode("utf-8", "replace"))
                    break

    def folder(self, folder: Path) -> Iterator[Leak]:
        """Yield the secrets in the files of a folder, and in their names."""
        for path in sorted(folder.rglob("*")):
            yield from self.text(f"the name {path.name}", path.name.encode())
            if path.is_file() and not path.is_symlink():
                yield from self.text(str(path.relative_to(folder)), path.read_bytes())
