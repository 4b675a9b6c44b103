"""How the shipped ``audit`` detector scores recorded Azure records: ``python -m training.azure_records``.

It was trained on generated calls of both clouds and on recorded ones of AWS alone: of Azure it saw no recording. Each case is
scored alone, as one principal's only record (no benign history of an Azure principal is at hand), except where a data set
holds a sequence. Panther's cases say whether a rule fires, not whether somebody attacks: no rate is worked out from them.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from shared_model.audit_detection import detect_api_calls, detect_system_events
from shared_model.detection import Detection
from shared_model.detector import Detector
from shared_model.encoders.audit import encode_system_events
from shared_model.events import ApiCall, Rejected, SystemEvent
from shared_model.memory import InProcessMemory
from shared_model.parsers.azure_audit import parse_audit_records, read_audit_records
from shared_model.parsers.azure_system_logs import parse_azure_system_logs
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.parsers.system_logs import read_system_logs
from training.data_root import data_root
from training.loaders.compressed import read_xz

_ARTIFACT = Path(__file__).parents[1] / "model_artifacts" / "audit"
_NOW_MS = 1_767_225_600_000
_BATCH = 64  # lines of a log that arrive together


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was scored, how many there were, and how many reached the threshold."""

    name: str
    records: int
    entities: int
    over: int
    highest: float
    rejected: int = 0
    note: str = ""


def figures(root: Path, detector: Detector) -> Iterator[Figure]:
    """Score everything that is recorded of Azure, and beside it the same kind of cases of AWS."""
    yield _activity_sample(root, detector)
    yield _golden_saml(root, detector)
    for name, folders, parse in (
        ("Azure", ("azure_activity_rules", "azure_signin_rules"), parse_audit_records),
        ("AWS", ("aws_cloudtrail_rules",), parse_cloudtrail),
    ):
        for fires in (True, False):
            yield _panther(root, detector, name, folders, parse, fires)
    yield _ssh(root, detector)


def _activity_sample(root: Path, detector: Detector) -> Figure:
    document = json.loads((root / "azure_activity" / "activity_log_fixtures.json").read_text())
    held = len(document["records"])
    figure = _calls("azure_activity: the sample", [list(parse_audit_records(document, source="sample"))], detector)
    return replace(figure, note=f"{held - figure.records} of {held} records only say that an operation began")


def _golden_saml(root: Path, detector: Detector) -> Figure:
    archive = zipfile.ZipFile(root / "azure_goldensaml_otrf" / "AADAuditEvents.Zip")
    results = list(read_audit_records(io.BytesIO(archive.read("AADAuditEvents.json")), source="golden-saml"))
    return _calls("azure_goldensaml_otrf: Entra audit, one sequence", [results], detector)


def _panther(
    root: Path,
    detector: Detector,
    name: str,
    folders: Sequence[str],
    parse: Callable[..., Iterator[ApiCall | Rejected]],
    fires: bool,
) -> Figure:
    import yaml

    cases: list[list[ApiCall | Rejected]] = []
    for folder in folders:
        for path in sorted((root / "panther" / folder).glob("*.yml")):
            wanted = (
                case["Log"]
                for case in yaml.safe_load(path.read_text()).get("Tests", [])
                if case.get("ExpectedResult") is fires and "Log" in case
            )
            cases += [list(parse(record, source=path.name)) for record in wanted]
    return _calls(f"panther, {name}: the rule {'fires' if fires else 'does not fire'}", cases, detector)


def _calls(name: str, cases: Sequence[Sequence[ApiCall | Rejected]], detector: Detector) -> Figure:
    """Score each case with a memory of its own: cases know nothing of each other."""
    kinds: Counter[str] = Counter()
    records = entities = over = rejected = 0
    highest = 0.0
    for case in cases:
        calls = [result for result in case if isinstance(result, ApiCall)]
        rejected += len(case) - len(calls)
        found = detect_api_calls(calls, detector, InProcessMemory(), now_ms=sys.maxsize, correlation_id="")
        records += len(calls)
        entities += len(found.scores)
        over += len(found.verdicts)
        highest = max([highest, *(score.probability for score in found.scores)])
        kinds.update(verdict.technique for verdict in found.verdicts)
    note = ", ".join(f"{technique} {count}" for technique, count in kinds.most_common(3))
    return Figure(name, records, entities, over, highest, rejected, note)


def _ssh(root: Path, detector: Detector) -> Figure:
    """The recorded OpenSSH log as rows of the table Syslog, in order: as many as fit into a delivery at a time."""
    content = read_xz(root / "system_logs" / "OpenSSH_2k.log.xz")
    lines = [
        event for event in read_system_logs(io.BytesIO(content), source="ssh", now_ms=_NOW_MS) if isinstance(event, SystemEvent)
    ]
    rows = [as_row(event) for event in lines]
    events = [event for event in parse_azure_system_logs(rows, source="ssh", now_ms=_NOW_MS) if isinstance(event, SystemEvent)]
    same = int((encode_system_events(lines) == encode_system_events(events)).all(axis=1).sum())
    memory = InProcessMemory()
    batches: list[Detection] = []
    for begin in range(0, len(events), _BATCH):
        part = events[begin : begin + _BATCH]
        found = detect_system_events(part, detector, memory, now_ms=sys.maxsize, correlation_id="")
        memory.store(found.states, now_ms=_NOW_MS)
        batches.append(found)
    return Figure(
        "system_logs: OpenSSH as rows of Syslog, deliveries of 64",
        len(events),
        len(batches),
        sum(bool(found.verdicts) for found in batches),
        max(score.probability for found in batches for score in found.scores),
        note=f"{same} of {len(lines)} rows encode to the same bytes as on AWS",
    )


def as_row(event: SystemEvent) -> dict[str, object]:
    """Write a syslog record as Log Analytics exports it."""
    seconds, milliseconds = divmod(event.time_ms, 1000)
    when = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "TimeGenerated": f"{when}.{milliseconds:03d}Z",
        "Computer": event.host.id,
        "ProcessName": event.process,
        "SyslogMessage": event.message,
        "Type": "Syslog",
    }


def table(found: Sequence[Figure]) -> str:
    """The figures as Markdown."""
    lines = [
        "| data | records | rejected | cases or deliveries | at or over the threshold | highest score | techniques, remarks |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {item.name} | {item.records} | {item.rejected} | {item.entities} | {item.over} of {item.entities} "
        f"| {item.highest:.3f} | {item.note} |"
        for item in found
    ]
    return "\n".join(lines)


def main() -> int:
    """Print the table. Returns 1 where the recorded data is absent."""
    root = data_root()
    if root is None:
        print("the recorded data is absent: set BREAKWATER_DATA to its folder", file=sys.stderr)
        return 1
    detector = Detector.load(_ARTIFACT)
    print(f"audit {detector.version}, threshold {detector.threshold}\n")
    print(table(list(figures(root, detector))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
