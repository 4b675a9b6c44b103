"""Storage: what Breakwater keeps (tables, queues, lake, policy), each app's host storage, and the flow logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from azure_functions import registry
from azure_infra import names
from azure_infra.arm import Json, Ref, Template, parameter, resource, text, value
from azure_infra.network import storage_rules

#: Container of what Event Grid could not deliver.
UNDELIVERED = "undelivered-events"
PACKAGES = "packages"
_LOCK = Ref("Microsoft.Authorization/locks", (text("breakwater-journal"),))


def add_storage(template: Template) -> None:
    """The accounts with everything in them that has a name."""
    raw_days = template.take(
        "rawDays",
        "int",
        "Days after which raw telemetry and undeliverable events are deleted.",
        defaultValue=90,
        minValue=1,
        maxValue=3650,
    )
    redundancy = template.take(
        "storageRedundancy",
        "string",
        "Copies of the state account: in other zones (ZRS), in another region too (GZRS, GRS), or in one data centre (LRS).",
        defaultValue="Standard_ZRS",
        allowedValues=["Standard_LRS", "Standard_ZRS", "Standard_GRS", "Standard_GZRS"],
    )
    template.take(
        "storageAccess",
        "string",
        "SelectedNetworks: the apps' subnet, operatorAddresses and Azure's trusted services. PrivateEndpointsOnly: where you "
        "have made private endpoints in the network of subnetId.",
        defaultValue="SelectedNetworks",
        allowedValues=["SelectedNetworks", "PrivateEndpointsOnly"],
    )
    locked = template.take(
        "lockState", "bool", "Guard the state account, which holds the journal, against deletion by a lock.", defaultValue=True
    )
    template.define("stateAccount", value(names.account_name("st")))
    for app in names.APPS:
        template.define(f"{app.name}HostAccount", value(names.account_name(f"h{app.name[0]}")))
    _state(template, redundancy, raw_days)
    template.add(
        resource(
            _LOCK,
            "2020-05-01",
            {"level": "CanNotDelete", "notes": "Breakwater's journal: what was changed, and how to take it back."},
            after=[names.STATE],
            scope=value(names.STATE.id),
            condition=value(locked),
        )
    )
    for app in names.APPS:
        here = names.host_account(app.name)
        template.add(
            _account(here, "Standard_LRS"), *_services(here, hierarchical=False), _container(names.container(here, PACKAGES))
        )
    # The host would make it itself: here because a right on it is given.
    template.add(_container(names.checkpoints()))


def _state(template: Template, redundancy: str, raw_days: str) -> None:
    here = names.STATE
    template.add(_account(here, value(redundancy), isHnsEnabled=True), *_services(here, hierarchical=True))
    for name in (*registry.CONTAINERS, UNDELIVERED):
        template.add(_container(names.container(here, name)))
    tables, queues = here.child("tableServices", text("default")), here.child("queueServices", text("default"))
    template.add(resource(tables, names.STORAGE, {}, after=[here]), resource(queues, names.STORAGE, {}, after=[here]))
    for name in registry.TABLES:
        template.add(resource(names.table(name), names.STORAGE, {}, after=[tables]))
    for name in (*registry.QUEUES, *registry.POISON_QUEUES):
        template.add(resource(names.queue(name), names.STORAGE, {}, after=[queues]))
    rules = [
        _lifecycle("undelivered", [f"{UNDELIVERED}/", f"{registry.LAKE}/dead-letters/"], {"delete": _after(value(raw_days))}),
        _lifecycle("cool", [f"{registry.LAKE}/ocsf/", f"{registry.LAKE}/rejected/"], {"tierToCool": _after(90)}),
    ]
    template.add(_policy(here, rules))


def add_flow_log_account(template: Template) -> None:
    """An account for flow logs, unless the parameters name the customer's."""
    given = template.take(
        "flowLogAccountId",
        "string",
        "Id of the storage account that VNet or NSG flow logs are already written to, in this subscription. Empty makes one "
        "that the subscription template can turn them on to.",
        defaultValue="",
    )
    template.define("flowLogAccount", value(names.account_name("fl")))
    template.define("flowLogAccountId", value(f"if(empty({given}), {names.FLOW_LOGS.id}, {given})"))
    condition = value(f"empty({given})")
    made = [
        _account(names.FLOW_LOGS, "Standard_LRS"),
        *_services(names.FLOW_LOGS, hierarchical=False),
        _policy(names.FLOW_LOGS, [_lifecycle("raw", ["insights-logs-"], {"delete": _after(value(parameter("rawDays")))})]),
    ]
    template.add(*({**one, "condition": condition} for one in made))


def _account(ref: Ref, redundancy: str, **properties: Any) -> Json:
    return resource(
        ref,
        names.STORAGE,
        {
            "accessTier": "Hot",
            "allowBlobPublicAccess": False,
            "allowCrossTenantReplication": False,
            "allowSharedKeyAccess": False,
            "allowedCopyScope": "AAD",
            "defaultToOAuthAuthentication": True,
            "encryption": {
                "keySource": "Microsoft.Storage",
                "requireInfrastructureEncryption": True,
                "services": {kind: {"enabled": True, "keyType": "Account"} for kind in ("blob", "queue", "table")},
            },
            "isLocalUserEnabled": False,
            "minimumTlsVersion": "TLS1_2",
            "networkAcls": storage_rules(),
            "publicNetworkAccess": value(
                "if(equals(parameters('storageAccess'), 'PrivateEndpointsOnly'), 'Disabled', 'Enabled')"
            ),
            "supportsHttpsTrafficOnly": True,
            **properties,
        },
        after=[names.VNET],
        location=value("parameters('location')"),
        tags=value("variables('tags')"),
        kind="StorageV2",
        sku={"name": redundancy},
    )


def _services(of: Ref, *, hierarchical: bool) -> list[Json]:
    kept = {"enabled": True, "days": 30}
    properties: Json = {"deleteRetentionPolicy": kept, "containerDeleteRetentionPolicy": kept}
    if not hierarchical:
        properties["isVersioningEnabled"] = False
    return [resource(of.child("blobServices", text("default")), names.STORAGE, properties, after=[of])]


def _container(ref: Ref) -> Json:
    service = Ref("Microsoft.Storage/storageAccounts/blobServices", ref.names[:2])
    return resource(ref, names.STORAGE, {"publicAccess": "None"}, after=[service])


def _policy(of: Ref, rules: Sequence[Json]) -> Json:
    policy = of.child("managementPolicies", text("default"))
    service = of.child("blobServices", text("default"))
    return resource(policy, names.STORAGE, {"policy": {"rules": list(rules)}}, after=[service])


def _lifecycle(name: str, prefixes: Sequence[str], base: Json) -> Json:
    filters = {"blobTypes": ["blockBlob"], "prefixMatch": list(prefixes)}
    return {"enabled": True, "name": name, "type": "Lifecycle", "definition": {"actions": {"baseBlob": base}, "filters": filters}}


def _after(days: int | str) -> Json:
    return {"daysAfterModificationGreaterThan": days}
