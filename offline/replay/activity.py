"""Activity-log records of a user of the seeded subscription, as its diagnostic setting exports them.

No recording of an attack on Azure is at hand that has Activity records with times and tokens. Where the recorded data is, the
attack is made of Activity records that Panther holds for its rules, each on its own: what they say stays; who called, with which
token, and when is the scene's. Elsewhere, and for what a person does all day, records are generated: operations as Azure's
documentation names them, in the form of its event schema.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from offline.report.record import Provenance
from training.data_root import data_root

_CLAIM = "http://schemas.microsoft.com/identity/claims/"
#: A person at work: web apps are deployed and looked after.
_WORK = (
    "Microsoft.Web/sites/write",
    "Microsoft.Resources/deployments/write",
    "Microsoft.Web/sites/config/write",
    "Microsoft.Insights/components/write",
    "Microsoft.Web/sites/restart/action",
)
#: Somebody blinds a subscription before the rest begins: logs, flow logs, protection, workspace.
_BLINDING = (
    "Microsoft.Insights/diagnosticSettings/delete",
    "Microsoft.Network/networkWatchers/flowLogs/delete",
    "Microsoft.Security/pricings/write",
    "Microsoft.OperationalInsights/workspaces/delete",
)
#: The same, of Panther's rules: what a rule recorded as that which it looks for.
_RECORDED = (
    "azure_resource_lock_deleted",
    "azure_network_watcher_deleted",
    "azure_firewall_policy_deleted",
    "azure_log_analytics_workspace_deleted",
)
_SUBSCRIPTION = re.compile(r"(?<=^/subscriptions/)[^/]+", re.IGNORECASE)
_APP = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


@dataclass(frozen=True, slots=True)
class Person:
    """Who makes the calls, with which token."""

    object_id: str
    name: str
    tenant_id: str
    subscription_id: str
    token: str
    address: str = "198.51.100.7"

    @property
    def session(self) -> str:
        """Id of the session that the token is."""
        return f"{self.object_id}:{self.token}"


@dataclass(frozen=True, slots=True)
class ReplayedOperations:
    """Activity records in order of time: what the person did before, then the attack."""

    history: tuple[dict[str, Any], ...]
    attack: tuple[dict[str, Any], ...]
    provenance: Provenance
    source: str


def blinding(person: Person, at: datetime) -> ReplayedOperations:
    """A session that worked for half an hour, and then takes logs and protection away."""
    issued, begin, pause = at - timedelta(minutes=40), at - timedelta(seconds=80), timedelta(seconds=20)
    history = work(person, at - timedelta(minutes=10), operations=10).history
    if recorded := recorded_operations(data_root()):
        made = _records(person, [str(each["operationName"]) for each in recorded], issued, begin, pause)
        attack = tuple(_by(person, said, own) for said, own in zip(recorded, made, strict=True))
        source = f"Activity records of Panther's rule tests, by {person.name}, whose history is generated"
        return ReplayedOperations(history, attack, Provenance.RECORDED_REHOSTED, source)
    attack = _records(person, _BLINDING, issued, begin, pause)
    source = f"operations of Azure's documentation, in the form of the Activity log, by {person.name}"
    return ReplayedOperations(history, attack, Provenance.GENERATED, source)


def recorded_operations(root: Path | None) -> tuple[dict[str, Any], ...]:
    """Of each of some rules the first record that it fires on, as recorded; none where the recordings are not there."""
    folder = root / "panther" / "azure_activity_rules" if root else None
    if folder is None or not folder.is_dir():
        return ()
    found = (yaml.safe_load((folder / f"{rule}.yml").read_text(encoding="utf-8")) for rule in _RECORDED)
    return tuple(next(test["Log"] for test in rule["Tests"] if test["ExpectedResult"]) for rule in found)


def work(person: Person, at: datetime, *, operations: int = 20) -> ReplayedOperations:
    """What somebody does all day; nobody attacks."""
    begin = at - timedelta(minutes=operations)
    told = [_WORK[number % len(_WORK)] for number in range(operations)]
    records = _records(person, told, begin - timedelta(minutes=1), begin, timedelta(minutes=1))
    return ReplayedOperations(records, (), Provenance.GENERATED, f"a developer's operations, by {person.name}, generated")


def _records(
    person: Person, operations: Sequence[str], issued: datetime, begin: datetime, pause: timedelta
) -> tuple[dict[str, Any], ...]:
    return tuple(_record(person, operation, issued, begin + number * pause) for number, operation in enumerate(operations))


def _by(person: Person, recorded: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """A recorded record, in the person's subscription: caller, token, time and ids are the scene's."""
    scenes = ("time", "callerIpAddress", "correlationId", "operationId", "identity", "tenantId")
    place = _SUBSCRIPTION.sub(person.subscription_id, str(recorded["resourceId"]))
    return {**recorded, "resourceId": place, **{name: own[name] for name in scenes}}


def _record(person: Person, operation: str, issued: datetime, at: datetime) -> dict[str, Any]:
    kind = operation.rpartition("/")[0].removesuffix("/restart")
    resource = f"/subscriptions/{person.subscription_id}/resourceGroups/shop/providers/{kind}/shop"
    claims = {
        "aud": "https://management.core.windows.net/",
        "iat": str(int(issued.timestamp())),
        "appid": _APP,
        "idtyp": "user",
        "ipaddr": person.address,
        "uti": person.token,
        f"{_CLAIM}objectidentifier": person.object_id,
        f"{_CLAIM}tenantid": person.tenant_id,
        "http://schemas.microsoft.com/claims/authnmethodsreferences": "pwd",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": f"{person.name}@example.com",
    }
    return {
        "time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z"),
        "resourceId": resource.upper(),
        "operationName": operation.upper(),
        "category": "Administrative",
        "resultType": "Success",
        "resultSignature": "Succeeded.",
        "durationMs": "0",
        "callerIpAddress": person.address,
        "correlationId": str(uuid.uuid4()),
        "operationId": str(uuid.uuid4()),
        "identity": {
            "authorization": {"scope": resource, "action": operation, "evidence": {"role": "Contributor"}},
            "claims": claims,
        },
        "level": "Information",
        "location": "global",
        "tenantId": person.tenant_id,
        "properties": {"eventCategory": "Administrative", "statusCode": "OK"},
    }
