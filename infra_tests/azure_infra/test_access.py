"""Who may do what: what no emulator enforces is proven on the templates."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from azure_functions import registry
from azure_functions.actions.catalogue import ACTIONS, GROUPS
from azure_functions.registry import FUNCTIONS, Group, Trigger
from azure_infra.names import APPS
from azure_infra.permissions import FIREWALL_WRITES, GRAPH, INVENTORY, ORDINARY_ROLES, PRIVILEGED_ROLES
from infra_tests.azure_infra.access import Right, rights
from infra_tests.azure_infra.conftest import BREAK_GLASS, FIREWALLS, MOST, PRINCIPALS, deployed
from offline.azure.templates.deployment import Deployment

_ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden" / "rights.json"
#: It sees messages and takes none: neither hides them nor deletes them.
LOOKS = ("an operator", "Storage Queue Data Reader")
_ENTITIES = "Microsoft.Storage/storageAccounts/tableServices/tables/entities"


@pytest.fixture(scope="module")
def given(most: dict[str, Deployment]) -> list[Right]:
    return list(rights(most.values()))


def subscription_wide(given: list[Right], group: str) -> set[str]:
    """Operations that a group is allowed on the customer's resources."""
    return {
        one
        for right in given
        if right.who == group and re.fullmatch("/subscriptions/[^/]+", right.on)
        for one in right.operations
    }


def test_who_may_do_what_is_as_reviewed(given: list[Right]) -> None:
    """Golden file: a change of anybody's rights must be seen. Write it anew with UPDATE_GOLDEN=1."""
    lines = [
        {
            "who": right.who,
            "role": right.role,
            "on": right.on,
            "operations": sorted(right.operations),
            "data": sorted(right.data),
            "condition": right.condition,
        }
        for right in sorted(given, key=lambda right: (right.who, right.on, right.role))
    ]
    now = json.dumps(lines, indent=1) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(now)
    assert json.loads(GOLDEN.read_text()) == json.loads(now)


@pytest.mark.parametrize("group", [group for group in Group if group is not Group.RESPOND])
def test_a_group_gets_what_its_actions_declare_and_nothing_else(given: list[Right], group: Group) -> None:
    declared = {
        Group.DETECT: set(INVENTORY),
        Group.UNDO: {name for action in ACTIONS for name in action.undo_permissions},
    }.get(group, {name for action in ACTIONS if GROUPS[action.name] == group for name in action.permissions})
    assert subscription_wide(given, group) == {name for name in declared if not name.startswith(GRAPH)} - FIREWALL_WRITES


def test_a_firewall_policy_is_written_only_where_it_is_named() -> None:
    """Who may write one may switch it off."""
    parameters = MOST["subscription"]
    for given in (parameters, {**parameters, "firewallPolicyIds": []}, {**parameters, "armed": False}):
        may = [right for right in rights([deployed("subscription", **given)]) if right.operations & FIREWALL_WRITES]
        named = given["firewallPolicyIds"] if given["armed"] else []
        assert {(right.who, right.on) for right in may} == {(who, on) for who in (Group.NETWORK, Group.UNDO) for on in named}
        assert all(right.operations == FIREWALL_WRITES for right in may)
    assert len(parameters["firewallPolicyIds"]) == 2


def test_the_responder_itself_may_nothing_on_the_customers_resources(given: list[Right]) -> None:
    assert subscription_wide(given, Group.RESPOND) == set()


def test_only_those_who_contain_or_undo_may_change_anything(given: list[Right]) -> None:
    changing = {right.who for right in given if any(one.endswith(("/write", "/delete")) for one in right.operations)}
    assert changing == {Group.NETWORK, Group.IDENTITY, Group.DATA, Group.UNDO, Group.RESPOND}
    (comments,) = [
        right for right in given if right.who == Group.RESPOND and right.operations and "/resourceGroups/soc" in right.on
    ]
    assert {one for one in comments.operations if not one.endswith("/read")} == {
        "Microsoft.SecurityInsights/incidents/comments/write"
    }


