# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups on the controller."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.access import Access
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._run.backups import (
    Origin,
    Shelf,
    about,
    at_work,
    before_broken_runs,
    discard,
    every,
    find,
    folder_of,
    grant,
    last_run,
    make_folder,
    put_aside,
    settled,
    withdrawn,
    write,
)

FILES = {"parameters.reg": b"export"}
NOW = datetime(2026, 11, 23, 11, 45, tzinfo=UTC)


def test_a_backup_is_private_and_complete(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "new" / "backups", "mail5-a", NOW)
    assert folder.path == tmp_path / "new/backups/mail5-a/2026-11-23T114500Z"
    write(
        folder,
        "mail5-a",
        {"host": "mail5-a"},
        {"routes.txt": b"routes", "parameters.reg": b"export"},
    )
    assert {path.name: path.read_bytes()[:6] for path in folder.path.iterdir()} == {
        "backup.json": b'{\n  "h',
        "routes.txt": b"routes",
        "parameters.reg": b"export",
    }
    for path in (tmp_path / "new", folder.path.parent, folder.path):
        assert path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.path.iterdir()} == {0o600}


def test_two_backups_of_one_second_are_two(tmp_path: Path) -> None:
    names = [make_folder(tmp_path, "a", NOW).stamp for _round in range(3)]
    assert names == ["2026-11-23T114500Z", "2026-11-23T114500Z-2", "2026-11-23T114500Z-3"]


@pytest.mark.parametrize("host", ["../../etc", "a/b", "..", ".hidden", "", "a\nb", "mail5:a"])
def test_no_name_of_a_host_leads_elsewhere(host: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path, host, NOW)
    assert folder.path.resolve().parent.parent == tmp_path.resolve()


@pytest.mark.parametrize("file", [0, 1, 2])
def test_a_full_disk_leaves_nothing_behind(
    file: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def full(_handle: int) -> None:
        calls.append(1)
        if len(calls) > file:
            raise OSError(28, "No space left on device")

    folder = make_folder(tmp_path, "mail5-a", NOW)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ExchangeError, match="No space left on device") as caught:
        write(folder, "mail5-a", {}, {"routes.txt": b"routes", "parameters.reg": b"export"})
    assert "backup_dir" in caught.value.hint
    assert not folder.path.exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("a file")
    with pytest.raises(ExchangeError, match="the backup cannot be written"):
        make_folder(tmp_path / "backups", "mail5-a", NOW)


def _backups(base: Path, *names: str) -> None:
    for name in names:
        (base / name).mkdir(parents=True)
        (base / name / "backup.json").write_text(json.dumps({"format": 1}))


def test_how_a_backup_is_named(tmp_path: Path) -> None:
    stamps = ["2026-11-23T114500Z", "2026-11-23T114500Z-2", "2026-11-23T114500Z-10"]
    _backups(tmp_path / "mail5-a", *stamps)
    _backups(tmp_path / "mail5-b", "2027-01-01T000000Z")
    (tmp_path / "mail5-a" / "2028-01-01T000000Z").mkdir()  # not complete
    newest = tmp_path / "mail5-a" / stamps[2]
    assert find(tmp_path, "mail5-a") == newest
    assert find(tmp_path / "mail5-a", "mail5-a") == newest
    assert find(newest / "backup.json", "mail5-a") == newest
    assert find(tmp_path / "mail5-a" / stamps[0], "mail5-a").name == stamps[0]
    assert find(tmp_path / stamps[0], "mail5-a") == tmp_path / "mail5-a" / stamps[0]
    for path in (tmp_path / "none", tmp_path / "mail5-a" / "2028-01-01T000000Z", tmp_path):
        with pytest.raises(ExchangeError, match="no backup of this host"):
            find(path, "mail5-c")


def _of_run(base: Path, run: object, *names: str) -> None:
    for name in names:
        (base / name).mkdir(parents=True)
        (base / name / "backup.json").write_text(json.dumps({"run": run}))


def test_a_run_in_place_of_a_name_means_what_was_there_before_it(tmp_path: Path) -> None:
    host = tmp_path / "mail5-a"
    _of_run(host, "other", "2026-11-23T114400Z", "2026-11-23T114800Z")
    _of_run(host, "change-1", "2026-11-23T114600Z", "2026-11-23T114500Z", "2026-11-23T114500Z-2")
    _of_run(tmp_path / "mail5-b", "change-2", "2026-11-23T114500Z")
    for path in (tmp_path / "change-1", host / "change-1"):
        assert find(path, "mail5-a") == host / "2026-11-23T114500Z"
    for path in (tmp_path / "change-2", host / "change-2", host / "chang", host / ""):
        with pytest.raises(ExchangeError, match="no backup of this host"):
            find(path / "x" if path == host else path, "mail5-a")


