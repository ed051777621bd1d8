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
from .document import SCHEMA_VERSION, Changes, Domains, host_entry
from .host_result import HostResult
from .organisations import Organisations, forgotten, joined, settle
from .states import Judge, State, answer
from .text import cleaned, listed

Document = Mapping[str, Any]

_SAME = ("id", "kind", "check_mode", "fail_on", "collection")
_MISSING = "no slice reported on this host"


def merge(documents: Mapping[str, Document], expected: Sequence[str] = ()) -> dict[str, Any]:
    """Return the document of the whole run.

    ``documents`` are the reports of the slices, by what error messages call each. ``expected`` are
    the names of all hosts, in order; a host without a report is in the result as unreachable.
    Raises InvalidInput unless the documents are slices of one run with different hosts.
    """
    try:
        return _merged(documents, expected)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput("One of the documents is not a report of this collection.") from error


def _merged(documents: Mapping[str, Document], expected: Sequence[str]) -> dict[str, Any]:
    _check_version(documents)
    order = _order(documents, expected)
    places = {name: place for place, name in enumerate(order)}

    def place(document: Document) -> tuple[int, str]:
        """Sort slices by their first host; one without any, by its time."""
        first = min((places[host["name"]] for host in document["hosts"]), default=len(order))
        return first, str(document["run"]["finished_at"])

    slices = sorted(documents.values(), key=place)
    run = _run(slices)
    domains = Domains(_domains(slices))
    changes = Changes(domains)
    hosts: dict[str, dict[str, Any]] = {}
    organisations = joined(one for each in slices for one in each["organisations"])
    numbers = {one["name"]: number for number, one in enumerate(organisations)}
    for document in slices:
        hosts.update(_hosts(document, changes, numbers))
    judge = Judge.of_run(run)
    for name in order:
        if name not in hosts:
            lost = HostResult(name, (), {"unreachable": True, "msg": _MISSING}, family="")
            hosts[name] = host_entry(lost, {}, judge, changes, Organisations())
    entries = [hosts[name] for name in order]
    settle(entries)
    if not judge.audit:
        for host, some in forgotten(entries):
            names = listed(domains.entries[number]["name"] for number in some)
            what = f"connectors of {names}" if names else "external DNS"
            host["problems"].append(f"no host of its organisation changed the {what}")
            host["state"], host["verdict"] = State.FAILED.value, "failed"
    if not judge.proposed:
        _warn_of_two(organisations, slices)
    for one in organisations:
        one["hosts"].sort(key=places.__getitem__)
    failures = dict.fromkeys(each["answer"]["failure"] for each in slices)
    problems = {name: how for each in slices for name, how in each["answer"]["problems"].items()}
    whole: dict[str, Any] = cleaned(  # the files may be anybody's
        {
            "schema_version": SCHEMA_VERSION,
            "run": run,
            "answer": answer(entries, run, problems, "; ".join(filter(None, failures)) or None),
            "domains": domains.entries,
            "changes": changes.entries,
            "hosts": entries,
            "organisations": organisations,
        }
    )
    return whole


def _check_version(documents: Mapping[str, Document]) -> None:
    if not documents:
        raise InvalidInput("Not one slice has a report.")
    for name, document in documents.items():
        if document["schema_version"] != SCHEMA_VERSION:
            raise InvalidInput(
                f"{name} is a report of version {document['schema_version']!a:.20}; this collection"
                f" merges version {SCHEMA_VERSION}.",
                hint="Run all slices with the same version of the collection as this job.",
            )
        if document["run"]["slices"] is not None:
            raise InvalidInput(f"{name} is a merged report already.")
    (first, one), *others = documents.items()
    for name, other in others:
        for key in _SAME:
            if one["run"][key] != other["run"][key]:
                raise InvalidInput(
                    f"{first} and {name} are of different runs: {key} is {one['run'][key]!a:.80}"
                    f" and {other['run'][key]!a:.80}.",
                    hint="Set the same mx_delivery_run in all slices of a run, and only there.",
                )


def _order(documents: Mapping[str, Document], expected: Sequence[str]) -> list[str]:
    """Return the names of all hosts of the run in their order; each is in one document at most."""
    seen: dict[str, str] = {}
    for name, document in documents.items():
        for host in document["hosts"]:
            if host["name"] in seen:
                raise InvalidInput(
                    f"{host['name']} is in {seen[host['name']]} and in {name}.",
                    hint="A host belongs to one slice. Remove the outdated report.",
                )
            seen[host["name"]] = name
    if not expected:
        return sorted(seen)
    if strange := sorted(seen.keys() - set(expected)):
        raise InvalidInput(
            f"{listed(strange)} of {seen[strange[0]]} is not a host of this run.",
            hint="Merge with the same inventory and without a limit that the slices did not have.",
        )
    return list(dict.fromkeys(expected))


