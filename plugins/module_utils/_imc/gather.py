# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a host: one command line returns all that its plan needs.

It leaves nothing behind, also after an error. A failed read is never taken for "absent": the words
of ``reg`` and ``sc`` are translated, so exit codes and numbers decide.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .._base.errors import ExchangeError, HostUnreachable
from .._remote import commands
from .._remote.parse import (
    RegistryValue,
    excerpt,
    find_value,
    parse_sc_process,
)
from .._remote.session import Batch, Section, Session
from .host import (
    ATTENDANT_KEY,
    CLUSTER_SERVICE,
    COMPUTER_KEY,
    NOT_INSTALLED,
    SERVICE_KEY,
    SETUP_KEY,
    UNKNOWN_HOST,
    VALUE_NAME,
    ImcHost,
    folder,
    key_values,
    own_name,
    read_service,
    told_values,
    tracking_folder,
)
from .host_lock import parse_lease
from .layout import Layout, TempFile, beside, print_size
from .routes import NotARoutesFile, RoutesFile
from .state import HostState, Journal, PendingRestart, Table

Sections = Mapping[str, Section]

_NO_SUCH_PROGRAM = 9009  # of cmd.exe, if it cannot find a program
_SIZE = re.compile(rb"size=(\d{1,18})\b")


def gather(  # noqa: PLR0913 - what is read is chosen by name
    session: Session,
    layout: Layout,
    *,
    with_table: bool = True,
    known: ImcHost | None = None,
    first: bool = True,
    timeout: float = 120.0,
) -> HostState:
    """Read a host; ``timeout`` is in seconds, for one command line.

    The first read is also for what no run changes: the computer's name, whether it is in a cluster,
    and Exchange's build and the folder of the tracking log, as far as they are not ``known``. With
    None these two are left out.

    Raises MissingService, or ExchangeError for everything that could not be read.
    """
    imccopies = layout.imccopy_commands() if with_table else []
    temp = layout.temp_file()
    batch = Batch()
    batch.add("service", layout.service("query"))
    batch.add("control", layout.query(SERVICE_KEY))
    if first:
        batch.add("cluster", layout.service("query", CLUSTER_SERVICE))
        batch.add("computer", layout.query(COMPUTER_KEY))
    batch.add("parameters", layout.query(layout.registry_key))
    if known is not None and known.build is None:
        batch.add("setup", layout.query(SETUP_KEY))
    if known is not None and not known.tracking_dir:
        batch.add("attendant", layout.query(ATTENDANT_KEY))
    batch.add("noted", commands.echo_if_exists(layout.journal_path))
    batch.add("journal", commands.type_file(layout.journal_path))
    batch.add("lease", commands.list_folder(layout.lease_path()))
    note = layout.pending_restart_path
    batch.add("pending", commands.echo_if_exists(note))  # where none is, that costs no program
    batch.add("restart", commands.if_exists(note, commands.type_file(note)))
    batch.add("process", commands.if_exists(note, layout.service("queryex")))
    add_save(batch, layout, imccopies, temp)
    sections = run_with_temp(session, batch, temp, timeout)

    host, known = session.host, known or UNKNOWN_HOST
    service = read_service(host, layout.computer, sections)
    values = parameters(host, layout, sections)
    root_dir, site = find_value(values, "RootDir"), find_value(values, "SiteDN")
    table = saved_table(host, imccopies, sections) if imccopies else None
    if table is None and imccopies:
        table = _look_beside(session, layout, root_dir.data if root_dir else "", timeout)
    build, tracking = known.build, known.tracking_dir
    if "setup" in sections:  # it is shown, and nothing is decided by it
        setup = told_values(sections["setup"], SETUP_KEY)
        newest = find_value(setup, "NewestBuild") or find_value(setup, "Build")  # Q158731
        build = newest.number if newest else None
    if "attendant" in sections:
        tracking = _tracking_folder(host, told_values(sections["attendant"], ATTENDANT_KEY), values)
    pending = None
    if sections["pending"].output.strip():
        process = parse_sc_process(sections["process"].output)
        pending = PendingRestart.parse(sections["restart"].output, process)
    return HostState(
        service=service,
        value=find_value(values, VALUE_NAME),
        table=table,
        no_imccopy=with_table and table is None,
        root_dir=root_dir.data if root_dir else "",
        build=build,
        tracking_folder=tracking,
        journal=_journal(host, layout, sections),
        lease=parse_lease(sections["lease"].output),
        pending_restart=pending,
        cluster="cluster" in sections and sections["cluster"].exit_code != NOT_INSTALLED,
        computer=own_name(told_values(sections["computer"], COMPUTER_KEY)) if first else "",
        organisation=site.data.strip() if site else "",
    )


# -- the registry and the service


