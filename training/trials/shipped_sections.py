"""The report's sections about the detectors that ship, on what their training never saw, printed from stored documents."""

# ruff: noqa: E501  (prose and tables)
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from training.benchmarks.markdown import table
from training.card import per
from training.tasks import HELD_OUT
from training.trials.printing import k_of_n, number, percent, run_line

Document = dict[str, Any]
_SOURCES = {
    "stratus": "held-out Stratus techniques, behind benign history", "panther": "held-out Panther cases, behind benign history",
    "invictus": "Invictus: an account under attack, one hour", "system_logs": "OpenSSH and Linux system logs, pieces of 64 records",
}  # fmt: skip
_HELD_OUT = ("stratus", "panther")


def _shipped(document: Document) -> str:
    rows, controls, sample = [], [], []
    for detector, one in document["detectors"].items():
        title = f"`{detector}` {one['version']}"
        for name, test in one["tests"].items():
            rows.append([title, name, test["benign"], *_tested(test)])
            if test["replaced"] is not None:
                again = test["replaced"]
                controls.append(
                    [
                        title,
                        f"attacks of “{name}” replaced by the owner's own calls in the same places ({again['controls']} stories)",
                        f"{again['auc']:.3f}",
                        "0.5",
                    ]
                )
        controls += _controls(title, one["controls"])
        told = one["sample"]
        sample.append(
            [
                title,
                f"{told['detected']} of {told['attack_entities']}",
                f"{told['alarming']} of {told['benign_entities']}",
                f"{told['windows']['auc']:.3f}",
                _by_family(told["families"]),
            ]
        )
    head = (
        "detector",
        "test set",
        "benign entities are",
        "attack entities found",
        "at the strict threshold",
        "recall of entities, all seeds %",
        "alerts of benign entities; strict",
        "entity-days",
        "benign events",
        "alerts per million events, strict",
    )
    seeds = " and ".join(f"{one['seeds']} for `{name}`" for name, one in document["detectors"].items())
    return f"""## The shipped detectors on what training never saw

What each build counted, as on the cards (`model_artifacts/*/MODEL_CARD.md`, which say more). Found is k of n with the exact 95 % interval, by the model that ships; recall is over all seeds ({seeds}).
Thresholds come from benign validation data: the detector's own, and a strict one at which benign validation entities raise at most 1 alert per 1,000 entity-days. An alert is one an entity and hour.
Alerts of generated benign entities and of recorded ones are never added up. A rate of fewer than three events is given as its upper bound, one-sided 95 %;
where no alert came, the rate per entity-day is only known to be below 3 divided by the entity-days.

{table(head, rows)}

Controls. What must come out near chance, or the protocol is broken; and how well generated benign windows can be told from recorded ones, where 1 means that false alarms on generated records say little about real ones:

{table(("detector", "control", "AUC", "should be"), controls)}

On the stored sample of generated stories (`training/evaluation_sample`), at the shipped thresholds. `infra_tests/training/test_trials.py` computes this table again from the models in `model_artifacts/`:

{table(("detector", "attack entities found", "benign entities that alarm", "AUC of windows", "found by family"), sample)}

{_families_by_words(document["detectors"]["audit"])}

{run_line(document)}"""


def _families_by_words(audit: Document) -> str:
    """Held-out families of API calls apart by how many of their words training told of an attack."""
    test = audit["tests"][HELD_OUT]
    groups: dict[str, list[str]] = {"every one": [], "some": [], "none": []}
    for family, (known, of) in audit["words"].items():
        groups["every one" if known == of else "some" if known else "none"].append(family)
    rows = [
        [title, str(len(names)), *(_found(test[threshold]["by_family"], names) for threshold in ("detected", "strict"))]
        for title, names in groups.items()
    ]
    known, of = (sum(counts[place] for counts in audit["words"].values()) for place in (0, 1))
    head = (
        "words of its attack calls that training told of an attack",
        "families",
        "stories found by the shipped `audit`",
        "at the strict threshold",
    )
    return f"""A held-out family is one that training never tells, but its calls may read like those of another: the detector reads words (service, verb, object, what is granted), and of {of} different ones in the attack calls of the
{len(audit["words"])} held-out families of API calls, training told {known} of an attack:

{table(head, rows)}"""


def _found(by_family: Document, names: list[str]) -> str:
    counts = [by_family[name] for name in names if name in by_family]
    return f"{sum(found for found, _ in counts)} of {sum(of for _, of in counts)}" if counts else "–"


def _refits(document: Document) -> str:
    detector = document["detector"]
    rows = [
        [name, f"{one['attack']} / {one['benign']}", percent(one["recall"]), percent(one["recall_strict"]), percent(one["fpr"]), number(one["auc"]),
         f"{number(one['alerts_per_entity_day'])}; {number(one['alerts_per_entity_day_strict'])}", f"{one['entity_days']:,.1f}"]
        for name, one in document["tests"].items()
    ]  # fmt: skip
    head = (
        "test set",
        "attack / benign entities",
        "recall of entities %",
        "at its strict threshold",
        "benign entities that alarm %",
        "AUC of windows",
        "alerts per entity-day of benign entities; strict",
        "entity-days",
    )
    return f"""## `{detector}` fitted again

The recipe of the shipped `{detector}` with {document["seeds"]} seeds, each fit at its own two thresholds, int8; mean ± sample standard deviation. The one that ships is the first, not the best.

{table(head, rows)}

{run_line(document)}"""


