"""The apps' way out: one subnet, which alone is let into the storage accounts and the event hubs."""

from __future__ import annotations

from azure_infra import names
from azure_infra.arm import Json, Ref, Template, resource, text, value, variable

SECURITY_GROUP = Ref("Microsoft.Network/networkSecurityGroups", (names.own("network"),))
_SUBNET = names.VNET.child("subnets", text("functions"))


def add_network(template: Template) -> None:
    """A network of our own, unless the parameters name a subnet of the customer's."""
    given = template.take(
        "subnetId",
        "string",
        "Subnet that the function apps run in, delegated to Microsoft.App/environments and with service endpoints for "
        "Microsoft.Storage and Microsoft.EventHub. Empty makes a network for them alone.",
        defaultValue="",
    )
    prefix = template.take(
        "networkPrefix", "string", "Addresses of that network, where it is made here: 256 or more.", defaultValue="10.221.0.0/24"
    )
    template.take(
        "operatorAddresses",
        "array",
        "Public addresses or ranges (CIDR) from which people may reach the storage accounts with their own Entra identity, "
        "for `breakwater status` and undo. Nobody by default.",
        defaultValue=[],
    )
    template.define("subnet", value(f"if(empty({given}), {_SUBNET.id}, {given})"))
    condition = value(f"empty({given})")
    template.add(
        resource(
            SECURITY_GROUP,
            names.NETWORK,
            {
                "securityRules": [
                    {
                        "name": "deny-inbound",
                        "properties": {
                            "description": "Nothing has to reach the functions through this network.",
                            "priority": 4096,
                            "direction": "Inbound",
                            "access": "Deny",
                            "protocol": "*",
                            "sourceAddressPrefix": "*",
                            "sourcePortRange": "*",
                            "destinationAddressPrefix": "*",
                            "destinationPortRange": "*",
                        },
                    }
                ]
            },
            location=value("parameters('location')"),
            tags=value("variables('tags')"),
            condition=condition,
        ),
        resource(
            names.VNET,
            names.NETWORK,
            {
                "addressSpace": {"addressPrefixes": [value(prefix)]},
                "subnets": [
                    {
                        "name": "functions",
                        "properties": {
                            "addressPrefix": value(prefix),
                            "defaultOutboundAccess": True,  # Resource Manager, Graph and sign-in are outside
                            "delegations": [{"name": "functions", "properties": {"serviceName": "Microsoft.App/environments"}}],
                            "networkSecurityGroup": {"id": value(SECURITY_GROUP.id)},
                            "serviceEndpoints": [{"service": "Microsoft.Storage"}, {"service": "Microsoft.EventHub"}],
                        },
                    }
                ],
            },
            after=[SECURITY_GROUP],
            location=value("parameters('location')"),
            tags=value("variables('tags')"),
            condition=condition,
        ),
    )


def storage_rules() -> Json:
    """Network rules of a storage account. Of Azure's trusted services Network Watcher, Event Grid and Monitor come this way."""
    # A single address: storage accounts take no ranges of one (/32).
    allow = "createObject('value', replace(lambdaVariables('address'), '/32', ''), 'action', 'Allow')"
    return {
        "defaultAction": "Deny",
        "bypass": "AzureServices",
        "virtualNetworkRules": [{"id": value(variable("subnet")), "action": "Allow"}],
        "ipRules": value(f"map(parameters('operatorAddresses'), lambda('address', {allow}))"),
    }
