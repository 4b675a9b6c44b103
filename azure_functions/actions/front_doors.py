"""Firewall policies of Azure Front Door at Resource Manager, as JSON: read, and written whole.

https://learn.microsoft.com/rest/api/frontdoorservice/webapplicationfirewall/policies. No SDK is carried for two calls.
"""

from __future__ import annotations

from typing import Any

from azure_functions.actions.persistence import Persistence
from azure_functions.actions.resource_manager import Resource, ResourceId, is_settled
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.waiting import waiting
from response.actions import CloudUnavailable

#: The newest: what a version does not know a write in it would lose.
_VERSION = {"api-version": "2025-10-01"}
#: What Azure works out itself, and takes from nobody.
_READ_ONLY = frozenset({"frontendEndpointLinks", "routingRuleLinks", "securityPolicyLinks", "provisioningState", "resourceState"})
_WRITTEN = ("location", "tags", "sku")
#: Looks at a write that Azure carries out after it has answered. What is not over then is looked at again at the next delivery.
_LOOKS = 60
_FAILED = frozenset({"failed", "canceled"})


class FrontDoors:
    """Reads and writes in the name of one identity group."""

    def __init__(self, clients: Clients, group: str, persistence: Persistence) -> None:
        self._clients = clients
        self._group = group
        self._persistence = persistence

    def firewall_policy(self, policy_id: str) -> Resource | None:
        """Return the firewall policy with its rules, None where there is none."""
        try:
            with in_core_words("frontDoorWebApplicationFirewallPolicies read"):
                found: Resource = self._clients("arm", self._group).call("GET", _path(policy_id), query=_VERSION)
        except CloudRefusal as refusal:
            if refusal.is_missing:
                return None
            raise
        return found

    def write_firewall_policy(self, policy: Resource, *, etag: str) -> None:
        """Write a firewall policy whole, all its rules included, and wait until it stands.

        Raises
        ------
        CloudRefusal
            With an ETag, it changed since it was read; or Azure took the write and failed with it.
        CloudUnavailable
            The write is not over after a minute.
        """
        properties = {name: value for name, value in policy["properties"].items() if name not in _READ_ONLY}
        body = _without_nulls({**{name: policy.get(name) for name in _WRITTEN}, "properties": properties})
        headers = {"If-Match": etag} if etag else {}
        with in_core_words("frontDoorWebApplicationFirewallPolicies write"):
            # The pipeline's own retries would send the same ETag again: whoever wrote must read again first.
            arm = self._clients("arm", self._group)
            arm.call("PUT", _path(policy["id"]), query=_VERSION, body=body, headers=headers, retry_total=0)
        self._wait(policy["id"])

    def _wait(self, policy_id: str) -> None:
        for _ in range(_LOOKS):
            found = self.firewall_policy(policy_id)
            if found is None or is_settled(found):
                state = str(((found or {}).get("properties") or {}).get("provisioningState") or "")
                if state.lower() in _FAILED:
                    said = "Azure took the change and could not carry it out"
                    raise CloudRefusal("frontDoorWebApplicationFirewallPolicies write", 400, state, said)
                return
            with waiting():
                self._persistence.pause(self._persistence.poll_s)
        raise CloudUnavailable(f"a write of {policy_id} is not over after {_LOOKS} looks")


def _path(policy_id: str) -> str:
    """The id as Azure writes it, whoever told it in which letters."""
    parsed = ResourceId.parse(policy_id)
    group = f"/subscriptions/{parsed.subscription}/resourceGroups/{parsed.group}"
    return f"{group}/providers/Microsoft.Network/FrontDoorWebApplicationFirewallPolicies/{parsed.name}"


def _without_nulls(value: Any) -> Any:
    """As the SDKs write: a member without a value is left out."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value
