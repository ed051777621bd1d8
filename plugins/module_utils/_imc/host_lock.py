# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time on a host: the claim is made there in one step, held, and given up.

A claim is a folder ``claim`` on the host with one empty file in it, see ``claim``. The folder is
prepared under another name and renamed, which is one step and fails where there is one already; so
of two runs at the same moment one gets the host, and a claim is never half made. That of a dead run
is taken over by renaming its file, which is one step too. A full disk does not matter to any of it.

Every command that changes something is carried out by the host only while that file is there
(``Layout.fence``). So a run whose claim was taken over can do no harm, however late it comes.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from .._base.errors import ExchangeError, SessionLost
from .._remote import commands
from .._remote.parse import excerpt
from .._remote.session import Batch, Section, Session
from .layout import Layout
from .lease import Claim, parse_claim, shown

#: A run makes its changes in this part of its claim's time; the rest is for the way back.
_FOR_CHANGES = 0.5


class ClaimLost(ExchangeError):  # noqa: N818 - reads as what it is
    """Another run has the host, now or from the start; what it does must not be disturbed."""


def at_work(host: str, layout: Layout, claim: Claim, now: datetime | None, why: str) -> ClaimLost:
    """Return the error for a host that another run may be at work on."""
    folder = commands.quoted(layout.claim_path())
    if claim.until:
        clock = f", and the clock says {shown(now)} now" if now else ""
        when = f"The next run takes over after {shown(claim.until)} (the host's clock{clock})."
    else:
        when = "The host tells no time, so no run takes over by itself."
    return ClaimLost(
        f"{host}: another run of imc_delivery works on this host, or was cut off:"
        f" {claim.words}; {why}.",
        hint=f"Wait for it to end, and run again. {when} If you know that it was cut off, type on"
        f" the host: rd /s /q {folder}",
        details={
            "at_work": {
                "controller": claim.owner,
                "since": shown(claim.since),
                "until": shown(claim.until),
            }
        },
    )


@dataclass(frozen=True, slots=True)
class Hold:
    """A run's own claim on a host; ``over`` is that of a dead run, which it takes over.

    ``began`` and ``lasts`` are seconds of a clock that tells time passing.
    """

    layout: Layout
    claim: Claim
    over: Claim | None
    began: float
    lasts: float

    @property
    def fenced(self) -> Layout:
        """The layout by which a run changes anything once the claim is its own."""
        return self.layout.behind_fence(self.claim.name)

    def add_to(self, batch: Batch) -> None:
        """Add what makes the claim, and tells whether it is ours."""
        mine = self.layout.claim_path(self.claim.name)
        if self.over:
            batch.add("held_over", commands.rename(self._file(self.over), self.claim.name))
            idle = commands.remove_folder(self.layout.busy_path)
            batch.add("held_idle", commands.if_exists(mine, idle))
        else:
            new, token = self._draft()
            batch.add("held_new", commands.make_folder(new))
            batch.add("held_name", commands.make_empty_file(token))
            batch.add("held_old", commands.remove_folder(self.layout.claim_path()))
            renamed = commands.rename(new, self.layout.claim_path().rpartition("\\")[2])
            batch.add("held_make", commands.if_exists(token, renamed))
            self._drop_draft(batch)
        batch.add("held_mine", commands.echo_if_exists(mine))
        batch.add("held_by", commands.list_folder(self.layout.claim_path()))

    def check(self, host: str, sections: Mapping[str, Section]) -> None:
        """See that the claim is ours; raises ClaimLost, or ExchangeError if none could be made."""
        if sections["held_mine"].output.strip():
            return
        found = parse_claim(sections["held_by"].output)
        if found:
            raise ClaimLost(
                f"{host}: another run of imc_delivery began at the same moment: {found.words}.",
                hint="Let one run work on a host at a time; run again when the other has ended.",
            )
        said = b"".join(sections[name].output for name in sections if name.startswith("held_"))
        raise ExchangeError(
            f"{host}: the claim of this run could not be made ({excerpt(said)}).",
            hint="Check the rights of the account in the folder host_backup_dir, and what is in"
            f" {self.layout.claim_path()}.",
        )

    def give_up(self, session: Session, *files: str, timeout: float = 60.0) -> list[str]:
        """Delete files on the host and give it free; returns those that may be left. Never raises.

        The file of the claim goes last, so that whatever else is left is found by the next run. The
        claim of a dead run is left where it was not taken over.
        """
        mine = self._file(self.claim)
        batch = Batch()
        for number, path in enumerate(files):
            batch.add(f"delete{number}", commands.if_exists(mine, commands.delete(path)))
        if not self.over:
            self._drop_draft(batch)
        batch.add("idle", commands.if_exists(mine, commands.remove_folder(self.layout.busy_path)))
        batch.add("end", commands.if_exists(mine, commands.delete(mine)))
        batch.add("folder", commands.remove_folder(self.layout.claim_path()))
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
        """Return which runs have no claim any more, by what ``give_up`` left."""
        claims = [self.claim, *([self.over] if self.over else [])]
        return [claim.run for claim in claims if self._file(claim) not in left]

    def is_in_time(self, now: float, needs: float, *, undoing: bool = False) -> bool:
        """Whether a change that takes up to ``needs`` seconds may still begin.

        It has to end while no other run may take over, and leave time for the way back.
        """
        return now - self.began + needs < self.lasts * (1 if undoing else _FOR_CHANGES)

    def _draft(self) -> tuple[str, str]:
        """Return the folder that becomes the claim, and the file in it."""
        folder = self.layout.backup_path(f"claim-{self.claim.run}")
        return folder, f"{folder}\\{self.claim.name}"

    def _drop_draft(self, batch: Batch) -> None:
        """Remove what did not become the claim: another run has it, or the command was ended."""
        folder, token = self._draft()
        batch.add("held_drop", commands.if_exists(token, commands.delete(token)))
        batch.add("held_rd", commands.if_exists(folder, commands.remove_folder(folder)))

    def _file(self, claim: Claim) -> str:
        return self.layout.claim_path(claim.name)


def run_again_if_lost(session: Session, batch: Batch, timeout: float) -> dict[str, Section]:
    """Run a batch that may be run twice; once more in a new session where the first one broke."""
    try:
        return batch.run(session, timeout=timeout)
    except SessionLost:
        session.reopen()
        return batch.run(session, timeout=timeout)


def changing(layout: Layout) -> Batch:
    """Return a batch for commands that change something; it says so on the host."""
    batch = Batch()
    if layout.fence:
        batch.add("busy", layout.busy())
    return batch


def changed(batch: Batch, layout: Layout) -> None:
    """End the part of a batch that changes something."""
    if layout.fence:
        batch.add("idle", layout.idle())
        batch.add("mine", commands.echo_if_exists(layout.fence))


def check_fence(host: str, sections: Mapping[str, Section]) -> None:
    """See that the host carried the changes out; raises ClaimLost where another run has it now."""
    if "mine" in sections and not sections["mine"].output.strip():
        raise ClaimLost(
            f"{host}: another run of imc_delivery took the host over, since this one did not end in"
            " time.",
            hint="See what that run does; then run again.",
        )
