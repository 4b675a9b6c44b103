"""Invoke a function of the customer's own with the verdict: for what no action here does.

The function is one that the policy names, by its ARN, and it is waited for: what it raises is why the containment failed.
docs/actions/aws/invoke_function.md has what it is sent and what it may answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lambdas.clients import Clients
from lambdas.cloud_errors import AccessDenied, CloudRefusal, in_core_words
from lambdas.registry import Group
from response import customers_function as customers
from response.actions import CannotApply, Difference, Plan, UndoResult, Verification
from response.customers_function import LONGEST_ERROR, FunctionFailed
from response.resources import FUNCTION
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_ARN = re.compile(r"arn:[\w-]+:lambda:([a-z0-9-]+):\d{12}:function:[\w-]{1,64}(:[\w$-]{1,128})?")


@dataclass(frozen=True, slots=True)
class NamedFunction:
    """The function, and which phases it understands beside ``contain``."""

    arn: str
    understands: tuple[str, ...] = ()


def read_function(settings: Mapping[str, Any]) -> NamedFunction:
    """Read ``{"function": ARN, "understands": [verify, undo]}`` of the policy. Raises ValueError: place, and what fits there."""
    if unknown := sorted(settings.keys() - {"function", "understands"}):
        raise ValueError(f"{unknown[0]}: there is no such setting: here stand function, understands")
    arn = settings.get("function")
    if not isinstance(arn, str) or not _ARN.fullmatch(arn):
        example = "arn:aws:lambda:eu-central-1:123456789012:function:contain"
        raise ValueError(f"function: give the ARN of a function, such as {example} (it is {arn!r})")
    return NamedFunction(arn, customers.read_understands(settings))


class InvokeFunction:
    """One synchronous invocation for each phase, with a key by which the function knows one that comes again."""

    name: ClassVar[str] = "invoke_function"
    group: ClassVar[Group] = Group.DATA
    handles: ClassVar[frozenset[EntityKind]] = frozenset(EntityKind)
    carries: ClassVar[frozenset[str]] = frozenset({FUNCTION})
    gives_back: ClassVar[str] = "whatever the function took"
    permissions: ClassVar[tuple[str, ...]] = ("lambda:InvokeFunction",)
    undo_permissions: ClassVar[tuple[str, ...]] = ("lambda:InvokeFunction",)

    def __init__(self, clients: Clients, settings: Mapping[str, Any] | None = None) -> None:
        self._clients = clients
        self._function = read_function(settings) if settings else None

    @staticmethod
    def read_settings(settings: Mapping[str, Any]) -> NamedFunction:
        """Read what the policy says of it. Raises ValueError."""
        return read_function(settings)

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        function = self._function
        if function is None:
            return customers.refused(self.name, target, customers.unnamed(self.name), (target.id,))
        resources = (target.id, function.arn)
        try:
            with in_core_words("Invoke (dry run)"):
                self._lambda(function.arn).invoke(FunctionName=function.arn, InvocationType="DryRun")
        except (AccessDenied, CloudRefusal) as refusal:  # a tag, or its owner, may forbid it: no reason to keep verdicts waiting
            reason = f"{function.arn} cannot be invoked: {refusal}. Mend the policy, or the function"
            return customers.refused(self.name, target, reason, resources)
        named = {"function": function.arn, "understands": list(function.understands)}
        return customers.planned(self.name, target, verdict, named, resources)

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """The function knows of the target, and what it does about it lasts until it is undone."""
        return True

    def check(self, plan: Plan) -> str:
        """Nothing that Breakwater knows of could have changed."""
        return ""

    def apply(self, plan: Plan) -> None:
        try:
            self._invoke(plan, "contain")
        except FunctionFailed as failure:
            raise CannotApply(f"{failure}. Its log group says more; what it did before is not known") from failure
        except CloudRefusal as refusal:
            raise CannotApply(f"{refusal}. Mend the policy, or the function") from refusal

    def verify(self, plan: Plan) -> Verification:
        return customers.seen(plan, lambda: self._invoke(plan, "verify"))

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        """Only what the function itself says of it: what it changed, it alone knows."""
        return customers.compared(plan.after["function"], plan.target, self.verify(plan))

    def undo(self, plan: Plan) -> UndoResult:
        return customers.undone(plan, lambda: self._invoke(plan, "undo"), lambda: self.verify(plan))

    def _invoke(self, plan: Plan, phase: str) -> Any:
        """Ask for a phase; return what the function answered, None where that is no JSON."""
        arn = plan.after["function"]
        with in_core_words("Invoke"):
            answer = self._lambda(arn).invoke(
                FunctionName=arn, InvocationType="RequestResponse", Payload=json.dumps(customers.asked(plan, phase)).encode()
            )
            text = answer["Payload"].read()
        said = customers.read_answer(text)
        if answer.get("FunctionError"):
            what = f"{said.get('errorType', 'Error')}: {said.get('errorMessage', '')}" if isinstance(said, dict) else repr(text)
            raise FunctionFailed(f"{arn} failed ({phase}): {what}"[:LONGEST_ERROR])
        return said

    def _lambda(self, arn: str) -> Any:
        # A function that was asked and did not answer in time is asked again by the queue, not at once.
        return self._clients("lambda", arn.split(":")[3], once=True)
