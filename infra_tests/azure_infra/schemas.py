"""Checking resources against the published schemas of their types, as Azure's own editors do, without a network."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator, ValidationError
from referencing import Registry, Resource
from referencing.exceptions import NoSuchResource
from referencing.jsonschema import DRAFT4

_ROOT = "https://schema.management.azure.com/schemas/"

#: Types whose schema cannot be asked, and why. What they must look like is asserted by tests of their own.
WITHOUT_SCHEMA = {
    "microsoft.aadiam/diagnosticSettings": "Microsoft has never published a schema of it for templates.",
    "Microsoft.Authorization/locks": "its version of 2020 is not among the collected schemas.",
    "Microsoft.Insights/components": "its version of 2020 is not among the collected schemas.",
    "Microsoft.Insights/workbooks": "its version of 2023 is not among the collected schemas.",
    "Microsoft.Resources/deployments": "its schema describes the template inside as any object; the resources in it are checked instead.",
    "Microsoft.Web/connections": "its version of 2016 is not among the collected schemas.",
}
#: Types whose file has definitions of the body, but no resource definition: type → (definition, part of the resource that it describes).
BY_DEFINITION = {
    "Microsoft.SecurityInsights/alertRules": ("ScheduledAlertRule", ""),
    "Microsoft.SecurityInsights/automationRules": ("AutomationRuleProperties", "properties"),
}
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
        def retrieve(uri: str) -> Resource[Any]:
            try:
                return Resource.from_contents(self._file(uri.removeprefix(_ROOT).partition("#")[0]), default_specification=DRAFT4)
            except FileNotFoundError as error:
                raise NoSuchResource(ref=uri) from error

        registry: Registry[Any] = Registry(retrieve=retrieve)
        return registry

    def _file(self, path: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(lzma.decompress((self.folder / f"{path}.xz").read_bytes()))
        return content

    def problems(self, resource: dict[str, Any]) -> Iterator[str]:
        """What is wrong with a resource, each with its place.

        Raises
        ------
        SchemaUnknown
        """
        kind, version = resource["type"], resource["apiVersion"]
        reference, body = self._definition(kind, version, resource)
        for error in Draft4Validator({"$ref": reference}, registry=self._registry).iter_errors(body):
            deepest = _deepest(error)
            yield f"{kind} {'/'.join(map(str, deepest.absolute_path))}: {deepest.message[:200]}"

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


def _deepest(error: ValidationError) -> ValidationError:
    """The error that says most: of several ways that did not fit, the one that came farthest."""
    while error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    return error
