"""Checking a resource against Microsoft's Bicep types, more strictly than the compiler does.

Listed values are all that is taken, also of an enumeration that is left open for what a service may add later. A property that
only the service sets is refused; the compiler warns of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra_tests.azure_infra.azmcp import Definitions
from offline.azure.templates.expressions import Later

_SIMPLE: dict[str, type] = {"string": str, "int": int, "bool": bool}
#: What every resource has, and what a template says about the resource and not of it.
_ENVELOPE = frozenset({"type", "apiVersion", "condition", "copy", "dependsOn", "scope", "subscriptionId", "resourceGroup"})
#: Kind of a scope, by the number of slashes in its id.
_SCOPES = {0: "Tenant", 2: "Subscription", 4: "ResourceGroup"}


@dataclass(frozen=True)
class ResourceType:
    """One resource type in one version.

    Attributes
    ----------
    name, version : str
    scopes : frozenset of str
        Where resources of it can be made: ``Tenant``, ``Subscription``, ``ResourceGroup``, ``Extension`` … Empty where that is
        not said.
    body : mapping
        What a resource consists of.
    types : mapping of str to mapping
        The objects that it is made of, by name.
    """

    name: str
    version: str
    scopes: frozenset[str]
    body: Mapping[str, Any]
    types: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, definitions: Definitions) -> ResourceType:
        """The type that definitions are about."""
        (resource,) = [one for one in definitions if one["$type"] == "Resource"]
        name, _, version = resource["name"].partition("@")
        objects = {one["name"]: one for one in definitions if one["$type"] in ("Object", "DiscriminatedObject")}
        return cls(name, version, frozenset(resource["writableScopes"].split(", ")), resource["bodyType"], objects)

    def problems(self, identifier: str, content: Mapping[str, Any]) -> list[str]:
        """What is wrong with a resource, each with its place.

        Parameters
        ----------
        identifier
            Its id.
        content
            As a template has it, with its expressions evaluated. A :class:`Later` fits anywhere.
        """
        found = [f"name: {problem}" for problem in self._misplaced(identifier)]
        given = {key: part for key, part in content.items() if key not in _ENVELOPE}
        # A child's name is described as its last part, and the evaluator says of a resource without properties that it has none.
        if isinstance(content["name"], str):
            given["name"] = content["name"].rpartition("/")[2]
        if given.get("properties") == {}:
            del given["properties"]
        return [f"{self.name} {problem}" for problem in (*found, *self._object(given, self.body, ""))]

    def _misplaced(self, identifier: str) -> Iterator[str]:
        scope = scope_of(identifier)
        if self.scopes and scope not in self.scopes and (scope == "Extension" or "AllExceptExtension" not in self.scopes):
            yield f"is made at {scope}, and can be at {', '.join(sorted(self.scopes))}"

    def _value(self, value: Any, written: str, limits: str, at: str) -> Iterator[str]:
        if isinstance(value, Later) or written == "any":
            return
        if written.endswith("[]"):
            if isinstance(value, list):
                for number, item in enumerate(value):
                    yield from self._value(item, written.removesuffix("[]"), "", f"{at}/{number}")
            else:
                yield f"{at}: {value!r} is no array"
        elif written in self.types:
            if isinstance(value, dict):
                yield from self._object(value, self.types[written], at)
            else:
                yield f"{at}: {value!r} is no object"
        elif written in _SIMPLE:
            if type(value) is not _SIMPLE[written]:
                yield f"{at}: {value!r} is no {written}"
            elif broken := _broken(value, limits):
                yield f"{at}: {value!r} is beyond {broken}"
        elif value not in written.split(" | "):
            yield f"{at}: {value!r} is none of {written}"

    def _object(self, value: Mapping[str, Any], described: Mapping[str, Any], at: str) -> Iterator[str]:
        others = described.get("additionalPropertiesType")
        if described["$type"] == "Object":
            yield from self._members(value, described["properties"], others, at)
            return
        told = described["discriminator"]
        variants = {_literal(one, told): one["properties"] for one in described["elements"]}
        if value.get(told) not in variants:
            yield f"{_below(at, told)}: {value.get(told)!r} is none of {' | '.join(variants)}"
            return
        properties = [one for one in variants[value[told]] if one["name"] != told]
        value = {key: part for key, part in value.items() if key != told}
        yield from self._members(value, [*described["baseProperties"], *properties], others, at)

    def _members(
        self, value: Mapping[str, Any], properties: Iterable[Mapping[str, Any]], others: str | None, at: str
    ) -> Iterator[str]:
        known = {one["name"]: one for one in properties}
        for name, part in value.items():
            place = _below(at, name)
            if name in known and "ReadOnly" in known[name].get("flags", ""):
                yield f"{place}: is set by the service alone"
            elif name in known:
                yield from self._value(part, known[name]["type"], known[name].get("modifiers", ""), place)
            elif others is not None:
                yield from self._value(part, others, "", place)
            else:
                yield f"{place}: is not known"
        for name in known.keys() - value.keys():
            flags = known[name].get("flags", "")
            if "Required" in flags and "ReadOnly" not in flags:
                yield f"{_below(at, name)}: is needed"


def scope_of(identifier: str) -> str:
    """At what a resource is made: a tenant, a subscription, a resource group, or another resource that it extends."""
    scope = (
        identifier.rpartition("/providers/")[0] if "/providers/" in identifier else identifier.rpartition("/resourceGroups/")[0]
    )
    return _SCOPES.get(scope.count("/"), "Extension")


def _below(at: str, name: str) -> str:
    return f"{at}/{name}" if at else name


def _literal(variant: Mapping[str, Any], discriminator: str) -> str:
    (told,) = [one["type"] for one in variant["properties"] if one["name"] == discriminator]
    return str(told)


def _broken(value: Any, limits: str) -> str:
    """The limit that a text or a number is beyond, if any: ``minLength: 3, maxLength: 24, pattern: ^[a-z]+$``."""
    bounds, _, pattern = limits.partition("pattern: ")
    size = len(value) if isinstance(value, str) else value
    for bound in re.findall(r"\w+: \d+", bounds):
        name, _, number = bound.partition(": ")
        if size < int(number) if name.startswith("min") else size > int(number):
            return bound
    return f"pattern: {pattern}" if pattern and not re.search(pattern, value) else ""
