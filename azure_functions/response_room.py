"""What the functions of the response share: policy, actions, journal, Sentinel and notices on Azure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from azure_functions.actions.catalogue import KNOWN, make_actions
from azure_functions.adapters.journal import TableJournal
from azure_functions.adapters.lake import Lake
from azure_functions.adapters.notifications import Notices
from azure_functions.adapters.policy import PolicyBlob, listed
from azure_functions.adapters.sentinel import Incidents, SentinelTable, action_row
from azure_functions.adapters.signals import TableLedgers, TableSignals
from azure_functions.adapters.webhooks import webhooks
from azure_functions.function import Function
from azure_functions.registry import Group
from response.actions import Action
from response.anchoring import anchor_and_tell
from response.journal import JournalEntry
from response.notices import Notify
from response.policy import Policy
from response.remediation import of_entry
from response.webhooks import to_all
from shared_model.errors import CloudUnavailable


class ResponseRoom:
    """The response's adapters, each made once."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._planning: tuple[Mapping[str, Any], dict[str, Action]] | None = None

    @property
    def policy(self) -> Policy:
        """The operator's policy as it is now. Raises PolicyError, CloudUnavailable."""
        return self._blob.load(self._function.now_ms())

    @cached_property
    def actions(self) -> dict[str, Action]:
        """Every action by name, to undo with."""
        return self._make_actions({})

    def actions_under(self, policy: Policy) -> dict[str, Action]:
        """Every action by name, with the settings that the policy gives it: to plan with."""
        settings = {name: each.settings for name, each in policy.actions.items()}
        if self._planning is None or self._planning[0] != settings:
            self._planning = settings, self._make_actions(settings)
        return self._planning[1]

    def _make_actions(self, settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Action]:
        kept = listed(self._function.settings.own_resource_ids)
        return make_actions(self._function.clients, settings, kept_scopes=kept)

    @cached_property
    def journal(self) -> TableJournal:
        """The journal."""
        return TableJournal(self._function.clients)

    @cached_property
    def signals(self) -> TableSignals:
        """Recent signals."""
        return TableSignals(self._function.clients)

    @cached_property
    def budget(self) -> TableLedgers:
        """The budget's ledgers."""
        return TableLedgers(self._function.clients)

    @cached_property
    def notify(self) -> Notify:
        """Tells people: in the log, under the incident, in each channel that has a webhook; with links where there is a page."""
        function, settings = self._function, self._function.settings
        incidents = Incidents(function.clients, function.settings.workspace_id, function.logger)
        channels = webhooks(function.clients, function.settings, function.logger, function.now_ms)
        everybody = to_all((Notices(incidents, function.logger), *channels))
        if not (settings.link_key and settings.page_url):
            return everybody
        from azure_functions.adapters.link_key import LinkKey  # here, because most deployments and verdicts do without
        from response.links import with_links

        def report(said: dict[str, Any]) -> None:
            function.logger.error("notice without its link", extra=said)

        return with_links(everybody, settings.page_url, LinkKey(function.clients, settings.link_key, Group.RESPOND), report)

    @cached_property
    def sentinel(self) -> SentinelTable:
        """Sentinel's table."""
        function = self._function
        return SentinelTable(function.clients, function.settings.logs_rule_id, function.spec.group, function.logger)

    def keep(self, entries: Sequence[JournalEntry]) -> None:
        """Log and count what was written into the journal, and keep it in the lake and in Sentinel."""
        rows = []
        for entry in entries:
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
            line = of_entry(entry)
            self._function.lake.put_ocsf([line], cause=entry.id)
            rows.append(action_row(entry, line))
        if not self.sentinel.put(rows):
            self._function.count("SentinelFailures")

    def anchor(self) -> tuple[CloudUnavailable, ...]:
        """Anchor the journal; returns why that is not possible now, empty when it is done."""
        function = self._function
        return anchor_and_tell(
            self.journal,
            now_ms=function.now_ms(),
            copies=Lake(function.clients, Group.UNDO),  # who contains must not be able to put one there
            log=function.logger,
            notify=self.notify,
            count=function.count,
        )

    @cached_property
    def _blob(self) -> PolicyBlob:
        function, settings = self._function, self._function.settings
        return PolicyBlob(function.clients, settings.own_principal_ids, settings.own_resource_ids, KNOWN, function.logger)
