"""Flow-log blobs that grow: what is new in one since it was last read, once in effect.

Network Watcher appends records to ``PT1H.json`` for an hour and leaves a whole document, ``{"records":[r1,r2,…]}``, each time.
How far a blob was read stands in a row of the table ``progress``. One part of it goes through three steps:

1. claim: the row says which bytes are read now (conditional on its ETag);
2. work: the caller detects, sends the verdicts and stores what is remembered;
3. commit: the row says that they were read (conditional on its ETag).

::

    for part in flow_blobs.new_parts(container, blob):
        for number, read in enumerate(read_flows(part.open(), source=f"vnet_flow_logs:{part.name}")):
            found = detect(read.batch, …, delivery=f"{part.delivery}/{number}")
            …
        flow_blobs.commit(part)

After a crash between claim and commit the same bytes are given again, as they were claimed, however much the blob has grown:
with the same ``delivery``, by which :func:`shared_model.flow_detection.detect` knows what it has already scored. Two instances
that race give out the same part under the same ``delivery``; who commits second finds the row changed, reads it again and goes
on with what is left. Nothing waits for a lease, so that nothing is stuck when an instance dies.

A blob that was truncated or rewritten (it is shorter than what was read of it, or a block or the bytes before that place are not
what they were) is read from its beginning, and a warning says so. What is the same in it has the same event and verdict ids.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from azure_functions.adapters.flow_progress import Progress, ProgressTable
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import Group
from shared_model.errors import CloudUnavailable, UnreadableTelemetry
from shared_model.parsers.azure_records import RECORD_LIMIT, complete_end, is_blank, resynchronised

if TYPE_CHECKING:
    import logging

    from azure.storage.blob import BlobClient, BlobProperties

AnyLogger: TypeAlias = "logging.Logger | logging.LoggerAdapter[logging.Logger]"
#: How many bytes are given at once: about 200,000 tuples, so that memory does not grow with the blob.
PART_BYTES = 1 << 24
#: How many bytes before the place are compared with what they were: the end of a record, which tells its time.
_TAIL = 1024
#: How often an instance asks whether it is its turn to look for what was left behind.
_PAUSE_S = 600
#: A blob changes once a minute, and few instances ever read one at once.
_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Part:
    """Some whole records of a blob that were not read before.

    Attributes
    ----------
    container, blob, url : str
    start, end : int
        The bytes of the blob that it stands for.
    data : bytes
        These bytes, for the parsers of ``shared_model.parsers``.
    delivery : str
        The same whenever these bytes are given.
    """

    container: str
    blob: str
    url: str
    start: int
    end: int
    data: bytes = field(repr=False)
    delivery: str
    _claim: Progress = field(repr=False)
    _after: Progress = field(repr=False)

    @property
    def name(self) -> str:
        """Names the part in errors and evidence: ``https://…/PT1H.json@0-4711``."""
        return f"{self.url}@{self.start}-{self.end}"

    def open(self) -> BinaryIO:
        """Return its bytes as a stream."""
        return io.BytesIO(self.data)


