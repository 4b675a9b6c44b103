"""What IAM is asked when a call is made: which permission, on which resource, and what conditions can see.

As AWS's Service Authorization Reference has it (https://docs.aws.amazon.com/service-authorization/latest/reference/). A call that
is not here fails the test in which an action makes it: somebody must look up what it asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from infra_tests.lambdas.account import ACCOUNT

REGION = "eu-central-1"
_EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}:"
#: Calls that ask about no single resource, by the beginning of their name.
_UNSCOPED = ("autoscaling:Describe", "ec2:Describe", "iam:GetAccountSummary")


class Unknown(Exception):
    """A call of which nobody has said yet what it asks for."""


@dataclass(frozen=True)
class Asked:
    """One question to IAM.

    Attributes
    ----------
    permission, resource : str
    context : mapping of str to str
        Condition keys and their values, of many values one a line; a key that is not here is not in the request.
    """

    permission: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)


def asked(service: str, operation: str, params: Mapping[str, Any]) -> list[Asked]:
    """Return what IAM is asked when this call is made, each of which must be allowed. Raises Unknown."""
    name = f"{service}:{operation}"
    if name in _QUESTIONS:
        return [*_QUESTIONS[name](params)]
    if service == "iam" and params.get("RoleName"):
        return [_of_role(name, params["RoleName"])]
    if service == "iam" and params.get("UserName"):
        return [_of_user(name, params["UserName"])]
    if name.startswith(_UNSCOPED):
        return [Asked(name)]
    raise Unknown(f"{name}: say in infra_tests/lambdas/authorization.py which permission it asks for, and on what")


def _ec2(permission: str, kind: str, identifier: str, **context: str) -> Asked:
    return Asked(f"ec2:{permission}", f"{_EC2}{kind}/{identifier}", {**_tags_of(identifier), **context})


def _tags_of(identifier: str) -> dict[str, str]:
    tags = ec2_backends[ACCOUNT][REGION].tags.get(identifier, {})
    return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}


def _requested(params: Mapping[str, Any]) -> dict[str, str]:
    tags = [tag for each in params.get("TagSpecifications", ()) for tag in each["Tags"]]
    return {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}


def _role(name: str) -> Any:
    return next((each for each in iam_backends[ACCOUNT]["aws"].roles.values() if each.name == name), None)


def _of_role(permission: str, name: str) -> Asked:
    role = _role(name)
    return _of_principal(permission, role) if role else Asked(permission, f"arn:aws:iam::{ACCOUNT}:role/{name}")


def _of_user(permission: str, name: str) -> Asked:
    user = iam_backends[ACCOUNT]["aws"].users.get(name)
    return _of_principal(permission, user) if user else Asked(permission, f"arn:aws:iam::{ACCOUNT}:user/{name}")


def _of_principal(permission: str, principal: Any) -> Asked:
    tags = principal.tags.values() if isinstance(principal.tags, dict) else principal.tags or ()
    return Asked(permission, principal.arn, {f"aws:ResourceTag/{tag['Key']}": tag["Value"] for tag in tags})


def _boundary(params: Mapping[str, Any], operation: str) -> Iterator[Asked]:
    """The boundary that is set, or that is taken away."""
    about, role = _of_role(f"iam:{operation}", params["RoleName"]), _role(params["RoleName"])
    boundary = params.get("PermissionsBoundary") or (role and role.permissions_boundary_arn)
    context = {**about.context, **({"iam:PermissionsBoundary": boundary} if boundary else {})}
    yield Asked(about.permission, about.resource, context)


def _of_key(params: Mapping[str, Any]) -> Iterator[Asked]:
    users = iam_backends[ACCOUNT]["aws"].users.values()
    owner = next((user for user in users for key in user.access_keys if key.access_key_id == params["AccessKeyId"]), None)
    yield Asked("iam:GetAccessKeyLastUsed", owner.arn if owner else f"arn:aws:iam::{ACCOUNT}:user/nobody")


def _interface(params: Mapping[str, Any]) -> Iterator[Asked]:
    operation, interface = "ModifyNetworkInterfaceAttribute", params["NetworkInterfaceId"]
    yield _ec2(operation, "network-interface", interface)
    attached = ec2_backends[ACCOUNT][REGION].enis[interface].instance
    if attached is not None:
        yield _ec2(operation, "instance", attached.id)
    for group in params.get("Groups", ()):
        yield _ec2(operation, "security-group", group)


def _protection(params: Mapping[str, Any]) -> Iterator[Asked]:
    attribute = params.get("Attribute") or next(iter(params.keys() - {"InstanceId"}))
    yield _ec2("ModifyInstanceAttribute", "instance", params["InstanceId"], **{"ec2:Attribute": attribute})


def _new_group(params: Mapping[str, Any]) -> Iterator[Asked]:
    requested = _requested(params)
    yield _ec2("CreateSecurityGroup", "security-group", "sg-new", **requested)
    yield _ec2("CreateSecurityGroup", "vpc", params["VpcId"])
    if requested:
        yield _ec2("CreateTags", "security-group", "sg-new", **requested, **{"ec2:CreateAction": "CreateSecurityGroup"})


def _rules(operation: str) -> Callable[[Mapping[str, Any]], Iterator[Asked]]:
    def ask(params: Mapping[str, Any]) -> Iterator[Asked]:
        yield _ec2(operation, "security-group", params["GroupId"])
        for rule in params.get("SecurityGroupRuleIds", ()):
            yield _ec2(operation, "security-group-rule", rule)
        if operation.startswith("Authorize"):
            yield _ec2(operation, "security-group-rule", "sgr-new")
        if requested := _requested(params):
            yield _ec2("CreateTags", "security-group-rule", "sgr-new", **requested, **{"ec2:CreateAction": operation})

    return ask


def _of_bucket(permission: str) -> Callable[[Mapping[str, Any]], Iterator[Asked]]:
    def ask(params: Mapping[str, Any]) -> Iterator[Asked]:
        yield Asked(f"s3:{permission}", f"arn:aws:s3:::{params['Bucket']}")

    return ask


def _shared(operation: str, kind: str, parameter: str) -> Callable[[Mapping[str, Any]], Iterator[Asked]]:
    def ask(params: Mapping[str, Any]) -> Iterator[Asked]:
        resource = f"arn:aws:ec2:{REGION}::{kind}/{params[parameter]}"
        adds = params.get("OperationType") == "add"
        added = {"ec2:Add/group": params["GroupNames"], "ec2:Add/userId": params["UserIds"]} if adds else {}
        with_whom = {key: names[0] for key, names in added.items() if names}
        yield Asked(f"ec2:{operation}", resource, {**_tags_of(params[parameter]), **with_whom})

    return ask


def _of_database(operation: str, kind: str, parameter: str) -> Callable[[Mapping[str, Any]], Iterator[Asked]]:
    def ask(params: Mapping[str, Any]) -> Iterator[Asked]:
        yield Asked(f"rds:{operation}", f"arn:aws:rds:{REGION}:{ACCOUNT}:{kind}:{params[parameter]}")

    return ask


def _of_waf(operation: str, kind: str) -> Callable[[Mapping[str, Any]], Iterator[Asked]]:
    def ask(params: Mapping[str, Any]) -> Iterator[Asked]:
        region, scope = {"REGIONAL": (REGION, "regional"), "CLOUDFRONT": ("us-east-1", "global")}[params["Scope"]]
        arn = f"arn:aws:wafv2:{region}:{ACCOUNT}:{scope}/{kind}/{params['Name']}/{params['Id']}"
        yield Asked(f"wafv2:{operation}", arn)

    return ask


def _named(permission: str, parameter: str) -> Callable[[Mapping[str, Any]], Iterator[Asked]]:
    def ask(params: Mapping[str, Any]) -> Iterator[Asked]:
        yield Asked(permission, params[parameter])

    return ask


def _snapshots(params: Mapping[str, Any]) -> Iterator[Asked]:
    operation, instance = "CreateSnapshots", params["InstanceSpecification"]["InstanceId"]
    made, requested = f"arn:aws:ec2:{REGION}::snapshot/snap-new", _requested(params)
    yield _ec2(operation, "instance", instance)
    for device in ec2_backends[ACCOUNT][REGION].get_instance(instance).block_device_mapping.values():
        yield _ec2(operation, "volume", device.volume_id)
    yield Asked(f"ec2:{operation}", made, requested)
    yield Asked("ec2:CreateTags", made, {**requested, "ec2:CreateAction": operation})


def _tags(operation: str) -> Callable[[Mapping[str, Any]], Iterator[Asked]]:
    def ask(params: Mapping[str, Any]) -> Iterator[Asked]:
        keys = "\n".join(tag["Key"] for tag in params["Tags"])
        for instance in params["Resources"]:
            yield _ec2(operation, "instance", instance, **{"aws:TagKeys": keys})

    return ask


def _standby(operation: str) -> Callable[[Mapping[str, Any]], Iterator[Asked]]:
    def ask(params: Mapping[str, Any]) -> Iterator[Asked]:
        group = f"autoScalingGroup:00000000-0000-4000-8000-000000000000:autoScalingGroupName/{params['AutoScalingGroupName']}"
        yield Asked(f"autoscaling:{operation}", f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:{group}")

    return ask


_ENTRY = ("CreateNetworkAclEntry", "DeleteNetworkAclEntry")
_RULES = tuple(f"{verb}SecurityGroup{way}" for verb in ("Authorize", "Revoke") for way in ("Egress", "Ingress"))
_DATABASES = (("DBClusterSnapshot", "cluster-snapshot"), ("DBSnapshot", "snapshot"))
_QUESTIONS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Asked]]] = {
    **{f"autoscaling:{name}": _standby(name) for name in ("EnterStandby", "ExitStandby")},
    **{
        f"ec2:{name}": lambda params, name=name: iter([_ec2(name, "network-acl", params["NetworkAclId"])])  # type: ignore[misc]
        for name in _ENTRY
    },
    **{f"ec2:{name}": _rules(name) for name in _RULES},
    "ec2:CreateSecurityGroup": _new_group,
    "ec2:CreateSnapshots": _snapshots,
    **{f"ec2:{name}": _tags(name) for name in ("CreateTags", "DeleteTags")},
    "ec2:DescribeInstanceAttribute": lambda params: iter([_ec2("DescribeInstanceAttribute", "instance", params["InstanceId"])]),
    "ec2:ModifyImageAttribute": _shared("ModifyImageAttribute", "image", "ImageId"),
    "ec2:ModifyInstanceAttribute": _protection,
    "ec2:ModifyNetworkInterfaceAttribute": _interface,
    "ec2:ModifySnapshotAttribute": _shared("ModifySnapshotAttribute", "snapshot", "SnapshotId"),
    "iam:DeleteRolePermissionsBoundary": lambda params: _boundary(params, "DeleteRolePermissionsBoundary"),
    "iam:GetAccessKeyLastUsed": _of_key,
    "iam:PutRolePermissionsBoundary": lambda params: _boundary(params, "PutRolePermissionsBoundary"),
    **{
        f"rds:{operation}": _of_database(operation, kind, f"{noun}Identifier")
        for noun, kind in _DATABASES
        for operation in (f"Describe{noun}Attributes", f"Modify{noun}Attribute")
    },
    "rds:ListTagsForResource": lambda params: iter([Asked("rds:ListTagsForResource", params["ResourceName"])]),
    "lambda:Invoke": _named("lambda:InvokeFunction", "FunctionName"),
    "s3:DeletePublicAccessBlock": _of_bucket("PutBucketPublicAccessBlock"),
    "s3:GetBucketTagging": _of_bucket("GetBucketTagging"),
    "s3:GetPublicAccessBlock": _of_bucket("GetBucketPublicAccessBlock"),
    "s3:PutPublicAccessBlock": _of_bucket("PutBucketPublicAccessBlock"),
    **{f"wafv2:{name}": _of_waf(name, "ipset") for name in ("GetIPSet", "UpdateIPSet")},
    "wafv2:GetRuleGroup": _named("wafv2:GetRuleGroup", "ARN"),
    "wafv2:GetWebACL": _of_waf("GetWebACL", "webacl"),
    "wafv2:ListTagsForResource": _named("wafv2:ListTagsForResource", "ResourceARN"),
    "wafv2:ListWebACLs": lambda _: iter([Asked("wafv2:ListWebACLs")]),
}
