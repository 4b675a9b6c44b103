"""The demo's live timeline: what the deployed functions log, shown on the terminal as it happens and kept for the report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape

from lambdas.registry import FUNCTIONS
from offline.aws.embedded import EmbeddedAws
from offline.aws.poller import Delivery
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
    "APPLYING": Kind.DECISION,
    "APPLIED": Kind.CHANGE,
    "VERIFIED": Kind.CHANGE,
    "UNDOING": Kind.DECISION,
    "UNDONE": Kind.UNDO,
}


class Timeline:
    """Shows scenes as they run.

    Parameters
    ----------
    aws : EmbeddedAws
        Its functions' logs are followed.
    console : rich Console
    """

    def __init__(self, aws: EmbeddedAws, console: Console) -> None:
        self._aws, self._console = aws, console
        self._seen: dict[str, int] = {}
        self._scene: Scene | None = None
        self._began = 0.0

    @contextmanager
    def scene(self, title: str, story: str, provenance: Provenance, source: str) -> Iterator[Scene]:
        """Show and record what happens in the block as one scene."""
        scene = Scene(title, story, provenance, source)
        self._console.print(
            f"\n[bold]{escape(title)}[/]  [dim]{escape(provenance)}: {escape(source)}[/]\n[dim]{escape(story)}[/]"
        )
        self._new_entries()  # what was logged before belongs to an earlier scene
        self._scene, self._began = scene, time.monotonic()
        try:
            yield scene
        finally:
            self._scene = None

    def note(self, kind: Kind, text: str, detail: str = "", correlation_id: str = "") -> None:
        """Show one entry of the present scene."""
        entry = TimelineEntry(time.monotonic() - self._began, kind, text, detail, correlation_id)
        if self._scene:
            self._scene.timeline.append(entry)
        style = _STYLES[kind]
        more = f"  [dim]{escape(detail)}[/]" if detail else ""
        self._console.print(f"  {entry.at_s:6.2f} s  [{style}]{kind:<9}[/] {escape(text)}{more}")

    def put(self, event: Mapping[str, Any], text: str) -> str:
        """Put an event on the bus and show it; return its correlation id."""
        correlation_id = self._aws.put_event(event)
        if self._scene:
            self._scene.events += 1
        self.note(Kind.EVENT, text, correlation_id=correlation_id)
        return correlation_id

    def drain(self) -> list[Delivery]:
        """Let the functions work until nothing is left to do, showing what each delivery came to."""
        return self._aws.drain(watch=lambda delivery: self._show(delivery.mapping.function_name))

    def diff(self, title: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Show a state before and after."""
        diff = Diff(title, before, after)
        if self._scene:
            self._scene.diffs.append(diff)
        self._console.print(f"  [bold]{escape(title)}[/]")
        for sign, text in diff.lines():
            style = {"+": "green", "-": "red"}.get(sign, "dim")
            self._console.print(f"    [{style}]{sign} {escape(text)}[/]")

    def _show(self, function_name: str) -> None:
        for entry in self._new_entries(function_name):
            self._entry(entry)

    def _entry(self, entry: Mapping[str, Any]) -> None:
        message, correlation_id = entry.get("message"), str(entry.get("correlation_id", ""))
        if message == "scored":
            self._score(entry)
        elif message == "verdict":
            threshold = entry.get("threshold")
            against = f"{entry['probability']:.2f} ≥ {threshold:.2f}" if threshold is not None else ""
            self.note(Kind.SCORE, str(entry["title"]), against, correlation_id)
        elif message == "decision" and entry.get("repeated"):
            self.note(Kind.NOOP, f"{entry['action']}: handled before, nothing to do", correlation_id=correlation_id)
        elif message == "journal":
            step = str(entry["step"])
            reason = str(entry.get("detail", {}).get("reason", ""))
            self.note(_OF_STEP.get(step, Kind.DECISION), f"{step} {entry['stream'].partition('#')[0]}", reason, correlation_id)
        elif message == "dead letter":
            self.note(Kind.REFUSAL, "dead letter", str(entry.get("reason", "")), correlation_id)

    def _score(self, entry: Mapping[str, Any]) -> None:
        probability, threshold = float(entry["probability"]), float(entry.get("threshold") or 1.0)
        if self._scene:
            detector = str(entry["service"])
            point = ScorePoint(len(self._scene.scores), str(entry["entity"]), probability, threshold, detector)
            self._scene.scores.append(point)
        self.note(Kind.SCORE, str(entry["entity"]), f"{probability:.3f} against {threshold:.3f}")

    def _new_entries(self, function_name: str = "") -> list[dict[str, Any]]:
        """Log entries since the last look, of one function or of all."""
        found = []
        for spec in FUNCTIONS:
            if not function_name or function_name.endswith(spec.name.replace("_", "-")):
                entries = self._aws.logs(spec.name)
                found += entries[self._seen.get(spec.name, 0) :]
                self._seen[spec.name] = len(entries)
        return found
