"""Reading synthesised templates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Statement = dict[str, Any]


@dataclass(frozen=True)
class Templates:
    """All templates of one synthesis."""

    folder: Path
    by_stack: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> Templates:
        files = sorted(folder.glob("*.template.json"))
        return cls(folder, {file.name.partition(".")[0]: json.loads(file.read_text()) for file in files})

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Resources of a type by logical id, of all stacks."""
        return {
            name: resource
            for template in self.by_stack.values()
            for name, resource in template["Resources"].items()
            if resource["Type"] == kind
        }

    def all_resources(self) -> Iterator[dict[str, Any]]:
        for template in self.by_stack.values():
            yield from template["Resources"].values()

    def named(self, kind: str, key: str, value: str) -> dict[str, Any]:
        """Properties of the one resource of a type whose property has a value."""
        found = [r["Properties"] for r in self.resources(kind).values() if r["Properties"].get(key) == value]
        assert len(found) == 1, f"{len(found)} of {kind} with {key} = {value}"
        return found[0]

    def functions(self) -> dict[str, dict[str, Any]]:
        found = self.resources("AWS::Lambda::Function").values()
        return {f["Properties"]["FunctionName"]: f["Properties"] for f in found}

    def queues(self) -> dict[str, dict[str, Any]]:
        return {q["Properties"]["QueueName"]: q["Properties"] for q in self.resources("AWS::SQS::Queue").values()}

    def queue_statements(self, queue: str) -> list[Statement]:
        """Statements of a queue's policy."""
        logical = next(n for n, q in self.resources("AWS::SQS::Queue").items() if q["Properties"]["QueueName"] == queue)
        policies = [p["Properties"] for p in self.resources("AWS::SQS::QueuePolicy").values()]
        return [s for p in policies if p["Queues"] == [{"Ref": logical}] for s in p["PolicyDocument"]["Statement"]]

    def role_statements(self) -> dict[str, dict[str, list[Statement]]]:
        """Statements of every role's policies: role name → policy name → statements."""
        roles = [role["Properties"] for role in self.resources("AWS::IAM::Role").values()]
        return {r["RoleName"]: {p["PolicyName"]: p["PolicyDocument"]["Statement"] for p in r.get("Policies", ())} for r in roles}


def many(value: Any) -> list[Any]:
    """A policy element as a list: CloudFormation takes one, or several."""
    return value if isinstance(value, list) else [value]


def allowed(statements: list[Statement]) -> set[str]:
    """Actions that statements allow."""
    return {action for s in statements if s["Effect"] == "Allow" for action in many(s["Action"])}


def principals(statement: Statement) -> set[str]:
    """Service principals of a statement."""
    principal = statement["Principal"]
    return set(many(principal.get("Service", []))) if isinstance(principal, dict) else {principal}


def glue_table(found: Templates, name: str) -> dict[str, Any]:
    tables = [t["Properties"]["TableInput"] for t in found.resources("AWS::Glue::Table").values()]
    return next((each for each in tables if each["Name"] == name), {})


def told(found: Templates, function: str) -> dict[str, Any]:
    """What a function is told, by the names of its settings."""
    variables = found.functions()[f"breakwater-{function}"]["Environment"]["Variables"]
    return {name.removeprefix("BREAKWATER_").lower(): value for name, value in variables.items()}
