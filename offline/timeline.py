"""The demo's live timeline: what the deployed functions log, shown on the terminal as it happens and kept for the report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from offline.followed import FollowedCloud
from offline.latencies import Latencies, metric
from offline.report.record import Diff, Kind, Provenance, Scene, ScorePoint, TimelineEntry

_STYLES: Mapping[Kind, str] = {
    Kind.EVENT: "cyan",
    Kind.SCORE: "yellow",
    Kind.DECISION: "magenta",
    Kind.CHANGE: "bold red",
    Kind.REFUSAL: "bold blue",
    Kind.NOOP: "dim",
    Kind.UNDO: "bold green",
}
_OF_STEP: Mapping[str, Kind] = {
    "OBSERVED": Kind.DECISION,
    "REFUSED": Kind.REFUSAL,
    "NOOP": Kind.NOOP,
    "PROPOSED": Kind.DECISION,
    "APPROVED": Kind.DECISION,
    "DENIED": Kind.REFUSAL,
    "LAPSED": Kind.REFUSAL,
    "APPLYING": Kind.DECISION,
    "APPLIED": Kind.CHANGE,
    "VERIFIED": Kind.CHANGE,
    "EXTENDED": Kind.DECISION,
    "UNDOING": Kind.DECISION,
    "UNDONE": Kind.UNDO,
}
#: Which detector a function runs; triage scores again what the others have remembered.
_DETECTORS = {
    "detect_flows": "network",
    "detect_nsg_flows": "network",
    "detect_api_calls": "audit",
    "detect_system_logs": "audit",
}
#: Scores of one delivery that are shown on the terminal; the report has all of them.
_SHOWN_SCORES = 3
#: Entries that say the same, where a scene asks to fold them.
_SHOWN_ALIKE = 2
#: Columns before the text of a line.
_INDENT = 27


class Timeline:
    """Shows scenes as they run.

    Parameters
    ----------
    cloud : FollowedCloud
        Its functions' logs are followed.
    console : rich Console

    Attributes
    ----------
    verdicts : int
        Verdicts of the models in the present scene, findings not counted.
    """

    def __init__(self, cloud: FollowedCloud, console: Console) -> None:
        self._cloud, self._console = cloud, console
        self._numbers: dict[str, int] = {}
        self._known: dict[str, tuple[float, str]] = {}
        self._scene: Scene | None = None
        self._latencies = Latencies()
        self._began = 0.0
        self._folding: Counter[tuple[Kind, str]] | None = None
        self.verdicts = 0

    @property
    def alarmed(self) -> bool:
        """Whether a model has reached its threshold in the present scene."""
        return self.verdicts > 0

    @contextmanager
    def scene(self, title: str, story: str, provenance: Provenance, source: str) -> Iterator[Scene]:
        """Show and record what happens in the block as one scene."""
        scene = Scene(title, story, provenance, source, self._cloud.cloud)
        self._console.print(f"\n[bold]{escape(title)}[/]\n{escape(story)}")
        self._console.print(f"[dim]{escape(provenance)}: {escape(source)}[/]")
        for function in self._cloud.functions:
            self._cloud.new_entries(function)  # what was logged before belongs to an earlier scene
        self._scene, self._began, self.verdicts = scene, time.monotonic(), 0
        self._latencies = Latencies()
        try:
            yield scene
        finally:
            scene.latency = self._latencies.result()
            self._scene = None
        style = "bold red" if scene.failed else "bold green"
        self._console.print(f"  [{style}]→ {escape(scene.outcome)}[/]")

    def note(self, kind: Kind, text: str, detail: str = "", correlation_id: str = "") -> None:
        """Show one entry of the present scene."""
        kept = self._keep(kind, text, detail, correlation_id)
        if self._folding is not None:
            self._folding[kind, text] += 1
            if self._folding[kind, text] > _SHOWN_ALIKE:
                return
        number = f"#{kept}" if kept else ""
        at = time.monotonic() - self._began
        line = f"{at:6.2f} s  [{_STYLES[kind]}]{kind:<9}[/] [dim]{number:>4}[/]  "
        room = self._console.width - _INDENT
        self._console.print(f" {line}{escape(_shortened(text, room))}", no_wrap=True, crop=False)
        if detail:
            self._console.print(Padding(f"[dim]{escape(detail)}[/]", (0, 0, 0, _INDENT)))

    @contextmanager
    def folded(self) -> Iterator[None]:
        """Show only the first entries of those that say the same in the block; the report has all of them."""
        self._folding = folding = Counter()
        try:
            yield
        finally:
            self._folding = None
        for (kind, text), count in folding.items():
            if count > _SHOWN_ALIKE:
                self._console.print(f"{'':{_INDENT}}[dim]… and {count - _SHOWN_ALIKE} times more {kind} {escape(text)}[/]")

    def handed(self, text: str, correlation_id: str, detail: str = "", *, events: int = 0) -> None:
        """Show telemetry that was just handed to the cloud, and count its events."""
        self._latencies.handed()
        self.count(events)
        self.note(Kind.EVENT, text, detail, correlation_id)

    def count(self, events: int) -> None:
        """Add to the events of the scene."""
        if self._scene:
            self._scene.events += events

    def drain(self) -> None:
        """Let the functions work until nothing is left to do, showing what each delivery came to."""
        self._cloud.drain(self._show)

    def diff(self, title: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Show a state before and after."""
        diff = Diff(title, before, after)
        if self._scene:
            self._scene.diffs.append(diff)
        self._console.print(f"  [bold]{escape(title)}[/]")
        for sign, text in diff.lines():
            style = {"+": "green", "-": "red"}.get(sign, "dim")
            self._console.print(f"    [{style}]{sign} {escape(text)}[/]", no_wrap=True, crop=False)

    def _show(self, function: str, seconds: float) -> None:
        entries = self._cloud.new_entries(function)
        self._latencies.delivered(function, seconds, entries)
        scored = [entry for entry in entries if entry.get("message") == "scored"]
        if scored and self._scene and function in _DETECTORS:
            self._scene.decisions_ms.append(metric(entries, "OwnTime"))
        self._scores(scored)
        for entry in entries:
            self._entry(entry)

    def _entry(self, entry: Mapping[str, Any]) -> None:
        message, correlation_id = entry.get("message"), str(entry.get("correlation_id", ""))
        if message == "verdict":
            self._verdict(entry, correlation_id)
        elif message == "decision" and entry.get("repeated"):
            self.note(Kind.NOOP, f"{entry['action']}: handled before, nothing to do", correlation_id=correlation_id)
        elif message == "journal":
            step, (action, _, target) = str(entry["step"]), str(entry["stream"]).partition("#")
            detail = str(entry.get("detail", {}).get("reason", "")) or _name(target)
            self.note(_OF_STEP.get(step, Kind.DECISION), f"{step} {action}", detail, correlation_id)
        elif message == "journal does not verify":
            fault, _, found = str(entry["problem"]).partition("  ")
            self.note(Kind.REFUSAL, f"the journal does not verify: {fault}", found.partition(": ")[2], correlation_id)
        elif message in ("dead letter", "skipped", "will be retried", "not undone"):
            field = f"{entry['field']} " if entry.get("field") else ""
            self.note(Kind.REFUSAL, str(message), f"{field}{entry.get('reason', '')}", correlation_id)

    def _verdict(self, entry: Mapping[str, Any], correlation_id: str) -> None:
        title, _, why = str(entry["title"]).partition(": ")
        probability, threshold = float(entry["probability"]), float(entry.get("threshold") or 0)
        technique = f", {entry['technique']}" if entry.get("technique") else ""
        if threshold:
            self.verdicts += 1
            threat, _, whose = title.partition(" by ")
            text = f"{probability:.2f} ≥ {threshold:.2f}  verdict: {threat}{technique}"
            self.note(Kind.SCORE, text, f"by {whose}\n{why}", correlation_id)
        else:  # a finding has no threshold: it is a signal by itself
            self.note(Kind.SCORE, f"signal: severity {10 * probability:g} of 10{technique}", str(entry["title"]), correlation_id)

    def _scores(self, entries: list[dict[str, Any]]) -> None:
        points = [point for entry in entries if (point := self._point(entry)) is not None]
        if self._scene:
            self._scene.scores += points
        calm = [point for point in points if point.probability < point.threshold]
        for point in calm[:_SHOWN_SCORES]:
            against = f"{point.probability:.2f} < {point.threshold:.2f}"
            self._line(f"{against}  {point.entity}")
        if len(calm) > _SHOWN_SCORES:
            self._line(f"… and {len(calm) - _SHOWN_SCORES} more below the threshold")

    def _point(self, entry: Mapping[str, Any]) -> ScorePoint | None:
        key, service = str(entry["entity"]), str(entry.get("service") or entry["function"])
        if service in _DETECTORS:
            self._known[key] = float(entry["threshold"]), _DETECTORS[service]
        if key not in self._known or self._scene is None:
            return None
        threshold, detector = self._known[key]
        return ScorePoint(int(entry["time_ms"]) / 1000, _name(key), float(entry["probability"]), threshold, detector)

    def _line(self, text: str) -> None:
        text = escape(_shortened(text, self._console.width - _INDENT))
        self._console.print(
            f"{time.monotonic() - self._began:7.2f} s  [yellow]{Kind.SCORE:<9}[/]       [dim]{text}[/]", no_wrap=True
        )

    def _keep(self, kind: Kind, text: str, detail: str, correlation_id: str) -> int:
        """Put the entry into the record; return the number of its correlation id."""
        number = self._number(correlation_id) if correlation_id else 0
        if self._scene:
            new = all(entry.number != number for entry in self._scene.timeline)
            at = time.monotonic() - self._began
            self._scene.timeline.append(TimelineEntry(at, kind, text, detail, correlation_id, number, new))
        return number

    def _number(self, correlation_id: str) -> int:
        """Short name of a correlation id on the terminal; the report has the id itself."""
        cause = correlation_id.partition("#")[0].partition("?")[0]
        return self._numbers.setdefault(cause, len(self._numbers) + 1)


def _name(entity_key: str) -> str:
    """``123456789012/address/10.0.0.1`` as a person reads it."""
    _, kind, identifier = entity_key.split("/", 2)
    # Of an id of Resource Manager, a line has room for the name.
    return f"{kind} {identifier.rpartition('/')[2] if identifier.startswith('/') else identifier}"


def _shortened(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"
