"""The report's sections about sequence models, printed from stored documents and nothing else."""

# ruff: noqa: E501  (prose and tables)
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.trials.flows import MODELS
from training.trials.models import TITLES
from training.trials.platforms import PAPER_MS

Document = dict[str, Any]
#: What is to be reached on real flows, in percent of attack flows at a false-positive rate of 1e-2.
FLOWS_AIM, TRANSFER_AIM = 90.0, 90.0
_KINDS = {
    "iot23": "IoT-23 {}, trained on the other captures", "ctu": "CTU day {}, trained on earlier days",
    "device": "CTU day {} as its computer saw it, trained on earlier days", "unsw": "UNSW-NB15, 18 February, trained on January",
}  # fmt: skip


_LEARNT = {"aws": "AWS", "azure": "Azure", "both": "both"}
_CLOUD = {"aws": "AWS", "azure": "Azure", "combined": "combined"}


def sections(documents: Mapping[str, Document | None]) -> list[str]:
    """A section for each document that is there, by name of the stage."""
    writers = {
        "flows": _flows,
        "ablation": _ablation,
        "transfer": _transfer,
        "robustness": _robustness,
        "audit_evasion": _audit_evasion,
        "families": _families,
        "clouds": _clouds,
        "platforms": _platforms,
        "engines": _detector_engines,
    }
    return [write(found) for name, write in writers.items() if (found := documents.get(name)) is not None]


def verdicts(documents: Mapping[str, Document | None]) -> list[list[str]]:
    """Rows of the first table: what was to be reached on real flows and after a move, the figure, whether, the rival's."""
    rows = []
    flows, transfer = documents.get("flows"), documents.get("transfer")
    for name, models in flows["tests"].items() if flows is not None else ():
        own, other = models["cnn_lstm"]["recall_1e-2"], models["forest_flow"]["recall_1e-2"]
        if own is not None:
            rows.append(
                [
                    _test(name),
                    f"recall ≥ {FLOWS_AIM:g} at FPR 1 of its own benign flows",
                    _pm(own),
                    _met(own, FLOWS_AIM),
                    f"forest on single flows: {_pm(other)}",
                ]
            )
    for pair in transfer["pairs"].values() if transfer is not None else ():
        one = pair["shares"]["0.05"]
        moved = one.get("pretrained", {}).get("recall_1e-3")
        if moved is not None:
            scratch = _pm(one["scratch"]["recall_1e-3"])
            title = f"{pair['source']} → {pair['target']}, 5 % labelled"
            rows.append(
                [
                    title,
                    f"recall ≥ {TRANSFER_AIM:g} at FPR 0.1 of its own benign flows",
                    _pm(moved),
                    _met(moved, TRANSFER_AIM),
                    f"from scratch: {scratch}",
                ]
            )
    return rows


def _met(value: Document, aim: float) -> str:
    return "yes" if 100 * value["mean"] >= aim else "**missed**"


def _flows(document: Document) -> str:
    rows = []
    for name, models in document["tests"].items():
        for model in MODELS:
            one = models[model]
            if one["attack"]:
                rows.append(
                    [_test(name), TITLES[model], f"{one['attack']:,} / {one['benign']:,}", *_cells(one, ("recall_1e-2", "recall_1e-3", "auc")),
                     f"{_pm(one['recall'])} / {_pm(one['fpr'])}", str(one["seeds"])]
                )  # fmt: skip
    quiet = [
        [_test(name), *(_pm(models[model]["fpr"]) for model in MODELS), f"{models[MODELS[0]]['benign']:,}"]
        for name, models in document["tests"].items()
        if not models[MODELS[0]]["attack"]
    ]
    head = ("test", "model", "attack / benign flows", "recall % at FPR 1e-2", "recall % at FPR 1e-3", "AUC", "threshold from training: recall / FPR %", "seeds")  # fmt: skip
    return f"""## Real flows with time and addresses

A network that is built and trained like the deployed one, on recordings that were taken apart from the test's: every flow is judged with the 15
before it of the same initiator. *Random forest on the newest event alone* sees the flow and nothing before it; *LightGBM on window statistics* sees
the window without its order. No address, direction or TTL is a feature. Recall at a fixed rate takes its threshold from the test's own
benign flows, where there are 3 / rate of them; the last figures take it from the last fifth of the training recordings, at 1 %.
Labels of the CTU days say who asked for a connection. Direction is no feature, but by initiator a stranger's sequence is all attack and the computer's own all benign,
so that what came before tells much; *as its computer saw it* mixes both in one sequence and is the harder reading.

{_winners(document)}

{_table(head, rows)}

{_calm(quiet)}float32 against int8 on these tests, at 0.5:

{_table(("test", "accuracy float32 %", "accuracy int8 %", "decisions that flip %", "int8 file"), [[_test(name), f"{100 * one['float32']:.2f}", f"{100 * one['int8']:.2f}", f"{100 * one['flips']:.3f}", f"{one['bytes'] / 1000:.0f} KB"] for name, one in document["engines"].items()])}

{_run(document)}"""


