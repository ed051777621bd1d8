# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One report of a run that was cut into slices, from the reports of these. Pure.

The result is what one run over all hosts would have reported. In which order the reports come does
not matter.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._base.errors import InvalidInput
from .._run.change_limit import ChangeLimit, Size
from .answer import answer
from .changes import Changes, Domains
from .deferred import forgotten, settle
from .document import SCHEMA_VERSION
from .host_entry import host_entry
from .judgement import Judge, Outcome
from .organisations import Organisations, joined
from .outcome import HostOutcome
from .rollout import too_many
from .text import listed

Document = Mapping[str, Any]

#: What all slices of a run have in common.
_SAME = ("id", "kind", "check_mode", "fail_on", "collection")
_MISSING = "no slice reported on this host"


def merge(documents: Mapping[str, Document], expected: Sequence[str] = ()) -> dict[str, Any]:
    """Return the document of the whole run.

    ``documents`` are those of the slices, by what each is called where something is wrong with it.
    ``expected`` are the names of all hosts, in their order; a host that no slice reported on is in
    the result as one that failed. Raises InvalidInput where the documents are not slices of one
    run, or a host is in several.
    """
    try:
        return _merged(documents, expected)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput("One of the documents is no report of this collection.") from error


def _merged(documents: Mapping[str, Document], expected: Sequence[str]) -> dict[str, Any]:
    _check_version(documents)
    order = _order(documents, expected)
    slices = sorted(documents.values(), key=lambda one: _place(one, order))
    run = _run(slices)
    domains = Domains(_domains(slices))
    changes = Changes(domains)
    hosts: dict[str, dict[str, Any]] = {}
    organisations = joined(one for each in slices for one in each["organisations"])
    numbers = {one["name"]: number for number, one in enumerate(organisations)}
    for document in slices:
        hosts.update(_hosts(document, changes, numbers))
    judge = Judge(run["kind"] == "audit", run["check_mode"], frozenset(run["fail_on"]))
    entries = [hosts.get(name) or _missing(name, judge, changes) for name in order]
    settle(entries)
    if not judge.audit:
        _tell_forgotten(entries, domains)
    if not judge.proposed:
        _warn_of_two(organisations, slices)
    places = {name: place for place, name in enumerate(order)}
    for one in organisations:
        one["hosts"].sort(key=places.__getitem__)
    failures = dict.fromkeys(each["answer"]["failure"] for each in slices)
    unknown = {name: how for each in slices for name, how in each["answer"]["unknown"].items()}
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run,
        "answer": answer(entries, unknown, "; ".join(filter(None, failures)) or None),
        "domains": domains.entries,
        "changes": changes.entries,
        "hosts": entries,
        "organisations": organisations,
    }


def too_far(document: Document, brake: ChangeLimit) -> str:
    """Return why a run must not change what this one found to change, or nothing."""
    found = (Outcome.TO_CHANGE, Outcome.DRIFTED)
    hosts = document["hosts"]
    changing = tuple(host["name"] for host in hosts if host["outcome"] in found)
    size = Size("hosts", len(changing), len(hosts), changing)
    return too_many(brake, size) if brake.refuses(size) else ""


def _check_version(documents: Mapping[str, Document]) -> None:
    if not documents:
        raise InvalidInput("There is no report of a slice.")
    for name, document in documents.items():
        if document["schema_version"] != SCHEMA_VERSION:
            raise InvalidInput(
                f"{name} is a report of version {document['schema_version']!a:.20}, not"
                f" {SCHEMA_VERSION}.",
                hint="Run all slices with the same version of the collection as this job.",
            )
        if document["run"]["slices"] is not None:
            raise InvalidInput(f"{name} is merged already.")
    _check_same(documents)


def _check_same(documents: Mapping[str, Document]) -> None:
    (first, one), *others = documents.items()
    for name, other in others:
        for key in _SAME:
            if one["run"][key] != other["run"][key]:
                raise InvalidInput(
                    f"{first} and {name} are not of one run: {key} is {one['run'][key]!a:.80} and"
                    f" {other['run'][key]!a:.80}.",
                    hint="Give all slices of a run the same mx_delivery_run, and no others.",
                )


def _order(documents: Mapping[str, Document], expected: Sequence[str]) -> list[str]:
    """Return the names of all hosts of the run in their order; each is in one document at most."""
    seen: dict[str, str] = {}
    for name, document in documents.items():
        for host in document["hosts"]:
            if host["name"] in seen:
                raise InvalidInput(
                    f"{host['name']} is in {seen[host['name']]} and in {name}.",
                    hint="A host belongs to one slice. Remove the report that does not count.",
                )
            seen[host["name"]] = name
    if not expected:
        return sorted(seen)
    if strange := sorted(seen.keys() - set(expected)):
        raise InvalidInput(
            f"{listed(strange)} of {seen[strange[0]]} is no host of this run.",
            hint="Merge with the same inventory and without a limit that the slices did not have.",
        )
    return list(dict.fromkeys(expected))


def _place(document: Document, order: Sequence[str]) -> tuple[int, str]:
    """Return what slices are sorted by: their first host; one without any, by its time."""
    names = {host["name"] for host in document["hosts"]}
    first = next((place for place, name in enumerate(order) if name in names), len(order))
    return first, str(document["run"]["finished_at"])


# -- the run


