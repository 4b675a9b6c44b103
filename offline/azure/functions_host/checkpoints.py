"""How far an event hub's trigger has read, as the Functions extension keeps it in its host's storage.

Format: Azure/azure-sdk-for-net, ``BlobCheckpointStoreInternal.cs`` of ``Azure.Messaging.EventHubs.Shared``, which
``Microsoft.Azure.WebJobs.Extensions.EventHubs`` compiles in: an empty blob for each partition, whose metadata say it all.
"""

from __future__ import annotations

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient


class Checkpoints:
    """The checkpoints of one hub and consumer group.

    Parameters
    ----------
    container : ContainerClient
        ``azure-webjobs-eventhub`` of the host's account; made where it is not there.
    namespace, hub, consumer_group : str
        ``namespace`` in full, such as ``x.servicebus.windows.net``.
    """

    def __init__(self, container: ContainerClient, namespace: str, hub: str, consumer_group: str) -> None:
        self._container = container
        self._prefix = f"{namespace}/{hub}/{consumer_group}".lower()
        if not container.exists():
            container.create_container()

    def move(self, partition: int, sequence_number: int, offset: int) -> None:
        """Put a partition's checkpoint behind an event."""
        metadata = {"offset": str(offset), "sequencenumber": str(sequence_number), "clientidentifier": "offline"}
        blob = self._container.get_blob_client(f"{self._prefix}/checkpoint/{partition}")
        try:
            blob.set_blob_metadata(metadata)
        except ResourceNotFoundError:
            blob.upload_blob(b"", metadata=metadata)
