# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of one host: keys and names match without case, the stored spelling is kept."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from .errors import ACCESS_DENIED, FILE_NOT_FOUND, INVALID_NAME, WinError

Data = str | int | bytes | tuple[str, ...]

ROOTS = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKU": "HKEY_USERS",
    "HKCC": "HKEY_CURRENT_CONFIG",
}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "REG_NONE": bytes,
    "REG_SZ": str,
    "REG_EXPAND_SZ": str,
    "REG_BINARY": bytes,
    "REG_DWORD": int,
    "REG_MULTI_SZ": tuple,
    "REG_QWORD": int,
}
_BITS = {"REG_DWORD": 32, "REG_QWORD": 64}


@dataclass(frozen=True, slots=True)
class Value:
    """One value: name as stored (``""`` is the default value), type, and typed data."""

    name: str
    type: str
    data: Data


@dataclass(slots=True)
class _Key:
    name: str
    values: dict[str, Value] = field(default_factory=dict)
    subkeys: dict[str, _Key] = field(default_factory=dict)


def split_key(key: str) -> list[str]:
    r"""Return ``[HKEY_LOCAL_MACHINE, SYSTEM, ...]``; WinError(123) for an unknown root."""
    root, *rest = key.rstrip("\\").split("\\")
    full = ROOTS.get(root.upper(), root.upper())
    if full not in ROOTS.values() or "" in rest:
        raise WinError(INVALID_NAME, key)
    return [full, *rest]


class Registry:
    """A tree of keys. ``CurrentControlSet`` and ``ControlSet001`` are one key, as on Windows."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._roots = {name: _Key(name) for name in ROOTS.values()}
        self._protected: set[str] = set()

    # -- reading -----------------------------------------------------------------------------

    def exists(self, key: str) -> bool:
        """Tell whether the key exists."""
        with self._lock:
            return self._find(key) is not None

    def get(self, key: str, name: str) -> Value | None:
        """Return a value with its stored spelling, or None."""
        with self._lock:
            node = self._find(key)
            return node.values.get(name.casefold()) if node else None

    def values(self, key: str) -> list[Value]:
        """Return the values of a key in the order they were made; WinError(2) without the key."""
        with self._lock:
            return list(self._existing(key).values.values())

    def keys(self, key: str) -> list[str]:
        """Return the names of the sub-keys, sorted without case; WinError(2) without the key."""
        with self._lock:
            return sorted((sub.name for sub in self._existing(key).subkeys.values()), key=str.upper)

    # -- changing ----------------------------------------------------------------------------

    def set(self, key: str, name: str, type: str, data: Data) -> None:  # noqa: A002
        """Store a value; an existing one keeps its spelling, as in Windows.

        Raises TypeError when the data does not fit the type.
        """
        wanted = _KINDS[type]
        if not isinstance(data, wanted) or isinstance(data, bool):
            raise TypeError(f"{type} does not hold {data!r}")
        if isinstance(data, int) and not 0 <= data < 1 << _BITS[type]:
            raise TypeError(f"{data} is out of range for {type}")
        with self._lock:
            self._check_change(key)
            node = self._make(key)
            old = node.values.get(name.casefold())
            node.values[name.casefold()] = Value(old.name if old else name, type, data)

    def add_key(self, key: str) -> None:
        """Make a key and those above it."""
        with self._lock:
            self._check_change(key)
            self._make(key)

    def delete(self, key: str, name: str) -> None:
        """Delete a value; WinError(2) when it or its key is missing."""
        with self._lock:
            node = self._existing(key)
            if name.casefold() not in node.values:
                raise WinError(FILE_NOT_FOUND, name)
            self._check_change(key)
            del node.values[name.casefold()]

    def delete_key(self, key: str) -> None:
        """Delete a key with everything below it; WinError(2) when it is missing."""
        with self._lock:
            self._existing(key)
            self._check_change(key)
            parent, _skipped, _last = key.rstrip("\\").rpartition("\\")
            if not parent:
                raise WinError(ACCESS_DENIED, key)
            del self._existing(parent).subkeys[self._alias(split_key(key))[-1].casefold()]

    def export(self, key: str, *, regedit4: bool = False) -> bytes:
        """Return what ``reg export`` writes; see ``regfile``."""
        from .regfile import export  # noqa: PLC0415 - regfile builds on this file

        with self._lock:
            return export(self, key, regedit4=regedit4)

    def protect(self, key: str) -> None:
        """Make changes of a key and below it fail with WinError(5)."""
        self._protected.add("\\".join(self._alias(split_key(key))).casefold())

    def unprotect(self, key: str) -> None:
        """Undo ``protect``."""
        self._protected.discard("\\".join(self._alias(split_key(key))).casefold())

    # -- inside ------------------------------------------------------------------------------

    @staticmethod
    def _alias(parts: list[str]) -> list[str]:
        if len(parts) > 2 and [p.casefold() for p in parts[1:3]] == ["system", "controlset001"]:
            return [*parts[:2], "CurrentControlSet", *parts[3:]]
        return parts

    def _find(self, key: str) -> _Key | None:
        root, *rest = self._alias(split_key(key))
        node: _Key | None = self._roots[root]
        for part in rest:
            if node is None:
                return None
            node = node.subkeys.get(part.casefold())
        return node

    def _existing(self, key: str) -> _Key:
        node = self._find(key)
        if node is None:
            raise WinError(FILE_NOT_FOUND, key)
        return node

    def _make(self, key: str) -> _Key:
        root, *rest = self._alias(split_key(key))
        node = self._roots[root]
        for part in rest:
            node = node.subkeys.setdefault(part.casefold(), _Key(part))
        return node

    def _check_change(self, key: str) -> None:
        path = "\\".join(self._alias(split_key(key))).casefold()
        if any(path == held or path.startswith(held + "\\") for held in self._protected):
            raise WinError(ACCESS_DENIED, key)
