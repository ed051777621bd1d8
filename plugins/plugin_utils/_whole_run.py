# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a run as a whole: names of variables, values that differ, tags, folders.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..module_utils._base.access import permission
from ..module_utils._base.errors import InvalidInput
from ..module_utils._base.texts import listed
from ..module_utils._report.spec import FORMATS
from ._settings import Settings

Values = Mapping[str, Any]

_PREFIX = "mx_delivery_"
#: Variables of the playbooks, and those that one job of a workflow hands on to the next.
_OTHERS = re.compile(r"mx_delivery_(hosts|valid_until|(?:report|plan)_[0-9a-f]{12})\Z", re.ASCII)
_REPORTS = tuple(f"report_{name}" for name in FORMATS)
#: Variables with one value for the whole run.
_ONCE = (
    "nameservers",
    "dns_port",
    "dns_timeout",
    "dns_lifetime",
    "agreement",
    "allow_private",
    "dead_exchanges",
    "moving",
    "max_pairs",
    "fail_on",
    "lock",
    "lock_stale",
    "lock_grace",
    "lock_content",
    "run",
    "share",
    "serial",
    "max_changed_hosts",
    "max_removed_domains",
    "report_dir",
    *_REPORTS,
)
#: Tags of the steps, in their order.
TAGS = ("validate", "resolve", "change", "test", "report")


def unknown_names(names: Iterable[str], known: Collection[str]) -> list[str]:
    """Return the names with the role's prefix that are not variables of the role."""
    return [
        name
        for name in names
        if name.startswith(_PREFIX) and name not in known and not _OTHERS.match(name)
    ]


def check_names(unknown: Mapping[str, Sequence[str]], known: Collection[str]) -> None:
    """Raise InvalidInput for unknown variables; ``unknown`` are the hosts that have each."""
    if not unknown:
        return
    texts = []
    for name, hosts in list(unknown.items())[:5]:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        guess = f"; did you mean {close[0]}?" if close else ""
        texts.append(f"{name} of {listed(hosts, 2)} is not a variable of the role{guess}")
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""  # noqa: PLR2004
    raise InvalidInput(
        f"{' '.join(_sentence(text) for text in texts)}{more}",
        hint="No host was contacted. Correct the name; a variable of your own must not begin with"
        f" {_PREFIX}.",
    )


def _sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def check_agreement(
    found: Sequence[tuple[Settings, Values]], hosts: Mapping[str, int], once: Iterable[str] = _ONCE
) -> None:
    """Raise InvalidInput where hosts differ in what a run can have one value of.

    ``hosts`` has the number of each host's settings. The kinds of addresses are compared of hosts
    that can take more than one.
    """
    first: dict[int, str] = {}
    for host, number in hosts.items():
        first.setdefault(number, host)
    for short in once:
        name = f"{_PREFIX}{short}"
        _check_same(name, {n: values.get(name) for n, (_one, values) in enumerate(found)}, first)
    several = {
        n: list(one.families) for n, (one, _values) in enumerate(found) if one.family != "imc"
    }
    _check_same(f"{_PREFIX}families", several, first)


def _check_same(name: str, values: Mapping[int, Any], first: Mapping[int, str]) -> None:
    known = {number: value for number, value in values.items() if number in first}
    (one, value), *others = known.items() or [(0, None)]
    for other, differing in others:
        if differing != value:
            raise InvalidInput(
                f"{name} has one value for all hosts of a run, but is {value!r:.60} for"
                f" {first[one]} and {differing!r:.60} for {first[other]}.",
                hint="No host was contacted. Set it for all of them, in group_vars or by -e; or run"
                " the playbook for each group by itself (--limit).",
            )


# -- tags


def chosen_tags(
    task: Collection[str], wanted: Collection[str], skipped: Collection[str]
) -> Collection[str] | None:
    """Return the tags of steps that the command line leaves out; None where the role is not meant.

    ``task`` are the tags of the role's tasks, ``wanted`` and ``skipped`` those of the command line.
    Raises InvalidInput for a choice that would run only a part of it: all of a run but its test
    messages is the only part that can be left out.
    """
    named = {*task} - {"always", "never"} - {*TAGS}
    whole = {"all", "tagged"} & {*wanted} or named & {*wanted} or {*TAGS} <= {*wanted}
    chosen = {*TAGS} & {*wanted}
    if not whole and not chosen:
        return None
    left = {*TAGS} & {*skipped} if whole else {*TAGS} - chosen | {*TAGS} & {*skipped}
    if left <= {"test"}:
        return left
    lacking = [tag for tag in TAGS if tag in left]
    given = f"--skip-tags {','.join(lacking)}" if whole else f"--tags {','.join(sorted(chosen))}"
    raise InvalidInput(
        f"{given} would run only a part of the job, without the steps {', '.join(lacking)}.",
        hint="No host was contacted. --skip-tags test leaves out the test messages; the playbooks"
        " audit and resolve compare and resolve without changing a host.",
    )


# -- files and folders


def check_places(values: Values) -> None:
    """Raise InvalidInput for a file or folder that cannot be read, or not be written to."""
    for short in ("backup_dir", "report_dir"):
        if value := values.get(f"{_PREFIX}{short}"):
            _check_folder(f"{_PREFIX}{short}", Path(value))
    for short in (*_REPORTS, "plan_out"):
        if value := values.get(f"{_PREFIX}{short}"):
            _check_folder(f"{_PREFIX}{short}", Path(value).parent)
            if Path(value).is_dir():
                raise InvalidInput(f"{_PREFIX}{short}: {value} is a folder, not a file.")
    value = values.get(f"{_PREFIX}test_smtp_ca_cert")
    if value and not (Path(value).is_file() and os.access(value, os.R_OK)):
        raise InvalidInput(f"{_PREFIX}test_smtp_ca_cert: {value} cannot be read.")


def _check_folder(name: str, folder: Path) -> None:
    """Check a folder, or the nearest one above it that exists."""
    try:
        there = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
    except (StopIteration, ValueError) as error:
        raise InvalidInput(f"{name}: {str(folder)!a:.200} is not a path.") from error
    if not there.is_dir():
        raise InvalidInput(f"{name}: {there} is not a folder.")
    if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        raise InvalidInput(
            f"{name}: {there} cannot be read and written. {permission(there)}.",
            hint="Set its owner and mode so that the user of this run can use it;"
            " mx_delivery_backup_mode and mx_delivery_backup_group share backups.",
        )
