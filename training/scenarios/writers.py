"""How each cloud writes callers and what they call, by one interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from training.scenarios import azure_records, cloudtrail_records

Record = dict[str, Any]


class CallerOf(Protocol):
    """What a story must know of a caller of either cloud."""

    @property
    def address(self) -> str: ...
    @property
    def mfa(self) -> bool | None: ...


@dataclass(frozen=True, slots=True)
class Writer:
    """How one cloud writes callers and records."""

    make_caller: Callable[..., Any]
    elsewhere: Callable[..., Any]
    at_address: Callable[..., Any]
    record: Callable[..., Record]


WRITERS = {
    "aws": Writer(
        cloudtrail_records.make_caller, cloudtrail_records.elsewhere, cloudtrail_records.at_address, cloudtrail_records.record
    ),
    "azure": Writer(azure_records.make_caller, azure_records.elsewhere, azure_records.at_address, azure_records.record),
}
