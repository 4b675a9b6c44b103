"""The demo's scenes, played on the embedded AWS against what they promise; and what the demo says when one fails."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from offline import demo, demo_aws
from offline.aws.embedded import EmbeddedAws
from offline.aws.followed import FollowedAws
from offline.latencies import Latencies
from offline.report.record import DemoRecord, Kind, Latency, Provenance, Scene
from offline.scenes.stage import Stage
from offline.seed import World
from offline.timeline import Timeline

WIDTH = 100
#: An id that was cut off would end in the ellipsis or in the line's end.
_CUT_ID = re.compile(r"\b(i|eni|sg)-[0-9a-f]{1,16}(…|$)")


@pytest.mark.e2e
@pytest.mark.parametrize("play", demo_aws.SCENES, ids=lambda play: play.__module__.rpartition(".")[2])
def test_a_scene_comes_out_as_it_must(aws: EmbeddedAws, world: World, play: Callable[[Stage], Scene]) -> None:
    shown = io.StringIO()
    scene = play(Stage(aws, world, Timeline(FollowedAws(aws), Console(file=shown, width=WIDTH, highlight=False))))
    assert not scene.failed, f"{scene.outcome}\n{shown.getvalue()}"
    kinds = {entry.kind for entry in scene.timeline}
    assert {Kind.EVENT} <= kinds
    caused = [entry for entry in scene.timeline if entry.kind in (Kind.SCORE, Kind.CHANGE, Kind.UNDO)]
    assert all(entry.correlation_id and entry.number for entry in caused)
    if Kind.CHANGE in kinds:
        assert scene.diffs
        assert scene.latency is not None
        assert min(scene.latency.decision, scene.latency.action) > 0
    for line in shown.getvalue().splitlines():
        assert len(line) <= WIDTH
        assert not _CUT_ID.search(line), line


def test_the_latency_is_that_of_the_chain_that_changed_something() -> None:
    now = _ticks(0.0, 10.0, 13.0, 20.0, 25.0)
    latencies = Latencies(lambda: next(now))
    metrics = {"_aws": {}, "OwnTime": [4.0], "ServiceTime": [6.0]}
    latencies.handed()
    latencies.delivered("detect_flows", 1.0, [metrics])
    latencies.delivered("respond", 1.0, [metrics, {"step": "REFUSED"}])
    latencies.handed()
    latencies.delivered("triage_findings", 2.0, [metrics])
    latencies.delivered("respond", 1.0, [metrics, {"step": "APPLIED"}])
    latencies.delivered("detect_flows", 0.0, [{**metrics, "OwnTime": [99.0]}])
    latencies.delivered("respond", 1.0, [metrics, {"step": "NOOP"}])
    assert latencies.result() == Latency(3000.0, 4.0, 10.0)


def test_a_scene_fails_when_one_expectation_does_not_hold() -> None:
    scene = Scene("t", "s", Provenance.GENERATED, "x")
    scene.conclude("fine", verdict=True, exact_undo=False)
    assert scene.failed
    assert "exact undo" in scene.outcome
    scene.conclude("fine", verdict=True)
    assert (scene.failed, scene.outcome) == (False, "fine")


@pytest.mark.parametrize(("failed", "status"), [(False, 0), (True, 1)])
def test_the_exit_status_tells_whether_every_scene_came_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failed: bool, status: int
) -> None:
    scene = Scene("t", "s", Provenance.GENERATED, "x", outcome="o", failed=failed)
    monkeypatch.setattr(demo, "play", lambda console: DemoRecord("now", "here", {}, [scene]))
    monkeypatch.setattr(demo, "REPORT", tmp_path / "report.html")
    assert demo.main() == status
    assert (tmp_path / "report.html").is_file()


def test_an_interrupted_demo_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(console: Console) -> DemoRecord:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "play", interrupted)
    monkeypatch.setattr(demo, "REPORT", tmp_path / "report.html")
    assert demo.main() == 130
    assert not (tmp_path / "report.html").exists()


def _ticks(*times: float) -> Iterator[float]:
    yield 0.0
    yield from times[1:]
    while True:
        yield times[-1]
