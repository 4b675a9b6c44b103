"""Every AWS action, once: functions, infrastructure, policy check and tests read it from here."""

from __future__ import annotations

from lambdas.actions.block_sign_in import BlockSignIn
from lambdas.actions.deactivate_access_keys import DeactivateAccessKeys
from lambdas.actions.quarantine_instance import QuarantineInstance
from lambdas.actions.restrict_role import RestrictRole
from lambdas.actions.revoke_sessions import RevokeSessions
from lambdas.actions.tighten_trust_policy import TightenTrustPolicy
from lambdas.clients import Clients
from lambdas.registry import Group
from response.actions import Action
from shared_model.events import EntityKind

_Class = (
    type[QuarantineInstance]
    | type[RevokeSessions]
    | type[DeactivateAccessKeys]
    | type[BlockSignIn]
    | type[RestrictRole]
    | type[TightenTrustPolicy]
)

ACTIONS: tuple[_Class, ...] = (
    QuarantineInstance,
    RevokeSessions,
    DeactivateAccessKeys,
    BlockSignIn,
    RestrictRole,
    TightenTrustPolicy,
)
#: The group of each action.
GROUPS: dict[str, Group] = {action.name: action.group for action in ACTIONS}
#: What each action can act on, for :meth:`response.policy.Policy.check_against`.
HANDLES: dict[str, frozenset[EntityKind]] = {action.name: action.handles for action in ACTIONS}


def make_actions(clients: Clients) -> dict[str, Action]:
    """Return an instance of every action by its name."""
    return {action.name: action(clients) for action in ACTIONS}
