# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document as a value that one job of a workflow hands on to a later one. Pure.

Artefacts are kept in the database of AWX, shown there, and given to later jobs as variables. So a
document is packed, and what it is called tells slices apart: by their hosts, so that a slice that
is run again takes the place of its first report; and what was only looked at keeps its own.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

from .._base.errors import InvalidInput

_NAME = re.compile(r"mx_delivery_report_[0-9a-f]{12}\Z")
_LARGEST = 1 << 28  # octets of a document


def packed(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the document as text, by the name of the variable that is to hold it."""
    run = document["run"]
    which = [run["kind"], run["check_mode"], *(host["name"] for host in document["hosts"])]
    digest = hashlib.sha256(json.dumps(which).encode()).hexdigest()
    name = f"mx_delivery_report_{digest[:12]}"
    text = json.dumps(document, separators=(",", ":"))
    return {name: base64.b64encode(zlib.compress(text.encode(), 9)).decode()}


def is_packed(name: str) -> bool:
    """Whether a variable of this name holds a document."""
    return bool(_NAME.match(name))


def unpacked(name: str, text: object) -> dict[str, Any]:
    """Return the document that a variable holds; raises InvalidInput if it is none."""
    try:
        reader = zlib.decompressobj()
        found = json.loads(reader.decompress(base64.b64decode(str(text), validate=True), _LARGEST))
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        raise InvalidInput(f"The variable {name} holds no report of a slice.") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"The variable {name} holds no report of a slice.")
    return found
