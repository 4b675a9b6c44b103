"""What all actions have in common: a plan that writes nothing, and the same end however often they are interrupted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azure_functions.actions.block_address_in_waf import BlockAddressInWaf
from azure_functions.actions.catalogue import ACTIONS, GROUPS, KNOWN, make_actions
from azure_functions.actions.interfaces import Interfaces, passing
from azure_functions.actions.invoke_function import InvokeFunction
from azure_functions.actions.persistence import Persistence
from azure_functions.actions.resource_manager import ResourceManager
from azure_functions.actions.revoke_sessions import RevokeSessions
from azure_functions.actions.security_rules import Direction, read_rules
from infra_tests.azure_functions.actions.cloud import ATTACKER, NOW_MS, Cloud, about, plan
from infra_tests.azure_functions.actions.invoked import PATH
from offline.azure.endpoint import Endpoint
from offline.azure.seed import rule
from offline.azure.web import Request
from response import guard
from response.actions import Action, CloudUnavailable, Plan, Verification
from response.policy import NeverTouch
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_WRITES = ("PUT", "PATCH", "DELETE", "POST")
_READING_POST = "effectivenetworksecuritygroups"


@dataclass(frozen=True, slots=True)
class Case:
    """An action with something to do.

    Attributes
    ----------
    verdict : callable
        Of the cloud.
    state : callable
        Of the cloud: what the action changes and undo must restore.
    returns : bool
        Whether undo restores the state. Revoked sessions stay revoked.
    waits : bool
        Whether it comes back by itself while the service is busy. A customer's function is asked once by each delivery.
    """

    name: str
    verdict: Callable[[Cloud], Verdict]
    state: Callable[[Cloud], Any]
    returns: bool = True
    waits: bool = True


def _principal(cloud: Cloud, principal: str) -> Verdict:
    entity = Entity(EntityKind.PRINCIPAL, principal, cloud.world.subscription_id)
    return replace(about(EntityKind.PRINCIPAL, principal), entity=entity)


def _blocked(cloud: Cloud) -> Verdict:
    entities = (Entity(EntityKind.INSTANCE, cloud.world.web.lower()),)
    return about(EntityKind.ADDRESS, ATTACKER, *entities, completed_flow=True)


def _opened(cloud: Cloud) -> Verdict:
    group = cloud.world.edge_group.lower()
    opened = Entity(EntityKind.SECURITY_GROUP_RULE, f"{group}/securityrules/allowhttps")
    return about(EntityKind.SECURITY_GROUP, group, opened=(Entity(EntityKind.SECURITY_GROUP, group), opened))


def _group(cloud: Cloud, group: str) -> Any:
    return cloud.rules(group), cloud.flushes(group)


def _assignments(cloud: Cloud) -> Any:
    kept = ("roleDefinitionId", "principalId", "scope", "condition", "description")
    found = cloud.arm.roles.assignments(cloud.world.deployer)
    return sorted(json.dumps([one["id"], *(one["properties"].get(name) for name in kept)]) for one in found)


def _firewall_rules(cloud: Cloud) -> Any:
    return cloud.arm.resource(cloud.firewall)["properties"]["customRules"]


CASES = (
    Case("block_address_in_waf", lambda cloud: about(EntityKind.ADDRESS, ATTACKER), _firewall_rules),
    Case("block_address", _blocked, lambda cloud: _group(cloud, cloud.world.edge_group)),
    Case(
        "quarantine_instance",
        lambda cloud: about(EntityKind.INSTANCE, cloud.world.database.lower()),
        lambda cloud: [cloud.group_of(nic) for nic in cloud.world.database_interfaces],
    ),
    Case("remove_role_assignments", lambda cloud: _principal(cloud, cloud.world.deployer), _assignments),
    Case(
        "revoke_sessions",
        lambda cloud: _principal(cloud, cloud.world.alice),
        lambda cloud: cloud.graph.object(cloud.world.alice)["signInSessionsValidFromDateTime"],
        returns=False,
    ),
    Case(
        "block_sign_in",
        lambda cloud: _principal(cloud, cloud.world.alice),
        lambda cloud: cloud.graph.object(cloud.world.alice)["accountEnabled"],
    ),
    Case(
        "close_storage_account",
        lambda cloud: about(EntityKind.BUCKET, cloud.world.storage.lower()),
        lambda cloud: cloud.arm.resource(cloud.world.storage)["properties"],
    ),
    Case("close_security_group_rules", _opened, lambda cloud: _group(cloud, cloud.world.edge_group)),
    Case(
        "invoke_function",
        lambda cloud: about(EntityKind.HOST, "db-1"),
        lambda cloud: dict(cloud.function.contained),
        waits=False,
    ),
)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
_DECLARING = {action.name for action in ACTIONS if action.permissions}
every_case_with_rights = pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in _DECLARING], ids=lambda case: case.name
)
every_case_that_waits = pytest.mark.parametrize("case", [case for case in CASES if case.waits], ids=lambda case: case.name)


@pytest.fixture
def actions(cloud: Cloud) -> dict[str, Action]:
    cloud.graph.add_user(cloud.world.alice, "alice@shop.example")
    return {action.name: _with_persistence(action.name, cloud, cloud.persistence) for action in ACTIONS}


def _with_persistence(name: str, cloud: Cloud, persistence: Persistence) -> Action:
    if name == RevokeSessions.name:
        return RevokeSessions(cloud.clients, persistence=persistence, clock=lambda: NOW_MS / 1000)
    if name == BlockAddressInWaf.name:
        return BlockAddressInWaf(cloud.clients, cloud.firewall_settings, persistence=persistence)
    if name == InvokeFunction.name:
        return InvokeFunction(cloud.clients, cloud.function.settings)
    (made,) = (action(cloud.clients, persistence=persistence) for action in ACTIONS if action.name == name)  # type: ignore[call-arg]
    return made


def interrupt_at_write(cloud: Cloud, number: int) -> None:
    """Let the write of that number (from 1) take effect and its answer be lost."""
    seen = [0]

    def before(request: Request) -> None:
        if request.method in _WRITES and not _only_asks(request):
            seen[0] += 1
            if seen[0] == number:
                _service(cloud, request).faults.tear_off()

    cloud.arm.before = cloud.graph.before = cloud.function.before = before  # type: ignore[method-assign]


def _only_asks(request: Request) -> bool:
    return request.path.lower().endswith(_READING_POST) or (request.path == PATH and request.object()["phase"] == "verify")


def _service(cloud: Cloud, request: Request) -> Endpoint:
    if request.path == PATH:
        return cloud.function
    return cloud.graph if "/v1.0/" in request.path else cloud.arm


@every_case
def test_a_plan_writes_nothing_and_lives_through_the_journal(case: Case, cloud: Cloud, actions: dict[str, Action]) -> None:
    verdict, before, start = case.verdict(cloud), case.state(cloud), len(cloud.calls)
    made = actions[case.name].plan(verdict.entity, verdict)
    assert made.refusal == ""
    assert not made.is_noop
    assert Plan.from_json_value(json.loads(json.dumps(made.to_json_value()))).to_json_value() == made.to_json_value()
    assert cloud.writes(since=start) == 0
    assert case.state(cloud) == before
    assert made.touches
    assert made.summary
    assert made.resources
    assert all(resource == resource.lower() for resource in made.resources), "the never-touch list is compared in lower case"


@every_case_with_rights
def test_what_the_identity_may_not_look_at_is_refused_with_what_to_grant(
    case: Case, cloud: Cloud, actions: dict[str, Action]
) -> None:
    verdict = case.verdict(cloud)
    cloud.grants.allow(cloud.identities[GROUPS[case.name]], ())
    made = plan(actions[case.name], verdict)
    assert "may not look" in made.refusal
    assert "docs/deploy-azure.md" in made.refusal
    assert guard.refusal(made, verdict, NeverTouch()) == made.refusal


@every_case
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_crash_between_a_write_and_its_answer_is_gone_on_from(
    case: Case, number: int, cloud: Cloud, actions: dict[str, Action]
) -> None:
    action, before = actions[case.name], case.state(cloud)
    made = plan(action, case.verdict(cloud))
    interrupt_at_write(cloud, number)
    try:
        action.apply(made)
    except CloudUnavailable:
        assert action.check(made) == ""
        action.apply(made)
    assert action.verify(made) is Verification.VERIFIED
    interrupt_at_write(cloud, number)
    try:
        result = action.undo(made)
    except CloudUnavailable:
        result = action.undo(made)
    assert (case.state(cloud) == before) is case.returns
    assert (result.left == ()) is case.returns


@every_case_that_waits
def test_throttling_that_ends_costs_only_time(case: Case, cloud: Cloud, actions: dict[str, Action]) -> None:
    action = actions[case.name]
    made = plan(action, case.verdict(cloud))
    for service in (cloud.arm, cloud.graph):
        service.faults.throttle(6, retry_after_s=0.01, methods=frozenset({"GET", "PUT", "PATCH", "DELETE", "POST"}))
    action.apply(made)
    for service in (cloud.arm, cloud.graph):
        service.faults.clear()
    assert action.verify(made) is Verification.VERIFIED


@every_case
def test_deliveries_at_the_same_time_end_as_one(case: Case, cloud: Cloud, actions: dict[str, Action]) -> None:
    patient = replace(cloud.persistence, turns=200, patience_s=1e9)
    action, before = actions[case.name], case.state(cloud)
    made = plan(action, case.verdict(cloud))
    racing = _with_persistence(case.name, cloud, patient)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(racing.apply, [made] * 3))
    assert action.verify(made) is Verification.VERIFIED
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(racing.undo, [made] * 3))
    assert (case.state(cloud) == before) is case.returns


@every_case
def test_an_outage_is_unavailable_and_never_drift(case: Case, cloud: Cloud, actions: dict[str, Action]) -> None:
    action = actions[case.name]
    made = plan(action, case.verdict(cloud))
    action.apply(made)
    for service in (cloud.arm, cloud.graph, cloud.function):
        service.faults.fail(500, times=100, methods=frozenset({"GET", "PUT", "PATCH", "DELETE", "POST"}))
    assert action.verify(made) is Verification.UNREACHABLE


class TestCatalogue:
    def test_every_action_has_a_group_a_case_and_the_name_of_its_key(self, cloud: Cloud) -> None:
        made = make_actions(cloud.clients)
        assert set(made) == set(GROUPS) == set(KNOWN) == {case.name for case in CASES}
        assert all(action.name == name and KNOWN[name].handles == action.handles for name, action in made.items())

    @pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
    def test_permissions_are_named_once_and_in_full(self, action: type[Action]) -> None:
        for declared in (action.permissions, action.undo_permissions):
            assert len(set(declared)) == len(declared)
            assert all(re.fullmatch(r"graph:[A-Za-z.]+|Microsoft\.\w+(/\w+)+", name) for name in declared)

    def test_no_sdk_is_imported_before_it_is_used(self) -> None:
        code = "import sys, azure_functions.actions.catalogue; print([m for m in sys.modules if m.partition('.')[0] == 'azure'])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"

    def test_what_takes_rights_away_cannot_give_them_back(self) -> None:
        giving = {"Microsoft.Authorization/roleAssignments/write", "Microsoft.Network/networkSecurityGroups/securityRules/delete"}
        for action in ACTIONS:
            assert giving.isdisjoint(action.permissions)
        taking = {"Microsoft.Authorization/roleAssignments/delete", "Microsoft.Network/networkSecurityGroups/securityRules/write"}
        for action in ACTIONS:
            assert taking.isdisjoint(action.undo_permissions)


rules_of_others = st.lists(
    st.builds(
        lambda access, priority, direction, source, ports, protocol: rule(
            f"{direction}-{priority}", access, priority, direction=direction, source=source, ports=ports, protocol=protocol
        ),
        st.sampled_from(["Allow", "Deny"]),
        st.integers(100, 104) | st.integers(190, 210),
        st.sampled_from(["Inbound", "Outbound"]),
        st.sampled_from(["*", ATTACKER, "198.51.100.0/24", "192.0.2.0/24", "Internet", "Storage"]),
        st.sampled_from(["*", "443", "1000-2000"]),
        st.sampled_from(["*", "Tcp", "Udp"]),
    ),
    max_size=6,
    unique_by=lambda one: (one["properties"]["priority"], one["properties"]["direction"]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rules_of_others, st.booleans())
def test_whatever_rules_there_are_a_block_is_refused_or_holds_and_is_undone_exactly(
    cloud: Cloud, actions: dict[str, Action], rules: list[dict[str, Any]], flush: bool
) -> None:
    edge, action = cloud.world.edge_group, actions["block_address"]
    cloud.arm.change(edge, lambda group: group["properties"].update(securityRules=rules, flushConnection=flush))
    before, start = _group(cloud, edge), len(cloud.calls)
    made = plan(action, _blocked(cloud))
    if made.refusal or made.is_noop:
        assert not made.refusal or "Allow" in made.refusal
        assert cloud.writes(since=start) == 0
        return
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED
    wiring = Interfaces(ResourceManager(cloud.clients, "network", cloud.persistence)).read(cloud.world.web_interface)
    assert wiring is not None
    in_force = read_rules(cloud.arm.resource(edge))
    assert all(passing(wiring, in_force, direction, ATTACKER) == () for direction in Direction)
    assert cloud.flushes(edge)
    assert action.undo(made).left == ()
    assert _group(cloud, edge) == before


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["", "edge", "inner"]), min_size=1, max_size=3), st.data())
def test_whatever_groups_interfaces_have_they_get_them_back(
    cloud: Cloud, actions: dict[str, Action], groups: list[str], data: st.DataObject
) -> None:
    known = {"": "", "edge": cloud.world.edge_group, "inner": cloud.world.inner_group}
    nics = [
        cloud.shop.interface(f"nic-{number}", "shop-net", "data", f"10.20.2.{100 + number}", security_group=known[group])
        for number, group in enumerate(groups)
    ]
    action = actions["quarantine_instance"]
    machine = cloud.shop.machine("many", *nics)
    made = plan(action, about(EntityKind.INSTANCE, machine.lower()))
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED
    changed = data.draw(st.sets(st.sampled_from(nics)))
    for nic in changed:
        other = {"id": cloud.world.open_group}
        cloud.arm.change(nic, lambda body, other=other: body["properties"].update(networkSecurityGroup=other))
    result = action.undo(made)
    assert len(result.left) == len(changed)
    expected = [cloud.world.open_group if nic in changed else known[group] for nic, group in zip(nics, groups, strict=True)]
    assert [cloud.group_of(nic) for nic in nics] == expected
