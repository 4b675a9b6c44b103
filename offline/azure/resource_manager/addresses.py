"""What a Resource Manager path points to: a resource, a list of them, or something done to one.

Format: ``{scope}/providers/{namespace}/{type}/{name}[/{type}/{name}…]``, in any letter case. An extension resource (a role
assignment, an incident) stands below another resource's path; the last ``/providers/`` counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from offline.azure.resource_manager.errors import ArmError

_NAMES = (
    "ApplicationGatewayWebApplicationFirewallPolicies",
    "Microsoft.Authorization",
    "Microsoft.Cdn",
    "Microsoft.Compute",
    "Microsoft.EventGrid",
    "Microsoft.EventHub",
    "Microsoft.Insights",
    "Microsoft.Logic",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Resources",
    "Microsoft.SecurityInsights",
    "Microsoft.Storage",
    "Microsoft.Web",
    "applicationGateways",
    "applicationSecurityGroups",
    "comments",
    "default",
    "defaultSecurityRules",
    "deployments",
    "effectiveNetworkSecurityGroups",
    "flowLogs",
    "frontDoorWebApplicationFirewallPolicies",
    "incidents",
    "instanceView",
    "ipConfigurations",
    "locations",
    "locks",
    "networkInterfaces",
    "networkSecurityGroups",
    "networkWatchers",
    "operationResults",
    "operationStatuses",
    "operations",
    "profiles",
    "publicIPAddresses",
    "resourceGroups",
    "roleAssignmentScheduleInstances",
    "roleAssignments",
    "roleDefinitions",
    "securityPolicies",
    "securityRules",
    "sites",
    "storageAccounts",
    "subnets",
    "subscriptions",
    "tags",
    "userAssignedIdentities",
    "virtualMachineScaleSets",
    "virtualMachines",
    "virtualNetworks",
    "whatIf",
    "workflows",
    "workspaces",
)
_CANONICAL = {name.lower(): name for name in _NAMES}
#: What belongs to a deployment has a short path, too.
_DEPLOYMENT = re.compile(r"(/subscriptions/[^/]+(?:/resourcegroups/[^/]+)?)/(deployments/.*)", re.IGNORECASE)
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def canonical(name: str) -> str:
    """A type's or namespace's name in the platform's own letter case, where it is known."""
    return _CANONICAL.get(name.lower(), name)


@dataclass(frozen=True, slots=True)
class Address:
    """One parsed path; ``types`` is one longer than ``names`` where it is a list of resources, or an ``action`` is posted."""

    scope: str
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]
    action: str = ""

    @property
    def type(self) -> str:
        """``Microsoft.Network/networkSecurityGroups/securityRules``."""
        return "/".join((self.namespace, *self.types))

    @property
    def is_list(self) -> bool:
        return len(self.types) > len(self.names)

    @property
    def path(self) -> str:
        """The path again, with the platform's letter case in all but the names; without the action."""
        words = [word for pair in zip(self.types, self.names, strict=False) for word in pair]
        if self.is_list:
            words.append(self.types[-1])
        if self.namespace == "Microsoft.Resources" and self.types[:1] == ("subscriptions",):
            return "/" + "/".join(words)
        return "/".join([self.scope, "providers", self.namespace, *words])

    @property
    def parent(self) -> Address:
        """The resource (or the list's owner) that this stands under."""
        return Address(self.scope, self.namespace, self.types[:-1], self.names[: len(self.types) - 1])

    @property
    def subscription(self) -> str:
        words = self.path.split("/")
        return words[2] if len(words) > 2 and words[1] == "subscriptions" else ""

    @property
    def group(self) -> str:
        words = self.path.split("/")
        return words[4] if len(words) > 4 and words[3] == "resourceGroups" else ""

    def operation(self, method: str) -> str:
        """The name of what a method does here, as roles list it: ``Microsoft.Network/networkSecurityGroups/write``."""
        if method == "POST":
            return f"{self.type}/{self.action}/action"
        return f"{self.type}/{_VERBS[method]}"


def parse_address(method: str, path: str) -> Address:
    """Parse a request's path.

    Raises
    ------
    ArmError
        Where it is no path of Resource Manager's.
    """
    path = re.sub("/{2,}", "/", path)  # Azure CLI names an empty parent between two slashes
    scope, provider, rest = _split(path)
    words = [word for word in rest.split("/") if word]
    if not provider and (deployment := _DEPLOYMENT.match(path)):
        scope, provider, rest = deployment[1], "/providers/", f"Microsoft.Resources/{deployment[2]}"
        words = rest.split("/")
    if provider:
        namespace, words = canonical(words[0]) if words else "", words[1:]
        scope = _canonical_scope(scope)
    else:
        namespace, scope = "Microsoft.Resources", ""
        if not words or words[0].lower() != "subscriptions":
            raise ArmError(404, "InvalidPath", f"The path {path} is none of Resource Manager's.")
    if not namespace or (not words and method != "GET"):
        raise ArmError(404, "InvalidResourceNamespace", f"The path {path} names no type of resource.")
    action = ""
    if method == "POST":
        if len(words) % 2 == 0:
            raise ArmError(405, "HttpMethodNotAllowed", f"POST wants an action after the resource: {path}")
        action = canonical(words.pop())
    return Address(scope, namespace, tuple(canonical(word) for word in words[::2]), tuple(words[1::2]), action)


def _split(path: str) -> tuple[str, str, str]:
    position = path.lower().rfind("/providers/")
    if position < 0:
        return "", "", path
    return path[:position], "/providers/", path[position + len("/providers/") :]


def _canonical_scope(scope: str) -> str:
    words = scope.split("/")
    return "/".join(canonical(word) if position % 2 else word for position, word in enumerate(words))
