"""The data lake in container ``lake``. Every object is one request of its own (docs/decisions/044)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from azure_functions.clients import Clients
from azure_functions.cloud_errors import in_core_words
from azure_functions.http_date import http_date
from azure_functions.registry import LAKE, Group
from shared_model.events import Rejected
from shared_model.lake import anchor_file, ocsf_files, rejected_files

#: Entra and the Activity log of a subscription belong to no region.
_NO_REGION = "global"
#: Put Blob: https://learn.microsoft.com/rest/api/storageservices/put-blob, up to 5,000 MiB in one request.
_PUT = {"x-ms-version": "2021-12-02", "x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}


class Lake:
    """Writes what ``shared_model.lake`` lays out."""

    def __init__(self, clients: Clients, group: Group) -> None:
        self._clients = clients
        self._group = group

    def put_rejected(self, rejected: Sequence[Rejected], *, now_ms: int, cause: str) -> None:
        """Keep rejected records."""
        for path, data in rejected_files(rejected, now_ms=now_ms, cause=cause):
            self._put(path, data)

    def put_ocsf(self, objects: Iterable[Mapping[str, Any]], *, cause: str) -> None:
        """Keep OCSF objects."""
        for path, data in ocsf_files(objects, default_region=lambda: _NO_REGION, cause=cause):
            self._put(path, data)

    def put_anchor(self, copy: Mapping[str, Any], *, now_ms: int, cause: str) -> None:
        """Keep the copy of an anchor of the journal."""
        self._put(*anchor_file(copy, now_ms=now_ms, cause=cause))

    def put_dead_letter(self, body: bytes, *, name: str) -> str:
        """Keep a body that is too large for a queue, untouched. Returns where it lies."""
        path = f"dead-letters/{name}"
        self._put(path, body)
        return f"{LAKE}/{path}"

    def _put(self, path: str, data: bytes) -> None:
        with in_core_words("data lake"):
            headers = {**_PUT, "x-ms-date": http_date()}
            self._clients("lake", self._group).put(f"/{LAKE}/{quote(path, safe='/~')}", data, headers=headers)
