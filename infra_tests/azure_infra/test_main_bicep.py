"""``main.bicep`` as a whole: read into the nested deployments that it stands for, and deployed in the evaluator."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from azure_functions.registry import Group
from azure_infra.__main__ import COMPILED, TEMPLATES
from azure_infra.__main__ import compiled as compile_main
from azure_infra.bicep import BicepInvalid, template_of
from infra_tests.azure_infra.conftest import (
    APPLICATION,
    BREAK_GLASS,
    FIREWALLS,
    FLOW_LOGS,
    FOLDER,
    OPERATOR,
    PAGE_APPLICATION,
    SENTINEL,
    SWITCH_HOLDER,
    VNET,
    WORKSPACE,
    read,
)
from offline.azure.templates.deployment import GROUP, SUBSCRIPTION, Deployment, ParameterRefused, deploy
from offline.azure.templates.expressions import Later

MOST: dict[str, Any] = {
    "workspaceId": WORKSPACE,
    "applicationId": APPLICATION,
    "sentinelPrincipalId": SENTINEL,
    "armed": True,
    "protectedPrincipalIds": [BREAK_GLASS],
    "firewallPolicyIds": list(FIREWALLS),
    "activityLog": True,
    "entraRecords": True,
    "exportTables": ["Syslog"],
    "exportAlerts": True,
    "flowLogNetworks": [VNET],
    "operatorPrincipalIds": [OPERATOR],
    "disarmPrincipalIds": [SWITCH_HOLDER],
    "healthCallers": [BREAK_GLASS],
    "keyVaultEndpoint": "https://contoso.vault.azure.net",
    "linkKey": "breakwater-links",
    "pageApplicationId": PAGE_APPLICATION,
    "notifyEmails": ["soc@example.com"],
    "rawDays": 30,
}


@cache
def text() -> str:
    return (FOLDER / "main.bicep").read_text()


def compiled(source: str) -> dict[str, Any]:
    return template_of(source, lambda path: read(path.removesuffix(".json")))


def deployed(**given: Any) -> Deployment:
    return deploy(compiled(text()), SUBSCRIPTION, "", **{"workspaceId": WORKSPACE, **given})


@pytest.fixture(scope="module")
def most() -> Deployment:
    return deployed(**MOST)


def test_each_template_is_deployed_where_it_says(most: Deployment) -> None:
    (group,) = most.of("Microsoft.Resources/resourceGroups")
    assert (group.content["name"], group.content["location"]) == (GROUP, "westeurope")
    soc, room = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/soc/", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/"
    below = {"Microsoft.Logic/workflows": soc, "Microsoft.Web/sites": room, "Microsoft.EventHub/namespaces": room}
    for kind, root in below.items():
        assert most.of(kind)
        assert all(one.id.startswith(root) for one in most.of(kind)), kind
    (entra,) = most.of("microsoft.aadiam/diagnosticSettings")
    assert entra.id.startswith("/providers/")


def test_modules_wait_for_what_they_take() -> None:
    names = [one["name"][1:-1] for one in compiled(text())["resources"]]

    def position(identifier: str) -> int:
        return next(at for at, name in enumerate(names) if identifier.endswith(f", {name})]"))

    waits = [sorted(map(position, one.get("dependsOn", ()))) for one in compiled(text())["resources"]]
    group, sentinel, room = 0, 1, 2
    assert waits == [[], [], [group, sentinel], [sentinel, room], [room]]


def test_a_deployment_lies_where_it_deploys_to(most: Deployment) -> None:
    """Azure takes a module's outputs by the id that its deployment has there, and by no other."""
    names = {identifier.rpartition("/")[2]: identifier.partition("/providers/")[0] for identifier in most.nested}
    here = f"/subscriptions/{SUBSCRIPTION}"
    wanted = {"workspace": f"{here}/resourceGroups/soc", "resource-group": f"{here}/resourceGroups/{GROUP}", "subscription": here}
    assert {f"{GROUP}-{name}": scope for name, scope in {**wanted, "tenant": ""}.items()}.items() <= names.items()


def test_the_record_of_a_deployment_has_a_region_or_a_group() -> None:
    for one in compiled(text())["resources"][1:]:
        assert ("location" in one) != ("resourceGroup" in one), one["name"]


def test_what_is_shipped_for_those_without_a_compiler_is_current() -> None:
    templates = {file: (FOLDER / file).read_text(encoding="utf-8") for file in TEMPLATES}
    assert (FOLDER / COMPILED).read_text(encoding="utf-8") == compile_main(templates)


