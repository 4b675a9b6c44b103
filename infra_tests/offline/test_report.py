from html.parser import HTMLParser

from offline.report.measured import PAPER_DECISION_MS, columns, latency_figure
from offline.report.record import (
    Cloud,
    DemoRecord,
    Diff,
    Kind,
    Latency,
    Provenance,
    Scene,
    ScorePoint,
    SkippedResource,
    TimelineEntry,
)
from offline.report.render import render


class _References(HTMLParser):
    """Collects every address that a browser would load by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.loaded += [value or "" for name, value in attrs if name == "src" or (name == "href" and tag == "link")]


def _record(text: str = "GuardDuty finding on i-0abc") -> DemoRecord:
    scene = Scene(
        "Quarantine",
        "An instance calls a DGA domain.",
        Provenance.RECORDED,
        "two findings",
        events=2,
        outcome="contained, undone",
    )
    scene.timeline.append(TimelineEntry(0.1, Kind.EVENT, text, "severity 8", "c-1"))
    scene.timeline.append(TimelineEntry(0.4, Kind.CHANGE, "security groups rewritten"))
    scene.scores = [ScorePoint(i, "address/10.0.0.5", p, 0.9, "network") for i, p in enumerate((0.1, 0.4, 0.97))]
    scene.diffs.append(Diff("Security groups of eni-1", {"groups": ["sg-web"]}, {"groups": ["sg-quarantine"]}))
    scene.latency = Latency(120.0, 3.2, 45.0)
    return DemoRecord(
        "2026-11-23 12:00 UTC",
        "2 cores",
        {"moto": "5.2.5"},
        [scene],
        {"Data": 12},
        [SkippedResource("AWS::Glue::Table", 3, "no Glue there")],
        {"deploy": 21.0},
    )


def test_report_loads_nothing_from_elsewhere() -> None:
    parser = _References()
    parser.feed(render(_record()))
    assert parser.loaded == []
    assert parser.scripts == 0


def test_report_shows_every_part_of_the_record() -> None:
    html = render(_record())
    for expected in (
        "sg-quarantine",
        "correlation id c-1",
        "0.9700",
        "threshold of network: 0.900",
        "AWS::Glue::Table",
        "3.2 ms",
        "140 ms",
    ):
        assert expected in html


def test_text_from_telemetry_is_escaped() -> None:
    record = _record("<script>alert(1)</script>")
    record.scenes[0].scores = [ScorePoint(0, '"><script>', 0.95, 0.9, "<b>")]
    html = render(record)
    assert "<script>" not in html
    assert "<b>" not in html


def test_diff_marks_exactly_what_changed() -> None:
    lines = Diff("x", {"groups": ["a"], "kept": 1}, {"groups": ["b"], "kept": 1}).lines()
    assert [text.strip() for sign, text in lines if sign == "-"] == ['"a"']
    assert [text.strip() for sign, text in lines if sign == "+"] == ['"b"']
    assert any('"kept": 1' in text for sign, text in lines if sign == " ")


def test_scene_without_scores_has_no_curve_and_says_so_in_the_table() -> None:
    record = _record()
    record.scenes[0].scores = []
    html = render(record)
    assert "Scores over the scene" not in html
    assert "–" in html


def _scene(cloud: Cloud, pair: str, *points: tuple[str, float], provenance: Provenance = Provenance.RECORDED_MOVED) -> Scene:
    scene = Scene(f"{pair} on {cloud}", "s", provenance, "x", cloud, {"10.0.0.5"}, pair, [4.0, 8.0, 90.0])
    scene.scores = [ScorePoint(n, f"address {entity}", p, 0.5, "network") for n, (entity, p) in enumerate(points)]
    return scene


def test_scenes_of_the_same_story_stand_side_by_side() -> None:
    scenes = [_scene(Cloud.AWS, "beaconing"), _scene(Cloud.AZURE, "denied_address"), _scene(Cloud.AZURE, "beaconing")]
    record = DemoRecord("now", "here", {}, scenes)
    assert [[side and side.title for side in sides] for sides in record.pairs] == [
        ["beaconing on AWS", "beaconing on Azure"],
        [None, "denied_address on Azure"],
    ]
    html = render(record)
    assert html.count("only on the other cloud") == 1
    assert html.count('<span class="cloud Azure">') == 2


def test_what_was_measured_is_counted_on_labelled_recordings_only() -> None:
    found = _scene(Cloud.AWS, "a", ("10.0.0.5", 0.2), ("10.0.0.5", 0.9), ("10.0.0.6", 0.1))
    missed = _scene(Cloud.AZURE, "a", ("10.0.0.5", 0.4), ("10.0.0.6", 0.7), ("10.0.0.7", 0.1))
    generated = _scene(Cloud.AZURE, "b", ("10.0.0.5", 0.9), provenance=Provenance.GENERATED)
    aws, azure, both = columns(DemoRecord("now", "here", {}, [found, missed, generated]))
    assert (aws.right, aws.judged, aws.found, aws.attacks, aws.false_alarms, aws.benign) == (2, 2, 1, 1, 0, 1)
    assert (azure.right, azure.judged, azure.found, azure.attacks, azure.false_alarms, azure.benign) == (1, 3, 0, 1, 1, 2)
    assert (both.right, both.judged) == (3, 5)
    assert (aws.decision_ms, aws.longest_ms, azure.deliveries) == (8.0, 90.0, 6)


def test_a_cloud_without_recordings_has_no_figures_and_says_why() -> None:
    recorded = _scene(Cloud.AWS, "a", ("10.0.0.5", 0.9), ("10.0.0.6", 0.1))
    generated = _scene(Cloud.AZURE, "a", ("10.0.0.5", 0.9), provenance=Provenance.GENERATED)
    html = render(DemoRecord("now", "here", {}, [recorded, generated]))
    assert "0 of 0" not in html
    assert html.count("none played") == 3
    assert "Azure: no entity of a labelled recording was scored" in html
    assert "AWS: no entity" not in html


def test_the_figure_shows_the_papers_claim_beside_what_was_measured() -> None:
    record = DemoRecord("now", "here", {}, [_scene(Cloud.AZURE, "a")])
    figure = latency_figure(record)
    assert "8.0 ms, longest 90" in figure
    assert all(f"{claimed:,.1f} ms" in figure for claimed in PAPER_DECISION_MS.values())
    assert "AWS, here" not in figure, "nothing was measured there"
    assert "is no accuracy" in render(record)
