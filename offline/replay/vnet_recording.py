"""A VNet flow log that Network Watcher wrote of a real machine, as that of a seeded one: account, address and time change.

Four minutes of a machine with a public address, which the internet scans and whose security group stops that, and which talks
to a few services of its own accord.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.data_root import data_root
from training.scenarios.vnet_flow_log import FlowLog, FlowRecord

_FILE = Path("azure_flow_logs") / "blob_fixtures_vnetflowlogs.json"
#: The file holds the blob twice, as it was read twice.
_RECORDS = 4
#: Nobody has said what the recorded flows were.
UNLABELLED = ""
SOURCE = "a recorded VNet flow log of a machine that the internet scans"


def recorded_minutes(log: FlowLog, mac: str, address: str, at: datetime) -> tuple[FlowRecord, ...]:
    """Return the records, the newest ending now; none where the recording is not there.

    Parameters
    ----------
    log : FlowLog
        Whose records they become.
    mac, address : str
        Of the interface that they become; the MAC address as Network Watcher writes it.
    at : datetime
        When the newest record was written.
    """
    root = data_root()
    if root is None or not (root / _FILE).is_file():
        return ()
    records: list[dict[str, Any]] = json.loads((root / _FILE).read_bytes())["records"][:_RECORDS]
    shift_ms = int(at.timestamp() * 1000) - max(map(_time_ms, records))
    own = _own_address(records)
    return tuple(_moved(record, log, mac, {own: address}, shift_ms) for record in records)


def _moved(record: dict[str, Any], log: FlowLog, mac: str, addresses: dict[str, str], shift_ms: int) -> FlowRecord:
    time_ms = _time_ms(record) + shift_ms
    flows = [
        {
            "aclID": f"{log.network_id.rpartition('/virtualNetworks/')[0]}/networkSecurityGroups/edge",
            "flowGroups": [
                {**group, "flowTuples": [_moved_tuple(text, addresses, shift_ms) for text in group["flowTuples"]]}
                for group in flow["flowGroups"]
            ],
        }
        for flow in record["flowRecords"]["flows"]
    ]
    content = {
        **record,
        "time": datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        "macAddress": mac,
        "flowLogResourceID": log.log_id.upper(),
        "targetResourceID": log.network_id,
        "flowRecords": {"flows": flows},
    }
    count = sum(len(group["flowTuples"]) for flow in flows for group in flow["flowGroups"])
    return FlowRecord(mac, time_ms, content, (UNLABELLED,) * count)


def _moved_tuple(text: str, addresses: dict[str, str], shift_ms: int) -> str:
    time_ms, source, destination, rest = text.split(",", 3)
    ends = (addresses.get(each, each) for each in (source, destination))
    return ",".join([str(int(time_ms) + shift_ms), *ends, rest])


def _own_address(records: list[dict[str, Any]]) -> str:
    """The address that the interface has: it is at one end of every flow."""
    ends = Counter(end for text in _tuples(records) for end in text.split(",", 3)[1:3])
    return ends.most_common(1)[0][0]


def _tuples(records: list[dict[str, Any]]) -> Iterator[str]:
    for record in records:
        for flow in record["flowRecords"]["flows"]:
            for group in flow["flowGroups"]:
                yield from group["flowTuples"]


def _time_ms(record: dict[str, Any]) -> int:
    # ``2024-12-12T04:00:24.7385180Z``: ticks of 100 ns, one digit more than fromisoformat takes in every version.
    return int(datetime.fromisoformat(record["time"][:23] + "+00:00").timestamp() * 1000)
