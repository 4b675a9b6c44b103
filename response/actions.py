"""What a containment action is: ``plan``, ``check``, ``apply``, ``verify``, ``undo``, and the permissions each needs.

The protocol is cloud-neutral; ``lambdas/actions`` and ``azure_functions/actions`` implement it.
A plan is plain JSON data, so that the journal holds everything that apply, verify and undo need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict


class Mode(StrEnum):
    """How far an action may go by itself."""

    OBSERVE = "observe"  # say what would be done
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

    @property
    def is_noop(self) -> bool:
        """The present state is already the wanted one."""
        return not self.refusal and dict(self.before) == dict(self.after)


@dataclass(frozen=True, slots=True)
class UndoResult:
    """What undo did: what it restored, and what it left because someone changed it since."""

    restored: tuple[str, ...]
    left: tuple[str, ...] = ()


class CloudUnavailable(Exception):
    """The cloud could not be asked or did not answer in time: the message is retried later."""


class Action(Protocol):
    """One containment step. Implementations are stateless; clients come in through the constructor."""

    name: ClassVar[str]
    handles: ClassVar[frozenset[EntityKind]]
    #: Cloud permissions for plan, check, apply and verify: the containment identity gets exactly these.
    permissions: ClassVar[tuple[str, ...]]
    #: Cloud permissions that only undo needs: a separate identity gets these.
    undo_permissions: ClassVar[tuple[str, ...]]

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        """Read the present state and compute the change. Never writes."""
        ...

    def check(self, plan: Plan) -> str:
        """Return why the plan no longer fits the present state, ``""`` when it does. Never writes."""
        ...

    def apply(self, plan: Plan) -> None:
        """Make the change. Idempotent: applying an applied plan changes nothing."""
        ...

    def verify(self, plan: Plan) -> Verification:
        """Read the effective state back."""
        ...

    def undo(self, plan: Plan) -> UndoResult:
        """Restore exactly ``plan.before``; leave, and name, what someone changed since. Idempotent."""
        ...
