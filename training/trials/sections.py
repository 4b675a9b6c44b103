"""The report's sections about sequence models, printed from stored documents and nothing else."""

# ruff: noqa: E501  (prose and tables)
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.benchmarks.markdown import table
from training.trials import detector_sections, shipped_sections
from training.trials.flows import MODELS
from training.trials.folds import MODELS as FOLDED
from training.trials.models import TITLES
from training.trials.printing import auc, cells, number, percent, run_line, share, title_of

Document = dict[str, Any]
#: What is to be reached on real flows, in percent of attack flows at a false-positive rate of 1e-2.
FLOWS_AIM, TRANSFER_AIM = 90.0, 90.0
#: How far from 0.5 the AUC of the control may lie, where there are attack flows enough to speak of one.
BROKEN, FEW = 0.1, 30


def sections(documents: Mapping[str, Document | None]) -> list[str]:
    """A section for each document that is there, by name of the stage."""
    writers = {
        "folds": _folds,
        "flows": _flows,
        "padding": _padding,
        "ablation": _ablation,
        "transfer": _transfer,
        "robustness": _robustness,
        **shipped_sections.WRITERS,
        **detector_sections.WRITERS,
    }
    return [write(found) for name, write in writers.items() if (found := documents.get(name)) is not None]


_FOLDED = {
    "svm": "linear SVM",
    "random_forest": "random forest",
    "lightgbm": "LightGBM",
    "lstm": "LSTM, int8",
    "cnn_lstm": "CNN-LSTM, int8",
}


def _folds(document: Document) -> str:
    models = document["models"]
    rows = [
        [_FOLDED[model], *(_share(one[name], digits) for name, digits in (("accuracy", 2), ("f1", 2), ("fpr", 3))), f"{one['auc']['mean']:.5f}",
         f"{one['false']} of {one['false'] + one['quiet']:,}", f"{one['missed']} of {one['hit'] + one['missed']:,}", f"{one['folds']} of {document['of']}"]
        for model in FOLDED if (one := models.get(model))
    ]  # fmt: skip
    head = ("model", "accuracy %", "F1 %", "FPR %", "AUC", "false alarms, all folds", "attacks missed, all folds", "folds")
    return f"""## Cross-validation

{document["of"]} folds of KDDTrain+ without repetitions (scikit-learn's `StratifiedKFold`, by family of attack), each record tested once, the same folds for every model; a tenth of
each training part stops the networks. Mean ± sample standard deviation over folds. It says how much of the table above is the luck of one split, and flatters as every random split does;
the form of it that does not is leaving whole attack types out, by which the rule for KDDTest+ is chosen above.

{table(head, rows)}

{run_line(document)}"""


def _share(value: Document, digits: int) -> str:
    return f"{100 * value['mean']:.{digits}f} ± {100 * value['spread']:.{digits}f}"


def _flows(document: Document) -> str:
    rows = []
    for name, models in document["tests"].items():
        for model in MODELS:
            one = models[model]
            if one["attack"]:
                rows.append(
                    [title_of(name), TITLES[model], f"{one['attack']:,} / {one['benign']:,}", *cells(one, ("recall_1e-2", "recall_1e-3", "auc")),
                     f"{share(one, 'recall')} / {share(one, 'fpr')}", str(one["seeds"])]
                )  # fmt: skip
    quiet = [
        [title_of(name), *(share(models[model], "fpr") for model in MODELS), f"{models[MODELS[0]]['benign']:,}"]
        for name, models in document["tests"].items()
        if not models[MODELS[0]]["attack"]
    ]
    head = ("test", "model", "attack / benign flows", "recall % at FPR 1e-2", "recall % at FPR 1e-3", "AUC", "threshold from training: recall / FPR %", "seeds")  # fmt: skip
    return f"""## Real flows with time and addresses

A network that is built and trained like the deployed one, on recordings that were taken apart from the test's: every flow is judged with the 15
before it of the same initiator. *Random forest on the newest event alone* sees the flow and nothing before it; *LightGBM on window statistics* sees
the window without its order. No address, direction or TTL is a feature. Recall at a fixed rate takes its threshold from the test's own
benign flows, where there are 3 / rate of them; the last figures take it from the last fifth of the training recordings, at 1 %. A share of fewer than
three flows is given as its upper bound (one-sided 95 %).
Labels of the CTU days say who asked for a connection. Direction is no feature, but by initiator a stranger's sequence is all attack and the computer's own all benign,
so that what came before tells much, its mere length first (the control below); *as its computer saw it* mixes both in one sequence and is the reading that counts.

{_winners(document)}

{table(head, rows)}

{_calm(quiet)}float32 against int8 on these tests, at 0.5:

{table(("test", "accuracy float32 %", "accuracy int8 %", "decisions that flip %", "int8 file"), [[title_of(name), f"{100 * one['float32']:.2f}", f"{100 * one['int8']:.2f}", f"{100 * one['flips']:.3f}", f"{one['bytes'] / 1000:.0f} KB"] for name, one in document["engines"].items()])}

{run_line(document)}"""


