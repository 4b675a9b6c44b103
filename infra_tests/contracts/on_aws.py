"""Every AWS action with something to do, in one account."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from infra_tests.azure_functions.actions.cloud import ATTACKER
from infra_tests.contracts.subject import Subject, about
from infra_tests.lambdas.account import ACCOUNT, NOW_MS, Account
from infra_tests.lambdas.actions.iam import ALLOW, access_key, assumes, role, trust, user
from infra_tests.lambdas.actions.invoked import FUNCTION, CustomersFunction
from infra_tests.lambdas.actions.waf import blocks_by, blocks_of, ip_set, web_acl, write
from lambdas.actions.block_address import BlockAddress
from lambdas.actions.block_address_in_waf import BlockAddressInWaf
from lambdas.actions.block_public_access import BlockPublicAccess
from lambdas.actions.block_sign_in import BlockSignIn
from lambdas.actions.close_security_group_rules import CloseSecurityGroupRules
from lambdas.actions.deactivate_access_keys import DeactivateAccessKeys
from lambdas.actions.invoke_function import InvokeFunction
from lambdas.actions.quarantine_instance import QuarantineInstance
from lambdas.actions.restrict_role import RestrictRole
from lambdas.actions.revoke_sessions import RevokeSessions
from lambdas.actions.tighten_trust_policy import TightenTrustPolicy
from lambdas.actions.unshare_snapshot import UnshareSnapshot
from offline.aws.calls import permitted_as
from shared_model.events import Entity, EntityKind
from shared_model.trust import trust as trust_of

_PASSWORD = "correct horse battery staple 1!"


class _Calls:
    """Counts the calls, and says which permissions they needed. One identity makes them all here: the caller knows the half."""

    #: Reads of the test itself.
    _OWN = frozenset({"iam:ListRolePolicies", "iam:ListUserPolicies"})
    _ALSO: Mapping[str, tuple[str, ...]] = {
        "ec2:CreateSecurityGroup": ("ec2:CreateTags",),
        "ec2:CreateSnapshots": ("ec2:CreateTags",),
    }

    def __init__(self, account: Account) -> None:
        self._made: set[str] = set()
        self._count = 0
        self._refused = False
        account.clients.listen("before-call", self._record)

    def count(self) -> int:
        return self._count

    def refuse(self) -> None:
        """Let AWS refuse every change from now on."""
        self._refused = True

    def operations(self) -> tuple[set[str], set[str]]:
        """Permissions since the last question, the same for who applies and who undoes."""
        permissions = self._made - self._OWN
        self._made.clear()
        return permissions, permissions

    def _record(self, model: Any, **_: Any) -> None:
        (permission,) = permitted_as(model.service_model.signing_name, model.name, b"")
        name = f"{model.service_model.signing_name}:{permission}"
        self._made.update((name, *self._ALSO.get(name, ())))
        self._count += 1
        if self._refused and not model.name.startswith(("Describe", "Get", "List")):
            raise ClientError({"Error": {"Code": "LimitExceeded", "Message": "Ordered by a test."}}, model.name)


def aws_block_address(account: Account) -> Subject:
    ec2, vpc = account.clients("ec2"), account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")], interfaces=2)
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    acl = ec2.describe_network_acls(Filters=filters)["NetworkAcls"][0]["NetworkAclId"]
    calls = _Calls(account)

    def entries() -> list[str]:
        found = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
        return sorted(json.dumps(entry, sort_keys=True) for entry in found)

    def interfere() -> None:
        ours = next(entry for entry in map(json.loads, entries()) if entry["RuleNumber"] < 100)
        ec2.replace_network_acl_entry(NetworkAclId=acl, **{**ours, "RuleAction": "allow"})

    reached = (Entity(EntityKind.INSTANCE, instance, ACCOUNT),)
    return Subject(
        action=BlockAddress(account.clients),
        verdict=replace(about(Entity(EntityKind.ADDRESS, ATTACKER, ACCOUNT)), reached=reached),
        state=entries,
        interfere=interfere,
        gone=None,  # an address is always there; where to block it is what the verdict's other names say
        operations=calls.operations,
        calls=calls.count,
        refuse=calls.refuse,
    )


def aws_block_address_in_waf(account: Account) -> Subject:
    name = ip_set(account, "blocked")
    web_acl(account, blocks_by(name))
    calls = _Calls(account)
    return Subject(
        action=BlockAddressInWaf(account.clients, {"ip_sets": [name.arn]}),
        verdict=about(Entity(EntityKind.ADDRESS, ATTACKER, ACCOUNT)),
        state=lambda: blocks_of(account, name),
        interfere=lambda: write(account, name, f"{ATTACKER}/24"),
        gone=None,  # an address is always there
        operations=calls.operations,
        calls=calls.count,
        refuse=calls.refuse,
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
        operations=(calls := _Calls(account)).operations,
        calls=calls.count,
        refuse=function.keep,
    )


def aws_block_public_access(account: Account) -> Subject:
    s3 = account.clients("s3")
    s3.create_bucket(Bucket="shop", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})

    def block() -> Any:
        try:
            return s3.get_public_access_block(Bucket="shop")["PublicAccessBlockConfiguration"]
        except s3.exceptions.ClientError:
            return None

    calls = _Calls(account)
    return Subject(
        action=BlockPublicAccess(account.clients),
        verdict=about(Entity(EntityKind.BUCKET, "shop", ACCOUNT)),
        state=block,
        interfere=lambda: s3.put_public_access_block(
            Bucket="shop", PublicAccessBlockConfiguration={"BlockPublicAcls": True, "IgnorePublicAcls": False}
        ),
        gone=about(Entity(EntityKind.BUCKET, "gone", ACCOUNT)),
        operations=calls.operations,
        calls=calls.count,
        refuse=calls.refuse,
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
    calls = _Calls(account)
    return Subject(
        action=UnshareSnapshot(account.clients),
        verdict=about(Entity(EntityKind.SNAPSHOT, snapshot, ACCOUNT)),
        state=shares,
        interfere=lambda: share(UserIds=["210987654321"]),
        gone=about(Entity(EntityKind.SNAPSHOT, "snap-00000000000000000", ACCOUNT)),
        operations=calls.operations,
        calls=calls.count,
        refuse=calls.refuse,
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
    calls = _Calls(account)
    return Subject(
        action=CloseSecurityGroupRules(account.clients),
        verdict=replace(about(opened[0]), opened=opened),
        state=rules,
        interfere=interfere,
        gone=replace(about(Entity(EntityKind.SECURITY_GROUP, "sg-00000000000000000", ACCOUNT)), opened=opened),
        operations=calls.operations,
        calls=calls.count,
        refuse=calls.refuse,
    )


def aws_quarantine_instance(account: Account) -> Subject:
    vpc = account.vpc()
    web, forensics = account.group(vpc, "web"), account.group(vpc, "forensics")
    instance = account.instance(vpc, [web], interfaces=2)
    first, _ = account.groups_of(instance)
    calls = _Calls(account)
    return Subject(
        action=QuarantineInstance(account.clients),
        verdict=about(Entity(EntityKind.INSTANCE, instance, ACCOUNT)),
        state=lambda: account.groups_of(instance),
        interfere=lambda: account.clients("ec2").modify_network_interface_attribute(NetworkInterfaceId=first, Groups=[forensics]),
        gone=about(Entity(EntityKind.INSTANCE, "i-00000000000000000", ACCOUNT)),
        operations=calls.operations,
        calls=calls.count,
        refuse=calls.refuse,
    )


def _renew_role(account: Account, trusted: str = "{}") -> None:
    account.clients("iam").delete_role(RoleName="web")
    role(account, "web", trusted=trusted)


def _renew_user(account: Account) -> None:
    iam = account.clients("iam")
    for key in iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="alice")
    user(account, "alice")


def aws_revoke_sessions(account: Account) -> Subject:
    iam, (principal, session) = account.clients("iam"), role(account, "web")
    calls = _Calls(account)

    def policies() -> dict[str, Any]:
        names = iam.list_role_policies(RoleName="web")["PolicyNames"]
        return {name: iam.get_role_policy(RoleName="web", PolicyName=name)["PolicyDocument"] for name in names}

    return Subject(
        action=RevokeSessions(account.clients, clock=lambda: NOW_MS / 1000),
        verdict=about(session, principal),
        state=policies,
        interfere=lambda: iam.put_role_policy(RoleName="web", PolicyName=next(iter(policies())), PolicyDocument=ALLOW),
        gone=about(replace(principal, id=f"{principal.id}-gone")),
        operations=calls.operations,
        calls=calls.count,
        refuse=calls.refuse,
        renew=lambda: _renew_role(account),
    )


def aws_deactivate_access_keys(account: Account) -> Subject:
    iam, alice = account.clients("iam"), user(account, "alice")
    first, second = access_key(account, "alice"), access_key(account, "alice")
    calls = _Calls(account)

    def interfere() -> None:
        iam.update_access_key(UserName="alice", AccessKeyId=first.id, Status="Active")
        iam.delete_access_key(UserName="alice", AccessKeyId=second.id)

    return Subject(
        action=DeactivateAccessKeys(account.clients),
        verdict=about(alice, first),
        state=lambda: {key["AccessKeyId"]: key["Status"] for key in iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]},
        interfere=interfere,
        gone=about(replace(alice, id=f"{alice.id}-gone")),
        operations=calls.operations,
        calls=calls.count,
        refuse=calls.refuse,
        renew=lambda: _renew_user(account),
    )


def aws_block_sign_in(account: Account) -> Subject:
    iam, alice = account.clients("iam"), user(account, "alice")
    iam.create_login_profile(UserName="alice", Password=_PASSWORD)
    calls = _Calls(account)

    def policies() -> dict[str, Any]:
        names = iam.list_user_policies(UserName="alice")["PolicyNames"]
        return {name: iam.get_user_policy(UserName="alice", PolicyName=name)["PolicyDocument"] for name in names}

    return Subject(
        action=BlockSignIn(account.clients),
        verdict=about(alice),
        state=policies,
        interfere=lambda: iam.put_user_policy(UserName="alice", PolicyName=next(iter(policies())), PolicyDocument=ALLOW),
        gone=about(replace(alice, id=f"{alice.id}-gone")),
        operations=calls.operations,
        calls=calls.count,
        refuse=calls.refuse,
        renew=lambda: _renew_user(account),
    )


def aws_restrict_role(account: Account) -> Subject:
    iam, (principal, session) = account.clients("iam"), role(account, "web")
    others = iam.create_policy(PolicyName="others", PolicyDocument=ALLOW)["Policy"]["Arn"]
    calls = _Calls(account)
    return Subject(
        action=RestrictRole(account.clients),
        verdict=about(session, principal),
        state=lambda: iam.get_role(RoleName="web")["Role"].get("PermissionsBoundary"),
        interfere=lambda: iam.put_role_permissions_boundary(RoleName="web", PermissionsBoundary=others),
        gone=about(replace(principal, id=f"{principal.id}-gone")),
        operations=calls.operations,
        calls=calls.count,
        refuse=calls.refuse,
        renew=lambda: _renew_role(account),
    )


def aws_tighten_trust_policy(account: Account) -> Subject:
    iam, intruder = account.clients("iam"), assumes(AWS="arn:aws:iam::210987654321:root")
    trusted = trust(assumes(Service="ec2.amazonaws.com"), intruder)
    arn = role(account, "web", trusted=trusted)[0].id
    calls = _Calls(account)
    return Subject(
        action=TightenTrustPolicy(account.clients),
        verdict=about(trust_of(arn, "210987654321", ACCOUNT)),
        state=lambda: iam.get_role(RoleName="web")["Role"]["AssumeRolePolicyDocument"],
        interfere=lambda: iam.update_assume_role_policy(RoleName="web", PolicyDocument=trust(intruder)),
        gone=about(trust_of(f"{arn}-gone", "210987654321", ACCOUNT)),
        operations=calls.operations,
        calls=calls.count,
        refuse=calls.refuse,
        renew=lambda: _renew_role(account, trusted),
    )


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
