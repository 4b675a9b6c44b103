"""``main.bicep`` → the ARM template that it stands for: the part of the language that it uses, and an error for everything else.

No compiler of Microsoft's can be had where this is tested (docs/decisions/109). What comes out is what a compiler makes of
modules: nested deployments, for :func:`offline.azure.templates.deployment.deploy` to evaluate, with all that is checked there.
Language: https://learn.microsoft.com/azure/azure-resource-manager/bicep/file and ``…/bicep/operators`` (precedence).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from azure_infra.bicep_parts import (
    BicepInvalid,
    Expression,
    Object,
    Words,
    inner,
    inner_of,
    kind_of,
    tokens_of,
    written,
)

__all__ = ["BicepInvalid", "template_of"]

#: Of the scopes that a module may have: the template's kind.
SCOPES = {"group": "deploymentTemplate", "subscription": "subscriptionDeploymentTemplate", "tenant": "tenantDeploymentTemplate"}
_ESCAPES = {"\\'": "'", "\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\$": "$"}
#: Two-sided operators, the loosest first, and what ARM calls them.
_OPERATORS = (("??", "coalesce"), ("||", "or"), ("&&", "and"), ("==", "equals"))
_BOUNDS = {"minValue", "maxValue", "minLength", "maxLength"}
_DEPLOYMENT = "Microsoft.Resources/deployments"


def template_of(text: str, module: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Read a Bicep file.

    Parameters
    ----------
    text : str
    module : callable
        Returns the template of a module's path.

    Raises
    ------
    BicepInvalid
    """
    return _File(text, module).template()


