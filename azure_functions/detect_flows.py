"""Flow-log blobs of virtual networks and of network security groups → verdicts on addresses and the machines behind them.

The host hands over where the blob is. A blob grows for an hour and is announced at every append, and only what is new is read.
With a new hour's first records, what was left of the hour before is read as well.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

import azure.functions as func

from azure_functions.adapters.flow_log_paths import hour_before
from azure_functions.adapters.inventory import Inventory
from azure_functions.blob_reference import BlobReference
from azure_functions.detection_room import DetectionRoom
from azure_functions.function import Function, Message
from azure_functions.registry import FLOW_LOG_CONNECTION, NSG_FLOW_LOGS, VNET_FLOW_LOGS
from shared_model.errors import CloudUnavailable, UnreadableTelemetry

if TYPE_CHECKING:
    from azure_functions.adapters.flow_blobs import FlowBlobs, Part

_NEEDS = ("table_endpoint", "queue_endpoint", "blob_endpoint", "flow_log_endpoint")


class FlowRoom(DetectionRoom):
    """The detection's adapters, and those that only flow logs need."""

    def __init__(self, function: Function) -> None:
        super().__init__(function)
        self.function = function

    @cached_property
    def blobs(self) -> FlowBlobs:
        """What is new in each blob."""
        from azure_functions.adapters.flow_blobs import FlowBlobs  # here, because it brings numpy

        return FlowBlobs(self.function.clients, logger=self.function.logger, now_s=lambda: self.function.now_ms() / 1000)

    @cached_property
    def inventory(self) -> Inventory:
        """Which machine an interface is."""
        return Inventory(self.function.clients, now_ms=self.function.now_ms, unreadable=self._unreadable)

    def _unreadable(self, subscription: str, reason: str) -> None:
        self.function.logger.error("interfaces not readable", extra={"subscription": subscription, "reason": reason})
        self.function.count("InventoryFailures")


FUNCTION = Function("detect_flows", needs=_NEEDS)
ROOM = FlowRoom(FUNCTION)
NSG_FUNCTION = Function("detect_nsg_flows", needs=_NEEDS)
NSG_ROOM = FlowRoom(NSG_FUNCTION)
BLUEPRINT = func.Blueprint()


@BLUEPRINT.function_name("detect_flows")
@BLUEPRINT.blob_trigger(
    arg_name="blob", path=f"{VNET_FLOW_LOGS}/{{name}}", connection=FLOW_LOG_CONNECTION, source=func.BlobSource.EVENT_GRID
)
def detect_flows(blob: BlobReference) -> None:
    """Entry point: a virtual network's flow log was written to."""
    _read_blob(ROOM, blob, "vnet_flow_logs")


@BLUEPRINT.function_name("detect_nsg_flows")
@BLUEPRINT.blob_trigger(
    arg_name="blob", path=f"{NSG_FLOW_LOGS}/{{name}}", connection=FLOW_LOG_CONNECTION, source=func.BlobSource.EVENT_GRID
)
def detect_nsg_flows(blob: BlobReference) -> None:
    """Entry point: a network security group's flow log was written to."""
    _read_blob(NSG_ROOM, blob, "nsg_flow_logs")


def _read_blob(room: FlowRoom, blob: BlobReference, parser: str) -> None:
    def handle(_: Message) -> None:
        damage: list[Exception] = []
        for part in room.blobs.new_parts(blob.container, blob.name):
            if part.start == 0:  # of a new hour, and not committed before the hour that is over was looked at
                damage += _finish_hour_before(room, blob, parser)
            damage += _read_part(room, part, parser)
        _read_what_is_left(room, blob.container, parser)
        if damage:
            raise damage[0]

    room.function.run((Message(blob.path, blob.path.encode()),), handle).or_raise()


def _finish_hour_before(room: FlowRoom, blob: BlobReference, parser: str) -> list[Exception]:
    """Read what may be left of the hour before: nothing announces its blob again once the last event about it has failed."""
    before = hour_before(blob.name)
    return _read_left(room, blob.container, before, parser) if before else []


def _read_what_is_left(room: FlowRoom, container: str, parser: str) -> None:
    """Read what no event announces any more. It is not this event's: what fails is logged, and is looked at in a later turn."""
    try:
        for name in room.blobs.left_behind(container):
            for reason in _read_left(room, container, name, parser):
                room.function.logger.warning("flow log left behind not readable", extra={"blob": name, "reason": str(reason)})
    except CloudUnavailable as error:
        room.function.logger.warning("flow logs left behind not looked for", extra={"reason": str(error)})


def _read_left(room: FlowRoom, container: str, name: str, parser: str) -> list[Exception]:
    """Read what is new in another blob than the event's. Returns what is wrong with it; raises CloudUnavailable."""
    damage: list[Exception] = []
    try:
        for part in room.blobs.new_parts(container, name, may_be_absent=True):
            damage += _read_part(room, part, parser)
    except CloudUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - what is wrong with it must hold up neither others nor the present event
        damage.append(error)
    return damage


def _read_part(room: FlowRoom, part: Part, parser: str) -> list[Exception]:
    """Score a part and commit it. Returns why it could not be read: it stays so, and what comes behind it must not wait."""
    damage: list[Exception] = []
    room.function.correlate(part.name)
    try:
        _detect(room, part, parser)
    except UnreadableTelemetry as reason:
        damage.append(reason)
    room.blobs.commit(part)
    return damage


def _detect(room: FlowRoom, part: Part, parser: str) -> None:
    from shared_model.flow_detection import detect  # here, because it brings numpy

    read_flows = import_module(f"shared_model.parsers.{parser}").read_flows
    detector, now_ms = room.detector("network"), room.function.now_ms()
    for number, read in enumerate(read_flows(part.open(), source=f"{parser}:{part.name}")):
        started = time.perf_counter()
        batch = replace(read.batch, interfaces=room.inventory.resolve(read.batch.interfaces))
        delivery = f"{part.delivery}/{number}"
        found = detect(batch, detector, room.memory, now_ms=now_ms, correlation_id=part.name, delivery=delivery)
        found = replace(found, verdicts=room.inventory.name_initiators(found.verdicts))
        room.conclude(found, detector, events=read.records, started=started)
        room.keep_rejected(read.rejected, delivery)
        room.function.count("NoData", read.nodata)
        room.function.count("UnknownInterfaces", sum(not interface.instance_id for interface in batch.interfaces))
