# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reports of slices, merged, are what one run over all hosts would have reported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import Run, build
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.junit import junit
from ansible_collections.postmaster.exchange.plugins.module_utils._report.merge import merge
from ansible_collections.postmaster.exchange.plugins.module_utils._report.terminal import summary
from ansible_collections.postmaster.exchange.plugins.plugin_utils._page import render
from exchange_lab.samples import (
    NOW,
    appending,
    connector,
    domain,
    message,
    organisation,
    pinned,
    resolved,
    rows,
    table,
    waiting,
)
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[5]
SCHEMA = json.loads((ROOT / "docs" / "report-schema.json").read_text())

NESTLE = domain("nestle.com", "192.0.2.25", "192.0.2.26")
AOL = domain("aol.com", "198.51.100.9")
LOST = domain("lost.example", status="temporary_failure")
GONE = domain("gone.example", status="null_mx")
FOUND = resolved(NESTLE, AOL, LOST, GONE, stats={"questions": 0, "seconds": 0.0})
NAMES = [each["domain"] for each in FOUND["domains"]]
BOTH = pinned([NESTLE, AOL])
ENFORCE = Run("enforce", check_mode=False, finished_at=NOW, started_at=NOW, id="awx-4711")
AUDIT = replace(ENFORCE, kind="audit", fail_on=["temporary_failure", "stuck"])
OLD, NEW = connector("nestle.com", "198.51.100.1"), connector("nestle.com", "192.0.2.25")
OTHER = connector("aol.com", "198.51.100.9")

Hosts = Sequence[HostResult]


def of_run(run: Run, hosts: Hosts, finished_at: str = NOW) -> dict[str, Any]:
    """The report of a run on some hosts with exactly the domains of these hosts."""
    listed = dict.fromkeys(name for host in hosts for name in host.domains)
    found = {each["domain"]: each for each in FOUND["domains"]}
    told = {**FOUND, "domains": [found[name] for name in listed]}
    return build(replace(run, finished_at=finished_at), told, hosts)


def merged(*documents: Mapping[str, Any], of: Sequence[str] = ()) -> dict[str, Any]:
    """The merged document; checks it against its schema and renders it in every format."""
    document = merge({f"{number}.json": one for number, one in enumerate(documents)}, of)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert summary(document)
    assert "".join(junit(document))
    assert "".join(render(document))
    return document


