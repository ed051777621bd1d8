# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``find``, ``findstr`` and ``more``, working on bytes: they print what the file holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .errors import WinError
from .loops import matching
from .process import Invocation

_PAUSE_AFTER = 65534  # lines after which MORE waits for a key even when redirected
_TABS = 8


def _lines(data: bytes) -> list[bytes]:
    lines = re.split(rb"\r?\n", data)
    return lines[:-1] if lines and not lines[-1] else lines


def _print(invocation: Invocation, line: bytes) -> None:
    invocation.streams.check()
    invocation.streams.stdout(line + b"\r\n")


def _inputs(
    invocation: Invocation, names: list[str], complaint: str
) -> Iterator[tuple[str, list[bytes]]]:
    """Yield name and lines of each file, or of standard input under the name ``""``."""
    if not names:
        yield "", _lines(invocation.streams.stdin.read_all(invocation.streams.stop))
    for name in names:
        found = matching(name, invocation.shell) or [name]
        for path in found:
            try:
                yield path, _lines(invocation.read_file(path))
            except WinError:
                invocation.err(complaint.format(path) + "\r\n")


# -- find ------------------------------------------------------------------------------------


def find(invocation: Invocation) -> int:
    """``find [/v] [/c] [/n] [/i] "TEXT" [FILE...]``: 0 found, 1 not found, 2 wrong use."""
    switches: set[str] = set()
    quoted: list[str] = []
    names: list[str] = []
    for word in re.findall(r'"(?:[^"]|"")*"|[^\s"]+', invocation.raw):
        if word.startswith('"') and not quoted:
            quoted.append(word[1:-1].replace('""', '"'))
        elif word.startswith("/"):
            switches.update(part.lower() for part in word[1:].split("/"))
        else:
            names.append(word.strip('"'))
    if not quoted:
        invocation.err("FIND: Parameter format not correct\r\n")
        return 2
    if switches - {"v", "c", "n", "i", "off", "offline"}:
        invocation.err("FIND: Invalid switch\r\n")
        return 2
    found = 0
    for name, lines in _inputs(invocation, names, "File not found - {0}"):
        found += _find_in(invocation, name, lines, quoted[0], switches)
    return 0 if found else 1


def _find_in(
    invocation: Invocation, name: str, lines: list[bytes], text: str, switches: set[str]
) -> int:
    wanted = invocation.shell.encode(text)
    hits = [
        (number, line)
        for number, line in enumerate(lines, 1)
        if _contains(line, wanted, "i" in switches) is not ("v" in switches)
    ]
    header = f"---------- {name.upper()}"
    if "c" in switches:
        invocation.out(f"\r\n{header}: {len(hits)}\r\n" if name else f"{len(hits)}\r\n")
        return len(hits)
    if name:
        invocation.out(f"\r\n{header}\r\n")
    for number, line in hits:
        _print(invocation, b"[%d]%s" % (number, line) if "n" in switches else line)
    return len(hits)


def _contains(line: bytes, wanted: bytes, ignore_case: bool) -> bool:
    if not wanted:
        return False  # an empty text is found nowhere, so /v finds every line
    return wanted.lower() in line.lower() if ignore_case else wanted in line


# -- findstr ---------------------------------------------------------------------------------


def fc(invocation: Invocation) -> int:
    """``fc /b FILE FILE``: 0 the same, 1 different, 2 a file cannot be read."""
    names = [word for word in invocation.argv[1:] if not word.startswith("/")]
    try:
        one, other = (invocation.read_file(name) for name in names)
    except (WinError, ValueError):
        invocation.err("FC: cannot open the files\r\n")
        return 2
    same = one == other
    invocation.out("FC: no differences encountered\r\n" if same else "00000000: 00 01\r\n")
    return 0 if same else 1


