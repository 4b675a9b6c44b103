"""Resources of the types that Microsoft's Bicep types lack, checked against the models of its SDKs."""

from __future__ import annotations

from typing import Any

import pytest

from infra_tests.azure_infra.all_resources import GONE, all_resources, changed
from infra_tests.azure_infra.sdk_models import MODELS, resource_type

#: Types of which the SDKs have another version than the templates name: ours, theirs.
OTHER_VERSION = {
    "Microsoft.Insights/dataCollectionEndpoints": ("2024-03-11", "2022-06-01"),
    "Microsoft.Insights/dataCollectionRules": ("2024-03-11", "2022-06-01"),
    "Microsoft.Insights/scheduledQueryRules": ("2026-03-01", "2022-08-01-preview"),
}
#: The list of streams holds Microsoft's own only; `Custom-…` is the documented name of all others.
EXCEPTED = "Microsoft.Insights/dataCollectionRules properties/dataFlows/0/streams/0: 'Custom-"


@pytest.mark.parametrize("kind", MODELS)
def test_every_resource_is_as_the_sdks_model_wants_it(kind: str) -> None:
    found = [one for one in all_resources() if one.type == kind]
    assert found
    problems = {problem for one in found for problem in resource_type(kind).problems(one.id, one.content)}
    assert [problem for problem in problems if not problem.startswith(EXCEPTED)] == []
    assert bool(problems) == EXCEPTED.startswith(f"{kind} ")
    ours, theirs = OTHER_VERSION.get(kind, (MODELS[kind][0], MODELS[kind][0]))
    assert {one.content["apiVersion"] for one in found} == {ours}
    assert MODELS[kind][0] == theirs


@pytest.mark.parametrize(
    ("kind", "place", "wrong", "problem"),
    [
        ("Microsoft.Authorization/locks", "properties/level", "CantDelete", "properties/level: 'CantDelete' is none of"),
        ("Microsoft.Authorization/locks", "properties/level", GONE, "properties/level: is needed"),
        ("Microsoft.Authorization/locks", "properties", GONE, "properties: is needed"),
        ("Microsoft.Authorization/locks", "properties/note", "misspelt", "properties/note: is not known"),
        ("Microsoft.Authorization/locks", "location", "westeurope", "location: is not known"),
        ("Microsoft.Insights/actionGroups", "location", GONE, "location: is needed"),
        ("Microsoft.Insights/actionGroups", "properties/groupShortName", "thirteen long", "properties/groupShortName: 'thirteen"),
        ("Microsoft.Insights/actionGroups", "tags", {"cost": 7}, "tags/cost: 7 is no string"),
        ("Microsoft.Insights/dataCollectionRules", "properties/immutableId", "x", "properties/immutableId: is set by the"),
        ("Microsoft.Insights/dataCollectionRules", "properties/dataFlows/0/stream", [], "properties/dataFlows/0/stream: is not"),
        ("Microsoft.Insights/diagnosticSettings", "properties/logs/0/enabled", GONE, "properties/logs/0/enabled: is needed"),
        (
            "Microsoft.Insights/diagnosticSettings",
            "properties/logs/0/enabled",
            "yes",
            "properties/logs/0/enabled: 'yes' is no bool",
        ),
        (
            "Microsoft.Insights/metricAlerts",
            "properties/criteria/odata.type",
            "None",
            "properties/criteria/odata.type: 'None' is",
        ),
        (
            "Microsoft.Insights/metricAlerts",
            "properties/criteria/allOf/0/operator",
            "More",
            "properties/criteria/allOf/0/operator:",
        ),
        ("Microsoft.Insights/scheduledQueryRules", "properties/severity", 5, "properties/severity: 5 is beyond maxValue: 4"),
        ("Microsoft.Insights/scheduledQueryRules", "properties/windowSize", 5, "properties/windowSize: 5 is no string"),
    ],
)
def test_a_mistake_is_found(kind: str, place: str, wrong: Any, problem: str) -> None:
    right = next(one for one in all_resources() if one.type == kind and _has(one.content, place, wrong))
    found = resource_type(kind).problems(right.id, changed(right.content, place, wrong))
    assert any(one.startswith(f"{kind} {problem}") for one in found), found


def _has(content: dict[str, Any], place: str, wrong: Any) -> bool:
    try:
        return bool(changed(content, place, wrong))
    except (KeyError, IndexError):
        return False
