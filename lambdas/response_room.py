"""What the two functions of the response share: policy, actions, journal and notices on AWS."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lambdas.actions.catalogue import KNOWN, UNDO_GROUP, make_actions
from lambdas.adapters.journal import DynamoJournal
from lambdas.adapters.lake import Lake
from lambdas.adapters.notifications import Topic
from lambdas.adapters.policy import PolicyParameter
from lambdas.adapters.security_hub import SecurityHub
from lambdas.adapters.signals import DynamoLedgers, DynamoSignals
from lambdas.adapters.webhooks import webhooks
from lambdas.clients import Clients
from lambdas.function import Function
from lambdas.registry import Group
from response.actions import Action
from response.anchoring import anchor_and_tell
from response.journal import JournalEntry
from response.notices import Notify
from response.policy import Policy
from response.remediation import of_entry
from response.webhooks import to_all
from shared_model.errors import CloudUnavailable
from shared_model.verdicts import Verdict

if TYPE_CHECKING:
    from lambdas.group_clients import GroupClients


class ResponseRoom:
    """The response's adapters, each made once."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._planning: tuple[Mapping[str, Any], dict[str, Action]] | None = None

    @property
    def policy(self) -> Policy:
        """The operator's policy as it is now. Raises PolicyError, CloudUnavailable."""
        return self._parameter.load(self._function.now_ms())

    @cached_property
    def actions(self) -> dict[str, Action]:
        """Every action by name, to undo with: each works as its group, or, in the function that undoes, all work as undo's."""
        return make_actions(self._clients_of)

    def actions_under(self, policy: Policy) -> dict[str, Action]:
        """Every action by name, with the settings that the policy gives it: to plan with."""
        settings = {name: each.settings for name, each in policy.actions.items()}
        if self._planning is None or self._planning[0] != settings:
            self._planning = settings, make_actions(self._clients_of, settings)
        return self._planning[1]

    def _clients_of(self, group: Group) -> Clients:
        return self._as.get(UNDO_GROUP) or self._as[group]

    @cached_property
    def _as(self) -> dict[Group, GroupClients]:
        """Clients of the groups whose roles this function assumes."""
        from lambdas.group_clients import GroupClients  # here, because a function starts without them

        function = self._function
        return {
            group: GroupClients(function.clients, str(getattr(function.settings, f"{group}_role_arn")), function.name)
            for group in function.spec.groups
        }

    @cached_property
    def journal(self) -> DynamoJournal:
        """The journal."""
        return DynamoJournal(self._function.clients, self._function.settings.journal_table)

    @cached_property
    def signals(self) -> DynamoSignals:
        """Recent signals."""
        return DynamoSignals(self._function.clients, self._function.settings.signals_table)

    @cached_property
    def budget(self) -> DynamoLedgers:
        """The budget's ledgers."""
        return DynamoLedgers(self._function.clients, self._function.settings.signals_table)

    @cached_property
    def notify(self) -> Notify:
        """Tells people: by the topic, in each channel that has a webhook, in the chat; with links where there is a page."""
        function, settings = self._function, self._function.settings
        topic = Topic(function.clients, settings.notification_topic_arn, function.logger)
        channels: list[Notify] = [*webhooks(function.clients, settings, function.logger, function.now_ms)]
        if settings.chat_topic_arn:
            from lambdas.adapters.chat import ChatTopic  # here, because most deployments do without

            channels.append(ChatTopic(function.clients, settings.chat_topic_arn, function.logger))
        everybody = to_all((topic, *channels))
        if not settings.link_key:
            return everybody
        from lambdas.adapters.link_key import LinkKey  # here, because most deployments and verdicts do without
        from response.links import with_links

        def report(said: dict[str, Any]) -> None:
            function.logger.error("notice without its link", extra=said)

        return with_links(everybody, settings.page_url, LinkKey(function.clients, settings.link_key), report)

    def keep(self, entries: tuple[JournalEntry, ...]) -> None:
        """Log, count and keep in the lake what was just written into the journal."""
        for entry in entries:
            self._function.correlate(entry.correlation_id)  # of the verdict that it is about, whoever's delivery this is
            self._function.logger.info(
                "journal",
                extra={
                    "step": entry.step,
                    "stream": entry.stream,
                    "sequence": entry.sequence,
                    "containment_id": entry.containment_id,
                    "actor": entry.actor,
                    "detail": dict(entry.detail),
                },
            )
            self._function.count(f"Step{entry.step.title().replace('_', '')}")
        self.keep_again(entries)

    def keep_again(self, entries: tuple[JournalEntry, ...]) -> None:
        """Put entries into the lake. Of one that lies there the same line is written under the same name."""
        for entry in entries:
            self.lake.put_ocsf([of_entry(entry)], cause=entry.id)
        if self.security_hub.is_on:
            self._count_lost(self.security_hub.put_steps(entries, self.journal))

    def keep_verdict(self, verdict: Verdict) -> None:
        """Tell Security Hub of a verdict; the lake has it from its detector."""
        if self.security_hub.is_on:
            self._count_lost(self.security_hub.put([self.security_hub.verdict(verdict)]))

    def _count_lost(self, findings: int) -> None:
        if findings:
            self._function.count("SecurityHubFailures", findings)

    def anchor(self) -> tuple[CloudUnavailable, ...]:
        """Anchor the journal; returns why that is not possible now, empty when it is done."""
        function = self._function
        return anchor_and_tell(
            self.journal,
            now_ms=function.now_ms(),
            copies=self.lake,
            log=function.logger,
            notify=self.notify,
            count=function.count,
        )

    @cached_property
    def security_hub(self) -> SecurityHub:
        """Security Hub, where the deployment sends to it."""
        function = self._function
        return SecurityHub(function.clients, function.settings.security_hub_product_arn, function.logger)

    @cached_property
    def lake(self) -> Lake:
        """The data lake."""
        return Lake(self._function.clients, self._function.settings.lake_bucket)

    @cached_property
    def _parameter(self) -> PolicyParameter:
        function, settings = self._function, self._function.settings
        return PolicyParameter(function.clients, settings.policy_parameter, settings.own_role_arns, KNOWN, function.logger)
