"""A technique that is new by name and told before by word is known for one."""

from __future__ import annotations

import pytest

from training.audit_data import recorded
from training.data_root import data_root
from training.tasks import HELD_OUT
from training.trials.recorded import sum_up
from training.trials.shipped_sections import _families_by_words
from training.trials.stage import document
from training.trials.words import told_before

ROOT = data_root()


@pytest.mark.skipif(ROOT is None, reason="there is no recorded data (BREAKWATER_DATA is not set)")
@pytest.mark.parametrize(
    ("technique", "before"),
    [
        pytest.param("aws.credential-access.ssm-retrieve-securestring-parameters", True, id="GetParameters like GetParameter"),
        pytest.param("aws.defense-evasion.organizations-leave", False, id="nothing in training leaves an organization"),
    ],
)
def test_a_held_out_technique_is_held_against_the_words_of_training(technique, before):
    assert ROOT is not None
    (attack,) = [each for each in recorded(ROOT).held_out if each.name == technique]

    assert told_before(attack, ROOT) is before


@pytest.mark.training
def test_what_was_told_before_is_counted_apart():
    found = {
        "attacks": {"stratus/old": [5, 5], "stratus/new": [1, 5]}, "attacks_strict": {}, "told_before": ["stratus/old"],
        "alarming": 0, "alarming_strict": 0, "benign": 9,
    }  # fmt: skip

    counted = sum_up({"stratus": found})["sources"]["stratus"]

    assert (counted["attacks_told_before_counted"]["found"], counted["attacks_told_before_counted"]["of"]) == (5, 5)
    assert (counted["attacks_new_counted"]["found"], counted["attacks_new_counted"]["of"]) == (1, 5)


def test_held_out_families_are_counted_apart_by_how_many_of_their_words_training_told():
    def by_family(*found: int) -> dict[str, object]:
        return {"by_family": {name: [count, 6] for name, count in zip(("old", "half", "new", "host"), found, strict=True)}}

    audit = {
        "tests": {HELD_OUT: {"detected": by_family(6, 5, 4, 1), "strict": by_family(3, 2, 1, 1)}},
        "words": {"old": [2, 2], "half": [1, 3], "new": [0, 1]},
    }

    told = _families_by_words(audit)

    assert (
        "of 6 different ones in the attack calls of the\n3 held-out families of API calls, training told 3 of an attack" in told
    )
    for row in ("| every one | 1 | 6 of 6 | 3 of 6 |", "| some | 1 | 5 of 6 | 2 of 6 |", "| none | 1 | 4 of 6 | 1 of 6 |"):
        assert row in told


def test_the_stored_words_are_of_families_that_the_build_tested():
    found = document("shipped")
    assert found is not None
    audit = found["detectors"]["audit"]
    assert set(audit["words"]) <= set(audit["tests"][HELD_OUT]["detected"]["by_family"])
    assert all(0 <= known <= of for known, of in audit["words"].values())
