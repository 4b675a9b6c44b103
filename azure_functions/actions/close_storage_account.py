"""Close a storage account to everybody without an Entra identity: no anonymous reads, no keys, no signatures made with keys.

Turning the keys off takes them from whoever stole one at once, as renewing them would, and can be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from azure_functions.actions.interfaces import merged_tags
from azure_functions.actions.persistence import Persistence
from azure_functions.actions.population import Population
from azure_functions.actions.resource_manager import Resource, ResourceId, unless_changing
from azure_functions.actions.rights import cannot_apply, refused_where_forbidden
from azure_functions.actions.storage_accounts import StorageAccounts
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudForbidden, CloudRefusal
from azure_functions.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.resources import ARM_ID
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_TYPE = "microsoft.storage/storageaccounts"
_ANONYMOUS, _KEYS = "allowBlobPublicAccess", "allowSharedKeyAccess"
#: Property → whom turning it off shuts out.
_SHUT_OUT = {
    _ANONYMOUS: "whoever reads blobs of {0} without signing in, web pages and downloads among them",
    _KEYS: "whoever comes to {0} with one of its keys or a signature (SAS) made with one: mounted file shares, function apps and "
    "diagnostics that were set up with a key among them",
}
_LIVES_ON = (
    "signatures made with an Entra identity (user delegation) live on: `az storage account revoke-delegation-keys` ends them"
)
_SAME_KEYS = (
    "undo makes the same keys valid again: if one was stolen, renew both first (`az storage account keys renew`), which nothing "
    "takes back and is not done here"
)
_INSTEAD = "Renew its keys, or restrict its networks, by hand"


class CloseStorageAccount:
    """Two properties of the account, each only where it is not off already; data, networks and role assignments stay."""

    name: ClassVar[str] = "close_storage_account"
    group: ClassVar[Group] = Group.DATA
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.BUCKET})
    carries: ClassVar[frozenset[str]] = frozenset({ARM_ID})
    gives_back: ClassVar[str] = "access by keys, signatures and without any name"
    permissions: ClassVar[tuple[str, ...]] = ("Microsoft.Storage/storageAccounts/read", "Microsoft.Storage/storageAccounts/write")
    undo_permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Storage/storageAccounts/read",
        "Microsoft.Storage/storageAccounts/write",
    )

    def __init__(self, clients: Clients, *, persistence: Persistence | None = None) -> None:
        persistence = persistence or Persistence()
        self._accounts = StorageAccounts(clients, self.group, persistence)
        self._population = Population(self._accounts.count)
        self._undoing = StorageAccounts(clients, Group.UNDO, persistence)

    @refused_where_forbidden
    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        if not _is_account(target.id):
            return _refused(target, f"{target.id} is no id of a storage account: close it where it is kept")
        account = self._accounts.get(target.id)
        if account is None:
            return _refused(target, f"there is no storage account {target.id}: it was deleted, or lies in another tenant")
        name = str(account["name"])
        place = {"account": target.id, "made": _setting(account, "creationTime")}
        before = {each: _setting(account, each) for each in _SHUT_OUT if _is_open(account, each)}
        return Plan(
            action=self.name,
            target=target,
            before={**place, "settings": before},
            after={**place, "settings": dict.fromkeys(before, False)},
            touches=(
                *(_SHUT_OUT[each].format(name) for each in before),
                *((_LIVES_ON,) if before else ()),
                *((_SAME_KEYS,) if _KEYS in before else ()),
            ),
            summary=f"close storage account {name}: turn off {', '.join(before) or 'nothing, it is closed'}",
            tags=merged_tags(account.get("tags") or {}),
            resources=(target.id.lower(),),
            region=str(account.get("location", "")).lower().replace(" ", ""),
            kind="storage accounts",
            population=self._population.of(ResourceId.parse(target.id).subscription.lower()),
            counted=target.id.lower(),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whatever was done there: without an Entra identity nobody does anything any more, and with one this is no remedy."""
        return True

    def check(self, plan: Plan) -> str:
        return self._accounts.persistence.with_turns(lambda: self._objection(plan))

    def _objection(self, plan: Plan) -> str:
        account = self._accounts.get(plan.before["account"])
        if account is None:
            return f"{plan.before['account']} was deleted meanwhile"
        if plan.before.get("made") not in (None, _setting(account, "creationTime")):
            return f"{plan.before['account']} is another account of the same name by now: plan again"
        unless_changing(account)
        if opened := [each for each in _SHUT_OUT if each not in plan.before["settings"] and _is_open(account, each)]:
            return f"{', '.join(opened)} of {plan.before['account']} was turned on since: plan again"
        return ""

    def apply(self, plan: Plan) -> None:
        account_id, wanted = plan.after["account"], plan.after["settings"]

        def attempt() -> None:
            account = self._accounts.get(account_id)
            if account is None:
                raise CannotApply(f"{account_id} was deleted meanwhile: there is nothing left to close")
            if open_still := {each: value for each, value in wanted.items() if _is_open(account, each)}:
                self._accounts.update(account_id, open_still)

        try:
            self._accounts.persistence.with_turns(attempt)
        except (CloudRefusal, CloudForbidden) as refusal:
            raise cannot_apply(refusal, _INSTEAD) from refusal

    def verify(self, plan: Plan) -> Verification:
        try:
            account = self._accounts.get(plan.after["account"])
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        closed = account is not None and not any(_is_open(account, each) for each in plan.after["settings"])
        return Verification.VERIFIED if closed else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        account_id, said = plan.before["account"], {True: "on", False: "off", None: "not set"}
        account = self._undoing.get(account_id)
        return tuple(
            Difference(
                what=f"{each} of {account_id}",
                before=said[value],
                applied=said[False],
                now="the account was deleted" if account is None else said[_setting(account, each)],
                is_changed=account is None,
            )
            for each, value in plan.before["settings"].items()
        )

    def undo(self, plan: Plan) -> UndoResult:
        account_id, before = plan.before["account"], plan.before["settings"]
        # An absent allowSharedKeyAccess means that keys are taken; what an absent allowBlobPublicAccess means has changed over
        # the years, and what is not known to have been open is not opened.
        wanted = {each: True for each, value in before.items() if value or each == _KEYS}
        try:
            found = self._undoing.persistence.with_turns(lambda: self._reopen(account_id, wanted))
        except (CloudRefusal, CloudForbidden) as refusal:
            reason = f"{account_id} stays closed ({', '.join(wanted)}): {refusal}"
            return UndoResult.holding(reason, refusal=refusal)
        if not found:
            return UndoResult.leaving(f"{account_id} was deleted since")
        return UndoResult(
            tuple(f"{account_id}: {each} is on" for each in wanted),
            tuple(f"{account_id}: {each} stays off, it was not set before: set it by hand" for each in before.keys() - wanted),
        )

    def _reopen(self, account_id: str, wanted: Mapping[str, bool]) -> bool:
        """Turn on again what is off. Returns whether the account is there."""
        account = self._undoing.get(account_id)
        if account is None:
            return False
        if closed := {each: value for each, value in wanted.items() if not _is_open(account, each)}:
            self._undoing.update(account_id, closed)
        return True


def _is_account(resource_id: str) -> bool:
    try:
        parsed = ResourceId.parse(resource_id)
    except ValueError:
        return False
    return parsed.type == _TYPE and not parsed.child


def _setting(account: Resource, name: str) -> Any:
    return (account.get("properties") or {}).get(name)


def _is_open(account: Resource, name: str) -> bool:
    """Anything but a plain no counts as open: what Azure does not say is not taken for closed."""
    return _setting(account, name) is not False


def _refused(target: Entity, reason: str) -> Plan:
    return Plan.refused(
        action=CloseStorageAccount.name,
        target=target,
        summary=f"close storage account {target.id}",
        refusal=reason,
        resources=(target.id.lower(),),
    )
