# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of any code page, line ends, empty files."""

from __future__ import annotations

from .case import case, wine
from .documents import CHCP, TYPE_WIDE

HIGH = bytes(range(128, 256)) + b"\r\n"
BYTES = bytes(range(256))
WIDE = b"\xff\xfe" + "ab\r\nc\r\n".encode("utf-16-le")
MANY = b"".join(b"line %d\r\n" % n for n in range(5000))
ROUTES = (
    b"[Header]\r\nVersion=1\r\n\r\n[Routes]\r\nDeliveryRouting=+\r\n"
    b"+CAF\xc9.EXAMPLE;192.0.2.7;0\r\nDefaultRouting=\r\n"
)

CASES = [
    case("type of bytes of any code page", "type b.txt", out=HIGH, files={"b.txt": HIGH}),
    case(
        "type of bytes to a file", "type b.txt>o.txt", files={"b.txt": HIGH}, after={"o.txt": HIGH}
    ),
    case(
        "type of UTF-8",
        "type b.txt",
        out=b"\xc3\xa4\xe2\x82\xac\xc3\x9f\r\n",
        files={"b.txt": b"\xc3\xa4\xe2\x82\xac\xc3\x9f\r\n"},
    ),
    case(
        "type of UTF-8 with a mark",
        "type b.txt",
        out=b"\xef\xbb\xbf\xc3\xa4\xe2\x82\xac\xc3\x9f\r\n",
        files={"b.txt": b"\xef\xbb\xbf\xc3\xa4\xe2\x82\xac\xc3\x9f\r\n"},
    ),
    case(
        "type of UTF-16",
        "type b.txt",
        out="ab\r\nc\r\n",
        files={"b.txt": WIDE},
        differs=wine("out", "stops at the first NUL", TYPE_WIDE),
    ),
    case(
        "type of UTF-16 beyond ASCII",
        "type b.txt",
        out=b"\x82\r\n",
        files={"b.txt": b"\xff\xfe\xe9\x00\r\x00\n\x00"},
        differs=wine("out", "stops at the first NUL", TYPE_WIDE),
    ),
    case(
        "type of UTF-16 to a file",
        "type b.txt>o.txt",
        files={"b.txt": WIDE},
        after={"o.txt": b"ab\r\nc\r\n"},
        differs=wine("files", "stops at the first NUL", TYPE_WIDE),
    ),
    case("type of a routes file", "type b.txt", out=ROUTES, files={"b.txt": ROUTES}),
    case("type of an empty file", "type b.txt", files={"b.txt": b""}),
    case(
        "type without a final line end",
        "type b.txt&echo x",
        out="ab\r\ncx\r\n",
        files={"b.txt": b"ab\r\nc"},
    ),
    case(
        "type of lines that end in line feeds",
        "type b.txt",
        out="a\nb\n",
        files={"b.txt": b"a\nb\n"},
    ),
    case(
        "type of lines that end in carriage returns",
        "type b.txt",
        out="a\rb\r",
        files={"b.txt": b"a\rb\r"},
    ),
    case("type of tabs", "type b.txt", out="a\tb\r\n", files={"b.txt": b"a\tb\r\n"}),
    case("type of many lines", "type b.txt", out=MANY, files={"b.txt": MANY}),
    case(
        "type of a line of 20000 bytes",
        "type b.txt",
        out="x" * 20000 + "\r\n",
        files={"b.txt": b"x" * 20000 + b"\r\n"},
    ),
    case(
        "copy of all bytes, binary",
        "copy /b b.txt o.txt>nul",
        files={"b.txt": BYTES},
        after={"o.txt": BYTES},
    ),
    case(
        "copy of all bytes", "copy b.txt o.txt>nul", files={"b.txt": BYTES}, after={"o.txt": BYTES}
    ),
    case(
        "copy of a routes file",
        "copy /b /y b.txt o.txt>nul",
        files={"b.txt": ROUTES},
        after={"o.txt": ROUTES},
    ),
    case(
        "copy joins bytes",
        "copy /b b.txt+b.txt o.txt>nul",
        files={"b.txt": HIGH},
        after={"o.txt": HIGH + HIGH},
    ),
    case(
        "move of all bytes",
        "move b.txt o.txt>nul",
        files={"b.txt": BYTES},
        after={"o.txt": BYTES, "b.txt": None},
    ),
    case(
        "append behind bytes",
        ">>b.txt echo x",
        files={"b.txt": HIGH},
        after={"b.txt": HIGH + b"x\r\n"},
    ),
    case(
        "append behind no final line end",
        ">>b.txt echo x",
        files={"b.txt": b"ab"},
        after={"b.txt": b"abx\r\n"},
    ),
    case(
        "echo in the code page",
        "echo éü",
        out=b"\x82\x81\r\n",
        differs=wine("out", "prints in the code page of Windows programs", CHCP),
    ),
    case(
        "echo in the code page to a file",
        ">o.txt echo éü",
        after={"o.txt": b"\x82\x81\r\n"},
        differs=wine("files", "writes in the code page of Windows programs", CHCP),
    ),
    case(
        "size of bytes",
        'for %I in ("b.txt") do @echo size=%~zI',
        out="size=256\r\n",
        files={"b.txt": BYTES},
    ),
    case(
        "size of nothing",
        'for %I in ("b.txt") do @echo size=%~zI',
        out="size=0\r\n",
        files={"b.txt": b""},
    ),
    case("find in bytes", 'find "x"<b.txt', out=b"a\xc9x\r\n", files={"b.txt": b"a\xc9x\r\nb\r\n"}),
    case(
        "lines of a file with bytes",
        "@for /f %I in (b.txt) do @echo [%I]",
        out=b"[a\x82]\r\n[b]\r\n",
        files={"b.txt": b"a\x82\r\nb\r\n"},
        differs=wine("out", "loses them", CHCP),
    ),
]
