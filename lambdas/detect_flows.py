"""VPC Flow Log objects → verdicts on addresses and the instances behind them."""

from __future__ import annotations

import time
from typing import Any

from lambdas.adapters.objects import StoredObject
from lambdas.detection_room import DetectionRoom
from lambdas.function import Function
from shared_model.flow_detection import detect
from shared_model.parsers.vpc_flow_logs import read_flows

FUNCTION = Function("detect_flows", needs=("memory_table", "verdict_queue_url", "lake_bucket"))
ROOM = DetectionRoom(FUNCTION)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point: SQS messages with notifications of flow-log objects."""
    return FUNCTION.run(event, lambda message: ROOM.each_object(message, "vpc_flow_logs", _detect))


def _detect(stored: StoredObject, source: str) -> None:
    detector, cause = ROOM.detector("network"), stored.correlation_id
    now_ms = FUNCTION.now_ms()
    for number, read in enumerate(read_flows(ROOM.objects.open(stored), source=source, account=stored.account)):
        started = time.perf_counter()
        part = f"{cause}/{number}"
        # Without a version two writings of one object look alike, and the second would pass for the first delivered again.
        delivery = part if stored.version else ""
        found = detect(read.batch, detector, ROOM.memory, now_ms=now_ms, correlation_id=cause, delivery=delivery)
        ROOM.conclude(found, detector, events=read.records, started=started)
        ROOM.keep_rejected(read.rejected, part)
        FUNCTION.count("NoData", read.nodata)
        FUNCTION.count("SkippedByAws", read.skipdata)
