"""ARM's expressions, as far as the templates use them: read into a tree, and evaluated with what a deployment would know.

What only the platform knows (``reference``) is asked of it where there is one (:attr:`Scope.platform`); else it becomes a
:class:`Later`, which goes through texts unchanged.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol
from urllib.parse import urljoin

_TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|(-?\d+)|([A-Za-z_]\w*)|(.))", re.DOTALL)


#: Who deploys, and in which tenant, where no platform says it.
DEPLOYER, _TENANT = "99999999-0000-4000-8000-0000000000de", "72f988bf-0000-4000-8000-000000000000"


class ExpressionInvalid(ValueError):
    """An expression that Azure would refuse: says which and why."""


@dataclass(frozen=True)
class Call:
    """A function with its arguments, and the properties and elements that are taken of its result."""

    name: str
    arguments: tuple[Any, ...]
    path: tuple[Any, ...] = ()


@cache
def parse(text: str) -> Any:
    """The tree of an expression (without its brackets)."""
    tokens = [match for match in _TOKEN.finditer(text) if match.group(0).strip()]
    tree, rest = _read(tokens, 0, text)
    if rest != len(tokens):
        raise ExpressionInvalid(f"{text}: nothing may follow after {tokens[rest - 1].group(0)}")
    return tree


def calls(tree: Any) -> list[Call]:
    """Every call in a tree."""
    if not isinstance(tree, Call):
        return []
    return [tree, *(call for part in (*tree.arguments, *tree.path) for call in calls(part))]


def _read(tokens: list[re.Match[str]], at: int, text: str) -> tuple[Any, int]:
    if at >= len(tokens):
        raise ExpressionInvalid(f"{text}: it ends too early")
    literal, number, name, _ = tokens[at].groups()
    if literal is not None:
        return literal.replace("''", "'"), at + 1
    if number is not None:
        return int(number), at + 1
    if name is None or at + 1 >= len(tokens) or tokens[at + 1].group(4) != "(":
        raise ExpressionInvalid(f"{text}: a text, a number or a function is needed at {tokens[at].group(0)!r}")
    at, arguments = at + 2, []
    while tokens[at].group(4) != ")":
        argument, at = _read(tokens, at, text)
        arguments.append(argument)
        if at >= len(tokens) or tokens[at].group(4) not in (",", ")"):
            raise ExpressionInvalid(f"{text}: a comma or a bracket is missing")
        at += tokens[at].group(4) == ","
    at, path = at + 1, []
    while at < len(tokens) and tokens[at].group(4) in (".", "["):
        if tokens[at].group(4) == ".":
            path.append(tokens[at + 1].group(3))
            at += 2
        else:
            element, at = _read(tokens, at + 1, text)
            path.append(element)
            at += 1
    return Call(name, tuple(arguments), tuple(path)), at


@dataclass(frozen=True)
class Later:
    """Something that is known once the resource is there."""

    of: str

    def __str__(self) -> str:
        return f"<{self.of}>"


class Platform(Protocol):
    """What a deployment meets: who deploys, what is there, and what is made of it."""

    deployer: str
    tenant: str

    def location(self, group_id: str) -> str:
        """Region of a resource group."""

    def read(self, identifier: str) -> Any:
        """A resource as it is answered now, or a :class:`Later` where that is not known yet."""

    def make(self, deployed: Any) -> None:
        """Make a resource (:class:`~offline.azure.templates.deployment.Deployed`): all that it waits for is there."""


@dataclass
class Scope:
    """Where a template is deployed, and what its expressions may ask for.

    Attributes
    ----------
    name, location : str
        The deployment's own.
    platform : Platform, optional
        Without one everything is evaluated, and nothing made.
    parameters, variables : mapping
        Variables as the template has them: evaluated when they are asked for.
    referenced : list of str
        Ids whose properties were asked for.
    deployed : dict of str to dict
        Nested deployments that are done, with their outputs.
    """

    subscription: str
    group: str = ""
    name: str = "deployment"
    location: str = "westeurope"
    platform: Platform | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    referenced: list[str] = field(default_factory=list)
    deployed: dict[str, Any] = field(default_factory=dict)
    copy_index: int = 0
    _local: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Id of the scope itself."""
        return self.group_id if self.group else self.subscription_id

    @property
    def subscription_id(self) -> str:
        return f"/subscriptions/{self.subscription}"

    @property
    def group_id(self) -> str:
        return f"{self.subscription_id}/resourceGroups/{self.group}"

    def value(self, content: Any) -> Any:
        """A part of a template with every expression in it evaluated."""
        if isinstance(content, str):
            if content.startswith("[["):
                return content[1:]
            return self.evaluate(parse(content[1:-1])) if content.startswith("[") and content.endswith("]") else content
        if isinstance(content, list):
            return [self.value(part) for part in content]
        if isinstance(content, dict):
            return {self.value(key): self.value(part) for key, part in content.items()}
        return content

    def evaluate(self, tree: Any) -> Any:
        """Value of a tree."""
        if not isinstance(tree, Call):
            return tree
        if tree.name == "if":  # the other branch is not asked
            condition, *branches = tree.arguments
            result = self.evaluate(branches[0] if self.evaluate(condition) else branches[1])
        elif tree.name == "lambda":
            return self._lambda(tree)
        else:
            function = _FUNCTIONS.get(tree.name)
            if function is None:
                raise ExpressionInvalid(f"there is no function {tree.name}, or it is not known here")
            result = function(self, *(self.evaluate(argument) for argument in tree.arguments))
        for part in tree.path:
            key = self.evaluate(part)
            if isinstance(result, Later):
                result = Later(f"{result.of}.{key}")
            else:
                try:
                    result = result[key]
                except (LookupError, TypeError) as error:
                    raise ExpressionInvalid(f"{tree.name} has no {key!r}: {result!r}") from error
        return result

    def _lambda(self, tree: Call) -> Callable[[Any], Any]:
        name, body = tree.arguments

        def run(argument: Any) -> Any:
            self._local[name] = argument
            return self.evaluate(body)

        return run


