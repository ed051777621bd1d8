# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a run as text for a terminal. Pure.

With nothing to report it fits on a screen, whatever the number of hosts. With trouble, what to do
and the result come last.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .needless import needless
from .states import (
    FAMILY_WORDS,
    HOST_WORDS,
    RELAYED,
    STATUS_WORDS,
    Judge,
    State,
    out_of_sight,
    states_text,
)
from .text import Line, columns, count, failure_text, listed, words, wrapped

#: Domains and hosts shown one by one; of more, only those that are not fine, the worst first.
MOST_DOMAINS = MOST_HOSTS = 20
#: Notices shown, and connectors of an organisation; of more, how many there are.
MOST_NOTICES = MOST_CONNECTORS = 20

# Warnings of mx_pairs_info about mail that a pin does not cover.
_NOTABLE = frozenset({"dead_exchange", "moving", "subdomain_elsewhere"})
_FAMILY_TITLES: dict[str | None, str] = {
    **{family: f" of Exchange {text}" for family, text in FAMILY_WORDS.items()},
    None: " of unknown version",
}
_IMC_HEADING = ("host", "routes", "search list", "service", "test messages")
_TRANSPORT_HEADING = ("host", "connectors", "test messages")
_UNKNOWN_HEADING = ("host", "state")
_RANK = {state.value: place for place, state in enumerate(State)}
_TONES = {"clean": "", "drift": "drift", "unjudged": "failed", "failed": "failed"}

_Entry = Mapping[str, Any]


def summary(document: _Entry) -> list[Line]:
    """Return the lines of the report; each may have a tone, which is a verdict."""
    lines = [*_answer(document), Line("")]
    if any(domain["status"] is not None for domain in document["domains"]):
        lines += [*_domain_lines(document), Line("")]
    lines += host_lines(document)
    if texts := notices(document):
        lines += [Line(""), Line("Notices")]
        for text in texts[:MOST_NOTICES]:
            lines += [Line(line, "warning") for line in wrapped(f"  {text}")]
        if len(texts) > MOST_NOTICES:
            more = count(len(texts) - MOST_NOTICES, "more notice")
            lines.append(Line(f"  and {more}", "warning"))
    return [*lines, *_action_lines(document)]


def _action_lines(document: _Entry) -> list[Line]:
    problems = list(_problems(document))
    lines = [Line(""), Line("Action required")] if problems else []
    for text, tone in problems:
        first, *others = text.splitlines()
        lines += [Line(line, tone) for line in wrapped(f"  {first}")]
        lines += [Line(f"    {line}", tone) for line in others]
    return lines


def closing(document: _Entry) -> list[Line]:
    """Return what is shown below Ansible's recap, which is longer than a screen for many hosts."""
    if len(document["hosts"]) <= MOST_HOSTS:
        return []
    if document["answer"]["verdict"] == "clean":
        return [Line(f"Result: {document['answer']['text']}", "clean")]
    return [*_action_lines(document)[1:], *result_lines(document)]


def result_lines(document: _Entry) -> list[Line]:
    """Return what ends a report with trouble: the answer once more, so that it is on the screen."""
    verdict = document["answer"]["verdict"]
    if verdict == "clean":
        return []
    text = f"Result: {document['answer']['text']}"
    return [Line(""), *(Line(line, _TONES[verdict]) for line in wrapped(text))]


def _answer(document: _Entry) -> Iterator[Line]:
    answer = document["answer"]
    for line in wrapped(answer["text"]):
        yield Line(line, _TONES[answer["verdict"]] or "clean")
    counts = answer["counts"]
    if counts["total"]:
        stuck = f"; mail of {counts['stuck']} delayed in the queue" if counts["stuck"] else ""
        text = f"  hosts x domains: {states_text(counts, counts['reasons'])}{stuck}"
        yield from map(Line, wrapped(text))
    if answer["tests"]:
        tests = ", ".join(f"{number} {words(code)}" for code, number in answer["tests"].items())
        yield Line(f"  test messages: {tests}")
    if note := document["run"]["note"]:
        yield from map(Line, wrapped(f"  note: {note}"))


