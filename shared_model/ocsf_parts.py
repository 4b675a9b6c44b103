"""Attributes that several OCSF classes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_model.events import Entity, EntityKind
from shared_model.parsers.fields import address_text

VERSION = "1.5.0"
INFORMATIONAL, LOW, MEDIUM, HIGH, CRITICAL, FATAL = 1, 2, 3, 4, 5, 6
_SUCCESS, _FAILURE = 1, 2
_RESOURCE_TYPES = {
    EntityKind.PRINCIPAL: "Principal",
    EntityKind.SESSION: "Session",
    EntityKind.ACCESS_KEY: "Access Key",
    EntityKind.TRUST: "Role Trust",
    EntityKind.INSTANCE: "Instance",
    EntityKind.INTERFACE: "Network Interface",
    EntityKind.ADDRESS: "IP Address",
    EntityKind.HOST: "Host",
    EntityKind.BUCKET: "Bucket",
    EntityKind.SECURITY_GROUP: "Security Group",
    EntityKind.SECURITY_GROUP_RULE: "Security Group Rule",
    EntityKind.SNAPSHOT: "Snapshot",
    EntityKind.IMAGE: "Image",
}
_VENDORS = {"aws": "AWS", "azure": "Microsoft"}


def base(
    class_uid: int, activity: int, time_ms: int, severity: int, uid: str, product: dict[str, Any], profiles: list[str]
) -> dict[str, Any]:
    """Attributes that every event has."""
    return {
        "category_uid": class_uid // 1000,
        "class_uid": class_uid,
        "activity_id": activity,
        "type_uid": class_uid * 100 + activity,
        "time": time_ms,
        "severity_id": severity,
        "metadata": {"version": VERSION, "uid": uid, "product": product, "profiles": profiles},
    }


def product(provider: str, name: str) -> dict[str, Any]:
    """Who recorded it, as ``metadata.product``."""
    return {"name": name, "vendor_name": _VENDORS.get(provider, provider or "unknown")}


def cloud(provider: str, account: str, region: str) -> dict[str, Any]:
    """Profile ``cloud``."""
    vendor = _VENDORS.get(provider, provider or "unknown")
    return known({"provider": vendor, "account": {"uid": account} if account else None, "region": region})


def endpoint(source: str) -> dict[str, Any]:
    """OCSF wants one of an endpoint's names; a caller that is a service has no address."""
    if address_text(source):
        return {"ip": source}
    return {"svc_name": source or "unknown"}


def status(outcome: str, detail: str = "") -> dict[str, Any]:
    """Outcome, where there is one."""
    if outcome not in ("success", "failure"):
        return {"status_id": 0} | known({"status_detail": detail})
    good = outcome == "success"
    status = {"status_id": _SUCCESS if good else _FAILURE, "status": "Success" if good else "Failure"}
    return status | known({"status_detail": detail})


def severity(of_ten: float) -> int:
    """GuardDuty's bands: below 4 low, below 7 medium, below 9 high, else critical."""
    return next((level for limit, level in ((4, LOW), (7, MEDIUM), (9, HIGH)) if of_ten < limit), CRITICAL)


def attacks(technique: str) -> dict[str, Any]:
    """MITRE ATT&CK technique, with its parent where it is a sub-technique."""
    if not technique:
        return {}
    parent, _, sub = technique.partition(".")
    attack: dict[str, Any] = {"technique": {"uid": parent}}
    if sub:
        attack["sub_technique"] = {"uid": technique}
    return {"attacks": [attack]}


def resource(entity: Entity) -> dict[str, Any]:
    """An entity as a resource."""
    owner = {"owner": {"account": {"uid": entity.account}}} if entity.account else {}
    return {"uid": entity.id, "type": _RESOURCE_TYPES[entity.kind]} | owner


def known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not known: None, empty texts and empty objects."""
    return {name: value for name, value in attributes.items() if value not in (None, "", {})}