def resource_id(root: str, kind: str, names: tuple[str, ...]) -> str:
    """Id of a resource below a scope."""
    provider, *segments = kind.split("/")
    if len(segments) != len(names):
        raise ExpressionInvalid(f"{kind} has {len(segments)} names, not {len(names)}: {names}")
    return f"{root}/providers/{provider}/" + "/".join(f"{segment}/{name}" for segment, name in zip(segments, names, strict=True))


def _asked(kind: str) -> Callable[[Scope, str], Any]:
    def ask(scope: Scope, name: str) -> Any:
        known = getattr(scope, kind)
        if name not in known:
            raise ExpressionInvalid(f"the template has no {name!r} among its {kind}")
        return scope.value(known[name]) if kind == "variables" else known[name]

    return ask


def _concat(scope: Scope, *parts: Any) -> Any:
    if any(isinstance(part, list) for part in parts):
        return [element for part in parts for element in part]
    return "".join(map(str, parts))


def _format(scope: Scope, pattern: str, *parts: Any) -> str:
    return pattern.format(*parts)


def _reference(scope: Scope, identifier: str, api: str = "", full: str = "") -> Any:
    scope.referenced.append(identifier)
    if identifier in scope.deployed or scope.platform is None:
        return scope.deployed.get(identifier, Later(identifier))
    found = scope.platform.read(identifier)
    return found if full or isinstance(found, Later) else found["properties"]


def _resource_group(scope: Scope) -> Any:
    location = scope.platform.location(scope.group_id) if scope.platform else scope.location
    return {"id": scope.group_id, "name": scope.group, "location": location}


def _deployer(scope: Scope) -> Any:
    return {
        "objectId": scope.platform.deployer if scope.platform else DEPLOYER,
        "tenantId": scope.platform.tenant if scope.platform else _TENANT,
    }


def _hash(*parts: Any) -> bytes:
    return hashlib.sha256("-".join(map(str, parts)).encode()).digest()


_CLOUD = {
    "resourceManager": "https://management.azure.com/",
    "authentication": {"loginEndpoint": "https://login.microsoftonline.com/"},
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda scope, a, b: a + b,
    "and": lambda scope, *conditions: all(conditions),
    "concat": _concat,
    "copyIndex": lambda scope: scope.copy_index,
    "createArray": lambda scope, *parts: list(parts),
    "createObject": lambda scope, *parts: dict(zip(parts[::2], parts[1::2], strict=True)),
    "deployment": lambda scope: {"location": scope.location, "name": scope.name},
    "empty": lambda scope, content: not content,
    "environment": lambda scope: _CLOUD,
    "equals": lambda scope, a, b: a == b,
    "extensionResourceId": lambda scope, root, kind, *names: resource_id(root, kind, names),
    "false": lambda scope: False,
    "filter": lambda scope, content, keep: [element for element in content if keep(element)],
    "format": _format,
    "guid": lambda scope, *parts: str(uuid.UUID(bytes=_hash(*parts)[:16])),
    "join": lambda scope, content, between: between.join(map(str, content)),
    "lambdaVariables": lambda scope, name: scope._local[name],
    "last": lambda scope, content: content[-1],
    "length": lambda scope, content: len(content),
    "map": lambda scope, content, make: [make(element) for element in content],
    "not": lambda scope, condition: not condition,
    "null": lambda scope: None,
    "or": lambda scope, *conditions: any(conditions),
    "parameters": _asked("parameters"),
    "range": lambda scope, start, count: list(range(start, start + count)),
    "reference": _reference,
    "replace": lambda scope, content, old, new: str(content).replace(old, new),
    "resourceGroup": _resource_group,
    "resourceId": lambda scope, kind, *names: resource_id(scope.id, kind, names),
    "split": lambda scope, content, at: content.split(at),
    "string": lambda scope, content: str(content),
    "sub": lambda scope, a, b: a - b,
    "subscription": lambda scope: {"id": scope.subscription_id, "subscriptionId": scope.subscription},
    "subscriptionResourceId": lambda scope, kind, *names: resource_id(scope.subscription_id, kind, names),
    "substring": lambda scope, content, start, count: content[start : start + count],
    "take": lambda scope, content, count: content[:count],
    "deployer": _deployer,
    "tenant": lambda scope: {"tenantId": _deployer(scope)["tenantId"]},
    "tenantResourceId": lambda scope, kind, *names: resource_id("", kind, names),
    "toLower": lambda scope, content: str(content).lower(),
    "true": lambda scope: True,
    "union": lambda scope, *parts: {key: content for part in parts for key, content in part.items()},
    "uniqueString": lambda scope, *parts: _hash(*parts).hex()[:13],
    "uri": lambda scope, base, relative: urljoin(base, relative),
    "variables": _asked("variables"),
}