def parameters(host: str, layout: Layout, sections: Sections) -> dict[str, RegistryValue]:
    """Return all values of the Parameters key; raises ExchangeError where it cannot be read."""
    return key_values(host, layout.registry_key, sections["parameters"])


def _tracking_folder(
    host: str, attendant: Mapping[str, RegistryValue], values: Mapping[str, RegistryValue]
) -> str:
    """Return the folder of the tracking log; nothing where a command line cannot carry it.

    Nothing here uses it. The code that does reads it again and reports what is wrong with it.
    """
    try:
        return tracking_folder(host, attendant, folder(host, values, "RootDir"))
    except ExchangeError:
        return ""


def _journal(host: str, layout: Layout, sections: Sections) -> Journal | None:
    if not sections["noted"].output.strip():
        return None
    text = sections["journal"]
    if not text.ok:
        raise ExchangeError(
            f"{host}: the journal of an earlier run cannot be read: {excerpt(text.output)}.",
            hint=f"Check the rights of the account on {layout.journal_path}.",
        )
    return Journal.parse(text.output)


# -- the route table


def add_save(batch: Batch, layout: Layout, imccopies: Sequence[str], temp: TempFile) -> None:
    """Add what saves the table to a file, shows it, and removes it again.

    Commands are tried until one made the file; ``exists`` is asked of those that have a path.
    """
    for number, imccopy in enumerate(imccopies):
        save = layout.save(imccopy, temp)
        if imccopy.startswith('"'):
            batch.add(f"found{number}", commands.echo_if_exists(imccopy.strip('"')))
        # Asked inside, so that the program's own streams stay in this section.
        unless_done = f"if not exist {commands.quoted(temp.seen)} {save} 2>&1"
        batch.add(f"save{number}", unless_done if number else save)
    if imccopies:
        batch.add("saved", commands.echo_if_exists(temp.seen))
        batch.add("size", print_size(temp.seen))
        batch.add("routes", commands.type_file(temp.seen))
        batch.add("remove", commands.delete(temp.seen))
        batch.add("left", commands.echo_if_exists(temp.seen))


def run_with_temp(
    session: Session, batch: Batch, temp: TempFile, timeout: float
) -> dict[str, Section]:
    """Run a batch that uses a temporary file; it is removed whatever happens."""
    try:
        sections = batch.run(session, timeout=timeout)
    except HostUnreachable:
        raise
    except ExchangeError as error:
        if left := commands.discard_file(session, temp.seen):
            error.message = f"{error.message} {left}"
        raise
    if "left" in sections and sections["left"].output.strip():
        left = commands.discard_file(session, temp.seen)
        if left:
            raise ExchangeError(f"{session.host}: {left}", details={"left_behind": temp.seen})
    return sections


def saved_table(host: str, imccopies: Sequence[str], sections: Sections) -> Table | None:
    """Return the table that one of the commands saved, or None if none of them exists."""
    for number, imccopy in enumerate(imccopies):
        save, found = sections[f"save{number}"], sections.get(f"found{number}")
        if save.exit_code == _NO_SUCH_PROGRAM if found is None else not found.output.strip():
            continue
        if not save.ok or not sections["saved"].output.strip():
            raise ExchangeError(
                f"{host}: imccopy could not save the route table (exit code {save.exit_code},"
                f" {excerpt(save.output)}).",
                hint=f"Try it on the host: {imccopy} -save routes FILE",
            )
        return _table(host, imccopy, sections)
    return None


def _table(host: str, imccopy: str, sections: Sections) -> Table:
    """Return the table; ``type`` converts UTF-16, for one, so what arrived is held against size."""
    content = sections["routes"].output
    try:
        file = RoutesFile.parse(content)
    except NotARoutesFile as error:
        raise ExchangeError(
            f"{host}: what imccopy saved is not the documented routes file: {error}.",
            hint=f"Look at it on the host: {imccopy} -save routes FILE",
        ) from None
    size = _SIZE.search(sections["size"].output)
    inexact = "" if size else "the host does not show its size"
    if size and int(size[1]) != len(content):
        inexact = f"{len(content)} bytes arrived of {int(size[1])}"
    return Table(imccopy, content, file, inexact)


def _look_beside(session: Session, layout: Layout, root_dir: str, timeout: float) -> Table | None:
    """Look for imccopy beside RootDir, where no option names it and no usual place has it."""
    if named := layout.target_imccopy if layout.computer else layout.imccopy:
        raise ExchangeError(
            f"{session.host}: imccopy was not found at {named}.",
            hint="Correct the option, or copy imccopy.exe there from the Exchange CD"
            r" (server\support\utils\i386).",
        )
    place = "" if layout.computer else beside(root_dir)
    if not place:
        return None
    temp = layout.temp_file()
    batch = Batch()
    imccopies = [commands.quoted(place)]
    add_save(batch, layout, imccopies, temp)
    return saved_table(session.host, imccopies, run_with_temp(session, batch, temp, timeout))
