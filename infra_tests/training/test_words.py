"""A technique that is new by name and told before by word is known for one."""

from __future__ import annotations

import pytest

from training.audit_data import recorded
from training.data_root import data_root
from training.trials.recorded import sum_up
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
