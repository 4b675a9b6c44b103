"""Bayesian optimisation of the network's settings (Optuna, tree-structured Parzen estimators), on training data alone.

The study is kept in build/benchmarks and goes on where it was stopped; its trials are written beside the report.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.benchmarks.encoding import fit_encoding
from training.benchmarks.jobs import WORK, Job, training_of
from training.benchmarks.network import Sizes, Training, fit, float_logits
from training.benchmarks.protocols import split
from training.export import attack_probability

STUDY = Path(__file__).resolve().parents[2] / "docs" / "figures" / "tuning.json"
if TYPE_CHECKING:
    import optuna

TRIALS, ROWS, EPOCHS = 8, 12_000, 3


def tune(root: Path) -> None:
    """Minimise the CNN-LSTM's validation log-loss on a sample of NSL-KDD's random split; the first trial is set by hand."""
    import optuna

    parts = split("nsl_random", 0, root)
    train, validation = parts.train.take(np.arange(ROWS)), parts.validation
    encoding = fit_encoding(train, parts.groups)
    rows, watched = encoding.apply(train), encoding.apply(validation)
    truth = validation.truth.astype(np.int64)

    def objective(trial: optuna.Trial) -> float:
        sizes = Sizes(
            "cnn_lstm", encoding.groups, 2, field=trial.suggest_int("field", 12, 32, step=4),
            filters=trial.suggest_int("filters", 24, 56, step=8), units=trial.suggest_int("units", 24, 56, step=8),
        )  # fmt: skip
        how = Training(
            epochs=EPOCHS, batch=trial.suggest_categorical("batch", [128, 256, 512]),
            rate=trial.suggest_float("rate", 5e-4, 2e-2, log=True), dropout=trial.suggest_float("dropout", 0.0, 0.4),
        )  # fmt: skip
        fitted = fit(sizes, how, rows, train.truth.astype(np.int64), watched, truth, seed=trial.number, progress=lambda _: None)
        attack = np.clip(attack_probability(float_logits(fitted, watched)), 1e-7, 1 - 1e-7)
        return float(-np.mean(np.log(np.where(truth == 1, attack, 1 - attack))))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    WORK.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name="cnn_lstm", storage=f"sqlite:///{WORK / 'tuning.db'}", load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=1, n_startup_trials=5),
    )  # fmt: skip
    if not study.trials:
        used = training_of(Job("nsl_random", "cnn_lstm", 1))
        sizes = Sizes("cnn_lstm", encoding.groups, 2)
        study.enqueue_trial(
            {"field": sizes.field, "filters": sizes.filters, "units": sizes.units, "batch": used.batch, "rate": used.rate,
             "dropout": used.dropout}
        )  # fmt: skip
    finished = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    left = max(0, TRIALS - len(finished))
    study.optimize(objective, n_trials=left, show_progress_bar=True, callbacks=[lambda study, _: _write(study)])


def _write(study: optuna.Study) -> None:
    """Note the trials so far, so that a study that is stopped has said what it found."""
    trials = [
        {"number": trial.number, "loss": trial.value, "settings": trial.params}
        for trial in study.trials
        if trial.value is not None
    ]
    STUDY.parent.mkdir(parents=True, exist_ok=True)
    STUDY.write_text(json.dumps({"rows": ROWS, "epochs": EPOCHS, "trials": trials}, indent=1) + "\n", encoding="utf-8")
