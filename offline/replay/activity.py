"""Activity-log records of a user of the seeded subscription, as its diagnostic setting exports them.

No recording of an attack on Azure is at hand that has Activity records with times and tokens, so these are generated: operations
as Azure's documentation names them, in the form of its event schema.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from offline.report.record import Provenance

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
    """A session that worked for half an hour, and then takes the logs away."""
    issued = at - timedelta(minutes=40)
    history = work(person, at - timedelta(minutes=10), operations=10).history
    attack = _records(person, _BLINDING, issued, at - timedelta(seconds=80), timedelta(seconds=20))
    source = f"operations of Azure's documentation, in the form of the Activity log, by {person.name}"
    return ReplayedOperations(history, attack, Provenance.GENERATED, source)


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
