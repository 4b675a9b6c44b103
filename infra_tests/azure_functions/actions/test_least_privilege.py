"""Least privilege: what the templates grant to the identities that act is used by an action, or explained.

The other half holds in every test of this folder and of the contracts: the local services refuse what was not granted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from azure_functions.actions.block_address import BlockAddress
from azure_functions.actions.catalogue import GROUPS, UNDO_GROUP
from azure_functions.actions.quarantine_instance import QuarantineInstance
from azure_functions.timed_transport import Timed
from infra_tests.azure_functions.actions.cloud import ATTACKER, Cloud, about, plan
from infra_tests.contracts.on_azure import ON_AZURE
from infra_tests.contracts.subject import Subject
from offline.azure.certificates import Certificates
from offline.azure.rights import deployed_rights
from offline.azure.seed import rule
from response.actions import Action
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_POOLS = "Azure asks for it of an interface that is in such a pool or rule and is written whole; the local service does not"
_LOCATION = "Azure answers some writes with a Location only; the local service answers these with an operation"
#: (identity, right) that no test uses, each with its reason.
UNUSED: Mapping[tuple[str, str], str] = {
    ("network", "Microsoft.Network/applicationGateways/backendAddressPools/join/action"): _POOLS,
    ("network", "Microsoft.Network/loadBalancers/inboundNatRules/join/action"): _POOLS,
    ("undo", "Microsoft.Network/applicationGateways/backendAddressPools/join/action"): _POOLS,
    ("undo", "Microsoft.Network/loadBalancers/inboundNatRules/join/action"): _POOLS,
    ("undo", "Microsoft.Network/locations/operationResults/read"): _LOCATION,
}


def goes_through(action: Action, verdict: Verdict) -> None:
    """All steps, as the responder and the undo take them."""
    made = plan(action, verdict)
    assert (made.refusal, made.is_noop, action.check(made)) == ("", False, "")
    action.apply(made)
    action.verify(made)
    action.compare(made)
    action.undo(made)


def _subject(make: Callable[[Cloud], Subject]) -> Callable[[Cloud], None]:
    def work(cloud: Cloud) -> None:
        made = make(cloud)
        goes_through(made.action, made.verdict)

    return work


def a_machine_whose_interface_joins_all_that_there_is(cloud: Cloud) -> None:
    address, group = (
        cloud.shop._put(f"Microsoft.Network/{name}", "one", {}, {}) for name in ("publicIPAddresses", "applicationSecurityGroups")
    )
    pool = f"{cloud.world.group}/providers/Microsoft.Network/loadBalancers/front/backendAddressPools/web"
    joined = {
        "publicIPAddress": {"id": address},
        "applicationSecurityGroups": [{"id": group}],
        "loadBalancerBackendAddressPools": [{"id": pool}],
    }
    nic = cloud.world.web_interface
    cloud.arm.change(nic, lambda n: n["properties"]["ipConfigurations"][0]["properties"].update(joined))
    action = QuarantineInstance(cloud.clients, persistence=cloud.persistence)
    goes_through(action, about(EntityKind.INSTANCE, cloud.world.web.lower()))


def a_security_group_with_a_rule_about_an_application_group(cloud: Cloud) -> None:
    group = cloud.shop._put("Microsoft.Network/applicationSecurityGroups", "web", {}, {})
    allow = rule("ToWeb", "Allow", 350)
    del allow["properties"]["destinationAddressPrefix"]
    allow["properties"]["destinationApplicationSecurityGroups"] = [{"id": group}]
    cloud.arm.change(cloud.world.edge_group, lambda g: g["properties"]["securityRules"].append(allow))
    action = BlockAddress(cloud.clients, persistence=cloud.persistence)
    machine = Entity(EntityKind.INSTANCE, cloud.world.web.lower())
    goes_through(action, about(EntityKind.ADDRESS, ATTACKER, machine, completed_flow=True))


SCENARIOS: tuple[Callable[[Cloud], None], ...] = (
    *map(_subject, ON_AZURE),
    a_machine_whose_interface_joins_all_that_there_is,
    a_security_group_with_a_rule_about_an_application_group,
)


def test_every_right_of_the_identities_that_act_is_used_or_explained(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Timed, "sleep", lambda _, seconds: None)
    rights, used = deployed_rights(armed=True), set[tuple[str, str]]()
    groups = {str(group) for group in (*GROUPS.values(), UNDO_GROUP)}
    for scenario in SCENARIOS:
        with Cloud(certificates) as cloud:
            for name, value in cloud.environment.items():
                monkeypatch.setenv(name, value)
            for group in groups:
                cloud.grants.allow(cloud.identities[group], rights[group])  # what is deployed, not what is declared
            scenario(cloud)
            used |= {(group, name) for group in groups for name in cloud.made(group)}
    given = {(group, name) for group in groups for name in rights[group]}
    assert sorted(given - used - set(UNUSED)) == [], "nothing uses it: take it away, or say above why it is there"
    assert sorted(set(UNUSED) - (given - used)) == [], "it needs no exception"
