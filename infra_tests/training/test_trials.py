"""Trials of sequence models: windows, what an attacker may change, what figures mean, and what is said of shipped models."""

from __future__ import annotations

import json
import random
import re
import shutil

import numpy as np
import pytest

from shared_model.encoders.network import FEATURES
from training.benchmarks import reach
from training.benchmarks.records import Records
from training.data_root import data_root
from training.scenarios import families
from training.scenarios.connections import Connection
from training.sequences import Story
from training.trials import (
    audit_evasion,
    audit_hardening,
    flows,
    folds,
    padding,
    recorded,
    shipped,
    stage,
)
from training.trials import families as left_out
from training.trials.evasion import EVASIONS
from training.trials.flow_sets import DIRECTION, flow_set
from training.trials.measures import averaged, figures_at, matthews, threshold_for
from training.trials.models import Examples, fit_trees, statistics, thinned


def story(length: int, hostile: bool, value: float) -> Story:
    rows = np.full((length, len(FEATURES)), value, np.float32)
    rows[:, -1] = 1
    return Story(rows, np.full(length, int(hostile)), "made", hostile, 0.1)


def test_a_window_never_reaches_into_another_sequence():
    flows_of_two = flow_set("made", [story(20, False, 5.0), story(3, True, 7.0)])
    (window,) = flows_of_two.windows(np.array([21]))
    assert (window[:14] == 0).all()
    assert (window[14:, 0] == 7).all()
    assert flows_of_two.windows(np.array([19]))[0, :, -1].all()


def test_direction_is_no_feature():
    features = flow_set("made", [story(4, False, 5.0)]).features
    blank = [FEATURES.index(name) for name in DIRECTION]
    assert not features[:, blank].any()
    assert features[:, [place for place in range(len(FEATURES)) if place not in blank]].all()


def test_the_threshold_comes_from_the_last_fifth_of_every_sequence():
    learnt, held = flows.examples([flow_set("made", [story(50, False, 1.0), story(10, True, 2.0)])], seed=1)
    assert (len(learnt), int(learnt.hostile.sum())) == (48, 8)
    assert (len(held), int(held.hostile.sum())) == (12, 2)


def test_statistics_are_of_the_events_and_not_of_the_padding():
    windows = np.zeros((1, 16, 2), np.float32)
    windows[0, 13:] = [[2, 1], [4, 1], [6, 1]]
    newest, mean, spread, low, high = statistics(windows).reshape(5, 2)[:, 0]
    assert [newest, mean, low, high] == [6, 4, 2, 6]
    assert spread == pytest.approx(np.std([2, 4, 6]))


def test_no_recording_outweighs_the_others():
    hostile = np.array([True] * 10 + [False] * 100 + [True] * 40)
    groups = np.array([0] * 110 + [1] * 40)
    kept = thinned(hostile, groups, 20, seed=1)
    assert (len(kept), int(hostile[kept].sum())) == (10 + 20 + 20, 30)


@pytest.mark.training
def test_the_forest_on_single_flows_is_blind_to_what_came_before():
    pytest.importorskip("sklearn", reason="scikit-learn lives in the training environment (make train makes it)")
    rng = np.random.default_rng(1)
    windows = rng.normal(size=(400, 16, 3)).astype(np.float32)
    windows[..., -1] = 1
    examples = Examples(windows, windows[:, -1, 0] > 0)
    score = fit_trees("forest_flow", examples, seed=1)
    scrambled = windows.copy()
    scrambled[:, :-1] = 9
    assert (score(windows) == score(scrambled)).all()


def test_a_rate_is_left_out_where_the_sample_does_not_allow_it():
    hostile = np.r_[np.ones(50, bool), np.zeros(300, bool)]
    score = np.r_[np.full(40, 0.9), np.full(10, 0.1), np.linspace(0, 0.5, 300)]
    figures = figures_at(hostile, score, 0.6)
    assert (figures["found"], figures["false"], figures["recall"]) == (40, 0, 0.8)
    assert figures["recall_1e-2"] == 0.8
    assert figures["recall_1e-3"] is None
    assert figures_at(~np.ones(400, bool), np.zeros(400), 0.6)["recall"] is None


def test_padding_is_what_the_control_sees_and_nothing_else():
    windows = np.zeros((3, 16, 4), np.float32)
    windows[0, -1, 2] = 5.0
    windows[1, -9:, 1] = -1.0
    windows[2] = 7.0
    assert padding.lengths(windows).tolist() == [[1], [9], [16]]