def test_unarmed_nobody_may_change_anything_of_the_customers() -> None:
    unarmed = deployed("subscription", **{**MOST["subscription"], "armed": False})
    for right in rights([unarmed]):
        if re.fullmatch("/subscriptions/[^/]+", right.on):
            assert all(one.endswith("/read") or "effective" in one for one in right.operations)


def test_no_role_of_ours_has_a_wildcard(most: dict[str, Deployment]) -> None:
    definitions = [one for deployment in most.values() for one in deployment.of("Microsoft.Authorization/roleDefinitions")]
    assert definitions
    for role in definitions:
        permission = role.properties["permissions"][0]
        assert not any("*" in one for one in permission["actions"] + permission["dataActions"])
        (scope,) = role.properties["assignableScopes"]
        assert role.id.startswith(scope)


def test_every_role_of_ours_is_assigned(given: list[Right], most: dict[str, Deployment]) -> None:
    defined = {
        one.properties["roleName"].rpartition(" (")[0]
        for deployment in most.values()
        for one in deployment.of("Microsoft.Authorization/roleDefinitions")
    }
    assert defined == {right.role for right in given if right.operations or right.data}


def assign_condition(**parameters: object) -> str:
    deployment = deployed("subscription", **{**MOST["subscription"], **parameters})
    (right,) = [right for right in rights([deployment]) if "Microsoft.Authorization/roleAssignments/write" in right.operations]
    assert right.who == Group.UNDO
    return right.condition


def clause(condition: str, operation: str) -> str:
    """What must hold when an operation is asked for."""
    found = re.search(r"\(\(!\(ActionMatches\{'" + re.escape(operation) + r"'\}\)\) OR \((.*?)\)\)", condition)
    assert found, condition
    return found.group(1)


def test_undo_gives_back_ordinary_roles_only_and_none_whose_content_nobody_knows() -> None:
    """A role of the customer's own may hold ``*``, and a condition sees no more of it than its id."""
    roles = clause(assign_condition(restorableRoles=[]), "Microsoft.Authorization/roleAssignments/write")
    found = re.search(r"RoleDefinitionId\] ForAnyOfAnyValues:GuidEquals \{(.*?)\}", roles)
    assert found
    assert found.group(1).split(", ") == list(ORDINARY_ROLES.values())
    assert set(ORDINARY_ROLES.values()).isdisjoint(PRIVILEGED_ROLES.values())
    assert "RoleDefinitionId] ForAnyOfAllValues" not in roles


def test_undo_gives_back_only_the_roles_that_are_listed_once_some_are() -> None:
    reader, owner = "acdd72a7-3385-48ef-bd42-f606fba81ae7", PRIVILEGED_ROLES["Owner"]
    roles = clause(assign_condition(restorableRoles=[reader, owner]), "Microsoft.Authorization/roleAssignments/write")
    assert f"RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{reader}, {owner}}}" in roles
    assert "RoleDefinitionId] ForAnyOfAllValues" not in roles


def test_nobody_gives_a_role_to_breakwater_or_takes_one_from_it(given: list[Right]) -> None:
    managing = [
        right for right in given if any("roleAssignments/" in one and not one.endswith("/read") for one in right.operations)
    ]
    assert {right.who for right in managing} == {Group.IDENTITY, Group.UNDO}
    for right in managing:
        for verb in ("write", "delete"):
            bound = clause(right.condition, f"Microsoft.Authorization/roleAssignments/{verb}")
            assert all(
                principal in bound.split("PrincipalId] ForAnyOfAllValues:GuidNotEquals ")[1] for principal in PRINCIPALS.values()
            )
        assert BREAK_GLASS in clause(right.condition, "Microsoft.Authorization/roleAssignments/delete")


def test_conditions_are_as_long_as_azure_takes() -> None:
    many = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(60)]
    assert len(assign_condition(protectedPrincipalIds=many)) <= 8192


