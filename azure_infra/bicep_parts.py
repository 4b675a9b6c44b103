"""What Bicep is made of: words, and parts of expressions with ARM's own text of them."""

from __future__ import annotations

import re
from typing import Any

_TOKEN = re.compile(
    r"(?P<space>(?:\s|//[^\n]*)+)|(?P<text>'(?:[^'\\\n]|\\.)*')|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\|\||&&|\?\?|==|!=|<=|>=|[-+*/%<>!?:=.,(){}\[\]@])"
)


class BicepInvalid(ValueError):
    """A compiler would refuse it, or this reader does not know it."""


class Words:
    """The words of a text, taken one after the other."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens_of(text)
        self._at = 0

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


class Expression:
    """What is evaluated: ARM's own text of it, and its type where that is known."""

    def __init__(self, text: str, kind: str) -> None:
        self.text, self.kind = text, kind


class Object(dict[str, Any]):
    """An object that is written out."""


def tokens_of(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BicepInvalid(f"not read: {text[at : at + 20]!r}")
        at = match.end()
        if match.lastgroup and match.lastgroup != "space":
            found.append((match.lastgroup, match.group()))
    return found


def kind_of(part: Any) -> str:
    if isinstance(part, Expression):
        return part.kind
    for kind, name in ((bool, "bool"), (int, "int"), (str, "string"), (list, "array"), (dict, "object")):
        if isinstance(part, kind):
            return name
    return "any"


def inner(part: Any) -> str:
    """A part within an expression."""
    if isinstance(part, Expression):
        return part.text
    if isinstance(part, bool):
        return f"{str(part).lower()}()"
    if isinstance(part, str):
        return "'" + part.replace("'", "''") + "'"
    if isinstance(part, list):
        return f"createArray({', '.join(map(inner, part))})"
    if isinstance(part, dict):
        return f"createObject({', '.join(f'{inner(key)}, {inner(value)}' for key, value in part.items())})"
    return str(part)


def inner_of(written: str) -> str:
    """The same of what is written in a template already."""
    return written[1:-1] if written.startswith("[") else inner(written)


def written(part: Any) -> Any:
    """A part as a template holds it."""
    if isinstance(part, Expression):
        return f"[{part.text}]"
    if isinstance(part, list):
        return [written(one) for one in part]
    if isinstance(part, dict):
        return {key: written(one) for key, one in part.items()}
    return f"[{part}" if isinstance(part, str) and part.startswith("[") else part
