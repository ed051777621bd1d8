# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""The SMTP protocol log of Exchange 4.0 to 5.5: ``RootDir\Log\L*.LOG``.

A file belongs to one of the concurrent connections and holds many of them, each with many messages
(KB Q154505, Q295725, Q202765); it is written only at diagnostics level 3 or more. A line has a time
and an arrow before it or neither: ``<<<`` for what came in, ``>>>`` for what went out; a reply also
follows ``IO: |`` (KB Q198981), and at level 5 the log repeats it.

The service's own words are ``A connection to ADDRESS was established.`` and ``499 No routing hosts
are reachable for DOMAIN. Message subject: ""SUBJECT"". Rescheduling delivery for later.`` (KB
Q228725, Q239816, Q146669): the subject is cut off before anything else reads the line. ``421 NSO
HOST Unable to contact destination SMTP demon DOMAIN`` is the queue window's (KB Q169781). A 500 to
EHLO is followed by HELO and is not a failure (KB Q245787).

A mail server that accepts a connection and stays silent leaves nothing but the line about the
connection, then perhaps a 499 (KB Q182821): that silence is a failure of its own.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from .._mail.addresses import domain_of, mail_domain
from .._mail.smtp_errors import MAX_LINE, ErrorClass, Origin, SmtpError, address_in, parse_reply
from .._remote.parse import parse_dir_bare
from .._remote.session import Section
from .files import Reader, list_by_age, list_sizes, parse_sizes
from .host import ImcHost

#: Failures kept of one log, the newest.
MAX_FAILURES = 200
#: A log of at most so many bytes is read whole, of a longer one the last lines.
WHOLE, _LINES = 262_144, 2_000
_FOLDER, _MASK = "Log", "L*.LOG"
#: The code of "No routing hosts are reachable".
NO_ROUTING_HOSTS = 499
_UNRECOGNIZED, _SEND_DATA = 500, "354"

_STAMP = re.compile(r"\d[^<>|]{5,40}? : ")
_REPLY = re.compile(r"[2-5]\d\d(?:[ -].*)?", re.DOTALL | re.ASCII)
_SUBJECT = re.compile(r"\s*message subject:", re.IGNORECASE)
_CONNECTED = re.compile(r"a connection to (\S+) was established", re.IGNORECASE)
_ACCEPTED = re.compile(r"a connection was accepted from ", re.IGNORECASE)
_UNREACHABLE = re.compile(r"no routing hosts are reachable for ([^\s\"]+)", re.IGNORECASE)
_DEMON = re.compile(r"destination SMTP da?emon\s+(\S+)", re.IGNORECASE)
_RCPT = re.compile(r"RCPT\s+TO:\s*<?([^<>\s]+)", re.IGNORECASE)
_OWN = re.compile(r"NSO \S")


@dataclass(frozen=True, slots=True)
class LoggedFailure:
    """A failure and its log; ``domain`` is the mail domain that it concerns, where known."""

    error: SmtpError
    domain: str | None = None
    log: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """A connection that the service made: its address, and the domains that met no failure.

    ``silent`` is whether it ended without a greeting of the other side, None where it may still get
    one.
    """

    address: str
    domains: frozenset[str]
    silent: bool | None


@dataclass(frozen=True, slots=True)
class LogContents:
    """The failures and connections of one log, or of several."""

    failures: tuple[LoggedFailure, ...]
    contacts: tuple[Contact, ...]


@dataclass(slots=True)
class _Connection:
    """One connection of a log while it is read; ``address`` is whom the service connected to.

    ``peer`` is the same address, also after the service has given the connection up.
    """

    address: str | None = None
    peer: str | None = None
    silent: bool = False
    inbound: bool = False
    greeted: bool = True
    said_ehlo: bool = False
    sends_data: bool = False
    domain: str | None = None

    def silence(self, *, ended: bool) -> list[LoggedFailure]:
        """Return the failure of a connection that was established and then silent."""
        if self.greeted or self.address is None:
            return []
        self.silent = ended
        text = self.silent_text if ended else f"{self.silent_text} yet"
        error = SmtpError(text, ErrorClass.NO_CONNECTION, address=self.address, line=text)
        return [LoggedFailure(error, self.domain)]

    @property
    def silent_text(self) -> str:
        """The event of a silent connection, in words."""
        return f"{self.address} accepted the connection and sent no greeting"


def parse_log(data: bytes, limit: int = MAX_FAILURES) -> LogContents:
    """Return the last ``limit`` failures and connections of one log, oldest first. Never raises.

    A failure belongs to the domain it names, else to the last recipient of its own connection, else
    (as a greeting) to the one domain that the connection is about, if there is only one. Replies
    of our own server to a client are not failures of delivery.
    """
    kept: deque[LoggedFailure] = deque(maxlen=max(limit, 1))
    contacts: deque[Contact] = deque(maxlen=max(limit, 1))
    for state, failures, domains in _connections(data):
        only = next(iter(domains)) if len(domains) == 1 else None
        owned = [replace(failure, domain=failure.domain or only) for failure in failures]
        kept.extend(owned)
        if state.peer is not None:
            sound = frozenset(domains) - {failure.domain for failure in owned}
            silent = state.silent if state.silent or state.greeted else None
            contacts.append(Contact(state.peer, frozenset(filter(None, sound)), silent))
    return LogContents(tuple(kept), tuple(contacts))


