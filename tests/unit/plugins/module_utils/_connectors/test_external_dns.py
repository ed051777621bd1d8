# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""External DNS: its options, its plan, and the way back."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import external_dns
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.connector import (
    Connector,
    comment_for,
    connector_from,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.external_dns import (
    ADAPTER,
    SERVERS,
    USES,
    ExternalDns,
    Services,
    make_dns_plan,
    parse_external_dns,
    read_former,
    restoring_dns_plan,
)
from hypothesis import given
from hypothesis import strategies as st

LIST = ("203.0.113.53", "203.0.113.54")
DEFAULT: dict[str, Any] = {SERVERS: [], ADAPTER: True}
ON: dict[str, Any] = {SERVERS: list(LIST), ADAPTER: False}


def connector(name: str, *servers: str, uses: object = False, **more: Any) -> Connector:
    properties = {
        "Guid": f"guid-{name}",
        "Name": name,
        "AddressSpaces": ["SMTP:*;1"],
        "DNSRoutingEnabled": True,
        "Enabled": True,
        "SourceTransportServers": list(servers),
        USES: uses,
        **more,
    }
    return connector_from(properties, "ex1")


def services(edges: frozenset[str] = frozenset(), **settings: dict[str, Any]) -> Services:
    objects = tuple({"Name": name.upper(), **values} for name, values in settings.items())
    return Services("Set-TransportService", objects, edges)


def parsed(given: object, connectors: object = None) -> ExternalDns | None:
    return parse_external_dns({"external_dns": given, "external_dns_connectors": connectors})


def carried_out(plan: external_dns.DnsPlan) -> list[tuple[str, dict[str, Any]]]:
    return [(step.cmdlet, step.parameters) for step in plan.steps]


# -- options


def test_addresses_are_read_in_canonical_form_and_names_once() -> None:
    found = parsed(["2001:DB8::53", "10.0.0.53", "127.0.0.1", "10.0.0.53"], ["Out", " OUT "])
    assert found == ExternalDns(("2001:db8::53", "10.0.0.53", "127.0.0.1"), ("OUT",))
    assert parsed([]) == ExternalDns()
    assert parsed(None) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("dns.example", "is not an IP address"),
        ("192.0.2.53:53", "is not an IP address"),
        ("192.0.2.0/24", "is not an IP address"),
        (" 192.0.2.53", "is not an IP address"),
        ("", "is not an IP address"),
        ("0.0.0.0", "unspecified"),
        ("255.255.255.255", "reserved or broadcast"),
        ("224.0.0.251", "multicast"),
        ("169.254.1.1", "link-local"),
        ("fe80::1%3", "has a zone"),
        ("::ffff:192.0.2.53", "IPv4-mapped"),
    ],
)
def test_what_can_be_no_name_server_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as refused:
        parsed(["192.0.2.53", text])
    assert repr(text)[:80] in str(refused.value)


def test_connectors_need_name_servers_and_names() -> None:
    with pytest.raises(InvalidInput, match="external_dns_connectors needs external_dns"):
        parsed(None, ["Internet"])
    with pytest.raises(InvalidInput, match="has an empty name"):
        parsed([], ["Internet", " "])


# -- the plan


def test_servers_get_their_list_before_a_connector_uses_it_and_lose_it_afterwards() -> None:
    known = services(ex1=DEFAULT, ex2=DEFAULT, ex3=DEFAULT)
    internet = connector("Internet", "EX2", "hq/Servers/EX1")
    on = make_dns_plan([internet], known, ExternalDns(LIST, ("INTERNET",)))
    assert (on.refusals, on.warnings) == ((), ())
    assert carried_out(on) == [
        ("Set-TransportService", {"Identity": "EX1", **ON}),
        ("Set-TransportService", {"Identity": "EX2", **ON}),
        ("Set-SendConnector", {"Identity": "guid-Internet", USES: True}),
    ]
    off = make_dns_plan(
        [connector("Internet", "EX1", "EX2", uses=True)],
        services(ex1=ON, ex2=DEFAULT),
        ExternalDns((), ("Internet",)),
    )
    assert carried_out(off) == [
        ("Set-SendConnector", {"Identity": "guid-Internet", USES: False}),
        ("Set-TransportService", {"Identity": "EX1", **DEFAULT}),
    ]


def test_what_is_as_wanted_needs_no_step_whatever_the_order_of_addresses() -> None:
    known = services(ex1={SERVERS: [*reversed(LIST)], ADAPTER: "$false"})
    plan = make_dns_plan([connector("Internet", "EX1", uses="True")], known, ExternalDns(LIST))
    assert (plan.steps, len(plan.settings)) == ((), 1)
    only_adapter = services(ex1={**ON, ADAPTER: True})
    (step,) = make_dns_plan([], only_adapter, ExternalDns(LIST)).steps
    assert step.parameters == {"Identity": "EX1", ADAPTER: False}


def test_edges_are_never_changed() -> None:
    edges = frozenset({"edge1"})
    known = services(edges, ex1=DEFAULT, edge1=DEFAULT)
    plan = make_dns_plan([], known, ExternalDns(LIST))
    assert [step.domain for step in plan.steps] == ["EX1"]
    theirs = connector("Edge out", "EDGE1")
    refused = make_dns_plan([theirs], known, ExternalDns(LIST, ("Edge out",)))
    assert "'Edge out' sends by the Edge Transport server edge1" in refused.refusals[0].text


