"""Operations of Azure's Resource Manager that several actions need, beside those that each declares for itself."""

from __future__ import annotations

#: Following an operation that Azure carries out after it has answered.
FOLLOW_OPERATIONS: tuple[str, ...] = (
    "Microsoft.Network/locations/operationResults/read",
    "Microsoft.Network/locations/operations/read",
)
#: A network interface is written whole: Azure asks for the right to join to everything that it names, changed or not.
WRITE_INTERFACE: tuple[str, ...] = (
    "Microsoft.Network/applicationGateways/backendAddressPools/join/action",
    "Microsoft.Network/applicationSecurityGroups/joinIpConfiguration/action",
    "Microsoft.Network/loadBalancers/backendAddressPools/join/action",
    "Microsoft.Network/loadBalancers/inboundNatRules/join/action",
    "Microsoft.Network/networkInterfaces/read",
    "Microsoft.Network/networkInterfaces/write",
    "Microsoft.Network/networkSecurityGroups/join/action",
    "Microsoft.Network/publicIPAddresses/join/action",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
)
#: So is a firewall policy, which points to nothing itself: gateways and front doors point to it.
WRITE_FIREWALL_POLICY: tuple[str, ...] = (
    "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies/read",
    "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies/write",
    "Microsoft.Network/frontDoorWebApplicationFirewallPolicies/read",
    "Microsoft.Network/frontDoorWebApplicationFirewallPolicies/write",
)
#: So is a security group, with every rule and the application security groups that the rules name.
WRITE_SECURITY_GROUP: tuple[str, ...] = (
    "Microsoft.Network/applicationSecurityGroups/joinNetworkSecurityRule/action",
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/networkSecurityGroups/write",
)
