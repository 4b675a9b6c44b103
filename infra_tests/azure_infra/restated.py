"""A type that neither Microsoft's Bicep types, nor its SDKs, nor the collected schemas describe: as public templates have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft4Validator

from offline.azure.templates.expressions import Later


def _object(required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


_TEXT, _YES_NO, _ID = {"type": "string"}, {"type": "boolean"}, {"type": "string", "pattern": "^/"}

#: Of each type its version and its properties. Beside them stands nothing but a name.
RESTATED: dict[str, tuple[str, dict[str, Any]]] = {
    "microsoft.aadiam/diagnosticSettings": (
        "2017-04-01",
        _object(
            ("logs",),
            storageAccountId=_ID,
            workspaceId=_ID,
            eventHubAuthorizationRuleId=_ID,
            eventHubName=_TEXT,
            logs={"type": "array", "minItems": 1, "items": _object(("category", "enabled"), category=_TEXT, enabled=_YES_NO)},
        ),
    ),
}


def problems(resource: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a resource of one of these types, whose expressions are evaluated."""
    version, properties = RESTATED[resource["type"]]
    if resource["apiVersion"] != version:
        yield f"version {resource['apiVersion']} was not looked up, {version} was"
    yield from (f"{name} is not known" for name in sorted(resource.keys() - {"type", "apiVersion", "name", "properties"}))
    known = {name: "/later" if isinstance(part, Later) else part for name, part in resource["properties"].items()}
    yield from (
        f"{'/'.join(map(str, error.path))}: {error.message}"[:300] for error in Draft4Validator(properties).iter_errors(known)
    )
