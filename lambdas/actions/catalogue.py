"""Every AWS action, once: functions, infrastructure, policy check and tests read it from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from lambdas.actions.block_address import BlockAddress
from lambdas.actions.block_address_in_waf import BlockAddressInWaf
from lambdas.actions.block_public_access import BlockPublicAccess
from lambdas.actions.block_sign_in import BlockSignIn
from lambdas.actions.close_security_group_rules import CloseSecurityGroupRules
from lambdas.actions.deactivate_access_keys import DeactivateAccessKeys
from lambdas.actions.invoke_function import InvokeFunction
from lambdas.actions.quarantine_instance import QuarantineInstance
from lambdas.actions.restrict_role import RestrictRole
from lambdas.actions.revoke_sessions import RevokeSessions
from lambdas.actions.tighten_trust_policy import TightenTrustPolicy
from lambdas.actions.unshare_snapshot import UnshareSnapshot
from lambdas.clients import Clients
from lambdas.registry import Group
from response.actions import Action
from response.policy import KnownAction, SettingsReader


class AwsAction(Action, Protocol):
    """An action on AWS: made of clients, and of one group."""

    group: ClassVar[Group]
    #: Forms of the ids that its plans carry (``response/resources.py``).
    carries: ClassVar[frozenset[str]]

    def __init__(self, clients: Clients) -> None: ...


class ConfiguredAction(AwsAction, Protocol):
    """One that the policy tells what to work with (``actions.NAME.settings``): asked for a plan without, it refuses."""

    def __init__(self, clients: Clients, settings: Mapping[str, Any] | None = None) -> None: ...

    @staticmethod
    def read_settings(settings: Mapping[str, Any]) -> object:
        """Read them. Raises ValueError, which names the place and what fits there."""
        ...


CONFIGURED: tuple[type[ConfiguredAction], ...] = (BlockAddressInWaf, InvokeFunction, QuarantineInstance)
ACTIONS: tuple[type[AwsAction], ...] = (
    BlockAddress,
    BlockAddressInWaf,
    BlockPublicAccess,
    CloseSecurityGroupRules,
    InvokeFunction,
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
_READERS: dict[str, SettingsReader] = {action.name: action.read_settings for action in CONFIGURED}
#: What a policy must fit.
KNOWN: dict[str, KnownAction] = {
    action.name: KnownAction(action.handles, action.gives_back, _READERS.get(action.name), action.carries) for action in ACTIONS
}


def make_actions(
    clients_of: Callable[[Group], Clients], settings: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> dict[str, Action]:
    """Return an instance of every action by its name, with the clients of its group.

    Only a plan needs the policy's settings: whatever follows reads what it needs from the plan.
    """
    made: dict[str, Action] = {action.name: action(clients_of(action.group)) for action in ACTIONS}
    for action in CONFIGURED:
        if given := settings.get(action.name):
            made[action.name] = action(clients_of(action.group), given)
    return made
