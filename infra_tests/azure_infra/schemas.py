"""Checking resources against the published schemas of their types, as Azure's own editors do, without a network."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator, ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from offline.azure.templates.expressions import Later

_ROOT = "https://schema.management.azure.com/schemas/"

#: Types whose schema is not among the collected ones: they are checked in the other ways alone. And the one that holds a
#: template, which its schema takes for any object; the resources in it are checked.
WITHOUT_SCHEMA = {
    "Microsoft.Authorization/locks",
    "Microsoft.Insights/components",
    "Microsoft.Insights/workbooks",
    "Microsoft.Resources/deployments",
    "Microsoft.Web/connections",
    "microsoft.aadiam/diagnosticSettings",
}
#: Types whose file defines the body but not the resource: type → (definition, part of the resource that it describes).
BY_DEFINITION = {
    "Microsoft.SecurityInsights/alertRules": ("ScheduledAlertRule", ""),
    "Microsoft.SecurityInsights/automationRules": ("AutomationRuleProperties", "properties"),
}
#: Where a schema contradicts itself or the documentation: how the problem begins.
MISTAKEN = (
    # The list of streams holds Microsoft's own only; `Custom-…` is the documented name of all others.
    "Microsoft.Insights/dataCollectionRules properties/dataFlows/0/streams/0: 'Custom-",
    # Every property of the criteria is taken for an object, `odata.type` too.
    "Microsoft.Insights/metricAlerts properties/criteria",
    # An action is allowed nothing but its type and order, and then more is required for each type.
    "Microsoft.SecurityInsights/automationRules actions/0: Additional properties",
)
_SECTIONS = (
    "resourceDefinitions",
    "subscription_resourceDefinitions",
    "tenant_resourceDefinitions",
    "extension_resourceDefinitions",
)


class SchemaUnknown(Exception):
    """No schema describes this type in this version."""


@dataclass
class Schemas:
    """The published schemas below a folder: ``<version>/<provider>.json.xz``."""

    folder: Path

    @cached_property
    def _registry(self) -> Registry[Any]:
        files = {file.relative_to(self.folder).as_posix().removesuffix(".xz"): file for file in self.folder.rglob("*.json.xz")}
        registry: Registry[Any] = Registry()
        return registry.with_resources(
            (_ROOT + path, Resource.from_contents(_unpacked(file), default_specification=DRAFT4)) for path, file in files.items()
        ).crawl()

    def _file(self, path: str) -> dict[str, Any]:
        return _unpacked(self.folder / f"{path}.xz")

    def problems(self, resource: dict[str, Any]) -> Iterator[str]:
        """What is wrong with a resource whose expressions are evaluated, each with its place.

        Raises
        ------
        SchemaUnknown
        """
        yield from (problem for problem in self.all_problems(resource) if not problem.startswith(MISTAKEN))

    def all_problems(self, resource: dict[str, Any]) -> list[str]:
        """The same with those that are the schema's own mistakes."""
        # Of a child's name some schemas describe the whole, others the last part.
        names = (resource["name"], resource["name"].rpartition("/")[2])
        return min((self._problems({**resource, "name": name}) for name in names), key=len)

    def _problems(self, resource: dict[str, Any]) -> list[str]:
        kind, version = resource["type"], resource["apiVersion"]
        reference, body = self._definition(kind, version, _plain(resource))
        found = []
        for error in Draft4Validator({"$ref": reference}, registry=self._registry).iter_errors(body):
            deepest = _deepest(error)
            found.append(f"{kind} {'/'.join(map(str, deepest.absolute_path))}: {deepest.message}"[:300])
        return found

    def _definition(self, kind: str, version: str, resource: dict[str, Any]) -> tuple[str, Any]:
        provider, _, below = kind.partition("/")
        for name in (provider, f"{provider}.NRP"):  # the network's types are in a file of another name
            path = f"{version}/{name}.json"
            if not (self.folder / f"{path}.xz").is_file():
                continue
            if kind in BY_DEFINITION:
                definition, part = BY_DEFINITION[kind]
                return f"{_ROOT}{path}#/definitions/{definition}", resource[part] if part else resource
            content = self._file(path)
            for section in _SECTIONS:
                for key in content.get(section, {}):
                    if key.lower() == below.replace("/", "_").lower():
                        return f"{_ROOT}{path}#/{section}/{key}", resource
        raise SchemaUnknown(f"{kind} {version}")


@cache
def _unpacked(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(lzma.decompress(file.read_bytes()))
    return content


def _plain(content: Any) -> Any:
    """What is known only later, as the expression that the schemas allow in its place."""
    if isinstance(content, Later):
        return "[reference()]"
    if isinstance(content, list):
        return [_plain(part) for part in content]
    return {key: _plain(part) for key, part in content.items()} if isinstance(content, dict) else content


def _deepest(error: ValidationError) -> ValidationError:
    """The error that says most: of several ways that did not fit, the one that came farthest."""
    while error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    return error
