"""The response core with the Azure actions: two signals lead to changes, a crash is gone on from, a person takes them back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from azure_functions.actions.block_address import BlockAddress
from azure_functions.actions.quarantine_instance import QuarantineInstance
from azure_functions.registry import Group
from azure_infra.permissions import action_roles
from infra_tests.azure_functions.actions.cloud import ATTACKER, Cloud
from infra_tests.response.world import HOUR_MS, NOW_MS, Site, verdict
from response.actions import CloudUnavailable, Mode
from response.journal import Step
from response.policy import ActionPolicy, NeverTouch, Policy, Rule
from response.responder import Outcome
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict


@pytest.fixture
def site(cloud: Cloud) -> Site:
    made = Site()
    made.actions = {cls.name: cls(cloud.clients, persistence=cloud.persistence) for cls in (BlockAddress, QuarantineInstance)}
    made.policy = Policy(
        rules=(
            Rule("block", "block_address", EntityKind.ADDRESS),
            Rule("isolate", "quarantine_instance", EntityKind.INSTANCE),
        ),
        actions={name: ActionPolicy(Mode.ENFORCE, 3600) for name in ("block_address", "quarantine_instance")},
        window_ms=HOUR_MS,
    )
    return made


def intrusion(cloud: Cloud, telemetry: Telemetry, *, completed: bool = True) -> Verdict:
    """A signal that an address broke into the web server."""
    account = cloud.world.subscription_id
    address = Entity(EntityKind.ADDRESS, ATTACKER, account)
    machine = Entity(EntityKind.INSTANCE, cloud.world.web.lower(), account)
    made = verdict("", f"from-{telemetry}", telemetry, time_ms=NOW_MS, related=(machine,), completed_flow=completed)
    return replace(made, entity=address)


def contain(cloud: Cloud, site: Site) -> Outcome:
    site.respond(intrusion(cloud, Telemetry.FLOW_LOGS))
    return site.respond(intrusion(cloud, Telemetry.RUNTIME))


def steps(site: Site, outcome: Outcome) -> dict[str, list[Step]]:
    return {
        decision.action: [entry.step for entry in site.journal.stream(f"{decision.action}#{decision.target.key}")]
        for decision in outcome.decisions
    }


_WHOLE = [Step.REFUSED, Step.APPLYING, Step.APPLIED, Step.VERIFIED]


def test_two_signals_contain_and_a_person_takes_it_back(cloud: Cloud, site: Site) -> None:
    before = cloud.rules(cloud.world.edge_group), cloud.group_of(cloud.world.web_interface)
    outcome = contain(cloud, site)
    assert steps(site, outcome) == {"block_address": _WHOLE, "quarantine_instance": _WHOLE}
    assert "breakwater-quarantine" in cloud.group_of(cloud.world.web_interface)
    assert len(cloud.rules(cloud.world.edge_group)) == len(before[0]) + 2
    for decision in outcome.decisions:
        assert site.undo(decision.containment_id).step is Step.UNDONE
    assert (cloud.rules(cloud.world.edge_group), cloud.group_of(cloud.world.web_interface)) == before


def test_one_signal_changes_nothing(cloud: Cloud, site: Site) -> None:
    start = len(cloud.calls)
    site.respond(intrusion(cloud, Telemetry.FLOW_LOGS))
    assert cloud.writes(since=start) == 0


def test_the_same_verdict_again_changes_nothing(cloud: Cloud, site: Site) -> None:
    contain(cloud, site)
    start = len(cloud.calls)
    assert all(decision.entries == () for decision in site.respond(intrusion(cloud, Telemetry.RUNTIME)).decisions)
    assert len(cloud.calls) == start


def test_a_verdict_delivered_again_after_a_crash_finishes_what_was_begun(cloud: Cloud, site: Site) -> None:
    site.respond(intrusion(cloud, Telemetry.FLOW_LOGS))
    cloud.arm.faults.tear_off(path="/securityRules/")
    with pytest.raises(CloudUnavailable):
        site.respond(intrusion(cloud, Telemetry.RUNTIME))
    outcome = site.respond(intrusion(cloud, Telemetry.RUNTIME))
    taken_up = [*_WHOLE[:2], *_WHOLE[1:]]
    assert steps(site, outcome) == {"block_address": taken_up, "quarantine_instance": _WHOLE}
    assert len([name for name in cloud.rules(cloud.world.edge_group) if name.startswith("breakwater-")]) == 2


def test_a_policy_that_enforces_before_anything_is_armed_fails_at_once_and_says_what_to_grant(cloud: Cloud, site: Site) -> None:
    (reads,) = [role for role in action_roles() if role.group is Group.NETWORK and not role.armed]
    cloud.grants.allow(cloud.identities[Group.NETWORK], reads.operations)
    before = cloud.rules(cloud.world.edge_group), cloud.group_of(cloud.world.web_interface)
    outcome = contain(cloud, site)
    failed = [Step.REFUSED, Step.APPLYING, Step.FAILED]
    assert steps(site, outcome) == {"block_address": failed, "quarantine_instance": failed}
    for decision in outcome.decisions:
        assert "AuthorizationFailed" in decision.reason
        assert "Deploy with armed=true" in decision.reason
    assert (cloud.rules(cloud.world.edge_group), cloud.group_of(cloud.world.web_interface)) == before


def test_an_address_that_may_be_spoofed_is_not_blocked(cloud: Cloud, site: Site) -> None:
    for telemetry in (Telemetry.FLOW_LOGS, Telemetry.RUNTIME):
        outcome = site.respond(intrusion(cloud, telemetry, completed=False))
    assert "spoofed" in next(decision.reason for decision in outcome.decisions if decision.action == "block_address")
    assert cloud.rules(cloud.world.edge_group).keys() == {"AllowHttps", "AllowSshFromOffice"}


def test_a_security_group_on_the_never_touch_list_protects(cloud: Cloud, site: Site) -> None:
    site.policy = replace(site.policy, never_touch=NeverTouch(security_groups=(cloud.world.edge_group.lower(),)))
    outcome = contain(cloud, site)
    assert {decision.action: decision.step for decision in outcome.decisions}["block_address"] is Step.REFUSED
    assert cloud.rules(cloud.world.edge_group).keys() == {"AllowHttps", "AllowSshFromOffice"}