def _run(slices: Sequence[Document]) -> dict[str, Any]:
    runs = [one["run"] for one in slices]
    lock = _lock([one["lock"] for one in runs if one["lock"]])
    return {
        **{key: runs[0][key] for key in _SAME},
        "started_at": min((one["started_at"] for one in runs if one["started_at"]), default=None),
        "finished_at": max(one["finished_at"] for one in runs),
        "by": {
            "login": _common([one["by"]["login"] for one in runs]),
            "awx": _common_items([one["by"]["awx"] or {} for one in runs]) or None,
        },
        "ansible": ", ".join(dict.fromkeys(one["ansible"] for one in runs)),
        "brake": "; ".join(dict.fromkeys(one["brake"] for one in runs if one["brake"])) or None,
        "dns": {key: _sum(one["dns"][key] for one in runs) for key in ("questions", "seconds")},
        "lock": lock,
        "slices": [_slice(one) for one in slices],
    }


def _slice(document: Document) -> dict[str, Any]:
    run = document["run"]
    return {
        "hosts": [host["name"] for host in document["hosts"]],
        "started_at": run["started_at"],
        "finished_at": run["finished_at"],
        "job": (run["by"]["awx"] or {}).get("job"),
    }


def _lock(locks: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not locks:
        return None
    return {
        "path": locks[0]["path"],
        "resolved_at": min(
            (one["resolved_at"] for one in locks if one["resolved_at"]), default=None
        ),
        "stale": any(one["stale"] for one in locks),
        "stale_domains": sorted({name for one in locks for name in one["stale_domains"]}),
        "compared": any(one["compared"] for one in locks),
    }


def _common(values: Sequence[Any]) -> Any:
    """Return what all of them are, or nothing."""
    return values[0] if all(value == values[0] for value in values) else None


def _common_items(all_of: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        key: value
        for key, value in all_of[0].items()
        if all(one.get(key) == value for one in all_of)
    }


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


# -- domains


def _domains(slices: Sequence[Document]) -> list[dict[str, Any]]:
    """Return the domains that DNS was asked about; all slices have to lead them to one place."""
    found: dict[str, dict[str, Any]] = {}
    for document in slices:
        for entry in document["domains"]:
            if entry["status"] is not None:
                known = found.get(entry["name"])
                found[entry["name"]] = dict(entry) if known is None else _both(known, entry)
    return list(found.values())


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two slices know of a domain; of what is only remarked, all remarks."""
    if _way(one) != _way(other):
        raise InvalidInput(
            f"Two slices lead the mail of {one['name']} to different places.",
            hint="Resolve once, and let all slices take the pairs from that lock.",
        )
    lists = {key: _united(one[key], other[key]) for key in ("warnings", "failures", "views")}
    return {**other, **one, **lists}


def _way(entry: Mapping[str, Any]) -> tuple[object, ...]:
    pairs = ((one["preference"], one["exchange"], one["address"]) for one in entry["pairs"])
    return entry["status"], *pairs


def _united(one: Sequence[Any], other: Sequence[Any]) -> list[Any]:
    return [*one, *(value for value in other if value not in one)]


# -- hosts


def _hosts(
    document: Document, changes: Changes, organisations: Mapping[str, int]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the hosts of a slice by name, with the numbers of the whole."""
    number = [changes.domains.number(entry["name"]) for entry in document["domains"]]
    change = [
        changes.number(
            "" if one["domain"] is None else document["domains"][one["domain"]]["name"],
            tuple(one["before"]),
            tuple(one["after"]),
        )
        for one in document["changes"]
    ]
    for host in document["hosts"]:
        place = host["organisation"]
        yield (
            host["name"],
            {
                **host,
                "problems": list(host["problems"]),
                "standing": {
                    how: [number[n] for n in some] for how, some in host["standing"].items()
                },
                "changes": [change[n] for n in host["changes"]],
                "organisation": None
                if place is None
                else organisations[document["organisations"][place]["name"]],
                "tests": _tests(host["tests"], number),
            },
        )


def _tests(tests: Mapping[str, Any] | None, number: Sequence[int]) -> dict[str, Any] | None:
    if tests is None:
        return None
    results = [{**one, "domain": number[one["domain"]]} for one in tests["results"]]
    return {**tests, "results": results}


def _missing(name: str, judge: Judge, changes: Changes) -> dict[str, Any]:
    lost = HostOutcome(name, (), {"unreachable": True, "msg": _MISSING}, family="")
    return host_entry(lost, {}, judge, changes, Organisations()).entry


def _tell_forgotten(entries: Sequence[dict[str, Any]], domains: Domains) -> None:
    """Let hosts fail whose connectors were left to a host that was not there to change them."""
    for host, numbers in forgotten(entries):
        names = listed(domains.entries[number]["name"] for number in numbers)
        host["problems"].append(f"no host of its organisation changed the connectors of {names}")
        host["outcome"], host["verdict"] = Outcome.TO_LOOK_AT.value, "failed"


def _warn_of_two(organisations: Sequence[dict[str, Any]], slices: Sequence[Document]) -> None:
    """Tell of organisations that were changed in more than one slice."""
    for one in organisations:
        found = [
            sorted({connector["by"] for connector in entry["connectors"] if connector["action"]})
            for document in slices
            for entry in document["organisations"]
            if entry["name"] == one["name"]
        ]
        changers = [names for names in found if names]
        if len(changers) > 1:
            names = listed(name for each in changers for name in each)
            one["warnings"].append(
                f"Changed in {len(changers)} slices, by {names}. Name one of its hosts in"
                " mx_delivery_writers."
            )
