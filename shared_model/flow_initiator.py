"""Who began a flow, from the records of its two directions, or of the one that was logged.

The first of these that decides:

1. TCP flags: SYN without ACK was sent by the initiator, SYN with ACK by the responder.
2. Ports: the one end whose port is a service's (below 1024, or in :data:`SERVICE_PORTS`) is the responder.
   It stands before time, because the aggregation intervals of a long flow begin in any order.
3. The record that began earlier.
4. The lower port is the responder's.
5. The record that was logged first.

For a record without a mate only the first two count (and not the ports when it was refused: nobody answers what was
not let in); then its source began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared_model.flow_records import FlowRecords

#: Ports at or above 1024 behind which services listen, so that the other end is the one that began.
SERVICE_PORTS = (1433, 1521, 2049, 2323, 3306, 3389, 5432, 5900, 5985, 5986, 6379, 6443, 8080, 8443, 9092, 9200, 11211, 27017)

_SYN, _ACK = 0x02, 0x10
_TCP = 6

_service_table: NDArray[np.bool_] | None = None


def _is_service(port: NDArray[np.int32]) -> NDArray[np.bool_]:
    global _service_table
    if _service_table is None:
        _service_table = np.zeros(1 << 16, np.bool_)
        _service_table[1:1024] = True
        _service_table[list(SERVICE_PORTS)] = True
    result: NDArray[np.bool_] = _service_table[port]
    return result


def began_by_second(records: FlowRecords, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether the source of a flow's second record began it.

    Parameters
    ----------
    records : FlowRecords
    first, second : intp (n,)
        The records of each flow; -1 in ``second`` where there is one only, whose destination may have begun.

    Returns
    -------
    bool (n,)
    """
    alone = second < 0
    other = np.where(alone, first, second)
    tcp = records.protocol[first] == _TCP
    flags, other_flags = records.flags[first], records.flags[other]
    asks, answers = flags & (_SYN | _ACK) == _SYN, flags & (_SYN | _ACK) == _SYN | _ACK
    other_asks, other_answers = other_flags & (_SYN | _ACK) == _SYN, other_flags & (_SYN | _ACK) == _SYN | _ACK
    # Positive: the second record's source began. The weights keep an earlier kind of evidence above all later ones.
    score = 32 * (tcp & answers).astype(np.int8) - 32 * (tcp & asks).astype(np.int8)
    score += np.where(alone, 0, 32 * (tcp & other_asks).astype(np.int8) - 32 * (tcp & other_answers).astype(np.int8))
    score = np.sign(score).astype(np.int8) * 8
    source_port, destination_port = records.source_port[first], records.destination_port[first]
    ports = _is_service(source_port).astype(np.int8) - _is_service(destination_port).astype(np.int8)
    score += 4 * np.where(alone & records.refused[first], 0, ports).astype(np.int8)
    earlier = np.sign(records.start_ms[first] - records.start_ms[other]).astype(np.int8)
    score += 2 * earlier  # 0 for a record alone: it is its own other
    lower = np.sign(destination_port - source_port).astype(np.int8)
    score += np.where(alone, 0, lower).astype(np.int8)
    began: NDArray[np.bool_] = score > 0
    return began
