"""Trust policies of IAM roles: whom they let in from outside the account, and how a verdict names such a trust."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared_model.events import Entity, EntityKind

#: Stands for anybody, whichever the account.
ANYONE = "*"
_LETS_IN = " lets in "
_ARN_ACCOUNT = re.compile(r"arn:[\w-]+:(?:iam|sts)::(\d{12}):\S+")
_ACCOUNT = re.compile(r"\d{12}")


def trust(role_arn: str, outsider: str, account: str) -> Entity:
    """Return the name of one trust: a role of the account, and the account (or :data:`ANYONE`) that it lets in."""
    return Entity(EntityKind.TRUST, f"{role_arn}{_LETS_IN}{outsider}", account)


def read_trust(entity: Entity) -> tuple[str, str]:
    """Read :func:`trust` back: the role's ARN and the outsider, ``""`` where the entity is no trust."""
    arn, _, outsider = entity.id.partition(_LETS_IN) if entity.kind is EntityKind.TRUST else ("", "", "")
    return (arn, outsider) if outsider == ANYONE or _ACCOUNT.fullmatch(outsider) else ("", "")


def outsiders(document: object, account: str) -> tuple[str, ...]:
    """Return the accounts outside ``account`` that a trust policy lets in, sorted; :data:`ANYONE` where it lets in all.

    A ``*`` with a condition is not anybody, and whom it means the condition alone says: it is left out.
    """
    found = {outsider for statement in statements_of(document) for outsider in _outsiders(statement, account)}
    return tuple(sorted(found))


def statements_of(document: object) -> tuple[Mapping[str, Any], ...]:
    """Return the statements of a policy document; one alone may stand without a list."""
    found = document.get("Statement", []) if isinstance(document, Mapping) else []
    return tuple(each for each in (found if isinstance(found, list) else [found]) if isinstance(each, Mapping))


def in_one_order(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trust policy with the names of each statement's principals sorted.

    IAM keeps no order among them: two reads of a role that nobody touched may differ, and would look like a change.
    """
    statements = document.get("Statement")
    if isinstance(statements, list):
        return {**document, "Statement": [_in_one_order(each) for each in statements]}
    return {**document, "Statement": _in_one_order(statements)} if statements is not None else dict(document)


def _in_one_order(statement: Any) -> Any:
    if not isinstance(statement, Mapping):
        return statement
    ordered = dict(statement)
    for key in ("Principal", "NotPrincipal"):
        if isinstance(named := ordered.get(key), Mapping):
            ordered[key] = {kind: sorted(names) if isinstance(names, list) else names for kind, names in named.items()}
    return ordered


def principals_of(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield kind (``AWS``, ``Service``, ``Federated`` …) and name of each principal; a ``*`` alone is of kind AWS."""
    principal = statement.get("Principal")
    if isinstance(principal, str):
        yield "AWS", principal
    elif isinstance(principal, Mapping):
        for kind, names in principal.items():
            for name in names if isinstance(names, list) else [names]:
                yield str(kind), str(name)


def account_of(principal: str) -> str:
    """Return the account of a principal of kind AWS: an ARN, an account id, or :data:`ANYONE`; ``""`` where it does not say."""
    if principal == ANYONE or _ACCOUNT.fullmatch(principal):
        return principal
    match = _ARN_ACCOUNT.fullmatch(principal)
    return match[1] if match else ""


def _outsiders(statement: Mapping[str, Any], account: str) -> Iterator[str]:
    if statement.get("Effect") != "Allow":
        return
    for kind, principal in principals_of(statement):
        outsider = account_of(principal) if kind == "AWS" else ""
        if outsider not in ("", account) and not (outsider == ANYONE and statement.get("Condition")):
            yield outsider
