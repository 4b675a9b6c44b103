"""Every AWS action, once: functions, infrastructure, policy check and tests read it from here."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

from lambdas.actions.block_address import BlockAddress
from lambdas.actions.block_public_access import BlockPublicAccess
from lambdas.actions.block_sign_in import BlockSignIn
from lambdas.actions.close_security_group_rules import CloseSecurityGroupRules
from lambdas.actions.deactivate_access_keys import DeactivateAccessKeys
from lambdas.actions.quarantine_instance import QuarantineInstance
from lambdas.actions.restrict_role import RestrictRole
from lambdas.actions.revoke_sessions import RevokeSessions
from lambdas.actions.tighten_trust_policy import TightenTrustPolicy
from lambdas.actions.unshare_snapshot import UnshareSnapshot
from lambdas.clients import Clients
from lambdas.registry import Group
from response.actions import Action
from shared_model.events import EntityKind


class AwsAction(Action, Protocol):
    """An action on AWS: made of clients, and of one group."""

    group: ClassVar[Group]

    def __init__(self, clients: Clients) -> None: ...


ACTIONS: tuple[type[AwsAction], ...] = (
    BlockAddress,
    BlockPublicAccess,
    CloseSecurityGroupRules,
    QuarantineInstance,
    RevokeSessions,
    DeactivateAccessKeys,
    BlockSignIn,
    RestrictRole,
    TightenTrustPolicy,
    UnshareSnapshot,
)
#: The group whose role plans, applies and verifies each action. Undo has a role of its own for all of them.
GROUPS: dict[str, Group] = {action.name: action.group for action in ACTIONS}
UNDO_GROUP = Group.UNDO
#: What each action can act on, for :meth:`response.policy.Policy.check_against`.
HANDLES: dict[str, frozenset[EntityKind]] = {action.name: action.handles for action in ACTIONS}


def make_actions(clients_of: Callable[[Group], Clients]) -> dict[str, Action]:
    """Return an instance of every action by its name, with the clients of its group."""
    return {action.name: action(clients_of(action.group)) for action in ACTIONS}