def test_a_run_that_is_called_like_a_folder_does_not_hide_it(tmp_path: Path) -> None:
    host = tmp_path / "mail5-a"
    _of_run(host, "2026-11-23T114600Z", "2026-11-23T114500Z")
    _of_run(host, "", "2026-11-23T114600Z")
    assert find(host / "2026-11-23T114600Z", "mail5-a").name == "2026-11-23T114600Z"


@pytest.mark.parametrize("run", ["a b", "../x", "", None, 5, ["x"], "\x1b[31m"])
def test_a_name_of_a_run_that_is_none_is_not_told(run: object, tmp_path: Path) -> None:
    _of_run(tmp_path, run, "2026-11-23T114500Z")
    assert about(tmp_path / "2026-11-23T114500Z").run == ""


def test_all_backups_the_newest_first(tmp_path: Path) -> None:
    assert every(tmp_path, "mail5-a") == []
    names = ["2026-11-23T114500Z", "2026-11-23T114500Z-10", "2026-11-23T114500Z-2"]
    _backups(tmp_path / "mail5-a", *names, "notes")
    assert [path.name for path in every(tmp_path, "mail5-a")] == [names[1], names[2], names[0]]


def test_discarding_never_fails(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, "a", NOW)
    discard(folder)
    discard(folder)
    assert not folder.path.exists()


@pytest.mark.parametrize("there", ["", "backups", "backups/mail5-a"])
def test_only_folders_made_for_a_backup_go_with_it(there: str, tmp_path: Path) -> None:
    (tmp_path / there).mkdir(parents=True, exist_ok=True)
    folder = make_folder(tmp_path / "backups", "mail5-a", NOW)
    discard(folder)
    assert sorted(tmp_path.rglob("*")) == sorted(
        tmp_path / part for part in ("backups", "backups/mail5-a")[: len(Path(there).parts)]
    )


def test_folders_with_something_in_them_stay(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "backups", "mail5-a", NOW)
    other = make_folder(tmp_path / "backups", "mail5-b", NOW)
    discard(folder)
    assert other.path.is_dir()


FACTS = Origin(owner="mail5-a", host="mail5-a").facts(NOW)


def taken(
    base: Path,
    owner: str = "mail5-a",
    *,
    at: datetime = NOW,
    run: str = "",
    restores: Path | None = None,
    continues: str = "",
) -> Path:
    folder = make_folder(base, owner, at)
    origin = Origin(owner=owner, host=owner, run=run, restores=restores, continues=continues)
    write(folder, owner, origin.facts(at), FILES)
    return folder.path


def test_the_newest_is_none_that_a_restore_made(tmp_path: Path) -> None:
    wanted = taken(tmp_path)
    made = taken(tmp_path, restores=wanted)
    assert find(tmp_path, "mail5-a") == wanted
    assert find(made, "mail5-a") == made


def test_the_newest_leads_to_what_was_there_before_a_broken_run(tmp_path: Path) -> None:
    first = taken(tmp_path)
    second = taken(tmp_path, continues=first.name)
    assert find(tmp_path, "mail5-a") == first
    assert find(tmp_path / second.name, "mail5-a") == second
    (first / "backup.json").unlink()
    with pytest.raises(ExchangeError, match=f"in the backup {first.name}, which is missing"):
        find(tmp_path, "mail5-a")


@pytest.mark.parametrize("name", ["../../etc", "/etc", 7, None, ["x"], "2026-11-23T114500Z/.."])
def test_what_it_continues_is_a_name_or_nothing(name: object, tmp_path: Path) -> None:
    folder = taken(tmp_path)
    known = json.loads((folder / "backup.json").read_text())
    (folder / "backup.json").write_text(json.dumps({**known, "continues": name}))
    assert find(tmp_path, "mail5-a") == folder


def test_one_that_was_put_aside_is_found_by_its_name_only(tmp_path: Path) -> None:
    wanted = taken(tmp_path)
    aside = put_aside(taken(tmp_path))
    assert find(tmp_path, "mail5-a") == wanted
    assert find(tmp_path / aside.name, "mail5-a") == aside


