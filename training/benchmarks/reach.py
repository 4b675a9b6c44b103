"""The report's first table: what every protocol asked for, what came out, whether that reaches it, and why it does not."""

# ruff: noqa: E501  (prose and tables)
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.benchmarks.figures import TITLES
from training.benchmarks.markdown import only, table, three
from training.benchmarks.measured import OFFICIAL_TESTS
from training.benchmarks.protocols import OFFICIAL, RANDOM
from training.tasks import HELD_OUT, WATCHED
from training.trials.printing import k_of_n, percent, share, title_of
from training.trials.sections import BROKEN, FEW, FLOWS_AIM, TRANSFER_AIM
from training.trials.transfer import PAIRS

Document = dict[str, Any]
#: What each protocol is to reach, in percent: accuracy and F1 at least, false positives at most.
AIMS = {"nsl_random": (99.9, 99.9, 0.06), "cicids_random": (99.7, 99.0, 0.1)}
OFFICIAL_AIM = (88.0, 4.0)
#: Recall that is to be reached on families and on recorded techniques that training never saw, in percent.
FAMILIES_AIM, STRATUS_AIM = 90.0, 80.0
_HEAD = ("protocol", "asked", "measured, int8", "reached", "why not", "beside it, same run")
_STRATUS = "held-out Stratus techniques"
#: Why an aim is missed, as far as it is known, printed only where it is. Figures of this run stand in braces and are filled in; others name their source.
_WHY = {
    "nsl_random": "of {records:,} test records {wrong:.1f} are judged wrong a seed, where {may:.1f} may be; its teacher, LightGBM, errs on {teacher:.1f}. The threshold that benign validation records set brings the false positives to {strict_fpr:.3f} and the accuracy to {strict_accuracy:.3f}",
    "cicids_random": "no model beside it reaches the rate at its own boundary either (the lowest: {lowest:.2f}); a threshold that benign validation records set does ({strict_fpr:.2f}), and falls below both other aims",
    "nsl_official": "benign traffic of KDDTest+ is another: of it {drift:.0f} times as large a share alarms as of benign validation records. Even a threshold read off KDDTest+ itself gives {at_4:.1f} at an FPR of 4 (this rule's ranking {ruled_at_4:.1f}). The smaller tail holds the rate, {smaller}; the rule is chosen on left-out attack types and stays",
    "network": "not found whole there: {parts}. One connection of theirs is an ordinary one, and the order and pauses that give them away are few in 16 flows",
    "audit": "what an honest principal does for the first time looks like an intruder's only call: nearly all of the 25 surest false alarms on validation were such. Trees on the same rows rank better and stop at about half of the stories too (validation: 143 of 264 with the same honest days, at best 147, the network 61; docs/decisions/139). Not found once there: {never}",
    "stratus": "found seldom: {seldom}, calls that honest administrators make too, now and then for the first time. The calls are real, the past that makes them firsts is generated",
    "34-1": "nearly all of its benign flows are of the attacking device itself, some of them web connections to the very server that its attack talks to, and some of them rank above most of the attack; both trees fail at that rate too ({trees})",
    "unsw": "1 of 250 flows is kept there, so gaps and neighbours are not real; the single flow tells more than the sequence",
    "iot23-to-device": "the same labels do better from scratch; why was not found, and another way of going on from the pre-trained weights was not tried",
    "iot23-to-unsw": "{share} of the labels hold {attacks} attack flows; all labels do not help either ({all_labels}): in a sample of 1 in 250 the flows before a flow are not its neighbours",
}  # fmt: skip


def reach(document: Document, trials: Mapping[str, Document | None]) -> str:
    """The whole table, in the order in which the aims were set."""
    rows = [*_records(document), *_families(trials), *_techniques(trials), *_flows(trials), *_moved(trials)]
    return table(_HEAD, rows)


def _records(document: Document) -> list[list[str]]:
    rows = []
    for protocol in RANDOM:
        measured, strict = document["boundary"][protocol], document["random_budget"][protocol]
        if "cnn_lstm" in measured:
            own, (accuracy, f1, fpr) = only(measured["cnn_lstm"]), AIMS[protocol]
            met = [own["accuracy"]["mean"] >= accuracy, own["f1"]["mean"] >= f1, own["fpr"]["mean"] <= fpr]
            others = [model for model in measured if model != "cnn_lstm"]
            best = max(others, key=lambda model: only(measured[model])["f1"]["mean"])
            sharper = (
                f"; at the threshold of {100 * document['random_budget']['share']:g} % of benign validation {three(strict['cnn_lstm'])}"
                if "cnn_lstm" in strict
                else ""
            )
            said = _of_random_split(document, protocol, accuracy)
            rows.append(
                [f"{TITLES[protocol]} 80/10/10", f"accuracy ≥ {accuracy}, F1 ≥ {f1}, FPR ≤ {fpr}", three(own) + sharper, *_met(met, protocol, **said), f"{TITLES[best]}: {three(only(measured[best]))}"]
            )  # fmt: skip
    measured, form = document["forms"], document["form"]
    if "cnn_lstm" in measured:
        own = measured["cnn_lstm"][OFFICIAL_TESTS[0]][form]
        met = [own["accuracy"]["mean"] >= OFFICIAL_AIM[0], own["fpr"]["mean"] <= OFFICIAL_AIM[1]]
        rivals = {model: measured[model][OFFICIAL_TESTS[0]][form] for model in measured if model != "cnn_lstm"}
        leader = max(rivals, key=lambda model: rivals[model]["accuracy"]["mean"], default=None)
        aim = f"accuracy ≥ {OFFICIAL_AIM[0]:g} at FPR ≤ {OFFICIAL_AIM[1]:g}"
        rival = f"{TITLES[leader]}, same rule: {three(rivals[leader])}" if leader is not None else "–"
        ranking = document["ranking"]["cnn_lstm"]
        said: Document = {
            "drift": own["fpr"]["mean"] / (100 * document["budget"]), "at_4": ranking["own"]["at_4"]["mean"],
            "ruled_at_4": ranking["form"]["at_4"]["mean"], "smaller": three(measured["cnn_lstm"][OFFICIAL_TESTS[0]]["smaller"]),
        }  # fmt: skip
        rows.append([f"{TITLES[OFFICIAL]}, inductive", aim, three(own), *_met(met, OFFICIAL, ("accuracy", "FPR"), **said), rival])
    return rows


