"""Every Azure action, once: functions, infrastructure, policy check and tests read it from here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from azure_functions.actions.block_address import BlockAddress
from azure_functions.actions.block_address_in_waf import BlockAddressInWaf
from azure_functions.actions.block_sign_in import BlockSignIn
from azure_functions.actions.close_security_group_rules import CloseSecurityGroupRules
from azure_functions.actions.close_storage_account import CloseStorageAccount
from azure_functions.actions.invoke_function import InvokeFunction
from azure_functions.actions.quarantine_instance import QuarantineInstance
from azure_functions.actions.remove_role_assignments import RemoveRoleAssignments
from azure_functions.actions.revoke_sessions import RevokeSessions
from azure_functions.clients import Clients
from azure_functions.registry import Group
from response.actions import Action
from response.policy import KnownAction, SettingsReader


class AzureAction(Action, Protocol):
    """An action on Azure: made of clients, and of one group."""

    group: ClassVar[Group]
    #: Forms of the ids that its plans carry (``response/resources.py``).
    carries: ClassVar[frozenset[str]]

    def __init__(self, clients: Clients) -> None: ...


class ConfiguredAction(AzureAction, Protocol):
    """One that the policy tells what to work with (``actions.NAME.settings``): asked for a plan without, it refuses."""

    def __init__(self, clients: Clients, settings: Mapping[str, Any] | None = None) -> None: ...

    @staticmethod
    def read_settings(settings: Mapping[str, Any]) -> object:
        """Read them. Raises ValueError, which names the place and what fits there."""
        ...


CONFIGURED: tuple[type[ConfiguredAction], ...] = (BlockAddressInWaf, InvokeFunction)
ACTIONS: tuple[type[AzureAction], ...] = (
    QuarantineInstance,
    BlockAddress,
    BlockAddressInWaf,
    RevokeSessions,
    RemoveRoleAssignments,
    BlockSignIn,
    CloseStorageAccount,
    CloseSecurityGroupRules,
    InvokeFunction,
)
_READERS: dict[str, SettingsReader] = {action.name: action.read_settings for action in CONFIGURED}
#: What a policy must fit.
KNOWN: dict[str, KnownAction] = {
    action.name: KnownAction(action.handles, action.gives_back, _READERS.get(action.name), action.carries) for action in ACTIONS
}
#: The identity group that plans, applies and verifies each action. Undo runs under its own group for all of them.
GROUPS: dict[str, Group] = {action.name: action.group for action in ACTIONS}
UNDO_GROUP = Group.UNDO


def make_actions(
    clients: Clients,
    settings: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    *,
    kept_scopes: tuple[str, ...] = (),
) -> dict[str, Action]:
    """Return an instance of every action by its name. Role assignments on ``kept_scopes`` (ARM ids) are not removed.

    Only a plan needs the policy's settings: whatever follows reads what it needs from the plan.
    """
    made: dict[str, Action] = {action.name: action(clients) for action in ACTIONS}
    for action in CONFIGURED:
        if given := settings.get(action.name):
            made[action.name] = action(clients, given)
    return {**made, RemoveRoleAssignments.name: RemoveRoleAssignments(clients, kept_scopes=kept_scopes)}