# -- the run


def _run(slices: Sequence[Document]) -> dict[str, Any]:
    runs = [one["run"] for one in slices]
    logins = {one["by"]["login"] for one in runs}
    first, *others = [one["by"]["awx"] or {} for one in runs]
    awx = {
        key: value
        for key, value in first.items()
        if all(other.get(key) == value for other in others)
    }

    locks = [one["lock"] for one in runs if one["lock"]]
    lock = locks and {
        "path": locks[0]["path"],
        "resolved_at": min(
            (one["resolved_at"] for one in locks if one["resolved_at"]), default=None
        ),
        "stale": any(one["stale"] for one in locks),
        "stale_domains": sorted({name for one in locks for name in one["stale_domains"]}),
        "compared": any(one["compared"] for one in locks),
    }

    def total(key: str) -> float | None:
        known = [one["dns"][key] for one in runs if one["dns"][key] is not None]
        return sum(known) if known else None

    return {
        **{key: runs[0][key] for key in _SAME},
        "note": "; ".join(dict.fromkeys(one["note"] for one in runs if one["note"])) or None,
        "started_at": min((one["started_at"] for one in runs if one["started_at"]), default=None),
        "finished_at": max(one["finished_at"] for one in runs),
        "by": {"login": logins.pop() if len(logins) == 1 else None, "awx": awx or None},
        "ansible": ", ".join(dict.fromkeys(one["ansible"] for one in runs)),
        "limit": "; ".join(dict.fromkeys(one["limit"] for one in runs if one["limit"])) or None,
        "dns": {key: total(key) for key in ("questions", "seconds")},
        "lock": lock or None,
        "slices": [
            {
                "hosts": [host["name"] for host in document["hosts"]],
                "started_at": document["run"]["started_at"],
                "finished_at": document["run"]["finished_at"],
                "job": (document["run"]["by"]["awx"] or {}).get("job"),
            }
            for document in slices
        ],
    }


# -- domains


def _domains(slices: Sequence[Document]) -> list[dict[str, Any]]:
    """Return the domains that DNS was asked about, with all warnings, failures and views.

    All slices must have the same addresses.
    """

    def destination(entry: Mapping[str, Any]) -> tuple[object, ...]:
        pairs = ((pair["preference"], pair["exchange"], pair["address"]) for pair in entry["pairs"])
        return entry["status"], *pairs

    known: dict[str, dict[str, Any]] = {}
    for entry in (entry for document in slices for entry in document["domains"]):
        if entry["status"] is None:
            continue
        other = known.setdefault(entry["name"], dict(entry))
        if destination(other) != destination(entry):
            raise InvalidInput(
                f"Two slices have different addresses for {entry['name']}.",
                hint="Resolve once, and let all slices use that lock file.",
            )
        lists = {
            key: [*other[key], *(value for value in entry[key] if value not in other[key])]
            for key in ("warnings", "failures", "views")
        }
        known[entry["name"]] = {**entry, **other, **lists}
    return list(known.values())


# -- hosts


def _hosts(
    document: Document, changes: Changes, organisations: Mapping[str, int]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the hosts of a slice by name, with the numbers of the whole."""
    names = [entry["name"] for entry in document["domains"]]
    number = [changes.domains.number(name) for name in names]
    change = [
        changes.number(
            "" if one["domain"] is None else names[one["domain"]], one["before"], one["after"]
        )
        for one in document["changes"]
    ]

    def renumbered(groups: Mapping[str, Iterable[int]]) -> dict[str, list[int]]:
        return {key: [number[n] for n in some] for key, some in groups.items()}

    for host in document["hosts"]:
        place, tests = host["organisation"], host["tests"]
        if tests is not None:
            results = [{**one, "domain": number[one["domain"]]} for one in tests["results"]]
            tests = {**tests, "results": results}
        if place is not None:
            place = organisations[document["organisations"][place]["name"]]
        entry = {
            **host,
            "problems": list(host["problems"]),
            "domains": renumbered(host["domains"]),
            "reasons": renumbered(host["reasons"]),
            "changes": [change[n] for n in host["changes"]],
            "organisation": place,
            "tests": tests,
            "unproved": [{**one, "domain": number[one["domain"]]} for one in host["unproved"]],
        }
        yield host["name"], entry


def _writers(organisation: Mapping[str, Any]) -> set[str]:
    """Return the hosts with a task that changed an organisation."""
    connectors, settings = organisation["connectors"], organisation["external_dns"]
    return {
        *(one["by"] for one in connectors if one["action"]),
        *(one["by"] for one in settings if one["changed"]),
    }


def _warn_of_two(organisations: Sequence[dict[str, Any]], slices: Sequence[Document]) -> None:
    """Add a warning to each organisation that more than one slice changed."""
    for one in organisations:
        found = [
            sorted(_writers(entry))
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
