"""Training and evaluation cut the windows that serving cuts, and label them by what is in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_model import windows as serving
from training.sequences import STRIDE, WINDOW, Story, cut, cut_stories, decidable, serving_ends, training_windows


def story(labels: list[int], family: str = "x") -> Story:
    rows = np.arange(1, len(labels) + 1, dtype=np.float32)[:, None]
    return Story(rows, np.array(labels, np.int64), family, any(labels), 1.0)


@given(st.integers(1, 80))
def test_windows_are_those_of_serving(count):
    rows = np.arange(1, count + 1, dtype=np.float32)[:, None]
    events = serving.Events(np.zeros(count, np.intp), np.arange(count) * 1000, np.arange(count, dtype=np.uint64), rows, 1)
    sequences = serving.merge(events, length=WINDOW)
    wanted = serving.gather(sequences.rows, serving.cut(sequences, length=WINDOW, stride=STRIDE).index)
    np.testing.assert_array_equal(cut(rows, serving_ends(count)), wanted)


def test_a_window_is_named_for_its_latest_attack_event():
    windows = cut_stories([story([0] * 10 + [3, 0, 5, 0, 0])])
    assert windows.classes.tolist() == [0, 5]
    assert windows.evidence.tolist() == [0, 2]
    assert windows.rows[0, :, 0].tolist() == [0.0] * 9 + [1, 2, 3, 4, 5, 6, 7]


def test_a_window_in_which_an_attack_has_only_begun_is_left_out():
    stories = [story([0] * 12 + [1] * 12), story([0] * 8), story([0] * 7 + [2])]
    windows = cut_stories(stories)
    kept = decidable(windows, stories, enough=4)
    assert windows.evidence[windows.story == 0].tolist() == [0, 4, 12]
    assert kept[windows.story == 0].tolist() == [True, True, True]
    assert kept[windows.story == 2].all(), "one event is all that the story has"
    assert decidable(windows, stories, enough=5)[windows.story == 0].tolist() == [True, False, True]


def test_training_windows_are_drawn_the_same_for_the_same_seed():
    stories = [story([0] * 20 + [1] * 20), story([0] * 30)]
    one, other = (training_windows(stories, np.random.default_rng(4), enough=4) for _ in range(2))
    np.testing.assert_array_equal(one.rows, other.rows)
    assert set(one.classes.tolist()) == {0, 1}
    assert not ((one.evidence > 0) & (one.evidence < 4)).any()


def test_no_story_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="no story to cut"):
        cut_stories([])
