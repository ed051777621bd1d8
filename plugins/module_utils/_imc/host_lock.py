# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time on a host: a run takes a lease there in one step, keeps to it, and gives it up.

A lease is a folder ``lease`` on the host with one empty file in it. The name of the file contains
the run that has the host, the start, and the time until which no other run may. The folder is
prepared under another name and renamed, which is one step and fails where the name exists; so of
two runs at the same moment one gets the host, and a lease is never half made. A run takes over
the lease of a dead run by renaming its file, which is one step too. All of it works on a full disk.

Every command that changes something is carried out by the host only while that file is there
(``Layout.fence``). So a run that lost its lease can do no harm, however late it comes.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from .._base.errors import ExchangeError, SessionLost
from .._remote import commands
from .._remote.parse import decode, excerpt
from .._remote.session import Batch, Section, Session

if TYPE_CHECKING:
    from .layout import Layout

#: A run makes its changes in this part of its lease; the rest is for the way back.
_FOR_CHANGES = 0.5

_STAMP_FORMAT = "%Y-%m-%dT%H%M%SZ"
_UNKNOWN = "unknown"
_STAMP = rf"\d{{4}}-\d\d-\d\dT\d{{6}}Z|{_UNKNOWN}"
_NAME = re.compile(
    rf"(?P<run>[0-9a-f]{{16}})_(?P<since>{_STAMP})_(?P<until>{_STAMP})_(?P<owner>[A-Za-z0-9-]{{1,40}})",
    re.IGNORECASE,  # as Windows takes names
)
_NO_LETTERS = re.compile(r"[^A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Lease:
    """Which run has a host; times are those of the host's clock, None where it sends none.

    ``owner`` is the controller, ``busy`` whether a command of the run had not ended.
    """

    run: str
    owner: str
    since: datetime | None
    until: datetime | None
    busy: bool = False

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.run}_{_stamp(self.since)}_{_stamp(self.until)}_{self.owner}"

    @property
    def words(self) -> str:
        """Which run that is, for messages."""
        since = f", started {shown(self.since)} by the host's clock" if self.since else ""
        return f"a run on controller {self.owner}{since}"

    def is_over(self, now: datetime | None) -> bool:
        """True if it has expired by the host's clock; False where that is unknown."""
        return now is not None and self.until is not None and now > self.until


def is_of(lease: Lease, controller: str) -> bool:
    """Whether a run of that machine made the lease."""
    return lease.owner.lower() == _label(controller).lower()


def _label(controller: str) -> str:
    """Return the name of a controller as a lease contains it."""
    return _NO_LETTERS.sub("-", controller.partition(".")[0])[:40].strip("-") or "controller"


def new_lease(owner: str, now: datetime | None, lasts: timedelta) -> Lease:
    """Return the lease of a run that begins now, by the host's clock."""
    since = now and now.astimezone(UTC).replace(microsecond=0)
    return Lease(secrets.token_hex(8), _label(owner), since, since and since + lasts)


def parse_lease(listing: bytes) -> Lease | None:
    """Read the names in the folder; None where none is a lease of this collection."""
    lines = [line.strip() for line in decode(listing).splitlines()]
    found = [match for line in lines if (match := _NAME.fullmatch(line))]
    if not found:
        return None
    match = found[0]
    return Lease(
        match["run"].lower(),
        match["owner"],
        _moment(match["since"]),
        _moment(match["until"]),
        busy="busy" in map(str.lower, lines),
    )


def _stamp(moment: datetime | None) -> str:
    return moment.strftime(_STAMP_FORMAT) if moment else _UNKNOWN