def spelled_out(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document with names in the place of numbers, so that the order of lists does not matter."""
    names = [each["name"] for each in document["domains"]]
    titles = [each["name"] for each in document["organisations"]]
    changes = [
        (None if one["domain"] is None else names[one["domain"]], one["before"], one["after"])
        for one in document["changes"]
    ]
    hosts = [
        {
            **host,
            "domains": {how: {names[n] for n in some} for how, some in host["domains"].items()},
            "reasons": {why: {names[n] for n in some} for why, some in host["reasons"].items()},
            "changes": [changes[n] for n in host["changes"]],
            "organisation": None if (n := host["organisation"]) is None else titles[n],
            "tests": host["tests"]
            and [{**one, "domain": names[one["domain"]]} for one in host["tests"]["results"]],
        }
        for host in document["hosts"]
    ]
    return {
        **document,
        "run": {**document["run"], "slices": None},
        "domains": {each["name"]: each for each in document["domains"]},
        "changes": {json.dumps(one) for one in changes},
        "hosts": hosts,
        "organisations": {each["name"]: each for each in document["organisations"]},
    }


def _old_hosts() -> st.SearchStrategy[dict[str, Any]]:
    tables = st.sampled_from([[], pinned([AOL]), BOTH, rows("Old.example 192.0.2.1")])
    enforced = st.one_of(
        st.builds(table, tables, tables),
        st.just({"failed": True, "msg": "event 4056", "rolled_back": True, "state": "old"}),
        st.just({"unreachable": True, "msg": "no route to host"}),
        st.just({"skipped": True, "skip_reason": "no such service"}),
        st.none(),
    )
    tested = st.one_of(
        st.none(),
        st.builds(
            lambda *verdicts: {"results": [message("aol.com", verdicts[0])]},
            st.sampled_from(["delivered", "returned", "queued"]),
        ),
    )
    return st.fixed_dictionaries(
        {
            "domains": st.lists(st.sampled_from(NAMES), unique=True),
            "delivery": enforced,
            "tests": tested,
            "exchange": st.sampled_from([None, appending("hq.example")]),
            "queue": st.sampled_from([None, waiting("aol.com"), waiting("else.example")]),
            "held": st.sampled_from(["", "", "a brake"]),
        }
    )


@st.composite
def fleets(draw: st.DrawFn) -> list[HostResult]:
    """Hosts in all states, and up to two organisations, each changed by its first host."""
    made = [
        HostResult(f"mail{n}", **one)
        for n, one in enumerate(draw(st.lists(_old_hosts(), max_size=6)))
    ]
    for name in draw(st.lists(st.sampled_from(["HQ", "LAB"]), unique=True)):
        changing = organisation([OLD, OTHER], [NEW, OTHER], "nestle.com", name=name)
        settled = organisation([NEW, OTHER], [NEW, OTHER], name=name)
        for number in range(draw(st.integers(1, 3))):
            result = settled if number else changing
            made.append(HostResult(f"{name}-{number}", NAMES[:1], result, family="transport"))
    return draw(st.permutations(made))


@given(hosts=fleets(), run=st.sampled_from([ENFORCE, AUDIT]), data=st.data())
@settings(max_examples=120, deadline=None)
def test_what_is_cut_into_slices_and_merged_is_what_it_was(
    hosts: list[HostResult], run: Run, data: st.DataObject
) -> None:
    whole = of_run(run, hosts)
    count = data.draw(st.integers(1, 4))
    number = [data.draw(st.integers(0, count - 1)) for _host in hosts]
    slices = [
        of_run(
            run,
            [host for host, n in zip(hosts, number, strict=True) if n == place],
            f"2026-11-23T11:47:{31 - place}Z",
        )
        for place in range(count)
    ]
    names = [host.name for host in hosts]
    together = merged(*data.draw(st.permutations(slices)), of=names)
    assert spelled_out(together) == spelled_out(whole)
    assert merged(*slices, of=names) == together  # whatever came first


def slices_of(first: Hosts, second: Hosts, run: Run = ENFORCE) -> list[dict[str, Any]]:
    return [build(run, FOUND, first), build(run, FOUND, second)]


def server(name: str, result: Mapping[str, Any], **more: Any) -> HostResult:
    return HostResult(name, ["nestle.com"], result, family="transport", **more)


def deferring(*connectors: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a host that found a change, but leaves it to another host."""
    found = organisation(connectors, [*connectors, NEW], "nestle.com")
    return {**found, "changed": False, "deferred": True}


def outcomes(document: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["name"]: (one["state"], one["verdict"]) for one in document["hosts"]}


def test_what_a_host_left_to_one_of_another_slice_is_in_place_when_that_has_changed_it() -> None:
    changing = organisation([], [NEW], "nestle.com")
    alone, other = slices_of([server("b", deferring())], [server("a", changing)])
    assert outcomes(alone) == {"b": ("would_change", "clean")}
    document = merged(alone, other)
    assert outcomes(document) == {"a": ("changed", "clean"), "b": ("up_to_date", "clean")}
    (told,) = document["organisations"]
    assert told["hosts"] == ["a", "b"]
    assert [(one["action"], one["by"]) for one in told["connectors"]] == [("create", "a")]
    assert told["warnings"] == []
    assert document["answer"]["text"] == "Of 2 hosts, 1 was changed, 1 is up to date."
    assert document["answer"]["counts"]["would_change"] == 0


@pytest.mark.parametrize(
    "writer",
    [
        server("a", {"failed": True, "msg": "event 4056"}),
        HostResult("a", ["aol.com"], organisation([], []), family="transport"),
        server("a", deferring()),
    ],
    ids=["failed", "lists-other-domains", "left-it-too"],
)
def test_a_host_fails_whose_change_nobody_made(writer: HostResult) -> None:
    document = merged(*slices_of([writer], [server("b", deferring())]))
    assert outcomes(document)["b"] == ("failed", "failed")
    assert document["hosts"][1]["problems"] == [
        "no host of its organisation changed the connectors of nestle.com"
    ]
    assert document["answer"]["verdict"] == "failed"


def test_a_run_that_only_looks_tells_what_would_change() -> None:
    check = replace(ENFORCE, check_mode=True)
    looking = organisation([], [NEW], "nestle.com")
    document = merged(*slices_of([server("a", looking)], [server("b", looking)], check))
    assert outcomes(document) == {"a": ("would_change", "clean"), "b": ("would_change", "clean")}
    assert document["organisations"][0]["warnings"] == []


def test_an_organisation_that_was_changed_in_two_slices_is_told_of() -> None:
    one = organisation([], [NEW], "nestle.com")
    two = organisation([], [OTHER], "aol.com")
    document = merged(*slices_of([server("a", one)], [server("b", two)]))
    (warning,) = document["organisations"][0]["warnings"]
    assert warning.startswith("Changed in 2 slices, by a, b.")


@pytest.mark.parametrize("run", [AUDIT, ENFORCE])
def test_hosts_that_no_slice_reported_on_are_unknown(run: Run) -> None:
    present = build(run, FOUND, [HostResult("b", [], table(BOTH, BOTH))])
    document = merged(present, of=["a", "b", "c"])
    assert [one["name"] for one in document["hosts"]] == ["a", "b", "c"]
    assert outcomes(document)["c"] == ("unknown", "unjudged")
    assert document["hosts"][2]["reason"] == "no slice reported on this host"
    assert document["hosts"][2]["unreachable"] is True
    assert document["answer"]["verdict"] == "unjudged"


def test_the_slices_are_told_with_their_jobs() -> None:
    runs = [replace(ENFORCE, awx={"job": job, "user": "eve"}) for job in ("11", "12")]
    documents = [
        build(run, FOUND, [HostResult(name, [], table(BOTH, BOTH))])
        for run, name in zip(runs, "ba", strict=True)
    ]
    run = merged(*documents)["run"]
    assert [(one["hosts"], one["job"]) for one in run["slices"]] == [(["a"], "12"), (["b"], "11")]
    assert run["by"]["awx"] == {"user": "eve"}


FINE = build(ENFORCE, FOUND, [HostResult("a", [], table(BOTH, BOTH))])
ELSEWHERE = resolved(domain("nestle.com", "192.0.2.99"))


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (FINE, "a is in 0.json and in 1.json"),
        (build(replace(ENFORCE, id="awx-4712"), FOUND, []), "of different runs: id is 'awx-4711'"),
        (build(replace(ENFORCE, check_mode=True), FOUND, []), "of different runs: check_mode"),
        (build(ENFORCE, ELSEWHERE, []), "different addresses for nestle.com"),
        (build(ENFORCE, FOUND, [HostResult("x", [])]), "x of 1.json is not a host of this run"),
        ({**FINE, "schema_version": "0.9"}, "1.json is a report of version '0.9'"),
        (merge({"": FINE}), "1.json is a merged report already"),
        ({}, "not a report of this collection"),
        ({**build(ENFORCE, FOUND, []), "domains": [7]}, "not a report of this collection"),
    ],
    ids=["host-twice", "run", "mode", "pairs", "stranger", "version", "merged", "empty", "odd"],
)
def test_what_is_no_slice_of_the_run_is_refused(second: Mapping[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as error:
        merge({"0.json": FINE, "1.json": second}, ["a", "b"])
    assert said in str(error.value)


def test_no_report_at_all_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Not one slice has a report"):
        merge({})
