"""What a demo run measured, beside what the paper behind this design claims (its table 2 and figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from offline.report.record import Cloud, DemoRecord, Scene

#: Decision latency that the paper claims for each platform, in milliseconds; it says no more of figure 3 that we know of.
PAPER_DECISION_MS = {Cloud.AWS: 140.0, Cloud.AZURE: 142.0}
#: Its claims for both platforms together.
PAPER_ACCURACY, PAPER_F1, PAPER_FALSE_ALARMS = "98.7 %", "98.2 %", "1.3 %"

_WIDTH, _ROW, _LEFT, _RIGHT = 720, 26, 100, 170


@dataclass(frozen=True, slots=True)
class Measured:
    """One platform's column.

    Attributes
    ----------
    name : str
    right, judged : int
        Entities of labelled recordings of which the models said what the label says, and all of them.
    found, attacks : int
    false_alarms, benign : int
    decision_ms : float or None
        Median of our own time for a delivery.
    longest_ms : float or None
    deliveries : int
    action_ms : float or None
        Median from the verdict's arrival to the verified change.
    """

    name: str
    right: int
    judged: int
    found: int
    attacks: int
    false_alarms: int
    benign: int
    decision_ms: float | None
    longest_ms: float | None
    deliveries: int
    action_ms: float | None


def measured(name: str, scenes: Sequence[Scene]) -> Measured:
    """Sum up the scenes of one platform, or of both."""
    judged = [each for scene in scenes for each in scene.judged]
    attacks = [each for each in judged if each.attack]
    benign = [each for each in judged if not each.attack]
    decisions = [ms for scene in scenes for ms in scene.decisions_ms]
    actions = [scene.latency.action for scene in scenes if scene.latency]
    return Measured(
        name,
        sum(each.right for each in judged),
        len(judged),
        sum(each.alarmed for each in attacks),
        len(attacks),
        sum(each.alarmed for each in benign),
        len(benign),
        median(decisions) if decisions else None,
        max(decisions, default=None),
        len(decisions),
        median(actions) if actions else None,
    )


def columns(record: DemoRecord) -> list[Measured]:
    """AWS, Azure, and both."""
    return [*(measured(cloud, record.of(cloud)) for cloud in Cloud), measured("both", record.scenes)]


def latency_figure(record: DemoRecord) -> Markup:
    """Draw the decision latency of each platform: claimed, and as measured here (median, with a line to the longest)."""
    rows: list[tuple[str, float, float, str]] = []
    for cloud in Cloud:
        rows.append((f"{cloud}, paper", PAPER_DECISION_MS[cloud], PAPER_DECISION_MS[cloud], "paper"))
        here = measured(cloud, record.of(cloud))
        if here.decision_ms is not None and here.longest_ms is not None:
            rows.append((f"{cloud}, here", here.decision_ms, here.longest_ms, "here"))
    most = max(longest for _, _, longest, _ in rows)
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    height = _ROW * len(rows) + 8
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Decision latency by platform">']
    for number, (name, value, longest, kind) in enumerate(rows):
        top = 4 + number * _ROW
        middle, end = top + _ROW / 2, _LEFT + longest * scale
        parts += [
            f'<text class="axis" x="{_LEFT - 8}" y="{middle + 4:.1f}" text-anchor="end">{name}</text>',
            f'<rect class="bar {kind}" x="{_LEFT}" y="{top + 4}" width="{max(1.0, value * scale):.1f}" height="{_ROW - 8}"/>',
            f'<line class="whisker" x1="{_LEFT + value * scale:.1f}" x2="{end:.1f}" y1="{middle}" y2="{middle}"/>',
            f'<text class="axis" x="{end + 6:.1f}" y="{middle + 4:.1f}">{value:,.1f} ms'
            + (f", longest {longest:,.0f}" if longest > value else "")
            + "</text>",
        ]
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 -- numbers and names of our own only
