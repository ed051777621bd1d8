# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""First contact: what each host is, what keeps it from an audit, and the remedies. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._imc.host import VALUE_NAME
from .host_result import HostResult
from .text import Line, columns, failure_of, listed, wrapped

Result = Mapping[str, Any]

#: What Kerberos allows by default, in seconds.
MOST_SKEW = 300
#: Seconds that the date of an answer may be off.
_EXACT = 2
_NOT_SEEN = "not seen"
_ALL = 99
_NOT_CHECKED = (
    "Not checked: the rights to change, which only a change shows (docs/least-privilege.md has"
    " them)."
)
_SENTENCE = {
    "clean": ("is ready for an audit", "are ready for an audit"),
    "failed": ("has a problem", "have problems"),
    "unjudged": ("could not be reached", "could not be reached"),
}


@dataclass(frozen=True, slots=True)
class Checked:
    """A host with its ``problems``, each with its remedy, and the verdict that they make."""

    host: HostResult
    behind: bool = False
    problems: Sequence[str] = ()

    @property
    def verdict(self) -> str:
        """``clean``, ``failed``, or ``unjudged`` for a host out of reach."""
        if self.host.unreachable:
            return "unjudged"
        return "failed" if self.problems else "clean"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The lines to print, and the problems and the verdict of each host."""

    lines: Sequence[Line]
    problems: Mapping[str, str]
    verdicts: Mapping[str, str] = field(default_factory=dict)


def check_report(
    hosts: Sequence[HostResult], nameservers: Sequence[str], gap: str, behind: Collection[str] = ()
) -> CheckReport:
    """Return the report; the controller asks ``nameservers``, or ``gap`` is why it asks none.

    ``behind`` are the hosts that are reached through a management host.
    """
    checked = [Checked(h, h.name in behind, tuple(_problems(h, h.name in behind))) for h in hosts]
    lines = [Line(line) for line in wrapped(f"Controller: DNS {listed(nameservers) or gap}")]
    for one in checked:
        lines += [Line(""), *(Line(line) for line in _block(one))]
    alike: dict[str, list[str]] = {}
    for one in checked:
        for text in one.problems:
            alike.setdefault(text, []).append(one.host.name)
    if gap:
        alike.setdefault(gap, []).append("controller")
    if alike:
        lines += [Line(""), Line("Action required")]
        for text, names in alike.items():
            lines += [Line(line, "failed") for line in wrapped(f"  {listed(names)}: {text}")]
    if any(one.host.exchange and not failure_of(one.host.exchange) for one in checked):
        lines += [Line(""), *map(Line, wrapped(_NOT_CHECKED))]
    verdicts = {one.host.name: one.verdict for one in checked}
    if gap:
        verdicts = {name: "failed" if v == "clean" else v for name, v in verdicts.items()}
    answer = _answer(Counter(verdicts.values()))
    lines += [Line(""), Line(answer, max(verdicts.values(), key=_RANK.index, default=""))]
    problems = {
        one.host.name: "; ".join((*one.problems, *((gap,) if gap else ()))) for one in checked
    }
    return CheckReport(lines, {name: text for name, text in problems.items() if text}, verdicts)


_RANK = ("clean", "unjudged", "failed")


def _answer(verdicts: Counter[str]) -> str:
    parts = [(verdicts[one], words) for one, words in _SENTENCE.items() if verdicts[one]]
    total = verdicts.total()
    if len(parts) == 1:
        every = {1: "The only host", 2: "Both hosts"}.get(total, f"All {total} hosts")
        return f"{every} {parts[0][1][total > 1]}."
    listing = ", ".join(f"{number} {words[number > 1]}" for number, words in parts)
    return f"Of {total} hosts, {listing}." if parts else "No host took part."


def _problems(host: HostResult, behind: bool) -> Iterator[str]:
    """Yield what keeps the host from an audit, without its name, so that hosts alike are one."""
    parts = (*host.needed, host.exchange, host.delivery, host.rights)
    failures = [text for text in map(failure_of, parts) if text]
    yield from dict.fromkeys(text.replace(f"{host.name}: ", "", 1) for text in failures)
    exchange = host.exchange
    if exchange is None or failure_of(exchange):
        if not failures:
            yield host.failure
        return
    skew = exchange.get("clock_difference")
    if skew is not None and abs(skew) > MOST_SKEW:
        yield (
            f"{_whose(behind)} is {_apart(skew)} this controller's, and Kerberos allows"
            f" {MOST_SKEW // 60} minutes. Set the clocks, for instance by NTP."
        )
    if exchange.get("family") in {"none", "other"}:
        yield (
            "Exchange was not found here, or its version is unknown. Check the name of the host,"
            " set mx_delivery_target_computer if it is behind a management host, or remove it"
            " from the group."
        )
        return
    for one in (host.rights or {}).get("lacking") or ():
        yield str(one["msg"]).replace(f"{host.name}: ", "", 1)


def _whose(behind: bool) -> str:
    return "the clock of its management host" if behind else "its clock"


def _apart(seconds: int) -> str:
    size = abs(seconds)
    amount = f"{size} s" if size <= MOST_SKEW else f"{size // 60} min {size % 60} s"
    return f"{amount} {'ahead of' if seconds > 0 else 'behind'}"


def _block(one: Checked) -> Iterator[str]:
    """Yield what is known of a host."""
    host, exchange = one.host, one.host.exchange
    if exchange is None or failure_of(exchange):
        yield from wrapped(f"{host.name}: not read; see below")
        return
    yield from wrapped(f"{host.name}: {_installation(exchange)}")
    rows = [
        ["clock", _clock(exchange, one.behind)],
        ["DNS", _dns(exchange)],
        ["account", _account(host)],
    ]
    if tools := exchange.get("tools") or {}:
        rows.append(["tools", _tools(tools)])
    for line in columns(rows):
        head, text = line[:11], line[11:]
        first, *more = wrapped(text, width=88)
        yield head + first
        yield from (" " * 11 + piece.strip() for piece in more)
    for text in exchange.get("warnings") or ():
        yield from wrapped(f"  note: {text}")


def _installation(exchange: Result) -> str:
    """Return which Exchange it is: version, build, service or organisation."""
    if exchange["family"] in {"none", "other"}:
        return "Exchange was not found, or its version is unknown"
    pack = f" {exchange['service_pack']}" if exchange.get("service_pack") else ""
    text = f"Exchange {exchange.get('version') or 'of an unknown version'}{pack}"
    text += f", build {exchange['build']}" if exchange.get("build") else ""
    if service := exchange.get("service"):
        return f"{text}; {service['name']} is {service['state']} (start: {service['start_type']})"
    if exchange["family"] == "imc":
        return f"{text}; without the Internet Mail Connector"
    if exchange.get("organisation"):
        names = [str(server["name"]) for server in exchange.get("servers") or ()]
        text += f"; organisation {exchange['organisation']} (servers {listed(names)})"
    return text


def _clock(exchange: Result, behind: bool) -> str:
    seconds = exchange.get("clock_difference")
    if seconds is None:
        return f"{_NOT_SEEN} (no answer by WinRM)"
    where = "on the management host: " if behind else ""
    if abs(seconds) <= _EXACT:
        return f"{where}as on this controller"
    return f"{where}{_apart(seconds)} this controller's"


def _dns(exchange: Result) -> str:
    """Return whom the host asks, and what it appends to names."""
    resolver = exchange.get("resolver") or {}
    found = listed(resolver.get("nameservers") or ())
    text = f"Windows asks {found}" if found else "name servers of Windows were not seen"
    here = [x for x in exchange.get("servers") or () if x["name"] == exchange.get("server")]
    external = (here[0].get("external_dns") if here else None) or {}
    if external.get("servers") and not external.get("adapter_enabled"):
        text = f"Transport asks {listed(external['servers'])}"
    elif external:
        text = f"Transport asks as Windows does; {text}"
    suffixes = listed(resolver.get("search_list") or filter(None, [resolver.get("domain")]))
    if suffixes:
        off = resolver.get("search_list_disabled")
        text += f"; appended to names: {suffixes}{f' (off: {VALUE_NAME})' if off else ''}"
    return text


def _account(host: HostResult) -> str:
    if host.rights is None or failure_of(host.rights):
        return _NOT_SEEN
    verb = "run" if host.family == "transport" else "read"
    lacking = listed((str(one["what"]) for one in host.rights["lacking"]), most=_ALL)
    may = f"may {verb} {listed(host.rights['allowed'], most=_ALL) or 'nothing'}"
    return f"{may}; not {lacking}" if lacking else may


def _tools(tools: Mapping[str, str | None]) -> str:
    there = [name for name, path in tools.items() if path]
    missing = [name for name, path in tools.items() if not path]
    text = listed(there, most=_ALL) or "none"
    return f"{text}; not there: {listed(missing, most=_ALL)}" if missing else text
