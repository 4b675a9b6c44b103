"""Webhooks whose addresses are kept as SecureString parameters of SSM: no function is told one by its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from lambdas.clients import Clients
from lambdas.cloud_errors import in_core_words
from lambdas.settings import Settings
from response.webhooks import Channel, Webhook

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

#: How long a new address may go unnoticed by a function that is warm.
_KEEP_MS = 300_000


class Address:
    """The address in one parameter, read when it is needed and kept for five minutes."""

    def __init__(self, clients: Clients, parameter: str, now_ms: Callable[[], int]) -> None:
        self._clients = clients
        self._parameter = parameter
        self._now_ms = now_ms
        self._value, self._read_ms = "", 0

    def __call__(self) -> str:
        """Return it. Raises CloudRefusal, CloudUnavailable."""
        if not self._value or self._now_ms() - self._read_ms >= _KEEP_MS:
            with in_core_words(f"SSM parameter {self._parameter}"):
                found = self._clients("ssm").get_parameter(Name=self._parameter, WithDecryption=True)
            self._value, self._read_ms = str(found["Parameter"]["Value"]), self._now_ms()
        return self._value


def webhooks(clients: Clients, settings: Settings, logger: Logger, now_ms: Callable[[], int]) -> Iterator[Webhook]:
    """Yield a webhook for each channel whose parameter is named."""

    def report(said: dict[str, Any]) -> None:
        logger.error("notice not delivered", extra=said)

    for channel, parameter in (
        (Channel.SLACK, settings.slack_webhook_parameter),
        (Channel.TEAMS, settings.teams_webhook_parameter),
    ):
        if parameter:
            yield Webhook(channel, Address(clients, parameter, now_ms), report)
