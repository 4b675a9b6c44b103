"""Azurite lets in whom the managed-identity endpoint gave a token for storage, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient

from offline.azure.storage import Storage


def test_a_managed_identity_writes_and_reads_a_blob(services, storage: Storage):
    storage.create(containers=["lake"])
    blobs = client(storage, ManagedIdentityCredential(client_id=services.identities["respond"].client_id))
    blobs.get_blob_client("lake", "a").upload_blob(b"line")
    assert storage.blobs.get_blob_client("lake", "a").download_blob().readall() == b"line"
    assert services.identity.issued == [(services.identities["respond"].client_id, "https://storage.azure.com")]


def test_a_token_for_another_service_is_refused(services, storage: Storage):
    storage.create(containers=["lake"])

    class ForManagement:
        def get_token(self, *_: str, **__: Any) -> Any:
            identity = ManagedIdentityCredential(client_id=services.identities["respond"].client_id)
            return identity.get_token("https://management.azure.com/.default")

    with pytest.raises((ClientAuthenticationError, HttpResponseError), match="Invalid token audience"):
        client(storage, ForManagement()).get_blob_client("lake", "a").upload_blob(b"line")


def client(storage: Storage, credential: Any) -> BlobServiceClient:
    return BlobServiceClient(storage.azurite.blob_endpoint(), credential, retry_total=0)