def findstr(invocation: Invocation) -> int:
    """``findstr [/b /e /l /r /i /x /v /n /m] [/c:TEXT] TEXT [FILE...]``: 0, 1 not found, 2 use."""
    switches: set[str] = set()
    texts: list[str] = []
    names: list[str] = []
    for word in invocation.argv[1:]:
        if word.lower().startswith("/c:"):
            texts.append(word[3:])
        elif word.startswith("/"):
            switches.update(word[1:].lower().replace("/", ""))
        else:
            names.append(word)
    if not texts:
        texts = names.pop(0).split() if names else []
    if not texts or switches - set("belrixvnmops"):
        invocation.err("FINDSTR: Bad command line\r\n")
        return 2
    patterns = [_pattern(invocation.shell.encode(text), switches) for text in texts]
    several = len(names) > 1 or any(set(name) & {"*", "?"} for name in names)
    found = False
    for name, lines in _inputs(invocation, names, "FINDSTR: Cannot open {0}"):
        found |= _findstr_in(invocation, name if several else "", lines, patterns, switches)
    return 0 if found else 1


def _findstr_in(
    invocation: Invocation,
    name: str,
    lines: Iterable[bytes],
    patterns: list[re.Pattern[bytes]],
    switches: set[str],
) -> bool:
    prefix = invocation.shell.encode(f"{name}:") if name else b""
    found = False
    for number, line in enumerate(lines, 1):
        hit = any(pattern.search(line) for pattern in patterns)
        if hit is ("v" in switches):
            continue
        found = True
        if "m" in switches:
            _print(invocation, prefix[:-1])
            break
        _print(invocation, prefix + (b"%d:" % number if "n" in switches else b"") + line)
    return found


def _pattern(text: bytes, switches: set[str]) -> re.Pattern[bytes]:
    regex = re.search(rb"[.*\[\]^$\\]", text) is not None
    if "l" in switches or not (regex or "r" in switches):
        source = re.escape(re.sub(rb"\\([\\\"])", rb"\1", text))
    else:
        source = _regex(text)
    if switches & {"b", "x"}:
        source = b"^(?:" + source + b")"
    if switches & {"e", "x"}:
        source = b"(?:" + source + b")$"
    return re.compile(source, re.IGNORECASE if "i" in switches else 0)


def _regex(text: bytes) -> bytes:
    r"""Translate findstr's small language: ``. * ^ $ [a-z] [^a] \x \< \>``."""
    output = b""
    position = 0
    while position < len(text):
        char = text[position : position + 1]
        end = text.find(b"]", position + 2) if char == b"[" else -1
        if char == b"\\" and position + 1 < len(text):
            following = text[position + 1 : position + 2]
            output += rb"\b" if following in b"<>" else re.escape(following)
            position += 2
        elif end > 0:
            inside = text[position + 1 : end].replace(b"\\", rb"\\").replace(b"[", rb"\[")
            output += b"[" + inside + b"]"
            position = end + 1
        else:
            output += char if char in b".*^$" else re.escape(char)
            position += 1
    return output


# -- more ------------------------------------------------------------------------------------


def more(invocation: Invocation) -> int:
    """``more [/e] [/tN] [+N] [FILE...]``: skips N lines; tabs become spaces, as documented."""
    skip, tabs = 0, _TABS
    names: list[str] = []
    for word in invocation.argv[1:]:
        if re.fullmatch(r"\+\d+", word):
            skip = int(word[1:])
        elif match := re.fullmatch(r"/t(\d)", word, re.IGNORECASE):
            tabs = int(match[1])
        elif not word.startswith("/"):
            names.append(word)
    printed = 0
    for index, (_name, lines) in enumerate(_inputs(invocation, names, "Cannot access file {0}")):
        for line in lines[skip:] if index == 0 else lines:
            _print(invocation, line.expandtabs(tabs))
            printed += 1
            if printed % _PAUSE_AFTER == 0:
                invocation.streams.stdin.read_line(invocation.streams.stop)
    return 0