def _domain_lines(document: _Entry) -> Iterator[Line]:
    domains, run = document["domains"], document["run"]
    pairs = sum(len(domain["pairs"]) for domain in domains)
    source = ""
    if run["lock"]:
        source = f" (from {run['lock']['path']})"
    elif (questions := run["dns"]["questions"]) is not None:
        source = f" ({count(questions, 'DNS query')}, {run['dns']['seconds']:.2f} s)"
    yield Line(f"{count(len(domains), 'domain')}, {count(pairs, 'pair')}{source}")
    shown = [domain for domain in domains if domain["status"] is not None]
    many = len(shown) > MOST_DOMAINS
    if many:
        shown = [domain for domain in shown if domain["status"] != "ok"]
    cells = []
    for domain in shown[:MOST_DOMAINS]:
        status = domain["status"]
        text = listed(pair["address"] for pair in domain["pairs"])
        if status != "ok":
            kept = "" if status in {"null_mx", "no_such_domain"} else "; existing routes kept"
            text = STATUS_WORDS[status] + kept
            if failures := domain["failures"]:
                text += f" ({failure_text(failures[0])})"
        cells.append((domain["name"], text))
    yield from map(Line, columns(cells))
    if (more := len(shown) - MOST_DOMAINS) > 0:
        yield Line(f"  and {more} more without addresses")


# -- hosts


def host_lines(document: _Entry) -> Iterator[Line]:
    """Yield one table for each family of Exchange, and the connectors of each organisation."""
    run = document["run"]
    judge = Judge.of_run(run)
    families: dict[str | None, list[_Entry]] = {"imc": [], "transport": [], None: []}
    for host in document["hosts"]:
        families[host["family"]].append(host)
    several = sum(map(bool, families.values())) > 1
    first = True
    for family, hosts in families.items():
        if not hosts:
            continue
        if not first:
            yield Line("")
        first = False
        title = count(len(hosts), "host")
        if several:  # by their versions, if all are known
            versions = {host["version"] for host in hosts}
            known = f" of Exchange {', '.join(sorted(filter(None, versions)))}"
            title += known if None not in versions else _FAMILY_TITLES[family]
        yield Line(title)
        if family is None:
            yield from _table(_UNKNOWN_HEADING, hosts, lambda host: (_whole(host),))
            continue
        transport = family == "transport"

        def cells(host: _Entry, *, transport: bool = transport) -> tuple[str, ...]:
            return _host_cells(host, judge, transport=transport)

        heading = _TRANSPORT_HEADING if transport else _IMC_HEADING
        yield from _table(heading[: -1 if run["kind"] == "audit" else None], hosts, cells)
    for organisation in document["organisations"]:
        yield Line("")
        yield from _connectors(organisation, proposed=judge.proposed)


def _table(
    heading: Sequence[str], hosts: Sequence[_Entry], cells: Callable[[_Entry], tuple[str, ...]]
) -> Iterator[Line]:
    """Yield the lines of a table; ``cells`` makes those of a host besides its name."""
    shown = hosts
    if len(hosts) > MOST_HOSTS:
        wanting = [host for host in hosts if host["state"] != State.UP_TO_DATE]
        shown = sorted(wanting, key=lambda host: _RANK[host["state"]])[:MOST_HOSTS]
    if not shown:
        yield Line("  all up to date")
        return
    rows = [(host["name"], *cells(host))[: len(heading)] for host in shown]
    lines = columns([heading, *rows])
    yield Line(lines[0])
    for host, line in zip(shown, lines[1:], strict=True):
        yield Line(line, _TONES[host["verdict"]])
    if more := len(hosts) - len(shown):
        yield Line(f"  and {count(more, 'more host')}")


def _whole(host: _Entry) -> str:
    return HOST_WORDS[State(host["state"])]


def _host_cells(host: _Entry, judge: Judge, *, transport: bool) -> tuple[str, ...]:
    if host["reason"] is not None:  # there is nothing to say of its parts
        whole = _whole(host)
        return (whole, "") if transport else (whole, "", "", "")
    states = host_states_text(host) or "none listed"
    if transport:
        return states, _test_cell(host["tests"])
    changed = (host["switch"] or {}).get("changed")
    switch = ("pending" if judge.proposed else "changed") if changed else "up to date"
    return states, switch, _service_cell(host["service"] or {}), _test_cell(host["tests"])


def host_states_text(host: _Entry) -> str:
    """Return how many of a host's domains are in which state."""
    return states_text({state: len(numbers) for state, numbers in host["domains"].items()})


def _service_cell(service: _Entry) -> str:
    for key, text in (
        ("to_restart", "restart pending"),
        ("restarted", "restarted"),
        ("restart_required", "restart required"),
    ):
        if service.get(key):
            return text
    state = service.get("state") or ""
    return "unchanged" if state in {"", "running"} else f"{state}, unchanged"


def _test_cell(tests: _Entry | None) -> str:
    if tests is None:
        return "none"
    if tests["failure"]:
        return "failed"
    numbers: dict[str, int] = {}
    for result in tests["results"]:
        numbers[words(result["verdict"])] = numbers.get(words(result["verdict"]), 0) + 1
    if tests["not_tested"]:  # a limit was set
        numbers["not tested"] = tests["not_tested"]
    return ", ".join(f"{number} {verdict}" for verdict, number in numbers.items()) or "none"