def _calm(rows: list[list[str]]) -> str:
    if not rows:
        return ""
    head = ("test", *(TITLES[model] for model in MODELS), "benign flows")
    return f"Recordings without an attack, false positives in % at the threshold from training:\n\n{_table(head, rows)}\n\n"


def _winners(document: Document) -> str:
    """Say on which tests the sequences beat the single flow, and on which they do not."""
    lines = []
    for name, models in document["tests"].items():
        own, other = models["cnn_lstm"]["recall_1e-2"], models["forest_flow"]["recall_1e-2"]
        if own is None or other is None:
            continue
        reached = "reached" if 100 * own["mean"] >= FLOWS_AIM else "**missed**"
        against = (
            "level with"
            if abs(own["mean"] - other["mean"]) < 0.005
            else "beats"
            if own["mean"] > other["mean"]
            else "**is beaten by**"
        )
        lines.append(f"- {_test(name)}: recall ≥ {FLOWS_AIM:g} % at FPR 1e-2 {reached}; the sequence model {against} the forest on single flows ({_pm(own)} against {_pm(other)}). At a threshold from training: {_pm(models['cnn_lstm']['recall'])} at FPR {_pm(models['cnn_lstm']['fpr'])}.")  # fmt: skip
    return "\n".join(lines)


def _ablation(document: Document) -> str:
    models = list(document["parameters"])
    rows = [
        [
            _test(name),
            *(f"{_pm(one[model]['recall_1e-2'])}; {_auc(one[model])}" for model in models),
            str(one[models[0]]["seeds"]),
        ]
        for name, one in document["tests"].items()
    ]
    sizes = [f"{document['parameters'][model]:,}" if document["parameters"][model] else "–" for model in models]
    titles = [TITLES[model].replace(", int8", "") for model in models]
    return f"""## Ablation: what each part is worth

The same windows, head and training as above, in float32. Recall in % at FPR 1e-2 of the test's own benign flows, and AUC.

{_table(("test", *titles, "seeds"), [*rows, ["parameters", *sizes, ""]])}

{_ablated(document)}

{_run(document)}"""


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
        lines.append(f"- {_test(name)}: within half a point of the best recall: {titles}; {verdict}.")
    return "\n".join(lines)


def _transfer(document: Document) -> str:
    text = f"""## Transfer to another place

Labelled is a random share of the target's training flows; the test is a later day. Recall at a fixed rate as above; the aim is {TRANSFER_AIM:g} % at
FPR 1e-3 with 5 % labelled."""
    for pair in document["pairs"].values():
        rows = [
            [f"{100 * float(share):g} %", f"{one['labels']:,} ({one['hostile']:,})", title,
             *_cells(one[start], ("recall_1e-2", "recall_1e-3")), _number(one[start]["auprc"]), _number(one[start]["mcc"]), str(one[start]["seeds"])]
            for share, one in pair["shares"].items()
            for start, title in (("pretrained", "pre-trained"), ("scratch", "from scratch")) if start in one
        ]  # fmt: skip
        head = ("labelled", "flows (attack)", "start", "recall % at FPR 1e-2", "recall % at FPR 1e-3", "AUPRC", "MCC", "seeds")
        text += f"\n\n**{pair['source']} → {pair['target']}.** {_moved(pair)}\n\n{_table(head, rows)}"
    return f"{text}\n\n{_run(document)}"


def _moved(pair: Document) -> str:
    one = pair["shares"]["0.05"].get("pretrained")
    if one is None or one["recall_1e-3"] is None:
        return "With 5 % labelled nothing can be said at FPR 1e-3."
    mean = 100 * one["recall_1e-3"]["mean"]
    reached = "reached" if mean >= TRANSFER_AIM else "**missed**"
    return f"With 5 % labelled: {mean:.1f} % at FPR 1e-3, {reached}; from scratch on the same labels {_pm(pair['shares']['0.05']['scratch']['recall_1e-3'])} %."