def _tested(test: Document) -> list[str]:
    alerts = test["alerts"]
    counted = [_interval(test[name]) for name in ("detected", "strict")]
    recall = percent(test["recall"]) if test["attack_entities"] else "–"
    return [
        *counted,
        recall,
        f"{alerts['own'][0]}; {alerts['strict'][0]}",
        f"{alerts['entity_days']:,.1f}",
        f"{alerts['events']:,}",
        per(1e6, alerts["strict"][0], alerts["events"]),
    ]


def _interval(one: Document) -> str:
    if not one["of"]:
        return "–"
    low, high = one["interval"]
    return f"{one['found']} of {one['of']} ({100 * low:.0f}–{100 * high:.0f} %)"


def _controls(title: str, controls: Document) -> list[list[str]]:
    rows = []
    if controls["only_lengths"] is not None:
        rows.append(
            [
                title,
                "a forest that sees of a window only how much of it is padding",
                f"{controls['only_lengths']['auc']:.3f}",
                "0.5",
            ]
        )
    for name, one in controls["separability"].items():
        rows.append(
            [
                title,
                f"generated against recorded benign windows ({name}; {one['generated']:,} and {one['real']:,} windows)",
                f"{one['auc']:.3f}",
                "the lower the better",
            ]
        )
    return rows


def _by_family(families: dict[str, list[int]]) -> str:
    return ", ".join(f"{name.partition('/')[2]} {found}/{of}" for name, (found, of) in families.items())


def _recorded(document: Document) -> str:
    rows, lists = [], []
    for name, one in document["sources"].items():
        rows.append(
            [_SOURCES[name], k_of_n(one["attacks_counted"]), k_of_n(one["attacks_strict_counted"]), k_of_n(one["alarming_counted"]), k_of_n(one["alarming_strict_counted"]),
             f"{one['alerts']}; {one['alerts_strict']}", f"{one['entity_days']:.1f}", f"{one['events']:,}"]
        )  # fmt: skip
        lists.append(_named(name, one))
    first = next(iter(document["sources"].values()))
    head = (
        "recorded log",
        "attack entities found",
        "strict",
        "benign entities that alarm",
        "strict",
        "alerts of benign entities; strict",
        "entity-days",
        "benign events",
    )
    return f"""## Real logs that training never saw

The shipped `audit` detector (version {first["version"]}) at its own threshold ({first["threshold"]:g}) and at the strict one ({first["strict_threshold"]:g}); benign validation data gave both. An entity is a principal, a session or
a piece of a host's log; k of n with the exact 95 % interval. Of Stratus and Panther the attack is recorded; the history before it is generated, and so is the past of up to half a year that stands behind it (`training/scenarios/past.py`), drawn from a benign profile as every generated principal's is (one in ten has none): what the attack does is hardly ever in it. The features that tell a first time read exactly that, so what is found rests on what these pasts assume, too ([decision 134](decisions/134-what-a-principal-never-did.md)). The other logs are recorded throughout, and have no past. All benign entities of Invictus are
{document["sources"].get("invictus", first)["benign"]} principals of one hour: what they raise is a count and no rate. Attack in Invictus is what the tool did under its own name, in the system logs what the lines themselves say. Stories of one technique are alike, so that less is known than the intervals say. One held-out Panther case,
aws_sts_getcalleridentity_trufflehog, is a single call that everybody makes, and is no story here.

{table(head, rows)}

{chr(10).join(lists)}

{_by_words(document)}

{run_line(document)}"""


def _by_words(document: Document) -> str:
    """Held-out techniques apart by whether training told an attack in the same words."""
    rows, before = [], []
    for name, one in document["sources"].items():
        if name in _HELD_OUT:
            rows.append([_SOURCES[name], k_of_n(one["attacks_new_counted"]), k_of_n(one["attacks_told_before_counted"])])
            before += one["told_before"]
    head = (
        "found at its own threshold",
        "no call that training told of an attack",
        "a call in words that training told of an attack",
    )
    return f"""These techniques are held out by the names of their calls: no attack in training holds one of them (but `ConsoleLogin`, which every sign-in attack is). The detector reads no names but words (service, verb, object, what is granted), and an
operation of another name can have the same ones: `ssm:GetParameter` and `ssm:GetParameters` read alike. Where training told an attack in the words of one of a technique's calls, it is new in name alone:

{table(head, rows)}

Such are {", ".join(before)}."""


def _named(name: str, one: Document) -> str:
    """What was found and what was not, by name; of many pieces of one log only those that were missed."""
    found = [_told(each, hit, of) for each, (hit, of) in one["attacks"].items() if hit]
    missed = [each for each, (hit, _) in one["attacks"].items() if not hit]
    said = f"all {len(found)} others" if name == "system_logs" else _listed(found)
    accused = _listed(one["accused"])
    return f"- {_SOURCES[name]}. **Found:** {said}. **Not found:** {_listed(missed)}. **Benign, and alarmed:** {accused}."


def _told(name: str, hit: int, of: int) -> str:
    return name if of == 1 else f"{name} ({hit} of {of})"


def _listed(names: Iterable[str]) -> str:
    return "; ".join(names) or "none"


WRITERS: dict[str, Callable[[Document], str]] = {
    "shipped": _shipped, "network_refits": _refits, "audit_refits": _refits, "recorded": _recorded,
}  # fmt: skip
