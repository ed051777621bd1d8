# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax of domains and host names (rule 1), for all of the collection.

A domain given by an administrator is checked strictly and rejected with a reason. A name from a
DNS answer, a message or a log only has to be usable as one.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import ipaddress
import re
import traceback
import unicodedata
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import missing_required_lib

from .._base.errors import InvalidInput, MissingLibrary

try:
    import idna
except ImportError:
    IDNA_ERROR: str | None = traceback.format_exc()
else:
    IDNA_ERROR = None

ROOT = "."
MAX_LABEL = 63  # octets, RFC 1035 section 2.3.4
MAX_NAME = 253  # octets of the text without the trailing dot, which is 255 on the wire
_MAX_INPUT = 1000  # characters; longer text is not even looked at
_SHOWN = 60

_DOTS = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})  # RFC 5895 section 2.4
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_HOST_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_HOST = re.compile(
    r"(?!.{254})[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
    r"(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_MAIL = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
    r"(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b\u2060\ufeff]")


def parse_domain(text: str, *, host: bool = False) -> str:
    """Return a mail domain in its one spelling: A-labels, lower case, no trailing dot.

    ``host`` accepts the underscores that names of Windows computers and their domains hold. Raises
    InvalidInput with a sentence that begins with the text given.
    """
    if text.isascii() and _MAIL.fullmatch(plain := text.lower().removesuffix(".")):
        return plain  # what most domains are
    if reason := _not_even_alike(text):
        raise _refusal(text, reason)
    name = text.lower() if text.isascii() else _mapped(text)
    name = name.removesuffix(".")
    if is_address(name):
        raise _refusal(text, "is an address, not a domain")
    pattern = _HOST_LABEL if host else _LABEL
    labels = []
    for label in name.split("."):
        try:
            labels.append(label if label.isascii() else _a_label(label))
        except ValueError as err:
            raise _refusal(
                text, f"is not a valid internationalised domain name (IDNA 2008): {err}"
            ) from err
        if reason := _bad_label(labels[-1], pattern):
            raise _refusal(text, reason)
    if labels[-1].isdigit():
        raise _refusal(text, "ends in a number, which is not valid for a domain")
    name = ".".join(labels)
    if len(name) > MAX_NAME:
        raise _refusal(text, f"is {len(name)} octets long; the limit is {MAX_NAME}")
    return name


def parse_entry(entry: object) -> tuple[str, Mapping[str, Any]]:
    """Return domain and settings of an entry: a name, or a dictionary with ``domain`` or ``name``.

    Raises InvalidInput as parse_domain does.
    """
    settings: Mapping[str, Any] = {}
    name = entry
    if isinstance(entry, Mapping):
        settings = {key: value for key, value in entry.items() if key not in {"domain", "name"}}
        name = entry.get("domain", entry.get("name"))
    if not isinstance(name, str):
        raise InvalidInput(f"{shown(str(entry))} must be a domain or a dictionary with 'domain'")
    return parse_domain(name), settings


def mail_domain(text: str) -> str | None:
    """Return text from a message or a log as a lower-case mail domain, or None.

    Such a domain is in ASCII, has two labels or more, and its last label is not a number: that
    would be an address.
    """
    name = text.strip().rstrip(".").lower()
    return name if name.isascii() and _MAIL.fullmatch(name) else None


def is_host_name(name: str) -> bool:
    """Return True if a name from a DNS answer can be that of a mail host.

    Underscores pass: no standard allows them in host names, and mail flows through such hosts.
    """
    return _HOST.fullmatch(name) is not None


def is_address(name: str) -> bool:
    """Return True for an address: ``192.0.2.1``, ``[192.0.2.1]`` or ``[ipv6:::1]``."""
    if name[-1:].isalpha() and ":" not in name:
        return False  # neither form ends so
    bare = name
    if name.startswith("[") and name.endswith("]"):
        bare = name[1:-1].removeprefix("ipv6:")
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return False
    return True


def is_below(name: str, zone: str) -> bool:
    """Whether ``name`` is ``zone`` or lies in it."""
    return zone in (ROOT, name) or name.endswith("." + zone)


def shown(text: str) -> str:
    """Return text from outside made safe for a message: quoted, escaped, cut."""
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return repr(cut)


def _refusal(text: str, reason: str) -> InvalidInput:
    return InvalidInput(f"{shown(text)} {reason}")


def _not_even_alike(text: str) -> str:
    """Return why text cannot be meant as a domain, or nothing."""
    if text in ("", ROOT):
        return "is empty"
    if len(text) > _MAX_INPUT:
        return f"is {len(text)} characters long; the limit is {MAX_NAME} octets"
    if text.startswith("{"):
        return "is a dictionary or a template, not a name (pick the name with map(attribute=...))"
    if "@" in text:
        return "is an e-mail address; use its domain part"
    if "://" in text:
        return "is a URL; use its host name only"
    return "contains white space or an invisible character" if _BLANK.search(text) else ""


def _mapped(text: str) -> str:
    """Map what users type to what IDNA takes (RFC 5895)."""
    wide = "".join(
        unicodedata.normalize("NFKC", char)
        if unicodedata.decomposition(char).startswith(("<wide>", "<narrow>"))
        else char
        for char in text.translate(_DOTS).lower()
    )
    return unicodedata.normalize("NFC", wide)


def _a_label(label: str) -> str:
    """Return the A-label of one internationalised label (RFC 5891); ValueError has the reason."""
    if IDNA_ERROR is not None:
        raise MissingLibrary(
            missing_required_lib("idna", reason="for internationalised domain names"),
            details={"exception": IDNA_ERROR},
        )
    try:
        return idna.encode(label).decode("ascii")
    except idna.IDNAError as err:
        raise ValueError(str(err)) from err


def _bad_label(label: str, pattern: re.Pattern[str]) -> str:
    """Return why one A-label is invalid, or nothing."""
    if not label:
        return "has an empty label (two dots in a row, or a dot at the start)"
    if len(label) > MAX_LABEL:
        return f"has the label {shown(label)} of {len(label)} octets; the limit is {MAX_LABEL}"
    if pattern.fullmatch(label):
        return ""
    wrong = sorted({char for char in label if not pattern.fullmatch(char) and char != "-"})
    if wrong:
        return (
            f"contains {' '.join(wrong)} (only letters, digits and hyphens are valid in a domain)"
        )
    return "has a label that begins or ends with a hyphen"
