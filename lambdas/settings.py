"""Every environment name in one place, read once into a typed object when a function starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

#: Prefix of every environment variable: field ``memory_table`` is ``BREAKWATER_MEMORY_TABLE``.
PREFIX = "BREAKWATER_"


class SettingMissing(Exception):
    """A function was deployed without a setting it needs. Names the variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the infrastructure tells a function. An empty value means: this function was not given it.

    Attributes
    ----------
    memory_table : str
        DynamoDB table of the entity memory (key ``pk``, TTL ``expires``).
    signals_table : str
        DynamoDB table of recent signals and the budget's ledgers (keys ``pk``, ``sk``, TTL ``expires``).
    journal_table : str
        DynamoDB table of the journal (keys ``pk``, ``sk``; no TTL; indexes ``expiring``, ``written``, ``containments``).
    verdict_queue_url : str
        FIFO queue of verdicts.
    queue_url, dead_letter_queue_url : str
        The queue that feeds this function, and its dead letters.
    lake_bucket : str
    policy_parameter : str
        SSM parameter that holds the operator's policy as JSON.
    notification_topic_arn : str
        SNS topic for what a person should know.
    slack_webhook_parameter, teams_webhook_parameter : str
        SSM parameters (SecureString) that hold the addresses of webhooks; empty where there is none.
    chat_topic_arn : str
        SNS topic of the operator's that Amazon Q Developer in chat applications listens on; empty where there is none.
    own_role_arns : str
        Comma-separated ARNs of Breakwater's own roles, which no action may touch.
    verdict_senders : str
        Comma-separated ``function=role id`` of the detectors: who may send verdicts, and of what (``adapters/senders.py``).
    operator_accounts : str
        Comma-separated accounts, besides this one, whose operators answer proposals.
    network_role_arn, identity_role_arn, data_role_arn, undo_role_arn : str
        Role of each group of actions; a function is told those that it may assume.
    security_hub_product_arn : str
        Security Hub product that findings go to; ``""`` sends none.
    link_key : str
        KMS key (HMAC) that signs links to proposals, ``""`` where notices carry none.
    page_url : str
        Where the page behind those links is served.
    page_issuer, page_client, page_token_origin : str
        How people sign in there: :class:`response.page.document.SignInByScript`.
    page_role_arn : str
        Role of the page, which alone may send the answer of a person who signed in there.
    answer_queue_url : str
    memory_days : str
        Time to live of entity memory, in days.
    trail : str
        ``none``: no trail's objects come, so that the fast path alone brings API calls.
    """

    memory_table: str = ""
    signals_table: str = ""
    journal_table: str = ""
    verdict_queue_url: str = ""
    queue_url: str = ""
    dead_letter_queue_url: str = ""
    lake_bucket: str = ""
    policy_parameter: str = ""
    notification_topic_arn: str = ""
    slack_webhook_parameter: str = ""
    teams_webhook_parameter: str = ""
    chat_topic_arn: str = ""
    own_role_arns: str = ""
    verdict_senders: str = ""
    operator_accounts: str = ""
    network_role_arn: str = ""
    identity_role_arn: str = ""
    data_role_arn: str = ""
    undo_role_arn: str = ""
    security_hub_product_arn: str = ""
    link_key: str = ""
    page_url: str = ""
    page_issuer: str = ""
    page_client: str = ""
    page_token_origin: str = ""
    page_role_arn: str = ""
    answer_queue_url: str = ""
    memory_days: str = "14"
    trail: str = ""

    @property
    def account(self) -> str:
        """The account in which Breakwater's own roles are."""
        return self.own_role_arns.partition(",")[0].split(":")[4]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, *, needs: tuple[str, ...] = ()) -> Settings:
        """Read the settings; raise SettingMissing for a needed one that is absent."""
        environment = os.environ if environment is None else environment
        given = {
            field.name: environment[PREFIX + field.name.upper()]
            for field in fields(cls)
            if PREFIX + field.name.upper() in environment
        }
        for name in needs:
            if not given.get(name):
                raise SettingMissing(f"environment variable {PREFIX}{name.upper()} is not set")
        return cls(**given)
