# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domain controllers: replication with a delay, and Active Directory's rules for conflicts."""

from __future__ import annotations

import threading

import pytest
from exchange_lab.org.directory import Directory
from exchange_lab.org.errors import CmdletError

DC1, DC2 = "dc1.hq.example", "dc2.hq.example"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(clock: Clock) -> Directory:
    return Directory([DC1, DC2], replication_delay=15.0, clock=clock)


def _names(directory: Directory, controller: str) -> list[str]:
    return [record.name for record in directory.read(controller)]


def test_a_write_is_seen_at_once_here_and_later_there(directory: Directory, clock: Clock) -> None:
    directory.create(DC1, {"Name": "pin"}, "CN=pin")
    assert (_names(directory, DC1), _names(directory, DC2)) == (["pin"], [])
    clock.now += 14.9
    assert _names(directory, DC2) == []
    clock.now += 0.2
    assert _names(directory, DC2) == ["pin"]


def test_without_a_preference_each_read_goes_to_the_next_domain_controller(
    directory: Directory,
) -> None:
    assert [directory.choose() for _round in range(3)] == [DC1, DC2, DC1]
    assert directory.choose("DC2.HQ.example") == DC2


def test_a_domain_controller_that_is_down_or_unknown_is_an_error(directory: Directory) -> None:
    directory.down.add(DC1)
    assert directory.choose() == DC2
    for name in (DC1, "dc9.hq.example"):
        with pytest.raises(CmdletError, match="suitability of server") as caught:
            directory.choose(name)
        assert caught.value.reason == "SuitabilityDirectoryException"


def test_the_same_name_twice_at_one_domain_controller_is_refused(directory: Directory) -> None:
    directory.create(DC1, {"Name": "pin"}, "CN=pin")
    with pytest.raises(CmdletError, match="already exists"):
        directory.create(DC1, {"Name": "PIN"}, "CN=PIN")


def test_the_same_name_at_two_domain_controllers_renames_the_older(
    directory: Directory, clock: Clock
) -> None:
    older = directory.create(DC1, {"Name": "pin"}, "CN=pin")
    clock.now += 1.0
    newer = directory.create(DC2, {"Name": "pin"}, "CN=pin")
    clock.now += 15.0
    for controller in (DC1, DC2):
        by_guid = {record.guid: record.name for record in directory.read(controller)}
        assert by_guid == {newer.guid: "pin", older.guid: f"pin\nCNF:{older.guid}"}


def test_of_as_many_writes_the_later_one_wins_everywhere(
    directory: Directory, clock: Clock
) -> None:
    made = directory.create(DC1, {"Name": "pin", "Port": 25, "Comment": ""}, "CN=pin")
    directory.settle()
    directory.modify(DC1, made.guid, {"Port": 26})
    clock.now += 1.0
    directory.modify(DC2, made.guid, {"Port": 27})
    directory.modify(DC1, made.guid, {"Comment": "kept"})
    clock.now += 15.0
    for controller in (DC1, DC2):
        (record,) = directory.read(controller)
        assert (record.attributes["Port"], record.attributes["Comment"]) == (27, "kept")


def test_two_writes_win_over_a_later_one_elsewhere(directory: Directory, clock: Clock) -> None:
    """MS-DRSR 5.11: the version number of a value decides first; Samba does the same."""
    made = directory.create(DC1, {"Name": "pin", "Port": 25}, "CN=pin")
    directory.settle()
    directory.modify(DC1, made.guid, {"Port": 26})
    directory.modify(DC1, made.guid, {"Port": 27})
    clock.now += 5.0
    directory.modify(DC2, made.guid, {"Port": 28})
    assert [r.attributes["Port"] for r in directory.read(DC2)] == [28]
    directory.settle()
    for controller in (DC1, DC2):
        assert [r.attributes["Port"] for r in directory.read(controller)] == [27]


def test_in_one_second_the_domain_controller_decides(directory: Directory) -> None:
    made = directory.create(DC1, {"Name": "pin", "Port": 25}, "CN=pin")
    directory.settle()
    for controller, port in ((DC1, 26), (DC2, 27)):
        directory.modify(controller, made.guid, {"Port": port})
    directory.settle()
    first, second = (directory.read(name)[0].attributes["Port"] for name in (DC1, DC2))
    assert first == second
    for controller, port in ((DC2, 28), (DC1, 29)):
        directory.modify(controller, made.guid, {"Port": port})
    directory.settle()
    assert directory.read(DC1)[0].attributes["Port"] == (29 if first == 26 else 28)


def test_a_deletion_wins_over_a_change_made_elsewhere(directory: Directory) -> None:
    made = directory.create(DC1, {"Name": "pin"}, "CN=pin")
    directory.settle()
    directory.delete(DC1, made.guid)
    directory.modify(DC2, made.guid, {"Comment": "too late"})
    directory.settle()
    assert (_names(directory, DC1), _names(directory, DC2)) == ([], [])


def test_a_snapshot_does_not_change_with_the_directory(directory: Directory) -> None:
    made = directory.create(DC1, {"Name": "pin", "Port": 25}, "CN=pin")
    directory.modify(DC1, made.guid, {"Port": 26})
    assert made.attributes["Port"] == 25


def test_of_many_writers_at_one_domain_controller_exactly_one_creates(directory: Directory) -> None:
    refused: list[CmdletError] = []
    start = threading.Barrier(8)

    def create() -> None:
        start.wait()
        try:
            directory.create(DC1, {"Name": "pin"}, "CN=pin")
        except CmdletError as error:
            refused.append(error)

    threads = [threading.Thread(target=create) for _round in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(_names(directory, DC1)), len(refused)) == (1, 7)
