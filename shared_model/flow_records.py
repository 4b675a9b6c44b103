"""One-way flow records as columns, which pairing takes, and what a parser of flow logs yields."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared_model.events import FlowBatch, Interface, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FlowRead:
    """What one step of reading yields: flows, and what was no flow.

    Attributes
    ----------
    batch : FlowBatch
    rejected : tuple of Rejected
    records, nodata, skipdata : int
        Records (lines, tuples) read as flows; lines that say that an interface had no traffic; lines that say that records
        were lost.
    """

    batch: FlowBatch
    rejected: tuple[Rejected, ...] = ()
    records: int = 0
    nodata: int = 0
    skipdata: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class FlowRecords:
    """One-way records as columns, all of length n, and what was no record beside them.

    Attributes
    ----------
    start_ms, end_ms, source, destination, source_port, destination_port, protocol, interface, record
        As in :class:`~shared_model.events.FlowBatch`.
    packets, bytes : int64 (n,)
        -1 where the log has none.
    flags : uint8 (n,)
        TCP flags, 0 where the log has none.
    refused : bool (n,)
    direction : int8 (n,)
        1 into the interface, 2 out of it, 0 unknown.
    interfaces : tuple of Interface
        Within one stream later chunks only add to it.
    rejected, nodata, skipdata
        Lines of the chunk that are no records.
    """

    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    source: NDArray[np.uint64]
    destination: NDArray[np.uint64]
    source_port: NDArray[np.int32]
    destination_port: NDArray[np.int32]
    protocol: NDArray[np.int16]
    packets: NDArray[np.int64]
    bytes: NDArray[np.int64]
    flags: NDArray[np.uint8]
    refused: NDArray[np.bool_]
    direction: NDArray[np.int8]
    interface: NDArray[np.int32]
    record: NDArray[np.int64]
    interfaces: tuple[Interface, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    nodata: int = 0
    skipdata: int = 0

    def __len__(self) -> int:
        return len(self.start_ms)

    @classmethod
    def empty(cls) -> Self:
        """No records."""
        columns: dict[str, Any] = {name: np.empty(0, kind) for name, kind in _COLUMNS.items()}
        columns["source"] = columns["destination"] = np.empty((0, 2), np.uint64)
        return cls(**columns)

    @classmethod
    def joined(cls, parts: Sequence[Self], interfaces: tuple[Interface, ...]) -> Self:
        """Several chunks of one stream as one."""
        if not parts:
            return replace(cls.empty(), interfaces=interfaces)
        if len(parts) == 1:
            return replace(parts[0], interfaces=interfaces)
        return cls(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS},
            interfaces=interfaces,
            rejected=tuple(rejected for part in parts for rejected in part.rejected),
            nodata=sum(part.nodata for part in parts),
            skipdata=sum(part.skipdata for part in parts),
        )

    def keep(self, rows: NDArray[np.intp]) -> Self:
        """Those records only."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})

    def noted(self, rejected: tuple[Rejected, ...], nodata: int = 0, skipdata: int = 0) -> Self:
        """The same records with what was no record beside them."""
        return replace(self, rejected=rejected, nodata=nodata, skipdata=skipdata)


_COLUMNS: dict[str, type] = {
    "start_ms": np.int64,
    "end_ms": np.int64,
    "source": np.uint64,
    "destination": np.uint64,
    "source_port": np.int32,
    "destination_port": np.int32,
    "protocol": np.int16,
    "packets": np.int64,
    "bytes": np.int64,
    "flags": np.uint8,
    "refused": np.bool_,
    "direction": np.int8,
    "interface": np.int32,
    "record": np.int64,
}
assert set(_COLUMNS) <= {column.name for column in fields(FlowRecords)}  # noqa: S101 - a column cannot be forgotten here
