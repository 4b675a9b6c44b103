"""A GuardDuty finding, from EventBridge to changed security groups, journal and undo, on the deployed functions."""

from __future__ import annotations

import json

import pytest

from infra_tests.offline.following import ADA, Followed
from offline.aws.embedded import EmbeddedAws
from offline.findings import domain_request, port_probe
from offline.operator_policy import under
from offline.seed import World, groups_of

pytestmark = pytest.mark.e2e


@pytest.fixture
def follow(aws: EmbeddedAws) -> Followed:
    return Followed(aws)


def test_one_event_from_the_bus_to_the_changed_groups_and_back(aws: EmbeddedAws, world: World, follow: Followed) -> None:
    instance = follow.fresh_instance(world)
    before = groups_of(aws, instance)

    first, second = follow.attack(world, instance)
    delivered = [delivery.mapping.function_name for delivery in aws.drain()]

    assert delivered == ["breakwater-triage-findings", "breakwater-respond"]
    (verdict,) = follow.log("triage_findings", second, "verdict")
    assert verdict["entity"].endswith(f"/instance/{instance.id}")
    assert [each["step"] for each in follow.log("respond", first, "decision")] == ["REFUSED"], "one signal only notifies"
    assert [each["step"] for each in follow.log("respond", second, "decision")] == ["APPLIED"]

    after = groups_of(aws, instance)
    assert after.keys() == before.keys()
    (quarantine,) = {group for groups in after.values() for group in groups}
    rules = aws.client("ec2").describe_security_groups(GroupIds=[quarantine])["SecurityGroups"][0]
    assert (rules["IpPermissions"], rules["IpPermissionsEgress"], rules["VpcId"]) == ([], [], world.vpc_id)

    entries = follow.journal("quarantine_instance", "instance", instance.id)
    assert [entry.step for entry in entries] == ["REFUSED", "APPLYING", "APPLIED", "VERIFIED"]
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4]
    assert {entry.correlation_id for entry in entries[1:]} == {second}
    assert {entry.verdict_id for entry in entries[1:]} == {verdict["verdict_id"]}
    written_before = {eni: state["groups"] for eni, state in entries[1].plan["before"]["interfaces"].items()}
    assert written_before == before

    follow.undo(follow.containment_id(instance))
    aws.drain()
    assert groups_of(aws, instance) == before
    assert follow.steps(instance)[4:] == ["UNDOING", "UNDONE"]
    assert follow.journal("quarantine_instance", "instance", instance.id)[-1].actor == ADA


def test_the_same_finding_again_changes_nothing(aws: EmbeddedAws, world: World, follow: Followed) -> None:
    instance = follow.fresh_instance(world)
    findings = [port_probe(world, instance), domain_request(world, instance)]
    for finding in findings:
        aws.put_event(finding)
    aws.drain()
    steps, groups = follow.steps(instance), groups_of(aws, instance)
    position, _ = aws.control.calls()

    aws.control.advance_clock(301)  # beyond the queue's own deduplication, so that the responder sees it
    for finding in findings:
        aws.put_event(finding)
    deliveries = aws.drain()

    assert "breakwater-respond" in [delivery.mapping.function_name for delivery in deliveries]
    assert follow.steps(instance) == steps
    assert groups_of(aws, instance) == groups
    changes = [call.permission for call in aws.calls("respond", since=position) if call.service == "ec2"]
    assert not [permission for permission in changes if "Describe" not in permission]


def test_a_machine_that_is_never_touched_is_refused_with_the_reason(aws: EmbeddedAws, world: World, follow: Followed) -> None:
    instance = follow.fresh_instance(world, **{"break-glass": "true"})
    before = groups_of(aws, instance)
    follow.attack(world, instance)
    aws.drain()
    assert groups_of(aws, instance) == before
    last = follow.journal("quarantine_instance", "instance", instance.id)[-1]
    assert last.step == "REFUSED"
    assert "break-glass" in last.detail["reason"]


def test_observe_mode_says_what_it_would_do_and_does_nothing(aws: EmbeddedAws, world: World, follow: Followed) -> None:
    instance = follow.fresh_instance(world)
    before = groups_of(aws, instance)
    with under(aws, "observe"):
        follow.attack(world, instance)
        aws.drain()
    assert groups_of(aws, instance) == before
    assert follow.steps(instance)[-1] == "OBSERVED"


