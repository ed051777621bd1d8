# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The .reg file format: "Windows Registry Editor Version 5.00" (UTF-16) and REGEDIT4 (ANSI)."""

from __future__ import annotations

import re

from .registry import Data, Registry, Value, split_key

HEADER_5 = "Windows Registry Editor Version 5.00"
HEADER_4 = "REGEDIT4"
_LINE_LENGTH = 76  # where the editor breaks a line of hexadecimal bytes
_HEX_KINDS = {
    "REG_NONE": "hex(0)",
    "REG_BINARY": "hex",
    "REG_EXPAND_SZ": "hex(2)",
    "REG_MULTI_SZ": "hex(7)",
    "REG_QWORD": "hex(b)",
}
_VALUE_LINE = re.compile(r'^(@|"(?:[^"\\]|\\.)*")=(.*)$', re.DOTALL)


def export(registry: Registry, key: str, *, regedit4: bool = False) -> bytes:
    """Return the file for a key and all below it; WinError(2) when the key is missing."""
    lines = [HEADER_4 if regedit4 else HEADER_5, ""]
    _export_key(registry, "\\".join(split_key(key)), lines, wide=not regedit4)
    text = "\r\n".join(lines) + "\r\n"
    if regedit4:
        return text.encode("cp1252", "replace")
    return b"\xff\xfe" + text.encode("utf-16-le")


def _export_key(registry: Registry, key: str, lines: list[str], *, wide: bool) -> None:
    values = registry.values(key)
    lines.append(f"[{key}]")
    lines.extend(_value_line(value, wide=wide) for value in values)
    lines.append("")
    for name in registry.keys(key):
        _export_key(registry, f"{key}\\{name}", lines, wide=wide)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _value_line(value: Value, *, wide: bool) -> str:
    name = f'"{_escape(value.name)}"=' if value.name else "@="
    if value.type == "REG_SZ":
        return f'{name}"{_escape(str(value.data))}"'
    if value.type == "REG_DWORD" and isinstance(value.data, int):
        return f"{name}dword:{value.data:08x}"
    return _wrapped(f"{name}{_HEX_KINDS[value.type]}:", _raw(value.data, wide=wide))


def _raw(data: Data, *, wide: bool) -> bytes:
    encoding = "utf-16-le" if wide else "cp1252"
    match data:
        case bytes():
            return data
        case int():
            return data.to_bytes(8, "little")
        case str():
            return (data + "\0").encode(encoding)
        case _:
            return ("".join(f"{text}\0" for text in data) + "\0").encode(encoding)


def _wrapped(start: str, data: bytes) -> str:
    lines, line = [], start
    for index, byte in enumerate(data):
        line += f"{byte:02x}" + ("," if index + 1 < len(data) else "")
        if len(line) > _LINE_LENGTH and index + 1 < len(data):
            lines.append(line + "\\")
            line = "  "
    return "\r\n".join([*lines, line])


def load(registry: Registry, content: bytes) -> None:
    """Merge a .reg file; ValueError when it is none."""
    wide = content.startswith(b"\xff\xfe")
    text = content[2:].decode("utf-16-le") if wide else content.decode("cp1252")
    lines = re.sub(r"\\\r?\n\s*", "", text).splitlines()
    if not lines or lines[0].strip() not in {HEADER_5, HEADER_4}:
        raise ValueError("not a registry file")
    wide = lines[0].strip() == HEADER_5
    key: str | None = None
    for line in lines[1:]:
        if line.startswith("[-"):
            key = None
            if registry.exists(line[2:-1]):
                registry.delete_key(line[2:-1])
        elif line.startswith("["):
            key = line.strip()[1:-1]
            registry.add_key(key)
        elif key and (match := _VALUE_LINE.match(line)):
            _load_value(registry, key, match[1], match[2].strip(), wide=wide)


def _load_value(registry: Registry, key: str, quoted: str, data: str, *, wide: bool) -> None:
    name = "" if quoted == "@" else _unescape(quoted)
    if data == "-":
        if registry.get(key, name):
            registry.delete(key, name)
    elif data.startswith('"'):
        registry.set(key, name, "REG_SZ", _unescape(data))
    elif data.startswith("dword:"):
        registry.set(key, name, "REG_DWORD", int(data[6:], 16))
    else:
        kind, _skipped, digits = data.partition(":")
        raw = bytes(int(pair, 16) for pair in digits.split(",") if pair.strip())
        type_ = next(reg for reg, text in _HEX_KINDS.items() if text == kind)
        registry.set(key, name, type_, _typed(type_, raw, wide=wide))


def _typed(type_: str, raw: bytes, *, wide: bool) -> Data:
    if type_ == "REG_QWORD":
        return int.from_bytes(raw, "little")
    if type_ in {"REG_EXPAND_SZ", "REG_MULTI_SZ"}:
        text = raw.decode("utf-16-le" if wide else "cp1252")
        if type_ == "REG_EXPAND_SZ":
            return text.removesuffix("\0")
        return tuple(text.split("\0")[:-2])
    return raw


def _unescape(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted[1 : quoted.rindex('"')])
