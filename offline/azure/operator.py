"""What an operator of the embedded Azure does and sees: the journal, dead letters, an undo, the policy."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import yaml

from azure_functions.adapters.journal import TableJournal
from azure_functions.adapters.table_rows import encode_key
from azure_functions.registry import ANCHORS, CONTAINMENTS, JOURNAL, LAKE, POLICY, POLICY_BLOB
from offline.azure.embedded import ROOT, EmbeddedAzure
from offline.azure.storage import Storage
from response.anchors import is_anchors
from response.journal import JournalEntry, link
from shared_model.events import Entity, EntityKind


@dataclass(frozen=True, slots=True)
class _OperatorClients:
    """Storage in the form in which the app's adapters take their clients."""

    storage: Storage
    waited_s: float = 0.0

    def __call__(self, service: str, group: str, *, subscription_id: str = "") -> Any:
        return self.storage(service, group)


class Operator:
    """A person with a portal of the embedded Azure.

    Parameters
    ----------
    azure : EmbeddedAzure
    name : str
        Who approves an undo.
    """

    def __init__(self, azure: EmbeddedAzure, name: str = "ada@example.com") -> None:
        self._azure, self.name = azure, name
        world = azure.services.world
        #: What a user did is seen by the subscription or by the directory.
        self._accounts = (world.subscription_id, world.tenant_id)

    def arm(
        self,
        *,
        mode: str = "enforce",
        asks: tuple[str, ...] = (),
        never_touch: tuple[str, ...] = (),
        containments_per_hour: int | None = None,
    ) -> None:
        """Put the shipped policy in place, changed as an operator would.

        Parameters
        ----------
        mode : str
            Of every rule,
        asks : tuple of str
            but of those of these actions, which ask a person.
        never_touch : tuple of str
            Principals.
        containments_per_hour : int, optional
        """
        policy: dict[str, Any] = yaml.safe_load((ROOT / "policy" / "azure.yaml").read_text())
        for rule in policy["rules"]:
            rule["mode"] = "approve" if rule["action"] in asks else mode
        policy["never_touch"]["principals"] = list(never_touch)
        if containments_per_hour is not None:
            policy["budget"]["containments_per_hour"] = containments_per_hour
        self._azure.put_policy(yaml.safe_dump(policy))

    @contextmanager
    def under(self, policy: Mapping[str, Any]) -> Iterator[None]:
        """Another policy for a while, then the one of before, whatever happens. The app starts anew: it keeps one a minute."""
        before = self.policy()
        self._put(policy)
        try:
            yield
        finally:
            self._put(before)

    def policy(self) -> dict[str, Any]:
        """The policy in force."""
        blob = self._azure.storage.blobs.get_blob_client(POLICY, POLICY_BLOB)
        policy: dict[str, Any] = yaml.safe_load(blob.download_blob().readall())
        return policy

    def _put(self, policy: Mapping[str, Any]) -> None:
        self._azure.put_policy(yaml.safe_dump(dict(policy)))
        self._azure.host.kill_worker()

    @property
    def written(self) -> TableJournal:
        """The journal, under keys that may also write it."""
        return self._journal

    def journal(self, action: str, kind: EntityKind, identifier: str) -> list[JournalEntry]:
        """Everything that the journal holds of an action on one target, oldest first."""
        entries = [entry for name in self._streams(action, kind, identifier) for entry in self._journal.stream(name)]
        return sorted(entries, key=lambda entry: entry.time_ms)

    def steps(self, action: str, kind: EntityKind, identifier: str) -> list[str]:
        """The steps of an action on one target, in order."""
        return [str(entry.step) for entry in self.journal(action, kind, identifier)]

    def age(self, action: str, kind: EntityKind, identifier: str, *, days: int) -> None:
        """Let the journal of an action on one target be so many days older: what was to expire meanwhile has expired.

        The anchors go: they hold it as it was. An undo believes no journal that does not fit, so its chain is made anew.
        """
        moved_ms, tables = days * 86_400_000, self._azure.storage.tables
        streams = {name: self._journal.stream(name) for name in self._streams(action, kind, identifier)}
        for name in (*streams, *filter(is_anchors, self._journal.streams())):
            table = tables.get_table_client(ANCHORS if is_anchors(name) else JOURNAL)
            for row in list(table.query_entities("PartitionKey eq @pk", parameters={"pk": encode_key(name)})):
                table.delete_entity(row)
        for name, entries in streams.items():
            moved: list[JournalEntry] = []
            for entry in entries:
                expires_ms = None if entry.expires_ms is None else entry.expires_ms - moved_ms
                moved.append(
                    replace(entry, time_ms=entry.time_ms - moved_ms, expires_ms=expires_ms, previous=link(name, moved), sealed="")
                )
                self._journal.append(moved[-1])

    def undo(self, containment_id: str) -> None:
        """Ask for an undo."""
        self.send(CONTAINMENTS, {"undo": containment_id, "approved_by": self.name})

    def send(self, queue: str, body: bytes | Mapping[str, Any]) -> None:
        """Put a message into a queue of the state account, encoded as the Functions host expects."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._azure.storage.queues.get_queue_client(queue).send_message(base64.b64encode(content).decode())

    def letters(self, queue: str) -> list[bytes]:
        """Up to 32 messages of a queue, which stay in it."""
        client = self._azure.storage.queues.get_queue_client(queue)
        return [base64.b64decode(message.content) for message in client.peek_messages(max_messages=32)]

    def dead_letters(self, source: str) -> list[dict[str, Any]]:
        """Dead letters of a source: the body, and beside it reason, source, record and field."""
        return [json.loads(letter) for letter in self.letters(f"{source}-dead-letters")]

    @property
    def _journal(self) -> TableJournal:
        return TableJournal(_OperatorClients(self._azure.storage))

    def _streams(self, action: str, kind: EntityKind, identifier: str) -> list[str]:
        return [f"{action}#{Entity(kind, identifier.lower(), account).key}" for account in self._accounts]

    def lake(self, prefix: str) -> Iterator[dict[str, Any]]:
        """The lines of the lake's objects under a prefix."""
        container = self._azure.storage.blobs.get_container_client(LAKE)
        for name in container.list_blob_names(name_starts_with=prefix):
            body = container.download_blob(name).readall()
            for line in (gzip.decompress(body) if name.endswith(".gz") else body).splitlines():
                yield json.loads(line)
