"""Gzip flow-log object → verdicts on one core, with the full semantics: each stage's share, a baseline, peak memory.

    python -m benchmarks.flow_path [--records 300000] [--rounds 3]

Times are processor time of this process, so that other load on the machine distorts them less; the best of the rounds
counts. What is measured is what ``detect_flows`` does between the object's bytes and the verdicts: gunzip, parsing, pairing,
grouping by initiator, encoding, windows, the int8 model, entity memory (in process, so that it counts in the peak memory; the
cloud's tables are not in it).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.flow_lines import VERSION_5, write_object
from benchmarks.stages import DETECTOR, TARGET, Pass, Stages, peak_megabytes, peak_so_far, report, shares
from shared_model import flow_detection
from shared_model.collector import look_seldom
from shared_model.detector import Detector
from shared_model.encoders import network
from shared_model.memory import InProcessMemory
from shared_model.pairing import Pairer
from shared_model.parsers import flow_layout, objects, vpc_flow_logs

_NOW = 1_800_000_000_000

#: What each stage is made of: attributes that are timed.
_STAGES: Stages = {
    "gunzip": [(objects._Gunzip, "readinto")],
    "parse": [(vpc_flow_logs._Parser, "parse")],
    "pair": [(Pairer, "take"), (Pairer, "finish")],
    "encode": [(network, "encode"), (network, "expand")],
    "windows": [(flow_detection, "merge"), (flow_detection, "cut")],
    "model": [(Detector, "score_sequences")],
    "explain": [(Detector, "explain_each"), (flow_detection, "_verdict")],
    "remember": [(flow_detection, "remember"), (InProcessMemory, "store"), (InProcessMemory, "load")],
}


def run(path: Path, detector: Detector, *, remembering: bool = True) -> Pass:
    """Detect on one stored object; what is remembered of its entities is kept in this process, or not at all."""
    memory = InProcessMemory()
    records = flows = entities = rejected = verdicts = 0
    began = time.process_time()
    with path.open("rb") as stream:
        for read in vpc_flow_logs.read_flows(stream, source="benchmark"):
            found = flow_detection.detect(read.batch, detector, memory, now_ms=_NOW, correlation_id="benchmark")
            if remembering:
                memory.store(found.states, now_ms=_NOW)
            records += read.records
            flows += len(read.batch)
            rejected += len(read.rejected)
            entities += len(found.scores)
            verdicts += len(found.verdicts)
    return Pass(time.process_time() - began, records, flows, entities, rejected, verdicts)


def baseline(path: Path, version: int) -> float:
    """Records per second of a straightforward parser: csv module, one dict a record. It neither pairs nor scores."""
    names = VERSION_5.split() if version == 5 else list(flow_layout.DEFAULT_LAYOUT)
    numbers = ("srcport", "dstport", "protocol", "packets", "bytes", "start", "end")
    lines, kept, began = 0, [], time.process_time()
    with gzip.open(path, "rt") as stream:
        for fields in csv.reader(stream, delimiter=" "):
            lines += 1
            if len(fields) == len(names) and fields[0] != "version":
                record: dict[str, Any] = dict(zip(names, fields, strict=True))
                for name in numbers:
                    record[name] = int(record[name])
                kept.append(record)
                if len(kept) == 10_000:
                    kept.clear()
    return lines / (time.process_time() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=TARGET)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    look_seldom()  # as every function does
    detector = Detector.load(DETECTOR)
    if options.peak:
        before = peak_so_far()
        run(options.peak, detector, remembering=False)  # entities grow with the traffic, but in a table of the cloud
        print(before, peak_so_far())
        return
    print(machine.describe())
    with tempfile.TemporaryDirectory() as folder:
        for version in (2, 5):
            path = Path(folder) / f"version-{version}.log.gz"
            write_object(path, options.records, version=version)
            _report(path, version, detector, options.rounds)
        # From the size on at which the first block is full, memory must not grow with the object.
        for times in (2, 8):
            path = Path(folder) / f"{times}.log.gz"
            write_object(path, times * options.records, version=2)
            before, peak = peak_megabytes("benchmarks.flow_path", path)
            sizes = f"object of {times * options.records:,} records"
            print(f"{sizes}: {peak:.0f} MB at most, of which {before:.0f} MB before reading it")


def _report(path: Path, version: int, detector: Detector, rounds: int) -> None:
    best = min((run(path, detector) for _ in range(rounds)), key=lambda each: each.seconds)
    plain = baseline(path, version)
    each = shares(_STAGES, lambda: run(path, detector))
    title = f"version {version}: {best.records:,} records"
    report(title, best.records, "records", best, each, plain, "parsing alone with csv and a dict a record")


if __name__ == "__main__":
    main()
