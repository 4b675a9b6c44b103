"""The data lake on S3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lambdas.clients import Clients
from lambdas.cloud_errors import in_core_words
from shared_model.events import Rejected
from shared_model.lake import anchor_file, ocsf_files, rejected_files


class Lake:
    """Writes what ``shared_model.lake`` lays out. Without a bucket, nothing is kept."""

    def __init__(self, clients: Clients, bucket: str) -> None:
        self._clients = clients
        self._bucket = bucket

    def put_rejected(self, rejected: Sequence[Rejected], *, now_ms: int, cause: str) -> None:
        """Keep rejected records."""
        self._put(rejected_files(rejected, now_ms=now_ms, cause=cause))

    def put_ocsf(self, objects: Iterable[Mapping[str, Any]], *, cause: str) -> None:
        """Keep OCSF objects; what names no region happened where the function runs."""
        self._put(ocsf_files(objects, default_region=lambda: self._clients("s3").meta.region_name, cause=cause))

    def put_anchor(self, copy: Mapping[str, Any], *, now_ms: int, cause: str) -> None:
        """Keep the copy of an anchor of the journal."""
        self._put([anchor_file(copy, now_ms=now_ms, cause=cause)])

    def _put(self, files: Iterable[tuple[str, bytes]]) -> None:
        for path, data in files if self._bucket else ():
            with in_core_words("data lake"):
                self._clients("s3").put_object(Bucket=self._bucket, Key=path, Body=data)
