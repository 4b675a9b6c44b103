"""Where flow logs lie: one blob for each resource, interface and hour.

``flowLogResourceID=/<subscription>_<group>/<name>/y=2026/m=11/d=23/h=09/m=00/macAddress=000D3A000001/PT1H.json``, and for a
network security group ``resourceId=/SUBSCRIPTIONS/…`` in front. Hours are UTC. Format: "Flow logs" of Azure Network Watcher.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_HOUR = re.compile(r"(?<=/)y=(\d{4})/m=(\d{2})/d=(\d{2})/h=(\d{2})(?=/m=\d{2}/)")


def hour_before(blob: str) -> str:
    """Name of the same interface's blob of the hour before, ``""`` where the name tells no hour."""
    found = _HOUR.search(blob)
    if found is None:
        return ""
    year, month, day, hour = map(int, found.groups())
    try:
        before = datetime(year, month, day, hour, tzinfo=UTC) - timedelta(hours=1)
    except (ValueError, OverflowError):
        return ""
    return f"{blob[: found.start()]}y={before:%Y}/m={before:%m}/d={before:%d}/h={before:%H}{blob[found.end() :]}"
