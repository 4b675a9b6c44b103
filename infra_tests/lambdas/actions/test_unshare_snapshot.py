"""Taking back shares on moto: snapshots of volumes and databases, machine images; everybody and accounts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.response.world import verdict
from lambdas.actions.shares import Shares
from lambdas.actions.unshare_snapshot import UnshareSnapshot
from response.actions import Plan, Verification
from shared_model.events import Entity, EntityKind, Telemetry

PARTNER, BACKUP = "210987654321", "310987654321"


@dataclass
class Shared:
    """Something that can be shared, under its own tags."""

    entity: Entity
    gone: Entity


def volume_snapshot(account: Account) -> Shared:
    ec2 = account.clients("ec2")
    volume = ec2.create_volume(Size=1, AvailabilityZone="eu-central-1a")["VolumeId"]
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "team", "Value": "shop"}]}]
    made = ec2.create_snapshot(VolumeId=volume, TagSpecifications=tags)["SnapshotId"]
    return Shared(Entity(EntityKind.SNAPSHOT, made, ACCOUNT), Entity(EntityKind.SNAPSHOT, "snap-00000000000000000", ACCOUNT))


def image(account: Account) -> Shared:
    ec2 = account.clients("ec2")
    instance = account.instance(account.vpc(), [])
    made = ec2.create_image(InstanceId=instance, Name="shop")["ImageId"]
    ec2.create_tags(Resources=[made], Tags=[{"Key": "team", "Value": "shop"}])
    return Shared(Entity(EntityKind.IMAGE, made, ACCOUNT), Entity(EntityKind.IMAGE, "ami-00000000000000000", ACCOUNT))


def database_snapshot(account: Account) -> Shared:
    rds = account.clients("rds")
    rds.create_db_instance(DBInstanceIdentifier="shop", Engine="postgres", DBInstanceClass="db.t3.micro")
    made = rds.create_db_snapshot(
        DBInstanceIdentifier="shop", DBSnapshotIdentifier="daily", Tags=[{"Key": "team", "Value": "shop"}]
    )["DBSnapshot"]["DBSnapshotArn"]
    return Shared(Entity(EntityKind.SNAPSHOT, made, ACCOUNT), Entity(EntityKind.SNAPSHOT, f"{made}-gone", ACCOUNT))


def cluster_snapshot(account: Account) -> Shared:
    rds = account.clients("rds")
    rds.create_db_cluster(
        DBClusterIdentifier="shop", Engine="aurora-postgresql", MasterUsername="shop", MasterUserPassword="x" * 16
    )
    made = rds.create_db_cluster_snapshot(
        DBClusterIdentifier="shop", DBClusterSnapshotIdentifier="daily", Tags=[{"Key": "team", "Value": "shop"}]
    )["DBClusterSnapshot"]["DBClusterSnapshotArn"]
    return Shared(Entity(EntityKind.SNAPSHOT, made, ACCOUNT), Entity(EntityKind.SNAPSHOT, f"{made}-gone", ACCOUNT))


every_kind = pytest.mark.parametrize(
    "make", [volume_snapshot, image, database_snapshot, cluster_snapshot], ids=lambda f: f.__name__
)
Make = Callable[[Account], Shared]


def plan(action: UnshareSnapshot, target: Entity) -> Plan:
    made = action.plan(target, verdict("", "v", Telemetry.API_CALLS, entity=target))
    return Plan.from_json_value(json.loads(json.dumps(made.to_json_value())))


@every_kind
@pytest.mark.parametrize("shares", [["all"], [PARTNER], [PARTNER, BACKUP, "all"]], ids=len)
def test_all_shares_go_and_come_back(account: Account, make: Make, shares: list[str]) -> None:
    target, reader, action = make(account).entity, Shares(account.clients), UnshareSnapshot(account.clients)
    reader.write(target, add=shares)
    before = reader.read(target)
    assert before == sorted(shares)
    made = plan(action, target)
    assert (made.refusal, made.is_noop, made.tags) == ("", False, {"team": "shop"})
    assert reader.read(target) == before
    assert action.verify(made) is Verification.DRIFTED
    for _ in range(2):
        assert action.check(made) == ""
        action.apply(made)
        assert reader.read(target) == []
        assert action.verify(made) is Verification.VERIFIED
    assert plan(action, target).is_noop
    for _ in range(2):
        assert action.undo(made).left == ()
        assert reader.read(target) == before


@every_kind
def test_a_share_that_came_since_is_drift_and_is_left(account: Account, make: Make) -> None:
    target, reader, action = make(account).entity, Shares(account.clients), UnshareSnapshot(account.clients)
    reader.write(target, add=["all"])
    made = plan(action, target)
    reader.write(target, add=[PARTNER])
    assert f"shared with {PARTNER} too" in action.check(made)
    action.apply(made)
    assert reader.read(target) == [PARTNER]
    assert action.verify(made) is Verification.DRIFTED
    assert PARTNER in action.undo(made).left[0]
    assert reader.read(target) == sorted(["all", PARTNER])


@every_kind
def test_what_is_gone_is_refused_and_said(account: Account, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, action = make(account).gone, UnshareSnapshot(account.clients)
    if gone.kind is EntityKind.IMAGE:  # of which moto breaks instead of answering as EC2 does

        def unknown(**_: Any) -> None:
            raise ClientError({"Error": {"Code": "InvalidAMIID.NotFound", "Message": ""}}, "DescribeImageAttribute")

        monkeypatch.setattr(account.clients("ec2"), "describe_image_attribute", unknown)
    assert "nothing is left to close" in plan(action, gone).refusal
    assert "is gone" in action.undo(Plan(action.name, gone, {"shares": ["all"]}, {"shares": []}, (), "")).left[0]
    assert "is gone" in action.check(Plan(action.name, gone, {"shares": ["all"]}, {"shares": []}, (), ""))


def test_organizations_are_written_as_what_they_are(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto knows no shares with organizations: what would be asked is looked at."""
    asked: list[Any] = []
    monkeypatch.setattr(account.clients("ec2"), "modify_image_attribute", lambda **arguments: asked.append(arguments))
    organization, unit = "arn:aws:organizations::1:organization/o-1", "arn:aws:organizations::1:ou/o-1/ou-1"
    Shares(account.clients).write(Entity(EntityKind.IMAGE, "ami-1", ACCOUNT), add=[organization], remove=[unit])
    wanted = {"Add": [{"OrganizationArn": organization}], "Remove": [{"OrganizationalUnitArn": unit}]}
    assert asked == [{"ImageId": "ami-1", "LaunchPermission": wanted}]


def test_where_block_public_access_is_on_since_the_undo_says_so_instead_of_trying_for_ever(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, action = image(account), UnshareSnapshot(account.clients)
    Shares(account.clients).write(shared.entity, add=["all"])
    made = action.plan(shared.entity, verdict(shared.entity.id, "v", Telemetry.API_CALLS))
    action.apply(made)

    def forbidden(**_: object) -> None:
        message = "You can't publicly share this image because block public access for AMIs is enabled"
        raise ClientError({"Error": {"Code": "OperationNotPermitted", "Message": message}}, "ModifyImageAttribute")

    monkeypatch.setattr(account.clients("ec2"), "modify_image_attribute", forbidden)
    result = action.undo(made)
    assert result.restored == ()
    assert "block public access" in result.left[0]
