"""GuardDuty findings about the seeded account: written here in EventBridge's form, or recorded ones turned towards it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from offline.aws.embedded import ACCOUNT, REGION
from offline.seed import Instance, Role, World

Event = dict[str, Any]
_INSTANCE_ID = re.compile(r"\bi-[0-9a-f]{8,17}\b")


def port_probe(world: World, instance: Instance, at: datetime | None = None, *, remote: str = "198.51.100.23") -> Event:
    """``Recon:EC2/PortProbeUnprotectedPort``: drawn from flow logs."""
    probed = {"localPortDetails": {"port": 22, "portName": "SSH"}, "remoteIpDetails": {"ipAddressV4": remote}}
    action = {"actionType": "PORT_PROBE", "portProbeAction": {"blocked": False, "portProbeDetails": [probed]}}
    return _finding(world, instance, "Recon:EC2/PortProbeUnprotectedPort", 5.0, action, at)


def domain_request(world: World, instance: Instance, at: datetime | None = None) -> Event:
    """``Trojan:EC2/DGADomainRequest.B``: drawn from DNS logs."""
    request = {"domain": "xq7k2v9p.example", "protocol": "UDP", "blocked": False}
    return _finding(
        world, instance, "Trojan:EC2/DGADomainRequest.B", 8.0, {"actionType": "DNS_REQUEST", "dnsRequestAction": request}, at
    )


def stolen_session(role: Role, session: str, at: datetime | None = None) -> Event:
    """``Exfiltration:S3/AnomalousBehavior`` by one session of a role: drawn from S3 data events."""
    call = {
        "api": "GetObject",
        "serviceName": "s3.amazonaws.com",
        "callerType": "Remote IP",
        "remoteIpDetails": {"ipAddressV4": "198.51.100.23"},
    }
    who = {"accessKeyId": "ASIAEXAMPLE", "principalId": f"{role.id}:{session}", "userName": role.name, "userType": "AssumedRole"}
    resource = {"resourceType": "AccessKey", "accessKeyDetails": who}
    action = {"actionType": "AWS_API_CALL", "awsApiCallAction": call}
    return _event("Exfiltration:S3/AnomalousBehavior", 8.0, resource, action, f"session {session} of {role.name}", at)


def turned(event: Mapping[str, Any], instance: Instance, at: datetime | None = None) -> Event:
    """Turn a recorded finding towards a machine of the seeded account.

    Account, instance, interfaces and times become those of the embedded AWS, the finding gets an id of its own, and the
    flag that marks GuardDuty's samples is taken off (samples are never acted on). All else stays as it was recorded, its
    spelling (camelCase or PascalCase) included.
    """
    now = _text(at or datetime.now(UTC))
    replacements: dict[str, Callable[[Any], Any]] = {
        "accountid": lambda old: ACCOUNT,
        "createdat": lambda old: now,
        "updatedat": lambda old: now,
        "eventfirstseen": lambda old: now,
        "eventlastseen": lambda old: now,
        "networkinterfaceid": lambda old: instance.interfaces[0],
        "localnetworkinterface": lambda old: instance.interfaces[0],
        # As many of the recorded interfaces as the machine has; those beyond are not its own.
        "networkinterfaces": lambda old: [
            {**interface, _like(interface, "networkInterfaceId"): ours}
            for interface, ours in zip(old, instance.interfaces, strict=False)
        ],
        "additionalinfo": lambda old: {},
    }
    text = json.dumps(event)
    for recorded_id in set(_INSTANCE_ID.findall(text)):  # titles and descriptions name it too
        text = text.replace(recorded_id, instance.id)
    made: Event = _replaced(json.loads(text), replacements)
    made |= {"account": ACCOUNT, "time": now}
    detail = made["detail"]
    detail[_like(detail, "id")] = uuid.uuid4().hex
    title = _like(detail, "title")
    detail[title] = str(detail.get(title, "")).removeprefix("[SAMPLE] ")
    return made


def _finding(
    world: World, instance: Instance, finding_type: str, severity: float, action: Mapping[str, Any], at: datetime | None
) -> Event:
    interfaces = [{"networkInterfaceId": each, "vpcId": world.vpc_id} for each in instance.interfaces]
    interfaces[0]["privateIpAddress"] = instance.private_address
    resource = {
        "resourceType": "Instance",
        "instanceDetails": {"instanceId": instance.id, "networkInterfaces": interfaces},
    }
    return _event(finding_type, severity, resource, action, instance.id, at)


def _event(
    finding_type: str,
    severity: float,
    resource: Mapping[str, Any],
    action: Mapping[str, Any],
    about: str,
    at: datetime | None,
) -> Event:
    now, identifier = _text(at or datetime.now(UTC)), uuid.uuid4().hex
    return {
        "version": "0",
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "account": ACCOUNT,
        "time": now,
        "region": REGION,
        "resources": [],
        "detail": {
            "schemaVersion": "2.0",
            "accountId": ACCOUNT,
            "region": REGION,
            "partition": "aws",
            "id": identifier,
            "arn": f"arn:aws:guardduty:{REGION}:{ACCOUNT}:detector/embedded/finding/{identifier}",
            "type": finding_type,
            "resource": dict(resource),
            "service": {
                "serviceName": "guardduty",
                "action": dict(action),
                "eventFirstSeen": now,
                "eventLastSeen": now,
                "archived": False,
                "count": 1,
            },
            "severity": severity,
            "createdAt": now,
            "updatedAt": now,
            "title": f"{finding_type} on {about}.",
        },
    }


def _replaced(value: Any, replacements: Mapping[str, Callable[[Any], Any]]) -> Any:
    if isinstance(value, dict):
        return {
            key: replacements[key.lower()](item) if key.lower() in replacements else _replaced(item, replacements)
            for key, item in value.items()
        }
    return [_replaced(item, replacements) for item in value] if isinstance(value, list) else value


def _like(document: Mapping[str, Any], key: str) -> str:
    """Spell a key as the document does."""
    return next((present for present in document if present.lower() == key.lower()), key)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
