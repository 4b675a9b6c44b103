"""VNet flow-log blob → verdicts on one core, with the full semantics: each stage's share, a baseline, peak memory.

    python -m benchmarks.vnet_flow_path [--tuples 300000] [--rounds 3]

Times are processor time of this process, so that other load on the machine distorts them less; the best of the rounds counts.
What is measured is what ``detect_flows`` does between the blob's bytes and the verdicts, the finding of what is new included;
the storage services themselves are stood in for by a file and this process' memory.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from azure.core.exceptions import ResourceNotFoundError

from azure_functions.adapters import flow_blobs
from azure_functions.adapters.flow_blobs import FlowBlobs
from benchmarks import machine
from benchmarks.flow_tuples import make_blob
from benchmarks.stages import DETECTOR, TARGET, Pass, Stages, peak_megabytes, peak_so_far, report, shares
from shared_model import flow_detection
from shared_model.collector import look_seldom
from shared_model.detector import Detector
from shared_model.encoders import network
from shared_model.memory import InProcessMemory
from shared_model.parsers import azure_flow_logs, azure_records, vnet_flow_logs

_NOW = 1_800_000_000_000

#: What each stage is made of: attributes that are timed.
_STAGES: Stages = {
    "find records": [(flow_blobs, "complete_end"), (azure_records.Skeleton, "__init__"), (azure_records.Skeleton, "complete")],
    "decode": [(azure_records.Skeleton, "decoded")],
    "tuples": [(azure_flow_logs._Reader, "add")],
    "join": [(azure_flow_logs._Reader, "take")],
    "encode": [(network, "encode"), (network, "expand")],
    "windows": [(flow_detection, "merge"), (flow_detection, "cut")],
    "model": [(Detector, "score_sequences")],
    "explain": [(Detector, "explain_each"), (flow_detection, "_verdict")],
    "remember": [(flow_detection, "remember"), (InProcessMemory, "store"), (InProcessMemory, "load")],
}


class OneRow:
    """One blob's row of progress in memory: the calls of the tables' SDK that the adapter makes."""

    def __init__(self) -> None:
        self._row: Any = None

    def __call__(self, service: str, group: str, **_: str) -> Any:
        """Return the client of a service, as :class:`azure_functions.clients.Clients` does."""
        return self

    def get_table_client(self, name: str) -> OneRow:
        return self

    def get_entity(self, *_: str) -> Any:
        if self._row is None:
            raise ResourceNotFoundError("no row yet", response=SimpleNamespace(status_code=404, reason="", headers={}))
        return self._row

    def create_entity(self, row: dict[str, Any]) -> dict[str, Any]:
        self._row = _Row(row)
        return self._row.metadata

    def update_entity(self, row: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        return self.create_entity(row)


class _Storage(OneRow):
    """And its blob in a file: the calls of the blobs' SDK."""

    url = "benchmark"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def get_blob_client(self, container: str, blob: str) -> _Storage:
        return self

    def get_blob_properties(self) -> Any:
        return SimpleNamespace(size=self._path.stat().st_size, etag="1", blob_type="AppendBlob")

    def download_blob(self, *, offset: int, length: int, **_: Any) -> Any:
        with self._path.open("rb") as stream:
            stream.seek(offset)
            data = stream.read(length)
        return SimpleNamespace(readall=lambda: data)


class _Row(dict[str, Any]):
    metadata: dict[str, Any] = {"etag": "1"}  # noqa: RUF012 - nobody else has the rows


def run(storage: OneRow, detector: Detector, *, remembering: bool = True) -> Pass:
    """Detect on the storage's one blob; what is remembered of its entities is kept in this process, or not at all."""
    memory = InProcessMemory()
    records = flows = entities = rejected = verdicts = 0
    blobs = FlowBlobs(storage, logger=logging.getLogger(__name__))
    began = time.process_time()
    for part in blobs.new_parts("flows", "PT1H.json"):
        for number, read in enumerate(vnet_flow_logs.read_flows(part.open(), source="benchmark")):
            delivery = f"{part.delivery}/{number}"
            found = flow_detection.detect(
                read.batch, detector, memory, now_ms=_NOW, correlation_id="benchmark", delivery=delivery
            )
            if remembering:
                memory.store(found.states, now_ms=_NOW)
            records += read.records
            flows += len(read.batch)
            rejected += len(read.rejected)
            entities += len(found.scores)
            verdicts += len(found.verdicts)
        blobs.commit(part)
    return Pass(time.process_time() - began, records, flows, entities, rejected, verdicts)


def baseline(path: Path) -> float:
    """Tuples per second of a straightforward parser: json.loads and one dict a tuple. It neither joins nor scores."""
    names = ("time", "source", "destination", "source_port", "destination_port", "protocol", "direction", "state", "encryption")
    counts = ("packets_out", "bytes_out", "packets_in", "bytes_in")
    numbers = ("time", "source_port", "destination_port", "protocol", *counts)
    tuples, kept, began = 0, [], time.process_time()
    for record in json.loads(path.read_bytes())["records"]:
        for flow in record["flowRecords"]["flows"]:
            for group in flow["flowGroups"]:
                for text in group["flowTuples"]:
                    tuples += 1
                    fields = text.split(",")
                    if len(fields) == 13:
                        values: dict[str, Any] = dict(zip((*names, *counts), fields, strict=True))
                        for name in numbers:
                            values[name] = int(values[name])
                        kept.append(values)
                        if len(kept) == 10_000:
                            kept.clear()
    return tuples / (time.process_time() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tuples", type=int, default=TARGET)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    look_seldom()  # as every function does
    detector = Detector.load(DETECTOR)
    if options.peak:
        before = peak_so_far()
        run(_Storage(options.peak), detector, remembering=False)  # entities grow with the traffic, but in a table of the cloud
        print(before, peak_so_far())
        return
    print(machine.describe())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "PT1H.json"
        for per_group in (600, 50, 10):
            path.write_bytes(make_blob(options.tuples, per_group=per_group))
            _report(f"{per_group} tuples an array", path, detector, options.rounds)
        # From the size on at which the first part is full, memory must not grow with the blob.
        for times in (2, 8):
            path.write_bytes(make_blob(times * options.tuples, per_group=600))
            before, peak = peak_megabytes("benchmarks.vnet_flow_path", path)
            sizes = f"blob of {times * options.tuples:,} tuples"
            print(f"{sizes}: {peak:.0f} MB at most, of which {before:.0f} MB before reading it")


def _report(name: str, path: Path, detector: Detector, rounds: int) -> None:
    best = min((run(_Storage(path), detector) for _ in range(rounds)), key=lambda each: each.seconds)
    total = best.records + best.rejected
    plain = max(baseline(path) for _ in range(rounds))
    each = shares(_STAGES, lambda: run(_Storage(path), detector))
    title = f"{name}: {path.stat().st_size / 1e6:.1f} MB, {total:,} tuples"
    report(title, total, "tuples", best, each, plain, "parsing alone with json.loads and a dict a tuple")


if __name__ == "__main__":
    main()
