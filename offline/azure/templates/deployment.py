"""What a template would deploy with given parameters: every resource with its expressions evaluated, and its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from offline.azure.templates.expressions import ExpressionInvalid, Later, Scope, resource_id

SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
GROUP = "breakwater"
DEPLOYMENTS = "Microsoft.Resources/deployments"


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
    nested : dict of str to Deployment
        Deployments inside of it, by id.
    referring : bool
        Whether a parameter that it was given refers to what another one makes: what-if does not look into it then.
    """

    resources: list[Deployed] = field(default_factory=list)
    declared: set[str] = field(default_factory=set)
    waits: dict[str, frozenset[str]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    nested: dict[str, Deployment] = field(default_factory=dict)
    referring: bool = False

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
        if len(found) != 1:
            raise LookupError(f"{len(found)} of {kind} …{end}")
        return found[0]


def deploy(template: dict[str, Any], subscription: str, group: str, /, **given: Any) -> Deployment:
    """Evaluate a template that is deployed nowhere: what only a platform knows stays a :class:`Later`.

    Raises
    ------
    ParameterRefused
        One is missing, unknown, of the wrong type or out of its bounds.
    ExpressionInvalid
    """
    return carry_out(template, Scope(subscription, group), given)


def carry_out(template: dict[str, Any], scope: Scope, given: Mapping[str, Any], done: Deployment | None = None) -> Deployment:
    """Evaluate a template for a scope, and have its platform make each resource when all that it waits for is there.

    Parameters
    ----------
    scope
        Its parameters and variables are the template's afterwards.
    done
        What is filled: whoever passes it knows how far it got when something is refused.

    Raises
    ------
    ParameterRefused, ExpressionInvalid
        As :func:`deploy`.
    """
    made = Deployment() if done is None else done
    at_tenant = "tenantDeployment" in template["$schema"]
    if "subscriptionDeployment" in template["$schema"]:
        scope.group = ""
    scope.variables = template.get("variables", {})
    scope.parameters = _parameters(template, given, scope)
    turns: dict[str, tuple[dict[str, Any], int]] = {}
    for declared in template["resources"]:
        for content in _copies(declared, scope):
            identifier = _id(content, scope, "" if at_tenant else scope.id)
            made.declared.add(identifier)
            made.waits[identifier] = frozenset(scope.value(content.get("dependsOn", [])))
            turns[identifier] = content, scope.copy_index
    for identifier in _in_order(turns, made.waits):
        content, scope.copy_index = turns[identifier]
        if scope.value(content.get("condition", True)):
            _make(made, identifier, content, scope)
    made.outputs = {name: scope.value(output["value"]) for name, output in template.get("outputs", {}).items()}
    return made


def _in_order(turns: Mapping[str, Any], waits: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """As they are written, but each after what it waits for."""
    begun: set[str] = set()
    ended: set[str] = set()

    def visit(identifier: str) -> Iterator[str]:
        if identifier in ended or identifier not in turns:
            return
        if identifier in begun:
            raise ExpressionInvalid(f"Circular dependency detected on resource: '{identifier}'.")
        begun.add(identifier)
        for before in sorted(waits[identifier]):
            yield from visit(before)
        ended.add(identifier)
        yield identifier

    for identifier in turns:
        yield from visit(identifier)


def _make(made: Deployment, identifier: str, content: dict[str, Any], scope: Scope) -> None:
    scope.referenced.clear()
    evaluated = scope.value({key: part for key, part in content.items() if key not in _NOT_CONTENT})
    evaluated = {key: part for key, part in evaluated.items() if part is not None}
    if content["type"] == DEPLOYMENTS:
        _nest(made, identifier, content["properties"], evaluated, scope)
        return
    evaluated["properties"] = scope.value(content.get("properties", {}))
    deployed = Deployed(identifier, evaluated, made.waits[identifier], frozenset(scope.referenced))
    if scope.platform:
        scope.platform.make(deployed)
    made.resources.append(deployed)


def _copies(content: dict[str, Any], scope: Scope) -> Iterator[dict[str, Any]]:
    if "copy" not in content:
        yield content
        return
    once = {key: part for key, part in content.items() if key != "copy"}
    for number in range(scope.value(content["copy"]["count"])):
        scope.copy_index = number
        yield once


def _id(content: dict[str, Any], scope: Scope, root: str) -> str:
    """A deployment lies where it deploys to, everything else at its own scope or the template's."""
    where = {key: scope.value(content[key]) for key in ("scope", "subscriptionId", "resourceGroup") if key in content}
    if "resourceGroup" in where and content["type"] == DEPLOYMENTS:
        root = Scope(where.get("subscriptionId", scope.subscription), where["resourceGroup"]).group_id
    return resource_id(str(where.get("scope", root)).rstrip("/"), content["type"], tuple(scope.value(content["name"]).split("/")))


def _nest(made: Deployment, identifier: str, properties: dict[str, Any], evaluated: dict[str, Any], scope: Scope) -> None:
    inside = Scope(
        evaluated.get("subscriptionId", scope.subscription),
        evaluated.get("resourceGroup", scope.group),
        name=evaluated["name"],
        location=evaluated.get("location", scope.location),
        platform=scope.platform,
    )
    given = {name: scope.value(one["value"]) for name, one in properties.get("parameters", {}).items()}
    inner = made.nested[identifier] = Deployment(referring="reference(" in str(properties.get("parameters")))
    try:
        carry_out(properties["template"], inside, given, inner)
    finally:
        made.resources += inner.resources
        made.declared |= inner.declared
        made.waits |= inner.waits
        made.nested |= inner.nested
    scope.deployed[identifier] = {"outputs": {name: {"value": content} for name, content in inner.outputs.items()}}


#: Evaluated apart, or not part of what is deployed.
_NOT_CONTENT = frozenset({"condition", "dependsOn", "properties", "scope"})
_TYPES = {"string": str, "secureString": str, "int": int, "bool": bool, "array": list, "object": dict}


def _parameters(template: dict[str, Any], given: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    declared = template["parameters"]
    if unknown := given.keys() - declared.keys():
        raise ParameterRefused(
            "The following parameters were supplied, but do not correspond to any parameters defined in the template: "
            f"'{', '.join(sorted(unknown))}'. The parameters defined in the template are: '{', '.join(declared)}'."
        )
    known: dict[str, Any] = {}
    scope.parameters = known
    for name, rules in declared.items():
        if name not in given and "defaultValue" not in rules:
            raise ParameterRefused(f"The value for the template parameter '{name}' is not provided.")
        content = given[name] if name in given else scope.value(rules["defaultValue"])
        if not isinstance(content, Later):
            _check(name, content, rules)
        known[name] = content
    return known


def _check(name: str, content: Any, rules: Mapping[str, Any]) -> None:
    """Refuse a value as Azure does: the wording is its own."""
    wrong = f"The provided value '{content}' for the template parameter '{name}' is not valid."
    wanted = _TYPES[rules["type"]]
    if not isinstance(content, wanted) or (wanted is int and isinstance(content, bool)):
        raise ParameterRefused(f"{wrong} Expected a value of type '{rules['type']}'.")
    if content not in rules.get("allowedValues", [content]):
        allowed = ",".join(map(str, rules["allowedValues"]))
        raise ParameterRefused(f"{wrong} The value '{content}' is not part of the allowed value(s): '{allowed}'.")
    if wanted is bool:
        return
    number = wanted is int
    size, what = (content, "The value") if number else (len(content), "Length of the value")
    least, most = ("minValue", "maxValue") if number else ("minLength", "maxLength")
    if size < rules.get(least, size):
        raise ParameterRefused(f"{wrong} {what} should be greater than or equal to '{rules[least]}'.")
    if size > rules.get(most, size):
        raise ParameterRefused(f"{wrong} {what} should be less than or equal to '{rules[most]}'.")