def _moment(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(stamp.upper(), _STAMP_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def shown(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else _UNKNOWN


def why_alive(lease: Lease, now: datetime | None, ended: bool | None) -> str:
    """Return why the run of a lease may still be at work, or nothing if that cannot be.

    ``now`` is the host's clock. ``ended`` is what this controller knows of its own run for certain,
    see ``alive``; a command that it left behind may go on without it until the lease expires.
    """
    if lease.is_over(now) or (ended and not lease.busy):
        return ""
    if ended is False:
        return "it is still at work on this controller"
    if ended:
        return "it has ended, but its last command may still run on the host"
    if lease.until is None:
        return "cannot determine whether it is still running (the host sends no Date header)"
    return "cannot determine from here whether it is still running"


class LeaseLost(ExchangeError):  # noqa: N818 - reads as what it is
    """Another run has the host, now or from the start; what it does must not be disturbed."""


def locked(host: str, layout: Layout, lease: Lease, now: datetime | None, why: str) -> LeaseLost:
    """Return the error for a host that another run may be changing."""
    if lease.until:
        clock = f"; it shows {shown(now)} now" if now else ""
        when = f"The lease expires at {shown(lease.until)} by the host's clock{clock}."
    else:
        when = "The lease does not expire by itself, since the host sends no Date header."
    return LeaseLost(
        f"{host}: the host is locked by {lease.words}; {why}.",
        hint=f"Wait for that run to end, then run again. {when} If it was cut off for certain, type"
        f" on the host: rd /s /q {commands.quoted(layout.lease_path())}",
        details={
            "at_work": {
                "controller": lease.owner,
                "since": shown(lease.since),
                "until": shown(lease.until),
            }
        },
    )


@dataclass(frozen=True, slots=True)
class HostLock:
    """A run's own lease of a host; ``over`` is that of a dead run, which it takes over.

    ``began`` and ``lasts`` are seconds of a monotonic clock.
    """

    layout: Layout
    lease: Lease
    over: Lease | None
    began: float
    lasts: float

    @property
    def fenced(self) -> Layout:
        """The layout by which a run changes anything once the lease is its own."""
        return self.layout.behind_fence(self.lease.name)

    def add_to(self, batch: Batch) -> None:
        """Add commands that take the lease and show whether it is ours."""
        mine = self.layout.lease_path(self.lease.name)
        if self.over:
            batch.add("held_over", commands.rename(self._file(self.over), self.lease.name))
            idle = commands.remove_folder(self.layout.busy_path)
            batch.add("held_idle", commands.if_exists(mine, idle))
        else:
            new, token = self._draft()
            batch.add("held_new", commands.make_folder(new))
            batch.add("held_name", commands.make_empty_file(token))
            batch.add("held_old", commands.remove_folder(self.layout.lease_path()))
            renamed = commands.rename(new, self.layout.lease_path().rpartition("\\")[2])
            batch.add("held_make", commands.if_exists(token, renamed))
            self._drop_draft(batch)
        batch.add("held_mine", commands.echo_if_exists(mine))
        batch.add("held_by", commands.list_folder(self.layout.lease_path()))

    def check(self, host: str, sections: Mapping[str, Section]) -> None:
        """See that the lease is ours; raises LeaseLost, or ExchangeError if none could be made."""
        if sections["held_mine"].output.strip():
            return
        found = parse_lease(sections["held_by"].output)
        if found:
            raise LeaseLost(
                f"{host}: another run began at the same moment: {found.words}.",
                hint="Run again when the other run has ended.",
            )
        said = b"".join(sections[name].output for name in sections if name.startswith("held_"))
        raise ExchangeError(
            f"{host}: the host could not be locked ({excerpt(said)}).",
            hint=f"Check the rights of the account and what is in {self.layout.lease_path()}.",
        )

    def give_up(self, session: Session, *files: str, timeout: float = 60.0) -> list[str]:
        """Delete files on the host and give it free; returns those that may be left. Never raises.

        The file of the lease goes last, so that whatever else is left is found by the next run. The
        lease of a dead run is left where it was not taken over.
        """
        mine = self._file(self.lease)
        batch = Batch()
        for number, path in enumerate(files):
            batch.add(f"delete{number}", commands.if_exists(mine, commands.delete(path)))
        if not self.over:
            self._drop_draft(batch)
        batch.add("idle", commands.if_exists(mine, commands.remove_folder(self.layout.busy_path)))
        batch.add("end", commands.if_exists(mine, commands.delete(mine)))
        batch.add("folder", commands.remove_folder(self.layout.lease_path()))
        paths = [*files, mine, *([self._file(self.over)] if self.over else [])]
        seen = [*paths, *([] if self.over else [self._draft()[0]])]
        for number, path in enumerate(seen):
            batch.add(f"left{number}", commands.echo_if_exists(path))
        try:
            sections = run_again_if_lost(session, batch, timeout)
        except ExchangeError:
            return paths
        return [
            path for number, path in enumerate(seen) if sections[f"left{number}"].output.strip()
        ]

    def ended(self, left: Collection[str]) -> list[str]:
        """Return the runs without a lease, by what ``give_up`` left."""
        leases = [self.lease, *([self.over] if self.over else [])]
        return [lease.run for lease in leases if self._file(lease) not in left]

    def is_in_time(self, now: float, needs: float, *, undoing: bool = False) -> bool:
        """Whether a change that takes up to ``needs`` seconds may still begin.

        It has to end while no other run may take over, and leave time for the way back.
        """
        return now - self.began + needs < self.lasts * (1 if undoing else _FOR_CHANGES)

    def _draft(self) -> tuple[str, str]:
        """Return the folder that becomes the lease, and the file in it."""
        folder = self.layout.own_path(f"lease-{self.lease.run}")
        return folder, f"{folder}\\{self.lease.name}"

    def _drop_draft(self, batch: Batch) -> None:
        """Remove what did not become the lease: another run has it, or the command was ended."""
        folder, token = self._draft()
        batch.add("held_drop", commands.if_exists(token, commands.delete(token)))
        batch.add("held_rd", commands.if_exists(folder, commands.remove_folder(folder)))

    def _file(self, lease: Lease) -> str:
        return self.layout.lease_path(lease.name)


def run_again_if_lost(session: Session, batch: Batch, timeout: float) -> dict[str, Section]:
    """Run a batch that may be run twice; once more in a new session where the first one broke."""
    try:
        return batch.run(session, timeout=timeout)
    except SessionLost:
        session.reopen()
        return batch.run(session, timeout=timeout)


def changing(layout: Layout) -> Batch:
    """Return a batch for commands that change something; it marks that on the host."""
    batch = Batch()
    if layout.fence:
        batch.add("busy", layout.busy())
    return batch


def changed(batch: Batch, layout: Layout) -> None:
    """End the part of a batch that changes something."""
    if layout.fence:
        batch.add("idle", layout.idle())
        batch.add("mine", commands.echo_if_exists(layout.fence))


def write_note(
    session: Session, layout: Layout, path: str, lines: Sequence[str], *, timeout: float
) -> None:
    """Write a small file of plain words on the host, only while the lease is ours; then verify.

    Raises LeaseLost where another run has the host now, which then has no such file.
    """
    target = commands.quoted(path)
    batch = Batch()
    for number, line in enumerate(lines):
        echo = f"{'>>' if number else '>'}{target} echo {line}"
        batch.add(f"line{number}", f"if exist {commands.quoted(layout.fence)} {echo}")
    batch.add("text", commands.type_file(path))
    batch.add("mine", commands.echo_if_exists(layout.fence))
    sections = batch.run(session, timeout=timeout)
    check_fence(session.host, sections)
    if sections["text"].output != "".join(f"{line}\r\n" for line in lines).encode("ascii"):
        said = excerpt(b"".join(section.output for section in sections.values()))
        raise ExchangeError(
            f"{session.host}: {path} could not be written ({said}).",
            hint="Check free disk space and permissions on the host.",
        )


def check_fence(host: str, sections: Mapping[str, Section]) -> None:
    """See that the host carried the changes out; raises LeaseLost where another run has it now."""
    if "mine" in sections and not sections["mine"].output.strip():
        raise LeaseLost(
            f"{host}: another run took the host over, since this run's lease expired.",
            hint="Check the result of that run, then run again.",
        )