def _connectors(organisation: _Entry, *, proposed: bool) -> Iterator[Line]:
    connectors = organisation["connectors"]
    number = sum(connector["after"] is not None for connector in connectors)
    yield Line(f"{organisation['name']}, {count(number, 'Send connector')} for pinned domains")
    shown = connectors
    if len(connectors) > MOST_CONNECTORS:  # then those that change come first
        shown = sorted(connectors, key=lambda connector: connector["action"] is None)
    shown = shown[:MOST_CONNECTORS]
    if shown:
        heading = ("domain", "smart hosts", "source servers", "")
        rows = [_connector_cells(connector, proposed=proposed) for connector in shown]
        lines = columns([heading, *rows])
        yield Line(lines[0])
        for connector, line in zip(shown, lines[1:], strict=True):
            yield Line(line, "drift" if connector["action"] else "")
    if len(connectors) > len(shown):
        yield Line(f"  and {len(connectors) - len(shown)} more")
    yield from _external_dns(organisation["external_dns"], proposed=proposed)
    if edges := organisation["synchronized_edges"]:
        yield Line(f"  EdgeSync has brought the change to {listed(edges)}.")


def _external_dns(settings: Sequence[_Entry], *, proposed: bool) -> Iterator[Line]:
    """Yield a table of the servers and connectors with managed external DNS."""
    if not settings:
        return
    shown = settings
    if len(settings) > MOST_CONNECTORS:
        shown = sorted(settings, key=lambda setting: not setting["changed"])[:MOST_CONNECTORS]
    rows = [_dns_cells(setting, proposed=proposed) for setting in shown]
    lines = columns([("external DNS of", "name servers", ""), *rows])
    yield Line(lines[0])
    for setting, line in zip(shown, lines[1:], strict=True):
        yield Line(line, "drift" if setting["changed"] else "")
    if more := len(settings) - len(shown):
        yield Line(f"  and {more} more")


def _dns_cells(setting: _Entry, *, proposed: bool) -> tuple[str, str, str]:
    sides = [dns_text(setting[side]) for side in ("before", "after")]
    mark = "" if not setting["changed"] else "to change" if proposed else "changed"
    return f"{setting['kind']} {setting['name']}", " -> ".join(dict.fromkeys(sides)), mark


def dns_text(value: Any) -> str:
    """Return whom a server asks for names, or whether a connector uses external DNS."""
    if isinstance(value, bool):
        return "external DNS" if value else "DNS of the server"
    if value["adapter_enabled"]:
        return "those of the adapter"
    return listed(value["servers"]) or "none"


def _connector_cells(connector: _Entry, *, proposed: bool) -> tuple[str, str, str, str]:
    """Return domain, smart hosts (old ones ahead of new ones), source servers, and the change."""

    def smart_hosts(side: _Entry) -> str:
        return listed(host.strip("[]") for host in side.get("smart_hosts") or ())

    old, new, action = connector.get("before"), connector["after"], connector["action"]
    side = new or old or {}
    hosts = smart_hosts(side)
    if old and new and smart_hosts(old) != hosts:
        hosts = f"{smart_hosts(old) or 'none'} -> {hosts or 'none'}"
    servers = listed(side.get("source_servers") or ()) or "chosen by Exchange"
    mark = "" if not action else f"to {action}" if proposed else f"{action.rstrip('e')}ed"
    return listed(connector["domains"]), hosts, servers, mark


# -- notices and problems


def notices(document: _Entry) -> list[str]:
    """Return what else an administrator should see, each as a sentence."""
    hosts, domains, run = document["hosts"], document["domains"], document["run"]
    texts = []
    if run["limit"] and not any(host["state"] == State.REFUSED for host in hosts):
        texts.append(f"enforce would refuse: {run['limit']}.")
    if lock := run["lock"]:
        if lock["stale"]:
            stale = f" for {listed(lock['stale_domains'])}" if lock["stale_domains"] else ""
            texts.append(f"The lock file has expired{stale}. Resolve again and review it.")
        if moved := [domain["name"] for domain in domains if "moved" in domain]:
            texts.append(f"DNS has changed since the lock file for {listed(moved)}.")
    by_message: dict[str, list[str]] = {}
    for number in sorted(_numbers(hosts)):
        for note in domains[number].get("warnings", ()):
            if note["code"] in _NOTABLE:
                by_message.setdefault(note["message"], []).append(domains[number]["name"])
    texts += [f"{listed(names)}: {message}." for message, names in by_message.items()]
    texts += _unseen(hosts, domains)
    texts += needless(document)
    for imc in (True, False):
        suffixes = {
            host["name"]: _appended(host) for host in hosts if (host["family"] == "imc") is imc
        }
        for suffix in dict.fromkeys(suffix for some in suffixes.values() for suffix in some):
            concerned = [host for host in hosts if suffix in suffixes.get(host["name"], ())]
            texts += _misrouted(suffix, domains, concerned, imc=imc)
    return [*texts, *_warnings(document)]


