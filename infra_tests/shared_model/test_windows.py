"""Windows per entity: every new event is scored, in the order of time, once, with bounded memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_model.memory import Remembered
from shared_model.recent_ids import RECENT, hex_ids, short_ids, stamped_ids, unseen
from shared_model.remembering import remember
from shared_model.windows import Events, cut, first_new, gather, kept_rows, merge

T = 4


def batch(*events: tuple[int, int, int], entities: int = 3) -> Events:
    """Events from (entity, time, id); a row is its own time and id."""
    entity, times, ids = (np.array(column) for column in zip(*events, strict=True)) if events else (np.empty(0, int),) * 3
    rows = np.stack([times, ids], axis=1).astype("<i8")
    # The short form of an id is its first digits: spread small test ids over the word.
    return Events(entity.astype(np.intp), times.astype(np.int64), ids.astype(np.uint64) << np.uint64(40), rows, entities)


def step(events: Events, remembered=(), *, length: int = T):
    sequences = merge(events, remembered, length=length)
    states = remember(sequences, events, remembered, length=length, id_texts=lambda chosen: hex_ids(events.ids[chosen]))
    return sequences, states


def by_number(states: dict[int, Remembered], entities: int = 3):
    return [states.get(number) for number in range(entities)]


def test_entities_are_sorted_by_time_and_windows_padded_on_the_left():
    sequences, _ = step(batch((1, 30, 3), (0, 10, 1), (1, 20, 2)))
    windows = cut(sequences, length=T, stride=2)
    assert sequences.times_ms.tolist() == [10, 20, 30]
    assert windows.entity.tolist() == [0, 1]
    assert windows.index.tolist() == [[-1, -1, -1, 0], [-1, -1, 1, 2]]
    assert sequences.first.tolist() == [True, True, False]


def test_padding_gathers_zeros():
    features = np.array([[5, 1], [7, 1]], np.float32)
    assert gather(features, np.array([[-1, 0, 1]])).tolist() == [[[0, 0], [5, 1], [7, 1]]]


@pytest.mark.parametrize("stride", [0, T + 1])
def test_a_stride_that_would_leave_events_out_is_refused(stride):
    sequences, _ = step(batch((0, 1, 1)))
    with pytest.raises(ValueError, match="stride"):
        cut(sequences, length=T, stride=stride)


def test_ids_remembered_with_and_without_their_minute_are_told_alike():
    events = batch((0, 10, 1), (0, 20, 2), (1, 30, 3), (1, 40, 4))
    with_minute = Remembered(b"", (), (), recent=tuple(stamped_ids(events.ids[:1], events.times_ms[:1])))
    without = Remembered(b"", (), (), recent=tuple(short_ids(events.ids[2:3])))
    for remembered, new in (
        ([with_minute, without, None], [1, 3]),
        ([with_minute, None, None], [1, 2, 3]),
        ([None, without, None], [0, 1, 3]),
    ):
        assert unseen(events.entity, events.ids, remembered).tolist() == new


@given(
    known=st.lists(st.tuples(st.integers(0, 2**64 - 1), st.booleans()), max_size=6),
    asked=st.integers(0, 2**64 - 1),
    number=st.sampled_from([None, 0, 1]),
)
def test_one_event_alone_is_told_as_among_others(known, asked, number):
    ids = np.array([identity for identity, _ in known], np.uint64)
    with_minute = stamped_ids(ids, np.full(len(ids), 60_000 * 7, np.int64))
    texts = tuple(
        long if stamped else short for long, short, (_, stamped) in zip(with_minute, short_ids(ids), known, strict=True)
    )
    state = Remembered(b"", (), (), recent=texts)
    of_entity = [state if each == number else None for each in (0, 1)]
    for identity in {asked, *(identity for identity, _ in known)}:
        alone = unseen(np.array([0]), np.array([identity], np.uint64), of_entity)
        other = identity ^ (2**64 - 1)  # of an entity of its own, so that nothing else decides
        together = unseen(np.array([0, 2]), np.array([identity, other], np.uint64), [*of_entity, None])
        assert alone.tolist() == [place for place in together.tolist() if place == 0]
    assert unseen(np.array([0]), np.array([asked], np.uint64), ()).tolist() == [0]


def test_new_events_follow_the_remembered_ones():
    _, states = step(batch((0, 10, 1), (0, 20, 2)))
    sequences, _ = step(batch((0, 30, 3)), by_number(states))
    assert sequences.times_ms.tolist() == [10, 20, 30]
    assert (sequences.event >= 0).tolist() == [False, False, True]
    assert cut(sequences, length=T, stride=2).index.tolist() == [[-1, 0, 1, 2]]
    assert sequences.remembered_ids[-1 - sequences.event[0]] == states[0].event_ids[0]


def test_what_is_delivered_twice_counts_once():
    again = batch((0, 10, 1), (0, 10, 1), (1, 10, 1))
    sequences, states = step(again)
    assert (len(sequences), sequences.duplicates) == (2, 1)  # one entity's event is not the other's
    sequences, later = step(again, by_number(states))
    assert sequences.duplicates == 3
    assert len(cut(sequences, length=T, stride=1)) == 0
    assert later == {}


def test_a_late_event_takes_its_place_in_time():
    _, states = step(batch((0, 10, 1), (0, 30, 3)))
    sequences, states = step(batch((0, 20, 2)), by_number(states))
    assert sequences.times_ms.tolist() == [10, 20, 30]
    assert sequences.late == 0
    assert states[0].times_ms == (10, 20, 30)


def test_an_event_older_than_all_that_is_kept_is_scored_but_not_kept():
    _, states = step(batch(*((0, 100 + n, n) for n in range(20))))
    sequences, states = step(batch((0, 1, 99)), by_number(states))
    windows = cut(sequences, length=T, stride=2)
    assert sequences.late == 1
    assert 0 in windows.index
    assert 1 not in states[0].times_ms


def test_memory_is_bounded():
    states: dict[int, Remembered] = {}
    for start in range(0, 500, 100):
        _, states = step(batch(*((0, start + n, start + n) for n in range(100))), by_number(states))
    assert len(states[0].times_ms) == len(states[0].event_ids) == kept_rows(T)
    assert len(states[0].recent) == RECENT
    assert states[0].times_ms[-1] == 499


def test_rows_of_another_format_are_forgotten_but_duplicates_still_known():
    _, states = step(batch((0, 10, 1)))
    old = Remembered(states[0].rows + b"x", states[0].times_ms, states[0].event_ids, states[0].recent, version=7)
    sequences, states = step(batch((0, 10, 1), (0, 20, 2)), [old, None, None])
    assert sequences.times_ms.tolist() == [20]
    assert sequences.duplicates == 1
    assert states[0].version == 7


_events = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), min_size=1, max_size=60).map(
    lambda drawn: [(entity, time, number) for number, (entity, time) in enumerate(drawn)]
)


@given(_events, st.integers(1, 8), st.integers(8, 16))
@settings(max_examples=150, deadline=None)
def test_every_new_event_is_scored_soon_after_it(events, stride, length):
    sequences = merge(batch(*events), length=length)
    windows = cut(sequences, length=length, stride=stride)
    entity_of_row = np.repeat(np.arange(3), np.diff(sequences.offsets))
    assert sorted(sequences.event.tolist()) == list(range(len(events)))
    for row in range(len(sequences)):
        ends = windows.last[(windows.index == row).any(axis=1)]
        assert ends.size
        assert (ends - row).min() < stride
    for index, entity in zip(windows.index, windows.entity, strict=True):
        rows = index[index >= 0]
        assert (entity_of_row[rows] == entity).all()
        assert (np.diff(rows) == 1).all()
        assert (np.diff(sequences.times_ms[rows]) >= 0).all()
    newest = sequences.offsets[1:][np.diff(sequences.offsets) > 0] - 1
    assert set(newest.tolist()) <= set(windows.last.tolist())
    assert len(windows) <= len(events) / stride + 3


@given(_events, st.integers(1, 59))
@settings(max_examples=100, deadline=None)
def test_in_order_it_does_not_matter_how_events_are_batched(events, cut_at):
    events = sorted(events, key=lambda event: event[1])
    whole, whole_states = step(batch(*events))
    _, states = step(batch(*events[:cut_at]))
    rest, later = step(batch(*events[cut_at:]), by_number(states))
    states |= later
    assert {n: state.rows for n, state in states.items()} == {n: state.rows for n, state in whole_states.items()}
    assert {n: state.recent for n, state in states.items()} == {n: state.recent for n, state in whole_states.items()}
    # The last window of each entity is made of the same events.
    for entity in np.unique([event[0] for event in events[cut_at:]]):
        ends = [
            sequences.rows[
                max(sequences.offsets[entity], sequences.offsets[entity + 1] - T) : sequences.offsets[entity + 1]
            ].tolist()
            for sequences in (whole, rest)
        ]
        assert ends[0] == ends[1]


@given(_events, st.integers(1, 60), st.randoms())
@settings(max_examples=150, deadline=None)
def test_the_first_new_event_is_the_same_whatever_comes_behind_and_in_whatever_order(events, count, random):
    in_time = sorted(events, key=lambda event: (event[1], event[2]))
    delivered, behind = in_time[:count], in_time[count:]
    entities = np.unique([entity for entity, _, _ in delivered])

    def first_ids(drawn, remembered=()):
        given_events = batch(*drawn)
        sequences = merge(given_events, remembered, length=T)
        return given_events.ids[first_new(sequences, given_events, entities)].tolist()

    wanted = first_ids(delivered)
    with_more = [*delivered, *behind]
    random.shuffle(with_more)
    assert first_ids(with_more) == wanted
    _, states = step(batch(*behind))
    assert first_ids(delivered, by_number(states)) == wanted


@given(
    st.lists(st.tuples(st.just(0), st.integers(0, 30), st.integers(1, 40)), max_size=60), st.integers(0, 60), st.integers(1, T)
)
@settings(max_examples=150, deadline=None)
def test_alone_in_its_batch_an_entity_is_treated_as_among_others(events, cut_at, stride):
    def both(entities: int):
        _, states = step(batch(*events[:cut_at], entities=entities))
        before = by_number(states, entities)
        given_events = batch(*events[cut_at:], entities=entities)
        sequences, states = step(given_events, before)
        windows = cut(sequences, length=T, stride=stride)
        return sequences, windows, states

    (alone, its_windows, kept), (among, of_all, kept_of_all) = both(1), both(3)
    for name in ("rows", "times_ms", "event"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(among, name))
    assert (alone.remembered_ids, alone.duplicates, alone.late) == (among.remembered_ids, among.duplicates, among.late)
    np.testing.assert_array_equal(its_windows.index, of_all.index)
    np.testing.assert_array_equal(its_windows.entity, of_all.entity)
    assert kept == kept_of_all