def test_nobody_may_change_or_delete_an_entry_of_the_journal(given: list[Right]) -> None:
    here = [right for right in given if right.on.endswith(f"/tables/{registry.JOURNAL}")]
    assert {(right.who, right.data) for right in here if right.who != "an operator"} == {
        (Group.PAGE, frozenset()),  # a built-in role: Storage Table Data Reader
        *((who, frozenset({f"{_ENTITIES}/read", f"{_ENTITIES}/add/action"})) for who in (Group.RESPOND, "who turns the switch")),
    }


@pytest.mark.parametrize("table", [registry.UNDOS, registry.ANCHORS])
def test_only_who_undoes_orders_undos_and_anchors_the_journal(given: list[Right], table: str) -> None:
    """Whoever else could would have rights given back: the schedule carries out orders, and an undo believes anchors."""
    here = {(right.who, right.data) for right in given if right.on.endswith(f"/tables/{table}")}
    assert here == {
        (Group.UNDO, frozenset({f"{_ENTITIES}/read", f"{_ENTITIES}/add/action"})),
        # Who only reads them has a built-in role: Storage Table Data Reader.
        ("an operator", frozenset()),
        *([(Group.PAGE, frozenset())] if table == registry.UNDOS else []),
    }


def test_tables_queues_and_containers_are_given_one_by_one(given: list[Right]) -> None:
    for right in given:
        if "storageAccounts/breakwatest" in right.on:
            assert re.search(r"/(tables|queues|containers)/[\w-]+$", right.on), right


def test_only_detectors_send_verdicts_and_only_the_responder_takes_them(given: list[Right]) -> None:
    here = {
        (right.who, right.role.rpartition(" (")[0] or right.role)
        for right in given
        if right.on.endswith(f"/queues/{registry.VERDICTS}")
    }
    assert here - {LOOKS} == {(Group.DETECT, "Storage Queue Data Message Sender"), (Group.RESPOND, "breakwater queue consumer")}


def test_operators_alone_ask_for_an_undo_and_set_the_policy(given: list[Right]) -> None:
    asks = {
        right.who: right
        for right in given
        if right.on.endswith(f"/queues/{registry.CONTAINMENTS}") and (right.who, right.role) != LOOKS
    }
    assert set(asks) == {Group.UNDO, "an operator"}
    assert asks["an operator"].role == "Storage Queue Data Message Sender"
    assert asks[Group.UNDO].data
    assert not any(one.endswith("/add/action") for one in asks[Group.UNDO].data)
    sets = {
        right.who for right in given if right.on.endswith(f"/containers/{registry.POLICY}") and right.role.endswith("Contributor")
    }
    assert sets == {"an operator"}


def test_operators_see_what_is_stuck_in_every_queue(given: list[Right]) -> None:
    seen = {right.on.rpartition("/")[2] for right in given if (right.who, right.role) == LOOKS}
    assert seen == {*registry.QUEUES, *registry.POISON_QUEUES}


def test_operators_see_how_far_event_hubs_were_read_and_not_the_events(given: list[Right]) -> None:
    here = [(right.who, right.role) for right in given if right.on.endswith(f"/containers/{registry.CHECKPOINTS}")]
    assert here == [("an operator", "Storage Blob Data Reader")]
    assert not [right for right in given if right.who == "an operator" and "/eventhubs/" in right.on]


def test_operators_see_the_journal_but_change_nothing_in_it(given: list[Right]) -> None:
    roles = {right.role for right in given if right.who == "an operator" and right.on.endswith(f"/tables/{registry.JOURNAL}")}
    assert roles == {"Storage Table Data Reader"}


def test_who_turns_the_switch_adds_to_the_journal_and_can_do_nothing_else(given: list[Right]) -> None:
    (right,) = [right for right in given if right.who == "who turns the switch"]
    assert right.on.endswith(f"/tables/{registry.JOURNAL}")
    assert right.role == "breakwater table appender"
    assert {name.rpartition("entities/")[2] for name in right.data} == {"add/action", "read"}


