"""The policies that are deployed, as IAM reads them: what they allow, what they deny, and which grant was used for it.

Their statements are those of ``infra_tests/cdk/golden/roles.json``, which a test holds equal to what is synthesised, and of the
actions that the policy tells what to work with those of ``roles-of-the-example.json`` (policy/example-enforcing.yaml): no CDK is
needed here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from infra_tests.lambdas.account import ROOT
from infra_tests.lambdas.authorization import REGION, Asked

Statement = Mapping[str, Any]
_GOLDEN = ROOT / "infra_tests" / "cdk" / "golden"


@dataclass(frozen=True, order=True)
class Grant:
    """One permission on one pattern of resources, as one policy of one role gives it."""

    role: str
    policy: str
    permission: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.role}/{self.policy}: {self.permission} on {self.pattern}"


@cache
def policies(role: str) -> Mapping[str, tuple[Statement, ...]]:
    """Statements of a role's policies, by the policy's name."""
    name = f"breakwater-{role}-{REGION}"
    plain, example = (
        json.loads((_GOLDEN / file).read_text(encoding="utf-8")) for file in ("roles.json", "roles-of-the-example.json")
    )
    return {policy: tuple(statements) for policy, statements in {**plain[name], **example.get(name, {})}.items()}


def grants(role: str) -> Iterator[Grant]:
    """Everything that a role's policies allow."""
    for policy, statements in policies(role).items():
        for statement in statements:
            if statement["Effect"] == "Allow":
                for permission in _many(statement["Action"]):
                    for pattern in _many(statement["Resource"]):
                        yield Grant(role, policy, permission, pattern)


def allowing(role: str, policy: str, question: Asked) -> frozenset[Grant]:
    """Return the grants of one policy of a role that allow it; none where any policy of the role denies it."""
    every = [(name, statement) for name, statements in policies(role).items() for statement in statements]
    applying = [(name, statement) for name, statement in every if _applies(statement, question)]
    if any(statement["Effect"] == "Deny" for _, statement in applying):
        return frozenset()
    return frozenset(
        Grant(role, policy, question.permission, pattern)
        for name, statement in applying
        if name == policy
        for pattern in _many(statement["Resource"])
        if fnmatchcase(question.resource, pattern)
    )


def _applies(statement: Statement, question: Asked) -> bool:
    return (
        any(fnmatchcase(question.permission.lower(), action.lower()) for action in _many(statement["Action"]))
        and any(fnmatchcase(question.resource, pattern) for pattern in _many(statement["Resource"]))
        and all(
            _OPERATORS[operator](question.context.get(key), _many(wanted))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


#: Of a key that is not in the request, IAM holds a negated condition for true, and any other for false.
_OPERATORS: Mapping[str, Callable[[str | None, list[str]], bool]] = {
    "ArnEquals": lambda value, wanted: value is not None and any(fnmatchcase(value, each) for each in wanted),
    # Of a key with many values, one a line.
    "ForAllValues:StringEquals": lambda value, wanted: set((value or "").split("\n")) - {""} <= set(wanted),
    "Null": lambda value, wanted: (value is None) is (wanted == ["true"]),
    "StringEquals": lambda value, wanted: value in wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value is not None and value.lower() in [each.lower() for each in wanted],
    "StringLike": lambda value, wanted: value is not None and any(fnmatchcase(value, each) for each in wanted),
    "StringNotEqualsIgnoreCase": lambda value, wanted: value is None or value.lower() not in [each.lower() for each in wanted],
}


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
