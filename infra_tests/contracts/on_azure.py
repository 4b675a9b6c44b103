"""Every Azure action with something to do, in one subscription and its directory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from azure_functions.actions import firewall_rules
from azure_functions.actions.block_address import BlockAddress
from azure_functions.actions.block_address_in_waf import BlockAddressInWaf
from azure_functions.actions.block_sign_in import BlockSignIn
from azure_functions.actions.catalogue import GROUPS, UNDO_GROUP
from azure_functions.actions.close_security_group_rules import CloseSecurityGroupRules
from azure_functions.actions.close_storage_account import CloseStorageAccount
from azure_functions.actions.invoke_function import InvokeFunction
from azure_functions.actions.quarantine_instance import QuarantineInstance
from azure_functions.actions.remove_role_assignments import RemoveRoleAssignments
from azure_functions.actions.revoke_sessions import RevokeSessions
from infra_tests.azure_functions.actions.cloud import ATTACKER, NOW_MS, Cloud
from infra_tests.contracts.subject import Subject, about
from offline.azure import seed
from offline.azure.faults import Fault
from response.actions import Action
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_NOBODY = "00000000-0000-4000-8000-00000000dead"


def azure_quarantine_instance(cloud: Cloud) -> Subject:
    front, back = cloud.world.database_interfaces

    def interfere() -> None:
        cloud.arm.change(front, lambda nic: nic["properties"].update(networkSecurityGroup={"id": cloud.world.open_group}))

    machine = cloud.world.database.lower()
    made = _on_azure(
        cloud,
        QuarantineInstance(cloud.clients, persistence=cloud.persistence),
        about(Entity(EntityKind.INSTANCE, machine, cloud.world.subscription_id)),
        lambda: (cloud.group_of(front), cloud.group_of(back)),
        interfere,
        gone=Entity(EntityKind.INSTANCE, f"{machine}-gone", cloud.world.subscription_id),
    )
    return replace(
        made, renew=lambda: _renew(cloud, cloud.world.database, "vmId"), change=lambda: cloud.arm.is_being_changed(front)
    )


def azure_block_address(cloud: Cloud) -> Subject:
    edge, subscription = cloud.world.edge_group, cloud.world.subscription_id

    def interfere() -> None:
        def allow(group: dict[str, Any]) -> None:
            for rule in group["properties"]["securityRules"]:
                if ATTACKER in json.dumps(rule):
                    rule["properties"]["access"] = "Allow"

        cloud.arm.change(edge, allow)

    machine = Entity(EntityKind.INSTANCE, cloud.world.web.lower(), subscription)
    made = _on_azure(
        cloud,
        BlockAddress(cloud.clients, persistence=cloud.persistence),
        about(Entity(EntityKind.ADDRESS, ATTACKER, subscription), machine),
        lambda: (cloud.rules(edge), cloud.flushes(edge)),
        interfere,
        gone=None,  # an address is always there; where to block it is what the verdict's other names say
    )
    return replace(made, change=lambda: cloud.arm.is_being_changed(edge))


def azure_block_address_in_waf(cloud: Cloud) -> Subject:
    return _in_firewall(cloud, cloud.firewall, "matchValues")


def azure_block_address_in_waf_of_front_door(cloud: Cloud) -> Subject:
    return _in_firewall(cloud, cloud.front_door, "matchValue")


def _in_firewall(cloud: Cloud, firewall: str, values: str) -> Subject:
    def rules() -> list[dict[str, Any]]:
        return firewall_rules.custom_rules(cloud.arm.resource(firewall))

    def interfere() -> None:
        def widen(policy: dict[str, Any]) -> None:
            for rule in firewall_rules.custom_rules(policy):
                if ATTACKER in json.dumps(rule):
                    rule["matchConditions"][0][values] = [f"{ATTACKER}/24"]

        cloud.arm.change(firewall, widen)

    made = _on_azure(
        cloud,
        BlockAddressInWaf(cloud.clients, {"firewall_policies": [firewall]}, persistence=cloud.persistence),
        about(Entity(EntityKind.ADDRESS, ATTACKER, cloud.world.subscription_id)),
        rules,
        interfere,
        gone=None,  # an address is always there
    )
    return replace(made, change=lambda: cloud.arm.is_being_changed(firewall))


def azure_remove_role_assignments(cloud: Cloud) -> Subject:
    kept = ("roleDefinitionId", "principalId", "scope", "condition", "description")

    def assignments() -> list[str]:
        found = cloud.arm.roles.assignments(cloud.world.deployer)
        return sorted(json.dumps([one["id"], *(one["properties"].get(name) for name in kept)]) for one in found)

    return _on_azure(
        cloud,
        RemoveRoleAssignments(cloud.clients, persistence=cloud.persistence),
        about(Entity(EntityKind.PRINCIPAL, cloud.world.deployer, cloud.world.subscription_id)),
        assignments,
        None,
        gone=None,  # of a principal that is gone the assignments are left, and are removed
    )


def azure_revoke_sessions(cloud: Cloud) -> Subject:
    made = _on_user(
        cloud,
        RevokeSessions(cloud.clients, persistence=cloud.persistence, clock=lambda: NOW_MS / 1000),
        lambda user: user["signInSessionsValidFromDateTime"],
    )
    return replace(made, returns=False)


def azure_block_sign_in(cloud: Cloud) -> Subject:
    return _on_user(cloud, BlockSignIn(cloud.clients, persistence=cloud.persistence), lambda user: user["accountEnabled"])


def azure_close_storage_account(cloud: Cloud) -> Subject:
    account, subscription = cloud.world.storage, cloud.world.subscription_id
    made = _on_azure(
        cloud,
        CloseStorageAccount(cloud.clients, persistence=cloud.persistence),
        about(Entity(EntityKind.BUCKET, account.lower(), subscription)),
        lambda: cloud.arm.resource(account)["properties"],
        None,  # two switches that are off already cannot be turned further off
        gone=Entity(EntityKind.BUCKET, f"{account.lower()}gone", subscription),
    )
    return replace(made, renew=lambda: _renew(cloud, account, "creationTime"), change=lambda: cloud.arm.is_being_changed(account))


def azure_close_security_group_rules(cloud: Cloud) -> Subject:
    edge, subscription = cloud.world.edge_group, cloud.world.subscription_id
    cloud.arm.change(
        edge, lambda group: group["properties"]["securityRules"].append(seed.rule("open-ssh", "Allow", 290, ports="22"))
    )

    def opening(group: str) -> Verdict:
        made = Entity(EntityKind.SECURITY_GROUP_RULE, f"{group}/securityrules/open-ssh", subscription)
        target = Entity(EntityKind.SECURITY_GROUP, group, subscription)
        return replace(about(target), opened=(target, made))

    def interfere() -> None:
        again = seed.rule("open-ssh", "Allow", 290, ports="22-23")
        cloud.arm.change(edge, lambda group: group["properties"]["securityRules"].append(again))

    made = _on_azure(
        cloud,
        CloseSecurityGroupRules(cloud.clients, persistence=cloud.persistence),
        opening(edge.lower()),
        lambda: cloud.rules(edge),
        interfere,
        gone=None,
    )
    missing = opening(f"{edge.lower()}-gone")
    return replace(made, gone=missing, change=lambda: cloud.arm.is_being_changed(edge))


def azure_invoke_function(cloud: Cloud) -> Subject:
    function = cloud.function

    def release() -> None:
        function.contained.clear()
        function.contained["another's"] = "db-2"

    made = _on_azure(
        cloud,
        InvokeFunction(cloud.clients, function.settings),
        about(Entity(EntityKind.HOST, "db-1", cloud.world.subscription_id)),
        lambda: dict(function.contained),
        release,
        gone=None,  # what the function acts on is its own matter
    )
    return replace(made, refuse=function.keep)


def _on_user(cloud: Cloud, action: Action, state: Callable[[dict[str, Any]], Any]) -> Subject:
    alice, subscription = cloud.world.alice, cloud.world.subscription_id
    cloud.graph.add_user(alice, "alice@example.com")
    return _on_azure(
        cloud,
        action,
        about(Entity(EntityKind.PRINCIPAL, alice, subscription)),
        lambda: state(cloud.graph.object(alice)),
        None,  # what is one value and off already cannot be turned further off
        gone=Entity(EntityKind.PRINCIPAL, _NOBODY, subscription),
    )


def _renew(cloud: Cloud, resource_id: str, given: str) -> None:
    """Delete a resource and make one like it under its name; ``given`` is what Azure gives each anew."""
    was = cloud.arm.resource(resource_id)
    cloud.arm.remove(resource_id)
    del was["properties"][given]
    cloud.arm.put(resource_id, was)


def _on_azure(
    cloud: Cloud,
    action: Action,
    verdict: Verdict,
    state: Callable[[], Any],
    interfere: Callable[[], None] | None,
    *,
    gone: Entity | None,
) -> Subject:
    asked = [len(cloud.calls)]

    def operations() -> tuple[set[str], set[str]]:
        since, asked[0] = asked[0], len(cloud.calls)
        return cloud.made(GROUPS[action.name], since=since), cloud.made(UNDO_GROUP, since=since)

    def refuse() -> None:
        for service in (cloud.arm, cloud.graph):
            service.faults.order(Fault(400, "ScopeLocked", times=100))

    missing = about(gone) if gone is not None else None
    return Subject(action, verdict, state, interfere, missing, operations, lambda: len(cloud.calls), refuse=refuse)


ON_AZURE = (
    azure_quarantine_instance,
    azure_block_address,
    azure_block_address_in_waf,
    azure_block_address_in_waf_of_front_door,
    azure_remove_role_assignments,
    azure_revoke_sessions,
    azure_block_sign_in,
    azure_close_storage_account,
    azure_close_security_group_rules,
    azure_invoke_function,
)
