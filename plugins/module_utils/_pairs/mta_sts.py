# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an MTA-STS record and policy say (RFC 8461 sections 3.1 and 3.2): strict, bounded, pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .model import StsMode, StsPolicy
from .names import is_host_name, shown

# Patterns of one policy: no mail domain has as many exchanges.
MAX_PATTERNS = 100
MAX_AGE = 31_557_600  # seconds, a year

_WSP = " \t"
_BEGINNING = re.compile(r"v=STSv1[ \t]*;")
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}"
_RECORD_FIELD = re.compile(rf"(?P<name>{_NAME})=(?P<value>[!-:<>-~]+)")
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_POLICY_FIELD = re.compile(
    rf"(?P<name>{_NAME}):[ \t]*(?P<value>[^\x00-\x20\x7f-\x9f](?:[^\x00-\x1f\x7f-\x9f])*)"
)
_SECONDS = re.compile(r"[0-9]{1,10}")


class BadPolicy(Exception):  # noqa: N818 - a finding, not a fault
    """What was fetched is no policy; the text says why."""


def policy_record(texts: Iterable[str]) -> str | None:
    """Return the one valid record among the TXT records of ``_mta-sts``.

    With several records of this version, or an invalid one, the domain has no policy.
    """
    records = [text for text in texts if _BEGINNING.match(text)]
    return records[0] if len(records) == 1 and _is_valid(records[0]) else None


def _is_valid(record: str) -> bool:
    fields = [field.strip(_WSP) for field in record.split(";")[1:]]
    if fields[-1] == "":
        fields.pop()  # a delimiter may stand at the end
    found = [_RECORD_FIELD.fullmatch(field) for field in fields]
    ids = [match["value"] for match in found if match and match["name"] == "id"]
    return all(found) and bool(ids) and bool(_ID.fullmatch(ids[0]))


def parse_policy(body: bytes) -> StsPolicy:
    """Read a policy; BadPolicy if it is none.

    Unknown fields are ignored, and of a repeated field all but the first, as section 3.2 demands;
    empty lines at the end pass.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise BadPolicy("the policy is not in UTF-8") from None
    fields: dict[str, str] = {}
    patterns: list[str] = []
    for line in text.rstrip(" \t\r\n").split("\n"):
        field = line.removesuffix("\r").rstrip(_WSP)
        match = _POLICY_FIELD.fullmatch(field)
        if match is None:
            raise BadPolicy(f"the policy has the line {shown(field)}, which is no field")
        if match["name"] == "mx":
            patterns.append(_pattern(match["value"]))
        else:
            fields.setdefault(match["name"], match["value"])
        if len(patterns) > MAX_PATTERNS:
            raise BadPolicy(f"the policy has more than {MAX_PATTERNS} fields mx")
    return _policy(fields, patterns)


def _policy(fields: dict[str, str], patterns: list[str]) -> StsPolicy:
    for name in ("version", "mode", "max_age"):
        if name not in fields:
            raise BadPolicy(f"the policy has no field {name}")
    if fields["version"] != "STSv1":
        raise BadPolicy(f"the policy has the version {shown(fields['version'])}, not 'STSv1'")
    try:
        mode = StsMode(fields["mode"])
    except ValueError:
        raise BadPolicy(f"the policy has the mode {shown(fields['mode'])}") from None
    age = fields["max_age"]
    if not _SECONDS.fullmatch(age) or int(age) > MAX_AGE:
        raise BadPolicy(f"the policy has the max_age {shown(age)}; it has to be up to {MAX_AGE}")
    if not patterns and mode is not StsMode.NONE:
        raise BadPolicy(f"the policy has the mode {mode.value} and no field mx")
    return StsPolicy(mode, mx=tuple(dict.fromkeys(patterns)), max_age=int(age))


def _pattern(value: str) -> str:
    """Return a host name, or one with ``*`` as its first label."""
    pattern = value.lower()
    if not is_host_name(pattern.removeprefix("*.")):
        raise BadPolicy(f"the policy has the mx {shown(value)}, which is no pattern")
    return pattern