@pytest.mark.parametrize(
    ("auc", "attack", "told"),
    [
        (0.94, 3184, "only how much of it is padding"),
        (0.06, 3184, "only how much of it is padding"),
        (0.51, 3184, None),
        (0.51, 6, "6 attack flows: too few"),
    ],
)
def test_what_length_alone_gives_away_is_no_evidence(auc, attack, told):
    figures = {"auc": {"mean": auc, "spread": 0.0}, "attack": attack, "recall_1e-2": {"mean": 0.87, "spread": 0.0}}
    found = reach.no_evidence({"padding": {"tests": {"ctu_010": figures}}}, "ctu_010")
    assert (found is None) == (told is None)
    assert found is None or (found[0] == "**no evidence**" and told in found[1])
    assert reach.no_evidence({"padding": None}, "ctu_010") is None


def test_matthews_by_hand():
    assert matthews(50, 0, 50, 0) == 1
    assert matthews(25, 25, 25, 25) == 0
    assert matthews(0, 0, 50, 50) is None


def test_a_threshold_is_reached_by_no_more_than_the_rate():
    score = np.linspace(0, 1, 1000)
    assert np.mean(score >= threshold_for(score, 0.01)) <= 0.01
    assert np.mean(score >= threshold_for(score, 0.01)) > 0.008


def test_an_average_says_over_how_many_seeds():
    one = figures_at(np.array([True, False] * 200), np.linspace(0, 1, 400), 0.5)
    assert averaged([one, one])["seeds"] == 2
    assert averaged([one, one])["recall"]["spread"] == 0


def attack() -> list[Connection]:
    calm = [Connection(1000 * i, 50, "10.0.0.1", 40000 + i, "192.0.2.1", 443, 6, 5, 900, 5, 9000) for i in range(20)]
    hostile = [
        Connection(500 + 1000 * i, 9, "10.0.0.1", 50000, "192.0.2.9", 6667, 6, 2, 120, 2, 120, label="command_and_control")
        for i in range(20)
    ]
    scan = [Connection(30_000 + i, 9, "10.0.0.1", 50000, f"192.0.2.{i}", 23, 6, 1, 40, 0, 0, label="scan") for i in range(9)]
    return sorted(calm + hostile + scan, key=lambda one: one.start_ms)


@pytest.mark.parametrize("name", EVASIONS)
def test_evasion_leaves_benign_connections_and_the_aim_of_the_attack_alone(name):
    before = attack()
    after = EVASIONS[name](before, random.Random(1))
    assert [one for one in before if one.label == "benign"] == [one for one in after if one in before and one.label == "benign"]
    scans = [[(one.destination, one.destination_port) for one in told if one.label == "scan"] for told in (before, after)]
    assert sorted(scans[0]) == sorted(scans[1])
    assert sum(one.label != "benign" for one in after) == 29
    assert all(one.bytes_out <= max(1400 * one.packets_out, 900) for one in after)
    assert [one.start_ms for one in after] == sorted(one.start_ms for one in after)


def test_each_evasion_but_none_changes_something():
    before = attack()
    changed = {name for name, evade in EVASIONS.items() if evade(before, random.Random(1)) != before}
    assert changed == set(EVASIONS) - {"none"}


_TOLD = ("audit", "network")
_STALE = (
    "model_artifacts changed: run python -m training.trials shipped recorded network_evasion audit_evasion engines, "
    "then python -m training.benchmarks page"
)


@pytest.mark.parametrize("name", _TOLD)
def test_the_shipped_models_find_on_the_stored_sample_what_card_and_report_say(name):
    from training.benchmarks.report import REPORT

    document = stage.document("shipped")
    assert document is not None
    found, said = shipped.sample(name), document["detectors"][name]["sample"]
    card = json.loads((shipped.ARTIFACTS / name / "evaluation.json").read_text(encoding="utf-8"))["sample"]
    for told in (said, card):
        assert (found["attack_entities"], found["benign_entities"]) == (told["attack_entities"], told["benign_entities"]), _STALE
        # Another processor may round a few scores to the other side of the threshold.
        assert found["detected"] == pytest.approx(told["detected"], abs=2), _STALE
        assert found["alarming"] == pytest.approx(told["alarming"], abs=2), _STALE
        assert found["windows"] == pytest.approx(told["windows"], abs=2e-3), _STALE
    assert sum(abs(hit - said["families"][family][0]) for family, (hit, _) in found["families"].items()) <= 2, _STALE
    entities = f"{said['detected']} of {said['attack_entities']} | {said['alarming']} of {said['benign_entities']}"
    row = f"| {entities} | {said['windows']['auc']:.3f} |"
    assert any(line.startswith(f"| `{name}` ") and row in line for line in REPORT.read_text(encoding="utf-8").splitlines())


