"""What VNet and NSG flow logs have in common: blobs of records with flow tuples in them → two-way flows.

Numbers: each tuple of the source counts, and each record or block that cannot be used counts as one, so that the flows' tuples
and the rejects together are all numbers from 1 on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from shared_model.connections import FlowTuples, flows_of
from shared_model.events import Interface, Rejected
from shared_model.flow_records import FlowRead
from shared_model.parsers.address_fields import AddressFields
from shared_model.parsers.azure_records import MARK, SEPARATOR, RecordChunk, read_records
from shared_model.parsers.fields import FieldError, rejected
from shared_model.parsers.flow_tuples import TupleText

#: How many bytes of tuples are read at once.
_AT_ONCE = 1 << 20
#: Tuples of one interface, within a record: a JSON array as :class:`RecordChunk` holds it.
Block = tuple[Interface, list[Any]]
#: Yields the blocks of a record, and a FieldError for each that cannot be used.
Blocks = Callable[[dict[str, Any]], Iterator[Block | FieldError]]
#: Reads tuples as columns: (text, reader of addresses, source) → good ones and rejects.
Columns = Callable[[TupleText, AddressFields, str], tuple[FlowTuples, list[Rejected]]]


def read_flow_log(stream: BinaryIO, *, source: str, block: int, blocks: Blocks, columns: Columns) -> Iterator[FlowRead]:
    """Read a flow log as two-way flows: what ``read_flows`` of either kind does."""
    reader = _Reader(source, blocks, columns)
    for chunk in read_records(stream, source=source):
        reader.add(chunk)
        if reader.waiting >= block or len(reader.rejected) >= block:
            yield reader.take()
    if reader.waiting or reader.rejected:
        yield reader.take()


def array_at(record: object, *steps: str) -> list[Any]:
    """List under these names, one within the other. Raises FieldError."""
    value: Any = record
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    if not isinstance(value, list):
        raise FieldError(".".join(steps), "is missing or not a list: the record is of another kind, or damaged")
    return value


def interface_of(mac: object, resource: object, log: object = "") -> Interface:
    """Return the interface of a MAC address, which the log knows alone, with the resource whose log it is.

    Parameters
    ----------
    mac : object
        As written; the interface's id is the same in lower case.
    resource : object
        ARM id of the virtual network (subnet, interface) or network security group.
    log : object
        ARM id of the flow log, whose subscription counts where the resource has none.
    """
    if not isinstance(mac, str) or not mac.strip():
        raise FieldError("macAddress", "is missing: the flows' interface is not known")
    if not isinstance(resource, str) or not isinstance(log, str):
        raise FieldError("targetResourceID", "is no text")
    return Interface(mac.strip().lower(), _subscription(resource) or _subscription(log), "", resource.strip().lower())


def _subscription(resource: str) -> str:
    """Subscription in an ARM id, lower case; "" where there is none."""
    steps = resource.lower().strip("/ ").split("/")
    return steps[1] if len(steps) > 1 and steps[0] == "subscriptions" else ""


class _Found(NamedTuple):
    """What a chunk holds: (interface, text) of each array; of what is rejected: how many arrays stand before it, why, itself."""

    arrays: list[tuple[int, bytes]]
    rejected: list[tuple[int, FieldError, object]]


class _Reader:
    """What lasts from chunk to chunk: numbers, interfaces, addresses read, tuples that wait to be joined."""

    def __init__(self, source: str, blocks: Blocks, columns: Columns) -> None:
        self._source, self._blocks, self._columns = source, blocks, columns
        self._read = AddressFields()
        self._next = 1
        self._interfaces: dict[Interface, int] = {}
        self._parts: list[FlowTuples] = []
        self.rejected: list[Rejected] = []

    @property
    def waiting(self) -> int:
        """Tuples since the last :meth:`take`."""
        return sum(map(len, self._parts))

    def take(self) -> FlowRead:
        """Flows of what was added."""
        tuples = FlowTuples.joined(self._parts)
        found = tuple(sorted(self.rejected, key=lambda item: item.record))
        self._parts, self.rejected = [], []
        return FlowRead(flows_of(tuples, tuple(self._interfaces), self._source), found, len(tuples))

    def add(self, chunk: RecordChunk) -> None:
        """Read the tuples of a chunk."""
        found = self._found(chunk)
        texts = _in_texts(found.arrays)
        if not all(text.regular for text in texts):
            found = self._found(chunk.uncut(self._source))
            texts = _in_texts(found.arrays)
        sizes = np.concatenate([np.empty(0, np.int64), *(text.sizes for text in texts)])
        # What was rejected stands behind so many arrays; it counts as one in the numbers of what follows.
        behind = np.array([place for place, _, _ in found.rejected], np.int64)
        tuples_before = np.append(0, np.cumsum(sizes))
        numbers = self._next + tuples_before[behind] + np.arange(len(behind))
        for number, (_, error, raw) in zip(numbers.tolist(), found.rejected, strict=True):
            self.rejected.append(rejected(self._source, number, error, raw))
        first = self._next + tuples_before[:-1] + np.searchsorted(behind, np.arange(len(sizes)), "right")
        interface = np.array([index for index, _ in found.arrays], np.int32)
        begin = 0
        for text in texts:
            end = begin + len(text.sizes)
            text.place(interface[begin:end], first[begin:end])
            tuples, wrong = self._columns(text, self._read, self._source)
            self._parts.append(tuples)
            self.rejected += wrong
            begin = end
        self._next += int(sizes.sum()) + len(behind)

    def _found(self, chunk: RecordChunk) -> _Found:
        """Arrays of tuples in a chunk, and what cannot be used."""
        found = _Found([], [])
        latest, index = None, -1
        for item in chunk.records:
            for each in self._blocks_of(item):
                if isinstance(each, FieldError):
                    raw = item.raw if isinstance(item, Rejected) else item
                    found.rejected.append((len(found.arrays), each, raw))
                    continue
                interface, tuples = each
                if interface is not latest:  # the next block mostly is of the same record
                    latest, index = interface, self._interfaces.setdefault(interface, len(self._interfaces))
                if tuples:
                    found.arrays.append((index, _array(tuples, chunk.arrays)))
        return found

    def _blocks_of(self, item: object) -> Iterator[Block | FieldError]:
        if isinstance(item, Rejected):
            yield FieldError(item.field, item.reason)
        elif not isinstance(item, dict):
            yield FieldError("", "is not a JSON object")
        elif isinstance(inner := item.get("records"), list):  # the container, with something before its records
            for each in inner:
                yield from self._blocks_of(each)
        else:
            try:
                yield from self._blocks(item)
            except FieldError as error:
                yield error


def _in_texts(arrays: list[tuple[int, bytes]]) -> list[TupleText]:
    """The arrays, some at a time: columns of so many tuples stay in the processor's cache."""
    if not arrays:
        return []
    ends = np.cumsum([len(text) for _, text in arrays])
    cuts = np.flatnonzero(np.diff(ends // _AT_ONCE, append=-1)) + 1
    begins = [0, *cuts[:-1].tolist()]
    return [TupleText([text for _, text in arrays[begin:end]]) for begin, end in zip(begins, cuts.tolist(), strict=True)]


def _array(tuples: list[Any], arrays: tuple[bytes, ...]) -> bytes:
    """An array of tuples as bytes, with a separator between them."""
    if arrays and len(tuples) == 1 and isinstance(mark := tuples[0], str) and mark.startswith(MARK):
        return arrays[int(mark[1:])]
    return SEPARATOR.join(map(_text, tuples))


def _text(value: object) -> bytes:
    """One tuple; of what is none, something that will not pass for one and still shows what it was."""
    if isinstance(value, str) and "\n" not in value and '"' not in value:
        return value.encode("utf-8", "replace")
    return json.dumps(value).replace('"', "'").encode()
