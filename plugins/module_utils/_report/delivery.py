# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run as text for a terminal: the answer, and below it why. Pure.

Input is the document of the run.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .hosts import MOST_HOSTS, counts_text, host_lines
from .judgement import Outcome
from .text import Line, columns, count, failure_text, listed, words, wrapped

#: Domains shown one by one; of more, only those that are not simply all right.
MOST_DOMAINS = 20
#: Other things to know that are shown; of more, how many there are.
MOST_KNOWN = 20
#: Warnings of mx_pairs_info that say what a pin does not cover.
_NOTABLE = frozenset({"dead_exchange", "moving"})
_WORST_FIRST = {one.value: place for place, one in enumerate(Outcome)}

_Entry = Mapping[str, Any]


def summary(document: Mapping[str, Any]) -> list[Line]:
    """Return the lines of the report; each may have a tone, which is a verdict."""
    lines = [*_answer(document), Line("")]
    if any(domain["status"] is not None for domain in document["domains"]):
        lines += [*_domain_lines(document), Line("")]
    lines += host_lines(document)
    if known := list(worth_knowing(document)):
        lines += [Line(""), Line("To know")]
        for text in known[:MOST_KNOWN]:
            lines += [Line(line, "warning") for line in wrapped(f"  {text}")]
        if len(known) > MOST_KNOWN:
            lines.append(Line(f"  and {len(known) - MOST_KNOWN} more", "warning"))
    if problems := list(_problems(document)):
        lines += [Line(""), Line("To look at")]
        for text, tone in problems:
            lines += [Line(line, tone) for line in wrapped(f"  {text}")]
    return lines


def _answer(document: Mapping[str, Any]) -> Iterator[Line]:
    answer = document["answer"]
    for line in wrapped(answer["text"]):
        yield Line(line, answer["verdict"])
    counts = answer["counts"]
    if counts["total"]:
        stuck = f"; mail of {counts['stuck']} of them is stuck" if counts["stuck"] else ""
        yield Line(f"  hosts x domains: {counts_text(counts)}{stuck}")
    if answer["tests"]:
        told = ", ".join(f"{number} {words(what)}" for what, number in answer["tests"].items())
        yield Line(f"  test messages: {told}")


def _domain_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    domains, run = document["domains"], document["run"]
    pairs = sum(len(domain["pairs"]) for domain in domains)
    source = ""
    if run["lock"]:
        source = f" (from {run['lock']['path']})"
    elif run["dns"]["questions"] is not None:
        source = f" ({count(run['dns']['questions'], 'question')}, {run['dns']['seconds']:.2f} s)"
    yield Line(f"{count(len(domains), 'domain')}, {count(pairs, 'pair')}{source}")
    shown = [domain for domain in domains if domain["status"] is not None]
    if len(shown) > MOST_DOMAINS:
        shown = [domain for domain in shown if domain["status"] != "ok"]
    if shown:
        cells = [(domain["name"], _leads_to(domain)) for domain in shown[:MOST_DOMAINS]]
        yield from map(Line, columns(cells))
    if len(shown) > MOST_DOMAINS:
        yield Line(f"  and {len(shown) - MOST_DOMAINS} more that are not all right")


def _leads_to(domain: _Entry) -> str:
    status = domain["status"]
    if status == "ok":
        return listed(pair["address"] for pair in domain["pairs"])
    told = {
        "null_mx": "takes no mail (null MX)",
        "no_such_domain": "does not exist",
    }.get(status, f"not known now ({words(status)}): its routes stay as they are")
    failures = domain["failures"]
    return f"{told} ({failure_text(failures[0])})" if failures else told


def worth_knowing(document: Mapping[str, Any]) -> Iterator[str]:
    """Say what DNS tells of domains besides where their mail goes, as far as it concerns a host."""
    hosts, domains = document["hosts"], document["domains"]
    brake = document["run"]["brake"]
    if brake and all(host["held"] is None for host in hosts):
        yield f"enforce would refuse: {brake}."
    yield from _about_lock(document)
    pinned = {number for host in hosts for number in _all(host)}
    notes: dict[str, list[str]] = {}
    for number in sorted(pinned):
        for note in domains[number].get("warnings", ()):
            if note["code"] in _NOTABLE:
                notes.setdefault(note["message"], []).append(domains[number]["name"])
    for message, names in notes.items():
        yield f"{listed(names)}: {message}."
    for old in (True, False):
        alike = [host for host in hosts if (host["family"] == "imc") is old]
        suffixes = {host["name"]: _appended(host) for host in alike}
        for suffix in dict.fromkeys(suffix for found in suffixes.values() for suffix in found):
            concerned = [host for host in alike if suffix in suffixes[host["name"]]]
            yield from _astray(suffix, domains, concerned, old=old)


def _about_lock(document: Mapping[str, Any]) -> Iterator[str]:
    lock = document["run"]["lock"]
    if not lock:
        return
    if lock["stale"]:
        stale = listed(lock["stale_domains"])
        yield f"The lock file is stale{f': {stale}' if stale else ''}. Resolve anew and review it."
    moved = [domain["name"] for domain in document["domains"] if "moved" in domain]
    if moved:
        yield f"DNS has moved away from the lock file for {listed(moved)}."


def _appended(host: _Entry) -> Sequence[str]:
    """Return what may be appended to names on a host.

    The service of Exchange 4.0 to 5.5 appends nothing where it is told not to; whether it is has to
    be seen.
    """
    found = host["search_list"]
    if found is None or (host["family"] == "imc" and found["disabled"] is not False):
        return ()
    suffixes: Sequence[str] = found["suffixes"]
    return suffixes


def _astray(
    suffix: str, domains: Sequence[_Entry], hosts: Sequence[_Entry], *, old: bool
) -> Iterator[str]:
    """Warn of names that DNS knows with a suffix that is, or may be, appended to them (Q150969)."""
    concerned = sorted({number for host in hosts for number in _all(host)})
    found = {
        note["name"]: note["answer"]
        for number in concerned
        for note in domains[number].get("warnings", ())
        if note["code"] == "search_list_hijack" and note["suffix"] == suffix
    }
    if not found:
        return
    names = listed(host["name"] for host in hosts)
    answers = f"DNS has answers for {listed(found)} ({listed(dict.fromkeys(found.values()))})"
    if old:
        verb = "appends" if len(hosts) == 1 else "append"
        yield (
            f"{names} {verb} {suffix} to names, and {answers}: mail that is not pinned is led"
            " astray there (Q150969)."
        )
    else:
        yield (
            f"Windows on {names} may append {suffix} to names, and {answers}: mail that is not"
            " pinned may be led astray there (Q150969)."
        )


def _all(host: _Entry) -> Iterator[int]:
    """Yield the numbers of all domains that a host has to do with."""
    for numbers in host["standing"].values():
        yield from numbers


def _problems(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with hosts and the verdict on them, the worst first if they are many."""
    hosts = [host for host in document["hosts"] if host["problems"]]
    if len(hosts) > MOST_HOSTS:
        hosts.sort(key=lambda host: _WORST_FIRST[host["outcome"]])
    alike: dict[tuple[str, str], list[str]] = {}
    for host in hosts:
        alike.setdefault(("; ".join(host["problems"]), host["verdict"]), []).append(host["name"])
    for (text, tone), names in list(alike.items())[:MOST_HOSTS]:
        yield f"{listed(names)}: {text}", tone
    rest = sum(len(names) for names in list(alike.values())[MOST_HOSTS:])
    if rest:
        yield f"and {count(rest, 'more host')}", "failed"
