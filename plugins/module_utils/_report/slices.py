# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reports of slices on their way to the job that merges them: variables of AWX, or files.

Whoever wrote them, reading one takes bounded time and memory, and opens regular files only.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import stat
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._base.errors import ExchangeError, InvalidInput

Document = dict[str, Any]

#: Octets of a report. One of 1,000 hosts with 1,000 domains, all of them changed, is a tenth of it.
LARGEST = 1 << 28
_NAME = re.compile(r"mx_delivery_(?:report|plan)_[0-9a-f]{12}\Z")
_MOST_FILES = 1000


def packed(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the document as text, by the name of the variable for it.

    The name depends on the hosts, so that a slice that runs again replaces its first report, and on
    check mode.
    """
    run = document["run"]
    key = [run["kind"], run["check_mode"], *(host["name"] for host in document["hosts"])]
    return _packed("report", key, document)


def packed_plan(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return the plan of a slice in the same way."""
    return _packed("plan", sorted({**plan["hosts"], **plan["not_planned"]}), plan)


def _packed(kind: str, key: list[Any], document: Mapping[str, Any]) -> dict[str, str]:
    """Return a document, compressed, since AWX keeps and shows such variables."""
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    return {f"mx_delivery_{kind}_{digest[:12]}": pack(json.dumps(document, separators=(",", ":")))}


def pack(text: str) -> str:
    """Return a text compressed, and in letters that Ansible never takes for a template."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def from_variables(variables: Mapping[str, Any]) -> dict[str, Document]:
    """Return the reports in variables by name; those of check mode only without others.

    Plans come with them.
    """
    documents = {
        name: unpacked(name, variables[name]) for name in sorted(variables) if _NAME.match(name)
    }

    def only_checked(document: Document) -> bool:
        run = document.get("run")
        return isinstance(run, Mapping) and bool(run.get("check_mode"))

    real = {name: one for name, one in documents.items() if not only_checked(one)}
    reports = any("run" in one and isinstance(one["run"], Mapping) for one in real.values())
    return real if reports else documents


def unpacked(name: str, text: object) -> Document:
    """Return the document in a variable; raises InvalidInput if it is not one."""
    what = f"The variable {name}"
    return _document(what, unpack(what, text))


def unpack(what: str, text: object) -> bytes:
    """Return what ``pack`` made of a text; raises InvalidInput if it is not that."""
    try:
        reader = zlib.decompressobj()
        return reader.decompress(base64.b64decode(str(text), validate=True), LARGEST)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise InvalidInput(f"{what} is not a report of a slice.") from error


def from_folder(folder: str) -> dict[str, Document]:
    """Return the reports and plans in a folder by path, all ``*.json`` in it.

    Raises InvalidInput for a file that is not a report, and ExchangeError if it cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(".json"))
    except OSError as error:
        raise ExchangeError(f"{folder} cannot be read: {error.strerror or error}.") from error
    if len(names) > _MOST_FILES:
        raise InvalidInput(
            f"{folder} has {len(names)} JSON files; a run has at most {_MOST_FILES}."
        )
    files = [Path(folder) / name for name in names]
    return {str(file): _document(str(file), octets_of(file)) for file in files}


def octets_of(file: Path) -> bytes:
    """Return what is in a regular file of at most LARGEST octets."""
    try:
        # A pipe without a writer would block here.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InvalidInput(f"{file} is not a regular file.")
            octets = stream.read(LARGEST + 1)
    except OSError as error:
        raise ExchangeError(f"{file} cannot be read: {error.strerror or error}.") from error
    if len(octets) > LARGEST:
        raise InvalidInput(f"{file} is larger than a report can be ({LARGEST >> 20} MiB).")
    return octets


def _document(what: str, octets: bytes) -> Document:
    try:
        document = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{what} is not a report of a slice.") from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{what} is not a report of a slice.")
    return document
