"""What a CloudTrail call may have opened to others: security-group rules, buckets, snapshots, images.

Fields: CloudTrail records of EC2 (``AuthorizeSecurityGroupIngress``, ``ModifySecurityGroupRules``, ``ModifySnapshotAttribute``,
``ModifyImageAttribute``), S3 (bucket policies, ACLs and public access blocks) and RDS (``ModifyDBSnapshotAttribute``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared_model.events import Entity, EntityKind
from shared_model.parsers.fields import ID_LIMIT, lookup, mapping, text

#: At most so many of one call. A security group takes 60 rules in each direction, unless AWS raised it.
_AT_MOST = 64
_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")

Record = Mapping[str, Any]
Named = tuple[EntityKind, str]


def opened(record: Record, service: str, operation: str, account: str, region: str) -> tuple[Entity, ...]:
    """Return what a call that succeeded may have opened, empty for every other call. Asks nobody whether it really did."""
    reader = _READERS.get((service, operation))
    if reader is None:
        return ()
    # Ids that are too long are nobody's: the call itself stands without them.
    found = (Entity(kind, name, account) for kind, name in reader(record, account, region) if name and len(name) <= ID_LIMIT)
    return tuple(dict.fromkeys(found))[:_AT_MOST]


def _authorized(record: Record, account: str, region: str) -> Iterator[Named]:
    yield EntityKind.SECURITY_GROUP, text(record, "requestParameters.groupId")
    for rule in _items(lookup(record, "responseElements.securityGroupRuleSet.items")):
        yield EntityKind.SECURITY_GROUP_RULE, text(rule, "securityGroupRuleId")


def _modified(record: Record, account: str, region: str) -> Iterator[Named]:
    request = mapping(record, "requestParameters.ModifySecurityGroupRulesRequest")
    yield EntityKind.SECURITY_GROUP, text(request, "GroupId")
    for rule in _items(lookup(request, "SecurityGroupRule")):
        yield EntityKind.SECURITY_GROUP_RULE, text(rule, "SecurityGroupRuleId")


def _bucket(record: Record, account: str, region: str) -> Iterator[Named]:
    yield EntityKind.BUCKET, text(record, "requestParameters.bucketName")


def _access_block(record: Record, account: str, region: str) -> Iterator[Named]:
    block = mapping(record, "requestParameters.PublicAccessBlockConfiguration")
    if any(text(block, flag) != "true" and block.get(flag) is not True for flag in _FLAGS):
        yield from _bucket(record, account, region)


def _volume_snapshot(record: Record, account: str, region: str) -> Iterator[Named]:
    if lookup(record, "requestParameters.createVolumePermission.add"):
        yield EntityKind.SNAPSHOT, text(record, "requestParameters.snapshotId")


def _image(record: Record, account: str, region: str) -> Iterator[Named]:
    if lookup(record, "requestParameters.launchPermission.add"):
        yield EntityKind.IMAGE, text(record, "requestParameters.imageId")


def _database_snapshot(record: Record, account: str, region: str) -> Iterator[Named]:
    if not lookup(record, "requestParameters.valuesToAdd"):
        return
    for field, kind in (("dBSnapshotIdentifier", "snapshot"), ("dBClusterSnapshotIdentifier", "cluster-snapshot")):
        if name := text(record, f"requestParameters.{field}"):
            arn = f"arn:{_partition(region)}:rds:{region}:{account}:{kind}:{name.lower()}"
            yield EntityKind.SNAPSHOT, name if name.startswith("arn:") else arn


def _partition(region: str) -> str:
    return next((name for prefix, name in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")) if region.startswith(prefix)), "aws")


def _items(value: object) -> list[Any]:
    """A list, or the one element that stands there for itself."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, Mapping) else []


_READERS: Mapping[tuple[str, str], Callable[[Record, str, str], Iterator[Named]]] = {
    ("ec2", "AuthorizeSecurityGroupIngress"): _authorized,
    ("ec2", "AuthorizeSecurityGroupEgress"): _authorized,
    ("ec2", "ModifySecurityGroupRules"): _modified,
    ("ec2", "ModifySnapshotAttribute"): _volume_snapshot,
    ("ec2", "ModifyImageAttribute"): _image,
    ("rds", "ModifyDBSnapshotAttribute"): _database_snapshot,
    ("rds", "ModifyDBClusterSnapshotAttribute"): _database_snapshot,
    ("s3", "PutBucketPolicy"): _bucket,
    ("s3", "PutBucketAcl"): _bucket,
    ("s3", "DeleteBucketPublicAccessBlock"): _bucket,
    ("s3", "PutBucketPublicAccessBlock"): _access_block,
}
