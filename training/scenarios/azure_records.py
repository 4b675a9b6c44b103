"""Writes Azure calls as the Activity log and Entra ID's logs have them, as diagnostic settings send them to a hub.

Format: "Azure Activity Log event schema" and Graph's resource types ``signIn`` and ``directoryAudit``.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from training.scenarios.script import Call
from training.scenarios.site import hexadecimal, internet_address

Record = dict[str, Any]
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-555555555555"
FOREIGN_TENANT = "77777777-0000-0000-0000-000000000007"
_CLAIM = "http://schemas.microsoft.com/"
_UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
_WORDS = ("orders", "billing", "search", "ingest", "report", "web", "cache", "ledger", "media", "audit", "mail", "login")
#: Program that asked for the token; Microsoft's own have the same id in every directory.
_PROGRAMS = {
    "console": ("c44b4083-3bb0-49c1-b47d-974e53cbdf3c",),
    "cli": ("04b07795-8ddb-461a-bbee-02f9e1bf7b46", "1950a258-227b-4e31-a9cf-717495945fc2"),
    "sdk": ("0f0f0f0f-1111-4222-8333-444444444444", "1e1e1e1e-1111-4222-8333-444444444444"),
    "terraform": ("2d2d2d2d-1111-4222-8333-444444444444",),
}
_BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36"
_CREATED = frozenset({"write"})
#: Definition of the built-in roles Owner and Reader.
_OWNER, _READER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, from where, with which program.

    ``kind`` is ``user``, ``role`` (a service principal), ``instance`` (a managed identity) or ``root`` (a user as well).
    """

    kind: str
    name: str
    object_id: str
    program: str
    address: str
    region: str
    mfa: bool | None
    token: str
    issued_ms: int
    machine: str = ""

    def claims(self) -> Record:
        claims: Record = {
            "aud": "https://management.core.windows.net/",
            f"{_CLAIM}identity/claims/objectidentifier": self.object_id,
            f"{_CLAIM}identity/claims/tenantid": TENANT,
            "iat": str(self.issued_ms // 1000),
            "appid": self.program,
            "idtyp": "user" if self.kind in ("user", "root") else "app",
        }
        if self.token:
            claims["uti"] = self.token
        if self.kind in ("user", "root"):
            claims[_UPN] = self.name
            claims[f"{_CLAIM}claims/authnmethodsreferences"] = "pwd,mfa" if self.mfa else "pwd"
        if self.machine:
            claims["xms_mirid"] = self.machine
        return claims


def record(rng: random.Random, caller: Caller, call: Call, time_ms: int) -> Record:
    """One record of the call: of the Activity log, or of Entra's sign-in or audit log."""
    if call.service == "entra":
        return (
            _sign_in(rng, caller, call, time_ms) if call.operation == "SignIn" else _directory_change(rng, caller, call, time_ms)
        )
    name = f"{call.service}/{call.operation}"
    resource = _resource(rng, call)
    kind = call.operation.rpartition("/")[2]
    status = "Forbidden" if call.denied else "Created" if kind in _CREATED and rng.random() < 0.6 else "OK"
    properties: Record = {"statusCode": status, "serviceRequestId": _uuid(rng), "eventCategory": "Administrative"}
    if asked := _asked(rng, call):
        properties["requestbody"] = json.dumps(asked)
    if call.denied:
        message = {
            "error": {"code": "AuthorizationFailed", "message": f"The client does not have authorization to perform {name}"}
        }
        properties["statusMessage"] = json.dumps(message)
    return {
        "time": _timestamp(time_ms),
        "resourceId": resource.upper(),
        "operationName": name.upper(),
        "category": "Administrative",
        "resultType": "Failure" if call.denied else "Success",
        "resultSignature": f"{'Failed' if call.denied else 'Succeeded'}.{status}",
        "durationMs": rng.randrange(20, 4000),
        "callerIpAddress": caller.address,
        "correlationId": _uuid(rng),
        "identity": {
            "authorization": {
                "scope": resource,
                "action": name,
                "evidence": {
                    "role": "Contributor",
                    "principalId": caller.object_id.replace("-", ""),
                    "principalType": "User" if caller.kind in ("user", "root") else "ServicePrincipal",
                },
            },
            "claims": caller.claims(),
        },
        "level": "Error" if call.denied else "Information",
        "location": caller.region,
        "properties": properties,
    }


def make_caller(rng: random.Random, kind: str, agent: str, *, now_ms: int, mfa: bool | None = None) -> Caller:
    """Draw a caller; arguments as of :func:`training.scenarios.cloudtrail_records.make_caller`."""
    word, region = rng.choice(_WORDS), rng.choice(("westeurope", "eastus", "northeurope", "australiaeast"))
    person = kind in ("user", "root")
    name = f"{word}.{rng.randrange(90)}@contoso.example" if person else f"{word}-automation"
    machine = ""
    if kind == "instance":
        group = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{word}"
        machine = f"{group}/providers/Microsoft.Compute/virtualMachines/{word}-{rng.randrange(30)}"
    address = internet_address(rng)
    if kind == "instance" and rng.random() < 0.5:
        address = f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(4, 250)}"
    # Tokens with continuous access evaluation live for a day; of others the principal is what is watched.
    token = hexadecimal(rng, 22) if rng.random() < 0.3 else ""
    return Caller(
        kind, name, _uuid(rng), rng.choice(_PROGRAMS[agent]), address, region, bool(mfa) if person else None, token,
        now_ms - rng.randrange(60_000, 3_600_000), machine,
    )  # fmt: skip


