"""What principals did before their stories: the same for attacked and for honest ones, so that a past tells nothing by itself."""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from shared_model.encoders.audit import ROW
from shared_model.events import Telemetry
from shared_model.habits import FIRSTS, KNOWN
from training.audit_data import first_times, record_stories
from training.fitting import Labelled, with_honest
from training.scenarios import Family, Split, families, named
from training.scenarios.audit_story import LabelledRecord, attack_story, benign_days, benign_story
from training.scenarios.catalogue import catalogue, drawn_stray
from training.scenarios.held_out import HELD_OUT_OPERATIONS
from training.scenarios.past import UNKNOWN, sketch_of
from training.scenarios.principals import principal_of
from training.scenarios.script import operations
from training.scenarios.writers import WRITERS
from training.sequences import Story

OPERATION = 1 << FIRSTS.index("operation")
TRAINED = families(Telemetry.API_CALLS, Split.TRAIN)


def fields(told: Iterable[list[LabelledRecord]]) -> NDArray[np.void]:
    stories = [story for lines in told for story in record_stories(lines, "told")]
    return np.ascontiguousarray(np.concatenate([story.rows for story in stories])).view(ROW)[:, 0]


@pytest.fixture(scope="module")
def told() -> dict[str, list[list[LabelledRecord]]]:
    chosen = [family for family in TRAINED if family.is_attack]
    return {
        "attack": [attack_story(family, seed) for family in chosen for seed in range(4)],
        "control": [attack_story(family, seed, control=True) for family in chosen for seed in range(4)],
        "benign": [benign_story(family, seed) for family in TRAINED if not family.is_attack for seed in range(9)],
    }


def test_as_many_attacked_as_honest_principals_are_unknown(told: dict[str, list[list[LabelledRecord]]]):
    for lines in told.values():
        assert np.mean([not each[0].past for each in lines]) == pytest.approx(UNKNOWN[Split.TRAIN], abs=0.07)


def test_those_that_are_known_are_known_for_as_long_and_by_as_many_operations(told: dict[str, list[list[LabelledRecord]]]):
    """Of the first call of each story, which is benign in all."""
    medians = {}
    for kind, lines in told.items():
        first = fields([each[0]] for each in lines if each[0].past)
        medians[kind] = [float(np.median(first[name])) for name in ("days", "operations", "since_operation")]
    for kind in ("control", "benign"):
        assert medians[kind] == pytest.approx(medians["attack"], abs=8)  # codes: 32 steps a power of ten


def test_an_attack_and_its_control_have_one_past_and_all_lines_of_a_story_say_so(told: dict[str, list[list[LabelledRecord]]]):
    for attack, control in zip(told["attack"], told["control"], strict=True):
        assert len({line.past for line in [*attack, *control]}) == 1


def test_habits_are_known_and_what_an_intruder_does_is_mostly_not(told: dict[str, list[list[LabelledRecord]]]):
    known = [each for each in told["attack"] if each[0].past]
    acted = [[line for line in each if line.label != "benign"][:1] for each in known]
    assert np.mean(fields(acted)["novel"] & OPERATION > 0) > 0.5
    honest = fields(each for each in told["benign"] if each[0].past)
    assert np.mean(honest["novel"] & OPERATION > 0) < 0.06


@pytest.mark.parametrize("family", [family for family in families(Telemetry.API_CALLS, Split.VALIDATION) if not family.is_attack])
def test_honest_principals_go_on_doing_what_they_never_did(family: Family):
    watched = fields(benign_days(family, seed, days=12, calls_a_day=30) for seed in range(3))
    firsts = np.sum((watched["novel"] & (KNOWN | OPERATION)) == KNOWN | OPERATION)
    assert 0 < firsts < 0.15 * len(watched)


def test_honest_strays_are_mostly_looks_and_never_what_only_recorded_attacks_make():
    rng = random.Random(1)
    strays = [script for script in (drawn_stray("aws", rng, often=40) for _ in range(4_000)) if script]
    known, met = catalogue("aws"), {name for script in strays for name in operations(script)}
    assert not (met - set(known.builds)) & HELD_OUT_OPERATIONS
    looks = [script for script in strays if operations(script) <= {*known.reads}]
    assert 0.7 < len(looks) / len(strays) < 0.95
    assert {call for those in known.sensitive.values() for call in those} & set(strays)
    assert drawn_stray("aws", rng, often=0) == ""


@pytest.mark.parametrize("name", ["audit/developer", "audit/azure-developer"])
def test_a_past_is_of_its_caller_and_the_same_for_the_same_seed(name: str):
    owner = principal_of(named(name), random.Random(3))
    writer = WRITERS[owner.cloud]
    caller = writer.make_caller(random.Random(3), owner.caller, owner.agents[0], now_ms=1_790_000_000_000, mfa=True)
    moved = writer.at_address(caller, "198.51.100.7")
    pasts = [
        sketch_of(owner, who, random.Random(seed), 1_790_000_000_000) for who, seed in ((caller, 5), (caller, 5), (moved, 5))
    ]
    assert pasts[0] == pasts[1] != pasts[2]


def story_of(novel: dict[int, str], count: int = 40) -> Story:
    rows = np.zeros((count, ROW.itemsize), np.uint8)
    rows.view(ROW)[:, 0]["kind"] = 1
    rows.view(ROW)[:, 0]["novel"] = KNOWN
    for place, name in novel.items():
        rows.view(ROW)[place, 0]["novel"] |= 1 << FIRSTS.index(name)
    return Story(rows, np.zeros(count, np.int64), "honest", False, 1.0)


@pytest.mark.parametrize(
    ("novel", "expected"),
    [
        ({}, []),
        ({3: "operation", 20: "network", 30: "program"}, []),
        ({0: "dealing"}, [7, 15]),
        ({16: "effect"}, [23, 31]),
        ({39: "dealing", 38: "effect"}, [39]),
    ],
)
def test_of_honest_days_the_windows_that_hold_a_telling_first_time_are_learnt(novel: dict[int, str], expected: list[int]):
    """Of 40 calls serving scores the windows that end with the 8th, 16th, … call."""
    stories = [story_of({}), story_of(novel), story_of({7: "effect"})]
    windows = first_times(stories)
    assert windows.rows.shape == (len(expected) + 2, 16, ROW.itemsize)
    assert windows.evidence.sum() == 0
    known = [min(end + 1, 16) for end in [*expected, 7, 15]]
    assert (windows.rows.view(ROW)[..., 0]["kind"] > 0).sum(axis=1).tolist() == known


def test_honest_windows_count_together_as_a_multiple_of_all_attacks():
    labelled = Labelled(np.zeros((6, 16, 2), np.float32), np.array([0, 0, 0, 1, 2, 2]))
    more = with_honest(labelled, np.ones((4, 16, 2), np.float32), 3, benign=2.0, share=0.5)
    assert more.classes.tolist() == [0, 0, 0, 1, 2, 2, 0, 0, 0, 0]
    assert more.windows[6:].all()
    assert not more.windows[:6].any()
    assert more.weights is not None
    attacks = more.weights[3:6].sum()
    assert more.weights[:3].sum() == pytest.approx(2 * attacks)
    assert more.weights[6:].sum() == pytest.approx(attacks / 2)