class FlowBlobs:
    """Flow-log blobs, and how far each was read.

    Parameters
    ----------
    clients : Clients
        Services ``flow_blobs`` (read only) and ``tables``, both of the detecting group.
    logger : Logger
        The function's, so that its lines carry the function and the ids of the message at hand.
    part_bytes : int
        About how much is given at once; a record that is longer is still given whole.
    now_s : callable
        Seconds since the epoch.
    """

    def __init__(
        self,
        clients: Clients,
        *,
        logger: AnyLogger,
        part_bytes: int = PART_BYTES,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._clients = clients
        self._part_bytes = part_bytes
        self._logger = logger
        self._now_s = now_s
        self._progress = ProgressTable(clients, now_s)
        self._next_turn_s: dict[str, float] = {}

    def new_parts(self, container: str, blob: str, *, may_be_absent: bool = False) -> Iterator[Part]:
        """Give out what is new, part after part; each must be committed before the next is asked for.

        Where nothing is new, that takes a row of the table and the blob's properties and blocks.

        Raises
        ------
        UnreadableTelemetry
            The blob is gone, unless it ``may_be_absent``.
        CloudUnavailable
            Storage could not be asked, or others keep changing the blob: deliver the notification again.
        """
        given: Part | None = None
        while part := self._next(container, blob, given, may_be_absent):
            yield part
            given = part

    def commit(self, part: Part) -> bool:
        """Say that a part was read: its verdicts are sent, its memory is stored.

        Returns
        -------
        bool
            False where another instance was faster: it had the same part, and nothing is left to do for it.
        """
        if self._progress.write(part.container, part.blob, part._after, over=part._claim):
            return True
        self._logger.info("flow log part was committed by another instance", extra={"part": part.name})
        return False

    def left_behind(self, container: str) -> list[str]:
        """Return the blobs of a container of which something may be unread and which nothing announces any more.

        The last event about a blob failed for good, and nothing was logged for its interface since. Once an hour one caller
        gets them, whichever instance it is; every other gets none.

        Raises
        ------
        CloudUnavailable
        """
        now = self._now_s()
        if now < self._next_turn_s.get(container, 0):
            return []
        self._next_turn_s[container] = now + _PAUSE_S
        return self._progress.left_behind(container) if self._progress.take_turn(container) else []

    def _next(self, container: str, blob: str, given: Part | None, may_be_absent: bool) -> Part | None:
        client: BlobClient = self._clients("flow_blobs", Group.DETECT).get_blob_client(container, blob)
        for _ in range(_ATTEMPTS):
            progress = self._progress.read(container, blob)
            if not progress.etag and not may_be_absent:
                # Before anything can fail: what has no row is found by nobody once it is announced no more.
                noted = self._progress.write(container, blob, progress, over=progress)
                if noted is None:
                    continue
                progress = noted
            if given and (progress.offset, progress.claimed) == (given.start, given.end):
                raise RuntimeError(f"{given.name}: commit a part before the next is asked for")
            try:
                with in_core_words(client.url):
                    found = _Version(client, progress, self._part_bytes, self._logger).next_part()
            except CloudRefusal as refusal:
                if refusal.is_conflict:
                    continue  # the blob has changed while it was read
                if refusal.is_missing and may_be_absent:
                    return None
                if refusal.is_missing:
                    raise UnreadableTelemetry(client.url, "the blob is gone: keep flow logs for at least a day") from refusal
                raise
            if found is None:
                return None
            base, data, after = found
            claim = replace(base, claimed=base.offset + len(data))
            claimed = progress if progress == claim else self._progress.write(container, blob, claim, over=progress)
            if claimed:
                digest = hashlib.sha256(data).hexdigest()[:32]
                delivery = f"{client.url}@{base.offset}-{claim.claimed}#{digest}"
                return Part(container, blob, client.url, base.offset, claim.claimed, data, delivery, claimed, after)
        raise CloudUnavailable(f"{client.url}: it changed {_ATTEMPTS} times while it was read: deliver the notification again")


class _Version:
    """One version of a blob, as long as its ETag is the same; reading it raises a conflict when it is not.

    Parameters
    ----------
    client : BlobClient
    progress : Progress
        How far the blob was read.
    part_bytes : int
    logger : Logger
    """

    def __init__(self, client: BlobClient, progress: Progress, part_bytes: int, logger: AnyLogger) -> None:
        self._client = client
        self._logger = logger
        self._progress = progress
        self._part_bytes = part_bytes
        self._properties: BlobProperties = client.get_blob_properties()
        self._size = int(self._properties.size)
        self._blocks = self._committed_blocks()

    def next_part(self) -> tuple[Progress, bytes, Progress] | None:
        """Where the new bytes begin, the new whole records, and the progress when they are read. None: nothing is new."""
        base = self._progress
        reason, before = self._changed(base)
        if reason:
            self._logger.warning(
                "flow log was rewritten and is read from its beginning",
                extra={"blob": self._client.url, "reason": reason, "was_read": base.offset, "size": self._size},
            )
            base, before = Progress(etag=base.etag), b""
        if base.claimed > self._size:  # the part that was given out is not there any more
            base = replace(base, claimed=0)
        data = self._range(base.offset, base.claimed) if base.claimed else self._whole_records(base.offset)
        if not data:
            return None
        end = base.offset + len(data)
        blocks = _blocks_before(self._blocks, end)
        tail = _digest((before + data[-_TAIL:])[-_TAIL:])
        return base, data, Progress(end, 0, tail, len(blocks), _digest(repr(blocks).encode()), base.etag)

    def _changed(self, progress: Progress) -> tuple[str, bytes]:
        """Why the blob is not the one that was read before (``""``: it is), and its last bytes before the place."""
        if progress.offset > self._size:
            return "it is shorter than what was read of it", b""
        blocks = self._blocks[: progress.blocks]
        if progress.blocks and (len(blocks) < progress.blocks or _digest(repr(blocks).encode()) != progress.blocks_hash):
            return "a block that was read is not there any more", b""
        before = self._range(max(0, progress.offset - _TAIL), progress.offset)
        if progress.offset and _digest(before) != progress.tail:
            return "the last bytes that were read are not there any more", b""
        return "", before

    def _whole_records(self, start: int) -> bytes:
        """New bytes up to the end of the last record that is complete, as many as are given at once."""
        length = self._part_bytes
        while start < self._size:
            end = min(start + length, self._size)
            data = self._range(start, end)
            complete = complete_end(data, at_end=end == self._size)
            if not complete and end < self._size and length < RECORD_LIMIT:
                length *= 2
                continue
            if not complete and end < self._size:
                complete = resynchronised(data)
            if end == self._size and not is_blank(data[complete:]):
                self._logger.warning(
                    "flow log ends within a record, which waits to be complete",
                    extra={"blob": self._client.url, "offset": start + complete, "bytes": end - start - complete},
                )
            return data[:complete]
        return b""

    def _range(self, start: int, end: int) -> bytes:
        from azure.core import MatchConditions

        if start >= end:
            return b""
        reader = self._client.download_blob(
            offset=start, length=end - start, etag=self._properties.etag, match_condition=MatchConditions.IfNotModified
        )
        return bytes(reader.readall())

    def _committed_blocks(self) -> list[tuple[str, int]]:
        """(id, size) of each block, in order; none where the blob was not written in blocks."""
        if self._properties.blob_type != "BlockBlob":
            return []
        committed, _ = self._client.get_block_list("committed")
        return [(str(block.id), int(block.size)) for block in committed]


def _blocks_before(blocks: list[tuple[str, int]], offset: int) -> list[tuple[str, int]]:
    ends = accumulate(size for _, size in blocks)
    return [block for block, end in zip(blocks, ends, strict=True) if end <= offset]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
