"""What a function of the customer's is asked, and what its answers mean: one contract for both clouds.

docs/actions/aws/invoke_function.md and docs/actions/azure/invoke_function.md have it for who writes such a function.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from response.actions import CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.containment import containment_id
from response.signals import kept
from shared_model.errors import RefusedByCloud
from shared_model.events import Entity
from shared_model.verdicts import Verdict

#: Of what a function is sent. A change that a function must know of makes it another.
PAYLOAD_VERSION = 1
#: Characters of what a function says that are kept: it stands in the journal, and in notices.
LONGEST_ERROR = 500
#: What a function may be asked for beside the containment itself.
_FURTHER = ("verify", "undo")
_CONTAINED, _NOT_CONTAINED = "contained", "not contained"


class FunctionFailed(Exception):
    """The function was asked and failed, or does not let us in. Says what."""


def read_understands(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Read ``understands: [verify, undo]`` of the policy. Raises ValueError: place, and what fits there."""
    understands = settings.get("understands", ())
    if not isinstance(understands, list | tuple) or not {*map(str, understands)} <= {*_FURTHER}:
        raise ValueError(f"understands: give a list of {', '.join(_FURTHER)} (it is {understands!r})")
    return tuple(phase for phase in _FURTHER if phase in understands)


def planned(action: str, target: Entity, verdict: Verdict, named: Mapping[str, Any], resources: tuple[str, ...]) -> Plan:
    """Return the plan to ask a function.

    ``named`` is what the policy says of it: ``function`` (what it is called), ``understands``, and what the cloud needs beside.
    """
    function = named["function"]
    return Plan(
        action=action,
        target=target,
        before={**named, "payload": None},
        after={**named, "payload": payload_of(action, target, verdict)},
        touches=(f"whatever {function} does", *not_understood(named["understands"])),
        summary=f"invoke {function} about {target.kind} {target.id}",
        resources=resources,
    )


def refused(action: str, target: Entity, reason: str, resources: tuple[str, ...]) -> Plan:
    """Return the plan of which nothing comes."""
    summary = f"invoke a function about {target.kind} {target.id}"
    return Plan.refused(action=action, target=target, summary=summary, refusal=reason, resources=resources)


def unnamed(action: str) -> str:
    """Say what is missing where the policy names no function."""
    return f"the policy names no function: name one under actions.{action}.settings.function"


def not_understood(understands: Iterable[str]) -> tuple[str, ...]:
    """Say what cannot be done, for want of a phase that the function understands."""
    said = {
        "verify": "nobody can look afterwards whether it holds: the function understands no verify",
        "undo": "it cannot be undone from here: the function understands no undo",
    }
    return tuple(text for phase, text in said.items() if phase not in understands)


def payload_of(action: str, target: Entity, verdict: Verdict) -> dict[str, Any]:
    """Return what a function is sent in every phase of one containment."""
    return {
        "version": PAYLOAD_VERSION,
        "containment_id": containment_id(action, target, verdict.id),
        "target": {"kind": str(target.kind), "id": target.id, "account": target.account},
        "verdict": json.loads(kept(verdict)),
    }


def asked(plan: Plan, phase: str) -> dict[str, Any]:
    """Return the body of one phase, with the key by which the function knows one that comes again."""
    payload = plan.after["payload"]
    return {**payload, "phase": phase, "idempotency_key": f"{payload['containment_id']}/{phase}"}


def read_answer(text: bytes) -> Any:
    """Return the JSON that a function answered, None where it is none."""
    try:
        return json.loads(text or b"null")
    except ValueError:
        return None


def seen(plan: Plan, ask: Callable[[], Any]) -> Verification:
    """Ask for ``verify``, where the function understands it, and return what it says."""
    if "verify" not in plan.after["understands"]:
        return Verification.UNREACHABLE
    try:
        return contained(ask())
    except (CloudUnavailable, RefusedByCloud, FunctionFailed):
        return Verification.UNREACHABLE


def undone(plan: Plan, ask: Callable[[], Any], look: Callable[[], Verification]) -> UndoResult:
    """Ask for ``undo``, where the function understands it, and return what came of it. Raises CloudUnavailable.

    What it leaves is held where the function says, asked to ``verify``, that it still contains.
    """
    name = plan.after["function"]
    if "undo" not in plan.after["understands"]:
        return UndoResult.leaving(f"{name} understands no undo, as the policy says: take back by hand what it did")
    try:
        left = _left(name, ask())
    except (RefusedByCloud, FunctionFailed) as failure:
        left = (f"{failure}: take back by hand what it did",)
    if not left:
        return UndoResult((f"{name} has taken back what it did",))
    return UndoResult.holding(*left) if look() is Verification.VERIFIED else UndoResult.leaving(*left)


def _left(name: str, answer: Any) -> tuple[str, ...]:
    """Return what the answer to ``undo`` says was not taken back."""
    left = answer.get("left", []) if isinstance(answer, dict) else []
    return tuple(f"{name}: {each}"[:LONGEST_ERROR] for each in (left if isinstance(left, list) else [left]))


def contained(answer: Any) -> Verification:
    """Return what the answer to ``verify`` says."""
    said = answer.get("contained") if isinstance(answer, dict) else None
    if not isinstance(said, bool):
        return Verification.UNREACHABLE
    return Verification.VERIFIED if said else Verification.DRIFTED


def compared(name: str, target: Entity, found: Verification) -> tuple[Difference, ...]:
    """Return the one difference that there is: what the function changed, it alone knows."""
    now = {Verification.VERIFIED: _CONTAINED, Verification.DRIFTED: _NOT_CONTAINED}.get(found, "it does not say")
    return (
        Difference(f"what {name} has done about {target.kind} {target.id}", _NOT_CONTAINED, _CONTAINED, now, is_changed=False),
    )
