"""How far each flow-log blob was read: one row of the table ``progress`` each, every write conditional on its ETag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from azure_functions.adapters.table_rows import encode_key, sortable
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import PROGRESS, Group

#: How long a row is kept after its last change: notifications of a change come late by days at most.
_KEPT_S = 14 * 86_400


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one blob was read.

    Attributes
    ----------
    offset : int
        Everything before it was read and committed.
    claimed : int
        End of the part from ``offset`` on that was given out and is not committed; 0: there is none.
    tail : str
        Hash of the last bytes before ``offset``.
    blocks, blocks_hash : int, str
        How many of the blob's committed blocks end at or before ``offset``, and a hash of their ids and sizes.
    etag : str
        Of the row; ``""`` where there is none yet.
    """

    offset: int = 0
    claimed: int = 0
    tail: str = ""
    blocks: int = 0
    blocks_hash: str = ""
    etag: str = ""


class ProgressTable:
    """The rows.

    Parameters
    ----------
    clients : Clients
    now_s : callable
        Seconds since the epoch: dates the rows, so that old ones can be purged.
    """

    def __init__(self, clients: Clients, now_s: Callable[[], float]) -> None:
        self._clients = clients
        self._now_s = now_s

    def read(self, container: str, blob: str) -> Progress:
        """Return the blob's row; of one that has none, its beginning. Raises CloudUnavailable."""
        try:
            with in_core_words("progress of flow logs"):
                row = self._table().get_entity(encode_key(container), encode_key(blob))
        except CloudRefusal as refusal:
            if refusal.is_missing and refusal.code != "TableNotFound":
                return Progress()
            raise
        return Progress(
            offset=int(row["offset"]),
            claimed=int(row["claimed"]),
            tail=str(row["tail"]),
            blocks=int(row["blocks"]),
            blocks_hash=str(row["blocks_hash"]),
            etag=str(row.metadata["etag"]),
        )

    def write(self, container: str, blob: str, progress: Progress, *, over: Progress) -> Progress | None:
        """Write a row in place of what was read; None where it is not that any more. Raises CloudUnavailable."""
        from azure.core import MatchConditions
        from azure.data.tables import UpdateMode

        row = {
            "PartitionKey": encode_key(container),
            "RowKey": encode_key(blob),
            "offset": str(progress.offset),  # a number would have to be below 2 GiB
            "claimed": str(progress.claimed),
            "tail": progress.tail,
            "blocks": progress.blocks,
            "blocks_hash": progress.blocks_hash,
            "expires": sortable(int(self._now_s()) + _KEPT_S),
        }
        try:
            with in_core_words("progress of flow logs"):
                if over.etag:
                    done = self._table().update_entity(
                        row, UpdateMode.REPLACE, etag=over.etag, match_condition=MatchConditions.IfNotModified
                    )
                else:
                    done = self._table().create_entity(row)
        except CloudRefusal as refusal:
            if refusal.is_conflict or (refusal.is_missing and refusal.code != "TableNotFound"):
                return None
            raise
        return replace(progress, etag=str(done["etag"]))

    def _table(self) -> Any:
        return self._clients("tables", Group.DETECT).get_table_client(PROGRESS)