def test_broken_runs_are_known_by_their_marks(tmp_path: Path) -> None:
    parent = tmp_path / "mail5-a"
    folders = [make_folder(tmp_path, "mail5-a", NOW) for _round in range(3)]
    for folder in folders:
        write(folder, "mail5-a", FACTS, FILES)
        with at_work(folder, "mail5-a"):
            assert before_broken_runs(parent) in ("", folders[0].stamp, folders[1].stamp)
    assert before_broken_runs(parent) == folders[2].stamp
    withdrawn(folders[2])
    assert before_broken_runs(parent) == folders[1].stamp
    settled(parent)
    assert before_broken_runs(parent) == ""
    assert not list(parent.glob("*/at-work*"))


def test_the_mark_of_a_run_at_work_stays(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, "mail5-a", NOW)
    write(folder, "mail5-a", FACTS, FILES)
    with at_work(folder, "mail5-a"):
        assert before_broken_runs(folder.path.parent) == ""
        settled(folder.path.parent)
        assert list(folder.path.glob("at-work*"))


def test_without_room_for_a_mark_nothing_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(tmp_path / "new", "mail5-a", NOW)
    write(folder, "mail5-a", FACTS, FILES)

    def full(*_args: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.open", full)
    with pytest.raises(ExchangeError, match="No space left"), at_work(folder, "mail5-a"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("mail55", "MAIL55", True),
        ("größe", "grüße", False),
        ("größe", "GRÖßE", True),
        ("a b", "a_b", False),
        (".mail", "mail", False),
        ("x" * 300, "x" * 301, False),
        ("", "_", False),
    ],
)
def test_names_fold_case_and_no_two_share_a_folder(
    one: str, other: str, same: bool, tmp_path: Path
) -> None:
    assert (folder_of(tmp_path, one) == folder_of(tmp_path, other)) is same
    assert make_folder(tmp_path, one, NOW).path.is_dir()


def test_a_host_found_under_another_name_is_offered(tmp_path: Path) -> None:
    write(make_folder(tmp_path, "MAIL55", NOW), "x", {**FACTS, "of": "MAIL55"}, FILES)
    with pytest.raises(ExchangeError, match="no backup of this host") as caught:
        find(tmp_path, "MAIL50", host="Mail5-A")
    assert "Under this name there are backups of MAIL55." in caught.value.message


def test_the_time_inside_counts_and_none_of_the_future(tmp_path: Path) -> None:
    now = NOW + timedelta(days=1)
    newest, older = taken(tmp_path, at=NOW + timedelta(hours=1)), taken(tmp_path)
    newest = newest.rename(newest.with_name("2026-11-20T000000Z"))
    older.rename(older.with_name("2026-11-24T000000Z"))
    taken(tmp_path, at=now + timedelta(days=9))
    assert find(tmp_path, "mail5-a", shelf=Shelf(tmp_path, now=now)) == newest
    assert len(every(tmp_path, "mail5-a")) == 3  # the list shows it


@pytest.mark.parametrize("part", ["", "mail5-a", "{stamp}", "{stamp}/backup.json"])
def test_a_backup_that_others_can_write_is_not_believed(part: str, tmp_path: Path) -> None:
    base = tmp_path / "backups"
    folder = taken(base)
    path = base / part.replace("{stamp}", f"mail5-a/{folder.name}")
    path.chmod(path.stat().st_mode | 0o002)
    with pytest.raises(ExchangeError, match="everyone may write to it") as caught:
        find(base, "mail5-a", shelf=Shelf(base))
    assert f"{path} is not trusted" in caught.value.message
    if path.is_dir() and path != folder:
        with pytest.raises(ExchangeError, match="everyone may write to it"):
            make_folder(base, "mail5-a", NOW)


def test_a_backup_of_another_user_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 4711)
    shared = Access(0o2770, os.getgid())
    with pytest.raises(ExchangeError, match=r"belongs to \S+, and this process runs as uid"):
        find(tmp_path, "mail5-a", shelf=Shelf(tmp_path, Access(0o700)))
    with pytest.raises(ExchangeError, match="belongs to"):  # another group
        find(tmp_path, "mail5-a", shelf=Shelf(tmp_path, Access(0o2770, os.getgid() + 4711)))
    assert find(tmp_path, "mail5-a", shelf=Shelf(tmp_path, shared))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = taken(tmp_path / "else")
    taken(tmp_path / "backups")
    (tmp_path / "backups/mail5-a/2026-12-01T000000Z").symlink_to(folder)
    with pytest.raises(ExchangeError, match="it is a link"):
        find(tmp_path / "backups", "mail5-a")