def test_what_is_not_asked_for_is_not_deployed() -> None:
    least = deployed()
    assert not least.of("microsoft.aadiam/diagnosticSettings")
    at_the_subscription = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Insights/"
    assert not any(one.id.startswith(at_the_subscription) for one in least.of("Microsoft.Insights/diagnosticSettings"))
    assert not least.of("Microsoft.Network/networkWatchers/flowLogs")
    assert least.of("Microsoft.Web/sites")


def test_the_telemetry_that_is_turned_on_is_also_watched(most: Deployment) -> None:
    def watched(deployment: Deployment) -> int:
        return len(deployment.of("Microsoft.Insights/scheduledQueryRules"))

    none = watched(deployed())
    for given in (
        {"activityLog": True},
        {"exportTables": ["Syslog"]},
        {"flowLogNetworks": [VNET]},
        {"flowLogAccountId": FLOW_LOGS},
    ):
        assert watched(deployed(**given)) > none, given
    assert watched(most) > none


def test_rights_go_to_the_identities_that_were_made(most: Deployment) -> None:
    identities = {one.id for one in most.of("Microsoft.ManagedIdentity/userAssignedIdentities")}
    assert len(identities) >= len(Group)
    of_subscription = [
        one for one in most.of("Microsoft.Authorization/roleAssignments") if one.id.startswith(f"/subscriptions/{SUBSCRIPTION}/p")
    ]
    principals = [one.properties["principalId"] for one in of_subscription]
    assert principals
    assert {principal.of.rpartition(".")[0] for principal in principals if isinstance(principal, Later)} <= identities


def test_outputs_are_what_the_deployment_made(most: Deployment) -> None:
    (state,) = [
        one.id for one in most.of("Microsoft.Storage/storageAccounts") if one.id == most.outputs["BREAKWATER_STATE_ACCOUNT_ID"]
    ]
    assert f"/resourceGroups/{GROUP}/" in state
    (playbook,) = most.of("Microsoft.Logic/workflows")
    assert most.outputs["BREAKWATER_PLAYBOOK_ID"] == playbook.id
    assert most.outputs["AZURE_RESOURCE_GROUP"] == most.outputs["BREAKWATER_NAME"] == GROUP


@pytest.mark.parametrize("given", [{"armed": "yes"}, {"rawDays": 0}, {"name": "b"}, {"storageAccess": "Public"}, {"room": 1}])
def test_a_parameter_that_azure_would_refuse_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ParameterRefused):
        deployed(**given)


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ("room.outputs.undoPrincipalId", "room.outputs.undoPrincipal", "no output undoPrincipal"),
        ("    suffix: suffix\n", "    suffix: suffixes\n", "there is no suffixes"),
        ("    armed: armed\n", "    armed: name\n", "armed is a bool, and is given a string"),
        ("    armed: armed\n", "    armed: 'false'\n", "armed is a bool, and is given a string"),
        ("    notifyEmails: notifyEmails\n", "    notifyMails: notifyEmails\n", "no parameter notifyMails"),
        ("    exportTables: exportTables\n", "    exportTables: workspaceId\n", "exportTables is a array, and is given a string"),
        ("    detectPrincipalId: room.outputs.detectPrincipalId\n", "", "needs detectPrincipalId"),
        ("  scope: tenant()\n", "", "no template for its scope"),
        ("  scope: group\n", "  scope: tenant()\n", "no template for its scope"),
        ("  scope: group\n", "  scope: sentinel\n", "sentinel is no scope"),
        ("!empty(flowLogNetworks) ||", "flowLogNetworks ||", "between two bools"),
        ("if (entraRecords) {", "if entraRecords {", "( is needed"),
        ("param armed bool", "param armed boolean", "no type boolean"),
        ("@maxLength(16)", "@longest(16)", "no decorator @longest"),
        ("var suffix =", "var name =", "declared twice"),
        ("output BREAKWATER_NAME string = name", "assert named = true", "does not know"),
    ],
)
def test_a_mistake_in_it_is_found(right: str, wrong: str, reason: str) -> None:
    assert right in text()
    with pytest.raises(BicepInvalid, match=reason.replace("(", r"\(")):
        compiled(text().replace(right, wrong, 1))


def test_operators_bind_as_in_bicep() -> None:
    source = "targetScope = 'subscription'\nparam a array\nparam b bool\nvar c = !empty(a) || b && !b ? 'x${b}''s' : '\\'y'\n"
    with pytest.raises(BicepInvalid):
        compiled(source)  # two texts side by side are none
    variables = compiled(source.replace("''s'", "'"))["variables"]
    condition = "or(not(empty(parameters('a'))), and(parameters('b'), not(parameters('b'))))"
    assert variables["c"] == f"[if({condition}, format('x{{0}}', parameters('b')), '''y')]"
