# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The context that an action plugin, a module, or a test gives to a module's engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import ExchangeError

if TYPE_CHECKING:  # the only look upwards, and none at run time
    from .._remote.session import CmdletSession, Session


Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Learned:
    """What the parts of a run have learned of an installation: one thing of each type.

    A later part need not ask for it again.
    """

    _things: dict[type, object] = field(default_factory=dict)

    def keep(self, thing: object) -> None:
        """Keep a thing, in place of the one of its type."""
        self._things[type(thing)] = thing

    def of(self, kind: type[Thing], otherwise: Thing) -> Thing:
        """Return the thing of a type, or ``otherwise`` if it does not exist yet."""
        thing = self._things.get(kind, otherwise)
        return thing if isinstance(thing, kind) else otherwise


@dataclass(frozen=True, slots=True)
class Context:
    """Where and how an engine runs.

    ``host`` is the name the administrator uses for the host (the inventory's), ``address`` the name
    or address to connect to, empty without a host. ``no_session`` is the reason for
    a missing session, if the engine may do without. ``cmdlets`` makes a session with Exchange's
    PowerShell, or returns the one it made. ``basedir`` is the folder against which relative
    controller paths count (the playbook's), ``now`` the clock (UTC). ``learned`` is shared by all
    engines of one run.
    """

    host: str
    session: Session | None = None
    no_session: ExchangeError | None = None
    cmdlets: Callable[[], CmdletSession] | None = None
    address: str = ""
    check_mode: bool = False
    diff: bool = False
    basedir: Path = field(default_factory=Path.cwd)
    progress: Callable[[str], None] = lambda _message: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    learned: Learned = field(default_factory=Learned)

    def need_session(self) -> Session:
        """Return the session; engines that work on a host call this once, at their start.

        Raises InvalidInput if the options are not enough to open one.
        """
        if self.no_session is not None:
            raise self.no_session
        if self.session is None:
            raise RuntimeError("this engine works on a host and was started without a session")
        return self.session

    def need_cmdlets(self) -> CmdletSession:
        """Return the session with Exchange's PowerShell; nothing is sent before its first cmdlet.

        Raises InvalidInput if the options are not enough to reach it.
        """
        if self.cmdlets is None:
            raise RuntimeError("this engine runs cmdlets and was started without an endpoint")
        return self.cmdlets()


Engine = Callable[[Mapping[str, Any], Context], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class EngineModule:
    """A module of this collection, as its file in ``modules`` and its action plugin share it.

    ``options`` is the table of its own options, in the form of Ansible's argument specs;
    ``constraints`` are those between them, such as ``required_if``. ``needs_session`` is set where
    it runs commands by WinRM, and ``connects`` (``psrp.connect``) where it runs Exchange cmdlets.
    Those that work on a host get the options ``connection`` and ``endpoint`` besides.
    """

    options: Mapping[str, Any]
    engine: Engine
    needs_session: bool = True
    connects: Callable[..., CmdletSession] | None = None
    constraints: Mapping[str, Any] = field(default_factory=dict)

    @property
    def on_host(self) -> bool:
        """Whether it works on a host."""
        return self.needs_session or self.connects is not None
