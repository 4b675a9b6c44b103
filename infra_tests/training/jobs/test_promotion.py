"""The way back: what is refused, what is let pass, and that nothing is written unless told to."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from shared_model.detector import Detector
from training import promote
from training.artifact import ARTIFACTS
from training.card import model_card
from training.evaluation_sample import FOLDER, SampleUnfit, judge, read
from training.export import sha256
from training.jobs.hyperparameters import Hyperparameters
from training.jobs.run_record import RECORD, SUMS, write_sums
from training.promotion.comparison import Row, of_evaluations
from training.promotion.refusal import Refused
from training.promotion.returned import check, fetch

NAME = "network"
Change = Callable[[Path], None]


@pytest.fixture
def artifacts(tmp_path) -> Path:
    """Present detectors: a copy of the shipped ones, so that a test may have them replaced."""
    folder = tmp_path / "artifacts"
    shutil.copytree(ARTIFACTS, folder)
    return folder


def document(path: Path, change: Callable[[dict], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content, indent=1) + "\n")


def described(folder: Path, *, detector: Callable[[dict], None] = lambda _: None, evaluation=lambda _: None) -> None:
    """Change a detector's documents, and write the card that goes with them."""
    document(folder / "detector.json", detector)
    document(folder / "evaluation.json", evaluation)
    texts = [json.loads((folder / name).read_text()) for name in ("detector.json", "evaluation.json")]
    (folder / "MODEL_CARD.md").write_text(model_card(*texts))


def result(folder: Path, change: Change = lambda _: None) -> Path:
    """A job's model folder with a changed copy of the shipped detector, its record and sums as a job writes them."""
    for file in ("model.tflite", "detector.json", "evaluation.json", "MODEL_CARD.md"):
        (folder / NAME).mkdir(parents=True, exist_ok=True)
        shutil.copy(ARTIFACTS / NAME / file, folder / NAME / file)
    change(folder / NAME)
    evaluation = json.loads((folder / NAME / "evaluation.json").read_text())
    record = {
        "format": 1, "service": "sagemaker", "job": "breakwater-network-1", "hyperparameters": asdict(Hyperparameters(NAME)),
        "source": "a" * 64, "data": {"as_published": 40, "absent": [], "digest": "b" * 64}, "versions": {"python": "3.11"},
        "machine": {}, "began": "2026-11-23T12:00:00+00:00", "ended": "2026-11-23T13:00:00+00:00",
        "detectors": {
            NAME: {
                "model": json.loads((folder / NAME / "detector.json").read_text())["model"],
                "tests": {
                    title: {"windows": test["windows"], "entities": test["entities"]}
                    for title, test in evaluation["tests"].items()
                },
            }
        },
    }  # fmt: skip
    (folder / RECORD).write_text(json.dumps(record))
    write_sums(folder)
    return folder


def digest_shown(text: str) -> str:
    return text.rsplit("--accept ", 1)[1].split()[0]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_equal_detector_is_shown_and_not_written(tmp_path, artifacts, capsys):
    before = snapshot(artifacts)
    assert promote.main([str(result(tmp_path / "r"))], artifacts=artifacts) == 0
    shown = capsys.readouterr().out
    assert "stored sample" in shown
    assert "held-out scenario families" in shown
    assert "Nothing was written" in shown
    assert snapshot(artifacts) == before


def test_it_is_written_when_the_digest_that_was_shown_is_said(tmp_path, artifacts, capsys):
    folder = result(tmp_path / "r", lambda at: described(at, detector=lambda text: text.update(version="0.9.9")))
    given = snapshot(folder)
    promote.main([str(folder)], artifacts=artifacts)
    assert promote.main([str(folder), "--accept", digest_shown(capsys.readouterr().out)], artifacts=artifacts) == 0
    assert Detector.load(artifacts / NAME).version == "0.9.9"
    assert json.loads((artifacts / NAME / "run.json").read_text())["job"] == "breakwater-network-1"
    assert snapshot(artifacts / "audit") == snapshot(ARTIFACTS / "audit")
    assert sorted(path.name for path in artifacts.iterdir()) == sorted(path.name for path in ARTIFACTS.iterdir())
    assert snapshot(folder) == given


@pytest.mark.parametrize("said", ["0" * 12, "a", ""])
def test_another_digest_than_the_one_shown_writes_nothing(tmp_path, artifacts, said, capsys):
    before = snapshot(artifacts)
    assert promote.main([str(result(tmp_path / "r")), "--accept", said], artifacts=artifacts) == 1
    assert "not the one that was reviewed" in capsys.readouterr().err
    assert snapshot(artifacts) == before


def blinder(folder: Path) -> None:
    """Alarms so seldom that it misses attacks of the stored sample."""
    described(folder, detector=lambda text: text.update(threshold=0.9999, version="0.9.9"))


