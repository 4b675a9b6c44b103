"""Roles and users in moto, and the names by which a verdict knows them."""

from __future__ import annotations

import json
from typing import Any

from infra_tests.lambdas.account import ACCOUNT, Account
from shared_model.events import Entity, EntityKind

#: A policy that somebody else put on a role or user.
ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}'


def trust(*statements: dict[str, Any]) -> str:
    """A trust policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def assumes(**principal: Any) -> dict[str, Any]:
    """A statement that lets these assume the role."""
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}


def role(account: Account, name: str, *, path: str = "/", hours: int = 1, trusted: str = "{}") -> tuple[Entity, Entity]:
    """Make a role; return it as principal, and a session of it."""
    made = account.clients("iam").create_role(
        RoleName=name, Path=path, AssumeRolePolicyDocument=trusted, MaxSessionDuration=hours * 3600
    )["Role"]
    return (
        Entity(EntityKind.PRINCIPAL, made["Arn"], ACCOUNT),
        Entity(EntityKind.SESSION, f"{made['RoleId']}:alice@example.com", ACCOUNT),
    )


def user(account: Account, name: str, *, path: str = "/", tags: dict[str, str] | None = None) -> Entity:
    """Make an IAM user; return it as principal."""
    listed = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    made = account.clients("iam").create_user(UserName=name, Path=path, Tags=listed)["User"]
    return Entity(EntityKind.PRINCIPAL, made["Arn"], ACCOUNT)


def access_key(account: Account, name: str) -> Entity:
    """Make an access key of a user."""
    made = account.clients("iam").create_access_key(UserName=name)["AccessKey"]
    return Entity(EntityKind.ACCESS_KEY, made["AccessKeyId"], ACCOUNT)


def profile(account: Account, role_name: str, profile_name: str, *instances: str) -> None:
    """Make an instance profile of a role, and give it to instances."""
    iam, ec2 = account.clients("iam"), account.clients("ec2")
    iam.create_instance_profile(InstanceProfileName=profile_name)
    iam.add_role_to_instance_profile(InstanceProfileName=profile_name, RoleName=role_name)
    for instance in instances:
        ec2.associate_iam_instance_profile(IamInstanceProfile={"Name": profile_name}, InstanceId=instance)
