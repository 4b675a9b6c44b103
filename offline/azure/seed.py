"""A small made-up subscription for the tests and the demo: networks, machines, people and their rights, in a few lines.

Addresses are documentation addresses (RFC 5737) and private ones; every GUID is derived from a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

from azure_infra.consent import SENTINEL_APPLICATION
from offline.azure.credential import TENANT_ID
from offline.azure.graph import Graph
from offline.azure.resource_manager.manager import ResourceManager

LOCATION = "westeurope"


def made_up(name: str) -> str:
    """A GUID that is always the same for one name."""
    return str(uuid5(NAMESPACE_URL, f"breakwater/{name}"))


SUBSCRIPTION_ID = made_up("subscription")


def rule(
    name: str,
    access: str,
    priority: int,
    *,
    direction: str = "Inbound",
    source: str = "*",
    destination: str = "*",
    ports: str = "*",
    protocol: str = "*",
) -> dict[str, Any]:
    """One security rule as the API writes it."""
    return {
        "name": name,
        "properties": {
            "access": access,
            "priority": priority,
            "direction": direction,
            "protocol": protocol,
            "sourceAddressPrefix": source,
            "sourcePortRange": "*",
            "destinationAddressPrefix": destination,
            "destinationPortRange": ports,
        },
    }


def firewall_rule(name: str, action: str, priority: int, *values: str, negated: bool = False, **more: Any) -> dict[str, Any]:
    """One custom rule of a firewall policy about the addresses that requests come from; ``more`` as the API names it."""
    condition = {
        "matchVariables": [{"variableName": "RemoteAddr"}],
        "operator": "IPMatch",
        "negationConditon": negated,
        "matchValues": list(values),
        "transforms": [],
    }
    made = {"name": name, "priority": priority, "ruleType": "MatchRule", "action": action, "matchConditions": [condition]}
    return {**made, **more}


def front_door_rule(name: str, action: str, priority: int, *values: str, negated: bool = False, **more: Any) -> dict[str, Any]:
    """As :func:`firewall_rule`, of a Front Door's firewall policy: about the addresses that it sees."""
    condition = {"matchVariable": "SocketAddr", "operator": "IPMatch", "negateCondition": negated, "matchValue": list(values)}
    made = {"name": name, "priority": priority, "ruleType": "MatchRule", "action": action, "matchConditions": [condition]}
    return {**made, **more}