class _File(Words):
    def __init__(self, text: str, module: Callable[[str], dict[str, Any]]) -> None:
        super().__init__(text)
        self._module = module
        self._parameters: dict[str, Any] = {}
        self._variables: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._resources: dict[str, dict[str, Any]] = {}
        self._asked: set[str] = set()

    def template(self) -> dict[str, Any]:
        scope = ""
        decorators: list[tuple[str, Any]] = []
        while self._at < len(self._tokens):
            if self._accept("@"):
                decorators.append((self._name(), self._bracketed()))
                continue
            kind = self._name()
            if kind == "targetScope":
                self._expect("=")
                scope = self._literal()
            elif kind in _STATEMENTS:
                _STATEMENTS[kind](self, decorators)
                decorators = []
            else:
                raise BicepInvalid(f"{kind}: a statement that this reader does not know")
        if scope != "subscription":
            raise BicepInvalid(f"targetScope is {scope!r}")
        return {
            "$schema": f"https://schema.management.azure.com/schemas/2018-05-01/{SCOPES[scope]}.json#",
            "contentVersion": "1.0.0.0",
            "parameters": self._parameters,
            "variables": self._variables,
            "resources": list(self._resources.values()),
            "outputs": self._outputs,
        }

    # statements

    def _parameter(self, decorators: list[tuple[str, Any]]) -> None:
        name, kind = self._name(), self._name()
        if kind not in ("string", "int", "bool", "array", "object"):
            raise BicepInvalid(f"{name}: there is no type {kind}")
        rules: dict[str, Any] = {"type": kind}
        for word, argument in decorators:
            if word == "description":
                rules["metadata"] = {"description": argument}
            elif word == "allowed":
                rules["allowedValues"] = argument
            elif word in _BOUNDS:
                rules[word] = argument
            else:
                raise BicepInvalid(f"{name}: there is no decorator @{word}")
        if self._accept("="):
            rules["defaultValue"] = written(self._expression())
        self._declare(name, self._parameters, rules)

    def _variable(self, decorators: list[tuple[str, Any]]) -> None:
        name = self._name()
        self._expect("=")
        self._declare(name, self._variables, written(self._expression()))

    def _output(self, decorators: list[tuple[str, Any]]) -> None:
        name, kind = self._name(), self._name()
        self._expect("=")
        if name in self._outputs:
            raise BicepInvalid(f"output {name} is there twice")
        self._outputs[name] = {"type": kind, "value": written(self._expression())}

    def _resource(self, decorators: list[tuple[str, Any]]) -> None:
        name, (kind, _, version) = self._name(), self._literal().partition("@")
        self._expect("=")
        content = self._object()
        self._declare(
            name, self._resources, {"type": kind, "apiVersion": version, **{key: written(part) for key, part in content.items()}}
        )

    def _module_(self, decorators: list[tuple[str, Any]]) -> None:
        name, path = self._name(), self._literal()
        template = self._module(path)
        self._expect("=")
        made: dict[str, Any] = {"type": _DEPLOYMENT, "apiVersion": "2022-09-01"}
        self._asked = set()
        if self._accept("if"):
            self._expect("(")
            made["condition"] = written(self._expression())
            self._expect(")")
        scope_of: dict[str, str] = {"kind": "subscription"}
        content: dict[str, Any] = {}
        self._expect("{")
        while not self._accept("}"):
            key = self._name()
            self._expect(":")
            if key == "scope":
                scope_of = self._scope()
            elif key in ("name", "params"):
                content[key] = self._expression()
            else:
                raise BicepInvalid(f"module {name} has no property {key}")
        kind_of_scope = scope_of.pop("kind")
        if f"/{SCOPES[kind_of_scope]}.json" not in template["$schema"]:
            raise BicepInvalid(f"module {name}: {path} is no template for its scope")
        if kind_of_scope != "group":  # the record of a deployment lies in a region; of one in a group, in the group's
            scope_of["location"] = "[deployment().location]"
        given = dict(content.get("params", Object()))
        declared = template["parameters"]
        if unknown := given.keys() - declared.keys():
            raise BicepInvalid(f"module {name}: {path} has no parameter {', '.join(sorted(unknown))}")
        if missing := {one for one, rules in declared.items() if "defaultValue" not in rules} - given.keys():
            raise BicepInvalid(f"module {name}: {path} needs {', '.join(sorted(missing))}")
        for one, expression in given.items():
            kind = declared[one]["type"].lower().removeprefix("secure")
            if kind_of(expression) not in ("any", kind):
                raise BicepInvalid(f"module {name}: {one} is a {kind}, and is given a {kind_of(expression)}")
        made |= {
            "name": written(content["name"]),
            **scope_of,
            "dependsOn": [f"[{self._id_of(other)}]" for other in sorted(self._asked)],
            "properties": {
                "mode": "Incremental",
                "expressionEvaluationOptions": {"scope": "inner"},
                "parameters": {one: {"value": written(expression)} for one, expression in given.items()},
                "template": template,
            },
        }
        self._declare(name, self._resources, made)

    def _scope(self) -> dict[str, str]:
        name = self._name()
        if name in self._resources:
            if self._resources[name]["type"] != "Microsoft.Resources/resourceGroups":
                raise BicepInvalid(f"{name} is no scope")
            self._asked.add(name)
            return {"kind": "group", "resourceGroup": self._resources[name]["name"]}
        self._expect("(")
        arguments = self._arguments()
        if name == "resourceGroup" and len(arguments) == 2:
            subscription, group = arguments
            return {"kind": "group", "subscriptionId": written(subscription), "resourceGroup": written(group)}
        if name == "tenant" and not arguments:
            return {"kind": "tenant", "scope": "/"}
        raise BicepInvalid(f"{name}: a scope that this reader does not know")

    def _declare(self, name: str, kind: dict[str, Any], content: Any) -> None:
        if name in {*self._parameters, *self._variables, *self._resources}:
            raise BicepInvalid(f"{name} is declared twice")
        kind[name] = content

    # expressions

    def _expression(self) -> Any:
        condition = self._operation(0)
        if not self._accept("?"):
            return condition
        yes = self._expression()
        self._expect(":")
        no = self._expression()
        if kind_of(condition) not in ("bool", "any"):
            raise BicepInvalid(f"a condition is a bool, not a {kind_of(condition)}")
        kinds = {kind_of(yes), kind_of(no)}
        return Expression(f"if({inner(condition)}, {inner(yes)}, {inner(no)})", kinds.pop() if len(kinds) == 1 else "any")

    def _operation(self, level: int) -> Any:
        if level == len(_OPERATORS):
            return self._one()
        sign, word = _OPERATORS[level]
        left = self._operation(level + 1)
        while self._accept(sign):
            right = self._operation(level + 1)
            if word in ("or", "and") and {kind_of(left), kind_of(right)} - {"bool", "any"}:
                raise BicepInvalid(f"{sign} is between two bools")
            left = Expression(f"{word}({inner(left)}, {inner(right)})", "any" if word == "coalesce" else "bool")
        return left

    def _one(self) -> Any:
        if self._accept("!"):
            operand = self._one()
            if kind_of(operand) not in ("bool", "any"):
                raise BicepInvalid(f"! is before a bool, not a {kind_of(operand)}")
            return Expression(f"not({inner(operand)})", "bool")
        kind, said = self._peek()
        if kind == "number":
            self._at += 1
            return int(said)
        if kind == "text":
            self._at += 1
            return self._text(said)
        if said == "[":
            return self._array()
        if said == "{":
            return self._object()
        if said == "(":
            self._at += 1
            inside = self._expression()
            self._expect(")")
            return inside
        name = self._name()
        if name in ("true", "false"):
            return name == "true"
        if self._accept("("):
            called = Expression(f"{name}({', '.join(map(inner, self._arguments()))})", _RESULTS.get(name, "any"))
            return self._after(called)
        return self._symbol(name)

    def _symbol(self, name: str) -> Any:
        if name in self._parameters:
            return self._after(Expression(f"parameters('{name}')", self._parameters[name]["type"]))
        if name in self._variables:
            return self._after(Expression(f"variables('{name}')", "any"))
        if name not in self._resources:
            raise BicepInvalid(f"there is no {name}")
        self._asked.add(name)
        made = self._resources[name]
        self._expect(".")
        asked = self._name()
        if asked == "name":
            return Expression(inner_of(made["name"]), "string")
        if asked != "outputs" or made["type"] != _DEPLOYMENT:
            raise BicepInvalid(f"{name}.{asked}: not known to this reader")
        self._expect(".")
        output = self._name()
        declared = made["properties"]["template"]["outputs"]
        if output not in declared:
            raise BicepInvalid(f"module {name} has no output {output}")
        asked = f"reference({self._id_of(name)}, '{made['apiVersion']}').outputs.{output}.value"
        return Expression(asked, declared[output]["type"].lower())

    def _after(self, expression: Expression) -> Expression:
        """Properties and elements that are taken of a value."""
        while True:
            if self._accept("."):
                expression = Expression(f"{expression.text}.{self._name()}", "any")
            elif self._accept("["):
                expression = Expression(f"{expression.text}[{inner(self._expression())}]", "any")
                self._expect("]")
            else:
                return expression

    def _id_of(self, name: str) -> str:
        """A deployment lies where it deploys to."""
        made = self._resources[name]
        kind, own = made["type"], inner_of(made["name"])
        if made.get("scope") == "/":
            return f"tenantResourceId('{kind}', {own})"
        if "resourceGroup" not in made:
            return f"subscriptionResourceId('{kind}', {own})"
        subscription = inner_of(made["subscriptionId"]) if "subscriptionId" in made else "subscription().subscriptionId"
        group = f"format('/subscriptions/{{0}}/resourceGroups/{{1}}', {subscription}, {inner_of(made['resourceGroup'])})"
        return f"extensionResourceId({group}, '{kind}', {own})"

    def _text(self, said: str) -> Any:
        parts = re.split(r"(?<!\\)\$\{([^}]*)\}", said[1:-1])
        plain = [re.sub(r"\\.", lambda match: _ESCAPES[match.group()], part) for part in parts[::2]]
        if len(parts) == 1:
            return plain[0]
        inside = [_Inside(self, part) for part in parts[1::2]]
        pattern = "".join(f"{text}{{{number}}}" for number, text in enumerate(plain[:-1])) + plain[-1]
        return Expression(f"format({inner(pattern)}, {', '.join(one.text for one in inside)})", "string")

    def _array(self) -> list[Any]:
        self._expect("[")
        found = []
        while not self._accept("]"):
            found.append(self._expression())
            self._accept(",")
        return found

    def _object(self) -> Object:
        self._expect("{")
        found = Object()
        while not self._accept("}"):
            key = self._literal() if self._peek()[0] == "text" else self._name()
            self._expect(":")
            if key in found:
                raise BicepInvalid(f"{key} is there twice")
            found[key] = self._expression()
            self._accept(",")
        return found

    def _arguments(self) -> list[Any]:
        found: list[Any] = []
        while not self._accept(")"):
            found.append(self._expression())
            self._accept(",")
        return found

    def _bracketed(self) -> Any:
        self._expect("(")
        (argument,) = self._arguments()
        return argument

    def _literal(self) -> str:
        kind, said = self._peek()
        self._at += 1
        text = self._text(said) if kind == "text" else None
        if not isinstance(text, str):
            raise BicepInvalid(f"a plain text is needed at {said}")
        return text


class _Inside(Expression):
    """An expression inside of a text."""

    def __init__(self, file: _File, text: str) -> None:
        before = file._tokens, file._at
        file._tokens, file._at = tokens_of(text), 0
        found = file._expression()
        if file._at != len(file._tokens):
            raise BicepInvalid(f"${{{text}}}: one expression is needed")
        file._tokens, file._at = before
        super().__init__(inner(found), kind_of(found))


_STATEMENTS: dict[str, Callable[[_File, list[tuple[str, Any]]], None]] = {
    "param": _File._parameter,
    "var": _File._variable,
    "output": _File._output,
    "resource": _File._resource,
    "module": _File._module_,
}
#: Types of what functions return; of all others it is not known.
_RESULTS = {"empty": "bool", "split": "array", "uniqueString": "string", "format": "string", "length": "int"}
