"""The same histories, their choices made by hypothesis: it favours what is small and at the edge, and shrinks what it finds."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from infra_tests.response.histories import mutations
from infra_tests.response.histories.history import told, written
from infra_tests.response.histories.mutations import Mutation
from infra_tests.response.histories.playing import fails

#: How many are drawn here, beside those of the seeds. The same ones each time: a fresh find belongs to a long run, not to
#: whoever changes something else that day.
DRAWN = 2_000
#: What hypothesis sees the want of early. All that has to be seen is in ``test_histories.py``.
SEEN = (mutations.one_signal_is_enough, mutations.changed_before_it_is_journalled, mutations.no_look_at_the_switch)


def check(choices: Random, asked: bool) -> None:
    history = told(choices, asked=asked)
    assert fails(history) == "", written(history)


HISTORIES = given(choices=st.randoms(use_true_random=False), asked=st.booleans())


@settings(max_examples=DRAWN, derandomize=True, database=None)
@HISTORIES
def test_a_history_that_hypothesis_draws_keeps_every_invariant(choices: Random, asked: bool) -> None:
    check(choices, asked)


@pytest.mark.parametrize("mutation", SEEN, ids=lambda mutation: mutation.__name__)
def test_what_keeps_an_invariant_is_missed_when_it_is_gone(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(monkeypatch)
    play = settings(max_examples=300, derandomize=True, database=None, phases=[Phase.generate])(HISTORIES(check))
    with pytest.raises(AssertionError):
        play()
