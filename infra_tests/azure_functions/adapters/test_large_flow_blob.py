"""A flow log of 1 GiB that nobody has read before: read in parts, in memory that does not grow with it."""

from __future__ import annotations

import json
import logging
import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from azure_functions.adapters.flow_blobs import PART_BYTES, FlowBlobs
from azure_functions.registry import PROGRESS
from benchmarks.large_flow_blob import RepeatedBlob

_GIB = 1 << 30


class Account:
    """Tables of Azurite; one blob that is made up where it is read, which notes what was asked for."""

    url = "https://flows.blob.example/logs/PT1H.json"

    def __init__(self, tables: Callable[[str, str], Any], blob: RepeatedBlob) -> None:
        self._tables, self._blob = tables, blob
        self.asked: list[int] = []

    def __call__(self, service: str, group: str) -> Any:
        return self if service == "flow_blobs" else self._tables(service, group)

    def get_blob_client(self, container: str, blob: str) -> Account:
        return self

    def get_blob_properties(self) -> Any:
        return SimpleNamespace(size=self._blob.size, etag="1", blob_type="AppendBlob")

    def download_blob(self, *, offset: int, length: int, **_: Any) -> Any:
        self.asked.append(length)
        return SimpleNamespace(readall=lambda: self._blob.read(offset, offset + length))


def records(tuples: int) -> bytes:
    group = {"rule": "r", "flowTuples": ["1700000000000,…"] * tuples}
    record = {"time": "T", "flowRecords": {"flows": [{"flowGroups": [group]}]}}
    return json.dumps({"records": [record] * 50}, separators=(",", ":")).encode()


def test_a_gibibyte_is_read_in_the_memory_of_a_few_parts(storage) -> None:
    storage.create(tables=[PROGRESS])
    account = Account(storage, RepeatedBlob(records(1500), _GIB))
    blobs, ends = FlowBlobs(account, logger=logging.getLogger(__name__)), [0]
    tracemalloc.start()
    try:
        for part in blobs.new_parts("logs", "PT1H.json"):
            assert part.start == ends[-1]
            assert blobs.commit(part)
            ends.append(part.end)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(ends) - 1 >= _GIB // PART_BYTES
    assert ends[-1] >= _GIB  # all of it
    assert max(account.asked) <= PART_BYTES
    assert peak < 8 * PART_BYTES
