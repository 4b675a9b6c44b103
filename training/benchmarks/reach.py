"""The report's first table: what every protocol asked for, what came out, whether that reaches it, and why it does not."""

# ruff: noqa: E501  (prose and tables)
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.benchmarks.figures import TITLES
from training.benchmarks.markdown import only, table, three
from training.benchmarks.measured import OFFICIAL_TESTS
from training.benchmarks.protocols import OFFICIAL, RANDOM
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
_FAMILIES = "held-out scenario families"
#: Why an aim is missed, as far as it is known. Printed only where it is.
_WHY = {
    "nsl_random": "it errs on a few records more than its LightGBM teacher; two and a half times the mixtures did no better on validation records (one seed), and a threshold that benign validation records set trades accuracy for alarms",
    "cicids_random": "no model beside it reaches the rate at its own boundary either; a threshold that benign validation records set does, and falls below both other aims",
    "nsl_official": "benign traffic of KDDTest+ is another: what 0.4 % of benign validation records reach, many times as many reach there. A rule of before (the smaller tail) held the rate, 82.4 at 3.3; the rule is chosen on left-out attack types and stays",
    "network": "all but three families are found whole; a channel in DNS questions not once, and beacons and trickles on odd ports in part: one connection of theirs is an ordinary one, and the order and pauses that give them away are few in 16 flows",
    "audit": "what an honest principal does for the first time looks like an intruder's only call: nearly all of the surest false alarms on validation are such, and trees on the same rows stop at half of the stories too (147 of 264, the network 61; validation, docs/decisions/139)",
    "stratus": "some alert seldom (UpdateFunctionCode, StartSession): calls that honest administrators make too, now and then for the first time. The calls are real, the past that makes them firsts is generated",
    "34-1": "nearly all of its benign flows are of the attacking device itself, some of them web connections to the very server that its attack talks to, and some of them rank above most of the attack; both trees fail at that rate too",
    "unsw": "1 of 250 flows is kept there, so gaps and neighbours are not real; the single flow tells more than the sequence",
    "iot23-to-device": "the same labels do better from scratch; why was not found, and another way of going on from the pre-trained weights was not tried",
    "iot23-to-unsw": "5 % of the labels hold four attack flows; all labels do not help either: in a sample of 1 in 250 the flows before a flow are not its neighbours",
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
            rows.append(
                [f"{TITLES[protocol]} 80/10/10", f"accuracy ≥ {accuracy}, F1 ≥ {f1}, FPR ≤ {fpr}", three(own) + sharper, *_met(met, protocol), f"{TITLES[best]}: {three(only(measured[best]))}"]
            )  # fmt: skip
    measured, form = document["forms"], document["form"]
    if "cnn_lstm" in measured:
        own = measured["cnn_lstm"][OFFICIAL_TESTS[0]][form]
        met = [own["accuracy"]["mean"] >= OFFICIAL_AIM[0], own["fpr"]["mean"] <= OFFICIAL_AIM[1]]
        rivals = {model: measured[model][OFFICIAL_TESTS[0]][form] for model in measured if model != "cnn_lstm"}
        leader = max(rivals, key=lambda model: rivals[model]["accuracy"]["mean"], default=None)
        aim = f"accuracy ≥ {OFFICIAL_AIM[0]:g} at FPR ≤ {OFFICIAL_AIM[1]:g}"
        rival = f"{TITLES[leader]}, same rule: {three(rivals[leader])}" if leader is not None else "–"
        rows.append([f"{TITLES[OFFICIAL]}, inductive", aim, three(own), *_met(met, OFFICIAL, ("accuracy", "FPR")), rival])
    return rows


def _families(trials: Mapping[str, Document | None]) -> list[list[str]]:
    """Both shipped detectors at the threshold of 1 alert per 1,000 entity-days."""
    rows = []
    shipped = trials.get("shipped")
    for detector, one in shipped["detectors"].items() if shipped is not None else ():
        test = one["tests"].get(_FAMILIES)
        if test is None:
            continue
        asked = f"recall ≥ {FAMILIES_AIM:g} at 1 false alert per 1,000 entity-days of synthetic benign"
        strict, own, alerts = test["strict"], test["detected"], test["alerts"]
        found = f"{strict['found']} of {strict['of']} ({100 * strict['interval'][0]:.0f}–{100 * strict['interval'][1]:.0f} %)"
        met = 100 * strict["found"] >= FAMILIES_AIM * strict["of"]
        beside = f"at its own threshold {own['found']} of {own['of']}, {alerts['own'][0]} alerts in {alerts['entity_days']:.1f} entity-days"
        rows.append(
            [
                f"`{detector}`, scenario families never seen in training",
                asked,
                found,
                *_met([met], detector, ("recall",)),
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
    measured = f"{k_of_n(found)} stories; of {some} of {len(one['attacks'])} techniques some story alerts"
    invictus = recorded["sources"].get("invictus")
    alarms = f"benign: {one['alarming']} of {one['benign']} beside the techniques"
    real = f", {invictus['alarming']} of {invictus['benign']} real ones (Invictus)" if invictus is not None else ""
    met = 100 * found["found"] >= STRATUS_AIM * found["of"]
    asked = f"recall ≥ {STRATUS_AIM:g} at a threshold set on benign data, false alarms on real benign records stated"
    return [
        [
            "`audit`, real Stratus techniques never seen, embedded, leak masked",
            asked,
            measured,
            *_met([met], "stratus", ("recall",)),
            alarms + real,
        ]
    ]


def _flows(trials: Mapping[str, Document | None]) -> list[list[str]]:
    rows = []
    flows = trials.get("flows")
    for name, models in flows["tests"].items() if flows is not None else ():
        own = models["cnn_lstm"]["recall_1e-2"]
        if own is not None:
            strict = models["cnn_lstm"]["recall_1e-3"]
            measured = share(models["cnn_lstm"], "recall_1e-2") + (
                f"; at 1e-3 {share(models['cnn_lstm'], 'recall_1e-3')}"
                if strict is not None
                else "; at 1e-3 too few benign flows"
            )
            met, which = 100 * own["mean"] >= FLOWS_AIM, name.partition("_")[2]
            verdict = no_evidence(trials, name) or _met([met], "unsw" if name.startswith("unsw") else which, ("recall",))
            rows.append(
                [title_of(name), f"recall ≥ {FLOWS_AIM:g} at FPR 1e-2 of its own benign flows", measured, *verdict, f"forest on single flows: {share(models['forest_flow'], 'recall_1e-2')}"]
            )  # fmt: skip
    return rows


def _moved(trials: Mapping[str, Document | None]) -> list[list[str]]:
    rows = []
    transfer = trials.get("transfer")
    for pair, one in transfer["pairs"].items() if transfer is not None else ():
        moved = one["shares"]["0.05"].get("pretrained", {}).get("recall_1e-3")
        if moved is not None:
            met = 100 * moved["mean"] >= TRANSFER_AIM
            verdict = no_evidence(trials, "_".join(PAIRS[pair][2])) or _met([met], pair, ("recall",))
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


def _met(met: Sequence[bool], why: str, names: Sequence[str] = ("accuracy", "F1", "FPR")) -> tuple[str, str]:
    missed = [name for name, good in zip(names, met, strict=True) if not good]
    return ("yes", "–") if not missed else (f"**missed**: {', '.join(missed)}", _WHY.get(why, "not known"))
