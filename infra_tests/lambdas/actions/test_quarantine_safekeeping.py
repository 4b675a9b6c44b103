"""What goes with a quarantine and never holds it up: protection from being ended, tags, snapshots."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ReadTimeoutError
from moto.ec2.models import ec2_backends

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.lambdas.actions.quarantined import (
    DENIALS,
    attribute,
    denied,
    is_isolated,
    plan_for,
    single,
    tags,
)
from lambdas.actions.forensics import CONTAINMENT_TAG, Evidence, read_forensics
from lambdas.actions.quarantine_instance import QuarantineInstance
from response.actions import CannotApply, CloudUnavailable, Verification


class TestProtection:
    @pytest.mark.parametrize("protected", [False, True])
    def test_it_cannot_be_ended_while_it_is_contained_and_then_as_before(self, account: Account, protected: bool) -> None:
        ec2, instance = account.clients("ec2"), single(account)
        ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": protected})
        ec2.modify_instance_attribute(InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior", Value="terminate")
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        assert ("termination protection on" in plan.touches) is not protected
        assert "behaviour at shutdown from inside stop" in plan.touches
        action.apply(plan)
        assert attribute(account, instance, "disableApiTermination") is True
        assert attribute(account, instance, "instanceInitiatedShutdownBehavior") == "stop"
        assert action.verify(plan) is Verification.VERIFIED
        assert action.undo(plan).left == ()
        assert attribute(account, instance, "disableApiTermination") is protected
        assert attribute(account, instance, "instanceInitiatedShutdownBehavior") == "terminate"

    def test_protection_comes_first_of_all_writes(self, account: Account) -> None:
        instance, made = single(account), list[str]()
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)

        def record(model: Any, **_: Any) -> None:
            made.append(model.name)

        account.clients.listen("before-call", record)
        action.apply(plan)
        assert next(name for name in made if not name.startswith("Describe")) == "ModifyInstanceAttribute"

    def test_whoever_takes_the_protection_away_is_seen(self, account: Account) -> None:
        ec2, instance = account.clients("ec2"), single(account)
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        action.apply(plan)
        ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
        assert action.verify(plan) is Verification.DRIFTED
        (changed,) = [part for part in action.compare(plan) if part.what.startswith("termination protection")]
        assert (changed.before, changed.applied, changed.now, changed.is_changed) == ("False", "True", "False", False)
        assert action.undo(plan).left == ()

    def test_a_spot_instance_is_isolated_all_the_same(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        instance = single(account)
        ec2 = account.clients("ec2")
        found = ec2.describe_instances(InstanceIds=[instance])
        found["Reservations"][0]["Instances"][0]["InstanceLifecycle"] = "spot"
        monkeypatch.setattr(ec2, "describe_instances", lambda **_: found)
        monkeypatch.setattr(ec2, "modify_instance_attribute", None)
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        assert any(text.startswith("a spot instance") for text in plan.touches)
        action.apply(plan)
        assert action.verify(plan) is Verification.VERIFIED
        assert action.undo(plan).left == ()

    @pytest.mark.parametrize("code", DENIALS)
    def test_a_machine_whose_protection_is_denied_is_isolated_all_the_same_and_shows_as_drift(
        self, account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: str
    ) -> None:
        instance = single(account)
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        denied(account, monkeypatch, "modify_instance_attribute", code)
        action.apply(plan)
        assert is_isolated(account, plan)
        assert action.verify(plan) is Verification.DRIFTED
        assert f"{instance} is isolated, but it is not protected from being ended" in caplog.text
        assert code in caplog.text

    def test_a_protection_that_is_throttled_is_asked_for_again_after_the_isolation(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        action = QuarantineInstance(account.clients, {"tags": {"hold": "yes"}})
        plan = plan_for(action, instance := single(account))
        with monkeypatch.context() as throttled:
            denied(account, throttled, "modify_instance_attribute", "RequestLimitExceeded")
            with pytest.raises(CloudUnavailable, match="RequestLimitExceeded"):
                action.apply(plan)
        assert is_isolated(account, plan)
        assert tags(account, instance) == {"hold": "yes"}
        action.apply(plan)
        assert action.verify(plan) is Verification.VERIFIED

    def test_the_isolation_waits_for_one_attempt_at_protection_only(self, account: Account) -> None:
        action, sent = QuarantineInstance(account.clients), list[str]()
        plan = plan_for(action, single(account))

        def no_answer(request: Any, **_: Any) -> None:
            if not is_isolated(account, plan):
                sent.append(request.url)
                raise ReadTimeoutError(endpoint_url=request.url)

        account.clients.listen("before-send.ec2.ModifyInstanceAttribute", no_answer)
        action.apply(plan)
        assert len(sent) == 1
        assert action.verify(plan) is Verification.VERIFIED

    def test_protection_that_cannot_be_given_back_is_left_and_named(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        instance = single(account)
        action = QuarantineInstance(account.clients, {"tags": {"hold": "yes"}})
        plan = plan_for(action, instance)
        action.apply(plan)
        denied(account, monkeypatch, "modify_instance_attribute", "UnauthorizedOperation")
        (left,) = action.undo(plan).left
        assert left.startswith(f"{instance} keeps its protection")
        assert tags(account, instance) == {}

    def test_a_plan_of_before_there_was_any_protection_is_still_undone(self, account: Account) -> None:
        instance = single(account)
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        keys = ("interfaces", "auto_scaling")
        earlier = replace(plan, before={k: plan.before[k] for k in keys}, after={k: plan.after[k] for k in keys})
        action.apply(earlier)
        assert attribute(account, instance, "disableApiTermination") is False
        assert action.verify(earlier) is Verification.VERIFIED
        assert action.undo(earlier).left == ()


class TestForensics:
    SETTINGS: ClassVar = {"snapshots": True, "tags": {"incident": "{containment}", "hold": "yes"}}

    def test_tags_come_and_go_and_snapshots_stay_and_are_named(self, account: Account) -> None:
        instance = single(account, incident="none", team="shop")
        action = QuarantineInstance(account.clients, self.SETTINGS)
        plan = plan_for(action, instance)
        containment = plan.after["snapshots"]
        assert any(f"{CONTAINMENT_TAG}={containment}" in text for text in plan.touches)
        for _ in range(2):
            action.apply(plan)
        assert tags(account, instance) == {"incident": containment, "hold": "yes", "team": "shop"}
        own = account.clients("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
        (snapshot,) = [each for each in own if {"Key": CONTAINMENT_TAG, "Value": containment} in each.get("Tags", [])]
        result = action.undo(plan)
        assert result.left == ()
        assert f"{snapshot['SnapshotId']} is kept" in result.restored
        assert tags(account, instance) == {"incident": "none", "team": "shop"}
        account.clients("ec2").describe_snapshots(SnapshotIds=[snapshot["SnapshotId"]])

    def test_a_snapshot_that_somebody_deleted_is_drift(self, account: Account) -> None:
        action = QuarantineInstance(account.clients, {"snapshots": True})
        plan = plan_for(action, single(account))
        action.apply(plan)
        assert action.verify(plan) is Verification.VERIFIED
        for snapshot in Evidence(account.clients).snapshots(plan.after["snapshots"]):
            account.clients("ec2").delete_snapshot(SnapshotId=snapshot)
        assert action.verify(plan) is Verification.DRIFTED

    def test_a_tag_that_somebody_changed_since_is_left_unless_told(self, account: Account) -> None:
        instance = single(account, incident="none")
        action = QuarantineInstance(account.clients, {"tags": {"incident": "4711"}})
        plan = plan_for(action, instance)
        action.apply(plan)
        account.clients("ec2").create_tags(Resources=[instance], Tags=[{"Key": "incident", "Value": "theirs"}])
        assert action.undo(plan).left == (f"{instance} has the tag incident=theirs: someone changed it since; it had none",)
        assert tags(account, instance) == {"incident": "theirs"}
        assert action.overwrite(plan).left == ()
        assert tags(account, instance) == {"incident": "none"}

    @pytest.mark.parametrize("call", ["create_tags", "create_snapshots"])
    @pytest.mark.parametrize("code", ["SnapshotLimitExceeded", *DENIALS])
    def test_evidence_that_ec2_denies_shows_as_drift_of_an_isolated_machine(
        self, account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, call: str, code: str
    ) -> None:
        action = QuarantineInstance(account.clients, self.SETTINGS)
        plan = plan_for(action, single(account))
        denied(account, monkeypatch, call, code)
        action.apply(plan)
        assert is_isolated(account, plan)
        assert action.verify(plan) is Verification.DRIFTED
        assert code in caplog.text
        done = {"create_tags": Evidence(account.clients).snapshots(plan.after["snapshots"]), "create_snapshots": True}
        assert done[call], "one that is denied holds up no other"

    def test_tags_whose_keys_are_no_longer_granted_are_left_and_all_else_is_given_back(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        instance = single(account)
        before = account.groups_of(instance)
        action = QuarantineInstance(account.clients, self.SETTINGS)
        plan = plan_for(action, instance)
        action.apply(plan)
        denied(account, monkeypatch, "delete_tags", "UnauthorizedOperation")
        result = action.undo(plan)
        assert [left.partition(" (")[0] for left in result.left] == [f"{instance} keeps its tags"]
        assert any("is kept" in restored for restored in result.restored)
        assert account.groups_of(instance) == before
        assert attribute(account, instance, "disableApiTermination") is False

    def test_an_isolated_machine_is_a_no_op_whatever_the_settings(self, account: Account) -> None:
        instance = single(account)
        action = QuarantineInstance(account.clients)
        action.apply(plan_for(action, instance))
        assert plan_for(QuarantineInstance(account.clients, self.SETTINGS), instance).is_noop

    def test_snapshots_that_were_not_answered_for_are_not_asked_for_again_at_once(self, account: Account) -> None:
        action, sent = QuarantineInstance(account.clients, {"snapshots": True}), list[str]()
        plan = plan_for(action, single(account))

        def no_answer(request: Any, **_: Any) -> None:
            sent.append(request.url)
            raise ReadTimeoutError(endpoint_url=request.url)

        account.clients.listen("before-send.ec2.CreateSnapshots", no_answer)
        with pytest.raises(CloudUnavailable):
            action.apply(plan)
        assert len(sent) == 1

    def test_a_snapshot_that_failed_is_no_evidence_and_is_taken_again(self, account: Account) -> None:
        action = QuarantineInstance(account.clients, {"snapshots": True})
        plan = plan_for(action, single(account))
        action.apply(plan)
        (snapshot,) = Evidence(account.clients).snapshots(plan.after["snapshots"])
        backend = ec2_backends[ACCOUNT][account.clients("ec2").meta.region_name]
        backend.snapshots[snapshot].status = "error"
        assert action.verify(plan) is Verification.DRIFTED
        action.apply(plan)
        assert action.verify(plan) is Verification.VERIFIED

    def test_a_snapshot_of_another_volume_is_no_evidence(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        ec2, action = account.clients("ec2"), QuarantineInstance(account.clients, {"snapshots": True})
        plan = plan_for(action, single(account))
        denied(account, monkeypatch, "create_snapshots", "UnauthorizedOperation")
        action.apply(plan)
        volume = ec2.create_volume(AvailabilityZone=f"{ec2.meta.region_name}a", Size=8)["VolumeId"]
        tagged = [{"Key": CONTAINMENT_TAG, "Value": plan.after["snapshots"]}]
        ec2.create_snapshot(VolumeId=volume, TagSpecifications=[{"ResourceType": "snapshot", "Tags": tagged}])
        assert action.verify(plan) is Verification.DRIFTED

    def test_a_tag_that_somebody_took_away_is_drift(self, account: Account) -> None:
        action = QuarantineInstance(account.clients, {"tags": {"hold": "yes"}})
        plan = plan_for(action, instance := single(account))
        action.apply(plan)
        assert action.verify(plan) is Verification.VERIFIED
        account.clients("ec2").delete_tags(Resources=[instance], Tags=[{"Key": "hold"}])
        assert action.verify(plan) is Verification.DRIFTED

    def test_without_settings_nothing_of_it_is_done(self, account: Account) -> None:
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, single(account, team="shop"))
        assert (plan.after["tags"], plan.after["snapshots"]) == ({}, None)

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"snapshots": "yes"}, "snapshots: give true or false"),
            ({"tags": ["a"]}, "tags: give at most 10 tags"),
            ({"tags": {"aws:a": "b"}}, "tags.aws:a: give a key that AWS takes"),
            ({"tags": {"a": 1}}, "tags.a: give a key"),
            ({"snapshot": True}, "snapshot: there is no such setting"),
        ],
    )
    def test_settings_that_do_not_fit_say_what_does(self, settings: dict[str, Any], said: str) -> None:
        with pytest.raises(ValueError, match=r"snapshot|tags") as error:
            read_forensics(settings)
        assert said in str(error.value)


def ends(account: Account, monkeypatch: pytest.MonkeyPatch, instance: str) -> None:
    """EC2 still knows the machine, and lets nobody change it any more: moto forgets its interfaces at once."""
    found = account.clients("ec2").describe_instances(InstanceIds=[instance])
    found["Reservations"][0]["Instances"][0]["State"] = {"Code": 48, "Name": "terminated"}
    for once in (False, True):
        monkeypatch.setattr(account.clients("ec2", once=once), "describe_instances", lambda **_: found)
    for call in ("modify_network_interface_attribute", "modify_instance_attribute", "describe_instance_attribute"):
        denied(account, monkeypatch, call, "IncorrectInstanceState")


def test_an_instance_that_ended_before_it_was_isolated_is_a_result_and_not_tried_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = single(account)
    action = QuarantineInstance(account.clients)
    plan = plan_for(action, instance)
    ends(account, monkeypatch, instance)
    with pytest.raises(CannotApply, match=f"{instance} is terminated since: there is nothing left to isolate"):
        action.apply(plan)


def test_the_undo_of_an_instance_that_ended_is_a_result_too(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = single(account)
    action = QuarantineInstance(account.clients)
    plan = plan_for(action, instance)
    action.apply(plan)
    ends(account, monkeypatch, instance)
    assert any("not to be read" in part.now for part in action.compare(plan))
    assert any("IncorrectInstanceState" in left for left in action.undo(plan).left)


def test_a_state_that_passes_ends_no_undo(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = single(account)
    action = QuarantineInstance(account.clients)
    plan = plan_for(action, instance)
    action.apply(plan)
    with monkeypatch.context() as patch:
        for call in ("modify_network_interface_attribute", "describe_instance_attribute"):
            denied(account, patch, call, "IncorrectState")
        (unread,) = [part for part in action.compare(plan) if "not to be read" in part.now]
        assert not unread.is_changed
        with pytest.raises(CloudUnavailable, match="IncorrectState"):
            action.undo(plan)
    assert action.verify(plan) is Verification.VERIFIED  # its protection stays until it is on the network again
    assert action.undo(plan).left == ()
    assert not is_isolated(account, plan)


def test_a_state_that_passes_is_waited_for(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = single(account)
    action = QuarantineInstance(account.clients)
    plan = plan_for(action, instance)
    with monkeypatch.context() as patch:
        denied(account, patch, "modify_network_interface_attribute", "IncorrectInstanceState")
        with pytest.raises(CloudUnavailable):
            action.apply(plan)
    action.apply(plan)
    assert is_isolated(account, plan)