def _robustness(document: Document) -> str:
    rows = []
    for name, test in document["tests"].items():
        for evasion, one in test["evasions"].items():
            rows.append(
                [f"IoT-23 {name}", evasion, f"{one['attack']:,}", *(f"{100 * one[title]['recall']:.1f} / {100 * one[title]['fpr']:.2f}" for title in ("before", "after", "deployed")),
                 str(test["seeds"])]
            )  # fmt: skip
    head = ("capture left out", "evasion", "attack flows", "before: recall / FPR %", "after: recall / FPR %", "deployed detector: recall / FPR %", "seeds")  # fmt: skip
    return f"""## Robustness: evasion with what an attacker controls

The attack of a left-out capture is acted out again: its packets and bytes padded, its pauses stretched, its ports moved to ordinary ones
where the attacker owns both ends, its connections mixed with copies of benign ones, and all at once. *Before* is trained on the other captures as they are, *after* also
on their evaded versions. The threshold is the one that 1 % of the capture's benign flows reach before any evasion. Cover traffic counts as benign, and so does what the infected host does between its attacks: a flow is judged with
the 15 before it, and alarms on those are called false although the host is infected. That is why false positives rise where an attack is mixed with other flows. The deployed detector judges windows at its own threshold.

{_table(head, rows)}

{_run(document)}"""


def _audit_evasion(document: Document) -> str:
    evasions = document["evasions"]
    first = next(iter(evasions.values()))
    rows = [[evasion, f"{one['found']} of {one['stories']}", _techniques(one)] for evasion, one in evasions.items()]
    names = [
        [name, *(f"{one['techniques'][name]['found']} of {one['techniques'][name]['of']}" for one in evasions.values())]
        for name in first["techniques"]
    ]
    return f"""## Evasion of the shipped audit detector

Recorded Stratus techniques and Panther cases that training never saw, each behind 14, 22 and 30 benign calls of the same principal, at the threshold of version {first["version"]}.
*User agent*: the attack comes from the program of the principal's benign calls. *Jitter*: a pause of up to an hour before each call. *Interleaving*: three of the principal's own calls after each
call of the attack. There is no row after adversarial training: none was done for this detector.

{_table(("evasion", "stories that alert", "techniques and cases of which some story alerts"), rows)}

{_table(("technique or case", *evasions), names)}

{_run(document)}"""


def _techniques(one: Document) -> str:
    told = one["techniques"].values()
    return f"{sum(each['found'] > 0 for each in told)} of {len(told)}"


def _families(document: Document) -> str:
    stories, false, families = document["stories"], document["false"], document["families"]
    missed = ", ".join(document["missed"]) or "none"
    alarming = ", ".join(f"{name} ({count})" for name, count in document["alarming"].items()) or "none"
    return f"""## Leave one scenario family out

Every family of generated API calls is left out of training once, attack and benign alike, in five folds; families that draw attacks from a catalogue stay out of
every training. At the threshold that 1 % of benign windows of the other folds reach, **{stories["found"]} of {stories["of"]} attack stories** of families never seen alert
({100 * stories["low"]:.0f}–{100 * stories["high"]:.0f} %), and at least half of the stories of {families["found"]} of {families["of"]} families. {false["found"]} of {false["of"]} benign stories of families never seen
alarm ({100 * false["low"]:.1f}–{100 * false["high"]:.1f} %), in {document["days"]:.0f} entity-days of **synthetic** benign work: {1000 * false["found"] / document["days"]:.0f} per 1,000 entity-days, where 1 is asked for.
The network is a small one for this question: the deployed detector is trained on more, and its figures stand on its card.

- Missed altogether: {missed}.
- Benign families that alarm: {alarming}.

{_run(document)}"""


