"""Whether Breakwater's identities may do what the templates let them: what is missing fails late, on a queue's last try."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from azure_functions.cloud_errors import in_core_words
from azure_functions.registry import Group
from azure_infra.data_roles import BUILT_IN, DataGrant, DataRole, flow_log_grants, grants
from azure_infra.permissions import ActionRole, action_roles
from console.azure.estate import Estate, Json
from console.deployment import Health, Sign

_IDENTITIES, _AUTHORIZATION = "2024-11-30", "2022-04-01"
_FLOW_LOG_ACCOUNT = "fl"
_DEPLOY = "deploy again (az deployment sub create …): it gives back what is missing, and takes nothing away"
_BUILT_IN = {identifier: title for title, identifier in BUILT_IN.items()}
#: A role on something: its title, the type of the thing, and its name where that does not depend on the deployment.
_Right = tuple[str, str, str]


def of_rights(estate: Estate, *, enforces: bool) -> Iterator[Sign]:
    """Yield, for each identity, which of its rights are missing.

    Parameters
    ----------
    estate : Estate
    enforces : bool
        Whether the policy changes anything: the roles that change something are given only to a deployment that is armed.
    """
    identities = {
        str(each["name"]): each for each in estate.each("Microsoft.ManagedIdentity/userAssignedIdentities", _IDENTITIES)
    }
    roles, armed = _Roles(estate), set[Group]()
    data = [*grants(), *(flow_log_grants() if _has_flow_log_account(estate) else ())]
    unarmed: list[str] = []
    for group in Group:
        identity = identities.get(f"{estate.name}-{group}")
        if identity is None:
            yield Sign(Health.BAD, f"the identity {estate.name}-{group} is not there", _DEPLOY)
            continue
        given = roles.of(identity["properties"]["principalId"])
        expected = Counter(_wanted(grant) for grant in data if grant.group == group)
        lacking = [_in_words(right) for right in (expected - Counter(_found(each) for each in given)).elements()]
        for role in (each for each in action_roles() if each.group == group and not each.of_firewalls):
            problems = [*_of_role(role, given)]
            if role.armed and problems == [role.title]:
                unarmed.append(str(group))
            else:
                lacking += problems
                armed |= {group} if role.armed else set()
        if lacking:
            yield Sign(Health.BAD, f"the identity {identity['name']} lacks {'; '.join(sorted(lacking))}", _DEPLOY)
        else:
            yield Sign(Health.GOOD, f"the identity {identity['name']} has every right that the templates give it")
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

    def of(self, principal_id: str) -> list[tuple[str, str, frozenset[str]]]:
        """Return what a principal was given: the role's title, the scope's id, and the operations of a role of ours."""
        arm, query = self._estate.arm, {"api-version": _AUTHORIZATION, "$filter": f"principalId eq '{principal_id}'"}
        with in_core_words("role assignments"):
            path = f"{self._estate.subscription}/providers/Microsoft.Authorization/roleAssignments"
            found = [each["properties"] for each in arm.each(path, query=query)]
        return [self._given(each) for each in found]

    def _given(self, assignment: Json) -> tuple[str, str, frozenset[str]]:
        title, operations = self._role(str(assignment["roleDefinitionId"]))
        return title, str(assignment["scope"]), operations

    def _role(self, definition_id: str) -> tuple[str, frozenset[str]]:
        identifier = definition_id.rpartition("/")[2].lower()
        if identifier in _BUILT_IN:
            return _BUILT_IN[identifier], frozenset()
        if identifier not in self._definitions:
            with in_core_words("role definition"):
                found = self._estate.arm.call("GET", definition_id, query={"api-version": _AUTHORIZATION})
            self._definitions[identifier] = found["properties"]
        role = self._definitions[identifier]
        title = str(role["roleName"]).removeprefix(f"{self._estate.name} ").rpartition(" (")[0]
        return title, frozenset(name for part in role["permissions"] for name in part["actions"])


def _wanted(grant: DataGrant) -> _Right:
    title = grant.role.title if isinstance(grant.role, DataRole) else grant.role
    last = grant.on.names[-1]
    # A name that the deployment makes up is not known here; there is one such thing for each identity and role.
    return title, grant.on.type.rpartition("/")[2], last[1:-1] if last.startswith("'") else ""


def _found(given: tuple[str, str, frozenset[str]]) -> _Right:
    title, scope, _ = given
    kind, name = scope.split("/")[-2:] if scope.count("/") > 1 else ("", "")
    return title, kind, name if kind in ("tables", "queues", "containers", "eventhubs") else ""


def _in_words(right: _Right) -> str:
    title, kind, name = right
    return f"{title} on {kind}/{name}" if name else f"{title} on its {kind}"


def _of_role(role: ActionRole, given: Iterable[tuple[str, str, frozenset[str]]]) -> Iterator[str]:
    """Yield the title of a role on the customer's resources that was not given, or the operations that it lacks."""
    found = [operations for title, _, operations in given if title == role.title]
    if not found:
        yield role.title
        return
    yield from sorted(set(role.operations) - frozenset[Any]().union(*found))


def _has_flow_log_account(estate: Estate) -> bool:
    """Whether flow logs go to an account of Breakwater's own."""
    prefix = estate.name.replace("-", "")[:9].lower() + _FLOW_LOG_ACCOUNT
    return any(str(each["name"]).startswith(prefix) for each in estate.each("Microsoft.Storage/storageAccounts", "2025-08-01"))
