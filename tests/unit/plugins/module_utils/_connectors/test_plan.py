# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The laws of a transport plan, and the cases an administrator meets."""

from __future__ import annotations

from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    plan as planning,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.connector import (
    Connector,
    Settings,
    comment_for,
    connector_from,
)
from hypothesis import given
from hypothesis import strategies as st

DOMAINS = ["nestle.com", "aol.com", "partner.example", "a.example"]


def properties(name: str, domain: str, hosts: list[str], **more: Any) -> dict[str, Any]:
    """Return a connector as Get-SendConnector echoes it."""
    return {
        "Guid": more.pop("guid", f"guid-{name}"),
        "Identity": name,
        "Name": name,
        "AddressSpaces": [f"smtp:{domain};1"],
        "SmartHosts": hosts,
        "DNSRoutingEnabled": False,
        "SmartHostAuthMechanism": "None",
        "Enabled": True,
        "Comment": comment_for(domain),
        "Port": 25,
        "SourceTransportServers": ["EX1"],
        "RequireTLS": False,
        "TlsAuthLevel": None,
        "TlsDomain": None,
        "ProtocolLoggingLevel": "None",
        "IsScopedConnector": False,
        "WhenCreatedUTC": "2026-01-01T00:00:00Z",
        **more,
    }


def connector(name: str, domain: str, hosts: list[str], **more: Any) -> Connector:
    return connector_from(properties(name, domain, hosts, **more), "ex1")


def pin(domain: str, *hosts: str, **more: Any) -> Settings:
    return Settings(domain=domain, smart_hosts=tuple(sorted(f"[{h}]" for h in hosts)), **more)


def play(connectors: list[Connector], plan: planning.ConnectorPlan) -> list[Connector]:
    """Carry a plan out on a list, as Exchange would."""
    present = {c.identity: dict(c.raw) for c in connectors}
    for step in plan.changes:
        parameters = dict(step.parameters)
        if step.cmdlet == "New-SendConnector":
            base = properties(parameters["Name"], step.domain, [], Comment="")
            present[base["Guid"]] = {**base, **parameters}
        elif step.cmdlet == "Set-SendConnector":
            present[parameters.pop("Identity")].update(parameters)
        else:
            del present[parameters["Identity"]]
    return [connector_from(raw, "ex1") for raw in present.values()]


pins = st.lists(
    st.builds(
        pin,
        st.sampled_from(DOMAINS),
        st.sampled_from(["192.0.2.1", "192.0.2.2"]),
        st.sampled_from(["192.0.2.3", "192.0.2.4"]),
        cost=st.integers(1, 3),
    ),
    unique_by=lambda p: p.domain,
)
present_connectors = st.lists(
    st.builds(
        lambda name, domain, hosts, comment, **more: connector(
            name, domain, hosts, Comment=comment.replace("DOMAIN", domain), **more
        ),
        st.sampled_from([f"c{n}" for n in range(8)]),
        st.sampled_from(DOMAINS),
        st.lists(st.sampled_from(["[192.0.2.1]", "[192.0.2.9]"]), max_size=2),
        st.sampled_from(["somebody's", comment_for("DOMAIN"), comment_for("nestle.com")]),
        Enabled=st.booleans(),
    ),
    unique_by=lambda c: c.identity,
)
desired = st.builds(
    planning.Desired,
    pins=pins.map(tuple),
    kept=st.dictionaries(st.sampled_from(["kept.example"]), st.just("loop")),
    removed=st.frozensets(st.sampled_from(["gone.example"])),
    state=st.sampled_from(["present", "absent", "exact"]),
    existing=st.sampled_from(["adopt", "refuse"]),
)


@given(present_connectors, desired)
def test_a_plan_carried_out_leaves_nothing_to_do(
    connectors: list[Connector], wanted: planning.Desired
) -> None:
    plan = planning.make_plan(connectors, wanted)
    again = planning.make_plan(play(connectors, plan), wanted)
    assert again.changes == ()
    assert again.refusals == plan.refusals


