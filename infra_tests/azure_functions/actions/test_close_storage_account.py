"""Closing a storage account: what it turns off, what it leaves, who it waits for, and what undo does not open."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import pytest

from azure_functions.actions.catalogue import make_actions
from azure_functions.actions.close_storage_account import CloseStorageAccount
from infra_tests.azure_functions.actions.cloud import Cloud, about, plan
from offline.azure.faults import Fault
from offline.azure.web import Request
from response import guard
from response.actions import CannotApply, CloudUnavailable, Verification
from response.policy import NeverTouch
from shared_model.events import EntityKind

SCHEMA = Path(__file__).parents[3] / ".." / "shared" / "data" / "arm_schemas" / "2025-08-01" / "Microsoft.Storage.json.xz"
CLOSED = {"allowBlobPublicAccess": False, "allowSharedKeyAccess": False}
OPEN = {"allowBlobPublicAccess": True, "allowSharedKeyAccess": True}


@pytest.fixture
def action(cloud: Cloud) -> CloseStorageAccount:
    return CloseStorageAccount(cloud.clients, persistence=cloud.persistence)


def settings(cloud: Cloud, account: str = "") -> dict[str, Any]:
    found = cloud.arm.resource(account or cloud.world.storage)["properties"]
    return {name: found.get(name) for name in CLOSED}


def verdict(account: str) -> Any:
    return about(EntityKind.BUCKET, account.lower())


def closed(cloud: Cloud, action: CloseStorageAccount, account: str = "") -> Any:
    made = plan(action, verdict(account or cloud.world.storage))
    assert action.check(made) == ""
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED
    return made


class TestPlan:
    def test_it_says_whom_it_shuts_out_and_what_lives_on(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        made = plan(action, verdict(cloud.world.storage))
        assert made.before["settings"] == OPEN
        assert made.after["settings"] == CLOSED
        said = "\n".join(made.touches)
        for word in ("without signing in", "keys", "file shares", "user delegation", "renew both first"):
            assert word in said
        assert made.region == "westeurope"
        assert made.tags == {"service": "web"}

    def test_what_is_off_already_is_not_touched(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        account = cloud.shop.storage_account("halfopen", allowBlobPublicAccess=False, allowSharedKeyAccess=True)
        made = plan(action, verdict(account))
        assert made.before["settings"] == {"allowSharedKeyAccess": True}
        assert "signing in" not in "\n".join(made.touches)

    def test_one_that_is_closed_needs_nothing(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        account = cloud.shop.storage_account("shut", **CLOSED)
        assert plan(action, verdict(account)).is_noop

    @pytest.mark.parametrize(
        ("target", "said"),
        [
            ("shopdata", "no id of a storage account"),
            ("{group}/providers/microsoft.keyvault/vaults/v", "no id of a storage account"),
            ("{storage}/blobservices/default/containers/web", "no id of a storage account"),
            ("{group}/providers/microsoft.storage/storageaccounts/none", "there is no storage account"),
        ],
    )
    def test_what_is_no_account_is_refused(self, cloud: Cloud, action: CloseStorageAccount, target: str, said: str) -> None:
        target = target.format(group=cloud.world.group.lower(), storage=cloud.world.storage.lower())
        assert said in plan(action, verdict(target)).refusal

    def test_breakwaters_own_and_tagged_ones_are_kept_off_by_the_guard(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        asked = verdict(cloud.world.storage)
        own = NeverTouch(principals=(f"{cloud.world.group.lower()}/*",))
        assert "never-touch" in guard.refusal(plan(action, asked), asked, own)
        cloud.arm.change(cloud.world.storage, lambda account: account["tags"].update({"Break-Glass": "yes"}))
        assert "break-glass" in guard.refusal(plan(action, asked), asked, NeverTouch(tags=("break-glass",)))


class TestApply:
    def test_only_the_two_switches_change(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        before = cloud.arm.resource(cloud.world.storage)
        closed(cloud, action)
        now = cloud.arm.resource(cloud.world.storage)
        assert settings(cloud) == CLOSED
        assert {**now, "properties": now["properties"] | OPEN} == before

    def test_it_is_written_once_however_often_it_is_applied(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        start = len(cloud.calls)
        made = closed(cloud, action)
        action.apply(made)
        assert cloud.writes(since=start) == 1

    @pytest.mark.parametrize("status", [409, 429])
    def test_another_writer_is_waited_for(self, cloud: Cloud, action: CloseStorageAccount, status: int) -> None:
        made = plan(action, verdict(cloud.world.storage))
        code = {409: "StorageAccountOperationInProgress", 429: "TooManyRequests"}[status]
        cloud.arm.faults.order(Fault(status, code, times=3, methods=frozenset({"PATCH"})))
        action.apply(made)
        assert action.verify(made) is Verification.VERIFIED
        assert cloud.pauses

    def test_one_that_stays_busy_is_left_to_the_next_delivery(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        made = plan(action, verdict(cloud.world.storage))
        cloud.arm.faults.order(Fault(409, "StorageAccountOperationInProgress", times=100, methods=frozenset({"PATCH"})))
        with pytest.raises(CloudUnavailable, match="gave way 8 times"):
            action.apply(made)
        assert settings(cloud) == OPEN

    def test_a_lock_says_what_to_do_instead(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        made = plan(action, verdict(cloud.world.storage))
        cloud.arm.locks.lock(cloud.world.group, read_only=True)
        with pytest.raises(CannotApply, match=r"ScopeLocked.*Renew its keys"):
            action.apply(made)

    def test_an_account_of_a_managed_application_is_left_to_its_owner(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        made = plan(action, verdict(cloud.world.storage))
        cloud.arm.faults.order(Fault(403, "DenyAssignmentAuthorizationFailed", methods=frozenset({"PATCH"})))
        with pytest.raises(CannotApply, match="DenyAssignmentAuthorizationFailed"):
            action.apply(made)

    def test_an_identity_that_may_only_look_says_what_to_deploy(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        made = plan(action, verdict(cloud.world.storage))
        cloud.grants.allow(cloud.identities["data"], ("Microsoft.Storage/storageAccounts/read",))
        with pytest.raises(CannotApply, match="armed=true"):
            action.apply(made)

    def test_what_was_opened_or_deleted_since_is_planned_again(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        account = cloud.shop.storage_account("halfopen", allowBlobPublicAccess=False, allowSharedKeyAccess=True)
        made = plan(action, verdict(account))
        cloud.arm.change(account, lambda body: body["properties"].update(allowBlobPublicAccess=True))
        assert "allowBlobPublicAccess" in action.check(made)
        cloud.arm.remove(account)
        assert "deleted" in action.check(made)
        with pytest.raises(CannotApply, match="deleted"):
            action.apply(made)

    def test_somebody_who_opens_it_again_is_drift(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        made = closed(cloud, action)
        cloud.arm.change(cloud.world.storage, lambda body: body["properties"].update(allowSharedKeyAccess=True))
        assert action.verify(made) is Verification.DRIFTED


class TestUndo:
    def test_what_was_on_is_on_again(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        result = action.undo(closed(cloud, action))
        assert settings(cloud) == OPEN
        assert len(result.restored) == 2
        assert result.left == ()

    def test_what_was_not_set_comes_back_by_its_meaning_or_not_at_all(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        account = cloud.shop.storage_account("old")
        made = closed(cloud, action, account)
        result = action.undo(made)
        assert settings(cloud, account) == {"allowBlobPublicAccess": False, "allowSharedKeyAccess": True}
        (left,) = result.left
        assert "allowBlobPublicAccess stays off" in left

    def test_what_somebody_opened_since_is_not_written_again(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        made = closed(cloud, action)
        cloud.arm.change(cloud.world.storage, lambda body: body["properties"].update(OPEN))
        start = len(cloud.calls)
        assert action.undo(made).left == ()
        assert cloud.writes(since=start) == 0

    def test_a_lock_is_named(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        made = closed(cloud, action)
        cloud.arm.locks.lock(cloud.world.group, read_only=True)
        (left,) = action.undo(made).left
        assert "stays closed" in left
        assert settings(cloud) == CLOSED

    def test_an_account_that_is_gone_is_named(self, cloud: Cloud, action: CloseStorageAccount) -> None:
        made = closed(cloud, action)
        cloud.arm.remove(cloud.world.storage)
        (left,) = action.undo(made).left
        assert "deleted since" in left


def test_each_half_calls_what_it_declares(cloud: Cloud, action: CloseStorageAccount) -> None:
    action.undo(closed(cloud, action))
    assert cloud.made("data") == set(CloseStorageAccount.permissions)
    assert cloud.made("undo") == set(CloseStorageAccount.undo_permissions)
    assert "close_storage_account" in make_actions(cloud.clients)


def test_only_the_switches_are_sent_and_the_service_knows_them(cloud: Cloud, action: CloseStorageAccount) -> None:
    sent: list[Any] = []

    def before(request: Request) -> None:
        if request.method == "PATCH":
            sent.append(request.object())

    cloud.arm.before = before  # type: ignore[method-assign]
    closed(cloud, action)
    assert sent == [{"properties": CLOSED}]
    if SCHEMA.exists():
        schema = lzma.decompress(SCHEMA.read_bytes()).decode()
        assert all(f'"{name}"' in schema for name in CLOSED)
