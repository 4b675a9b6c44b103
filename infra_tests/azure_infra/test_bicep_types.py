"""Every resource that the templates deploy, checked against the types that Microsoft's Bicep compiler checks against."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra_tests.azure_infra.all_resources import GONE, all_resources, changed
from infra_tests.azure_infra.azmcp import NoCommand, definitions
from infra_tests.azure_infra.bicep_types import ResourceType
from infra_tests.azure_infra.restated import RESTATED
from infra_tests.azure_infra.sdk_models import MODELS
from offline.azure.templates.deployment import SUBSCRIPTION

#: Microsoft's command knows these by name, and then does not find them among its own files.
NOT_DESCRIBED = {*MODELS, *RESTATED}
NO_TYPE = "Microsoft.Storage/cupboards"
#: Types that are described in another version than the templates name: ours, theirs. All others are described in ours.
OTHER_VERSION = {
    "Microsoft.Logic/workflows": ("2017-07-01", "2019-05-01"),
    "Microsoft.Network/networkSecurityGroups": ("2025-07-01", "2024-07-01"),
    "Microsoft.Network/networkWatchers/flowLogs": ("2025-07-01", "2024-07-01"),
    "Microsoft.Network/virtualNetworks": ("2025-07-01", "2024-07-01"),
    "Microsoft.OperationalInsights/workspaces": ("2025-07-01", "2025-02-01"),
    "Microsoft.OperationalInsights/workspaces/dataExports": ("2025-07-01", "2025-02-01"),
    "Microsoft.OperationalInsights/workspaces/tables": ("2025-07-01", "2025-02-01"),
    "Microsoft.Resources/deployments": ("2022-09-01", "2025-04-01"),
    "Microsoft.SecurityInsights/alertRules": ("2025-09-01", "2025-06-01"),
    "Microsoft.SecurityInsights/automationRules": ("2025-09-01", "2025-06-01"),
    "Microsoft.Storage/storageAccounts": ("2025-08-01", "2025-01-01"),
    "Microsoft.Storage/storageAccounts/blobServices": ("2025-08-01", "2025-01-01"),
    "Microsoft.Storage/storageAccounts/blobServices/containers": ("2025-08-01", "2025-01-01"),
    "Microsoft.Storage/storageAccounts/managementPolicies": ("2025-08-01", "2025-01-01"),
    "Microsoft.Storage/storageAccounts/queueServices": ("2025-08-01", "2025-01-01"),
    "Microsoft.Storage/storageAccounts/queueServices/queues": ("2025-08-01", "2025-01-01"),
    "Microsoft.Storage/storageAccounts/tableServices": ("2025-08-01", "2025-01-01"),
    "Microsoft.Storage/storageAccounts/tableServices/tables": ("2025-08-01", "2025-01-01"),
}
#: Where a type says less than the documentation.
EXCEPTED = {
    # What the Bicep compiler itself writes. Resource Manager does not mind the case.
    "Microsoft.Resources/deployments properties/expressionEvaluationOptions/scope: 'inner' is none of "
    "NotSpecified | Outer | Inner | string",
    # "Assign Azure roles using Azure Resource Manager templates": the scope of an assignment may be a resource.
    "Microsoft.Authorization/roleAssignments name: is made at Extension, and can be at AllExceptExtension",
    # "Authenticate access with managed identities in Azure Logic Apps": a connection that signs in so has both.
    "Microsoft.Web/connections kind: is not known",
    "Microsoft.Web/connections properties/parameterValueType: is not known",
}


@pytest.fixture(scope="module")
def types() -> dict[str, ResourceType | None]:
    try:
        told = definitions([*(one.type for one in all_resources()), NO_TYPE])
    except NoCommand as reason:
        pytest.skip(str(reason))
    return {kind: None if of_it is None else ResourceType.of(of_it) for kind, of_it in told.items()}


def test_every_resource_is_as_microsofts_types_want_it(types: dict[str, ResourceType | None]) -> None:
    found = {problem for one in all_resources() if (known := types[one.type]) for problem in known.problems(one.id, one.content)}
    assert found == EXCEPTED


def test_which_types_are_not_described_and_which_in_another_version(types: dict[str, ResourceType | None]) -> None:
    assert {kind for kind, known in types.items() if known is None} == {*NOT_DESCRIBED, NO_TYPE}
    ours = {(one.type, one.content["apiVersion"]) for one in all_resources()}
    theirs = {kind: known.version for kind, known in types.items() if known}
    assert {kind: (version, theirs[kind]) for kind, version in ours if theirs.get(kind, version) != version} == OTHER_VERSION


@pytest.mark.parametrize(
    ("kind", "place", "wrong", "problem"),
    [
        ("Microsoft.Storage/storageAccounts", "properties/minimumTls", "TLS1_2", "properties/minimumTls: is not known"),
        ("Microsoft.Storage/storageAccounts", "kinds", "StorageV2", "kinds: is not known"),
        ("Microsoft.Storage/storageAccounts", "sku", GONE, "sku: is needed"),
        ("Microsoft.Insights/workbooks", "properties/category", GONE, "properties/category: is needed"),
        ("Microsoft.Insights/components", "kind", GONE, "kind: is needed"),
        ("Microsoft.Insights/components", "properties/AppId", "1", "properties/AppId: is set by the service alone"),
        (
            "Microsoft.Storage/storageAccounts",
            "properties/minimumTlsVersion",
            "TLS9",
            "properties/minimumTlsVersion: 'TLS9' is none of",
        ),
        ("Microsoft.Storage/storageAccounts/blobServices", "name", "other", "name: 'other' is none of default"),
        ("Microsoft.EventHub/namespaces/eventhubs", "properties/partitionCount", "4", "properties/partitionCount: '4' is no int"),
        (
            "Microsoft.EventHub/namespaces/eventhubs",
            "properties/partitionCount",
            True,
            "properties/partitionCount: True is no int",
        ),
        ("Microsoft.Storage/storageAccounts", "properties/isHnsEnabled", "true", "properties/isHnsEnabled: 'true' is no bool"),
        ("Microsoft.Insights/workbooks", "properties/serializedData", {}, "properties/serializedData: {} is no string"),
        (
            "Microsoft.OperationalInsights/workspaces/tables",
            "properties/retentionInDays",
            3,
            "properties/retentionInDays: 3 is beyond minValue: 4",
        ),
        ("Microsoft.Storage/storageAccounts", "name", "a" * 25, f"name: '{'a' * 25}' is beyond maxLength: 24"),
        ("Microsoft.Storage/storageAccounts", "name", "State", "name: 'State' is beyond pattern: ^[a-z0-9]+$"),
        ("Microsoft.Storage/storageAccounts", "tags", {"cost": 7}, "tags/cost: 7 is no string"),
        ("Microsoft.Storage/storageAccounts", "sku", "Standard_LRS", "sku: 'Standard_LRS' is no object"),
        ("Microsoft.Network/networkSecurityGroups", "properties/securityRules", {}, "properties/securityRules: {} is no array"),
        (
            "Microsoft.Network/networkSecurityGroups",
            "properties/securityRules/0/properties/access",
            "Drop",
            "properties/securityRules/0/properties/access: 'Drop' is none of",
        ),
        ("Microsoft.SecurityInsights/alertRules", "kind", "Guessed", "kind: 'Guessed' is none of"),
        ("Microsoft.SecurityInsights/alertRules", "kind", "Fusion", "properties/query: is not known"),
        (
            "Microsoft.SecurityInsights/automationRules",
            "properties/actions/0/actionType",
            "RunAway",
            "properties/actions/0/actionType: 'RunAway' is none of",
        ),
    ],
)
def test_a_mistake_is_found(types: dict[str, ResourceType | None], kind: str, place: str, wrong: Any, problem: str) -> None:
    known, right = types[kind], next(one for one in all_resources() if one.type == kind)
    assert known
    assert set(known.problems(right.id, right.content)) <= EXCEPTED
    assert any(one.startswith(f"{kind} {problem}") for one in known.problems(right.id, changed(right.content, place, wrong)))


def test_a_resource_at_the_wrong_scope_is_found(types: dict[str, ResourceType | None]) -> None:
    for kind, scope in (
        ("Microsoft.Storage/storageAccounts", f"/subscriptions/{SUBSCRIPTION}"),
        ("Microsoft.SecurityInsights/alertRules", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/soc"),
    ):
        known, one = types[kind], next(one for one in all_resources() if one.type == kind)
        assert known
        (problem,) = known.problems(f"{scope}/providers/{kind}/x", one.content)
        assert " is made at " in problem


def test_what_the_types_say_in_words_alone() -> None:
    """ "The API version 2020-02-02 requires a workspace"; a workbook's version is the one of what is serialized in it."""
    insights = [one for one in all_resources() if one.type == "Microsoft.Insights/components"]
    assert insights
    assert all("WorkspaceResourceId" in one.properties for one in insights)
    workbooks = [one for one in all_resources() if one.type == "Microsoft.Insights/workbooks"]
    assert workbooks
    for one in workbooks:
        assert json.loads(one.properties["serializedData"])["version"] == one.properties.get("version", "Notebook/1.0")
