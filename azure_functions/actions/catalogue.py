"""Every Azure action, once: functions, infrastructure, policy check and tests read it from here."""

from __future__ import annotations

from azure_functions.actions.block_address import BlockAddress
from azure_functions.actions.block_sign_in import BlockSignIn
from azure_functions.actions.close_security_group_rules import CloseSecurityGroupRules
from azure_functions.actions.close_storage_account import CloseStorageAccount
from azure_functions.actions.quarantine_instance import QuarantineInstance
from azure_functions.actions.remove_role_assignments import RemoveRoleAssignments
from azure_functions.actions.revoke_sessions import RevokeSessions
from azure_functions.clients import Clients
from azure_functions.registry import Group
from response.actions import Action
from response.policy import KnownAction

_Class = (
    type[QuarantineInstance]
    | type[BlockAddress]
    | type[RevokeSessions]
    | type[RemoveRoleAssignments]
    | type[BlockSignIn]
    | type[CloseStorageAccount]
    | type[CloseSecurityGroupRules]
)

ACTIONS: tuple[_Class, ...] = (
    QuarantineInstance,
    BlockAddress,
    RevokeSessions,
    RemoveRoleAssignments,
    BlockSignIn,
    CloseStorageAccount,
    CloseSecurityGroupRules,
)
#: What a policy must fit. No action of Azure has settings.
KNOWN: dict[str, KnownAction] = {
    action.name: KnownAction(action.handles, action.gives_back, touches=action.touches) for action in ACTIONS
}
#: The identity group that plans, applies and verifies each action. Undo runs under its own group for all of them.
GROUPS: dict[str, Group] = {action.name: action.group for action in ACTIONS}
UNDO_GROUP = Group.UNDO


def make_actions(clients: Clients, *, kept_scopes: tuple[str, ...] = ()) -> dict[str, Action]:
    """Return an instance of every action by its name. Role assignments on ``kept_scopes`` (ARM ids) are not removed."""
    made: dict[str, Action] = {action.name: action(clients) for action in ACTIONS}
    return {**made, RemoveRoleAssignments.name: RemoveRoleAssignments(clients, kept_scopes=kept_scopes)}
