"""Benchmarks of single records: what is read, how it is divided, and that report, document and kept network say the same."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.benchmarks import cicids2017, distilled, ledger, novelty, nsl_kdd, protocols, specimen, unseen
from training.benchmarks.assess import FORMS, Outcome, at_budget, calibration, precision_recall
from training.benchmarks.encoding import Category, Encoding, fit_encoding, plain_numbers
from training.benchmarks.intervals import allows, at_rate
from training.benchmarks.jobs import NETWORKS, SEEDS, Job, final_tests, jobs, recipe
from training.benchmarks.records import DataNotAsPublished, Records, checked_files, drop_repeated
from training.benchmarks.rivals import RIVALS
from training.data_root import data_root
from training.reached_code import reached
from training.trials.measures import average_precision

NSL_ROW = "0,tcp,http,SF,181,5450" + ",0" * 35 + ",{attack},21"


def made(numbers: list[list[float]], attacks: list[str], words: list[str] | None = None) -> Records:
    table = np.array(numbers, np.float64)
    return Records(
        table,
        np.array(words or ["a"] * len(table)).reshape(-1, 1),
        np.array(attacks),
        np.array(attacks),
        tuple(f"n{index}" for index in range(table.shape[1])),
        ("word",),
    )


def test_nsl_rows_are_read_by_field():
    records = nsl_kdd.parse(NSL_ROW.format(attack="normal") + "\n" + NSL_ROW.format(attack="saint") + "\n")
    assert records.attacks.tolist() == ["benign", "saint"]
    assert records.families.tolist() == ["benign", "probe"]
    assert records.categories[0].tolist() == ["tcp", "http", "SF"]
    assert records.numbers[0, records.number_names.index("dst_bytes")] == 5450
    assert "num_outbound_cmds" not in records.number_names


def test_an_attack_that_nsl_does_not_have_is_refused():
    with pytest.raises(ValueError, match="slowloris"):
        nsl_kdd.parse(NSL_ROW.format(attack="slowloris"))


def test_nsl_groups_hold_every_field_once():
    fields = [name for group in nsl_kdd.GROUPS for name in group]
    assert sorted(fields) == sorted({*nsl_kdd.NUMBERS, *nsl_kdd.CATEGORIES} - set(nsl_kdd.CONSTANT))


def flow_table(label: str, **cells: str) -> str:
    columns = [*cicids2017.NUMBERS, "Fwd Header Length", "Label"]
    row = [cells.get(name, "1") for name in cicids2017.NUMBERS] + ["777", label]
    return " " + ", ".join(columns) + "\n" + ",".join(row) + "\n"


@pytest.mark.parametrize(
    ("label", "family"),
    [("BENIGN", "benign"), ("Web Attack \ufffd XSS", "web_attack"), ("Web Attack – Brute Force", "web_attack"), ("Bots", "bot"),
     ("Port Scanning", "port_scan"), ("Brute Force", "brute_force")],
)  # fmt: skip
def test_every_spelling_of_a_label_has_one_family(label, family):
    assert cicids2017.parse({"day.csv": flow_table(label)}).families.tolist() == [family]


def test_infinity_is_a_gap_and_the_first_of_doubled_columns_counts():
    records = cicids2017.parse({"day.csv": flow_table("Bot", **{"Flow Bytes/s": "Infinity", "Fwd Header Length": "40"})})
    assert np.isnan(records.numbers[0, cicids2017.NUMBERS.index("Flow Bytes/s")])
    assert records.numbers[0, cicids2017.NUMBERS.index("Fwd Header Length")] == 40


def test_an_unknown_label_names_file_line_and_field():
    with pytest.raises(ValueError, match=r"cicids2017/day\.csv, line 2, Label: 'Heartbleed'"):
        cicids2017.parse({"day.csv": flow_table("Heartbleed")})


def test_a_vector_is_kept_once_whatever_its_label_and_digits():
    cleaned = drop_repeated(made([[1.0], [1.0], [2.0], [1.0], [123456.4], [123456.0]], ["benign", "benign", "x", "x", "x", "x"]))
    assert cleaned.records.numbers[:, 0].tolist() == [1.0, 2.0, 123456.4]
    assert cleaned.records.attacks.tolist() == ["benign", "x", "x"]
    assert (cleaned.repeated, cleaned.contradicting) == (3, 1)


def test_a_file_that_is_not_as_published_is_not_read(tmp_path):
    with pytest.raises(DataNotAsPublished, match="KDDTest-21"):
        checked_files(tmp_path, "nsl_kdd", [nsl_kdd.TEST_21])


@given(st.lists(st.floats(-1e12, 1e12), min_size=3, max_size=40), st.floats(allow_nan=True, allow_infinity=False))
def test_whatever_comes_is_encoded_within_one(values, later):
    encoding = fit_encoding(made([[value] for value in values], ["benign"] * len(values)), [("n0", "word")])
    encoded = encoding.apply(made([[later]], ["benign"]))
    assert encoded.shape == (1, encoding.width)
    assert np.isfinite(encoded).all()
    assert np.abs(encoded).max() <= 1


def test_a_larger_number_is_nowhere_encoded_smaller():
    train = made([[value] for value in (0, 0, 1, 5, 9, 100, 1e4, 1e6)], ["benign"] * 8)
    encoding = fit_encoding(train, [("n0",)])
    encoded = encoding.apply(made([[value] for value in np.linspace(-5, 2e6, 60)], ["benign"] * 60))
    assert (np.diff(encoded, axis=0) >= 0).all()


def test_an_unseen_category_is_all_zero_and_a_gap_is_the_flagged_median():
    train = made([[1.0], [3.0], [np.nan], [5.0]], ["benign"] * 4, ["a", "b", "a", "b"])
    encoding = fit_encoding(train, [("n0", "word")])
    gap, median = encoding.apply(made([[np.nan], [3.0]], ["benign"] * 2, ["c", "a"]))
    (_, (begin, end)) = encoding.spans
    assert not gap[begin:end].any()
    assert median[begin:end].tolist() == [1, 0]
    assert np.flatnonzero(gap[:begin] != median[:begin]).tolist() == [begin - 1]
    assert plain_numbers(made([[np.nan]], ["benign"], ["c"]), encoding).tolist() == [[3.0, -1.0]]


def test_a_rate_is_spoken_of_only_where_the_sample_allows_it():
    assert allows(1e-3, 3000)
    assert not allows(1e-3, 2999)
    truth = np.r_[np.ones(10, bool), np.zeros(300, bool)]
    score = np.r_[np.full(5, 0.9), np.full(5, 0.1), np.linspace(0, 0.5, 300)]
    assert at_rate(truth, score, 1e-3) is None
    found = at_rate(truth, score, 1e-2)
    assert found is not None
    assert found.recall == 0.5
    assert np.mean(score[~truth] >= found.threshold) <= 1e-2


def test_equal_scores_never_exceed_the_rate():
    truth = np.r_[np.ones(4, bool), np.zeros(400, bool)]
    found = at_rate(truth, np.r_[np.full(4, 0.7), np.full(400, 0.7)], 1e-2)
    assert found is not None
    assert found.recall == 0


def test_a_tail_is_the_share_of_benign_records_that_reach_a_score():
    reference = np.array([0.1, 0.2, 0.3, 0.4])
    assert novelty.benign_tail(reference, np.array([0.0, 0.3, 0.9])).tolist() == [1.0, 3 / 5, 1 / 5]


def test_the_joint_tail_adds_up_what_the_scores_say():
    steps = np.linspace(0, 1, 999)
    reference = (steps, np.random.default_rng(1).permutation(steps))
    tail = novelty.joint(reference, (np.array([2.0, 0.9, 0.5, 2.0]), np.array([2.0, 0.9, 0.5, 0.0])))
    assert tail[0] == 1 / 1000
    assert tail[0] < tail[1] < tail[2]
    assert tail[0] < tail[3] < tail[2]


def test_a_joint_budget_is_kept_on_the_benign_records_that_it_was_taken_from():
    rng = np.random.default_rng(4)
    reference = [rng.normal(size=4000) for _ in range(3)]
    assert np.mean(novelty.joint(reference, reference) <= 0.01) <= 0.01


@pytest.mark.training
def test_company_that_no_benign_record_keeps_is_strange_though_each_value_is_ordinary():
    pytest.importorskip("lightgbm", reason="LightGBM lives in the training environment (make train makes it)")
    rng = np.random.default_rng(2)
    same = rng.random(3000)
    records = made(np.stack([same, same], 1).tolist(), ["benign"] * 3000)
    encoding = fit_encoding(records, [("n0", "n1", "word")])
    score = novelty.fit_dependence(records, encoding, seed=1)
    ordinary, odd = score(made([[0.3, 0.3], [0.8, 0.8]], ["benign"] * 2)), score(made([[0.3, 0.8], [0.9, 0.1]], ["benign"] * 2))
    assert ordinary.max() < odd.min()


@pytest.mark.training
def test_the_cut_encoding_says_which_side_of_the_trees_cuts_a_value_lies_on():
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM lives in the training environment (make train makes it)")
    rng = np.random.default_rng(3)
    values = rng.integers(0, 40, 600).astype(float)
    records = made(
        np.stack([values, rng.random(600)], 1).tolist(), ["x" if value == 17 else "benign" for value in values], list("abc") * 200
    )
    encoding = fit_encoding(records, [("n0",), ("word", "n1")])
    trees = lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=1, random_state=1, verbose=-1)
    cuts = distilled.cut_encoding(encoding, trees.fit(plain_numbers(records, encoding), records.truth))
    assert any(16 <= cut < 17 for cut in cuts.cuts[0])
    assert any(17 <= cut < 18 for cut in cuts.cuts[0])
    rows = cuts.apply(made([[16, 0.5], [17, 0.5], [18, 0.5]], ["benign"] * 3))
    assert rows.shape == (3, sum(cuts.groups))
    assert len({row.tobytes() for row in rows[:, 1 : cuts.groups[0]]}) == 3
    assert len(cuts.cuts[0]) <= distilled.CUTS_OF_A_FIELD


def test_mixtures_take_every_field_from_some_record_of_its_own_column():
    records = made([[index, 100.0 + index] for index in range(50)], ["benign"] * 50, [f"w{index}" for index in range(50)])
    mixed = unseen.mixtures(records, 200, seed=1)
    assert set(mixed.numbers[:, 0]) <= set(range(50))
    assert set(mixed.numbers[:, 1]) <= {100.0 + index for index in range(50)}
    assert any(second - first != 100 for first, second in mixed.numbers.tolist())
    assert any(word != f"w{int(first)}" for (first, _), (word,) in zip(mixed.numbers, mixed.categories, strict=True))


def test_the_coarse_encoding_has_the_same_fields_in_the_same_groups():
    records = made([[value, -value] for value in (0, 0, 1, 5, 9, 100, 1e4, 1e6)], ["benign"] * 8, list("abababab"))
    encoding = fit_encoding(records, [("n0",), ("word", "n1")])
    coarse = unseen.coarse(encoding)
    assert [field.name for field in coarse.fields] == [field.name for field in encoding.fields]
    assert coarse.groups == (2, 4)
    assert coarse.apply(records).shape == (8, 6)
    assert coarse.apply(records)[:, 1].tolist() == pytest.approx([value / 1e6 for value in records.numbers[:, 0]])


def test_precision_and_recall_by_hand():
    truth, score = np.array([True, False, True, False]), np.array([0.9, 0.8, 0.1, 0.1])
    thresholds, precision, recall = precision_recall(truth, score)
    assert thresholds.tolist() == [0.9, 0.8, 0.1]
    assert precision.tolist() == [1, 0.5, 0.5]
    assert recall.tolist() == [0.5, 0.5, 1]
    assert average_precision(truth, score) == pytest.approx(0.75)


def test_calibration_counts_the_attacks_of_each_tenth():
    truth, score = np.array([True, False, True, True]), np.array([0.05, 0.08, 0.95, 1.0])
    assert calibration(truth, score) == [(pytest.approx(0.065), 0.5, 2), (pytest.approx(0.975), 1.0, 2)]


def test_the_budget_is_kept_on_the_benign_records_that_it_was_taken_from():
    rng = np.random.default_rng(3)
    attacks = np.array(["benign"] * 5000 + ["x"] * 200)
    quiet = rng.random(5200)
    arrays = {"validation|attacks": attacks, "validation|float32": quiet}
    arrays |= {f"validation|{name}": rng.random(5200) for name in novelty.SCORES}
    outcome = Outcome(Job("nsl_official", "svm", 1), {"records": {}}, arrays)
    for form in FORMS:
        assert 0 < at_budget(outcome, "validation", form, 0.004).fpr <= 0.004


def test_every_seed_runs_every_model_under_the_protocols_of_the_tables():
    every = list(jobs())
    assert len(every) == len(set(every))
    for protocol in ("nsl_official", "nsl_random", "cicids_random"):
        assert {(job.model, job.seed) for job in every if job.protocol == protocol} == {
            (model, seed) for model in (*RIVALS, *NETWORKS) for seed in SEEDS
        }


def test_a_look_is_counted_once_for_each_recipe(tmp_path):
    path = tmp_path / "looks.jsonl"
    for made_by, seed in (("one", 1), ("one", 1), ("two", 1), ("two", 2)):
        ledger.record(ledger.Look("KDDTest+", "cnn_lstm", seed, made_by), path)
    assert len(ledger.looks(path)) == 3
    ledger.record(ledger.Look("IoT-23 8-1", "flows", 1, "one"), path)
    assert ledger.counts(ledger.looks(path)) == {
        "IoT-23 8-1": {"flows": ledger.Counts(1, 1)}, "KDDTest+": {"cnn_lstm": ledger.Counts(2, 3)},
    }  # fmt: skip


@pytest.mark.parametrize("model", ["cnn_lstm", "lightgbm"])
def test_a_networks_recipe_knows_how_it_is_exported_and_seeded_and_trees_know_nothing_of_it(model, monkeypatch):
    monkeypatch.setattr("training.benchmarks.jobs.version", lambda _: "1")
    job = Job("nsl_random", model, 1)
    before = recipe(job)
    told = reached("training.benchmarks.jobs", "fit_network")
    assert {"training.export", "training.fitting"} <= {text.partition(":")[0] for text in told}
    for place in ("training.export: def quantize", "training.fitting: def seed_everything"):
        changed = tuple(text + " " if text.startswith(place) else text for text in told)
        assert changed != told
        monkeypatch.setattr("training.benchmarks.jobs.reached", lambda *_, changed=changed: changed)
        assert (recipe(job) != before) == (model == "cnn_lstm")


def test_every_protocol_but_the_one_that_makes_choices_has_final_tests():
    looked = {job.protocol: final_tests(job.protocol, ["a", "b"]) for job in jobs()}
    assert {protocol for protocol, tests in looked.items() if not tests} == set(protocols.TYPES_OUT)
    assert looked["nsl_official"] == ["a", "b"]
    assert looked["nsl_random"] == ["nsl_random: a", "nsl_random: b"]


@pytest.mark.parametrize("detector", ["audit", "network"])
def test_whatever_a_detectors_card_reports_was_counted_as_a_look(detector):
    from training.artifact import ARTIFACTS

    evaluated = json.loads((ARTIFACTS / detector / "evaluation.json").read_text())
    recipe = json.loads((ARTIFACTS / detector / "detector.json").read_text())["trained"]["recipe"]
    made = ledger.detector_looks(detector, evaluated["tests"], evaluated["seeds"], recipe)
    assert len(set(made)) == len(evaluated["tests"]) * len(evaluated["seeds"])
    assert set(made) <= set(ledger.looks())


def test_the_pages_count_as_many_looks_at_final_tests_as_are_noted():
    from training.benchmarks.figures import FIGURES

    counts = ledger.counts(ledger.looks())
    stored = json.loads((FIGURES / "benchmarks.json").read_text(encoding="utf-8"))["looks"]
    assert stored == {test: {model: asdict(one) for model, one in looked.items()} for test, looked in counts.items()}
    page = (FIGURES.parent / "models.md").read_text(encoding="utf-8")
    said = re.search(r"`network`'s tests have been looked at with (\d+) recipes of a build .*?, `audit`'s with (\d+)", page)
    assert said is not None
    for detector, told in zip(("network", "audit"), said.groups(), strict=True):
        built = [looked["cnn_lstm"].recipes for test, looked in counts.items() if test.startswith(f"{detector}: ")]
        assert max(built) == int(told), detector


def test_the_kept_network_still_says_what_the_report_says():
    from training.benchmarks.figures import FIGURES
    from training.benchmarks.report import REPORT

    answer = specimen.answer()
    document = json.loads((FIGURES / "benchmarks.json").read_text(encoding="utf-8"))["specimen"]
    said = re.search(
        r"On (\d+) made-up records .*?scores \*\*(\d+) at [\d.]+ or more\*\*, mean score ([\d.]+)", REPORT.read_text(), re.DOTALL
    )
    assert said is not None
    assert answer.rows == int(said[1]) == document["rows"]
    assert int(said[2]) == document["high"]
    # Another processor may round a few scores to the other side.
    assert answer.high == pytest.approx(document["high"], abs=2)
    assert answer.mean_score == pytest.approx(float(said[3]), abs=2e-3)
    assert answer.sha256 == document["sha256"]


def test_the_report_is_printed_from_the_document_and_not_by_hand():
    from training.benchmarks.figures import FIGURES
    from training.benchmarks.report import REPORT, render
    from training.trials import stage
    from training.trials.stages import STAGES

    document = json.loads((FIGURES / "benchmarks.json").read_text(encoding="utf-8"))
    drawn = sorted(path.name for path in FIGURES.glob("*.svg"))
    trials = {name: stage.document(name) for name in STAGES}
    assert render(document, drawn, trials) == REPORT.read_text(encoding="utf-8")


def test_made_up_records_lie_within_the_encoding():
    encoding: Encoding = specimen.read_encoding(specimen.SPECIMEN / "encoding.json")
    records = specimen.made_up(encoding, rows=30)
    words = [field for field in encoding.fields if isinstance(field, Category)]
    assert {field.name for field in words} == set(records.category_names)
    assert all(set(records.categories[:, place]) <= set(field.values) for place, field in enumerate(words))


@pytest.mark.skipif(data_root() is None, reason="there is no recorded data (BREAKWATER_DATA is not set)")
def test_no_vector_stands_on_both_sides_of_a_random_split():
    from training.benchmarks.protocols import split
    from training.benchmarks.records import row_keys

    root = data_root()
    assert root is not None
    parts = split("cicids_random", 1, root)
    sides = [set(row_keys(side).tolist()) for side in (parts.train, parts.validation, *parts.tests.values())]
    assert sum(map(len, sides)) == len(set.union(*sides))


@pytest.mark.skipif(data_root() is None, reason="there is no recorded data (BREAKWATER_DATA is not set)")
def test_what_is_left_out_is_in_neither_training_nor_validation():
    from training.benchmarks.protocols import TYPES_OUT, fold_of_types, split

    root = data_root()
    assert root is not None
    every: list[str] = []
    for fold, protocol in enumerate(TYPES_OUT):
        parts = split(protocol, 1, root)
        left = fold_of_types(split("nsl_official", 1, root).train, fold)
        (test,) = parts.tests.values()
        assert not left & ({*parts.train.attacks.tolist()} | {*parts.validation.attacks.tolist()})
        assert {*test.attacks.tolist()} == left | {"benign"}
        every += left
    assert len(every) == len(set(every)) == 22


@pytest.mark.training
@pytest.mark.parametrize("kind", ["cnn_lstm", "lstm"])
def test_the_folded_unrolled_graph_is_the_keras_model(kind):
    pytest.importorskip("tensorflow", reason="TensorFlow lives in the training environment (make train makes it)")
    from training.benchmarks.network import Fitted, Sizes, build, float_logits, fold, to_int8
    from training.export import attack_probability, run_tflite
    from training.fitting import seed_everything

    seed_everything(2)
    sizes = Sizes(kind, (4, 3, 5, 2), 3, field=5, filters=6, units=4, head=5)
    model, rows = build(sizes), np.random.default_rng(1).normal(size=(500, 14)).astype(np.float32)
    for name in ("near_norm", "wider_norm") if kind == "cnn_lstm" else ():
        gamma, beta, mean, variance = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([gamma * 1.7, beta + 0.3, mean - 0.2, variance * 2.5])
    fitted = Fitted(sizes, fold(model, sizes), model.count_params(), {})
    exact = float_logits(fitted, rows)
    np.testing.assert_allclose(exact, model(rows, training=False).numpy(), rtol=1e-4, atol=1e-5)
    small = run_tflite(to_int8(fitted, rows), rows)
    assert np.abs(attack_probability(exact) - attack_probability(small)).mean() < 0.02