@given(present_connectors, desired)
def test_connectors_of_others_stay_unless_adopted(
    connectors: list[Connector], wanted: planning.Desired
) -> None:
    plan = planning.make_plan(connectors, wanted)
    touched = {step.present.identity for step in plan.changes if step.present}
    others = {c.identity for c in connectors if not c.ours}
    if wanted.existing == "refuse":
        assert not touched & others
    removed = {
        s.present.identity for s in plan.changes if s.cmdlet.startswith("Remove") and s.present
    }
    assert not removed & others


@given(present_connectors, desired)
def test_taking_away_comes_last(connectors: list[Connector], wanted: planning.Desired) -> None:
    kinds = [step.cmdlet for step in planning.make_plan(connectors, wanted).changes]
    first = next((i for i, k in enumerate(kinds) if k.startswith("Remove")), len(kinds))
    assert all(kind.startswith("Remove") for kind in kinds[first:])


def test_what_exchange_echoes_is_no_drift() -> None:
    there = connector(
        "pin", "Nestle.COM", ["192.0.2.2", "[192.0.2.1]"], Comment=comment_for("nestle.com")
    )
    plan = planning.make_plan(
        [there], planning.Desired((pin("nestle.com", "192.0.2.1", "192.0.2.2"),))
    )
    assert plan.changes == ()


def test_a_new_pin_gets_a_name_of_its_own() -> None:
    foreign = connector("postmaster.exchange nestle.com", "other.example", [], Comment="mine")
    plan = planning.make_plan([foreign], planning.Desired((pin("nestle.com", "192.0.2.1"),)))
    (step,) = plan.changes
    assert step.cmdlet == "New-SendConnector"
    assert step.parameters["Name"] == "postmaster.exchange nestle.com (2)"
    assert step.parameters["DNSRoutingEnabled"] is False


def test_a_foreign_connector_is_refused_or_adopted() -> None:
    foreign = connector("theirs", "nestle.com", ["192.0.2.9"], Comment="legacy")
    wanted = (pin("nestle.com", "192.0.2.1"),)
    refused = planning.make_plan([foreign], planning.Desired(wanted))
    assert refused.changes == ()
    assert refused.refusals[0].name == "theirs"
    (step,) = planning.make_plan([foreign], planning.Desired(wanted, existing="adopt")).changes
    assert step.cmdlet == "Set-SendConnector"
    assert step.parameters["Comment"] == comment_for("nestle.com")


def test_a_connector_for_several_domains_is_never_adopted() -> None:
    foreign = connector(
        "theirs", "nestle.com", [], Comment="", AddressSpaces=["smtp:nestle.com;1", "smtp:b.com;1"]
    )
    wanted = planning.Desired((pin("nestle.com", "192.0.2.1"),), existing="adopt")
    plan = planning.make_plan([foreign], wanted)
    assert plan.changes == ()
    assert "other address spaces" in plan.refusals[0].reason


def test_exact_removes_only_our_unlisted_pins() -> None:
    connectors = [
        connector("a", "a.example", ["192.0.2.1"]),
        connector("b", "aol.com", ["192.0.2.1"]),
        connector("c", "c.example", ["192.0.2.1"], Comment="mine"),
    ]
    wanted = planning.Desired((), kept={"aol.com": "loop"}, state="exact")
    assert [s.domain for s in planning.make_plan(connectors, wanted).changes] == ["a.example"]


def test_best_tier_keeps_the_lowest_preference() -> None:
    both = Settings("nestle.com", ("[192.0.2.1]", "[192.0.2.2]", "[192.0.2.3]"))
    assert planning.with_best_tier(both, [20, 10, 10]).smart_hosts == ("[192.0.2.2]", "[192.0.2.3]")


def test_a_pin_stays_where_a_short_lived_answer_shares_a_smart_host() -> None:
    domain = DOMAINS[0]

    def steps(*hosts: str, short_lived: frozenset[str]) -> int:
        desired = planning.Desired(pins=(pin(domain, *hosts),), short_lived=short_lived)
        made = planning.make_plan([], planning.Desired(pins=(pin(domain, "192.0.2.1"),)))
        return len(planning.make_plan(play([], made), desired).changes)

    assert steps("192.0.2.1", "192.0.2.2", short_lived=frozenset({domain})) == 0
    assert steps("192.0.2.1", "192.0.2.2", short_lived=frozenset()) == 1
    assert steps("192.0.2.2", short_lived=frozenset({domain})) == 1