def _warnings(document: _Entry) -> Iterator[str]:
    """Yield each warning of hosts once, with those that have it, and those of organisations."""
    alike: dict[str, list[str]] = {}
    for host in document["hosts"]:
        for text in dict.fromkeys(host["warnings"]):
            alike.setdefault(text.removeprefix(f"{host['name']}: "), []).append(host["name"])
    yield from (f"{listed(names)}: {text}" for text, names in alike.items())
    for organisation in document["organisations"]:
        name = organisation["name"].partition(" (")[0]
        yield from (f"{name}: {text}" for text in organisation["warnings"])


def _numbers(hosts: Sequence[_Entry]) -> set[int]:
    """Return the domains of some hosts by number."""
    return {number for host in hosts for some in host["domains"].values() for number in some}


def _unseen(hosts: Sequence[_Entry], domains: Sequence[_Entry]) -> Iterator[str]:
    """Yield notes on mail beyond the servers: that of Edges, and test messages at a relay."""
    edges = {name: None for host in hosts for name in (host["queue"] or {}).get("out_of_sight", ())}
    if edges:
        yield out_of_sight(list(edges))
    by_reason: dict[str, dict[str, None]] = {}
    for host in hosts:
        for test in (host["tests"] or {}).get("results", ()):
            if test["verdict"] == RELAYED and test.get("reason"):
                names = by_reason.setdefault(test["reason"], {})
                names[domains[test["domain"]]["name"]] = None
    for reason, names in by_reason.items():
        yield f"{listed(names)}: {reason}."


def _appended(host: _Entry) -> Sequence[str]:
    """Return what may be appended to names on a host.

    The service of Exchange 4.0 to 5.5 appends nothing if the switch is set, or not known.
    """
    search_list = host["search_list"]
    if search_list is None or (host["family"] == "imc" and search_list["disabled"] is not False):
        return ()
    suffixes: Sequence[str] = search_list["suffixes"]
    return suffixes


def _misrouted(
    suffix: str, domains: Sequence[_Entry], hosts: Sequence[_Entry], *, imc: bool
) -> Iterator[str]:
    """Warn of names that have an answer with a suffix appended to them (Q150969)."""
    answers = {
        note["name"]: note["answer"]
        for number in sorted(_numbers(hosts))
        for note in domains[number].get("warnings", ())
        if note["code"] == "search_list_hijack" and note["suffix"] == suffix
    }
    if not answers:
        return
    names = listed(host["name"] for host in hosts)
    exist = f"DNS has answers for {listed(answers)} ({listed(dict.fromkeys(answers.values()))})"
    if imc:
        verb = "appends" if len(hosts) == 1 else "append"
        start, end = f"{names} {verb} {suffix} to names", "mail that is not pinned is misrouted"
    else:
        start = f"Windows on {names} may append {suffix} to names"
        end = "mail that is not pinned may be misrouted"
    yield f"{start}, and {exist}: {end} (Q150969)."


def _problems(document: _Entry) -> Iterator[tuple[str, str]]:
    """Yield each problem once with its hosts and their verdict, the worst first if many.

    A sentence that hosts with otherwise different problems share has a line of its own.
    """
    hosts = [host for host in document["hosts"] if host["problems"]]
    if len(hosts) > MOST_HOSTS:
        hosts.sort(key=lambda host: _RANK[host["state"]])
    kinds: dict[str, set[str]] = {}
    for host in hosts:
        for sentence in host["problems"]:
            kinds.setdefault(sentence, set()).add("; ".join(host["problems"]))
    alike: dict[str, dict[str, str]] = {}
    for host in hosts:
        own = "; ".join(text for text in host["problems"] if len(kinds[text]) == 1)
        shared = [text for text in host["problems"] if len(kinds[text]) > 1]
        for text in filter(None, (own, *shared)):
            alike.setdefault(text, {})[host["name"]] = _TONES[host["verdict"]]
    for text, names in list(alike.items())[:MOST_HOSTS]:
        yield f"{listed(names)}: {text}", "failed" if "failed" in names.values() else "drift"
    if (rest := len(alike) - MOST_HOSTS) > 0:
        yield f"and {count(rest, 'more problem')}", "failed"
