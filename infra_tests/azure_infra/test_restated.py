"""Resources of the types that are described nowhere here but by ourselves."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from infra_tests.azure_infra.azure_cli import AZ
from infra_tests.azure_infra.restated import RESTATED, problems
from infra_tests.azure_infra.test_bicep_types import NOT_DESCRIBED
from offline.azure.templates.deployment import Deployment

_LOCKS = "Microsoft.Authorization/locks"
_MODEL_OF_A_LOCK = """
import json
from azure.mgmt.resource.locks.v2016_09_01.models import LockLevel, ManagementLockObject as Lock
keys = {name: one["key"] for name, one in Lock._attribute_map.items()}
needed = [key for name, key in keys.items() if Lock._validation.get(name, {}).get("required")]
print(json.dumps({"keys": sorted(keys.values()), "needed": needed, "levels": [one.value for one in LockLevel]}))
"""


@pytest.mark.parametrize("kind", RESTATED)
def test_what_was_looked_up_of_a_type_holds(least: dict[str, Deployment], most: dict[str, Deployment], kind: str) -> None:
    found = [one for deployments in (least, most) for each in deployments.values() for one in each.of(kind)]
    assert found
    for one in found:
        assert list(problems(one.content)) == [], one.id


def test_a_wrong_resource_is_found(most: dict[str, Deployment]) -> None:
    (lock,) = most["resource_group"].of(_LOCKS)
    for wrong in ({"level": "CantDelete"}, {"notes": "no level"}, {"level": "ReadOnly", "note": "misspelt"}):
        assert list(problems({**lock.content, "properties": wrong}))
    assert list(problems({**lock.content, "location": "westeurope"}))
    assert list(problems({**lock.content, "apiVersion": "2016-09-01"}))


def test_nothing_is_restated_that_microsofts_types_describe() -> None:
    assert RESTATED.keys() <= NOT_DESCRIBED


@pytest.mark.skipif(not AZ.is_file(), reason="Azure CLI's environment is not here: make test makes it")
def test_a_lock_is_restated_as_the_sdk_has_it() -> None:
    """The SDK's newest version is 2016-09-01."""
    ran = subprocess.run([AZ.parent / "python", "-c", _MODEL_OF_A_LOCK], capture_output=True, check=True)
    model: dict[str, Any] = json.loads(ran.stdout)
    _, restated = RESTATED[_LOCKS]
    assert {f"properties.{name}" for name in restated["properties"]} <= set(model["keys"])
    assert [f"properties.{name}" for name in restated["required"]] == model["needed"]
    assert restated["properties"]["level"]["enum"] == model["levels"]
