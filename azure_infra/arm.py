"""A template as it is written: parameters, variables, resources, outputs, and the few expressions that all modules use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

_SCHEMAS = "https://schema.management.azure.com/schemas/"
#: Schema of a template by the scope that it is deployed to.
SCHEMA = {
    "resourceGroup": f"{_SCHEMAS}2019-04-01/deploymentTemplate.json#",
    "subscription": f"{_SCHEMAS}2018-05-01/subscriptionDeploymentTemplate.json#",
    "tenant": f"{_SCHEMAS}2019-08-01/tenantDeploymentTemplate.json#",
}


def value(expression: str) -> str:
    """An expression as a value of the template."""
    return f"[{expression}]"


def parameter(name: str) -> str:
    """Expression of a parameter."""
    return f"parameters('{name}')"


def variable(name: str) -> str:
    """Expression of a variable."""
    return f"variables('{name}')"


def text(literal: str) -> str:
    """A literal inside an expression: quotes are doubled."""
    return "'" + literal.replace("'", "''") + "'"


def concat(*parts: str) -> str:
    """Expression that joins texts."""
    return f"concat({', '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Ref:
    """A resource of the same template.

    Attributes
    ----------
    type : str
    names : tuple of str
        Expressions, one for each segment of the type after the provider.
    """

    type: str
    names: tuple[str, ...]

    @property
    def id(self) -> str:
        """Expression of its id, in a resource group's template."""
        return f"resourceId('{self.type}', {', '.join(self.names)})"

    @property
    def name(self) -> str:
        """Value of its ``name``: the segments, joined."""
        if len(self.names) == 1 and self.names[0].startswith("'"):
            return self.names[0][1:-1]
        return value(self.names[0] if len(self.names) == 1 else f"format('{self._slots}', {', '.join(self.names)})")

    @property
    def _slots(self) -> str:
        return "/".join(f"{{{number}}}" for number in range(len(self.names)))

    def child(self, kind: str, name: str) -> Ref:
        """A resource below this one."""
        return Ref(f"{self.type}/{kind}", (*self.names, name))

    def get(self, path: str, api: str) -> str:
        """Expression of a property, known once the resource is there."""
        return f"reference({self.id}, '{api}').{path}"


def resource(ref: Ref, api: str, properties: Json | None = None, *, after: Sequence[Ref] = (), **more: Any) -> Json:
    """One resource; ``after`` names those that must be there first."""
    made: Json = {"type": ref.type, "apiVersion": api, "name": ref.name, **more}
    if after:
        made["dependsOn"] = [value(other.id) for other in after]
    if properties is not None:
        made["properties"] = properties
    return made


@dataclass(slots=True)
class Template:
    """A template in the making.

    Attributes
    ----------
    scope : str
        Key of :data:`SCHEMA`.
    touches : str
        What it makes and changes, and nothing else: in the template's metadata, for whoever deploys it.
    """

    scope: str
    touches: str
    parameters: dict[str, Json] = field(default_factory=dict)
    variables: Json = field(default_factory=dict)
    resources: list[Json] = field(default_factory=list)
    outputs: dict[str, Json] = field(default_factory=dict)

    def take(self, name: str, kind: str, description: str, **more: Any) -> str:
        """Declare a parameter; returns its expression. ``defaultValue``, ``allowedValues``, ``minLength``, … as ARM has them."""
        self.parameters[name] = {"type": kind, **more, "metadata": {"description": description}}
        return parameter(name)

    def define(self, name: str, content: Any) -> str:
        """Declare a variable; returns its expression."""
        self.variables[name] = content
        return variable(name)

    def add(self, *resources: Json) -> None:
        """Add resources."""
        self.resources.extend(resources)

    def give(self, name: str, expression: str, kind: str = "string") -> None:
        """Declare an output."""
        self.outputs[name] = {"type": kind, "value": value(expression)}

    def to_json_value(self) -> Json:
        """The template as ARM takes it."""
        return {
            "$schema": SCHEMA[self.scope],
            "contentVersion": "1.0.0.0",
            "metadata": {"description": self.touches, "generator": "python -m azure_infra"},
            "parameters": self.parameters,
            "variables": self.variables,
            "resources": self.resources,
            "outputs": self.outputs,
        }

    def to_text(self) -> str:
        """The template's file."""
        return json.dumps(self.to_json_value(), indent=2, ensure_ascii=False) + "\n"


def nested(name: str, template: Template, given: Mapping[str, Any], **where: Any) -> Json:
    """A deployment inside a deployment, for what lies at another scope; its expressions are its own."""
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2025-04-01",
        "name": name,
        **where,
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": "inner"},
            "parameters": {key: {"value": content} for key, content in given.items()},
            "template": template.to_json_value(),
        },
    }
