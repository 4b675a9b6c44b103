"""A notice in a channel: its webhook's address is a secret of a vault, read when it is needed, and kept for a while."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from azure_functions.adapters.webhooks import webhooks
from azure_functions.clients import LazyClients
from azure_functions.logger import Logger
from azure_functions.registry import Group
from azure_functions.settings import Settings
from response import posting
from response.notices import Notice
from shared_model.errors import CloudUnavailable

NOTICE = Notice("s/1", "Contained: instance web", "isolated", "e")
ADDRESS = "https://contoso.webhook.office.com/workflows/secret"
SETTINGS = Settings(vault_endpoint="https://contoso.vault.azure.net", teams_webhook_secret="teams-channel")


class Vault:
    """Clients of a vault, as the app asks for them."""

    waited_s = 0.0

    def __init__(self, *, down: bool = False) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.group = ""
        self._down = down

    def __call__(self, service: str, group: str, *, subscription_id: str = "") -> Any:
        assert service == "vault"
        self.group = group
        return self

    def call(self, method: str, path: str, *, query: Mapping[str, str]) -> dict[str, str]:
        self.asked.append((method, path, query["api-version"]))
        if self._down:
            raise CloudUnavailable("vault: no answer")
        return {"value": ADDRESS}


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    sent: list[tuple[str, Any]] = []
    monkeypatch.setattr(posting, "post_json", lambda to, body: sent.append((to, json.loads(body))))
    return sent


def test_the_responding_identity_reads_the_secret_once_in_five_minutes(posted: list[tuple[str, Any]]) -> None:
    vault, now = Vault(), [1_000_000]
    (webhook,) = webhooks(vault, SETTINGS, Logger("respond"), lambda: now[0])
    for _ in range(3):
        webhook(NOTICE)
    now[0] += 300_000
    webhook(NOTICE)
    assert vault.asked == [("GET", "/secrets/teams-channel", "7.4")] * 2
    assert vault.group == Group.RESPOND
    assert [to for to, _ in posted] == [ADDRESS] * 4
    assert posted[0][1]["type"] == "message"


def test_a_vault_that_does_not_answer_holds_nothing_up(posted: list[tuple[str, Any]], caplog: pytest.LogCaptureFixture) -> None:
    (webhook,) = webhooks(Vault(down=True), SETTINGS, Logger("respond"), lambda: 0)
    webhook(NOTICE)
    assert posted == []
    (line,) = [json.loads(record.getMessage()) for record in caplog.records if record.levelname == "ERROR"]
    assert (line["message"], line["channel"], line["notice_id"]) == ("notice not delivered", "teams", "s/1")


@pytest.mark.parametrize("settings", [Settings(), Settings(teams_webhook_secret="x"), Settings(vault_endpoint="https://v")])
def test_without_a_vault_and_a_secret_there_is_no_channel(settings: Settings) -> None:
    assert [*webhooks(Vault(), settings, Logger("respond"), lambda: 0)] == []


@pytest.mark.parametrize(
    ("endpoint", "audience"),
    [
        ("https://contoso.vault.azure.net/", "https://vault.azure.net/.default"),
        ("https://contoso.vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net/.default"),
    ],
)
def test_the_token_is_for_all_vaults_of_the_cloud(monkeypatch: pytest.MonkeyPatch, endpoint: str, audience: str) -> None:
    made: list[tuple[str, str]] = []
    monkeypatch.setattr("azure_functions.clients.RestClient", lambda to, _, scope, **__: made.append((to, scope)))
    settings = Settings(vault_endpoint=endpoint, respond_client_id="33333333-0000-4000-8000-000000000009")
    LazyClients(lambda: settings)("vault", Group.RESPOND)
    assert made == [(endpoint, audience)]
