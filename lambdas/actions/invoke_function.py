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
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.containment import containment_id
from response.resources import FUNCTION
from response.signals import kept
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

#: Of what a function is sent. A change that a function must know of makes it another.
PAYLOAD_VERSION = 1
#: What a function may be asked for beside the containment itself.
_FURTHER = ("verify", "undo")
_LONGEST_ERROR = 500
_CONTAINED, _NOT_CONTAINED = "contained", "not contained"
_ARN = re.compile(r"arn:[\w-]+:lambda:([a-z0-9-]+):\d{12}:function:[\w-]{1,64}(:[\w$-]{1,128})?")


@dataclass(frozen=True, slots=True)
class NamedFunction:
    """The function, and which phases it understands beside ``contain``."""

    arn: str
    understands: tuple[str, ...] = ()


class FunctionFailed(Exception):
    """The function was invoked and raised. Says what."""


def read_function(settings: Mapping[str, Any]) -> NamedFunction:
    """Read ``{"function": ARN, "understands": [verify, undo]}`` of the policy. Raises ValueError: place, and what fits there."""
    if unknown := sorted(settings.keys() - {"function", "understands"}):
        raise ValueError(f"{unknown[0]}: there is no such setting: here stand function, understands")
    arn, understands = settings.get("function"), settings.get("understands", ())
    if not isinstance(arn, str) or not _ARN.fullmatch(arn):
        example = "arn:aws:lambda:eu-central-1:123456789012:function:contain"
        raise ValueError(f"function: give the ARN of a function, such as {example} (it is {arn!r})")
    if not isinstance(understands, list | tuple) or not {*map(str, understands)} <= {*_FURTHER}:
        raise ValueError(f"understands: give a list of {', '.join(_FURTHER)} (it is {understands!r})")
    return NamedFunction(arn, tuple(phase for phase in _FURTHER if phase in understands))


class InvokeFunction:
    """One synchronous invocation for each phase, with a key by which the function knows one that comes again."""

    name: ClassVar[str] = "invoke_function"
    group: ClassVar[Group] = Group.DATA
    handles: ClassVar[frozenset[EntityKind]] = frozenset(EntityKind)
    touches: ClassVar[frozenset[str]] = frozenset({FUNCTION})
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
            return self._refused(target, f"the policy names no function: name one under actions.{self.name}.settings.function")
        try:
            with in_core_words("Invoke (dry run)"):
                self._lambda(function.arn).invoke(FunctionName=function.arn, InvocationType="DryRun")
        except (AccessDenied, CloudRefusal) as refusal:  # a tag, or its owner, may forbid it: no reason to keep verdicts waiting
            return self._refused(
                target, f"{function.arn} cannot be invoked: {refusal}. Mend the policy, or the function", function.arn
            )
        state = {"function": function.arn, "understands": list(function.understands)}
        return Plan(
            action=self.name,
            target=target,
            before={**state, "payload": None},
            after={**state, "payload": _payload(containment_id(self.name, target, verdict.id), target, verdict)},
            touches=(f"whatever {function.arn} does", *_unknown(function)),
            summary=f"invoke {function.arn} about {target.kind} {target.id}",
            resources=(target.id, function.arn),
        )

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
        if "verify" not in plan.after["understands"]:
            return Verification.UNREACHABLE
        try:
            answer = self._invoke(plan, "verify")
        except (CloudUnavailable, CloudRefusal, FunctionFailed):
            return Verification.UNREACHABLE
        if not isinstance(answer.get("contained"), bool):
            return Verification.UNREACHABLE
        return Verification.VERIFIED if answer["contained"] else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        """Only what the function itself says of it: what it changed, it alone knows."""
        now = {Verification.VERIFIED: _CONTAINED, Verification.DRIFTED: _NOT_CONTAINED}.get(self.verify(plan), "it does not say")
        what = f"what {plan.after['function']} has done about {plan.target.kind} {plan.target.id}"
        return (Difference(what, _NOT_CONTAINED, _CONTAINED, now, is_changed=False),)

    def undo(self, plan: Plan) -> UndoResult:
        arn = plan.after["function"]
        if "undo" not in plan.after["understands"]:
            return UndoResult((), (f"{arn} understands no undo, as the policy says: take back by hand what it did",))
        try:
            answer = self._invoke(plan, "undo")
        except (CloudRefusal, FunctionFailed) as failure:
            return UndoResult((), (f"{failure}: take back by hand what it did",))
        left = answer.get("left", [])
        left = tuple(f"{arn}: {each}"[:_LONGEST_ERROR] for each in (left if isinstance(left, list) else [left]))
        return UndoResult((f"{arn} has taken back what it did",) if not left else (), left)

    def _invoke(self, plan: Plan, phase: str) -> Mapping[str, Any]:
        """Ask for a phase; return what the function answered, empty where that is no JSON object."""
        arn, payload = plan.after["function"], plan.after["payload"]
        body = {**payload, "phase": phase, "idempotency_key": f"{payload['containment_id']}/{phase}"}
        with in_core_words("Invoke"):
            answer = self._lambda(arn).invoke(
                FunctionName=arn, InvocationType="RequestResponse", Payload=json.dumps(body).encode()
            )
            text = answer["Payload"].read()
        try:
            said: Any = json.loads(text or b"null")
        except ValueError:
            said = None
        if answer.get("FunctionError"):
            what = f"{said.get('errorType', 'Error')}: {said.get('errorMessage', '')}" if isinstance(said, dict) else repr(text)
            raise FunctionFailed(f"{arn} failed ({phase}): {what}"[:_LONGEST_ERROR])
        return said if isinstance(said, dict) else {}

    def _lambda(self, arn: str) -> Any:
        # A function that was asked and did not answer in time is asked again by the queue, not at once.
        return self._clients("lambda", arn.split(":")[3], once=True)

    def _refused(self, target: Entity, reason: str, *resources: str) -> Plan:
        return Plan(
            action=self.name,
            target=target,
            before={},
            after={},
            touches=(),
            summary=f"invoke a function about {target.kind} {target.id}",
            refusal=reason,
            resources=(target.id, *resources),
        )


def _payload(containment: str, target: Entity, verdict: Verdict) -> dict[str, Any]:
    return {
        "version": PAYLOAD_VERSION,
        "containment_id": containment,
        "target": {"kind": str(target.kind), "id": target.id, "account": target.account},
        "verdict": json.loads(kept(verdict)),
    }


def _unknown(function: NamedFunction) -> tuple[str, ...]:
    said = {
        "verify": "nobody can look afterwards whether it holds: the function understands no verify",
        "undo": "it cannot be undone from here: the function understands no undo",
    }
    return tuple(text for phase, text in said.items() if phase not in function.understands)