def of_the_same_version(folder: Path) -> None:
    described(folder, detector=lambda text: text.update(threshold=text["threshold"] - 0.001))


def figure(test: str, group: str, name: str, value: float | None) -> Change:
    def change(evaluation: dict) -> None:
        evaluation["tests"][test][group][name]["mean"] = value

    return lambda folder: described(folder, evaluation=change)


def resized(folder: Path) -> None:
    model = (folder / "model.tflite").read_bytes() + bytes(300_000)
    (folder / "model.tflite").write_bytes(model)
    described(folder, detector=lambda text: text["model"].update(sha256=sha256(model), bytes=len(model)))


def renamed_feature(folder: Path) -> None:
    described(folder, detector=lambda text: text["features"].__setitem__(0, "log_duration_ms"))


def other_class(folder: Path) -> None:
    described(folder, detector=lambda text: text["classes"][1].update(name="sweep"))


def without_ctu(folder: Path) -> None:
    described(folder, evaluation=lambda text: text["tests"].pop("CTU days (evaluation only)"))


def one_seed(folder: Path) -> None:
    described(folder, evaluation=lambda text: text.update(seeds=[1], thresholds=text["thresholds"][:1]))


def wrong_card(folder: Path) -> None:
    (folder / "MODEL_CARD.md").write_text("# The best detector\n")


def no_model(folder: Path) -> None:
    (folder / "model.tflite").write_bytes(b"TFL3" * 100)
    described(folder, detector=lambda text: text["model"].update(sha256=sha256(b"TFL3" * 100), bytes=400))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (blinder, "entity recall on stored sample"),
        (figure("IoT-23 8-1", "windows", "auc", 0.9), "window AUC on IoT-23 8-1"),
        (figure("IoT-23 8-1", "entities", "recall", None), "entity recall on IoT-23 8-1"),
        (figure("IoT-23 4-1", "entities", "fpr", 0.5), "entity FPR on IoT-23 4-1"),
        (of_the_same_version, "raise `version`"),
        (resized, "at most 300,000 are allowed"),
        (renamed_feature, "features"),
        (other_class, "classes are not those of the present detector"),
        (without_ctu, "no figures on 'CTU days"),
        (one_seed, "figures are over 1 seeds, the present ones over 3"),
        (wrong_card, "the card says something else"),
        (no_model, "cannot run the model"),
    ],
)
def test_what_is_worse_or_could_not_serve_is_refused_even_when_told_to_take_it(tmp_path, artifacts, change, said, capsys):
    before = snapshot(artifacts)
    folder = result(tmp_path / "r", change)
    digest = check(folder).digest[:12]
    assert promote.main([str(folder), "--accept", digest], artifacts=artifacts) == 1
    refused = capsys.readouterr().err
    assert "REFUSED, nothing was written" in refused
    assert said in refused
    assert snapshot(artifacts) == before


def test_a_model_with_an_operator_that_is_not_built_in_is_refused(tmp_path, artifacts, monkeypatch, capsys):
    from training.promotion import fitness

    monkeypatch.setattr(fitness, "OPERATORS", fitness.OPERATORS - {"TANH"})
    assert promote.main([str(result(tmp_path / "r"))], artifacts=artifacts) == 1
    assert "needs the operator TANH" in capsys.readouterr().err


def touched(folder: Path) -> None:
    with (folder / NAME / "model.tflite").open("ab") as file:
        file.write(b"\0")


def added(folder: Path) -> None:
    (folder / NAME / "loader.py").write_text("print('run me')\n")


def added_with_a_sum(folder: Path) -> None:
    added(folder)
    write_sums(folder)


def other_figures(folder: Path) -> None:
    document(folder / RECORD, lambda text: text["detectors"][NAME]["tests"]["IoT-23 8-1"]["windows"]["auc"].update(mean=0.5))
    write_sums(folder)


def escaping(folder: Path) -> None:
    document(folder / RECORD, lambda text: text["detectors"].update({"../network": text["detectors"][NAME]}))
    write_sums(folder)


def without_sources(folder: Path) -> None:
    document(folder / RECORD, lambda text: text.pop("source"))
    write_sums(folder)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (touched, "differs from its sum"),
        (added, "in no list of sums"),
        (added_with_a_sum, "no part of a detector"),
        (lambda folder: (folder / NAME / "evaluation.json").unlink(), "is missing"),
        (lambda folder: (folder / SUMS).unlink(), "did not come to its end"),
        (other_figures, "give different figures"),
        (escaping, "holds a detector '../network'"),
        (without_sources, "does not say 'source'"),
    ],
)
def test_what_is_not_what_the_job_left_is_refused(tmp_path, artifacts, damage, said, capsys):
    folder = result(tmp_path / "r")
    damage(folder)
    assert promote.main([str(folder)], artifacts=artifacts) == 1
    assert said in capsys.readouterr().err