def test_the_documented_command_finds_who_turns_the_switch_and_nobody_else() -> None:
    text = (_ROOT / "docs" / "deploy-azure.md").read_text(encoding="utf-8")
    template = json.loads((_ROOT / "azure_infra" / "resource_group.json").read_text(encoding="utf-8"))
    assignments = [each for each in template["resources"] if each["type"].endswith("/roleAssignments")]
    (found,) = [each for each in assignments if f"description=='{each['properties'].get('description')}'" in text]
    assert "switchHolders" in found["properties"]["principalId"]
    assert (
        "Microsoft.Storage/storageAccounts/tableServices/tables', variables('stateAccount'), 'default', 'journal'"
        in found["scope"]
    )
    assert "/tableServices/default/tables/journal" in text
    assert "docs/deploy-azure.md" in template["parameters"]["disarmPrincipalIds"]["metadata"]["description"]


def test_where_nobody_is_named_who_deploys_turns_the_switch(least: dict[str, Deployment], given: list[Right]) -> None:
    (right,) = [right for right in rights(least.values()) if right.who == "who deploys"]
    assert (right.role, right.on.rpartition("/")[2]) == ("breakwater table appender", "journal")
    assert not [right for right in given if right.who == "who deploys"]


def test_without_operators_nobody_has_their_rights(least: dict[str, Deployment]) -> None:
    assert {right.who for right in rights(least.values())} == {*Group, "playbook", "flow-logs", "flow-log-writer", "who deploys"}


def test_detectors_know_neither_journal_nor_signals_nor_policy(given: list[Right]) -> None:
    touched = {right.on.rpartition("/")[2] for right in given if right.who == Group.DETECT and "breakwatest" in right.on}
    assert touched == {
        registry.MEMORY,
        registry.PROGRESS,
        registry.LAKE,
        registry.VERDICTS,
        *(spec.dead_letters for spec in FUNCTIONS if spec.group is Group.DETECT and spec.dead_letters),
    }


def test_each_writes_its_own_part_of_the_lake_and_nobody_reads_or_deletes_there(given: list[Right]) -> None:
    here = {right.who: right for right in given if right.on.endswith(f"/containers/{registry.LAKE}")}
    assert set(here) == {Group.DETECT, Group.RESPOND, Group.UNDO}
    for right in here.values():
        assert {one.rpartition("blobs/")[2] for one in right.data} == {"write", "add/action"}
    patterns = {who: re.findall(r"StringLike '([^']+)'", right.condition) for who, right in here.items()}
    assert patterns == {
        Group.DETECT: ["ocsf/*", "rejected/*", "dead-letters/*"],
        Group.RESPOND: ["ocsf/class=7001/*", "dead-letters/*"],
        Group.UNDO: ["journal-anchors/*"],  # copies of anchors: not by who contains
    }


def test_every_function_can_leave_its_dead_letters(given: list[Right]) -> None:
    for spec in FUNCTIONS:
        if spec.dead_letters:
            senders = {right.who for right in given if right.on.endswith(f"/queues/{spec.dead_letters}")}
            assert spec.group in senders


def test_every_hub_is_read_by_the_group_of_its_function(given: list[Right]) -> None:
    for spec in FUNCTIONS:
        if spec.trigger is Trigger.EVENT_HUB:
            here = [(right.who, right.role) for right in given if right.on.endswith(f"/eventhubs/{spec.source}")]
            assert here == [(spec.group, "Azure Event Hubs Data Receiver")]


def test_no_app_reaches_the_package_of_another(given: list[Right]) -> None:
    """Whoever writes a package writes what runs: so each app's storage is its own."""
    for app in APPS:
        owners = {
            right.who
            for right in given
            if right.on.endswith(f"/storageAccounts/breakwateh{app.name[0]}") or f"breakwateh{app.name[0]}" in right.on
            if not right.on.endswith(f"/containers/{registry.CHECKPOINTS}")
        }
        assert owners == {app.host}
    assert len({app.host for app in APPS}) == len(APPS)


def test_identities_without_data_of_their_own_have_none(given: list[Right]) -> None:
    for group in (Group.NETWORK, Group.IDENTITY):
        elsewhere = {right.on for right in given if right.who == group and "/resourceGroups/" in right.on}
        assert elsewhere == (set(FIREWALLS) if group is Group.NETWORK else set())
        assert not [right for right in given if right.who == group and right.data]