def test_another_threshold_gives_another_table(tmp_path, monkeypatch):
    shutil.copytree(shipped.ARTIFACTS / "audit", tmp_path / "audit")
    described = json.loads((tmp_path / "audit" / "detector.json").read_text())
    (tmp_path / "audit" / "detector.json").write_text(json.dumps(described | {"threshold": 0.9}))
    before = shipped.sample("audit")
    monkeypatch.setattr(shipped, "ARTIFACTS", tmp_path)
    assert shipped.sample("audit")["detected"] < before["detected"] - 2


def test_the_report_tells_of_each_shipped_detector_what_its_build_counted():
    document = stage.document("shipped")
    assert document is not None
    for name, one in ((name, document["detectors"][name]) for name in _TOLD):
        evaluation = json.loads((shipped.ARTIFACTS / name / "evaluation.json").read_text())
        assert one["seeds"] == len(evaluation["seeds"])
        assert {title: test["recall"] for title, test in one["tests"].items()} == {
            title: test["entities"]["recall"] for title, test in evaluation["tests"].items()
        }, _STALE


@pytest.mark.parametrize(
    ("source", "test"),
    [
        ("stratus", "held-out Stratus techniques"),
        ("panther", "held-out Panther cases"),
        ("invictus", "Invictus (account never seen)"),
        ("system_logs", "OpenSSH and Linux logs (never seen)"),
    ],
)
def test_recorded_logs_are_counted_as_on_the_card(source, test):
    document = stage.document("recorded")
    assert document is not None
    told = document["sources"][source]
    evaluated = json.loads((recorded.ARTIFACTS / "audit" / "evaluation.json").read_text())["tests"][test]
    for name, kind in (("attacks_counted", "detected"), ("attacks_strict_counted", "strict")):
        assert (told[name]["found"], told[name]["of"]) == (evaluated[kind]["found"], evaluated[kind]["of"]), _STALE
    assert (told["alerts"], told["alerts_strict"]) == (evaluated["alerts"]["own"][0], evaluated["alerts"]["strict"][0])
    assert sum(of for _, of in told["attacks"].values()) == evaluated["attack_entities"]


def test_each_evasion_of_an_audit_attack_changes_something_and_the_user_agent_row_hides_the_program():
    from shared_model.encoders.audit import ROW

    rows = np.zeros(12, ROW)
    rows["time_ms"], rows["agent"] = 1000 * np.arange(12), 2
    labels = np.array([0] * 9 + [2] * 3)
    told = {name: evade(rows, labels, np.random.default_rng(1)) for name, evade in audit_evasion.EVASIONS.items()}
    assert set(told["none"][0]["agent"][told["none"][1] > 0]) != {2}
    for name in ("user agent", "all of them"):
        assert set(told[name][0]["agent"].tolist()) == {2}
    assert len({(changed.tobytes(), own.tobytes()) for changed, own in told.values()}) == len(told)
    for changed, own in told.values():
        assert int((own > 0).sum()) == 3
        assert changed["time_ms"].tolist() == sorted(changed["time_ms"].tolist())


def test_hardening_tells_each_attack_once_more_and_leaves_what_it_is_alone():
    from shared_model.encoders.audit import ROW, ROW_BYTES

    rng = np.random.default_rng(3)
    rows = np.zeros(12, ROW)
    rows["time_ms"] = 1000 * np.arange(12)
    rows["agent"] = rng.integers(0, 5, 12)
    bytes_of = np.ascontiguousarray(rows).view(np.uint8).reshape(-1, ROW_BYTES)
    labels = np.array([0] * 9 + [2] * 3)
    told = [Story(bytes_of, labels, "attack", True, 0.1), Story(bytes_of, labels * 0, "calm", False, 0.1),
            Story(bytes_of[9:], labels[9:], "bare", True, 0.1)]  # fmt: skip
    again = [one for seed in range(8) for one in audit_hardening.hardened(told, seed=seed)]
    assert {one.family for one in again} == {"attack"}
    assert len(again) == 8
    assert all((one.labels > 0).sum() == 3 for one in again)
    assert len({one.rows.tobytes() for one in again} | {bytes_of.tobytes()}) > 2


