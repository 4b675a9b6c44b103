"""What a template would deploy with given parameters: every resource with its expressions evaluated, and its id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from infra_tests.azure_infra.expressions import Later, Scope, resource_id

SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
GROUP = "breakwater"


class ParameterRefused(ValueError):
    """Azure would refuse the parameter."""


@dataclass(frozen=True)
class Deployed:
    """One resource.

    Attributes
    ----------
    id : str
    content : dict
        Type, name, properties …, evaluated.
    after : frozenset of str
        Ids that it waits for.
    asks : frozenset of str
        Ids whose properties it is made with.
    """

    id: str
    content: dict[str, Any]
    after: frozenset[str]
    asks: frozenset[str]

    @property
    def type(self) -> str:
        return str(self.content["type"])

    @property
    def properties(self) -> dict[str, Any]:
        found: dict[str, Any] = self.content.get("properties", {})
        return found


@dataclass
class Deployment:
    """Everything that one template deploys.

    Attributes
    ----------
    resources : list of Deployed
        Those whose condition holds, nested deployments' own among them.
    declared : set of str
        Ids of all resources of the template, whether their condition holds or not.
    waits : dict of str to set of str
        What each waits for, by id, whether its condition holds or not.
    outputs : dict
    """

    resources: list[Deployed] = field(default_factory=list)
    declared: set[str] = field(default_factory=set)
    waits: dict[str, frozenset[str]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: str) -> list[Deployed]:
        """Resources of a type."""
        return [one for one in self.resources if one.type == kind]

    def made_before(self, identifier: str) -> set[str]:
        """Everything that must be there before a resource is."""
        before: set[str] = set()
        wanted = [identifier]
        while wanted:
            for other in self.waits.get(wanted.pop(), ()):
                if other not in before:
                    before.add(other)
                    wanted.append(other)
        return before

    def named(self, kind: str, end: str) -> Deployed:
        """The one resource of a type whose name ends so."""
        found = [one for one in self.of(kind) if one.content["name"].endswith(end)]
        assert len(found) == 1, f"{len(found)} of {kind} …{end}"
        return found[0]


def deploy(template: dict[str, Any], subscription: str, group: str, /, **given: Any) -> Deployment:
    """Evaluate a template.

    Raises
    ------
    ParameterRefused
        One is missing, unknown, of the wrong type or out of its bounds.
    ExpressionInvalid
    """
    at_tenant = "tenantDeployment" in template["$schema"]
    at_subscription = "subscriptionDeployment" in template["$schema"]
    scope = Scope(subscription, "" if at_subscription else group, variables=template["variables"])
    scope.parameters = _parameters(template, given, scope)
    made = Deployment()
    for declared in template["resources"]:
        for content in _copies(declared, scope):
            root = "" if at_tenant else scope.id
            identifier = _id(content, scope.value(content["name"]), scope.value(content.get("scope", root)))
            made.declared.add(identifier)
            made.waits[identifier] = frozenset(scope.value(content.get("dependsOn", [])))
            if scope.value(content.get("condition", True)):
                _make(made, identifier, content, scope)
    made.outputs = {name: scope.value(output["value"]) for name, output in template["outputs"].items()}
    return made


def _make(made: Deployment, identifier: str, content: dict[str, Any], scope: Scope) -> None:
    scope.referenced.clear()
    evaluated = scope.value({key: part for key, part in content.items() if key not in _NOT_CONTENT})
    evaluated = {key: part for key, part in evaluated.items() if part is not None}
    if content["type"] == "Microsoft.Resources/deployments":
        _nest(made, identifier, content["properties"], evaluated, scope)
        return
    evaluated["properties"] = scope.value(content.get("properties", {}))
    made.resources.append(Deployed(identifier, evaluated, made.waits[identifier], frozenset(scope.referenced)))


def _copies(content: dict[str, Any], scope: Scope) -> Iterator[dict[str, Any]]:
    if "copy" not in content:
        yield content
        return
    once = {key: part for key, part in content.items() if key != "copy"}
    for number in range(scope.value(content["copy"]["count"])):
        scope.copy_index = number
        yield once


def _id(content: dict[str, Any], name: str, root: str) -> str:
    return resource_id(root, content["type"], tuple(name.split("/")))


def _nest(made: Deployment, identifier: str, properties: dict[str, Any], evaluated: dict[str, Any], scope: Scope) -> None:
    inner = deploy(
        properties["template"],
        evaluated.get("subscriptionId", scope.subscription),
        evaluated.get("resourceGroup", scope.group),
        **{name: scope.value(given["value"]) for name, given in properties["parameters"].items()},
    )
    scope.deployed[identifier] = {"outputs": {name: {"value": content} for name, content in inner.outputs.items()}}
    made.resources += inner.resources
    made.declared |= inner.declared
    made.waits |= inner.waits


#: Evaluated apart, or not part of what is deployed.
_NOT_CONTENT = frozenset({"condition", "dependsOn", "properties", "scope"})
_TYPES = {"string": str, "secureString": str, "int": int, "bool": bool, "array": list, "object": dict}


def _parameters(template: dict[str, Any], given: dict[str, Any], scope: Scope) -> dict[str, Any]:
    declared = template["parameters"]
    if unknown := given.keys() - declared.keys():
        raise ParameterRefused(f"there is no parameter {', '.join(sorted(unknown))}")
    known: dict[str, Any] = {}
    scope.parameters = known
    for name, rules in declared.items():
        if name not in given and "defaultValue" not in rules:
            raise ParameterRefused(f"{name} is needed")
        content = given[name] if name in given else scope.value(rules["defaultValue"])
        if name in given and not isinstance(content, (_TYPES[rules["type"]], Later)):
            raise ParameterRefused(f"{name} is {content!r}: a {rules['type']} is needed")
        if content not in rules.get("allowedValues", [content]):
            raise ParameterRefused(f"{name} is {content!r}: one of {rules['allowedValues']} is needed")
        size = content if isinstance(content, int) else len(str(content))
        least, most = ("minValue", "maxValue") if isinstance(content, int) else ("minLength", "maxLength")
        if not rules.get(least, size) <= size <= rules.get(most, size):
            raise ParameterRefused(f"{name} is {content!r}: out of its bounds")
        known[name] = content
    return known
