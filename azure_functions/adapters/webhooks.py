"""Webhooks whose addresses are secrets of a Key Vault: no function is told one by its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from azure_functions.clients import Clients
from azure_functions.cloud_errors import in_core_words
from azure_functions.registry import Group
from azure_functions.settings import Settings
from response.webhooks import Channel, Webhook

if TYPE_CHECKING:
    from azure_functions.logger import Logger

_API_VERSION = "7.4"
#: How long a new address may go unnoticed by a function that is warm.
_KEEP_MS = 300_000


class Address:
    """The address in one secret, read when it is needed and kept for five minutes."""

    def __init__(self, clients: Clients, secret: str, now_ms: Callable[[], int]) -> None:
        self._clients = clients
        self._secret = secret
        self._now_ms = now_ms
        self._value, self._read_ms = "", 0

    def __call__(self) -> str:
        """Return it. Raises CloudRefusal, CloudUnavailable."""
        if not self._value or self._now_ms() - self._read_ms >= _KEEP_MS:
            with in_core_words(f"Key Vault secret {self._secret}"):
                vault = self._clients("vault", Group.RESPOND)
                found = vault.call("GET", f"/secrets/{self._secret}", query={"api-version": _API_VERSION})
            self._value, self._read_ms = str(found["value"]), self._now_ms()
        return self._value


def webhooks(clients: Clients, settings: Settings, logger: Logger, now_ms: Callable[[], int]) -> Iterator[Webhook]:
    """Yield a webhook for each channel whose secret is named."""

    def report(said: dict[str, Any]) -> None:
        logger.error("notice not delivered", extra=said)

    for channel, secret in ((Channel.SLACK, settings.slack_webhook_secret), (Channel.TEAMS, settings.teams_webhook_secret)):
        if secret and settings.vault_endpoint:
            yield Webhook(channel, Address(clients, secret, now_ms), report)
