"""What a containment action is: ``plan``, ``check``, ``apply``, ``verify``, ``undo``, and the permissions each needs.

The protocol is cloud-neutral; ``lambdas/actions`` and ``azure_functions/actions`` implement it.
A plan is plain JSON data, so that the journal holds everything that apply, verify and undo need.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol, runtime_checkable

from shared_model.errors import BreakwaterError, CloudUnavailable, RefusedByCloud
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict, known_fields

__all__ = [
    "Action",
    "CannotApply",
    "CloudUnavailable",
    "Difference",
    "Mode",
    "Overwriting",
    "Plan",
    "UndoResult",
    "Verification",
]


class Mode(StrEnum):
    """How far an action may go by itself."""

    OBSERVE = "observe"  # say what would be done
    APPROVE = "approve"  # propose it: a person says yes, or no
    ENFORCE = "enforce"  # do it


class Verification(StrEnum):
    """What reading the effective state back showed."""

    VERIFIED = "VERIFIED"
    DRIFTED = "DRIFTED"  # someone changed it since
    UNREACHABLE = "UNREACHABLE"  # could not look


@dataclass(frozen=True, slots=True)
class Plan:
    """The exact change that an action would make, computed from the present state.

    Attributes
    ----------
    action : str
        Name of the action.
    target : Entity
    before, after : mapping
        The state that the action owns, as JSON values: present, and as it would be. Equal means no-op.
    touches : tuple of str
        Whom and what it affects besides the target (other users of a role, interfaces, groups), for a person.
    summary : str
        The change in one line.
    refusal : str
        Why the change must not or cannot be made, with the alternative named; ``""`` when it can.
    tags : mapping of str to str
        Tags of the resources in question: the guard looks for the never-touch tag here.
    min_lifetime_s : int
        Undoing earlier than this would revive what was contained (a session that is still valid); 0 when not so.
    resources : tuple of str
        Ids and ARNs of everything that it changes or rests on (instance, interfaces, groups, role): the guard compares
        them with the never-touch list.
    region : str
        Where the target lies, ``""`` where that is not known or makes no sense (a user).
    kind : str
        Of which kind of resource it takes one out of its work, in the plural: ``instances``, ``roles``. A budget may allow a
        share of them at once. ``""`` for a change that takes none (an address denied, a share taken back).
    population : int
        How many of that kind the account has, 0 where nobody could count.
    counted : str
        Which one, where that is not the target: the role of a session.
    """

    action: str
    target: Entity
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    touches: tuple[str, ...]
    summary: str
    refusal: str = ""
    tags: Mapping[str, str] | None = None
    min_lifetime_s: int = 0
    resources: tuple[str, ...] = ()
    region: str = ""
    kind: str = ""
    population: int = 0
    counted: str = ""

    @classmethod
    def refused(cls, action: str, target: Entity, summary: str, refusal: str, resources: tuple[str, ...] = ()) -> Plan:
        """Return a plan that changes nothing, and says why; ``resources`` as far as they were found."""
        return cls(action, target, {}, {}, (), summary, refusal, resources=resources)

    @property
    def is_noop(self) -> bool:
        """The present state is already the wanted one."""
        return not self.refusal and dict(self.before) == dict(self.after)

    def to_json_value(self) -> dict[str, Any]:
        """Return the plan as JSON values, for the journal; :meth:`from_json_value` reads it back."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_json_value(cls, data: Mapping[str, Any]) -> Plan:
        """Read :meth:`to_json_value`, also of a later version. Raises ValueError when a field is missing or wrong."""
        try:
            target = data["target"]
            return cls(
                **{
                    **known_fields(cls, data),
                    "target": Entity(EntityKind(target["kind"]), target["id"], target["account"]),
                    "touches": tuple(data["touches"]),
                    "resources": tuple(data["resources"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a plan: {error}") from error


@dataclass(frozen=True, slots=True)
class UndoResult:
    """What undo did. Results of parts add up to that of the whole.

    Attributes
    ----------
    restored : tuple of str
    left : tuple of str
        What it did not restore, and why: someone changed it since, it is not there any more, or the cloud did not let it.
    held : tuple of str
        What of that still is as the action made it: an undo that is asked for once more may give it back.
    """

    restored: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    held: tuple[str, ...] = ()

    def __add__(self, other: UndoResult) -> UndoResult:
        return UndoResult(self.restored + other.restored, self.left + other.left, self.held + other.held)

    @classmethod
    def leaving(cls, *reasons: str) -> UndoResult:
        """Return that these were left, as no undo would restore them."""
        return cls((), reasons)

    @classmethod
    def holding(cls, *reasons: str, refusal: BreakwaterError | None = None) -> UndoResult:
        """Return that these still are as the action made them; only left, where a refusal says that there is nothing any more."""
        gone = isinstance(refusal, RefusedByCloud) and refusal.is_missing
        return cls((), reasons, () if gone else reasons)


@dataclass(frozen=True, slots=True)
class Difference:
    """One part of what an action changed, three ways, in words for a person.

    Attributes
    ----------
    what : str
        Which part: an interface, the boundary of a role.
    before, applied, now : str
        As it was, as the action made it, and as it is.
    is_changed : bool
        Somebody changed it since: it is neither as it was nor as the action made it.
    """

    what: str
    before: str
    applied: str
    now: str
    is_changed: bool

    def __str__(self) -> str:
        return f"{self.what}: before {self.before}; as applied {self.applied}; now {self.now}"


class CannotApply(BreakwaterError):
    """The change cannot be made, now or later. Says why and what to do instead; the journal keeps it as FAILED."""


@runtime_checkable
class Overwriting(Protocol):
    """An action whose every part is one value: told to, it gives back what was there although someone changed it since.

    Others take out what they put in, beside what anybody else put there: there is nothing of others to write over.
    """

    def overwrite(self, plan: Plan) -> UndoResult:
        """As :meth:`Action.undo`, but also what someone changed since is given back as it was before the action."""
        ...


class Action(Protocol):
    """One containment step. Implementations are stateless; clients come in through the constructor."""

    name: ClassVar[str]
    handles: ClassVar[frozenset[EntityKind]]
    #: What an undo gives back to whom it was taken from (rights, the networks of a machine), in words that follow "undo gives
    #: back"; ``""`` for nothing. Only a person gives back: at the end of its time to live one is asked, whatever the policy says.
    gives_back: ClassVar[str]
    #: Cloud permissions for plan, check, apply and verify: the containment identity gets exactly these.
    permissions: ClassVar[tuple[str, ...]]
    #: Cloud permissions that only undo needs: a separate identity gets these.
    undo_permissions: ClassVar[tuple[str, ...]]

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        """Read the present state and compute the change. Never writes."""
        ...

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whether this plan, applied, contains what a further verdict about its target found. Asks nobody.

        Where it is not known, it does not: the responder then begins a containment beside the one in force.
        """
        ...

    def check(self, plan: Plan) -> str:
        """Return why the plan no longer fits the present state, ``""`` when it does. Never writes."""
        ...

    def apply(self, plan: Plan) -> None:
        """Make the change. Idempotent: applying an applied or half-applied plan goes on where it stopped.

        Raises CannotApply when it never can be made, CloudUnavailable when it may succeed later.
        """
        ...

    def verify(self, plan: Plan) -> Verification:
        """Read the effective state back."""
        ...

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        """Return every part of what the plan changes, with what it is now. Never writes, and needs what undo needs."""
        ...

    def undo(self, plan: Plan) -> UndoResult:
        """Restore exactly ``plan.before``; leave, and name, what someone changed since. Idempotent."""
        ...
