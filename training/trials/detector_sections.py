"""The report's sections about evasion, families, clouds, platforms and engines, printed from stored documents."""

# ruff: noqa: E501  (prose and tables)
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from training.benchmarks.markdown import table
from training.trials.families import FOLDS, KINDS
from training.trials.models import TITLES
from training.trials.platforms import PAPER_MS
from training.trials.printing import auc, cells, percent, run_line, share

Document = dict[str, Any]
_LEARNT = {"aws": "AWS", "azure": "Azure", "both": "both"}
_CLOUD = {"aws": "AWS", "azure": "Azure", "combined": "combined"}
_KINDS = {name: kind.words for name, kind in KINDS.items()}


def _network_evasion(document: Document) -> str:
    tests = document["tests"]
    rows = [
        [f"IoT-23 {name}", evasion, f"{said['attack']:,}", f"{100 * said['recall']:.1f}", f"{round(said['fpr'] * said['benign'])} of {said['benign']}"]
        for name, one in tests.items() for evasion, said in one["evasions"].items()
    ]  # fmt: skip
    versions = ", ".join(sorted({one["version"] for one in tests.values()}))
    return f"""## Evasion of the shipped network detector

The same attacks before the shipped `network` detector (version {versions}), at its own threshold, on windows as serving cuts them. It was trained on other captures and on no evasion.

{table(("capture", "evasion", "attack windows", "recall %", "benign windows that alarm"), rows)}

{run_line(document)}"""


def _audit_evasion(document: Document) -> str:
    evasions = document["evasions"]
    first = next(iter(evasions.values()))
    rows = [[evasion, f"{one['found']} of {one['stories']}", _techniques(one)] for evasion, one in evasions.items()]
    names = [
        [name, *(f"{one['techniques'][name]['found']} of {one['techniques'][name]['of']}" for one in evasions.values())]
        for name in first["techniques"]
    ]
    return f"""## Evasion of the shipped audit detector

Recorded Stratus techniques and Panther cases that training never saw, each behind 14, 22 and 30 benign calls of the same principal and a generated past, at the threshold of version {first["version"]}.
*None*: the attack comes from a kind of program that the principal's benign calls never came from. *User agent*: it comes from the program of these calls. *Jitter*: a pause of up to an hour before each call. *Interleaving*: three of the principal's own calls after each
call of the attack. This detector was not trained on evaded attacks; whether that helps is asked of a smaller network, below.{_own_program(evasions)}

{table(("evasion", "stories that alert", "techniques and cases of which some story alerts"), rows)}

{table(("technique or case", *evasions), names)}

{run_line(document)}"""


def _own_program(evasions: Document) -> str:
    """Said where an attack is found more often from the principal's own program, which nobody would expect."""
    foreign, own = evasions["none"]["found"], evasions["user agent"]["found"]
    return (
        " From the principal's own program more is found than from a foreign one; why was not looked into."
        if own > foreign
        else ""
    )


def _audit_hardening(document: Document) -> str:
    rows = [[name, percent(one["before"]), percent(one["after"])] for name, one in document["evasions"].items()]
    rows.append(["windows of the controls that alarm", *(percent(document["controls"][title]) for title in ("before", "after"))])
    return f"""## Adversarial training on audit records

A network of the shipped `audit`'s sizes, trained for six epochs on far less, twice: on generated stories of both clouds and the recorded attacks of training, and on these with each attack once more under one
of the evasions. Judged on the {document["stories"]} held-out stories above, at the threshold that 1 % of benign windows of validation families reach; mean ± sample standard deviation over {document["seeds"]} seeds. The last line is of
{document["windows"]} windows of the same principals with a further benign script instead of the attack.

{table(("evasion", "stories that alert before %", "after %"), rows)}

{run_line(document)}"""


def _techniques(one: Document) -> str:
    told = one["techniques"].values()
    return f"{sum(each['found'] > 0 for each in told)} of {len(told)}"


