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
#: When a turn to look for what was left behind is over, and the next one is anybody's.
_TURN_S = 3600
#: A blob is written to once a minute for an hour. What is quiet for this long has a last event that was handled, or failed for
#: good; who looked that long ago that the turn before has seen it has nothing to look at.
_QUIET_S, _SEEN_S = 70 * 60, 70 * 60 + 2 * _TURN_S
#: For how long a part that was given out and not committed is looked at again, turn by turn.
_UNCOMMITTED_S = 86_400
#: Partition of the turns. No flow log's container is called this.
_TURNS = "~turns"


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
        row = {
            "PartitionKey": encode_key(container),
            "RowKey": encode_key(blob),
            "blob": blob,
            "offset": str(progress.offset),  # a number would have to be below 2 GiB
            "claimed": str(progress.claimed),
            "tail": progress.tail,
            "blocks": progress.blocks,
            "blocks_hash": progress.blocks_hash,
            "expires": sortable(int(self._now_s()) + _KEPT_S),
        }
        etag = self._put(row, over.etag)
        return replace(progress, etag=etag) if etag else None

    def take_turn(self, container: str) -> bool:
        """Whether it is time again to look for what was left behind; of all who ask in an hour, one is told so."""
        now, key = int(self._now_s()), encode_key(container)
        try:
            with in_core_words("turns of flow logs"):
                row = self._table().get_entity(_TURNS, key)
            until, etag = int(row["until"]), str(row.metadata["etag"])
        except CloudRefusal as refusal:
            if not refusal.is_missing or refusal.code == "TableNotFound":
                raise
            until, etag = 0, ""
        if now < until:
            return False
        return bool(self._put({"PartitionKey": _TURNS, "RowKey": key, "until": sortable(now + _TURN_S)}, etag))

    def left_behind(self, container: str) -> list[str]:
        """Names of the blobs of which something may be unread and nothing is announced any more.

        Those that went quiet since the turns before, and those of which a part was given out within a day and not committed.
        """
        now = int(self._now_s())
        question = (
            "PartitionKey eq @container and expires lt @quiet and (expires ge @seen or (expires ge @lately and claimed ne '0'))"
        )
        since = {"quiet": _QUIET_S, "seen": _SEEN_S, "lately": _UNCOMMITTED_S}
        parameters = {name: sortable(now - seconds + _KEPT_S) for name, seconds in since.items()}
        with in_core_words("progress of flow logs"):
            rows = self._table().query_entities(
                question, parameters={**parameters, "container": encode_key(container)}, select=["blob"]
            )
            return [str(row["blob"]) for row in rows]

    def _put(self, row: dict[str, Any], etag: str) -> str:
        """Write a row in place of the one with that ETag, or as a new one; its ETag, ``""`` where another writer was first."""
        from azure.core import MatchConditions
        from azure.data.tables import UpdateMode

        try:
            with in_core_words("progress of flow logs"):
                if etag:
                    done = self._table().update_entity(
                        row, UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
                    )
                else:
                    done = self._table().create_entity(row)
        except CloudRefusal as refusal:
            if refusal.is_conflict or (refusal.is_missing and refusal.code != "TableNotFound"):
                return ""
            raise
        return str(done["etag"])

    def _table(self) -> Any:
        return self._clients("tables", Group.DETECT).get_table_client(PROGRESS)
