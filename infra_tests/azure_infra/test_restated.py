"""Resources of the type that is described nowhere here but by ourselves."""

from __future__ import annotations

import pytest

from infra_tests.azure_infra.all_resources import GONE, all_resources, changed
from infra_tests.azure_infra.restated import RESTATED, problems


@pytest.mark.parametrize("kind", RESTATED)
def test_what_was_looked_up_of_a_type_holds(kind: str) -> None:
    found = [one for one in all_resources() if one.type == kind]
    assert found
    for one in found:
        assert list(problems(one.content)) == [], one.id


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("apiVersion", "2017-04-01-preview"),
        ("location", "westeurope"),
        ("properties/logs", GONE),
        ("properties/logs", []),
        ("properties/logs/0/enabled", "true"),
        ("properties/eventHub", "api-calls"),
        ("properties/eventHubAuthorizationRuleId", "diagnostics"),
    ],
)
def test_a_wrong_resource_is_found(place: str, wrong: object) -> None:
    right = next(one for one in all_resources() if one.type == "microsoft.aadiam/diagnosticSettings")
    assert list(problems(changed(right.content, place, wrong)))