def packed(folder: Path, target: Path, *, extra: tarfile.TarInfo | None = None) -> Path:
    with tarfile.open(target, "w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, path.relative_to(folder).as_posix(), recursive=False)
        if extra is not None:
            archive.addfile(extra, io.BytesIO(bytes(extra.size)))
    return target


def test_an_archive_as_sagemaker_leaves_it_is_unpacked(tmp_path, artifacts):
    archive = packed(result(tmp_path / "r"), tmp_path / "model.tar.gz")
    assert promote.main([str(archive)], artifacts=artifacts) == 0


def test_a_download_as_azure_ml_lays_it_out_is_found(tmp_path, artifacts):
    result(tmp_path / "download" / "named-outputs" / "model")
    assert promote.main([str(tmp_path / "download")], artifacts=artifacts) == 0


def test_two_results_in_one_folder_are_not_chosen_between(tmp_path, artifacts, capsys):
    for turn in ("one", "two"):
        result(tmp_path / "download" / turn)
    assert promote.main([str(tmp_path / "download")], artifacts=artifacts) == 1
    assert "holds 2 results" in capsys.readouterr().err


def link(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return entry


def sized(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (link("network/card"), "neither file nor folder"),
        (sized("../outside", 3), "no whole tar.gz"),
        (sized("network/large", 21 * 1024 * 1024), "that is no result"),
    ],
)
def test_an_archive_that_a_stranger_made_writes_nothing_outside(tmp_path, extra, said):
    archive = packed(result(tmp_path / "r"), tmp_path / "model.tar.gz", extra=extra)
    with pytest.raises(Refused, match=said):
        fetch(str(archive), tmp_path / "into")
    assert not (tmp_path / "into" / "outside").exists()


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(Refused, match="name a folder"):
        fetch(str(tmp_path / "absent"), tmp_path)


def test_a_first_detector_has_nothing_to_be_worse_than(tmp_path, artifacts, capsys):
    shutil.rmtree(artifacts / NAME)
    folder = result(tmp_path / "r")
    assert promote.main([str(folder), "--accept", check(folder).digest[:12]], artifacts=artifacts) == 0
    assert "no present detector" in capsys.readouterr().out
    assert Detector.load(artifacts / NAME).name == NAME


def evaluation(recall: float, spread: float, *, entities: int = 100) -> dict:
    share = {"mean": recall, "spread": spread}
    test = {
        "attack_entities": entities, "benign_entities": 100, "attack_windows": 100, "benign_windows": 100,
        "entities": {"recall": share, "fpr": {"mean": 0.0, "spread": 0.0}},
        "windows": {"auc": {"mean": 0.9, "spread": 0.0}}, "false_alarms_per_entity_day": {"mean": 0.0, "spread": 0.0},
    }  # fmt: skip
    return {"seeds": [1, 2, 3], "tests": {"unseen": test}}


@pytest.mark.parametrize(
    ("lost", "spread", "worse"),
    [(0.009, 0.0, False), (0.02, 0.0, True), (0.02, 0.02, False), (0.04, 0.02, True), (0.04, 0.2, False), (0.06, 0.2, True)],
)
def test_noise_over_seeds_is_let_pass_but_never_more_than_five_points(lost, spread, worse):
    rows = of_evaluations(evaluation(0.8, spread), evaluation(0.8 - lost, spread))
    assert [row.figure for row in rows if row.worse] == (["entity recall"] if worse else [])


def test_another_test_set_of_the_same_name_is_shown_and_not_judged():
    rows = of_evaluations(evaluation(0.8, 0.0), evaluation(0.1, 0.0, entities=50))
    assert not any(row.judged or row.worse for row in rows)


def test_a_figure_that_is_no_number_is_worse():
    assert Row("unseen", "entity recall", 0.5, float("nan"), 0.01, True).worse
    assert not Row("unseen", "entity recall", None, 0.5, 0.01, True).worse


@pytest.mark.parametrize("name", ["network", "audit"])
def test_the_stored_sample_tells_a_working_detector_from_a_blind_one(name):
    stories = read(name)
    assert min(sum(story.attack for story in stories), sum(not story.attack for story in stories)) >= 50
    figures = judge(Detector.load(ARTIFACTS / name), stories)
    assert figures.windows.auc > 0.85
    assert figures.entities.recall > 0.4


def test_a_sample_of_another_encoder_is_refused(tmp_path):
    shutil.copy(FOLDER / "audit.npz", tmp_path / "network.npz")
    with pytest.raises(SampleUnfit, match=r"training\.evaluation_sample"):
        read("network", tmp_path)
