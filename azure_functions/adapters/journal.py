"""The journal on Azure Tables: an insert of a number that is free, and queries. Nothing here can update or delete.

Three further kinds of rows are its indexes, inserted too and never changed: by the time at which something expires or was
written, and by containment id. They are written BEFORE the entry that they lead to. A function killed in between leaves a
row that leads to a stream without that entry, which whoever reads the stream sees; the other way round a containment would
be in force that neither the schedule nor a person finds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from azure_functions.adapters.table_rows import encode_key, pack_json, sortable, unpack_json
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import ANCHORS, JOURNAL, UNDOS, Group
from response.anchors import is_anchors
from response.journal import EXPIRES, JournalEntry, SequenceTaken, Step
from response.orders import is_orders

#: Digits of a sequence number: the row key is text, and must sort as the numbers do.
_DIGITS = 10
#: The index keeps what has expired for ever, so the question has a beginning: what is older than this and still there
#: was asked about long ago, or the schedule stood still for a month.
_LOOK_BACK_MS = 30 * 86_400_000
#: Partitions of the indexes. No stream's key holds a ``~``, except in place of its tail.
_EXPIRING, _WRITTEN, _CONTAINMENT = "~expiring", "~written", "~containment"
_EXISTS = "EntityAlreadyExists"


class TableJournal:
    """Table ``journal``: partition stream, row padded sequence; partitions ``~expiring``, ``~written``, ``~containment…``.

    Orders (``response/orders.py``) and anchors lie in tables of their own, ``undos`` and ``anchors``, in the same shape: a role
    on a table sees no keys, and who adds to the journal must not be able to add those. What stands under such a name in another
    table is not read.

    Parameters
    ----------
    clients : Clients
    group : Group
        Under whose identity the journal is read and written.
    undos : Group
        Under whose identity orders are: who undoes, or who only reads them.
    """

    def __init__(self, clients: Clients, group: Group = Group.RESPOND, *, undos: Group = Group.UNDO) -> None:
        self._clients = clients
        self._group = group
        self._undos_group = undos

    def append(self, entry: JournalEntry) -> None:
        table = self._table_of(entry.stream)
        for row in _index_rows(entry):
            _insert(table, row)
        # A retry inside the client finds its own first attempt: that is not another writer.
        if not _insert(table, _to_row(entry)) and self._read(entry.stream, entry.sequence) != entry:
            raise SequenceTaken(f"{entry.stream} already has an entry {entry.sequence}")

    def stream(self, name: str) -> list[JournalEntry]:
        return [_from_row(row) for row in _query(self._table_of(name), "PartitionKey eq @pk", pk=encode_key(name))]

    def expiring(self, before_ms: int) -> Iterable[str]:
        rows = self._query_both(
            "PartitionKey eq @pk and RowKey ge @since and RowKey lt @until",
            pk=_EXPIRING,
            since=sortable(before_ms - _LOOK_BACK_MS),
            until=sortable(before_ms),
        )
        return dict.fromkeys(_stream(row) for row in rows)

    def written(self, since_ms: int) -> Iterable[str]:
        rows = self._query_both("PartitionKey eq @pk and RowKey ge @since", pk=_WRITTEN, since=sortable(since_ms))
        return dict.fromkeys(_stream(row) for row in rows)

    def find(self, containment_id: str) -> str | None:
        rows = _query(self._table_of(containment_id), "PartitionKey eq @pk", pk=_containment_partition(containment_id))
        return next((_stream(row) for row in rows), None)

    def streams(self) -> list[str]:
        """Return the names of all streams, for a person's overview: reads the tables whole."""
        return [
            name
            for table in (self._journal, self._undos, self._anchors)
            for row in _query(table, "RowKey eq @first", first=_sequence(1))
            if self._table_of(name := _from_row(row).stream) is table
        ]

    def _read(self, stream: str, sequence: int) -> JournalEntry | None:
        key = {"pk": encode_key(stream), "rk": _sequence(sequence)}
        rows = _query(self._table_of(stream), "PartitionKey eq @pk and RowKey eq @rk", **key)
        return next((_from_row(row) for row in rows), None)

    def _query_both(self, question: str, **parameters: str) -> list[Mapping[str, Any]]:
        return [row for table in (self._journal, self._undos) for row in _query(table, question, **parameters)]

    def _table_of(self, stream: str) -> Any:
        if is_anchors(stream):
            return self._anchors
        return self._undos if is_orders(stream) else self._journal

    @cached_property
    def _journal(self) -> Any:
        return self._clients("tables", self._group).get_table_client(JOURNAL)

    @cached_property
    def _undos(self) -> Any:
        return self._clients("tables", self._undos_group).get_table_client(UNDOS)

    @cached_property
    def _anchors(self) -> Any:
        return self._clients("tables", Group.UNDO).get_table_client(ANCHORS)


def _insert(table: Any, row: Mapping[str, Any]) -> bool:
    """Insert a row; say whether it was not there before."""
    try:
        with in_core_words("journal"):
            table.create_entity(row)
    except CloudRefusal as refusal:
        if refusal.code != _EXISTS:
            raise
        return False
    return True


def _query(table: Any, question: str, **parameters: str) -> list[Mapping[str, Any]]:
    with in_core_words("journal"):
        return list(table.query_entities(question, parameters=parameters))


def _index_rows(entry: JournalEntry) -> Iterator[dict[str, Any]]:
    stream = pack_json("stream", entry.stream)
    digest = hashlib.sha256(stream["stream0"].encode()).hexdigest()[:32]
    yield {"PartitionKey": _containment_partition(entry.containment_id), "RowKey": digest, **stream}
    if entry.step is not Step.ANCHORED:
        yield {"PartitionKey": _WRITTEN, "RowKey": f"{sortable(entry.time_ms)}~{digest}", **stream}
    if entry.step in EXPIRES and entry.expires_ms is not None:
        yield {"PartitionKey": _EXPIRING, "RowKey": f"{sortable(entry.expires_ms)}~{digest}", **stream}


def _containment_partition(containment_id: str) -> str:
    return f"{_CONTAINMENT}~{encode_key(containment_id)}"


def _sequence(number: int) -> str:
    return str(number).zfill(_DIGITS)


def _to_row(entry: JournalEntry) -> dict[str, Any]:
    # The columns beside the entry itself are for whoever looks at the table.
    return {
        "PartitionKey": encode_key(entry.stream),
        "RowKey": _sequence(entry.sequence),
        "step": str(entry.step),
        "containment_id": entry.containment_id,
        "digest": entry.digest,
        **pack_json("entry", entry.as_written()),
    }


def _from_row(row: Mapping[str, Any]) -> JournalEntry:
    return JournalEntry.read(unpack_json("entry", row), sealed=row.get("digest", ""))


def _stream(row: Mapping[str, Any]) -> str:
    return str(unpack_json("stream", row))
