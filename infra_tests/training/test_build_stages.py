"""The stages of a detector's build: each alone, resumed, refused where one before it is missing. Needs TensorFlow."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow lives in the training environment (make train makes it)")

from training import build as command_line
from training.benchmarks import ledger
from training.jobs.run_record import DataChecked, Run
from training.scenarios import Split, families, generate
from training.sequences import Story, cut_stories
from training.stages import chain, material, stage
from training.stages.chain import STAGES, StageMissing, run_chain
from training.stages.stage import Build, Cell
from training.stages.standing import Standing
from training.tasks import TASKS, Material, Task

pytestmark = pytest.mark.training
RUN = Run("sources", DataChecked(0, (), ""), {"python": "3"})
ARTIFACT = {"model.tflite", "detector.json", "evaluation.json", "MODEL_CARD.md"}


class Reclaimed(Exception):
    """The machine was taken away."""


def small_material(_root, seed: int, repeats: int, progress) -> Material:
    """Two families of each kind: enough to train something, quickly."""
    from training.network_data import stories_of

    def stories(split: Split, names: tuple[str, ...], at: int) -> list[Story]:
        chosen = tuple(family for family in families(split=split) if family.name in names)
        return [story for scenario in generate(at, only=chosen, repeats=repeats) for story in stories_of(scenario)]

    progress("told")
    train = stories(Split.TRAIN, ("network/port-scan-one-host", "network/web-tier", "network/health-checks"), seed)
    validation = stories(Split.VALIDATION, ("network/slow-scan", "network/office-browsing"), seed + 1)
    test = stories(Split.TEST, ("network/udp-scan", "network/mail-relay"), seed + 2)
    return Material(train, train[:4] + validation, validation, {"unseen": test}, ("generated scenarios",))


def small_task() -> Task:
    return replace(TASKS["network"](), gather=small_material)


def a_build(folder: Path, said: list[str] | None = None, task: Task | None = None) -> Build:
    lines = [] if said is None else said
    return Build(
        task or small_task(), None, (7, 8), 2, 2, folder / "work", folder / "network", RUN, "build network",
        folder / "looks.jsonl", lines.append,
    )  # fmt: skip


def artifact(build: Build) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in build.out.iterdir()}


def ran(said: list[str]) -> list[str]:
    """Titles of the cells that were run, in their order."""
    titles = [line.partition(":")[0] for line in said if line.startswith("network ") and "not run again" not in line]
    return [title.removeprefix("network ") for title in titles]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Build:
    """A build that nothing interrupted."""
    build = a_build(tmp_path_factory.mktemp("whole"))
    run_chain(build)
    return build


@pytest.fixture
def copied(whole, tmp_path) -> Build:
    """The same build, to run stages of it again."""
    shutil.copytree(whole.folder, tmp_path / "work")
    shutil.copytree(whole.out, tmp_path / "network")
    build = a_build(tmp_path)
    # Where the folder that ships lies decides the last stage: it has moved, nothing before it has.
    run_chain(build)
    return build


def test_a_build_leaves_the_folder_that_ships_and_counts_its_looks(whole):
    assert set(artifact(whole)) == ARTIFACT
    evaluation = json.loads(artifact(whole)["evaluation.json"])
    assert evaluation["seeds"] == [7, 8]
    assert list(evaluation)[4:] == ["controls", "parity", "tests", "sample", "limits", "run"]
    assert whole.looks is not None
    assert {(look.test, look.seed) for look in ledger.looks(whole.looks)} == {("network: unseen", 7), ("network: unseen", 8)}


def test_the_run_record_tells_of_each_stage_what_it_read_took_and_found(whole):
    record = json.loads((whole.folder / "run.json").read_text())
    assert (record["source"], record["data"]["digest"], record["versions"]) == ("sources", "", {"python": "3"})
    assert (record["seeds"], record["repeats"], record["epochs"]) == ([7, 8], 2, 2)
    stages = record["stages"]
    assert list(stages) == [
        "load", "clean", "encode", "train/seed-7", "train/seed-8", "tune/seed-7", "tune/seed-8", "evaluate", "export", "card"
    ]  # fmt: skip
    for place, told in stages.items():
        assert told["seconds"] >= 0
        assert told["began"]
        assert told["figures"]
        assert len(told["recipe"]) == 64
        for name, digest in told["files"].items():
            assert stage.checksum(whole.folder / place / name) == digest
    made = stages["encode"]["files"]["material.npz"]
    assert stages["train/seed-8"]["parts"]["inputs"]["encode/material.npz"] == made
    assert "train/seed-7/learnt.npz" not in stages["tune/seed-8"]["parts"]["inputs"]
    assert stages["train/seed-7"]["figures"]["epochs"] == 2
    assert stages["tune/seed-7"]["figures"]["threshold"] >= 0.5
    assert stages["card"]["files"][str(whole.out / "model.tflite")] == stages["export"]["figures"]["sha256"]


def test_finished_stages_are_not_run_again_and_say_so(copied):
    before = artifact(copied)
    said: list[str] = []
    run_chain(a_build(copied.folder.parent, said))
    assert ran(said) == []
    assert len([line for line in said if "not run again, nothing changed since" in line]) == 10
    assert artifact(copied) == before


class Watched:
    """A task that notes what is read of it."""

    def __init__(self, task: Task, read: set[str]) -> None:
        self._task, self._read = task, read

    def __getattr__(self, name: str) -> object:
        self._read.add(name)
        return getattr(self._task, name)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_runs_alone_leaves_the_same_and_reads_no_setting_that_its_recipe_lacks(name, copied, monkeypatch):
    one, read = STAGES[name], set()

    def run(cell: Cell) -> stage.Figures:
        return one.run(replace(cell, build=replace(cell.build, task=Watched(cell.build.task, read))))

    run.__module__ = one.run.__module__  # where its code is looked for
    monkeypatch.setitem(STAGES, name, replace(one, run=run))
    left = [path for path in copied.folder.rglob("*") if path.is_file() and path.name not in ("done.json", "run.json")]
    before = {path: path.read_bytes() for path in left}
    shutil.rmtree(copied.place(name, one.seeds(copied)[-1]))
    said: list[str] = []
    run_chain(a_build(copied.folder.parent, said), [name])
    assert ran(said) == [f"{name}, seed 8" if one.each_seed else name]
    assert {path: path.read_bytes() for path in before} == before
    assert read <= {*one.settings, *one.calls}
    assert set(one.needs) <= set(list(STAGES)[: list(STAGES).index(name)])
    standing = Standing(copied, STAGES)
    assert all(standing.of(each, seed)[0] for each in STAGES.values() for seed in each.seeds(copied)), "it left the same"


def test_a_stage_names_those_that_must_run_first_and_the_command(tmp_path):
    said: list[str] = []
    with pytest.raises(StageMissing) as raised:
        run_chain(a_build(tmp_path, said), ["train"])
    assert str(raised.value) == (
        "network: train needs load, which has not been run (clean, encode after it): build network load clean encode train"
    )
    assert said == []
    run_chain(a_build(tmp_path), ["load", "clean"])
    with pytest.raises(
        StageMissing, match=r"evaluate needs encode, which has not been run \(train, tune after it\): build network encode"
    ):
        run_chain(a_build(tmp_path), ["evaluate"])


def fallen(build: Build) -> dict[str, str]:
    """Stages that do not stand, and why."""
    standing = Standing(build, STAGES)
    found: dict[str, str] = {}
    for one in STAGES.values():
        for seed in one.seeds(build):
            kept, why = standing.of(one, seed)
            if kept is None:
                found.setdefault(one.name, why)
    return found


def test_a_changed_setting_makes_old_what_reads_it_and_what_rests_on_that(copied):
    build = a_build(copied.folder.parent, task=replace(small_task(), alerts_per_entity_day=9.0))
    assert list(fallen(build)) == ["tune", "evaluate", "export", "card"]
    with pytest.raises(
        StageMissing, match=r"tune, which is of before a change \(settings alerts_per_entity_day\): build network tune"
    ):
        run_chain(build, ["evaluate"])


def test_a_further_seed_leaves_the_stages_of_the_others_as_they_are(copied):
    build = replace(copied, seeds=(7, 8, 9))
    why = fallen(build)
    assert list(why) == ["train", "tune", "evaluate", "export", "card"]
    assert Standing(build, STAGES).of(STAGES["train"], 8)[0] is not None


def test_changed_code_makes_old_the_stage_that_reaches_it(copied, monkeypatch):
    reached = stage.reached

    def changed(module: str, name: str) -> tuple[str, ...]:
        return (*reached(module, name), "another line") if module == "training.stages.evaluate" else reached(module, name)

    monkeypatch.setattr(stage, "reached", changed)
    why = fallen(copied)
    assert list(why) == ["evaluate", "export", "card"]
    assert why["evaluate"] == "is of before a change (code training.stages.evaluate)"


def test_a_folder_that_ships_and_was_changed_since_does_not_stand(copied):
    (copied.out / "MODEL_CARD.md").write_text("another card")
    assert fallen(copied) == {"card": f"has lost {copied.out / 'MODEL_CARD.md'}"}


def test_a_damaged_result_does_not_stand(copied):
    path = copied.place("train", 8) / "learnt.npz"
    path.write_bytes(path.read_bytes()[:-100])
    assert fallen(copied)["train"] == "has lost learnt.npz"


def test_a_build_that_is_interrupted_in_a_fit_goes_on_and_ends_with_the_same_bytes(copied):
    learnt = copied.place("train", 8) / "learnt.npz"
    before = learnt.read_bytes()
    shutil.rmtree(learnt.parent)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("epoch 2/2"):
            raise Reclaimed

    with pytest.raises(Reclaimed):
        run_chain(replace(copied, progress=say))
    assert not learnt.exists()
    said.clear()
    run_chain(replace(copied, progress=said.append))
    assert ran(said) == ["train, seed 8"], "the same bytes, so that what follows stands"
    assert any(line.startswith("epoch 1/2") and line.endswith("(kept)") for line in said)
    assert learnt.read_bytes() == before
    assert not list(copied.folder.rglob("unfinished-*"))


def test_only_what_the_same_recipe_left_unfinished_is_gone_on_from(tmp_path):
    own, other = (tmp_path / f"unfinished-{recipe[:12]}" for recipe in ("a" * 64, "b" * 64))
    for folder in (own, other):
        folder.mkdir()
        (folder / "epoch").touch()
    (tmp_path / "learnt.npz").touch()
    (tmp_path / "done.json").touch()
    assert stage.begin(tmp_path, "a" * 64) == own
    assert [path.name for path in tmp_path.iterdir()] == [own.name]
    assert (own / "epoch").exists()


def test_material_is_read_back_as_it_was_written(tmp_path):
    rng = np.random.default_rng(1)

    def story(count: int, family: str, timed: bool) -> Story:
        times = rng.integers(0, 9, count) if timed else None
        labels = rng.integers(0, 2, count)
        return Story(
            rng.integers(0, 255, (count, 5)).astype(np.uint8),
            labels,
            family,
            bool(labels.any()),
            0.1 * count,
            f"of {family}",
            times,
        )

    one, two, three = story(20, "a", True), story(17, "b", False), story(3, "a", True)
    held = Material(
        [one, two], [two, three], [three], {"unseen": [one], "empty": []}, ("told",), [three], {"both": ([one], [two, three])},
        frozenset({"unseen"}), cut_stories([one, three]),
    )  # fmt: skip
    material.save(held, tmp_path)
    again = material.load(tmp_path)
    for field in fields(Material):
        np.testing.assert_equal(_plain(getattr(again, field.name)), _plain(getattr(held, field.name)), field.name)
    assert again.stopping[0] is again.train[1], "a story of several sets is one story"
    assert again.train[0].rows.dtype == np.uint8
    assert material.sources(tmp_path) == ("told",)


def _plain(value: object) -> object:
    """Without classes that compare arrays by truth."""
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def test_the_command_line_takes_detectors_and_stages_in_any_order(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command_line, "WORK", tmp_path)
    monkeypatch.setattr(command_line, "data_root", lambda: None)
    assert command_line.main(["tune", "audit", "--seed", "5"]) == 1
    assert "python -m training.build --seed 5 audit load clean encode train tune" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command_line.main(["audit", "bake"])
    assert "bake" in capsys.readouterr().err
    assert chain.STAGES.keys() == {"load", "clean", "encode", "train", "tune", "evaluate", "export", "card"}
