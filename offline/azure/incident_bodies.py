"""Incidents of Microsoft Sentinel about the seeded subscription, in the form in which a playbook's trigger hands them on."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from offline.azure.estate import Machine
from offline.azure.seed import SUBSCRIPTION_ID
from offline.azure.services import Services

Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """A scheduled analytics rule: its title, the query that says which telemetry it reads, tactic and technique."""

    title: str
    query: str
    tactic: str
    technique: str
    severity: str = "High"


GENERATED_DOMAIN = Rule(
    "Request for a generated domain", "DnsEvents | where Name matches regex '[a-z0-9]{12}'", "CommandAndControl", "T1568.002"
)
PORT_PROBE = Rule(
    "Probe of a port that should be closed", "NTANetAnalytics | where DestPort == 22 | summarize count() by SrcIp", "Discovery",
    "T1046", "Medium",
)  # fmt: skip
GUESSING_ADDRESS = Rule(
    "One address guesses at passwords",
    "Syslog | where ProcessName == 'sshd' and SyslogMessage has 'Failed password' | summarize count() by SourceIp",
    "CredentialAccess", "T1110",
)  # fmt: skip
MASS_DOWNLOAD = Rule(
    "Unusual download from storage",
    "StorageBlobLogs | where OperationName == 'GetBlob' | summarize count() by RequesterObjectId",
    "Exfiltration", "T1530",
)  # fmt: skip
KEYS_LISTED = Rule(
    "Keys of a storage account were listed by a stranger",
    "AzureActivity | where OperationNameValue == 'MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION'",
    "CredentialAccess", "T1552.005",
)  # fmt: skip


def host(machine: Machine) -> Entity:
    """A machine, as an incident names it."""
    return {"kind": "Host", "properties": {"hostName": machine.name, "azureID": machine.id, "osFamily": "Linux"}}


def address(text: str) -> Entity:
    """An address, as an incident names it."""
    return {"kind": "Ip", "properties": {"address": text, "friendlyName": text}}


def resource(resource_id: str) -> Entity:
    """A resource, as an incident names it."""
    return {"kind": "AzureResource", "properties": {"resourceId": resource_id, "friendlyName": resource_id.rpartition("/")[2]}}


def account(object_id: str, name: str, tenant_id: str) -> Entity:
    """A user, as an incident names it."""
    who = {"accountName": name, "upnSuffix": "example.com", "aadUserId": object_id, "aadTenantId": tenant_id}
    return {"kind": "Account", "properties": {**who, "friendlyName": name}}


def open_incident(
    services: Services, rule: Rule, entities: Sequence[Entity], at: datetime | None = None
) -> tuple[str, Mapping[str, Any]]:
    """Open an incident in the workspace; return its id and what the playbook receives of it."""
    name, now = (
        str(uuid.uuid4()),
        (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )
    workspace = services.world.workspace
    incident_id = services.arm.incidents.add(workspace, name, {"title": rule.title, "severity": rule.severity})
    facts = {
        "title": rule.title,
        "description": "",
        "severity": rule.severity,
        "status": "New",
        "firstActivityTimeUtc": now,
        "lastActivityTimeUtc": now,
        "lastModifiedTimeUtc": now,
        "createdTimeUtc": now,
        "incidentNumber": 17,
        "additionalData": {
            "alertsCount": 1,
            "alertProductNames": ["Azure Sentinel"],
            "tactics": [rule.tactic],
            "techniques": [rule.technique],
        },
        "relatedAnalyticRuleIds": [],
        "alerts": [_alert(rule, workspace, now)],
        "relatedEntities": [
            {"id": f"{workspace}/providers/Microsoft.SecurityInsights/Entities/{uuid.uuid4()}", **entity} for entity in entities
        ],
    }
    body = {
        "objectSchemaType": "Incident",
        "objectEventType": "Create",
        "workspaceInfo": {"SubscriptionId": SUBSCRIPTION_ID, "ResourceGroupName": "shop", "WorkspaceName": "shop-logs"},
        "object": {
            "id": incident_id,
            "name": name,
            "etag": '"1"',
            "type": "Microsoft.SecurityInsights/Incidents",
            "properties": facts,
        },
    }
    return incident_id, body


def _alert(rule: Rule, workspace: str, now: str) -> dict[str, Any]:
    alert_id = str(uuid.uuid4())
    return {
        "id": f"{workspace}/providers/Microsoft.SecurityInsights/Entities/{alert_id}",
        "name": alert_id,
        "type": "Microsoft.SecurityInsights/Entities",
        "kind": "SecurityAlert",
        "properties": {
            "systemAlertId": alert_id,
            "tactics": [rule.tactic],
            "alertDisplayName": rule.title,
            "severity": rule.severity,
            "vendorName": "Microsoft",
            "productName": "Azure Sentinel",
            "productComponentName": "Scheduled Alerts",
            "alertType": f"{uuid.uuid4()}_{uuid.uuid4()}",
            "processingEndTime": now,
            "startTimeUtc": now,
            "endTimeUtc": now,
            "timeGenerated": now,
            "status": "New",
            "additionalData": {"Query": rule.query, "MitreTechniques": f'["{rule.technique}"]'},
            "friendlyName": rule.title,
        },
    }
