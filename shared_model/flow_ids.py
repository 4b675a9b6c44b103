"""Ids of flows: hashes that are the same in every process and every batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared_model.events import FlowBatch


def event_ids(batch: FlowBatch) -> NDArray[np.uint64]:
    """Deterministic id of each flow: a hash of interface, addresses, ports, protocol, start and what was seen of it.

    The interface enters by its text, so that the same flow has the same id in whichever batch it comes.
    """
    texts = np.array([_text_hash(item.interface_id) for item in batch.interfaces], np.uint64)
    seen = batch.two_way.astype(np.uint64) | (batch.rejected.astype(np.uint64) << np.uint64(1))
    seen |= ((batch.packets_out == 0) & (batch.bytes_out == 0)).astype(np.uint64) << np.uint64(2)
    ports = (batch.source_port.astype(np.uint64) << np.uint64(16)) | batch.destination_port.astype(np.uint64)
    ports |= (batch.protocol.astype(np.uint64) << np.uint64(32)) | (seen << np.uint64(48))
    mixed = texts[batch.interface]
    for part in (
        batch.source[:, 0],
        batch.source[:, 1],
        batch.destination[:, 0],
        batch.destination[:, 1],
        ports,
        batch.start_ms.astype(np.uint64),
    ):
        mixed = mix(mixed ^ part)
    return mixed


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit over the word (the finaliser of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values + np.uint64(0x9E3779B97F4A7C15)


def _text_hash(text: str) -> int:
    """FNV-1a, 64 bits: the same in every process, unlike ``hash``."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & (2**64 - 1)
    return value
