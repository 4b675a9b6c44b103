"""Remove a principal's own role assignments in the subscription; undo grants the same again, under the same names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from azure_functions.actions.directory import Directory, is_object_id
from azure_functions.actions.persistence import Persistence
from azure_functions.actions.population import Population
from azure_functions.actions.rights import refused_where_forbidden
from azure_functions.actions.role_assignments import Assignment, RoleAssignments, content_of, is_owner
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudForbidden, CloudRefusal
from azure_functions.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.resources import ARM_ID, OBJECT_ID, SIGN_IN_NAME
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_PEOPLE = frozenset({"user", "group"})
_NOT_SEEN = "what Privileged Identity Management would let the principal activate is not looked for"
_ENDS_NOT_READ = "which of them end by themselves (Privileged Identity Management) could not be read: undo would make them last"
_REMOVED = "removed"
_LIVES_ON = "Resource Manager keeps what a token may do for up to ten minutes, and data services for longer"


class RemoveRoleAssignments:
    """Only what was assigned to the principal itself, at or below the subscription. The rest is named.

    Parameters
    ----------
    clients : Clients
    persistence : Persistence or None
    kept_scopes : tuple of str
        ARM ids of what no action may touch, Breakwater itself above all. Assignments there are named and stay, the others go:
        an operator keeps the right to undo, and whoever gives himself a right there saves none of the rest by it.
    """

    name: ClassVar[str] = "remove_role_assignments"
    group: ClassVar[Group] = Group.IDENTITY
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.PRINCIPAL})
    carries: ClassVar[frozenset[str]] = frozenset({ARM_ID, OBJECT_ID, SIGN_IN_NAME})
    gives_back: ClassVar[str] = "the role assignments"
    permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Authorization/roleAssignments/delete",
        "Microsoft.Authorization/roleAssignmentScheduleInstances/read",
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleDefinitions/read",
        "graph:User.Read.All",
    )
    undo_permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleAssignments/write",
    )

    def __init__(self, clients: Clients, *, persistence: Persistence | None = None, kept_scopes: tuple[str, ...] = ()) -> None:
        persistence = persistence or Persistence()
        self._kept_scopes = tuple(scope.lower() for scope in kept_scopes)
        self._roles = RoleAssignments(clients, self.group, persistence)
        self._principals = Population(self._roles.count_principals)
        self._directory = Directory(clients, self.group, persistence)
        self._undoing = RoleAssignments(clients, Group.UNDO, persistence)

    @refused_where_forbidden
    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        if not is_object_id(target.id):
            return _refused(target, f"{target.id} is no object id: remove what it may do in the Azure portal")
        subscription, found = self._found(target)
        own = [assignment for assignment in found if self._is_removable(assignment)]
        others = [assignment for assignment in found if not self._is_removable(assignment)]
        elsewhere = [*others, *self._roles.through_groups(subscription, target.id)]
        roles = {role: self._roles.role_name(role) for role in {a["role_definition_id"] for a in (*own, *elsewhere)}}
        if elsewhere and not own:
            kept = "; ".join(_named(assignment, roles) for assignment in elsewhere)
            return _refused(
                target,
                f"{target.id} has no role assignment of its own in the subscription that may be removed, only {kept}: "
                "take it out of the group, remove what is above or on Breakwater itself by hand, or use block_sign_in",
            )
        principal = {"subscription": subscription, "principal": target.id}
        ends = self._ends(own, target.id)
        return Plan(
            action=self.name,
            target=target,
            before={
                **principal,
                "assignments": {
                    a["id"]: {**content_of(a), "role": roles[a["role_definition_id"]], **_until(a, ends or {})} for a in own
                },
            },
            after={**principal, "assignments": {}},
            touches=(
                *(f"{_named(assignment, roles)}{_said_of_its_end(assignment, ends or {})}" for assignment in own),
                *((_ENDS_NOT_READ,) if ends is None else ()),
                *(f"not touched: {_named(assignment, roles)}" for assignment in elsewhere),
                *((_LIVES_ON, _NOT_SEEN) if own else ()),
            ),
            summary=f"remove {len(own)} role assignments of {target.id}",
            refusal=self._last_owner(subscription, own),
            resources=tuple(
                dict.fromkeys((target.id.lower(), *self._directory.names(target.id), *(str(a["scope"]).lower() for a in own)))
            ),
            kind="principals with roles",
            population=self._principals.of(subscription),
            counted=target.id.lower(),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Not known: the principal may have been given new ones since. Where it was not, the next plan is a no-op."""
        return False

    def check(self, plan: Plan) -> str:
        own = self._own(plan)
        if added := sorted({assignment["id"] for assignment in own} - set(plan.before["assignments"])):
            return f"{plan.target.id} was assigned {', '.join(added)} since: plan again"
        return self._last_owner(plan.before["subscription"], own)

    def apply(self, plan: Plan) -> None:
        refused = []
        for assignment_id in plan.before["assignments"]:
            try:
                self._roles.remove(assignment_id)
            # A lock, a time-bound assignment of Privileged Identity Management; a deny assignment, or a condition of our own.
            except (CloudRefusal, CloudForbidden) as refusal:
                refused.append(f"{assignment_id}: {refusal}")
        if refused:
            raise CannotApply(
                f"not removed: {'; '.join(refused)}. Remove the lock, grant the right, or end the assignment where it is managed"
            )

    def verify(self, plan: Plan) -> Verification:
        try:
            own = self._own(plan)
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        return Verification.DRIFTED if own else Verification.VERIFIED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        return tuple(self._compared(assignment_id, granted) for assignment_id, granted in plan.before["assignments"].items())

    def _compared(self, assignment_id: str, granted: Mapping[str, Any]) -> Difference:
        present = self._undoing.get(assignment_id)
        same = present is not None and _grants_the_same(present, granted)
        there = _REMOVED if present is None else str(granted["role"]) if same else _what(present)
        return Difference(assignment_id, str(granted["role"]), _REMOVED, there, present is not None and not same)

    def undo(self, plan: Plan) -> UndoResult:
        parts = (self._give_back(each, granted) for each, granted in plan.before["assignments"].items())
        return sum(parts, UndoResult())

    def _give_back(self, assignment_id: str, granted: Mapping[str, Any]) -> UndoResult:
        is_there = UndoResult((f"{granted['role']}: {assignment_id}",))
        present = self._undoing.get(assignment_id)
        refused = ""
        if present is None and "until" in granted:
            reason = f"{granted['role']} was given until {granted['until']}, and given back it would last: activate it again"
            return UndoResult.leaving(f"{reason} ({assignment_id})")
        if present is None:
            try:
                self._undoing.put_back(assignment_id, granted)
            except (CloudRefusal, CloudForbidden) as refusal:
                refused = str(refusal)
                present = self._undoing.get(assignment_id)  # made after all, where the answer to a first attempt was lost
            else:
                return is_there
        if present is None:
            reason = f"{granted['role']} is not given back: {refused}; grant it by hand if it is still wanted"
            return UndoResult.holding(reason)
        if _grants_the_same(present, granted):
            return is_there
        return UndoResult.leaving(f"{assignment_id} grants something else by now: it is left as it is")

    def _found(self, target: Entity) -> tuple[str, list[Assignment]]:
        """Return the subscription and the principal's assignments: in the one that saw it, else in the app's own.

        A sign-in is seen by the tenant, which is no subscription.
        """
        try:
            return target.account, self._roles.of(target.account, target.id)
        except CloudRefusal as refusal:
            if not refusal.is_missing:
                raise
        return "", self._roles.of("", target.id)

    def _ends(self, own: Iterable[Assignment], principal: str) -> dict[str, str] | None:
        """Return when those that end by themselves do, None where that could not be read."""
        subscriptions = dict.fromkeys(str(assignment["scope"]).split("/")[2] for assignment in own)
        try:
            return self._roles.ends(subscriptions, principal)
        except (CloudForbidden, CloudRefusal):
            return None

    def _own(self, plan: Plan) -> list[Assignment]:
        found = self._roles.of(plan.before["subscription"], plan.target.id)
        return [assignment for assignment in found if self._is_removable(assignment)]

    def _is_removable(self, assignment: Assignment) -> bool:
        scope = str(assignment["scope"]).lower()
        kept = any(scope == each or scope.startswith(f"{each}/") for each in self._kept_scopes)
        return _is_in_subscription(assignment) and not kept

    def _last_owner(self, subscription: str, own: Iterable[Assignment]) -> str:
        """Say whether nobody but this principal would own the subscription. A service principal that does is nobody to ask."""
        mine = {assignment["id"] for assignment in own if is_owner(assignment) and _is_at_subscription(assignment)}
        if not mine:
            return ""
        others = [
            assignment
            for assignment in self._roles.at(subscription)
            if is_owner(assignment)
            and assignment["id"] not in mine
            and not assignment["condition"]
            and str(assignment["principal_type"]).lower() in _PEOPLE
        ]
        return "" if others else "it is the last Owner of the subscription: make another one first, or use block_sign_in"


