# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is a domain and what is not (rule 1).

A domain given by an administrator is checked strictly and refused with a sentence that says why. A
host name that a DNS answer holds is only asked whether it can be one.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from .._base.errors import InvalidInput
from .dnslib import a_label
from .model import ROOT

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
# What most domains are: nothing has to be mapped, and the end is that of no address.
_PLAIN = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{1,63}")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b\u2060\ufeff]")


def parse_domain(text: str, *, host: bool = False) -> str:
    """Return a mail domain in its one spelling: A-labels, lower case, no trailing dot.

    ``host`` accepts the underscores that names of Windows computers and their domains hold. Raises
    InvalidInput with a sentence that begins with the text given.
    """
    if text.isascii() and _PLAIN.fullmatch(plain := text.lower().removesuffix(".")):
        return plain
    reason = _not_even_alike(text)
    if reason:
        raise _refusal(text, reason)
    name = _prepared(text)
    if _literal(name):
        raise _refusal(text, "is an address, not a domain")
    labels = [_ascii_label(text, label) for label in name.split(".")]
    pattern = _HOST_LABEL if host else _LABEL
    for label in labels:
        reason = _bad_label(label, pattern)
        if reason:
            raise _refusal(text, reason)
    if labels[-1].isdigit():
        raise _refusal(text, "ends in a number, as an address does; no domain does")
    name = ".".join(labels)
    if len(name) > MAX_NAME:
        raise _refusal(text, f"is {len(name)} octets long; the limit is {MAX_NAME}")
    return name


def parse_entry(entry: object) -> tuple[str, Mapping[str, Any]]:
    """Return domain and settings of an entry: a name, or a dictionary with the key ``domain``.

    Raises InvalidInput as parse_domain does.
    """
    if isinstance(entry, Mapping):
        settings = {key: value for key, value in entry.items() if key != "domain"}
        name = entry.get("domain")
    else:
        name, settings = entry, {}
    if not isinstance(name, str):
        raise InvalidInput(f"{shown(str(entry))} must be a domain or a dictionary with 'domain'")
    return parse_domain(name), settings


def is_host_name(name: str) -> bool:
    """Whether a name from a DNS answer can be that of a mail host.

    Underscores pass: no standard allows them in host names, and mail flows through such hosts.
    """
    return _HOST.fullmatch(name) is not None


def is_address(name: str) -> bool:
    """Whether a name from a DNS answer is really an address that somebody typed (rule 7)."""
    return _literal(name)


def is_below(name: str, zone: str) -> bool:
    """Whether ``name`` is ``zone`` or lies in it."""
    return zone in (ROOT, name) or name.endswith("." + zone)


def shown(text: str) -> str:
    """Return text from outside as it may stand in a message: quoted, escaped, cut."""
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return repr(cut)


def _refusal(text: str, reason: str) -> InvalidInput:
    return InvalidInput(f"{shown(text)} {reason}")


def _not_even_alike(text: str) -> str:
    """Return why text cannot be meant as a domain, or nothing."""
    findings = (
        (text in ("", "."), "is empty"),
        (
            len(text) > _MAX_INPUT,
            f"is {len(text)} characters long; the limit of a name is {MAX_NAME} octets",
        ),
        (
            text.startswith("{"),
            "is a dictionary or a template, not a name (pick the name with map(attribute=...))",
        ),
        ("@" in text, "is an e-mail address; give what stands behind the @"),
        ("://" in text, "is a URL; give its host name only"),
        (_BLANK.search(text) is not None, "holds white space or an invisible character"),
    )
    return next((reason for found, reason in findings if found), "")


def _prepared(text: str) -> str:
    """Map what users type to what IDNA takes (RFC 5895), and drop the trailing dot."""
    if text.isascii():
        return text.lower().removesuffix(".")
    wide = "".join(
        unicodedata.normalize("NFKC", char)
        if unicodedata.decomposition(char).startswith(("<wide>", "<narrow>"))
        else char
        for char in text.translate(_DOTS).lower()
    )
    name = unicodedata.normalize("NFC", wide)
    return name.removesuffix(".")


def _literal(name: str) -> bool:
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


def _ascii_label(text: str, label: str) -> str:
    if label.isascii():
        return label
    try:
        return a_label(label)
    except ValueError as err:
        raise _refusal(text, f"is no internationalised domain name (IDNA 2008): {err}") from err


def _bad_label(label: str, pattern: re.Pattern[str]) -> str:
    """Return why one A-label is none, or nothing."""
    if not label:
        return "has an empty label (two dots in a row, or a dot at the start)"
    if len(label) > MAX_LABEL:
        return f"has the label {shown(label)} of {len(label)} octets; the limit is {MAX_LABEL}"
    if pattern.fullmatch(label):
        return ""
    wrong = sorted({char for char in label if not pattern.fullmatch(char) and char != "-"})
    if wrong:
        return f"holds {' '.join(wrong)} where a domain has letters, digits and hyphens only"
    return "has a label that begins or ends with a hyphen"