def _padding(document: Document) -> str:
    rows = [
        [title_of(name), f"{one['attack']:,} / {one['benign']:,}", auc(one), share(one, "recall_1e-2"), _judged(one), str(one["seeds"])]
        for name, one in document["tests"].items()
    ]  # fmt: skip
    head = ("test", "attack / benign flows", "AUC", "recall % at FPR 1e-2", "", "seeds")
    return f"""## Control: nothing but padding

A forest that sees of every window only how many events it holds, trained and tested on the windows above. It must come out near chance (AUC 0.5); where it does not, the length of a
sequence gives the label away, and what any model reaches on that test is no evidence of what it knows of attacks.

{table(head, rows)}

{run_line(document)}"""


def _judged(one: Document) -> str:
    if one["attack"] < FEW:
        return "too few attack flows to say"
    return "near chance" if abs(one["auc"]["mean"] - 0.5) < BROKEN else "**broken**: length tells"


def _calm(rows: list[list[str]]) -> str:
    if not rows:
        return ""
    head = ("test", *(TITLES[model] for model in MODELS), "benign flows")
    return f"Recordings without an attack, false positives in % at the threshold from training:\n\n{table(head, rows)}\n\n"


def _winners(document: Document) -> str:
    """Say on which tests the sequences beat the single flow, and on which they do not."""
    lines = []
    for name, models in document["tests"].items():
        own, other = models["cnn_lstm"]["recall_1e-2"], models["forest_flow"]["recall_1e-2"]
        if own is None or other is None or models["cnn_lstm"]["attack"] < FEW:
            continue
        reached = "reached" if 100 * own["mean"] >= FLOWS_AIM else "**missed**"
        against = (
            "level with"
            if abs(own["mean"] - other["mean"]) < 0.005
            else "beats"
            if own["mean"] > other["mean"]
            else "**is beaten by**"
        )
        lines.append(f"- {title_of(name)}: recall ≥ {FLOWS_AIM:g} % at FPR 1e-2 {reached}; the sequence model {against} the forest on single flows ({share(models['cnn_lstm'], 'recall_1e-2')} against {share(models['forest_flow'], 'recall_1e-2')}). At a threshold from training: {share(models['cnn_lstm'], 'recall')} at FPR {share(models['cnn_lstm'], 'fpr')}.")  # fmt: skip
    return "\n".join(lines)


def _ablation(document: Document) -> str:
    models = list(document["parameters"])
    rows = [
        [
            title_of(name),
            *(f"{share(one[model], 'recall_1e-2')}; {auc(one[model])}" for model in models),
            str(one[models[0]]["seeds"]),
        ]
        for name, one in document["tests"].items()
    ]
    sizes = [f"{document['parameters'][model]:,}" if document["parameters"][model] else "–" for model in models]
    titles = [TITLES[model].replace(", int8", "") for model in models]
    return f"""## Ablation: what each part is worth

The same windows, head and training as above, in float32. Recall in % at FPR 1e-2 of the test's own benign flows, and AUC.

{table(("test", *titles, "seeds"), [*rows, ["parameters", *sizes, ""]])}

{_ablated(document)}

{run_line(document)}"""


