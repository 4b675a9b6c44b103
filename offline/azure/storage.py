"""Clients of the storage that Azurite serves, for tests and the demo; and what a deployment makes in it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from azure_functions.plain_rest import PlainRest
from azure_functions.timed_transport import Timed
from offline.azure.azurite import FLOW_LOG_ACCOUNT, Azurite
from offline.azure.certificates import Certificates
from offline.azure.credential import OfflineCredential


class Storage:
    """The two storage accounts, through the real SDKs, as an operator who may do everything.

    Parameters
    ----------
    azurite : Azurite
    certificates : Certificates
    """

    def __init__(self, azurite: Azurite, certificates: Certificates) -> None:
        self.azurite = azurite
        self.certificates = certificates
        self._credential = OfflineCredential()
        # The app's own: what is tested through these clients meets a broken connection as the app does.
        self._transport = Timed(connection_verify=str(certificates.authority))

    @cached_property
    def tables(self) -> TableServiceClient:
        """Of the account that holds Breakwater's state."""
        return TableServiceClient(endpoint=self.azurite.table_endpoint(), credential=self._credential, transport=self._transport)

    @cached_property
    def queues(self) -> QueueServiceClient:
        """Of the account that holds Breakwater's state."""
        return self.queues_at(self.azurite.queue_endpoint())

    @cached_property
    def blobs(self) -> BlobServiceClient:
        """Of the account that holds Breakwater's state."""
        return self.blobs_at(self.azurite.blob_endpoint())

    @cached_property
    def flow_blobs(self) -> BlobServiceClient:
        """Of the account that Network Watcher writes to."""
        return self.blobs_at(self.azurite.blob_endpoint(FLOW_LOG_ACCOUNT))

    @cached_property
    def lake(self) -> PlainRest:
        """Blobs of the account that holds Breakwater's state, without an SDK."""
        return self._without_sdk(self.azurite.blob_endpoint())

    @cached_property
    def rows(self) -> PlainRest:
        """Tables of that account, without an SDK."""
        return self._without_sdk(self.azurite.table_endpoint())

    def _without_sdk(self, endpoint: str) -> PlainRest:
        return PlainRest(
            endpoint,
            self._credential,
            "https://storage.azure.com/.default",
            attempts=4,
            first_pause_s=0.5,
            longest_pause_s=8,
            connect_s=3,
            read_s=20,
            authorities=str(self.certificates.authority),
        )

    def queues_at(self, endpoint: str) -> QueueServiceClient:
        """Queues of any account, as the Functions host reaches them."""
        return QueueServiceClient(endpoint, credential=self._credential, transport=self._transport)

    def blobs_at(self, endpoint: str) -> BlobServiceClient:
        """Blobs of any account, as the Functions host reaches them."""
        return BlobServiceClient(endpoint, credential=self._credential, transport=self._transport)

    def __call__(self, service: str, group: str) -> Any:
        """The client of a storage service, as the function app's own ``clients(service, group)`` names them."""
        if service not in ("tables", "queues", "blobs", "flow_blobs", "lake", "rows"):
            raise KeyError(f"storage has no service {service}: give the test a stand-in for it")
        return getattr(self, service)

    def create(
        self,
        *,
        tables: Iterable[str] = (),
        queues: Iterable[str] = (),
        containers: Iterable[str] = (),
        flow_containers: Iterable[str] = (),
    ) -> None:
        """Make what a deployment makes; what is there already stays."""
        for name in tables:
            self.tables.create_table_if_not_exists(name)
        for name in queues:
            _unless_there(self.queues.create_queue, name)
        for name in containers:
            _unless_there(self.blobs.create_container, name)
        for name in flow_containers:
            _unless_there(self.flow_blobs.create_container, name)

    def empty(self) -> None:
        """Take everything out of both accounts."""
        for table in self.tables.list_tables():
            self.tables.delete_table(table.name)
        for queue in self.queues.list_queues():
            self.queues.delete_queue(queue.name)
        for service in (self.blobs, self.flow_blobs):
            for container in service.list_containers():
                service.delete_container(container.name)


def _unless_there(make: Any, name: str) -> None:
    try:
        make(name)
    except ResourceExistsError:
        return