def test_in_approve_mode_a_person_is_asked_and_the_answer_contains(aws: EmbeddedAws, world: World, follow: Followed) -> None:
    instance = follow.fresh_instance(world)
    before = groups_of(aws, instance)
    with under(aws, "approve"):
        follow.attack(world, instance)
        aws.drain()
        assert (follow.steps(instance), groups_of(aws, instance)) == (["REFUSED", "PROPOSED"], before)
        proposal = follow.proposal(instance)
        follow.approve(proposal)
        delivered = [delivery.mapping.function_name for delivery in aws.drain()]
        follow.approve(proposal)
        aws.drain()
    assert delivered == ["breakwater-answer-proposals"]
    assert follow.steps(instance)[2:] == ["APPROVED", "APPLYING", "APPLIED", "VERIFIED", "REFUSED"]
    assert groups_of(aws, instance) != before
    assert follow.journal("quarantine_instance", "instance", instance.id)[2].actor == ADA
    follow.undo(proposal.id)
    aws.drain()
    assert groups_of(aws, instance) == before


@pytest.mark.parametrize(
    ("action", "contains", "when"),
    [
        ("PutItem", "APPLYING", "after"),  # the state before is written, nothing is changed
        ("ModifyNetworkInterfaceAttribute", "", "before"),
        ("ModifyNetworkInterfaceAttribute", "", "after"),  # one interface of three is changed
        ("PutItem", '"step": {"S": "APPLIED"', "before"),  # all is changed, and nobody knows
    ],
)
def test_a_function_killed_while_containing_goes_on_from_its_journal(
    aws: EmbeddedAws, world: World, follow: Followed, action: str, contains: str, when: str
) -> None:
    instance = follow.fresh_instance(world)
    before = groups_of(aws, instance)
    aws.put_event(port_probe(world, instance))
    aws.drain()

    aws.kill_at("respond", action, contains=contains, when=when)
    aws.put_event(domain_request(world, instance))
    killed, resumed = (each for each in aws.drain() if each.mapping.function_name == "breakwater-respond")

    assert killed.error
    assert b"Runtime.ExitError" in killed.answer
    assert not resumed.error
    assert [message["Attributes"]["ApproximateReceiveCount"] for message in resumed.messages] == ["2"]
    steps = follow.steps(instance)
    assert (steps.count("APPLYING"), steps.count("APPLIED")) == (2, 1), "who takes it up says so, and applies the plan of before"
    assert steps[-2:] == ["APPLIED", "VERIFIED"]
    assert len({group for groups in groups_of(aws, instance).values() for group in groups}) == 1

    follow.undo(follow.containment_id(instance))
    aws.drain()
    assert groups_of(aws, instance) == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("not json", "-"),
        (json.dumps({"detail-type": "GuardDuty Finding", "detail": {"accountId": "123456789012"}}), "type"),
        (json.dumps({"detail-type": "Something Else", "detail": {}}), "detail-type"),
    ],
)
def test_a_poisoned_record_is_a_dead_letter_with_its_reason(aws: EmbeddedAws, follow: Followed, body: str, field: str) -> None:
    follow.send("findings", body)
    (delivery,) = aws.drain()
    assert len(delivery.handled) == 1, "it is not delivered again"
    letter = follow.dead_letter("findings", body)
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes["reason"]
    assert attributes["source"].startswith("guardduty:")
    assert attributes["field"] == field


def test_poison_does_not_hold_up_the_good_messages_of_its_batch(aws: EmbeddedAws, world: World, follow: Followed) -> None:
    instance = follow.fresh_instance(world)
    follow.send("findings", '{"poison": "beside good ones"}')
    follow.attack(world, instance)
    aws.drain()
    assert follow.steps(instance)[-1] == "VERIFIED"


def test_the_schedule_reaches_the_function_that_ends_containments(aws: EmbeddedAws) -> None:
    assert aws.tick() == ["breakwater-expire"]
    (delivery,) = aws.drain()
    assert delivery.mapping.function_name == "breakwater-expire-containments"
    assert not delivery.error
