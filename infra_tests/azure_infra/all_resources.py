"""Every resource that the templates deploy, alone and by main.json, with the fewest and with all parameters."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

from azure_infra.__main__ import COMPILED, TEMPLATES
from infra_tests.azure_infra import test_main_bicep as main_bicep
from infra_tests.azure_infra.conftest import LEAST, MOST, deployed, read
from offline.azure.templates.deployment import DEPLOYMENTS, SUBSCRIPTION, Deployed
from offline.azure.templates.expressions import Later

#: In place of a value: what has it is made without it.
GONE = object()


@cache
def all_resources() -> tuple[Deployed, ...]:
    """Their expressions are evaluated; of nested deployments, which the evaluator carries out, every expression is left open."""
    whole = [main_bicep.deployed(), main_bicep.deployed(**main_bicep.MOST)]
    deployments = [*(deployed(name, **given) for every in (LEAST, MOST) for name, given in every.items()), *whole]
    nested = [one for file in (*TEMPLATES, COMPILED) for one in _nested(read(file.removesuffix(".json")))]
    return (*(one for deployment in deployments for one in deployment.resources), *nested)


def changed(content: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    """A copy of a resource in which one thing, ``properties/rules/0/name``, is another or :data:`GONE`."""
    copied: Any = deepcopy(content)
    part = copied
    *way, last = [int(step) if step.isdecimal() else step for step in place.split("/")]
    for step in way:
        part = part[step]
    if value is GONE:
        del part[last]
    else:
        part[last] = value
    resource: dict[str, Any] = copied
    return resource


def _nested(template: dict[str, Any]) -> Iterator[Deployed]:
    for resource in template["resources"]:
        if resource["type"] == DEPLOYMENTS:
            yield Deployed(f"/subscriptions/{SUBSCRIPTION}", _open(resource), frozenset(), frozenset())
            yield from _nested(resource["properties"]["template"])


def _open(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _open(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_open(value) for value in part]
    return Later(part) if isinstance(part, str) and part.startswith("[") else part