class Subscription:
    """Describes a subscription to the local Resource Manager; every method returns the id of what it made.

    >>> shop = Subscription(manager).in_group("shop")
    >>> edge = shop.security_group("edge", rule("AllowHttps", "Allow", 300, ports="443"))
    >>> shop.network("shop-net", "10.20.0.0/16", web=("10.20.1.0/24", edge))
    >>> nic = shop.interface("web-nic", "shop-net", "web", "10.20.1.4")
    >>> web = shop.machine("web", nic)
    """

    def __init__(
        self, manager: ResourceManager, subscription_id: str = SUBSCRIPTION_ID, *, name: str = "Shop", location: str = LOCATION
    ) -> None:
        self.manager, self.subscription_id, self.location = manager, subscription_id, location
        self._group = ""
        manager.groups.add_subscription(subscription_id, name)

    @property
    def path(self) -> str:
        """``/subscriptions/{id}``."""
        return f"/subscriptions/{self.subscription_id}"

    def in_group(self, name: str, **tags: str) -> Self:
        """Make a resource group where it is not there, and everything that follows in it."""
        self._group = f"{self.path}/resourceGroups/{name}"
        if not self.manager.groups.has(self._group):
            self.manager.groups.add(self.subscription_id, name, self.location, tags)
        return self

    def security_group(self, name: str, *rules: dict[str, Any], flush_connection: bool | None = None, **tags: str) -> str:
        """A network security group with its rules."""
        properties: dict[str, Any] = {"securityRules": list(rules)}
        if flush_connection is not None:
            properties["flushConnection"] = flush_connection
        return self._put("Microsoft.Network/networkSecurityGroups", name, properties, tags)

    def network(self, name: str, prefix: str, **subnets: str | tuple[str, str]) -> str:
        """A virtual network; each subnet is its prefix, or its prefix and the id of its security group."""
        listed = []
        for subnet, said in subnets.items():
            subnet_prefix, group = (said, "") if isinstance(said, str) else said
            inner: dict[str, Any] = {"addressPrefix": subnet_prefix}
            if group:
                inner["networkSecurityGroup"] = {"id": group}
            listed.append({"name": subnet, "properties": inner})
        return self._put(
            "Microsoft.Network/virtualNetworks", name, {"addressSpace": {"addressPrefixes": [prefix]}, "subnets": listed}, {}
        )

    def interface(
        self, name: str, network: str, subnet: str, address: str, *, security_group: str = "", mac: str = "", **more: Any
    ) -> str:
        """A network interface in a subnet of this resource group's network; ``more`` are properties as the API names them."""
        inner = {
            "privateIPAddress": address,
            "privateIPAllocationMethod": "Static",
            "subnet": {"id": f"{self._group}/providers/Microsoft.Network/virtualNetworks/{network}/subnets/{subnet}"},
        }
        tags = more.pop("tags", {})
        properties: dict[str, Any] = {"ipConfigurations": [{"name": "ipconfig1", "properties": inner}], **more}
        if security_group:
            properties["networkSecurityGroup"] = {"id": security_group}
        if mac:
            properties["macAddress"] = mac
        return self._put("Microsoft.Network/networkInterfaces", name, properties, tags)

    def machine(self, name: str, *interfaces: str, power: str = "running", **tags: str) -> str:
        """A virtual machine with its interfaces, the first of which is the primary one."""
        attached = [{"id": one, "properties": {"primary": one == interfaces[0]}} for one in interfaces]
        disk = {
            "osType": "Linux",
            "name": f"{name}_OsDisk_1",
            "createOption": "FromImage",
            "caching": "ReadWrite",
            "diskSizeGB": 30,
        }
        properties = {
            "vmId": made_up(f"machine {self._group} {name}"),
            "hardwareProfile": {"vmSize": "Standard_B2s"},
            "storageProfile": {"osDisk": disk, "dataDisks": []},
            "osProfile": {"computerName": name, "adminUsername": "operator", "secrets": []},
            "networkProfile": {"networkInterfaces": attached},
        }
        return self._put("Microsoft.Compute/virtualMachines", name, properties, tags, power=power)

    def firewall_policy(self, name: str, *rules: dict[str, Any], mode: str = "Prevention", gateway: str = "", **more: Any) -> str:
        """A firewall policy of Application Gateways with its custom rules; with a gateway of that name that it stands before.

        ``more``: ``tags``, ``version`` of its rule set (OWASP), further ``settings``.
        """
        owasp = {"ruleSetType": "OWASP", "ruleSetVersion": more.get("version", "3.2")}
        properties = {
            "policySettings": {"state": "Enabled", "mode": mode, "requestBodyCheck": True, **more.get("settings", {})},
            "customRules": list(rules),
            "managedRules": {"managedRuleSets": [owasp], "exclusions": []},
        }
        made = self._put(
            "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies", name, properties, more.get("tags", {})
        )
        if gateway:
            self._put("Microsoft.Network/applicationGateways", gateway, {"firewallPolicy": {"id": made}}, {})
        return made

    def front_door_policy(
        self, name: str, *rules: dict[str, Any], mode: str = "Prevention", profile: str = "", **more: Any
    ) -> str:
        """A firewall policy of Front Door; with a profile of that name whose domains it stands before. ``more``: as above."""
        properties = {
            "policySettings": {
                "enabledState": "Enabled",
                "mode": mode,
                "requestBodyCheck": "Enabled",
                **more.get("settings", {}),
            },
            "customRules": {"rules": list(rules)},
            "managedRules": {"managedRuleSets": []},
        }
        kind, tags = "Microsoft.Network/frontDoorWebApplicationFirewallPolicies", more.get("tags", {})
        made = self._put(kind, name, properties, tags, sku={"name": "Premium_AzureFrontDoor"}, location="Global")
        if profile:
            parameters = {"type": "WebApplicationFirewall", "wafPolicy": {"id": made}}
            self._put("Microsoft.Cdn/profiles", f"{profile}/securityPolicies/{name}", {"parameters": parameters}, {})
        return made

    def storage_account(
        self, name: str, *, kind: str = "StorageV2", tags: dict[str, str] | None = None, **properties: Any
    ) -> str:
        """A storage account; ``properties`` as the API names them."""
        return self._put(
            "Microsoft.Storage/storageAccounts", name, properties, tags or {}, sku={"name": "Standard_LRS"}, kind=kind
        )

    def assign(self, principal_id: str, role: str, scope: str = "", **more: Any) -> str:
        """Give a principal a role at a scope, by default the subscription."""
        return self.manager.roles.assign(scope or self.path, principal_id, role, **more)

    def _put(
        self, type_name: str, name: str, properties: dict[str, Any], tags: dict[str, str], *, power: str = "", **more: Any
    ) -> str:
        if not self._group:
            raise RuntimeError("say in_group() first: a resource lies in a resource group")
        body = {"location": self.location, "tags": tags, "properties": properties, **more}
        made = self.manager.put(f"{self._group}/providers/{type_name}/{name}", body, power=power)
        return str(made["id"])


@dataclass(frozen=True, slots=True)
class World:
    """The seeded subscription, by the ids of what is in it."""

    subscription_id: str
    tenant_id: str
    group: str
    network: str
    edge_group: str
    open_group: str
    inner_group: str
    web: str
    web_interface: str
    database: str
    database_interfaces: tuple[str, str]
    jump: str
    jump_interface: str
    alice: str
    mallory: str
    synced: str
    break_glass: str
    operations: str
    deployer: str
    deployer_assignments: tuple[str, ...]
    storage: str
    workspace: str
    incident: str


