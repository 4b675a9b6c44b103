"""Render a demo record as one HTML file that opens from disk: no script from elsewhere, no font, no network."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from offline.report import measured
from offline.report.record import Cloud, DemoRecord, Latency, Scene

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 640, 180, 40, 24, 12


def render(record: DemoRecord) -> str:
    """Return the report as HTML text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["score_curve"] = score_curve
    environment.filters["latency_bar"] = latency_bar
    environment.filters["ms"] = lambda value: f"{value:,.1f} ms" if value < 100 else f"{value:,.0f} ms"
    environment.filters["out_of"] = lambda count, of: f"{count} of {of}" if of else "none played"
    return environment.get_template("report.html.j2").render(
        record=record,
        clouds=list(Cloud),
        columns=measured.columns(record),
        figure=measured.latency_figure(record),
        paper=measured,
    )


def score_curve(scene: Scene) -> Markup:
    """Draw the scene's scores, one line per entity, with the threshold; an empty string where nothing was scored."""
    if not scene.scores:
        return Markup("")
    first, last = (choose(point.at_s for point in scene.scores) for choose in (min, max))

    def x(at_s: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - 12) * (1 - (last - at_s) / (last - first or 1))

    def y(probability: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - probability)

    by_entity: dict[str, list[Any]] = defaultdict(list)
    for point in sorted(scene.scores, key=lambda point: point.at_s):
        by_entity[point.entity].append(point)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Scores over the scene, with the threshold">']
    parts += [
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 12}" y1="{y(p):.1f}" y2="{y(p):.1f}"/>'
        f'<text class="axis" x="{_LEFT - 6}" y="{y(p) + 4:.1f}" text-anchor="end">{p:g}</text>'
        for p in (0.0, 0.5, 1.0)
    ]
    thresholds = [
        f'<line class="threshold" x1="{_LEFT}" x2="{_WIDTH - 12}" y1="{y(threshold):.1f}" y2="{y(threshold):.1f}"/>'
        f'<text class="axis threshold-label" x="{_LEFT + 6}" y="{y(threshold) + (-5 if number else 14):.1f}">'
        f"threshold of {escape(detector)}: {threshold:.3f}</text>"
        for number, (threshold, detector) in enumerate(sorted({(point.threshold, point.detector) for point in scene.scores}))
    ]
    for entity, points in sorted(by_entity.items()):
        alarmed = any(point.probability >= point.threshold for point in points)
        path = " ".join(f"{x(point.at_s):.1f},{y(point.probability):.1f}" for point in points)
        parts.append(f'<polyline class="curve {"alarm" if alarmed else "calm"}" points="{path}"/>')
        parts += [
            f'<circle class="{"alarm" if point.probability >= point.threshold else "calm"}" cx="{x(point.at_s):.1f}" '
            f'cy="{y(point.probability):.1f}" r="3"><title>{escape(entity)}: {point.probability:.4f}</title></circle>'
            for point in points
        ]
    parts += thresholds  # last, so that no curve hides a label
    parts.append(
        f'<text class="axis" x="{(_WIDTH + _LEFT) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f"highest score of each delivery, by the time of its events: {_span(last - first)}</text></svg>"
    )
    return Markup("".join(parts))  # noqa: S704 -- every value that comes from telemetry is escaped above


def _span(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} minutes"
        if seconds < 7200
        else f"{seconds / 3600:.1f} hours"
    )


def latency_bar(latency: Latency) -> Markup:
    """Draw the three parts of a latency as one bar, each part at least wide enough to be seen."""
    parts = (("telemetry", latency.telemetry), ("decision", latency.decision), ("action", latency.action))
    total = sum(value for _, value in parts) or 1.0
    spans = "".join(
        f'<span class="part {name}" style="flex-grow:{max(value / total, 0.04):.3f}">{name} {value:,.1f} ms</span>'
        for name, value in parts
    )
    return Markup(f'<div class="latency">{spans}</div>')  # noqa: S704 -- numbers only


def write(record: DemoRecord, path: Path) -> Path:
    """Write the report and return its path."""
    path.write_text(render(record), encoding="utf-8")
    return path
