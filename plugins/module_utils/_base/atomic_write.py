# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is either there whole and new, or as it was.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from .errors import ExchangeError

_MODE = 0o666  # the umask of whoever runs Ansible takes its bits from this
_BUFFER = 1 << 20  # octets


def write(path: Path, texts: Iterable[str], what: str) -> Path:
    """Write a text in pieces to a file, as UTF-8, and return where it is.

    Folders are made, and a link is followed. The text is complete on the disk before it takes the
    file's place. Raises ExchangeError that says what is wrong, with an older file still there;
    ``what`` begins its sentence, as in "The report".
    """
    try:
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            raise ExchangeError(f"{what} cannot be written to {path}: that is no file.")
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, texts)
    except OSError as error:
        raise ExchangeError(
            f"{what} could not be written to {path}: {error.strerror or error}.",
            hint="A file that was there before is as it was.",
        ) from error
    return target


def _replace(target: Path, texts: Iterable[str]) -> None:
    beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with open(os.open(beside, flags, _MODE), "w", _BUFFER, encoding="utf-8") as file:  # noqa: PTH123
            file.writelines(texts)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