def _of_random_split(document: Document, protocol: str, accuracy: float) -> Document:
    """What is said of a random split's test: how many of its records a seed may judge wrong and does, and what a stricter threshold costs."""
    measured = {model: only(one) for model, one in document["boundary"][protocol].items()}
    strict = document["random_budget"][protocol]["cnn_lstm"]
    records = round(document["data"][protocol]["records"] / 10)
    return {
        "records": records, "may": records * (100 - accuracy) / 100,
        "wrong": records * (100 - measured["cnn_lstm"]["accuracy"]["mean"]) / 100,
        "teacher": records * (100 - measured["lightgbm"]["accuracy"]["mean"]) / 100,
        "lowest": min(one["fpr"]["mean"] for model, one in measured.items() if model != "cnn_lstm"),
        "strict_fpr": strict["fpr"]["mean"], "strict_accuracy": strict["accuracy"]["mean"],
    }  # fmt: skip


def _families(trials: Mapping[str, Document | None]) -> list[list[str]]:
    """Both shipped detectors at the threshold of 1 alert per 1,000 entity-days."""
    rows = []
    shipped = trials.get("shipped")
    for detector, one in shipped["detectors"].items() if shipped is not None else ():
        test = one["tests"].get(HELD_OUT)
        if test is None:
            continue
        asked = f"recall ≥ {FAMILIES_AIM:g} at 1 false alert per 1,000 entity-days of synthetic benign"
        strict, own, alerts = test["strict"], test["detected"], test["alerts"]
        found = f"{strict['found']} of {strict['of']} ({100 * strict['interval'][0]:.0f}–{100 * strict['interval'][1]:.0f} %)"
        met = 100 * strict["found"] >= FAMILIES_AIM * strict["of"]
        seeds, mean = _over_builds(trials, detector, HELD_OUT, "recall_strict")
        watched = one["tests"].get(WATCHED)
        beside = f"{seeds} builds: {percent(mean)} %; at its own threshold {own['found']} of {own['of']}, {alerts['own'][0]} alerts in {alerts['entity_days']:.1f} entity-days"
        if watched is not None:
            raised, days = watched["alerts"], watched["alerts"]["entity_days"]
            beside += f"; of principals watched for {days:,.0f} entity-days {raised['strict'][0]} alerts at the strict threshold, {raised['own'][0]} at its own"
        parts = {name.partition("/")[2]: (hit, of) for name, (hit, of) in strict["by_family"].items() if hit < of}
        said = {
            "parts": ", ".join(f"{name} {hit} of {of}" for name, (hit, of) in parts.items()),
            "never": ", ".join(name for name, (hit, _) in parts.items() if not hit) or "none",
        }
        rows.append(
            [
                f"`{detector}`, scenario families never seen in training",
                asked,
                found,
                *_met([met], detector, ("recall",), **said),
                beside,
            ]
        )
    return rows


def _techniques(trials: Mapping[str, Document | None]) -> list[list[str]]:
    recorded = trials.get("recorded")
    one = recorded["sources"].get("stratus") if recorded is not None else None
    if recorded is None or one is None:
        return []
    found = one["attacks_counted"]
    some = sum(hit > 0 for hit, _ in one["attacks"].values())
    seeds, mean = _over_builds(trials, "audit", _STRATUS, "recall")
    new = f"{k_of_n(one['attacks_new_counted'])} of those in words that training told of no attack"
    measured = f"{k_of_n(found)} stories; of {some} of {len(one['attacks'])} techniques some story alerts; {new}; {seeds} builds: {percent(mean)} %"
    invictus = recorded["sources"].get("invictus")
    alarms = f"benign: {one['alarming']} of {one['benign']} beside the techniques"
    real = f", {invictus['alarming']} of {invictus['benign']} real ones (Invictus)" if invictus is not None else ""
    met = 100 * found["found"] >= STRATUS_AIM * found["of"]
    seldom = ", ".join(
        f"{name.partition('/')[2]} {hit} of {of}" for name, (hit, of) in one["attacks"].items() if 2 * hit <= of or hit <= 3
    )
    verdict = _met([met], "stratus", ("recall",), seldom=seldom)
    if met and 100 * mean["mean"] < STRATUS_AIM:
        verdict = (
            "**missed** by the mean of builds, reached by the one that ships",
            f"the build that ships reaches it, the mean of builds does not; {_WHY['stratus'].format(seldom=seldom)}",
        )
    asked = f"recall ≥ {STRATUS_AIM:g} at a threshold set on benign data, false alarms on real benign records stated"
    return [
        [
            "`audit`, real Stratus techniques never seen, embedded, leak masked",
            asked,
            measured,
            *verdict,
            alarms + real,
        ]
    ]


