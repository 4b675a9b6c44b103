"""Orders and groups of columns: the same as the plain sorts they replace."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared_model.ordering import grouped, sorted_by_high_bits, stable_order

_few = st.lists(st.integers(0, 5), max_size=40)
_any = st.lists(st.integers(0, 2**64 - 1), max_size=40)


@given(st.one_of(_few, _any))
def test_equal_keys_keep_the_order_in_which_they_stand(keys):
    column = np.array(keys, np.uint64)
    expected = np.argsort(column, kind="stable").tolist()
    assert stable_order(column, max(keys, default=0) + 1).tolist() == expected  # packed where there is room
    assert stable_order(column, 2**64).tolist() == expected


@given(st.one_of(_few, _any))
def test_groups_are_numbered_in_the_order_of_their_keys(keys):
    column = np.array(keys, np.uint64)
    distinct, expected = np.unique(column, return_inverse=True)
    group, count = grouped(column, max(keys, default=0) + 1)
    assert (group.tolist(), count) == (expected.tolist(), len(distinct))


@given(_any)
def test_the_lowest_bits_do_not_count(keys):
    high, order = sorted_by_high_bits(np.array(keys, np.uint64), 8)
    assert high.tolist() == sorted(key >> 8 for key in keys)
    assert order.tolist() == sorted(range(len(keys)), key=lambda place: (keys[place] >> 8, place))