def _granted(assignment: Assignment, roles: Mapping[str, str]) -> dict[str, Any]:
    return {**content_of(assignment), "role": roles[assignment["role_definition_id"]]}


def _named(assignment: Assignment, roles: Mapping[str, str]) -> str:
    by = "" if assignment["principal_type"] != "Group" else f" through group {assignment['principal_id']}"
    return f"{roles[assignment['role_definition_id']]} on {assignment['scope']}{by}"


def _until(assignment: Assignment, ends: Mapping[str, str]) -> dict[str, str]:
    until = ends.get(str(assignment["id"]).lower())
    return {"until": until} if until else {}


def _said_of_its_end(assignment: Assignment, ends: Mapping[str, str]) -> str:
    until = _until(assignment, ends)
    return f", until {until['until']}: undo does not give it back" if until else ""


def _is_in_subscription(assignment: Assignment) -> bool:
    return str(assignment["scope"]).lower().startswith("/subscriptions/")


def _is_at_subscription(assignment: Assignment) -> bool:
    return _is_in_subscription(assignment) and str(assignment["scope"]).strip("/").count("/") == 1


def _what(present: Mapping[str, Any]) -> str:
    under = f" under the condition {present['condition']}" if present["condition"] else ""
    return f"{present['role_definition_id']} to {present['principal_id']}{under}"


def _grants_the_same(present: Mapping[str, Any], granted: Mapping[str, Any]) -> bool:
    names = ("role_definition_id", "principal_id", "condition")
    return all(str(present[name] or "").lower() == str(granted[name] or "").lower() for name in names)


def _refused(target: Entity, reason: str) -> Plan:
    return Plan.refused(
        action=RemoveRoleAssignments.name,
        target=target,
        summary=f"remove the role assignments of {target.id}",
        refusal=reason,
        resources=(target.id.lower(),),
    )