def _families(document: Document) -> str:
    kinds = document["kinds"]
    rows = [
        [_KINDS[name], _of(one["stories"]), f"{one['families']['found']} of {one['families']['of']}", _of(one["false"]), f"{one['days']:,.0f}",
         f"{1000 * one['false']['found'] / one['days']:,.0f}", f"{one['folds']} of {FOLDS}"]
        for name, one in kinds.items()
    ]  # fmt: skip
    head = (
        "left out",
        "attack stories that alert",
        "attack families of which half alert",
        "benign stories that alarm",
        "entity-days",
        "per 1,000 entity-days",
        "folds",
    )
    lists = [f"- {_KINDS[name]}. {_found_and_not(one)}" for name, one in kinds.items()]
    return f"""## Leave one scenario family out

Every family of generated API calls, flows and system logs is left out of training once, attack and benign alike, in five folds, each kind with a network of its own; families that draw attacks from a catalogue
stay out of every training. The threshold is what 1 % of benign windows of the other folds' stories reach, of stories kept from training: that is far above the 1 alert per 1,000 entity-days that is asked for, and the last columns say how far.
All of it is **synthetic**. The networks are small ones for this question and have one seed: the deployed detectors are trained on more, and their figures stand above. A story is one principal, initiator or host; an alert is a story here, not an entity and hour.
Stories of one family are alike, so that less is known than the intervals (exact, 95 %) say; of system logs there are a dozen attack families.

{table(head, rows)}

{chr(10).join(lists)}

{run_line(document)}"""


def _of(one: Document) -> str:
    return f"{one['found']} of {one['of']:,} ({100 * one['low']:.1f}–{100 * one['high']:.1f} %)"


def _found_and_not(one: Document) -> str:
    """Which attack families were missed, wholly or mostly, and which benign ones alarmed."""
    missed = ", ".join(one["missed"]) or "none"
    seldom, alarming = (
        ", ".join(f"{name.removesuffix(' (benign)')} ({count})" for name, count in one[kind].items()) or "none"
        for kind in ("seldom", "alarming")
    )
    return f"**Missed altogether:** {missed}. **Found in fewer than half of their stories:** {seldom}. **Benign, and alarmed:** {alarming}."


def _clouds(document: Document) -> str:
    rows = [
        [_LEARNT[learnt], _CLOUD[cloud], TITLES[model], f"{one['attack']:,} / {one['benign']:,}", *cells(one, ("recall_1e-2", "auc")),
         f"{share(one, 'recall')} / {share(one, 'fpr')}", str(one["seeds"])]
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
that cloud, of which training tells nothing. The operations of every attack are held out: {_not_tested(document)}. The network has the shipped detector's sizes and is trained for six epochs on far less. All of it is **synthetic**: it says
whether what is learnt of one cloud serves the other, and nothing about false alarms in a real account.

{_best_by_cloud(document)}

{table(head, rows)}

{run_line(document)}"""


def _not_tested(document: Document) -> str:
    """Which families the test leaves out, since training shows one of their calls in an attack."""
    left = [
        f"{len(families)} of {_CLOUD[cloud]} ({', '.join(f'{name} for {calls[0]}' for name, calls in families.items())})" if families else f"none of {_CLOUD[cloud]}"
        for cloud, families in document["not_tested"].items()
    ]  # fmt: skip
    return f"families of which some call is part of an attack in training are not tested, {' and '.join(left)}"


def _best_by_cloud(document: Document) -> str:
    """Which model ranks best on each cloud, whatever it is."""
    lines = []
    for learnt, tests in document["learnt"].items():
        for cloud, models in tests.items():
            best = max(models, key=lambda model: models[model]["auc"]["mean"])
            lines.append(
                f"- {_LEARNT[learnt]} learnt, {_CLOUD[cloud]} tested: {TITLES[best]} ranks best (AUC {auc(models[best])}); the CNN-LSTM has {auc(models['cnn_lstm'])}."
            )
    return "\n".join(lines)


def _platforms(document: Document) -> str:
    rows = [
        [_CLOUD[cloud], f"{one['attack']:,} / {one['benign']:,}", *(f"{100 * one[name]:.1f}" for name in ("accuracy", "f1", "fpr", "recall")), f"{round(one['fpr'] * one['benign'])} of {one['benign']:,}",
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
        "benign windows that alarm",
        "decision, our own time (p50)",
        "the paper's decision latency",
    )
    return f"""## The paper's table 2: by platform

The shipped `audit` detector (version {", ".join(document["versions"])}) at its own threshold, on windows of generated API calls of families that training never saw. The paper's
claim for its CNN-LSTM is 98.7 / 98.2 / 1.3 (accuracy / F1 / FPR, %). Latency is of one API call, as docs/benchmarks.md has it; what a platform takes to deliver an
event, minutes often, is no part of either.

{table(head, rows)}

{run_line(document)}"""


def _engines(document: Document) -> str:
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

{table(head, rows)}

{run_line(document)}"""


WRITERS: dict[str, Callable[[Document], str]] = {
    "network_evasion": _network_evasion, "audit_evasion": _audit_evasion, "audit_hardening": _audit_hardening, "families": _families, "clouds": _clouds,
    "platforms": _platforms, "engines": _engines,
}  # fmt: skip
