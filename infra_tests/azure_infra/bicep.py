"""``main.bicep`` → the ARM template that it stands for: the part of the language that it uses, and an error for everything else.

No compiler of Microsoft's can be had where this is tested (docs/decisions/109). What comes out is what a compiler makes of
modules: nested deployments, for :func:`infra_tests.azure_infra.deployment.deploy` to evaluate, with all that is checked there.
Language: https://learn.microsoft.com/azure/azure-resource-manager/bicep/file and ``…/bicep/operators`` (precedence).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

#: Of the scopes that a module may have: the template's kind.
SCOPES = {"group": "deploymentTemplate", "subscription": "subscriptionDeploymentTemplate", "tenant": "tenantDeploymentTemplate"}
_TOKEN = re.compile(
    r"(?P<space>(?:\s|//[^\n]*)+)|(?P<text>'(?:[^'\\\n]|\\.)*')|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\|\||&&|\?\?|==|!=|<=|>=|[-+*/%<>!?:=.,(){}\[\]@])"
)
_ESCAPES = {"\\'": "'", "\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\$": "$"}
#: Two-sided operators, the loosest first, and what ARM calls them.
_OPERATORS = (("??", "coalesce"), ("||", "or"), ("&&", "and"), ("==", "equals"))
_BOUNDS = {"minValue", "maxValue", "minLength", "maxLength"}
_DEPLOYMENT = "Microsoft.Resources/deployments"


class BicepInvalid(ValueError):
    """A compiler would refuse it, or this reader does not know it."""


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


class _File:
    def __init__(self, text: str, module: Callable[[str], dict[str, Any]]) -> None:
        self._tokens = _tokens(text)
        self._at = 0
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
            rules["defaultValue"] = _written(self._expression())
        self._declare(name, self._parameters, rules)

    def _variable(self, decorators: list[tuple[str, Any]]) -> None:
        name = self._name()
        self._expect("=")
        self._declare(name, self._variables, _written(self._expression()))

    def _output(self, decorators: list[tuple[str, Any]]) -> None:
        name, kind = self._name(), self._name()
        self._expect("=")
        if name in self._outputs:
            raise BicepInvalid(f"output {name} is there twice")
        self._outputs[name] = {"type": kind, "value": _written(self._expression())}

    def _resource(self, decorators: list[tuple[str, Any]]) -> None:
        name, (kind, _, version) = self._name(), self._literal().partition("@")
        self._expect("=")
        content = self._object()
        self._declare(
            name, self._resources, {"type": kind, "apiVersion": version, **{key: _written(part) for key, part in content.items()}}
        )

    def _module_(self, decorators: list[tuple[str, Any]]) -> None:
        name, path = self._name(), self._literal()
        template = self._module(path)
        self._expect("=")
        made: dict[str, Any] = {"type": _DEPLOYMENT, "apiVersion": "2022-09-01"}
        self._asked = set()
        if self._accept("if"):
            self._expect("(")
            made["condition"] = _written(self._expression())
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
        if f"/{SCOPES[scope_of.pop('kind')]}.json" not in template["$schema"]:
            raise BicepInvalid(f"module {name}: {path} is no template for its scope")
        given = dict(content.get("params", _Object()))
        declared = template["parameters"]
        if unknown := given.keys() - declared.keys():
            raise BicepInvalid(f"module {name}: {path} has no parameter {', '.join(sorted(unknown))}")
        if missing := {one for one, rules in declared.items() if "defaultValue" not in rules} - given.keys():
            raise BicepInvalid(f"module {name}: {path} needs {', '.join(sorted(missing))}")
        for one, expression in given.items():
            kind = declared[one]["type"].lower().removeprefix("secure")
            if _kind(expression) not in ("any", kind):
                raise BicepInvalid(f"module {name}: {one} is a {kind}, and is given a {_kind(expression)}")
        made |= {
            "name": _written(content["name"]),
            **scope_of,
            "dependsOn": [f"[{self._id_of(other)}]" for other in sorted(self._asked)],
            "properties": {
                "mode": "Incremental",
                "expressionEvaluationOptions": {"scope": "inner"},
                "parameters": {one: {"value": _written(expression)} for one, expression in given.items()},
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
            return {"kind": "group", "subscriptionId": _written(subscription), "resourceGroup": _written(group)}
        if name == "tenant" and not arguments:
            return {"kind": "tenant"}
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
        if _kind(condition) not in ("bool", "any"):
            raise BicepInvalid(f"a condition is a bool, not a {_kind(condition)}")
        kinds = {_kind(yes), _kind(no)}
        return _Expression(f"if({_inner(condition)}, {_inner(yes)}, {_inner(no)})", kinds.pop() if len(kinds) == 1 else "any")

    def _operation(self, level: int) -> Any:
        if level == len(_OPERATORS):
            return self._one()
        sign, word = _OPERATORS[level]
        left = self._operation(level + 1)
        while self._accept(sign):
            right = self._operation(level + 1)
            if word in ("or", "and") and {_kind(left), _kind(right)} - {"bool", "any"}:
                raise BicepInvalid(f"{sign} is between two bools")
            left = _Expression(f"{word}({_inner(left)}, {_inner(right)})", "any" if word == "coalesce" else "bool")
        return left

    def _one(self) -> Any:
        if self._accept("!"):
            operand = self._one()
            if _kind(operand) not in ("bool", "any"):
                raise BicepInvalid(f"! is before a bool, not a {_kind(operand)}")
            return _Expression(f"not({_inner(operand)})", "bool")
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
            called = _Expression(f"{name}({', '.join(map(_inner, self._arguments()))})", _RESULTS.get(name, "any"))
            return self._after(called)
        return self._symbol(name)

    def _symbol(self, name: str) -> Any:
        if name in self._parameters:
            return self._after(_Expression(f"parameters('{name}')", self._parameters[name]["type"]))
        if name in self._variables:
            return self._after(_Expression(f"variables('{name}')", "any"))
        if name not in self._resources:
            raise BicepInvalid(f"there is no {name}")
        self._asked.add(name)
        made = self._resources[name]
        self._expect(".")
        asked = self._name()
        if asked == "name":
            return _Expression(_inner_of(made["name"]), "string")
        if asked != "outputs" or made["type"] != _DEPLOYMENT:
            raise BicepInvalid(f"{name}.{asked}: not known to this reader")
        self._expect(".")
        output = self._name()
        declared = made["properties"]["template"]["outputs"]
        if output not in declared:
            raise BicepInvalid(f"module {name} has no output {output}")
        return _Expression(f"reference({self._id_of(name)}).outputs.{output}.value", declared[output]["type"].lower())

    def _after(self, expression: _Expression) -> _Expression:
        """Properties and elements that are taken of a value."""
        while True:
            if self._accept("."):
                expression = _Expression(f"{expression.text}.{self._name()}", "any")
            elif self._accept("["):
                expression = _Expression(f"{expression.text}[{_inner(self._expression())}]", "any")
                self._expect("]")
            else:
                return expression

    def _id_of(self, name: str) -> str:
        made = self._resources[name]
        return f"subscriptionResourceId('{made['type']}', {_inner_of(made['name'])})"

    def _text(self, said: str) -> Any:
        parts = re.split(r"(?<!\\)\$\{([^}]*)\}", said[1:-1])
        plain = [re.sub(r"\\.", lambda match: _ESCAPES[match.group()], part) for part in parts[::2]]
        if len(parts) == 1:
            return plain[0]
        inside = [_Inside(self, part) for part in parts[1::2]]
        pattern = "".join(f"{text}{{{number}}}" for number, text in enumerate(plain[:-1])) + plain[-1]
        return _Expression(f"format({_inner(pattern)}, {', '.join(one.text for one in inside)})", "string")

    def _array(self) -> list[Any]:
        self._expect("[")
        found = []
        while not self._accept("]"):
            found.append(self._expression())
            self._accept(",")
        return found

    def _object(self) -> _Object:
        self._expect("{")
        found = _Object()
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

    # tokens

    def _peek(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise BicepInvalid("it ends too early")
        return self._tokens[self._at]

    def _accept(self, sign: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] in (("sign", sign), ("name", sign))
        self._at += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise BicepInvalid(f"{sign} is needed at {self._peek()[1]}")

    def _name(self) -> str:
        kind, said = self._peek()
        if kind != "name":
            raise BicepInvalid(f"a name is needed at {said}")
        self._at += 1
        return said

    def _literal(self) -> str:
        kind, said = self._peek()
        self._at += 1
        text = self._text(said) if kind == "text" else None
        if not isinstance(text, str):
            raise BicepInvalid(f"a plain text is needed at {said}")
        return text


class _Expression:
    """What is evaluated: ARM's own text of it, and its type where that is known."""

    def __init__(self, text: str, kind: str) -> None:
        self.text, self.kind = text, kind