def _ablated(document: Document) -> str:
    """Say which variants are within half a point of the best, since more than one often is."""
    lines = []
    for name, one in document["tests"].items():
        recalls = {model: found["recall_1e-2"]["mean"] for model, found in one.items() if found["recall_1e-2"]}
        level = [model for model, recall in recalls.items() if recall > max(recalls.values()) - 0.005]
        verdict = (
            "the whole network is not among them"
            if "cnn_lstm" not in level
            else "nothing simpler is"
            if len(level) == 1
            else "so what was taken out there is not needed on this test"
        )
        titles = ", ".join(TITLES[model].replace(", int8", "") for model in level)
        lines.append(f"- {title_of(name)}: within half a point of the best recall: {titles}; {verdict}.")
    return "\n".join(lines)


def _transfer(document: Document) -> str:
    text = f"""## Transfer to another place

Labelled is a random share of the target's training flows; the test is a later day. Recall at a fixed rate as above; the aim is {TRANSFER_AIM:g} % at
FPR 1e-3 with 5 % labelled."""
    for pair in document["pairs"].values():
        rows = [
            [f"{100 * float(share):g} %", f"{one['labels']:,} ({one['hostile']:,})", title,
             *cells(one[start], ("recall_1e-2", "recall_1e-3")), number(one[start]["auprc"]), number(one[start]["mcc"]), str(one[start]["seeds"])]
            for share, one in pair["shares"].items()
            for start, title in (("pretrained", "pre-trained"), ("scratch", "from scratch")) if start in one
        ]  # fmt: skip
        head = ("labelled", "flows (attack)", "start", "recall % at FPR 1e-2", "recall % at FPR 1e-3", "AUPRC", "MCC", "seeds")
        text += f"\n\n**{pair['source']} → {pair['target']}.** {_moved(pair)}\n\n{table(head, rows)}"
    return f"{text}\n\n{run_line(document)}"


def _moved(pair: Document) -> str:
    one = pair["shares"]["0.05"].get("pretrained")
    if one is None or one["recall_1e-3"] is None:
        return "With 5 % labelled nothing can be said at FPR 1e-3."
    mean = 100 * one["recall_1e-3"]["mean"]
    reached = "reached" if mean >= TRANSFER_AIM else "**missed**"
    return f"With 5 % labelled: {mean:.1f} % at FPR 1e-3, {reached}; from scratch on the same labels {percent(pair['shares']['0.05']['scratch']['recall_1e-3'])} %."


def _robustness(document: Document) -> str:
    rows = []
    for name, test in document["tests"].items():
        for evasion, one in test["evasions"].items():
            rows.append(
                [f"IoT-23 {name}", evasion, f"{one['attack']:,} / {one['benign']:,}",
                 *(f"{percent(one[title]['recall'], of=one['attack'])} / {percent(one[title]['fpr'], of=one['benign'])}" for title in ("before", "after")), str(test["seeds"])]
            )  # fmt: skip
    head = ("capture left out", "evasion", "attack / benign flows", "before: recall / FPR %", "after: recall / FPR %", "seeds")  # fmt: skip
    return f"""## Robustness: evasion with what an attacker controls

The attack of a left-out capture is acted out again: its packets and bytes padded, its pauses stretched, its ports moved to ordinary ones
where the attacker owns both ends, its connections mixed with copies of benign ones, and all at once. *Before* is trained on the other captures as they are, *after* also
on their evaded versions. The threshold is the one that 1 % of the capture's benign flows reach before any evasion. Cover traffic counts as benign, and so does what the infected host does between its attacks: a flow is judged with
the 15 before it, and alarms on those are called false although the host is infected. That is why false positives rise where an attack is mixed with other flows.

{table(head, rows)}

{run_line(document)}"""
