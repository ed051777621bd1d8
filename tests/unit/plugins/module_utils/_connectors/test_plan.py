# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The laws of a transport plan, and the cases an administrator meets."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    plan as planning,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.connector import (
    Connector,
    Settings,
    comment_for,
    connector_from,
    of_any_run,
    run_mark,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.organisation import (
    Organisation,
    Surroundings,
    View,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.report import diff
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
        "DNSRoutingEnabled": not hosts,
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
    assert again.refused == plan.refused


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
    assert refused.refused[0].name == "theirs"
    assert refused.refused[0].differences == ("smart host 192.0.2.9 instead of 192.0.2.1",)
    assert "existing: adopt takes it over" in refused.refused[0].reason
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
    assert "other address spaces" in plan.refused[0].reason


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


def around(**more: Any) -> Surroundings:
    return Surroundings(secured=frozenset(), **more)


INTERNET = ("Internet", "*", [])
NESTLE = planning.Desired((pin("nestle.com", "192.0.2.1"),))


def only_step(
    *connectors: Connector, wanted: planning.Desired = NESTLE, **more: Any
) -> planning.Step:
    (step,) = planning.make_plan(connectors, wanted, around(**more)).changes
    return step


def refusal(*connectors: Connector, wanted: planning.Desired = NESTLE, **more: Any) -> str:
    plan = planning.make_plan(connectors, wanted, around(**more))
    (refused,) = plan.refused
    assert plan.changes == ()
    assert f"{refused.text}." in plan.warnings
    return refused.text


def test_a_pin_inherits_what_protects_and_identifies_the_mail() -> None:
    kept = {
        "Fqdn": "mail.hq.example",
        "FrontendProxyEnabled": True,
        "MaxMessageSize": "35 MB (36,700,160 bytes)",
        "RequireTLS": True,
        "TlsAuthLevel": "DomainValidation",
        "TlsDomain": "*.partner.example",
        "TlsCertificateName": "<I>CN=CA<S>CN=mail.hq.example",
        "ForceHELO": True,
        "ErrorPolicies": "DowngradeAuthFailures",
        "ConnectionInactivityTimeOut": "00:05:00",
        "SmtpMaxMessagesPerConnection": 7,
        "ProtocolLoggingLevel": "Verbose",
    }
    step = only_step(connector(*INTERNET, **kept, SourceIPAddress="0.0.0.0"))
    assert {name: step.parameters[name] for name in kept} == kept
    assert step.parameters["Usage"] == "Internet"
    assert "SourceIPAddress" not in step.parameters
    assert (step.origin, step.inherited >= kept.keys()) == ("Internet", True)


def test_defaults_and_what_the_version_lacks_are_not_sent() -> None:
    plain = connector(*INTERNET, ErrorPolicies="Default", ForceHELO=False, Fqdn=None)
    assert set(only_step(plain).inherited) == {"SourceTransportServers"}
    newer = connector(*INTERNET, FrontendProxyEnabled=True, TlsCertificateName="<I>x<S>y")
    plan = planning.make_plan([newer], NESTLE, around(version="2010"))
    assert not {"FrontendProxyEnabled", "TlsCertificateName"} & plan.changes[0].parameters.keys()


def test_an_option_overrides_what_would_be_inherited() -> None:
    level = {"RequireTLS": True, "TlsAuthLevel": "DomainValidation", "TlsDomain": "a.example"}
    there = connector(*INTERNET, **level, SourceIPAddress="192.0.2.77")
    own = pin("nestle.com", "192.0.2.1", require_tls=True, tls_auth_level="CertificateValidation")
    step = only_step(there, wanted=planning.Desired((own,)))
    assert step.parameters["TlsAuthLevel"] == "CertificateValidation"
    assert "TlsDomain" not in step.parameters
    assert step.parameters["SourceIPAddress"] == "192.0.2.77"
    weak = planning.Desired((pin("nestle.com", "192.0.2.1", require_tls=False),), lower_tls=True)
    assert not {"TlsAuthLevel", "TlsDomain"} & only_step(there, wanted=weak).parameters.keys()


def test_less_tls_needs_force_also_for_a_pin_that_is_there() -> None:
    weak = pin("nestle.com", "192.0.2.1", require_tls=False)
    mine = connector("pin", "nestle.com", ["192.0.2.1"], RequireTLS=True, TlsAuthLevel="x")
    assert "force: true" in refusal(mine, wanted=planning.Desired((weak,)))
    step = only_step(mine, wanted=planning.Desired((weak,), lower_tls=True))
    assert (step.parameters["RequireTLS"], step.parameters["TlsAuthLevel"]) == (False, None)


def test_a_relay_is_bypassed_only_where_that_is_allowed() -> None:
    relay = connector("Filter", "*", ["filter.example:587"], Comment="")
    assert "'Filter' sends its mail to the relay filter.example:587" in refusal(relay)
    allowed = planning.Desired(NESTLE.pins, bypass_relay=frozenset({"nestle.com"}))
    assert only_step(relay, wanted=allowed).cmdlet == planning.NEW


def test_what_cannot_be_inherited_is_refused() -> None:
    secure = connector(*INTERNET, DomainSecureEnabled=True)
    plan = planning.make_plan([secure], NESTLE, Surroundings())  # the list is not readable
    assert [refused.domain for refused in plan.refused] == ["nestle.com"]
    assert only_step(secure).cmdlet == planning.NEW  # not one of TLSSendDomainSecureList
    names = connector(*INTERNET, RequireTLS=True, TlsAuthLevel="DomainValidation")
    assert "tls_domain" in refusal(names)


SITES = {"ex1": "A", "ex2": "B", "ex3": "B"}


def scoped(name: str, server: str, **more: Any) -> Connector:
    given = {"IsScopedConnector": True, "SourceTransportServers": [server], **more}
    return connector(name, "*", [], Comment="", **given)


def test_the_only_connector_of_a_site_hands_its_scope_on() -> None:
    step = only_step(scoped("Site B", "EX2", Fqdn="b.hq.example"))
    assert (step.origin, step.parameters["IsScopedConnector"]) == ("Site B", True)
    assert (step.parameters["SourceTransportServers"], step.parameters["Fqdn"]) == (
        ["EX2"],
        "b.hq.example",
    )


def test_a_relay_of_one_site_is_no_more_bypassed_than_another() -> None:
    relay = scoped("Site B", "EX2", DNSRoutingEnabled=False, SmartHosts=["filter.example"])
    assert "filter.example" in refusal(connector(*INTERNET), relay)


def test_several_sites_need_source_servers_and_equal_settings() -> None:
    sites = [scoped("Site A", "EX1"), scoped("Site B", "EX2"), scoped("Also B", "EX3")]
    assert "'Site A'; a pin for all sites needs source_servers" in refusal(*sites, sites=SITES)
    named = planning.Desired((pin("nestle.com", "192.0.2.1", source_servers=("ex1", "ex2")),))
    step = only_step(*sites, wanted=named, sites=SITES)
    assert "IsScopedConnector" not in step.parameters
    sites[2] = scoped("Also B", "EX3", RequireTLS=True)
    assert "RequireTLS" in refusal(*sites, wanted=named, sites=SITES)


def test_a_worse_connector_of_a_site_carries_nothing() -> None:
    worse = scoped("Site B", "EX2", AddressSpaces=["SMTP:*;9"])
    assert only_step(connector(*INTERNET), worse, sites=SITES).origin == INTERNET[0]


def test_own_domains_are_refused() -> None:
    assert "authoritative" in refusal(connector(*INTERNET), own=frozenset({"nestle.com"}))
    assert "authoritative" in refusal(connector(*INTERNET), own=frozenset({".com"}))


def test_an_odd_value_concerns_its_own_domain_only() -> None:
    odd = [
        connector("space", "nestle.com;x", ["192.0.2.1"], AddressSpaces=["SMTP:nestle.com;x"]),
        connector("port", "a.example", ["[IPv6:2001:db8::1]", "relay:587"], Comment=""),
        connector("edge", "--", ["--"], Comment=""),
        connector("flag", "b.example", ["192.0.2.1"], Enabled="maybe", Comment=""),
    ]
    two = planning.Desired(
        (*NESTLE.pins, pin("aol.com", "192.0.2.9"), pin("b.example", "192.0.2.2"))
    )
    plan = planning.make_plan(odd, two, around())
    assert [step.domain for step in plan.changes] == ["aol.com"]
    assert [refused.text for refused in plan.refused] == [
        "nestle.com: 'space' has AddressSpaces 'SMTP:nestle.com;x', which cannot be read",
        "b.example: 'flag' has Enabled 'maybe', which cannot be read",
    ]


def test_hybrid_connectors_are_never_adopted() -> None:
    adopt = planning.Desired(NESTLE.pins, existing="adopt")
    for more in ({"CloudServicesMailEnabled": True}, {"DomainSecureEnabled": True}):
        there = connector("theirs", "nestle.com", ["192.0.2.1"], Comment="", **more)
        plan = planning.make_plan([there], adopt, around())
        assert (len(plan.refused), plan.changes) == (1, ())


def test_a_restore_puts_every_writable_property_back() -> None:
    other = {"RequireOorg": True, "ConnectorType": "OnPremises", "MaxMessageSize": "10MB"}
    old = connector("pin", "nestle.com", ["192.0.2.1"], **other, Fqdn="a.example")
    now = connector(
        "pin",
        "nestle.com",
        ["192.0.2.1"],
        RequireOorg=False,
        ConnectorType="Default",
        MaxMessageSize="10 MB (10,485,760 bytes)",
        Fqdn=None,
    )
    (step,) = planning.restore_plan([now], [old]).changes
    assert step.parameters == {
        "Identity": "guid-pin",
        "RequireOorg": True,
        "ConnectorType": "OnPremises",
        "Fqdn": "a.example",
    }
    (made,) = planning.restore_plan([], [old], "2010").changes
    assert made.parameters["RequireOorg"] is True
    assert made.parameters["Usage"] == "Internet"
    assert "ConnectorType" not in made.parameters


def test_a_diff_shows_the_origin_of_what_is_inherited() -> None:
    there = connector(*INTERNET, ForceHELO=True)
    view = View(Organisation("HQ", "hq.example"), "dc1", (there,))
    (block,) = diff(view, planning.make_plan([there], NESTLE, around()))
    assert "  force HELO        yes (from 'Internet')\n" in block["after"]


def test_a_pin_that_could_not_be_put_back_is_not_removed() -> None:
    odd = connector("pin", "nestle.com", ["192.0.2.1"], Port="25x")
    assert "Port '25x'" in refusal(odd, wanted=planning.Desired(removed=frozenset({"nestle.com"})))
    assert planning.restore_plan([odd], []).changes == ()


@pytest.mark.parametrize("state", ["present", "absent", "exact"])
@pytest.mark.parametrize(
    "spaces", [["smtp:nestle.com;1", "smtp:aol.com;1"], ["smtp:aol.com;1"], ["smtp:*.nestle.com;1"]]
)
def test_a_pin_with_other_address_spaces_is_named_and_neither_doubled_nor_removed(
    state: planning.State, spaces: list[str]
) -> None:
    there = connector("pin", "nestle.com", ["[192.0.2.9]"], AddressSpaces=spaces)
    pins = (pin("aol.com", "192.0.2.1"),) if state == "exact" else (pin("nestle.com", "192.0.2.1"),)
    plan = planning.make_plan(
        [there], planning.Desired(pins=pins, state=state, existing="adopt"), Surroundings()
    )
    assert [step for step in plan.changes if step.domain == "nestle.com" or step.present] == []
    named = {(each.domain, each.name) for each in plan.refused}
    assert ("nestle.com", "pin") in named


@pytest.mark.parametrize(
    "comment",
    [
        comment_for("nestle.com").partition(" Pin ")[0],
        comment_for("nestle.com")[:-2] + "0.",
        comment_for("nestle.com").replace("nestle.com", "aol.com"),
        "postmaster.exchange does not know this one. Ticket 4711",
    ],
)
def test_a_typed_comment_makes_no_connector_ours(comment: str) -> None:
    theirs = connector("partner", "nestle.com", ["[192.0.2.9]"], Comment=comment)
    assert not theirs.ours
    assert (
        planning.make_plan([theirs], planning.Desired(state="exact"), Surroundings()).changes == ()
    )
    assert planning.restore_plan([theirs], []).changes == ()


def test_a_comment_says_which_run_made_its_pin_and_may_go_on() -> None:
    comment = comment_for("nestle.com", run_mark("change-1"))
    pinned = connector("pin", "nestle.com", ["[192.0.2.1]"], Comment=comment + " Ask Anna.")
    assert (pinned.ours, pinned.made_by) == (True, run_mark("change-1"))
    wanted = planning.Desired(pins=(pin("nestle.com", "192.0.2.1"),), run=run_mark("change-2"))
    assert planning.make_plan([pinned], wanted, Surroundings()).changes == ()
    assert run_mark("") != run_mark("")
    assert of_any_run(pinned.comment) == comment_for("nestle.com") + " Ask Anna."
    assert of_any_run("theirs") == "theirs"


def test_notes_stand_behind_the_mark_and_are_no_drift() -> None:
    """That of the domain is kept up to date; that of a run comes with another change only."""
    mark = comment_for("nestle.com")
    there = connector("pin", "nestle.com", ["192.0.2.1"], Comment=f"{mark} Ask Anna.")
    same = (pin("nestle.com", "192.0.2.1"),)
    assert planning.make_plan([there], planning.Desired(same, note="CHG-1")).changes == ()
    why = (pin("nestle.com", "192.0.2.1", note="AAAA [ignored]"),)
    (step,) = planning.make_plan([there], planning.Desired(why)).steps
    noted = f"{mark} Ask Anna. [note: AAAA (ignored)]"
    assert step.parameters["Comment"] == noted
    there = connector("pin", "nestle.com", ["192.0.2.1"], Comment=noted)
    assert planning.make_plan([there], planning.Desired(why, note="CHG-1")).changes == ()
    moved = (pin("nestle.com", "192.0.2.2", note="new"),)
    for number in (2, 3):
        plan = planning.make_plan([there], planning.Desired(moved, note=f"CHG-{number}"))
        (there,) = play([there], plan)
        assert there.comment == f"{mark} Ask Anna. [note: new] [change: CHG-{number}]"
        assert there.ours
        moved = (pin("nestle.com", "192.0.2.3", note="new"),)
    long = connector("pin", "nestle.com", ["192.0.2.1"], Comment=mark + " x" * 430)
    assert planning.make_plan([long], planning.Desired(why)).changes == ()