def seed(manager: ResourceManager, graph: Graph | None = None) -> World:
    """Describe the subscription that the tests and the demo play in, and the directory where there is one.

    ``web`` has one interface in a subnet whose group ``edge`` leaves room for a deny; ``database`` has two interfaces, one with
    the group ``inner`` of its own; ``jump`` stands behind ``open``, whose Allow at priority 100 defeats any later deny.

    ``mallory`` may read the subscription, and more as a member of the group ``operations``; ``synced`` comes from an on-premises
    directory; ``break_glass`` is the only Owner and an administrator of the directory; ``deployer`` is a service principal with
    two assignments of its own. The storage account takes anonymous reads and keys.
    """
    shop = Subscription(manager).in_group("shop", owner="shop-team")
    edge = shop.security_group(
        "edge",
        rule("AllowHttps", "Allow", 300, ports="443", protocol="Tcp"),
        rule("AllowSshFromOffice", "Allow", 310, source="203.0.113.0/24", ports="22", protocol="Tcp"),
        service="web",
    )
    open_to_all = shop.security_group("open", rule("AllowAnything", "Allow", 100))
    inner = shop.security_group(
        "inner", rule("AllowPostgresFromWeb", "Allow", 200, source="10.20.1.0/24", ports="5432", protocol="Tcp")
    )
    network = shop.network(
        "shop-net",
        "10.20.0.0/16",
        web=("10.20.1.0/24", edge),
        data="10.20.2.0/24",
        jump=("10.20.3.0/24", open_to_all),
    )
    web_interface = shop.interface("web-nic", "shop-net", "web", "10.20.1.4")
    front = shop.interface("database-front", "shop-net", "data", "10.20.2.4", security_group=inner)
    back = shop.interface(
        "database-back", "shop-net", "data", "10.20.2.5", enableIPForwarding=True, tags={"purpose": "replication"}
    )
    jump_interface = shop.interface("jump-nic", "shop-net", "jump", "10.20.3.4")
    people = {name: made_up(f"user {name}") for name in ("alice", "mallory", "synced", "break-glass")}
    operations, deployer = made_up("group operations"), made_up("service principal deployer")
    shop.assign(people["break-glass"], "Owner", principal_type="User")
    shop.assign(people["mallory"], "Reader", principal_type="User")
    shop.assign(operations, "Virtual Machine Contributor", principal_type="Group")
    manager.roles.add_group(operations, people["mallory"])
    assignments = (
        shop.assign(deployer, "Contributor"),
        shop.assign(
            deployer, "Key Vault Secrets User", f"{shop.path}/resourceGroups/shop", description="reads the shop's secrets"
        ),
    )
    if graph is not None:
        graph.add_user(people["alice"], "alice@example.com")
        graph.add_user(people["mallory"], "mallory@example.com")
        graph.add_user(people["synced"], "synced@example.com", onPremisesSyncEnabled=True)
        graph.add_user(people["break-glass"], "break-glass@example.com", privileged=True)
        graph.add_group(operations, "Operations", people["mallory"])
        graph.add_service_principal(deployer, made_up("application deployer"), "deployer")
        graph.add_service_principal(made_up("object Azure Security Insights"), SENTINEL_APPLICATION, "Azure Security Insights")
    storage = shop.storage_account(
        "shopdata",
        tags={"service": "web"},
        allowBlobPublicAccess=True,
        allowSharedKeyAccess=True,
        minimumTlsVersion="TLS1_2",
        publicNetworkAccess="Enabled",
        supportsHttpsTrafficOnly=True,
    )
    workspace = manager.put(
        f"{shop.path}/resourceGroups/shop/providers/Microsoft.OperationalInsights/workspaces/shop-logs",
        {"location": LOCATION, "properties": {"sku": {"name": "PerGB2018"}, "retentionInDays": 90}},
    )
    incident = manager.incidents.add(
        str(workspace["id"]), made_up("incident"), {"title": "Suspicious sign-in", "severity": "High"}
    )
    return World(
        subscription_id=SUBSCRIPTION_ID,
        tenant_id=TENANT_ID,
        group=f"{shop.path}/resourceGroups/shop",
        network=network,
        edge_group=edge,
        open_group=open_to_all,
        inner_group=inner,
        web=shop.machine("web", web_interface, service="web"),
        web_interface=web_interface,
        database=shop.machine("database", front, back),
        database_interfaces=(front, back),
        jump=shop.machine("jump", jump_interface),
        jump_interface=jump_interface,
        alice=people["alice"],
        mallory=people["mallory"],
        synced=people["synced"],
        break_glass=people["break-glass"],
        operations=operations,
        deployer=deployer,
        deployer_assignments=assignments,
        storage=storage,
        workspace=str(workspace["id"]),
        incident=incident,
    )