@pytest.mark.training
def test_every_record_is_tested_in_one_fold_and_stands_on_one_side_of_it():
    pytest.importorskip("sklearn", reason="scikit-learn lives in the training environment (make train makes it)")
    count = 1000
    kinds = np.array(["benign"] * 600 + ["dos"] * 350 + ["u2r"] * 50)
    records = Records(np.arange(count, dtype=float)[:, None], np.empty((count, 0), str), kinds, kinds, ("n",), ())
    tested: list[float] = []
    for fold in range(folds.FOLDS):
        parts = folds.divided(records, fold)
        (test,) = parts.tests.values()
        sides = [set(side.numbers[:, 0].tolist()) for side in (parts.train, parts.validation, test)]
        assert set.union(*sides) == set(range(count))
        assert sum(map(len, sides)) == count
        assert int((test.families == "u2r").sum()) == 10
        tested += test.numbers[:, 0].tolist()
    assert sorted(tested) == list(range(count))


def test_folds_are_summed_up_by_model_with_their_spread():
    one = {"hit": 90, "missed": 10, "false": 0, "quiet": 100, "auc": 0.99}
    other = one | {"hit": 100, "missed": 0, "false": 4, "quiet": 96}
    found = folds.sum_up({"svm_0": one, "svm_1": other, "cnn_lstm_0": other})["models"]
    assert (found["svm"]["folds"], found["svm"]["missed"], found["svm"]["false"]) == (2, 10, 4)
    assert found["svm"]["fpr"]["mean"] == pytest.approx(0.02)
    assert found["svm"]["fpr"]["spread"] == pytest.approx(np.std([0, 0.04], ddof=1), abs=1e-6)
    assert found["cnn_lstm"]["folds"] == 1
    assert "lstm" not in found


@pytest.mark.skipif(data_root() is None, reason="there is no recorded data (BREAKWATER_DATA is not set)")
def test_the_day_that_is_tested_is_later_than_every_day_of_training():
    train, test = flows.divided("ctu", "011", str(data_root()))
    assert ([one.name for one in train], test.name) == (["ctu-008", "ctu-010"], "ctu-011")
    train, test = flows.divided("iot23", "8-1", str(data_root()))
    assert test.name == "iot23-8-1"
    assert test.name not in {one.name for one in train}
    assert len(train) == len(flows.CAPTURES) - 1


def test_every_family_is_left_out_once_but_attacks_that_are_drawn_from_a_catalogue():
    told = [family for kind in left_out.KINDS.values() for family in left_out.told_families(kind)]
    assert len(set(told)) == len(told)
    never = {family.name for family in families()} - {family.name for family in told}
    assert never
    assert all(re.search(r"/(azure-)?any-", name) for name in never)
    assert "system/many-guessers" not in never
    for kind in left_out.KINDS.values():
        folds = {left_out.fold_of(family) for family in left_out.told_families(kind) if family.is_attack}
        assert len(folds) > 1, "what is left out of one fold must be told in another"
    assert {family.telemetry for family in told} == {family.telemetry for family in families()}


@pytest.mark.training
def test_what_leaving_families_out_found_is_added_up_by_kind_of_telemetry():
    pytest.importorskip("scipy", reason="scipy lives in the training environment (make train makes it)")
    once, three, none = {"alerts": 1, "of": 6}, {"alerts": 3, "of": 6}, {"alerts": 0, "of": 9}
    found = {
        "flows_fold-0": {"attack": {"network/a": once}, "benign": {"network/b": none}, "days": 1.5},
        "flows_fold-1": {"attack": {"network/c": three, "network/d": none}, "benign": {}, "days": 0.5},
    }
    ((name, one),) = left_out.sum_up(found)["kinds"].items()
    assert (name, one["folds"], one["days"]) == ("flows", 2, 2.0)
    assert (one["stories"]["found"], one["stories"]["of"], one["false"]["found"], one["false"]["of"]) == (4, 21, 0, 9)
    assert one["families"] == {"found": 1, "of": 3}
    assert (one["missed"], one["seldom"]) == (["network/d"], {"network/a": "1 of 6"})
