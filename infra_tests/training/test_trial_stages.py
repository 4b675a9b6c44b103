"""Stages of trials: what is kept and when it is old, whose looks are counted, and how documents are printed."""

from __future__ import annotations

import json

import pytest

from training.benchmarks import ledger
from training.datasets import catalogue
from training.trials import platforms, printing, sections, shipped, stage
from training.trials.stages import STAGES


@pytest.mark.parametrize(
    ("mean", "of", "shown"),
    [
        (0.0, 2183, "≤ 0.14"),
        (0.0005, 2000, "≤ 0.24"),
        (0.0, 6, "≤ 50"),
        (0.0, 2, "–"),
        (0.1, 100, "10.0 ± 1.0"),
        (0.0, None, "0.0 ± 1.0"),
    ],
)
def test_a_share_of_fewer_than_three_flows_is_a_bound(mean, of, shown):
    assert printing.percent({"mean": mean, "spread": 0.01}, of=of) == shown


def counting_stage(calls: list[str]) -> stage.Stage:
    def run(key, _root):
        calls.append(key)
        return {"value": len(key)}

    return stage.Stage(
        "made", "what?", lambda: ["a", "bb_3"], run, lambda results: {"sum": sum(one["value"] for one in results.values())},
        looks_at=lambda key: [f"final {key[0]}"],
    )  # fmt: skip


def test_a_cell_is_computed_once_and_the_document_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "WORK", tmp_path / "work")
    monkeypatch.setattr(stage, "DOCUMENTS", tmp_path / "documents")
    monkeypatch.setattr(stage, "LOOKS", tmp_path / "looks.jsonl")
    monkeypatch.setattr(stage, "_PACKAGES", ("numpy",))
    monkeypatch.setattr(stage.Stage, "recipe", lambda self: "one")
    calls: list[str] = []
    made = counting_stage(calls)
    assert made.write() is None
    assert made.kept("a") is None
    made.compute("a", tmp_path)
    assert made.kept("a") == {"value": 1}
    path = made.write()
    assert path is not None
    written = json.loads(path.read_text())
    assert (written["sum"], written["run"]["cells"], written["run"]["of"]) == (1, 1, 2)
    monkeypatch.setattr(stage.Stage, "recipe", lambda self: "another")
    assert made.kept("a") is None
    assert calls == ["a"]
    made.compute("bb_3", tmp_path)
    noted = [(look.test, look.model, look.seed, look.recipe) for look in ledger.looks(tmp_path / "looks.jsonl")]
    assert noted == [("final a", "made", 0, "one"), ("final b", "made", 3, "another")]


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_what_is_there_and_names_the_final_tests_that_it_looks_at(name):
    one = STAGES[name]
    assert len(set(one.cells())) == len(one.cells())
    assert all((stage.DOCUMENTS.parents[2] / path).is_file() for path in one.files)
    assert set(one.datasets) <= {file.dataset for file in catalogue()}
    looked = {test for key in one.cells() for test in one.looks_at(key)}
    assert bool(looked) == (name not in {"folds", "engines", "shipped", "network_refits", "audit_refits"})
    if one.looks_at(one.cells()[0]) and name.endswith("evasion"):
        evaluated = {
            f"{detector}: {test}"
            for detector in ("network", "audit")
            for test in json.loads((shipped.ARTIFACTS / detector / "evaluation.json").read_text())["tests"]
        }
        assert looked <= evaluated, "the same test has one name, whoever looks at it"


def test_a_stage_is_of_loaders_scenarios_fit_and_export_where_it_reaches_them():
    def rooms(name: str) -> set[str]:
        return {text.partition(":")[0] for text in STAGES[name].code()}

    decisive = {"training.loaders.zeek", "training.fitting", "training.export", "training.sequences", "training.trials.models"}
    for name in ("flows", "ablation", "transfer", "robustness"):
        assert decisive <= rooms(name)
        assert not {"training.scenarios.audit_story", "training.audit_data"} & rooms(name)
    assert {"training.scenarios.audit_story", "training.audit_data", "training.fitting"} <= rooms("clouds")
    for name in ("network_refits", "audit_refits"):
        assert {"training.fitted", "training.fitting", "training.scenarios.network_story"} <= rooms(name)
    for name in STAGES:
        driven = {room for room in rooms(name) if room == "training.build" or room.startswith("training.stages")}
        assert not driven, "what runs the stages of a build makes no trial old"


@pytest.mark.parametrize("name", STAGES)
def test_a_section_is_printed_from_the_stored_document(name):
    found = stage.document(name)
    if found is None:
        assert sections.sections({name: None}) == []
        pytest.skip(f"{name} has not been computed")
    (text,) = sections.sections({name: found})
    assert text.startswith("## ")
    assert f"{found['run']['cells']} of {found['run']['of']} cells" in text


#: Detectors whose shipped model the stored documents are of.
_SECTION = """# Speed
## API call → verdict, warm Lambda runtime (`x`)
| | p50 | p99 |
|---|---|---|
| emulated services | 6.9 ms | |
| our own time | 2.4 ms | 4.6 ms |

## Azure: API call → verdict
| p50 | before | after |
|---|---|---|
| **own time** | 5.8 ms | **4.9 ms** |

| quiet machine | before | p50 |
|---|---|---|
| the function | 4.6 ms | 2.9 ms |
| **our own time, all of it** | 7.5 ms | **5.6 ms**, above the aim |

## Cost
| | p50 |
|---|---|
| our own time | 9 ms |
"""


def test_latency_is_read_by_the_name_of_its_row_and_column():
    assert [platforms.latency(cloud, _SECTION) for cloud in ("aws", "azure")] == [2.4, 5.6]
    for gone in ("our own time, all of it", "p50 |\n|---|---|---|\n| the function", "Azure: API"):
        with pytest.raises(ValueError, match="Azure: API call"):
            platforms.latency("azure", _SECTION.replace(gone, "another"))
    with pytest.raises(ValueError, match="is wanted, found"):
        platforms.latency("azure", _SECTION.replace("the function", "our own time"))


def test_the_page_of_benchmarks_has_the_latency_that_the_report_tells():
    document, page = stage.document("platforms"), (stage.DOCUMENTS.parents[1] / "benchmarks.md").read_text(encoding="utf-8")
    assert document is not None
    assert {cloud: platforms.latency(cloud, page) for cloud in document["latency_ms"]} == document["latency_ms"]


def test_a_count_is_printed_with_its_interval_and_nothing_as_a_dash():
    assert printing.k_of_n({"found": 4, "of": 9, "low": 0.137, "high": 0.788}) == "4 of 9 (14–79 %)"
    assert printing.k_of_n(None) == printing.percent(None) == printing.percent({"mean": None, "spread": None}) == "–"