def _connections(data: bytes) -> Iterator[tuple[_Connection, list[LoggedFailure], set[str]]]:
    """Yield each connection with its failures, and the domains that it is about."""
    state = _Connection()
    failures: list[LoggedFailure] = []
    domains: set[str] = set()
    for raw in data.split(b"\n"):
        mark, text = _strip(raw[:MAX_LINE].decode("utf-8", "replace"))
        connected = _CONNECTED.match(text)
        if connected is not None or _ACCEPTED.match(text):
            yield state, failures + state.silence(ended=True), domains
            address = address_in(connected[1]) if connected else None
            inbound = connected is None
            state = _Connection(address, address, inbound=inbound, greeted=inbound)
            failures, domains = [], set()
        elif rcpt := _RCPT.match(text):
            state.domain = domain_of(rcpt[1]) or state.domain
            domains |= {state.domain} if state.domain else set()
        elif not state.inbound and mark != ">>>" and _REPLY.fullmatch(text):
            failures += _failure(mark, text, state, failures[-1:])
            domains |= {failure.domain for failure in failures[-1:] if failure.domain}
        if text:
            state.said_ehlo = text[:4].upper() == "EHLO" or (state.said_ehlo and text[:3] == "500")
    yield state, failures + state.silence(ended=False), domains


def _failure(
    mark: str, text: str, state: _Connection, last: list[LoggedFailure]
) -> list[LoggedFailure]:
    """Return the failure of a line: a reply, or the service's own text about the mail."""
    subject = _SUBJECT.search(text)
    error = parse_reply(text[: subject.start()] if subject else text)
    own = subject is not None or (error is not None and error.code == NO_ROUTING_HOSTS)
    if mark:
        state.sends_data = text[:3] == _SEND_DATA
    if error is None or not own:
        silent, state.greeted = False, True
    else:
        silent = not state.greeted
    if (
        error is None
        or (error.code == _UNRECOGNIZED and state.said_ehlo)
        or (state.sends_data and not own)  # a line of the message, where the level logs these
    ):
        return []
    named = _UNREACHABLE.search(error.text) or _DEMON.search(error.text)
    address = state.address
    if named or error.code == NO_ROUTING_HOSTS or _OWN.match(error.text):
        reached = not named and error.code != NO_ROUTING_HOSTS
        kind = ErrorClass.OTHER if reached else ErrorClass.NO_CONNECTION
        error = replace(error, error_class=kind, origin=Origin.THIS_HOST)
        address = address or address_in(error.text)
    if silent:
        state.greeted = state.silent = True  # reported here, with its domain
        error = replace(error, text=f"{error.text} ({state.silent_text})")
    domain = mail_domain(named[1]) if named else None
    if error.code == NO_ROUTING_HOSTS:
        if domain and state.domain not in (None, domain):
            address = None  # the connection was about another domain's mail
        state.address = None  # the service has given the connection up
    failure = LoggedFailure(replace(error, address=address), domain or state.domain)
    return [] if [failure] == last else [failure]  # level 5 writes each reply twice


def _strip(line: str) -> tuple[str, str]:
    """Return where a line comes from and its text, without its time and its ``IO: |``.

    ``<<<`` is from the other side, ``>>>`` from this one; an empty text is unknown.
    """
    text = line.strip()
    stamp = _STAMP.match(text)
    # A line may begin with the reply itself; its text may hold " : " just like a time.
    if stamp is not None and _REPLY.fullmatch(text) is None:
        text = text[stamp.end() :].lstrip()
    mark = text[:3] if text.startswith(("<<<", ">>>")) else ""
    text = text[len(mark) :].lstrip()
    if text.startswith("IO:"):
        mark, text = mark or "<<<", text[3:].lstrip().removeprefix("|")
    return mark, text.rstrip("|").strip()


def smtp_log_commands(host: ImcHost) -> dict[str, str]:
    """Return the commands that list the SMTP protocol logs, by section."""
    folder = host.reach(host.root_dir, _FOLDER)
    return {
        "smtp-names": list_by_age(folder, _MASK, newest_first=True),
        "smtp-sizes": list_sizes(folder, _MASK),
    }


def read_smtp_logs(
    reader: Reader, host: ImcHost, sections: Mapping[str, Section], most: int
) -> LogContents:
    """Return what the newest ``most`` logs hold, the newest first."""
    sizes = parse_sizes(sections["smtp-sizes"].output)
    names = [name for name in parse_dir_bare(sections["smtp-names"].output) if name in sizes]
    paths = host.reach_files((host.root_dir, _FOLDER), names[:most])
    wanted = {path: sizes[name] for name, path in paths.items()}
    ends = reader.ends(wanted, whole=WHOLE, lines=_LINES)
    failures: list[LoggedFailure] = []
    contacts: list[Contact] = []
    for name, path in paths.items():
        contents = parse_log(ends.get(path, b""))
        contacts += reversed(contents.contacts)
        source = f"SMTP protocol log {name}"
        failures += [
            replace(failure, log=name, error=replace(failure.error, source=source))
            for failure in reversed(contents.failures)
        ]
    return LogContents(tuple(failures), tuple(contacts))


def newest_by_domain(failures: Iterable[LoggedFailure]) -> dict[str, LoggedFailure]:
    """Return the newest failure of each domain; ``failures`` come newest first."""
    newest: dict[str, LoggedFailure] = {}
    for logged in failures:
        if logged.domain is not None:
            newest.setdefault(logged.domain, logged)
    return newest