@pytest.mark.parametrize(
    ("present", "known", "reason"),
    [
        ([], {"ex1": DEFAULT}, "'Out' is not a Send connector of this organisation"),
        ([connector("Out")], {"ex1": DEFAULT}, "'Out' has no source server"),
        ([connector("Out", "EX9")], {"ex1": DEFAULT}, "ex9 is not among what Exchange shows"),
        ([connector("Out", "EX1")], {"ex1": {}}, "the external DNS of EX1 cannot be read"),
        (
            [connector("Out", "EX1")],
            {"ex1": {SERVERS: ["?"], ADAPTER: True}},
            "the external DNS of EX1 cannot be read",
        ),
        (
            [connector("Out", "EX1", uses=None)],
            {"ex1": DEFAULT},
            "the external DNS of Out cannot be read",
        ),
        (
            [
                connector(
                    "Out", "EX1", AddressSpaces=["a.example"], Comment=comment_for("a.example")
                )
            ],
            {"ex1": DEFAULT},
            "'Out' is a pin",
        ),
    ],
)
def test_what_is_unknown_or_unfit_is_refused(
    present: list[Connector], known: dict[str, Any], reason: str
) -> None:
    plan = make_dns_plan(present, services(**known), ExternalDns(LIST, ("Out",)))
    assert reason in "; ".join(each.text for each in plan.refusals)


def test_a_connector_that_becomes_a_pin_in_the_same_run_is_refused() -> None:
    adopted = connector("Out", "EX1")
    taken = frozenset({adopted.identity})
    plan = make_dns_plan([adopted], services(ex1=DEFAULT), ExternalDns(LIST, ("Out",)), taken)
    assert "is a pin" in plan.refusals[0].text


def test_others_that_use_the_list_of_a_server_are_named() -> None:
    present = [
        connector("Internet", "EX1"),
        connector("Partner", "EX1", uses=True),
        connector("Far", "EX2", uses=True),
    ]
    plan = make_dns_plan(present, services(ex1=DEFAULT), ExternalDns(LIST, ("Internet",)))
    assert plan.warnings == (
        "Other connectors use the external DNS of these servers, too: Partner.",
    )


# -- back


def saved(*plans: external_dns.DnsPlan) -> Any:
    entries = [[one.to_dict() for one in plan.settings if one.changes] for plan in plans]
    return read_former(entries)


def test_what_no_run_left_stays() -> None:
    there = [connector("Internet", "EX1", "EX2")]
    first = make_dns_plan(there, services(ex1=DEFAULT, ex2=DEFAULT), ExternalDns(LIST))
    second = make_dns_plan(there, services(ex1=ON, ex2=ON), ExternalDns(("192.0.2.1",)))
    former = saved(first, second)
    now = services(
        ex1={SERVERS: ["192.0.2.1"], ADAPTER: False}, ex2={SERVERS: ["192.0.2.9"], ADAPTER: False}
    )
    plan = restoring_dns_plan(there, now, former)
    assert carried_out(plan) == [("Set-TransportService", {"Identity": "EX1", **DEFAULT})]
    (warning,) = plan.warnings
    assert warning == (
        "The external DNS of EX2 was changed since, and stays as it is (name servers 192.0.2.9,"
        " DNS of the adapter no)."
    )
    gone = restoring_dns_plan(there, services(), former)
    assert gone.steps == ()
    assert "EX1 cannot be put back: Exchange does not show it" in gone.warnings[0]


_VALUES = st.sampled_from([DEFAULT, ON, {SERVERS: ["192.0.2.9"], ADAPTER: False}])


@given(st.lists(_VALUES, min_size=1, max_size=4), _VALUES)
def test_restoring_twice_is_restoring_once(history: list[dict[str, Any]], now: Any) -> None:
    pairs = zip([DEFAULT, *history], history, strict=False)
    plans = [
        make_dns_plan([], services(ex1=old), ExternalDns(tuple(new[SERVERS]))) for old, new in pairs
    ]
    former = saved(*plans)
    plan = restoring_dns_plan([], services(ex1=now), former)
    after = {**now, **(plan.steps[0].changes if plan.steps else {})}
    assert restoring_dns_plan([], services(ex1=after), former).steps == ()
    if plan.steps:
        assert after == DEFAULT


@pytest.mark.parametrize(
    "entries",
    [
        "none",
        [5],
        [{"kind": "server"}],
        [{"kind": "disk", "identity": "ex1", "name": "EX1", "before": DEFAULT, "after": ON}],
        [{"kind": "server", "identity": "", "name": "EX1", "before": DEFAULT, "after": ON}],
        [{"kind": "server", "identity": "ex1", "name": "EX1", "before": DEFAULT, "after": {}}],
        [
            {
                "kind": "server",
                "identity": "ex1",
                "name": "EX1",
                "before": {**DEFAULT, "Enabled": True},
                "after": ON,
            }
        ],
        [
            {
                "kind": "server",
                "identity": "ex1",
                "name": "EX1",
                "before": {**DEFAULT, SERVERS: ["; x"]},
                "after": ON,
            }
        ],
        [
            {
                "kind": "connector",
                "identity": "guid",
                "name": "Out",
                "before": {USES: 1},
                "after": {USES: True},
            }
        ],
    ],
)
def test_a_forged_backup_is_refused(entries: object) -> None:
    with pytest.raises(ValueError, match="its external_dns"):
        read_former([entries])


# -- a step taken back


def test_a_step_takes_back_what_still_is_as_it_left_it() -> None:
    (step,) = make_dns_plan([], services(ex1=DEFAULT), ExternalDns(LIST)).steps
    assert step.part(DEFAULT) == "old"
    assert step.part(ON) == "new"
    assert step.part({**ON, SERVERS: ["192.0.2.9"]}) == "unknown"
    assert step.part(None) == "unknown"
    assert step.reverse(ON) == {"Identity": "EX1", **DEFAULT}
    assert step.reverse({**ON, SERVERS: ["192.0.2.9"]}) == {"Identity": "EX1", ADAPTER: True}
    assert step.reverse(DEFAULT) == {}
