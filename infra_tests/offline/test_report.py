from html.parser import HTMLParser

from offline.report.record import DemoRecord, Diff, Kind, Latency, Provenance, Scene, ScorePoint, SkippedResource, TimelineEntry
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
    assert "<svg" not in html
    assert "–" in html