def _clouds(document: Document) -> str:
    rows = [
        [_LEARNT[learnt], _CLOUD[cloud], TITLES[model], f"{one['attack']:,} / {one['benign']:,}", *_cells(one, ("recall_1e-2", "auc")),
         f"{_pm(one['recall'])} / {_pm(one['fpr'])}", str(one["seeds"])]
        for learnt, tests in document["learnt"].items() for cloud, models in tests.items() for model, one in models.items()
    ]  # fmt: skip
    head = (
        "learnt",
        "tested",
        "model",
        "attack / benign windows",
        "recall % at FPR 1e-2",
        "AUC",
        "threshold from validation: recall / FPR %",
        "seeds",
    )
    return f"""## One cloud learnt, the other tested

Generated API calls, told as CloudTrail or as Azure's Activity and sign-in records, in the common vocabulary. Tests are the attack and benign families of the test split of
that cloud, of which training tells nothing. The network has the shipped detector's sizes and is trained for six epochs on far less. All of it is **synthetic**: it says
whether what is learnt of one cloud serves the other, and nothing about false alarms in a real account.

{_best_by_cloud(document)}

{_table(head, rows)}

{_run(document)}"""


def _best_by_cloud(document: Document) -> str:
    """Which model ranks best on each cloud, whatever it is."""
    lines = []
    for learnt, tests in document["learnt"].items():
        for cloud, models in tests.items():
            best = max(models, key=lambda model: models[model]["auc"]["mean"])
            lines.append(
                f"- {_LEARNT[learnt]} learnt, {_CLOUD[cloud]} tested: {TITLES[best]} ranks best (AUC {_auc(models[best])}); the CNN-LSTM has {_auc(models['cnn_lstm'])}."
            )
    return "\n".join(lines)


def _platforms(document: Document) -> str:
    rows = [
        [_CLOUD[cloud], f"{one['attack']:,} / {one['benign']:,}", *(f"{100 * one[name]:.1f}" for name in ("accuracy", "f1", "fpr", "recall")),
         f"{document['latency_ms'][cloud]:g} ms" if document["latency_ms"].get(cloud) else "–", f"{PAPER_MS[cloud]} ms" if cloud in PAPER_MS else "–"]
        for cloud, one in document["table"].items()
    ]  # fmt: skip
    head = (
        "platform",
        "attack / benign windows",
        "accuracy %",
        "F1 %",
        "FPR %",
        "recall %",
        "decision, our own time (p50)",
        "the paper's decision latency",
    )
    return f"""## The paper's table 2: by platform

The shipped `audit` detector (version {", ".join(document["versions"])}) at its own threshold, on windows of generated API calls of families that training never saw. The paper's
claim for its CNN-LSTM is 98.7 / 98.2 / 1.3 (accuracy / F1 / FPR, %). Latency is of one API call, as docs/benchmarks.md has it; what a platform takes to deliver an
event, minutes often, is no part of either.

{_table(head, rows)}

{_run(document)}"""


def _detector_engines(document: Document) -> str:
    rows = [
        [detector, one["version"], f"{one['bytes'] / 1000:.0f} KB", engine.replace("_", "-"), f"{one['windows']:,}", f"{100 * said['flips']:.2f}",
         f"{said['largest']:.3f}", f"{said['sequences_per_second']:,}"]
        for detector, one in document["detectors"].items() for engine, said in one["engines"].items()
    ]  # fmt: skip
    head = (
        "detector",
        "version",
        "int8 file",
        "engine",
        "windows",
        "decisions that differ from ai-edge-litert %",
        "largest difference in probability",
        "sequences per second of processor time",
    )
    return f"""## Engine against engine

The shipped detectors on the stored sample of generated windows (`training/evaluation_sample`), at their own thresholds, scaling included, one thread. Processor time on a machine
that does other work at the same time: trust the ratio of the engines. The quiet figures of the whole path stand in docs/benchmarks.md.

{_table(head, rows)}

{_run(document)}"""


def _test(name: str) -> str:
    kind, _, which = name.partition("_")
    return _KINDS[kind].format(which)


def _cells(one: Document, names: Sequence[str]) -> list[str]:
    return [_auc(one) if name == "auc" else _pm(one[name]) if one[name] else "–" for name in names]


def _auc(one: Document) -> str:
    return _number(one["auc"])


def _number(value: Document | None) -> str:
    return "–" if value is None else f"{value['mean']:.3f}" + (f" ± {value['spread']:.3f}" if value["spread"] else "")


def _pm(value: Document | None) -> str:
    return "–" if value is None else f"{100 * value['mean']:.1f}" + (f" ± {100 * value['spread']:.1f}" if value["spread"] else "")


def _run(document: Document) -> str:
    run = document["run"]
    left = "" if run["cells"] == run["of"] else f"; {run['of'] - run['cells']} cells were not computed"
    return f"*{run['cells']} of {run['of']} cells, {run['seconds']} s of processor time{left}.*"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
