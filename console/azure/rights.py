"""Whether Breakwater's identities may do what the templates let them: what is missing fails late, on a queue's last try."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from azure_functions.cloud_errors import in_core_words
from azure_functions.registry import Group
from azure_infra.data_roles import BUILT_IN, OWN_ROLES, DataGrant, DataRole, flow_log_grants, grants, path_condition
from azure_infra.feeds import COMMENTS
from azure_infra.permissions import PRIVILEGED_ROLES, ActionRole, action_roles
from console.azure.conditions import of_bounds
from console.azure.estate import Estate, Json
from console.deployment import Health, Sign

_AUTHORIZATION = "2022-04-01"
_FLOW_LOG_ACCOUNT = "fl"
_DEPLOY = "deploy again (az deployment sub create …): it gives back what is missing, and takes nothing away"
_BACK = "deploy again, which puts it back; who changed it: az monitor activity-log list --resource-id"
_BUILT_IN = {identifier: title for title, identifier in BUILT_IN.items()}
#: What no identity of ours has: with one of these it would be bounded by nothing that stands here.
_POWERFUL = frozenset({*PRIVILEGED_ROLES, "Contributor"})
#: What templates give to one identity or another.
_GIVEN = frozenset({*BUILT_IN, COMMENTS, *(role.title for role in OWN_ROLES), *(role.title for role in action_roles())})
#: A role on something: its title, the type of the thing, and its name where that does not depend on the deployment.
_Right = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Given:
    """A role that an identity was given: its title, where, which operations it has (of a role of ours), and on what condition."""

    assignment: str
    title: str
    scope: str
    operations: frozenset[str]
    condition: str


def of_rights(estate: Estate, *, enforces: bool) -> Iterator[Sign]:
    """Yield, for each identity, which of its rights are missing.

    Parameters
    ----------
    estate : Estate
    enforces : bool
        Whether the policy changes anything: the roles that change something are given only to a deployment that is armed.
    """
    principals = estate.principals()
    own = {principal: f"{estate.name}-{group}" for group, principal in principals.items()}
    roles, armed = _Roles(estate), set[Group]()
    data = [*grants(), *(flow_log_grants() if estate.account(_FLOW_LOG_ACCOUNT) else ())]
    unarmed: list[str] = []
    for group in Group:
        identity = f"{estate.name}-{group}"
        if group not in principals:
            yield Sign(Health.BAD, f"the identity {identity} is not there", _DEPLOY)
            continue
        given = roles.of(principals[group])
        these = [grant for grant in data if grant.group == group]
        lacking = [_in_words(right) for right in (Counter(map(_wanted, these)) - Counter(map(_found, given))).elements()]
        for role in (each for each in action_roles() if each.group == group and not each.of_firewalls):
            problems = [*_of_role(role, given)]
            if role.armed and problems == [role.title]:
                unarmed.append(str(group))
            else:
                lacking += problems
                armed |= {group} if role.armed else set()
            if role.assigns and (bounded := {each.assignment: each.condition for each in given if each.title == role.title}):
                yield from of_bounds(identity, role, bounded, own)
        yield from _of_paths(identity, these, given)
        yield from _beyond(identity, given)
        if lacking:
            yield Sign(Health.BAD, f"the identity {identity} lacks {'; '.join(sorted(lacking))}", _DEPLOY)
        else:
            yield Sign(Health.GOOD, f"the identity {identity} has every right that the templates give it")
    if unarmed and (armed or enforces):
        why = "the policy enforces" if enforces else "others may"
        yield Sign(Health.BAD, f"{', '.join(unarmed)} may change nothing, and {why}", "deploy with armed=true (docs, Arm)")
    elif unarmed:
        yield Sign(Health.GOOD, "not armed: no identity may change anything of yours")


class _Roles:
    """Who was given which role where; each definition is asked for once."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._definitions: dict[str, Json] = {}

    def of(self, principal_id: str) -> list[_Given]:
        """Return what a principal was given."""
        arm, query = self._estate.arm, {"api-version": _AUTHORIZATION, "$filter": f"principalId eq '{principal_id}'"}
        with in_core_words("role assignments"):
            path = f"{self._estate.subscription}/providers/Microsoft.Authorization/roleAssignments"
            found = [*arm.each(path, query=query)]
        return [self._given(str(each["id"]), each["properties"]) for each in found]

    def _given(self, assignment: str, said: Json) -> _Given:
        title, operations = self._role(str(said["roleDefinitionId"]))
        return _Given(assignment, title, str(said["scope"]), operations, str(said.get("condition") or ""))

    def _role(self, definition_id: str) -> tuple[str, frozenset[str]]:
        identifier = definition_id.rpartition("/")[2].lower()
        if identifier in _BUILT_IN:
            return _BUILT_IN[identifier], frozenset()
        if identifier not in self._definitions:
            with in_core_words("role definition"):
                found = self._estate.arm.call("GET", definition_id, query={"api-version": _AUTHORIZATION})
            self._definitions[identifier] = found["properties"]
        role = self._definitions[identifier]
        name = str(role["roleName"])
        title = name.removeprefix(f"{self._estate.name} ").rpartition(" (")[0] if role["type"] == "CustomRole" else name
        return title or name, frozenset(name for part in role["permissions"] for name in part["actions"])


def _wanted(grant: DataGrant) -> _Right:
    title = grant.role.title if isinstance(grant.role, DataRole) else grant.role
    last = grant.on.names[-1]
    # A name that the deployment makes up is not known here; there is one such thing for each identity and role.
    return title, grant.on.type.rpartition("/")[2], last[1:-1] if last.startswith("'") else ""


def _found(given: _Given) -> _Right:
    kind, name = given.scope.split("/")[-2:] if given.scope.count("/") > 1 else ("", "")
    return given.title, kind, name if kind in ("tables", "queues", "containers", "eventhubs") else ""


def _in_words(right: _Right) -> str:
    title, kind, name = right
    return f"{title} on {kind}/{name}" if name else f"{title} on its {kind}"


def _of_paths(identity: str, grants: Iterable[DataGrant], given: Iterable[_Given]) -> Iterator[Sign]:
    """Yield where a right on one part of a container has become one on all of it."""
    for grant in grants:
        right = _wanted(grant)
        for each in given:
            if grant.below and _found(each) == right and each.condition != path_condition(grant.below):
                said = "was changed" if each.condition else "is gone: it can write anywhere there"
                limit = f"the condition that limits it to {', '.join(grant.below)}"
                what = f"the identity {identity}, {_in_words(right)}: {limit} {said}"
                yield Sign(Health.BAD, what, f"{_BACK} {each.assignment}")


def _beyond(identity: str, given: Iterable[_Given]) -> Iterator[Sign]:
    """Yield the roles that no template gives to anybody of ours."""
    for each in given:
        if each.title in _POWERFUL or each.title not in _GIVEN:
            health = Health.BAD if each.title in _POWERFUL else Health.UNKNOWN
            what = f"the identity {identity} has {each.title} on {each.scope}, which no template gives it"
            yield Sign(health, what, f"who gave it, and why? az role assignment delete --ids {each.assignment}")


def _of_role(role: ActionRole, given: Iterable[_Given]) -> Iterator[str]:
    """Yield the title of a role on the customer's resources that was not given, or the operations that it lacks."""
    found = [each.operations for each in given if each.title == role.title]
    if not found:
        yield role.title
        return
    yield from sorted(set(role.operations) - frozenset[Any]().union(*found))