def elsewhere(rng: random.Random, caller: Caller, agent: str = "cli") -> Caller:
    """The same credentials used from another address with another program: what a thief does."""
    return replace(caller, address=internet_address(rng), program=rng.choice(_PROGRAMS[agent]))


def at_address(caller: Caller, address: str) -> Caller:
    return replace(caller, address=address)


def _sign_in(rng: random.Random, caller: Caller, call: Call, time_ms: int) -> Record:
    return {
        "time": _timestamp(time_ms),
        "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
        "operationName": "Sign-in activity",
        "category": "SignInLogs",
        "tenantId": TENANT,
        "resultType": "50126" if call.denied else "0",
        "callerIpAddress": caller.address,
        "properties": {
            "id": _uuid(rng),
            "createdDateTime": _timestamp(time_ms),
            "userId": caller.object_id,
            "userPrincipalName": caller.name if "@" in caller.name else f"{caller.name}@contoso.example",
            "userType": "Member",
            "appId": caller.program,
            "ipAddress": caller.address,
            "userAgent": _BROWSER,
            "authenticationRequirement": "multiFactorAuthentication" if caller.mfa else "singleFactorAuthentication",
            "status": {"errorCode": 50126 if call.denied else 0},
            "conditionalAccessStatus": "notApplied",
            "resourceDisplayName": "Windows Azure Service Management API",
        },
    }


def _directory_change(rng: random.Random, caller: Caller, call: Call, time_ms: int) -> Record:
    person = caller.kind in ("user", "root")
    who: Record = (
        {"user": {"id": caller.object_id, "userPrincipalName": caller.name, "ipAddress": caller.address}}
        if person
        else {"app": {"servicePrincipalId": caller.object_id, "displayName": caller.name, "appId": caller.program}}
    )
    activity = call.operation.replace("_", " ")
    return {
        "time": _timestamp(time_ms),
        "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
        "operationName": activity,
        "category": "AuditLogs",
        "tenantId": TENANT,
        "callerIpAddress": caller.address,
        "properties": {
            "id": f"Directory_{_uuid(rng)}",
            "activityDateTime": _timestamp(time_ms),
            "activityDisplayName": activity,
            "loggedByService": "Core Directory",
            "result": "failure" if call.denied else "success",
            "resultReason": "Insufficient privileges to complete the operation" if call.denied else "",
            "initiatedBy": who,
            "targetResources": [{"id": _uuid(rng), "displayName": f"{rng.choice(_WORDS)}-{rng.randrange(40)}", "type": "User"}],
        },
    }


def _resource(rng: random.Random, call: Call) -> str:
    """A made-up resource of the type that the operation names."""
    parts = call.operation.split("/")
    types = parts[:-2] if parts[-1] == "action" else parts[:-1]
    word = rng.choice(_WORDS)
    scope = f"/subscriptions/{SUBSCRIPTION}"
    if types[:1] == ["subscriptions"]:
        return scope + (f"/resourcegroups/{word}" if "resourceGroups" in types else "")
    named = "".join(f"/{kind}/{rng.choice(_WORDS)}-{rng.randrange(40)}" for kind in types)
    return f"{scope}/resourcegroups/{word}/providers/{call.service}{named}"


def _asked(rng: random.Random, call: Call) -> Record:
    """The request's body, where it says whom or what the change is for."""
    name = f"{call.service}/{call.operation}".lower()
    if "roleassignments/write" in name:
        role = _OWNER if call.grant == "admin" else _READER
        definition = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        return {"properties": {"principalId": _uuid(rng), "roleDefinitionId": definition}}
    if "roledefinitions/write" in name:
        return {"properties": {"permissions": [{"actions": ["*"] if call.grant == "admin" else ["Microsoft.Compute/*/read"]}]}}
    if "pricings/write" in name:
        return {"properties": {"pricingTier": "Free" if call.grant == "unwatched" else "Standard"}}
    if "autoprovisioningsettings/write" in name:
        return {"properties": {"autoProvision": "Off" if call.grant == "unwatched" else "On"}}
    everybody = call.grant == "public"
    if "securityrules/write" in name:
        source = "*" if everybody else f"10.{rng.randrange(256)}.0.0/16"
        rule = {"access": "Allow", "direction": "Inbound", "sourceAddressPrefix": source, "destinationPortRange": "22"}
        return {"properties": rule}
    if "firewallrules/write" in name:
        own = f"198.18.{rng.randrange(256)}.7"
        first, last = ("0.0.0.0", "255.255.255.255") if everybody else (own, own)  # noqa: S104  (a range, nothing listens)
        return {"properties": {"startIpAddress": first, "endIpAddress": last}}
    if "objectreplication" in name:
        return {"properties": {"destinationAccount": f"/subscriptions/{_uuid(rng)}/storageAccounts/{rng.choice(_WORDS)}"}}
    if "storageaccounts" in name and name.endswith("write"):
        return {"properties": {"allowBlobPublicAccess": everybody, "publicAccess": "Blob" if everybody else "None"}}
    if "virtualnetworkpeerings" in name:
        other = _uuid(rng) if call.grant == "foreign" else SUBSCRIPTION
        return {"properties": {"remoteVirtualNetwork": {"id": f"/subscriptions/{other}/resourceGroups/net/virtualNetworks/hub"}}}
    return {}


def _timestamp(time_ms: int) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def _uuid(rng: random.Random) -> str:
    text = hexadecimal(rng, 32)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