class _Object(dict[str, Any]):
    """An object that is written out."""


class _Inside(_Expression):
    """An expression inside of a text."""

    def __init__(self, file: _File, text: str) -> None:
        before = file._tokens, file._at
        file._tokens, file._at = _tokens(text), 0
        found = file._expression()
        if file._at != len(file._tokens):
            raise BicepInvalid(f"${{{text}}}: one expression is needed")
        file._tokens, file._at = before
        super().__init__(_inner(found), _kind(found))


_STATEMENTS: dict[str, Callable[[_File, list[tuple[str, Any]]], None]] = {
    "param": _File._parameter,
    "var": _File._variable,
    "output": _File._output,
    "resource": _File._resource,
    "module": _File._module_,
}
#: Types of what functions return; of all others it is not known.
_RESULTS = {"empty": "bool", "split": "array", "uniqueString": "string", "format": "string", "length": "int"}


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BicepInvalid(f"not read: {text[at : at + 20]!r}")
        at = match.end()
        if match.lastgroup and match.lastgroup != "space":
            found.append((match.lastgroup, match.group()))
    return found


def _kind(part: Any) -> str:
    if isinstance(part, _Expression):
        return part.kind
    for kind, name in ((bool, "bool"), (int, "int"), (str, "string"), (list, "array"), (dict, "object")):
        if isinstance(part, kind):
            return name
    return "any"


def _inner(part: Any) -> str:
    """A part within an expression."""
    if isinstance(part, _Expression):
        return part.text
    if isinstance(part, bool):
        return f"{str(part).lower()}()"
    if isinstance(part, str):
        return "'" + part.replace("'", "''") + "'"
    if isinstance(part, list):
        return f"createArray({', '.join(map(_inner, part))})"
    if isinstance(part, dict):
        return f"createObject({', '.join(f'{_inner(key)}, {_inner(value)}' for key, value in part.items())})"
    return str(part)


def _inner_of(written: str) -> str:
    """The same of what is written in a template already."""
    return written[1:-1] if written.startswith("[") else _inner(written)


def _written(part: Any) -> Any:
    """A part as a template holds it."""
    if isinstance(part, _Expression):
        return f"[{part.text}]"
    if isinstance(part, list):
        return [_written(one) for one in part]
    if isinstance(part, dict):
        return {key: _written(one) for key, one in part.items()}
    return f"[{part}" if isinstance(part, str) and part.startswith("[") else part