def test_a_group_shares_backups(tmp_path: Path) -> None:
    shared = Access(0o2770, os.getgid())
    folder = make_folder(tmp_path / "backups", "mail5-a", NOW, shared)
    write(folder, "mail5-a", FACTS, FILES)
    with at_work(folder, "mail5-a"):
        grant(folder)
        modes = {path.name: path.stat().st_mode & 0o7777 for path in folder.path.iterdir()}
    assert set(modes.values()) == {0o660}
    for path in (folder.path, *list(folder.path.parents)[:2]):
        assert path.stat().st_mode & 0o7777 == 0o2770
    assert find(tmp_path / "backups", "mail5-a", shelf=Shelf(tmp_path / "backups", shared))
    with pytest.raises(ExchangeError, match=r"the group \S+ may write to it \(mode 2770\)"):
        find(tmp_path / "backups", "mail5-a")


@pytest.mark.parametrize("call", ["listdir", "open"])
def test_what_may_not_be_read_is_never_no_backup(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = taken(tmp_path)

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(*(("os.listdir", refuse) if call == "listdir" else (Path, "open", refuse)))
    with pytest.raises(ExchangeError, match="Permission denied") as caught:
        find(tmp_path / folder.name if call == "x" else tmp_path, "mail5-a")
    assert "mode 0" in caught.value.message
    assert "backup_mode and backup_group" in caught.value.hint


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("ansible_collections/postmaster/exchange/playbooks/backups", "an upgrade deletes"),
        ("pdd/project/backups", "deleted after the job"),
        ("awx_4711_x1y2/backups", "deleted after the job"),
        ("link/backups", "an upgrade deletes"),
    ],
)
def test_no_backup_where_it_would_not_last(place: str, why: str, tmp_path: Path) -> None:
    for name in ("pdd/project", "pdd/artifacts", "ansible_collections", "pdd/backups"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "ansible_collections")
    with pytest.raises(ExchangeError, match=why):
        make_folder(tmp_path / place, "mail5-a", NOW)
    assert make_folder(tmp_path / "pdd/backups", "mail5-a", NOW).path.is_dir()


def test_one_that_cannot_be_read_may_be_that_of_the_run(tmp_path: Path) -> None:
    (taken(tmp_path, run="one") / "backup.json").write_text("{")
    with pytest.raises(ExchangeError, match="cannot be read, and may be that of one"):
        find(tmp_path / "one", "mail5-a")


HOUR = timedelta(hours=1)


def test_the_last_run_is_all_that_it_changed(tmp_path: Path) -> None:
    taken(tmp_path, "mail5-a", run="one")
    taken(tmp_path, "MAIL5-B", run="two", at=NOW + HOUR)
    taken(tmp_path, "org hq.example", run="two", at=NOW + 2 * HOUR)
    put_aside(taken(tmp_path, "mail5-a", run="two", at=NOW + 2 * HOUR))
    last = taken(tmp_path, "MAIL5-B", run="back", at=NOW + 3 * HOUR, restores=tmp_path)
    assert last
    found = last_run(Shelf(tmp_path))
    assert (found.id, found.began) == ("two", NOW + HOUR)
    assert sorted(found.of) == ["MAIL5-B", "org hq.example"]


def _two_at_once(base: Path) -> None:
    for number, run in enumerate(("one", "two", "one")):
        taken(base, f"host{number}", run=run, at=NOW + number * HOUR)


def _undone_since(base: Path) -> None:
    first = taken(base, run="one")
    taken(base, run="two", at=NOW + HOUR)
    taken(base, run="back", at=NOW + 2 * HOUR, restores=first)


def _put_back_itself(base: Path) -> None:
    taken(base, run="one")
    put_aside(taken(base, run="two", at=NOW + HOUR))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda base: taken(base) and None, "does not name its run"),
        (_two_at_once, "The runs one and two overlap"),
        (_undone_since, "After the last run, two, the run one was undone"),
        (_put_back_itself, "two, put back all that it had changed. The run before it is one"),
        (lambda _base: None, "No backup was found in"),
    ],
)
def test_where_the_last_run_is_not_clear_it_asks(make, why: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path)
    with pytest.raises(ExchangeError, match=why) as caught:
        last_run(Shelf(tmp_path))
    assert "mx_delivery_backup" in caught.value.hint
