"""The local Azure as the actions' tests see it."""

from __future__ import annotations

import ssl
from typing import Any, Self

from azure_functions.actions.catalogue import ACTIONS, GROUPS, UNDO_GROUP
from azure_functions.actions.persistence import Persistence
from azure_functions.clients import LazyClients
from azure_functions.settings import Settings
from infra_tests.azure_functions.actions.invoked import CustomersFunction
from infra_tests.response.world import verdict
from offline.azure.calls import CallLog, Grants
from offline.azure.certificates import Certificates
from offline.azure.credential import TENANT_ID
from offline.azure.graph import Graph
from offline.azure.identity import IdentityEndpoint
from offline.azure.resource_manager.manager import ResourceManager
from offline.azure.seed import Subscription, World, firewall_rule, front_door_rule, seed
from offline.azure.web import Answer, Request
from response.actions import Action, Plan
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

ATTACKER = "198.51.100.66"
NOW_MS = 1_790_000_000_000


class _Watched:
    """A service with somebody who sees each request before it is answered, and may change something first."""

    def before(self, request: Request) -> None:
        """Replaced by a test."""

    def answer(self, request: Request) -> Answer:
        self.before(request)
        return super().answer(request)  # type: ignore[misc,no-any-return]


class WatchedManager(_Watched, ResourceManager):
    pass


class WatchedGraph(_Watched, Graph):
    pass


class WatchedFunction(_Watched, CustomersFunction):
    pass


class Cloud:
    """Resource Manager, Graph, identities and a customer's function, listening until closed.

    Every identity may do what the actions declare, no more.
    """

    def __init__(self, certificates: Certificates) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificates.certificate, certificates.key)
        self.calls, self.grants = CallLog(), Grants(enforced=True)
        self.arm = WatchedManager(calls=self.calls, grants=self.grants).serve(tls)
        self.graph = WatchedGraph(calls=self.calls, grants=self.grants, clock=lambda: NOW_MS / 1000).serve(tls)
        self.function = WatchedFunction(calls=self.calls, grants=self.grants).serve(tls)
        self.identity = IdentityEndpoint().serve()
        self.world: World = seed(self.arm)
        self.shop = Subscription(self.arm).in_group("shop")
        self.firewall = self.shop.firewall_policy(
            "shop-firewall", firewall_rule("Scanners", "Block", 7, "192.0.2.0/24"), gateway="shop-gateway"
        )
        self.firewall_settings = {"firewall_policies": [self.firewall]}
        self.front_door = self.shop.front_door_policy(
            "shopDoor", front_door_rule("Scanners", "Block", 7, "192.0.2.0/24"), profile="shop-profile"
        )
        self.identities = {str(group): self.identity.assign(str(group)).client_id for group in {*GROUPS.values(), UNDO_GROUP}}
        for group, client_id in self.identities.items():
            self.grants.allow(client_id, _declared(group))
        self.function.lets_in = {self.identities[name] for name in ("data", "undo")}
        self.pauses: list[float] = []
        self.environment = {**self.identity.environment, **certificates.environment}
        self.clients = LazyClients(lambda: self.settings)

    @property
    def settings(self) -> Settings:
        return Settings(
            arm_endpoint=self.arm.url,
            graph_endpoint=self.graph.url,
            subscription_id=self.world.subscription_id,
            tenant_id=TENANT_ID,
            **{f"{group}_client_id": client_id for group, client_id in self.identities.items()},
        )

    @property
    def persistence(self) -> Persistence:
        """Patience that costs a test no time; what would have been waited is kept."""
        return Persistence(pause=self.pauses.append, poll_s=0, chance=lambda: 0)

    def made(self, group: str, *, since: int = 0) -> set[str]:
        """Operations that an identity called."""
        return {name for call in self.calls.calls(self.identities[group], since=since) for name in call.operations if name}

    def writes(self, *, since: int = 0) -> int:
        """How many calls since then changed something, or tried to."""
        return sum(call.method in ("PUT", "PATCH", "DELETE") for call in self.calls.calls(since=since))

    def rules(self, group: str) -> dict[str, dict[str, Any]]:
        """The rules of a security group, without what Azure adds to them."""
        found = self.arm.resource(group)["properties"]["securityRules"]
        return {rule["name"]: {k: v for k, v in rule["properties"].items() if k != "provisioningState"} for rule in found}

    def flushes(self, group: str) -> bool:
        return bool(self.arm.resource(group)["properties"].get("flushConnection"))

    def group_of(self, interface: str) -> str:
        """The security group of an interface, ``""`` where it has none."""
        return str((self.arm.resource(interface)["properties"].get("networkSecurityGroup") or {}).get("id", ""))

    def close(self) -> None:
        self.arm.close()
        self.graph.close()
        self.function.close()
        self.identity.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _declared(group: str) -> tuple[str, ...]:
    declared = [name for action in ACTIONS if GROUPS[action.name] == group for name in action.permissions]
    if group == UNDO_GROUP:
        declared += [name for action in ACTIONS for name in action.undo_permissions]
    return tuple(dict.fromkeys(declared))


def about(kind: EntityKind, identifier: str, *related: Entity, **more: Any) -> Verdict:
    """A verdict about an entity that names others."""
    entity = Entity(kind, identifier)
    return verdict(identifier, "v", Telemetry.FLOW_LOGS, entity=entity, related=related, **more)


def plan(action: Action, made: Verdict) -> Plan:
    """The action's plan for what the verdict is about, as the journal gives it back."""
    return Plan.from_json_value(action.plan(made.entity, made).to_json_value())