def _over_builds(trials: Mapping[str, Document | None], detector: str, test: str, name: str) -> tuple[int, Document]:
    """Seeds, and mean and spread of a figure: of the detector fitted again where that was done, else of the build's own seeds."""
    again = trials.get(f"{detector}_refits")
    if again is not None:
        return again["seeds"], again["tests"][test][name]
    one = (trials.get("shipped") or {})["detectors"][detector]
    return one["seeds"], one["tests"][test]["strict"]["recall"] if name == "recall_strict" else one["tests"][test][name]


def _flows(trials: Mapping[str, Document | None]) -> list[list[str]]:
    rows = []
    flows = trials.get("flows")
    for name, models in flows["tests"].items() if flows is not None else ():
        own, asked = models["cnn_lstm"]["recall_1e-2"], f"recall ≥ {FLOWS_AIM:g} at FPR 1e-2 of its own benign flows"
        if own is None and models["cnn_lstm"]["attack"]:
            why = f"{models['cnn_lstm']['benign']} benign flows: too few to speak of that rate; the ranking's AUC stands in the table of flows"
            rows.append([title_of(name), asked, "–", "**no evidence**", why, "–"])
        if own is not None:
            strict = models["cnn_lstm"]["recall_1e-3"]
            measured = share(models["cnn_lstm"], "recall_1e-2") + (
                f"; at 1e-3 {share(models['cnn_lstm'], 'recall_1e-3')}"
                if strict is not None
                else "; at 1e-3 too few benign flows"
            )
            met, which = 100 * own["mean"] >= FLOWS_AIM, name.partition("_")[2]
            trees = " and ".join(share(models[tree], "recall_1e-2") for tree in ("forest_flow", "lightgbm_window"))
            verdict = no_evidence(trials, name) or _met(
                [met], "unsw" if name.startswith("unsw") else which, ("recall",), trees=trees
            )
            rows.append(
                [title_of(name), asked, measured, *verdict, f"forest on single flows: {share(models['forest_flow'], 'recall_1e-2')}"]
            )  # fmt: skip
    return rows


def _moved(trials: Mapping[str, Document | None]) -> list[list[str]]:
    rows = []
    transfer = trials.get("transfer")
    for pair, one in transfer["pairs"].items() if transfer is not None else ():
        moved = one["shares"]["0.05"].get("pretrained", {}).get("recall_1e-3")
        if moved is not None:
            met = 100 * moved["mean"] >= TRANSFER_AIM
            few, every = one["shares"]["0.05"], one["shares"]["1"]
            said = {"share": "5 %", "attacks": few["hostile"], "all_labels": share(every["pretrained"], "recall_1e-3")}
            verdict = no_evidence(trials, "_".join(PAIRS[pair][2])) or _met([met], pair, ("recall",), **said)
            rows.append(
                [f"{one['source']} → {one['target']}, 5 % labelled", f"recall ≥ {TRANSFER_AIM:g} at FPR 1e-3 of its own benign flows", share(one["shares"]["0.05"]["pretrained"], "recall_1e-3"), *verdict,
                 f"from scratch: {share(one['shares']['0.05']['scratch'], 'recall_1e-3')}"]
            )  # fmt: skip
    return rows


def no_evidence(trials: Mapping[str, Document | None], name: str) -> tuple[str, str] | None:
    """What is said of a test with too few attack flows, or whose control fails: the length of a sequence gives its label away."""
    padding = trials.get("padding")
    one = padding["tests"].get(name) if padding is not None else None
    if one is not None and one["attack"] < FEW:
        return "**no evidence**", f"{one['attack']} attack flows: too few to say anything"
    if one is None or abs(one["auc"]["mean"] - 0.5) < BROKEN:
        return None
    why = f"a forest that sees of a window only how much of it is padding finds {percent(one['recall_1e-2'])} at FPR 1e-2 (AUC {one['auc']['mean']:.3f})"
    return "**no evidence**", why


def _met(met: Sequence[bool], why: str, names: Sequence[str] = ("accuracy", "F1", "FPR"), **said: Any) -> tuple[str, str]:
    missed = [name for name, good in zip(names, met, strict=True) if not good]
    return ("yes", "–") if not missed else (f"**missed**: {', '.join(missed)}", _WHY.get(why, "not known").format(**said))
