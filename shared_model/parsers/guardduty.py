"""GuardDuty findings → :class:`~shared_model.events.Finding`.

Three shapes arrive: the EventBridge envelope with camelCase ``detail`` (what the service sends), the API's
PascalCase (``GetFindings``), and the API's shape inside an envelope. All are read as camelCase.

Format: GuardDuty API reference, type ``Finding``; EventBridge detail type ``GuardDuty Finding``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared_model.events import Entity, EntityKind, Finding, Rejected, Telemetry, access_key
from shared_model.parsers.fields import (
    ID_LIMIT,
    FieldError,
    address_text,
    lookup,
    mapping,
    rejected,
    required_text,
    text,
    time_ms,
    within,
)
from shared_model.parsers.guardduty_sequence import credentials_in, interfaces_in, named_in
from shared_model.parsers.guardduty_types import is_sequence, technique_of, telemetry_of, telemetry_of_sequence

_DETAIL_TYPE = "GuardDuty Finding"
#: Keys that hold remote addresses: connections and probes, Kubernetes calls, the endpoints of an attack sequence.
_REMOTE = ("remoteIpDetails", "sourceIPs", "sourceIps", "endpoints")
#: Deeper nesting than any finding has; stops a hostile document from exhausting the stack.
_DEPTH = 40
_UNSPECIFIED = frozenset({"0.0.0.0", "::"})  # noqa: S104 - GuardDuty writes it where it has no address


def parse_guardduty(document: object, *, source: str) -> Iterator[Finding | Rejected]:
    """Read the findings of one decoded document.

    Parameters
    ----------
    document : object
        EventBridge envelope, one finding, ``{"Findings": [...]}`` or a list of any of these.
    source : str
        Where it came from, for rejects.

    Yields
    ------
    Finding or Rejected
        One per finding, in order. An address in a finding that is not an IP address is left out of it:
        the finding still stands.
    """
    for number, record in enumerate(_records(document), 1):
        try:
            yield _finding(record)
        except FieldError as error:
            yield rejected(source, number, error, record)


def _records(document: object) -> Sequence[object]:
    if isinstance(document, list):
        return document
    if isinstance(document, Mapping):
        findings = document.get("Findings", document.get("findings"))
        if isinstance(findings, list):
            return findings
    return (document,)


def _finding(record: object) -> Finding:
    if not isinstance(record, Mapping):
        raise FieldError("", "is not a JSON object")
    envelope: Mapping[str, Any] = record
    if "detail" in envelope or "detail-type" in envelope:
        if envelope.get("detail-type") != _DETAIL_TYPE:
            raise FieldError("detail-type", f"is not {_DETAIL_TYPE!r}: this queue takes GuardDuty findings only")
        if not isinstance(envelope.get("detail"), Mapping):
            raise FieldError("detail", "is missing or not a JSON object")
        record = envelope["detail"]
    detail = _camel_case(record)
    finding_type = required_text(detail, "type")
    account = text(detail, "accountId") or required_text(envelope, "account")
    action = mapping(detail, "service.action")
    return Finding(
        finding_id=required_text(detail, "id"),
        time_ms=_updated_ms(detail, envelope),
        provider="aws",
        account=account,
        region=text(detail, "region") or text(envelope, "region"),
        product="guardduty",
        type=finding_type,
        title=text(detail, "title") or finding_type,
        severity=_severity(detail),
        telemetry=_telemetry(finding_type, detail, action),
        entities=_entities(detail, account, action),
        remote_addresses=_addresses(lookup(detail, "service"), *_REMOTE),
        local_addresses=_local_addresses(detail, action),
        technique=technique_of(finding_type),
        count=_count(detail),
        sample=_is_sample(detail),
    )


def _camel_case(value: object, depth: int = 0) -> Any:
    """Keys with their first letter in lower case: what the API calls ``AccountId``, EventBridge calls ``accountId``."""
    if depth > _DEPTH:
        raise FieldError("", f"is nested deeper than {_DEPTH} levels")
    if isinstance(value, Mapping):
        return {str(key)[:1].lower() + str(key)[1:]: _camel_case(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_camel_case(item, depth + 1) for item in value]
    return value


def _updated_ms(detail: Mapping[str, Any], envelope: Mapping[str, Any]) -> int:
    for field in ("updatedAt", "service.eventLastSeen", "createdAt"):
        value = lookup(detail, field)
        if value is not None:
            return time_ms(value, field)
    return time_ms(envelope.get("time"), "updatedAt")


def _telemetry(finding_type: str, detail: Mapping[str, Any], action: Mapping[str, Any]) -> Telemetry:
    if is_sequence(finding_type):
        signals = _items(lookup(detail, "service.detection.sequence.signals"))
        return telemetry_of_sequence(finding_type, [(text(each, "type"), text(each, "name")) for each in signals])
    return telemetry_of(finding_type, text(action, "actionType"))


def _severity(detail: Mapping[str, Any]) -> float:
    value = lookup(detail, "severity")
    try:
        severity = float(value)
    except (TypeError, ValueError) as error:
        raise FieldError("severity", f"{value!r} is not a number") from error
    if not 0 <= severity <= 10:
        raise FieldError("severity", f"{severity} is not between 0 and 10")
    return severity


def _count(detail: Mapping[str, Any]) -> int:
    count = lookup(detail, "service.count")
    return count if isinstance(count, int) and count > 0 else 1


def _is_sample(detail: Mapping[str, Any]) -> bool:
    """The flag stands in ``additionalInfo``, or in the JSON text under its ``value`` (API shape)."""
    info = mapping(detail, "service.additionalInfo")
    if info.get("sample") is True or text(detail, "title").startswith("[SAMPLE]"):
        return True
    try:
        value = json.loads(text(info, "value") or "{}")
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and value.get("sample") is True


def _entities(detail: Mapping[str, Any], account: str, action: Mapping[str, Any]) -> tuple[Entity, ...]:
    machine = list(_machine(detail, account, action))
    partition = text(detail, "partition") or "aws"
    key = mapping(detail, "resource.accessKeyDetails")
    caller = list(_caller(text(key, "userType"), text(key, "userName"), text(key, "principalId"), account, partition))
    if used := access_key(text(key, "accessKeyId"), account):
        caller.append(used)
    for actor in _items(lookup(detail, "service.detection.sequence.actors")):
        user = mapping(actor, "user")
        caller += _caller(text(user, "type"), text(user, "name"), text(user, "uid"), account, partition)
        if used := access_key(text(user, "credentialUid"), account):
            caller.append(used)
    for identifier, key in credentials_in(_sequence(detail)):
        caller += _caller(text(key, "userType"), text(key, "userName"), text(key, "principalId"), account, partition)
        if used := access_key(identifier, account):
            caller.append(used)
    names = [text(bucket, "name") for bucket in _items(lookup(detail, "resource.s3BucketDetails"))]
    names += named_in(_sequence(detail), "S3_BUCKET")
    buckets = [Entity(EntityKind.BUCKET, name, account) for name in names if name]
    # An instance may stand beside the credentials that it lost: what the finding is about comes first.
    by_type = {
        "AccessKey": (caller, machine, buckets),
        "S3Bucket": (caller, buckets, machine),
        "S3Object": (caller, buckets, machine),
        "AttackSequence:IAM": (caller, machine, buckets),
        "AttackSequence:S3": (caller, buckets, machine),
    }
    finding_type = text(detail, "type")
    about = finding_type.partition("/")[0] if is_sequence(finding_type) else text(detail, "resource.resourceType")
    groups = by_type.get(about, (machine, caller, buckets))
    entities = tuple(dict.fromkeys(entity for group in groups for entity in group))
    for entity in entities:
        within(entity.id, ID_LIMIT, f"resource ({entity.kind})")
    return entities


def _machine(detail: Mapping[str, Any], account: str, action: Mapping[str, Any]) -> Iterator[Entity]:
    if instance := text(detail, "resource.instanceDetails.instanceId"):
        yield Entity(EntityKind.INSTANCE, instance, account)
    yield from (Entity(EntityKind.INSTANCE, each, account) for each in named_in(_sequence(detail), "EC2_INSTANCE"))
    # The interface that talked, then the others of the instance.
    names = [text(action, "networkConnectionAction.localNetworkInterface")]
    names += [text(interface, "networkInterfaceId") for interface in _interfaces(detail)]
    for name in names:
        if name:
            yield Entity(EntityKind.INTERFACE, name, account)


def _caller(kind: str, name: str, principal_id: str, account: str, partition: str) -> Iterator[Entity]:
    if kind in ("AssumedRole", "Role"):
        if ":" in principal_id:
            yield Entity(EntityKind.SESSION, principal_id, account)
        if name:
            yield Entity(EntityKind.PRINCIPAL, f"arn:{partition}:iam::{account}:role/{name}", account)
    elif kind == "Root":
        yield Entity(EntityKind.PRINCIPAL, f"arn:{partition}:iam::{account}:root", account)
    elif kind == "FederatedUser" and name:
        yield Entity(EntityKind.PRINCIPAL, f"arn:{partition}:sts::{account}:federated-user/{name}", account)
    elif kind == "IAMUser" and name:
        yield Entity(EntityKind.PRINCIPAL, f"arn:{partition}:iam::{account}:user/{name}", account)


def _interfaces(detail: Mapping[str, Any]) -> Sequence[object]:
    return [*_items(lookup(detail, "resource.instanceDetails.networkInterfaces")), *interfaces_in(_sequence(detail))]


def _sequence(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(detail, "service.detection.sequence")


def _local_addresses(detail: Mapping[str, Any], action: Mapping[str, Any]) -> tuple[str, ...]:
    found = list(_addresses(action, "localIpDetails"))
    for interface in _interfaces(detail):
        candidates: list[object] = [text(interface, "privateIpAddress"), text(interface, "publicIp")]
        candidates += _items(lookup(interface, "ipv6Addresses"))
        candidates += [text(item, "privateIpAddress") for item in _items(lookup(interface, "privateIpAddresses"))]
        found += [address for candidate in candidates if (address := _address(candidate))]
    return tuple(dict.fromkeys(found))


def _address(value: object) -> str:
    """Canonical address, ``""`` where it is none, or one that says that there is none (0.0.0.0)."""
    address = address_text(value)
    return "" if address in _UNSPECIFIED else address


def _addresses(part: object, *names: str) -> tuple[str, ...]:
    """Every address under the named keys, at any depth, in order and without repeats."""
    found: dict[str, None] = {}

    def visit(value: object, inside: bool) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                visit(item, inside or key in names)
        elif isinstance(value, list):
            for item in value:
                visit(item, inside)
        elif inside and (address := _address(value)):
            found[address] = None

    visit(part, False)
    return tuple(found)


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
