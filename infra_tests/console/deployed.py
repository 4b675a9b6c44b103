"""A deployment in the embedded Resource Manager: what the shipped templates deploy, with the rights that they assign."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azure_functions.adapters.heartbeat import Heartbeat
from azure_functions.registry import CHECKPOINTS, CONSUMER_GROUP, FUNCTIONS, POISON_QUEUES
from azure_infra.permissions import graph_permissions
from infra_tests.azure_infra.conftest import MOST, read
from infra_tests.console.sign_in import SignIn
from offline.azure.certificates import Certificates
from offline.azure.functions_host.checkpoints import Checkpoints
from offline.azure.hub_namespace import HubNamespace
from offline.azure.resource_manager.deployed import DEPLOYED
from offline.azure.seed import SUBSCRIPTION_ID
from offline.azure.services import Services
from offline.azure.storage import Storage
from offline.azure.templates.deployment import Deployed, Deployment, deploy
from offline.azure.templates.expressions import Later
from response.anchors import anchor

if TYPE_CHECKING:
    from infra_tests.console.conftest import Console

GROUP = "breakwater"
ROOM = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{GROUP}"
POLICY = Path(__file__).parents[2] / "policy" / "azure.yaml"
TELEMETRY = ("detect_flows", "detect_api_calls", "detect_system_logs", "triage_findings")
_IDENTITY = re.compile(r".*/userAssignedIdentities/breakwater-([\w-]+)\.principalId")
_STORAGE = "Microsoft.Storage/storageAccounts"
_SITE, _AUTHORIZATION = "Microsoft.Web/sites", "Microsoft.Authorization"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def services(certificates: Certificates) -> Iterator[Services]:
    with Services(certificates) as services:
        yield services


@pytest.fixture
def armed() -> bool:
    """Whether it is deployed so that it may change something."""
    return True


@pytest.fixture
def placed(services: Services, armed: bool) -> list[str]:
    """Ids of what is deployed."""
    return put_deployment(services, armed=armed)


def named(placed: list[str], part: str) -> str:
    """Id of the resource with that in it; what stands below it too."""
    return min((each for each in placed if part in each), key=len)


@pytest.fixture
def hubs(services: Services, storage: Storage, placed: list[str]) -> HubNamespace:
    """The event hubs, of which everything was read."""
    at = {"serviceBusEndpoint": f"{services.event_hubs.url}/"}
    services.arm.change(named(placed, "/Microsoft.EventHub/namespaces/"), lambda kept: kept["properties"].update(at))
    endpoints = {"primaryEndpoints": {"blob": storage.azurite.blob_endpoint()}}
    services.arm.change(named(placed, "/storageAccounts/breakwatehd"), lambda kept: kept["properties"].update(endpoints))
    for hub in services.event_hubs.hubs.values():
        for number in range(8):
            hub.send(b"{}")
            checkpoint(storage, hub.name, number % 4, number // 4)
    return services.event_hubs


def checkpoint(storage: Storage, hub: str, partition: int, sequence_number: int) -> None:
    """The host has read a partition so far."""
    container = storage.blobs.get_container_client(CHECKPOINTS)
    Checkpoints(container, "127.0.0.1", hub, CONSUMER_GROUP).move(partition, sequence_number, 0)


@pytest.fixture
def alive(
    on_azure: Console,
    storage: Storage,
    services: Services,
    hubs: HubNamespace,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
) -> Console:
    """All is well."""
    monkeypatch.setenv("BREAKWATER_ARM_ENDPOINT", services.arm.url)
    monkeypatch.setenv("BREAKWATER_GRAPH_ENDPOINT", services.graph.url)
    sign_in.knows(services.graph.url, *hubs.audiences)
    for group, permissions in graph_permissions().items():
        services.graph.grant(services.identities[group].object_id, *permissions)
    for name in POISON_QUEUES:
        storage.queues.create_queue(name)
    for name in TELEMETRY:
        Heartbeat(storage, name).beat(now_ms() - 120_000, verdicts=1, detector="audit 7")
    anchor(on_azure.journal(), now_ms=now_ms() - 300_000)
    upload(storage, POLICY.read_bytes())
    return on_azure


def upload(storage: Storage, text: bytes) -> None:
    storage.blobs.get_blob_client("policy", "policy.yaml").upload_blob(text, overwrite=True)


def bad(console: Console) -> list[str]:
    """What is bad, with its cure."""
    status = console("doctor")
    lines = console.printed
    found = [f"{line[6:]} {lines[at + 1].strip()}" for at, line in enumerate(lines[:-1]) if line.startswith("BAD ")]
    assert status == (1 if found else 0), lines
    return found


def put_deployment(services: Services, *, armed: bool = True) -> list[str]:
    """Put into Resource Manager what a deployment of the templates makes of what a person looks at; return the ids."""
    placed: list[str] = []
    services.arm.groups.add(SUBSCRIPTION_ID, GROUP, "westeurope")
    principals = {f"{group}PrincipalId": one.object_id for group, one in services.identities.items()}
    for name, more in (("resource_group", {}), ("subscription", {**principals, "armed": armed})):
        made = deploy(read(name), SUBSCRIPTION_ID, GROUP, **MOST[name] | more)
        for resource in made.resources:
            if resource.type in (*DEPLOYED, _STORAGE):
                services.arm.put(resource.id, _answered(services, resource))
                placed.append(resource.id)
        _assign(services, made)
    for site in deploy(read("resource_group"), SUBSCRIPTION_ID, GROUP, **MOST["resource_group"]).of(_SITE):
        told = {each["name"]: str(each["value"]) for each in site.properties["siteConfig"]["appSettings"]}
        services.arm.put(f"{site.id}/config/appsettings", {"properties": told})
        for function in _switched_on(told):
            services.arm.put(f"{site.id}/functions/{function}", {})
    for name in ("detect-flows", "detect-nsg-flows"):
        topic = f"{ROOM}/providers/Microsoft.EventGrid/systemTopics/breakwater-flow-logs"
        services.arm.put(f"{topic}/eventSubscriptions/{name}", {})
    return placed


def _switched_on(told: dict[str, str]) -> Iterator[str]:
    for spec in FUNCTIONS:
        if f"AzureWebJobs.{spec.name}.Disabled" not in told:
            yield spec.name


def _answered(services: Services, resource: Deployed) -> dict[str, Any]:
    """A resource as a deployment sends it, with what only its provider knows."""
    body = _plain(resource.content)
    group = resource.id.rpartition("/breakwater-")[2]
    if resource.type.endswith("/userAssignedIdentities") and group in services.identities:
        identity = services.identities[group]
        body["properties"] = {"principalId": identity.object_id, "clientId": identity.client_id}
    return body


def _assign(services: Services, made: Deployment) -> None:
    roles = services.arm.roles
    for role in made.of(f"{_AUTHORIZATION}/roleDefinitions"):
        allowed = role.properties["permissions"][0]["actions"]
        roles.define(f"/subscriptions/{SUBSCRIPTION_ID}", role.id.rpartition("/")[2], role.properties["roleName"], allowed)
    for one in made.of(f"{_AUTHORIZATION}/roleAssignments"):
        scope = one.id.partition(f"/providers/{_AUTHORIZATION}/")[0]
        whose = str(one.properties["principalId"]).strip("<>")
        known = _IDENTITY.fullmatch(whose)
        principal = services.identities[known[1]].object_id if known and known[1] in services.identities else whose
        bound = {key: one.properties[key] for key in ("condition", "conditionVersion") if key in one.properties}
        roles.assign(scope, principal, str(one.properties["roleDefinitionId"]), **bound)


def _plain(content: Any) -> Any:
    """Without what is only known later."""
    if isinstance(content, Later):
        return str(content)
    if isinstance(content, dict):
        return {str(key): _plain(part) for key, part in content.items()}
    return [_plain(part) for part in content] if isinstance(content, list) else content
