# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two domain controllers make of writes that meet: the lab's, and those of a real directory.

MS-DRSR 5.11 has the rules. Each case runs on both, and both have to end as the case says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import domain_controllers
import pytest
from exchange_lab.org.directory import Directory

CONTROLLERS = ("dc1", "dc2")


class Controllers(Protocol):
    """Two domain controllers with objects that have a name and a text."""

    def create(self, controller: str, name: str, text: str) -> None:
        """Add an object."""

    def modify(self, controller: str, name: str, text: str) -> None:
        """Change the text of an object."""

    def delete(self, controller: str, name: str) -> None:
        """Delete an object."""

    def later(self) -> None:
        """Let the next write have a later stamp."""

    def settle(self) -> None:
        """Replicate until both have the same."""

    def texts(self, controller: str, name: str) -> dict[str, str]:
        """Return the texts of the objects of a name, by what replication added to it."""


@dataclass
class InLab:
    """The lab's directory."""

    now: float = 100.0
    directory: Directory = field(init=False)

    def __post_init__(self) -> None:
        self.directory = Directory(CONTROLLERS, replication_delay=60.0, clock=lambda: self.now)

    def create(self, controller: str, name: str, text: str) -> None:
        self.directory.create(controller, {"Name": name, "Comment": text}, f"CN={name}")

    def modify(self, controller: str, name: str, text: str) -> None:
        record = self.directory.find(controller, name)
        assert record is not None
        self.directory.modify(controller, record.guid, {"Comment": text})

    def delete(self, controller: str, name: str) -> None:
        record = self.directory.find(controller, name)
        assert record is not None
        self.directory.delete(controller, record.guid)

    def later(self) -> None:
        self.now += 1.1

    def settle(self) -> None:
        self.directory.settle()

    def texts(self, controller: str, name: str) -> dict[str, str]:
        found = {}
        for record in self.directory.read(controller):
            known, _line_feed, added = record.name.partition("\n")
            if known.casefold() == name.casefold():
                found[added.partition(":")[0]] = str(record.attributes["Comment"])
        return found


@pytest.fixture(scope="module", params=["lab", pytest.param("samba", marks=pytest.mark.peers)])
def controllers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Controllers]:
    if request.param == "lab":
        yield InLab()
        return
    if domain_controllers.missing():
        pytest.skip("Samba is not installed, or the user is not root")
    with domain_controllers.running(tmp_path_factory.mktemp("domain")) as pair:
        yield pair


def both(controllers: Controllers, name: str) -> dict[str, str]:
    """Replicate, and return what both have."""
    controllers.settle()
    first, second = (controllers.texts(one, name) for one in CONTROLLERS)
    assert first == second
    return first


def test_two_writes_win_over_a_later_one_elsewhere(controllers: Controllers) -> None:
    controllers.create("dc1", "two", "start")
    controllers.settle()
    controllers.modify("dc1", "two", "first")
    controllers.modify("dc1", "two", "second")
    controllers.later()
    controllers.modify("dc2", "two", "later")
    assert both(controllers, "two") == {"": "second"}


def test_of_as_many_writes_the_later_one_wins(controllers: Controllers) -> None:
    controllers.create("dc1", "many", "start")
    controllers.settle()
    controllers.modify("dc2", "many", "earlier")
    controllers.later()
    controllers.modify("dc1", "many", "later")
    assert both(controllers, "many") == {"": "later"}


@pytest.mark.parametrize(("older", "newer"), [("twin", "twin"), ("sister", "SISTER")])
def test_of_two_objects_of_one_name_the_older_is_renamed(
    controllers: Controllers, older: str, newer: str
) -> None:
    controllers.create("dc1", older, "older")
    controllers.later()
    controllers.create("dc2", newer, "newer")
    assert both(controllers, newer) == {"": "newer", "CNF": "older"}


def test_a_deletion_wins_over_a_later_change_elsewhere(controllers: Controllers) -> None:
    controllers.create("dc1", "gone", "start")
    controllers.settle()
    controllers.delete("dc1", "gone")
    controllers.later()
    controllers.modify("dc2", "gone", "too late")
    assert both(controllers, "gone") == {}


def test_a_name_that_was_deleted_may_be_used_again_elsewhere(controllers: Controllers) -> None:
    controllers.create("dc1", "again", "old")
    controllers.settle()
    controllers.delete("dc1", "again")
    controllers.settle()
    controllers.create("dc2", "again", "new")
    assert both(controllers, "again") == {"": "new"}


def test_a_twin_stays_until_it_is_deleted(controllers: Controllers) -> None:
    controllers.create("dc1", "pair", "older")
    controllers.later()
    controllers.create("dc2", "pair", "newer")
    controllers.settle()
    controllers.delete("dc1", "pair")
    assert both(controllers, "pair") == {"CNF": "older"}
