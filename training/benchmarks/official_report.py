"""The report's sections about KDDTrain+ → KDDTest+: figures, how the rule was chosen, attacks that training never saw."""

# ruff: noqa: E501  (prose and tables)
from __future__ import annotations

from typing import Any

from training.benchmarks.figures import TITLES
from training.benchmarks.markdown import plus_minus, seeds_of, share, table, three
from training.benchmarks.measured import OFFICIAL_TESTS
from training.benchmarks.protocols import OFFICIAL

_FORMS = {
    "classifier": "classifier alone", "reconstruction": "reconstruction alone", "dependence": "dependence alone",
    "smaller": "smaller tail of classifier and reconstruction", "joint": "classifier, reconstruction and dependence, joint",
}  # fmt: skip
Document = dict[str, Any]


def official(document: Document) -> str:
    shared = document["data"]["KDDTest+"]
    text = f"""## Table 2. The official split: KDDTrain+ → KDDTest+ and KDDTest-21, inductive

KDDTest+ has 17 attack types that KDDTrain+ lacks, and other benign traffic. {shared["also_in_training"]} of its {shared["records"]:,} rows are also
in KDDTrain+; they were left in, as everybody leaves them in. *Boundary* is the model as it comes. *Novelty, budget* is the same model
joined with two scores that know no attack: the error of rebuilding a record from the main components of benign ones, and the log-odds, by
trees, that it is a mixture of two benign ones (`training/benchmarks/novelty.py`). The threshold is what {100 * document["budget"]:g} % of benign
**validation** records of KDDTrain+ reach. *Ranking* takes a threshold from KDDTest+ itself: nobody
can deploy that; it says how much of the gap is threshold and how much is model.
"""
    rows = []
    for model, tests in document["boundary"][OFFICIAL].items():
        for test in OFFICIAL_TESTS:
            own = tests[test]
            ruled = three(document["forms"][model][test][document["form"]]) if model in document["forms"] else "–"
            rows.append(
                [TITLES[model], test, three(own), ruled, _ranking(document, model, test), seeds_of(document, OFFICIAL, model)]
            )
    head = (
        "model",
        "test",
        "boundary: accuracy / F1 / FPR %",
        "novelty, budget: accuracy / F1 / FPR %",
        "ranking: best accuracy; at FPR 4 %",
        "seeds",
    )
    return text + "\n" + table(head, rows) + "\n\n" + _forms(document)


def _forms(document: Document) -> str:
    """Every form on KDDTest+: the chosen one may not be the best there, and the report shows it."""
    rows = []
    for model, tests in document["forms"].items():
        for form, one in tests[OFFICIAL_TESTS[0]].items():
            drift = one["fpr"]["mean"] / 100 / document["budget"]
            chosen = " (chosen)" if form == document["form"] else ""
            rows.append([TITLES[model], _FORMS[form] + chosen, three(one), f"{drift:.0f}"])
    return f"""All forms on KDDTest+ at the same budget, so that nobody has to guess what the choice cost. The choice is not made from this table. The last column is the share of
benign records of KDDTest+ that alarm, as a multiple of the share of benign validation records that may: how far benign traffic has drifted in the eyes of that form.

{table(("model", "form", "accuracy / F1 / FPR %", "drift"), rows)}"""


def _ranking(document: Document, model: str, test: str) -> str:
    if test != OFFICIAL_TESTS[0] or model not in document["ranking"]:
        return "–"
    own, form = document["ranking"][model]["own"], document["ranking"][model]["form"]
    return f"own score {plus_minus(own['oracle'], 1)}; {plus_minus(own['at_4'], 1)}, with novelty {plus_minus(form['oracle'], 1)}; {plus_minus(form['at_4'], 1)}"


def choice(document: Document) -> str:
    rows = [
        [TITLES[model], _FORMS[one["form"]], f"{100 * one['by_type']:.1f}", f"{100 * one['by_record']:.1f}", f"{100 * one['fpr']:.2f}", str(one["types"])]
        for model, ways in document["choice"].items() for one in ways
    ]  # fmt: skip
    return f"""### How the choice was made

On KDDTrain+ alone: a quarter of the attack types of each family is left out of training, four times, and the forms are compared on
what was left out, all at the budget of {100 * document["budget"]:g} % of benign validation records. The form with the highest mean recall over types less its false
positives is taken: **{_FORMS[document["form"]]}**. Before that, about a hundred ways to combine eight novelty scores with LightGBM were compared
on the same left-out types; this one was among the best. The budget itself is the aim of 4 % divided by ten, because benign traffic drifts between the two files by
about that much; that it does was known from published figures and from first figures of this project, so that one number is
not innocent of KDDTest+. Networks of this protocol read numbers coarsely and learn the margin of a LightGBM teacher, on records
and on unlabelled mixtures of them. A small trial on two of the four folds preferred that to fine steps and hard labels; on all four,
at full size, the two came out about even (fewer types, more records), so it is no strong choice. Models with fewer types in the last column were tried on fewer folds: their rows compare
forms with one another, not with the models above.

{table(("model", "form", "recall, mean of types %", "recall, records %", "FPR %", "types"), rows)}"""


def unseen(document: Document) -> str:
    found = document["unseen"]
    if not found:
        return ""
    text = "### The attack types that training never saw\n\nFirst seed, detected of all, with the exact 95 % interval. The last lines are means over seeds.\n\n"
    names = next(iter(found.values()))["boundary"]["types"]
    rows = [
        [name, *(share(ways[way]["types"][name]) for ways in found.values() for way in ("boundary", "budget"))] for name in names
    ]
    for key, label in (("all", "**all unseen types** (%)"), ("seen", "types seen in training (%)")):
        rows.append([label, *(plus_minus(ways[way][key], 1) for ways in found.values() for way in ("boundary", "budget"))])
    head = ("type", *(f"{TITLES[model]}, {label}" for model in found for label in ("boundary", "novelty, budget")))
    return text + table(head, rows)


def left_out(document: Document) -> str:
    if not document["left_out"]:
        return ""
    rows = [
        [family, TITLES[model],
         *(share(ways[way][what]) if way in ways else "–" for way in ("boundary", "budget") for what in ("found", "false"))]
        for family, models in document["left_out"].items() for model, ways in models.items()
    ]  # fmt: skip
    head = ("family left out", "model", "boundary: found", "boundary: false", "novelty, budget: found", "novelty, budget: false")
    return f"## Leave one attack family out\n\nTrained on KDDTrain+ without one family, tested on all of it and on unseen benign records. One seed.\n\n{table(head, rows)}"
