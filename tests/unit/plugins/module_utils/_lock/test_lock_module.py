# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of mx_lock and mx_lock_info: what it writes, reads, refuses, and leaves alone."""

from __future__ import annotations

import errno
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    InvalidInput,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._lock import (
    module as lock_module,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._lock.module import (
    READ_SPEC,
    WRITE_SPEC,
    read_lock,
    write_lock,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def domain(name: str, *addresses: str, status: str = "ok", ttl: int = 300) -> dict[str, Any]:
    """What mx_pairs_info returns of a domain."""
    pairs = [
        {"preference": 10, "exchange": f"mx.{name}", "address": address, "ttl": ttl}
        for address in addresses
    ]
    return {"domain": name, "status": status, "pairs": pairs, "ttl": ttl, "warnings": []}


def _params(spec: dict[str, dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in spec.items()}
    return {**defaults, "path": "mx_pairs.lock.yml", **given}


def read(context: Context, **given: Any) -> dict[str, Any]:
    return read_lock(_params(READ_SPEC, given), context)


def write(context: Context, **given: Any) -> dict[str, Any]:
    return write_lock(_params(WRITE_SPEC, given), context)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context("localhost", basedir=tmp_path, now=lambda: NOW)


RESOLVED = {"domains": [domain("nestle.com", "192.0.2.25"), domain("aol.com", "192.0.2.26")]}


def written(context: Context, **more: Any) -> dict[str, Any]:
    return write(context, resolved=RESOLVED, **more)


def test_a_domain_that_one_name_server_denies_stays_so_in_the_lock(context: Context) -> None:
    gone = domain("gone.example", status="no_such_domain")
    route = {"domain": "gone.example", "status": "no_such_domain", "addresses": []}
    alone = {**route, "unconfirmed": True}
    write(context, resolved={"domains": [gone], "routes": [alone]})
    assert read(context)["routes"] == [alone]
    assert write(context, resolved={"domains": [gone], "routes": [route]})["changed"]
    assert read(context)["routes"] == [route]


def test_what_is_written_is_read_as_what_mx_pairs_returned(context: Context) -> None:
    assert written(context)["changed"]
    assert not written(context)["changed"]
    result = read(context)
    assert result["routes"] == [
        {"domain": "aol.com", "status": "ok", "addresses": ["192.0.2.26"]},
        {"domain": "nestle.com", "status": "ok", "addresses": ["192.0.2.25"]},
    ]
    assert [one["pairs"] for one in result["domains"]] == [
        one["pairs"] for one in sorted(RESOLVED["domains"], key=lambda one: one["domain"])
    ]
    assert result["lock"]["resolved_at"] == "2026-11-23T12:00:00Z"
    assert not result["lock"]["compared"]
    assert result["stats"]["questions"] == 0


def test_a_lock_that_is_handed_on_is_read_without_its_file(
    context: Context, tmp_path: Path
) -> None:
    first = written(context)
    assert first["content"] == (tmp_path / "mx_pairs.lock.yml").read_text()
    assert first["valid_until"] == "2026-11-23T12:05:00Z"
    stored = read(context)
    (tmp_path / "mx_pairs.lock.yml").unlink()
    given = read(context, content=first["content"], path="lock of awx-1")
    assert given["routes"] == stored["routes"]
    assert given["lock"]["path"] == "lock of awx-1"
    with pytest.raises(InvalidInput):
        read(context, content="version: 7")


def test_domains_come_in_the_order_asked(context: Context) -> None:
    written(context)
    result = read(
        context, domains=["NESTLE.com.", {"domain": "aol.com", "moving": "pin"}, "nestle.com"]
    )
    assert [one["domain"] for one in result["domains"]] == ["nestle.com", "aol.com"]


def test_what_has_moved_is_told_with_both_sides(context: Context) -> None:
    written(context)
    live = {
        "domains": [domain("nestle.com", "192.0.2.99"), domain("aol.com", status="disagreement")]
    }
    lock = read(context, resolved=live)["lock"]
    assert [one["domain"] for one in lock["moved"]] == ["nestle.com"]
    assert lock["moved"][0]["lock"]["pairs"][0]["address"] == "192.0.2.25"
    assert lock["moved"][0]["live"]["pairs"][0]["address"] == "192.0.2.99"
    assert lock["not_compared"] == ["aol.com"]


def test_the_grace_is_counted_from_the_end_of_the_ttl(context: Context) -> None:
    written(context)
    later = replace(context, now=lambda: NOW + timedelta(seconds=300 + 60))
    assert not read(later, grace=60, stale="fail")["lock"]["stale"]
    with pytest.raises(ExchangeError, match="has expired for") as caught:
        read(later, grace=59, stale="fail")
    assert caught.value.details == {"stale_domains": ["aol.com", "nestle.com"]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"grace": -1}, "grace is -1"),
        ({"own_addresses": ["10.0.0.1\n"]}, "is not an address, network or name"),
        ({"own_names": ["a b"]}, "contains white space"),
        ({"domains": [5]}, "'5' must be a domain or a dictionary with 'domain'"),
        ({"domains": ["unasked.example"]}, "does not contain unasked.example"),
    ],
)
def test_what_cannot_be_used_is_refused(context: Context, given: dict[str, Any], said: str) -> None:
    written(context)
    with pytest.raises(InvalidInput) as caught:
        read(context, **given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("resolved", "said"),
    [
        ({}, "resolved is not a result of mx_pairs_info"),
        ({"domains": [1]}, "resolved is not a result of mx_pairs_info"),
        ({"domains": [domain("A.example")]}, "resolved has"),
        ({"domains": [domain("a.example", status="?")]}, "'?'"),
    ],
)
def test_what_was_never_computed_is_not_locked(
    context: Context, resolved: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        write(context, resolved=resolved)
    assert said in str(caught.value)


def test_a_full_disk_leaves_the_lock_as_it_was(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(context)
    lock = tmp_path / "mx_pairs.lock.yml"
    before = lock.read_bytes()

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExchangeError, match="No space left on device") as caught:
        write(context, resolved={"domains": [domain("nestle.com", "192.0.2.1")]})
    assert "is unchanged" in caught.value.hint
    assert lock.read_bytes() == before
    assert list(tmp_path.iterdir()) == [lock]


def test_a_folder_is_no_lock(context: Context, tmp_path: Path) -> None:
    (tmp_path / "mx_pairs.lock.yml").mkdir()
    with pytest.raises(ExchangeError, match="Is a directory"):
        read(context)
    with pytest.raises(ExchangeError, match="Is a directory"):
        written(context)


def test_runs_at_once_lose_no_domain(context: Context) -> None:
    names = [f"d{number}.example" for number in range(12)]
    with ThreadPoolExecutor(len(names)) as pool:
        for name in names:
            one = {"domains": [domain(name, "192.0.2.25")]}
            pool.submit(write, context, resolved=one, prune=False)
    assert sorted(route["domain"] for route in read(context)["routes"]) == sorted(names)


def test_a_run_waits_for_another_one_only_so_long(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "_PATIENCE", 0.1)
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(ExchangeError, match="Another run has been writing"):
            written(context)
    finally:
        os.close(handle)
    assert written(context)["changed"]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EBADF])
def test_a_file_system_without_locks_is_written_to_all_the_same(
    context: Context, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def no_locks(_handle: int, _operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert written(context)["changed"]


def test_check_mode_writes_nothing(context: Context, tmp_path: Path) -> None:
    result = written(replace(context, check_mode=True))
    assert result["changed"]
    assert "nestle.com" in result["diff"]["after"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("mode", "trusted"), [(0o664, True), (0o644, True), (0o646, False)])
def test_a_lock_that_everyone_can_write_is_not_believed(
    mode: int, trusted: bool, context: Context, tmp_path: Path
) -> None:
    written(context)
    (tmp_path / "mx_pairs.lock.yml").chmod(mode)
    if trusted:
        assert read(context)["domains"]
        return
    for use in (read, written):
        with pytest.raises(ExchangeError, match=r"is not trusted: everyone may write to it"):
            use(context)
