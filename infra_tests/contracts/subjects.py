"""Every action with something to do, in its own cloud: what it is asked for, what can be seen of it, who interferes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from azure_functions.actions.block_address import BlockAddress
from azure_functions.actions.block_sign_in import BlockSignIn
from azure_functions.actions.catalogue import GROUPS, UNDO_GROUP
from azure_functions.actions.close_storage_account import CloseStorageAccount
from azure_functions.actions.quarantine_instance import QuarantineInstance as QuarantineMachine
from azure_functions.actions.remove_role_assignments import RemoveRoleAssignments
from azure_functions.actions.revoke_sessions import RevokeSessions as RevokeSignIns
from infra_tests.azure_functions.actions.cloud import ATTACKER, Cloud
from infra_tests.azure_functions.actions.cloud import NOW_MS as CLOUD_NOW_MS
from infra_tests.lambdas.account import ACCOUNT, NOW_MS, Account
from infra_tests.lambdas.actions.iam import ALLOW, access_key, assumes, role, trust, user
from infra_tests.lambdas.actions.invoked import FUNCTION, CustomersFunction
from infra_tests.lambdas.actions.waf import blocks_by, blocks_of, ip_set, web_acl, write
from infra_tests.response.world import IsolateMachine, verdict
from lambdas.actions.block_address import BlockAddress as BlockAddressOnAws
from lambdas.actions.block_address_in_waf import BlockAddressInWaf
from lambdas.actions.block_public_access import BlockPublicAccess
from lambdas.actions.block_sign_in import BlockSignIn as BlockUser
from lambdas.actions.close_security_group_rules import CloseSecurityGroupRules
from lambdas.actions.deactivate_access_keys import DeactivateAccessKeys
from lambdas.actions.invoke_function import InvokeFunction
from lambdas.actions.quarantine_instance import QuarantineInstance
from lambdas.actions.restrict_role import RestrictRole
from lambdas.actions.revoke_sessions import RevokeSessions
from lambdas.actions.tighten_trust_policy import TightenTrustPolicy
from lambdas.actions.unshare_snapshot import UnshareSnapshot
from offline.aws.calls import permitted_as
from response.actions import Action
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.trust import trust as trust_of
from shared_model.verdicts import Verdict

_PASSWORD = "correct horse battery staple 1!"
_NOBODY = "00000000-0000-4000-8000-00000000dead"


@dataclass(frozen=True, slots=True)
class Subject:
    """An action and its world.

    Attributes
    ----------
    action : Action
    verdict : Verdict
        Its entity is the target.
    state : callable
        What the action changes and undo restores, as it is now.
    interfere : callable or None
        Somebody else changes what the action changed. None: nothing of it is theirs to change.
    gone : Verdict or None
        About a target that is not there. None: the action knows of no such thing.
    operations : callable
        Permissions that the calls since the last question needed, (by whom applies, by whom undoes). Empty in process.
    returns : bool
        Whether undo brings the state back. Sessions that were ended stay so; undo then says so.
    """

    action: Action
    verdict: Verdict
    state: Callable[[], Any]
    interfere: Callable[[], None] | None
    gone: Verdict | None
    operations: Callable[[], tuple[set[str], set[str]]]
    returns: bool = True

    @property
    def target(self) -> Entity:
        return self.verdict.entity


def about(target: Entity, *related: Entity) -> Verdict:
    return verdict("", "v", Telemetry.FLOW_LOGS, entity=target, related=related, completed_flow=True)


def isolate_machine() -> Subject:
    world = {"i-1": {"eni-a": "open", "eni-b": "web"}}
    return Subject(
        action=IsolateMachine(world),
        verdict=about(Entity(EntityKind.INSTANCE, "i-1", ACCOUNT)),
        state=lambda: dict(world["i-1"]),
        interfere=lambda: world["i-1"].update({"eni-a": "forensics"}),
        gone=None,
        operations=lambda: (set(), set()),
    )


def aws_block_address(account: Account) -> Subject:
    ec2, vpc = account.clients("ec2"), account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")], interfaces=2)
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    acl = ec2.describe_network_acls(Filters=filters)["NetworkAcls"][0]["NetworkAclId"]
    operations = _calls(account)

    def entries() -> list[str]:
        found = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
        return sorted(json.dumps(entry, sort_keys=True) for entry in found)

    def interfere() -> None:
        ours = next(entry for entry in map(json.loads, entries()) if entry["RuleNumber"] < 100)
        ec2.replace_network_acl_entry(NetworkAclId=acl, **{**ours, "RuleAction": "allow"})

    reached = (Entity(EntityKind.INSTANCE, instance, ACCOUNT),)
    return Subject(
        action=BlockAddressOnAws(account.clients),
        verdict=replace(about(Entity(EntityKind.ADDRESS, ATTACKER, ACCOUNT)), reached=reached),
        state=entries,
        interfere=interfere,
        gone=None,  # an address is always there; where to block it is what the verdict's other names say
        operations=operations,
    )


def aws_block_address_in_waf(account: Account) -> Subject:
    name = ip_set(account, "blocked")
    web_acl(account, blocks_by(name))
    operations = _calls(account)
    return Subject(
        action=BlockAddressInWaf(account.clients, {"ip_sets": [name.arn]}),
        verdict=about(Entity(EntityKind.ADDRESS, ATTACKER, ACCOUNT)),
        state=lambda: blocks_of(account, name),
        interfere=lambda: write(account, name, f"{ATTACKER}/24"),
        gone=None,  # an address is always there
        operations=operations,
    )


def aws_invoke_function(account: Account) -> Subject:
    function = CustomersFunction(account.clients)

    def release() -> None:
        function.contained.clear()
        function.contained["another's"] = "db-2"

    return Subject(
        action=InvokeFunction(account.clients, {"function": FUNCTION, "understands": ["verify", "undo"]}),
        verdict=about(Entity(EntityKind.HOST, "db-1", ACCOUNT)),
        state=lambda: dict(function.contained),
        interfere=release,
        gone=None,  # what the function acts on is its own matter
        operations=_calls(account),
    )


def aws_block_public_access(account: Account) -> Subject:
    s3 = account.clients("s3")
    s3.create_bucket(Bucket="shop", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})

    def block() -> Any:
        try:
            return s3.get_public_access_block(Bucket="shop")["PublicAccessBlockConfiguration"]
        except s3.exceptions.ClientError:
            return None

    operations = _calls(account)
    return Subject(
        action=BlockPublicAccess(account.clients),
        verdict=about(Entity(EntityKind.BUCKET, "shop", ACCOUNT)),
        state=block,
        interfere=lambda: s3.put_public_access_block(
            Bucket="shop", PublicAccessBlockConfiguration={"BlockPublicAcls": True, "IgnorePublicAcls": False}
        ),
        gone=about(Entity(EntityKind.BUCKET, "gone", ACCOUNT)),
        operations=operations,
    )


def aws_unshare_snapshot(account: Account) -> Subject:
    ec2 = account.clients("ec2")
    volume = ec2.create_volume(Size=1, AvailabilityZone="eu-central-1a")["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]

    def share(**names: list[str]) -> None:
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", **names)

    def shares() -> list[str]:
        found = ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
        return sorted(json.dumps(each) for each in found["CreateVolumePermissions"])

    share(GroupNames=["all"])
    operations = _calls(account)
    return Subject(
        action=UnshareSnapshot(account.clients),
        verdict=about(Entity(EntityKind.SNAPSHOT, snapshot, ACCOUNT)),
        state=shares,
        interfere=lambda: share(UserIds=["210987654321"]),
        gone=about(Entity(EntityKind.SNAPSHOT, "snap-00000000000000000", ACCOUNT)),
        operations=operations,
    )


def aws_close_security_group_rules(account: Account) -> Subject:
    ec2, group = account.clients("ec2"), account.group(account.vpc(), "web")
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}

    def open_to_all(note: str) -> str:
        opened = [{**ssh, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": note}]}]
        made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=opened)
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def rules() -> list[str]:
        found = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
        return sorted(json.dumps({**rule, "SecurityGroupRuleId": ""}, sort_keys=True) for rule in found)  # new after an undo

    def interfere() -> None:
        open_to_all("needed after all")

    named = (EntityKind.SECURITY_GROUP, group), (EntityKind.SECURITY_GROUP_RULE, open_to_all("temporary"))
    opened = tuple(Entity(kind, name, ACCOUNT) for kind, name in named)
    operations = _calls(account)
    return Subject(
        action=CloseSecurityGroupRules(account.clients),
        verdict=replace(about(opened[0]), opened=opened),
        state=rules,
        interfere=interfere,
        gone=replace(about(Entity(EntityKind.SECURITY_GROUP, "sg-00000000000000000", ACCOUNT)), opened=opened),
        operations=operations,
    )


def aws_quarantine_instance(account: Account) -> Subject:
    vpc = account.vpc()
    web, forensics = account.group(vpc, "web"), account.group(vpc, "forensics")
    instance = account.instance(vpc, [web], interfaces=2)
    first, _ = account.groups_of(instance)
    operations = _calls(account)
    return Subject(
        action=QuarantineInstance(account.clients),
        verdict=about(Entity(EntityKind.INSTANCE, instance, ACCOUNT)),
        state=lambda: account.groups_of(instance),
        interfere=lambda: account.clients("ec2").modify_network_interface_attribute(NetworkInterfaceId=first, Groups=[forensics]),
        gone=about(Entity(EntityKind.INSTANCE, "i-00000000000000000", ACCOUNT)),
        operations=operations,
    )


def aws_revoke_sessions(account: Account) -> Subject:
    iam, (principal, session) = account.clients("iam"), role(account, "web")
    operations = _calls(account)

    def policies() -> dict[str, Any]:
        names = iam.list_role_policies(RoleName="web")["PolicyNames"]
        return {name: iam.get_role_policy(RoleName="web", PolicyName=name)["PolicyDocument"] for name in names}

    return Subject(
        action=RevokeSessions(account.clients, clock=lambda: NOW_MS / 1000),
        verdict=about(session, principal),
        state=policies,
        interfere=lambda: iam.put_role_policy(RoleName="web", PolicyName=next(iter(policies())), PolicyDocument=ALLOW),
        gone=about(replace(principal, id=f"{principal.id}-gone")),
        operations=operations,
    )


def aws_deactivate_access_keys(account: Account) -> Subject:
    iam, alice = account.clients("iam"), user(account, "alice")
    first, second = access_key(account, "alice"), access_key(account, "alice")
    operations = _calls(account)

    def interfere() -> None:
        iam.update_access_key(UserName="alice", AccessKeyId=first.id, Status="Active")
        iam.delete_access_key(UserName="alice", AccessKeyId=second.id)

    return Subject(
        action=DeactivateAccessKeys(account.clients),
        verdict=about(alice, first),
        state=lambda: {key["AccessKeyId"]: key["Status"] for key in iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]},
        interfere=interfere,
        gone=about(replace(alice, id=f"{alice.id}-gone")),
        operations=operations,
    )


def aws_block_sign_in(account: Account) -> Subject:
    iam, alice = account.clients("iam"), user(account, "alice")
    iam.create_login_profile(UserName="alice", Password=_PASSWORD)
    operations = _calls(account)

    def policies() -> dict[str, Any]:
        names = iam.list_user_policies(UserName="alice")["PolicyNames"]
        return {name: iam.get_user_policy(UserName="alice", PolicyName=name)["PolicyDocument"] for name in names}

    return Subject(
        action=BlockUser(account.clients),
        verdict=about(alice),
        state=policies,
        interfere=lambda: iam.put_user_policy(UserName="alice", PolicyName=next(iter(policies())), PolicyDocument=ALLOW),
        gone=about(replace(alice, id=f"{alice.id}-gone")),
        operations=operations,
    )


def aws_restrict_role(account: Account) -> Subject:
    iam, (principal, session) = account.clients("iam"), role(account, "web")
    others = iam.create_policy(PolicyName="others", PolicyDocument=ALLOW)["Policy"]["Arn"]
    operations = _calls(account)
    return Subject(
        action=RestrictRole(account.clients),
        verdict=about(session, principal),
        state=lambda: iam.get_role(RoleName="web")["Role"].get("PermissionsBoundary"),
        interfere=lambda: iam.put_role_permissions_boundary(RoleName="web", PermissionsBoundary=others),
        gone=about(replace(principal, id=f"{principal.id}-gone")),
        operations=operations,
    )


def aws_tighten_trust_policy(account: Account) -> Subject:
    iam, intruder = account.clients("iam"), assumes(AWS="arn:aws:iam::210987654321:root")
    arn = role(account, "web", trusted=trust(assumes(Service="ec2.amazonaws.com"), intruder))[0].id
    operations = _calls(account)
    return Subject(
        action=TightenTrustPolicy(account.clients),
        verdict=about(trust_of(arn, "210987654321", ACCOUNT)),
        state=lambda: iam.get_role(RoleName="web")["Role"]["AssumeRolePolicyDocument"],
        interfere=lambda: iam.update_assume_role_policy(RoleName="web", PolicyDocument=trust(intruder)),
        gone=about(trust_of(f"{arn}-gone", "210987654321", ACCOUNT)),
        operations=operations,
    )


def azure_quarantine_instance(cloud: Cloud) -> Subject:
    front, back = cloud.world.database_interfaces

    def interfere() -> None:
        cloud.arm.change(front, lambda nic: nic["properties"].update(networkSecurityGroup={"id": cloud.world.open_group}))

    machine = cloud.world.database.lower()
    return _on_azure(
        cloud,
        QuarantineMachine(cloud.clients, persistence=cloud.persistence),
        about(Entity(EntityKind.INSTANCE, machine, cloud.world.subscription_id)),
        lambda: (cloud.group_of(front), cloud.group_of(back)),
        interfere,
        gone=Entity(EntityKind.INSTANCE, f"{machine}-gone", cloud.world.subscription_id),
    )


def azure_block_address(cloud: Cloud) -> Subject:
    edge, subscription = cloud.world.edge_group, cloud.world.subscription_id

    def interfere() -> None:
        def allow(group: dict[str, Any]) -> None:
            for rule in group["properties"]["securityRules"]:
                if ATTACKER in json.dumps(rule):
                    rule["properties"]["access"] = "Allow"

        cloud.arm.change(edge, allow)

    machine = Entity(EntityKind.INSTANCE, cloud.world.web.lower(), subscription)
    return _on_azure(
        cloud,
        BlockAddress(cloud.clients, persistence=cloud.persistence),
        about(Entity(EntityKind.ADDRESS, ATTACKER, subscription), machine),
        lambda: (cloud.rules(edge), cloud.flushes(edge)),
        interfere,
        gone=None,  # an address is always there; where to block it is what the verdict's other names say
    )


def azure_remove_role_assignments(cloud: Cloud) -> Subject:
    kept = ("roleDefinitionId", "principalId", "scope", "condition", "description")

    def assignments() -> list[str]:
        found = cloud.arm.roles.assignments(cloud.world.deployer)
        return sorted(json.dumps([one["id"], *(one["properties"].get(name) for name in kept)]) for one in found)

    return _on_azure(
        cloud,
        RemoveRoleAssignments(cloud.clients, persistence=cloud.persistence),
        about(Entity(EntityKind.PRINCIPAL, cloud.world.deployer, cloud.world.subscription_id)),
        assignments,
        None,
        gone=None,  # of a principal that is gone the assignments are left, and are removed
    )


def azure_revoke_sessions(cloud: Cloud) -> Subject:
    made = _on_user(
        cloud,
        RevokeSignIns(cloud.clients, persistence=cloud.persistence, clock=lambda: CLOUD_NOW_MS / 1000),
        lambda user: user["signInSessionsValidFromDateTime"],
    )
    return replace(made, returns=False)


def azure_block_sign_in(cloud: Cloud) -> Subject:
    return _on_user(cloud, BlockSignIn(cloud.clients, persistence=cloud.persistence), lambda user: user["accountEnabled"])


def azure_close_storage_account(cloud: Cloud) -> Subject:
    account, subscription = cloud.world.storage, cloud.world.subscription_id
    return _on_azure(
        cloud,
        CloseStorageAccount(cloud.clients, persistence=cloud.persistence),
        about(Entity(EntityKind.BUCKET, account.lower(), subscription)),
        lambda: cloud.arm.resource(account)["properties"],
        None,  # two switches that are off already cannot be turned further off
        gone=Entity(EntityKind.BUCKET, f"{account.lower()}gone", subscription),
    )


def _on_user(cloud: Cloud, action: Action, state: Callable[[dict[str, Any]], Any]) -> Subject:
    alice, subscription = cloud.world.alice, cloud.world.subscription_id
    cloud.graph.add_user(alice, "alice@example.com")
    return _on_azure(
        cloud,
        action,
        about(Entity(EntityKind.PRINCIPAL, alice, subscription)),
        lambda: state(cloud.graph.object(alice)),
        None,  # what is one value and off already cannot be turned further off
        gone=Entity(EntityKind.PRINCIPAL, _NOBODY, subscription),
    )


def _on_azure(
    cloud: Cloud,
    action: Action,
    verdict: Verdict,
    state: Callable[[], Any],
    interfere: Callable[[], None] | None,
    *,
    gone: Entity | None,
) -> Subject:
    asked = [len(cloud.calls)]

    def operations() -> tuple[set[str], set[str]]:
        since, asked[0] = asked[0], len(cloud.calls)
        return cloud.made(GROUPS[action.name], since=since), cloud.made(UNDO_GROUP, since=since)

    missing = about(gone) if gone is not None else None
    return Subject(action, verdict, state, interfere, missing, operations)


def _calls(account: Account) -> Callable[[], tuple[set[str], set[str]]]:
    """Say which permissions the calls since then needed. One identity makes them all here: the caller knows the half."""
    made: set[str] = set()
    #: Reads of the test itself.
    own = {"iam:ListRolePolicies", "iam:ListUserPolicies"}
    also = {"ec2:CreateSecurityGroup": ("ec2:CreateTags",), "ec2:CreateSnapshots": ("ec2:CreateTags",)}

    def record(model: Any, **_: Any) -> None:
        (permission,) = permitted_as(model.service_model.signing_name, model.name, b"")
        name = f"{model.service_model.signing_name}:{permission}"
        made.update((name, *also.get(name, ())))

    account.clients.listen("before-call", record)

    def taken() -> tuple[set[str], set[str]]:
        permissions = made - own
        made.clear()
        return permissions, permissions

    return taken


IN_PROCESS = (isolate_machine,)
ON_AWS = (
    aws_block_address,
    aws_block_address_in_waf,
    aws_block_public_access,
    aws_close_security_group_rules,
    aws_invoke_function,
    aws_quarantine_instance,
    aws_revoke_sessions,
    aws_deactivate_access_keys,
    aws_block_sign_in,
    aws_restrict_role,
    aws_tighten_trust_policy,
    aws_unshare_snapshot,
)
ON_AZURE = (
    azure_quarantine_instance,
    azure_block_address,
    azure_remove_role_assignments,
    azure_revoke_sessions,
    azure_block_sign_in,
    azure_close_storage_account,
)
