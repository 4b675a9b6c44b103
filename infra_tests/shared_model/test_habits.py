"""The sketch of what a principal has done before: what is new of a call, whatever the delivery, and how large the sketch gets."""

from __future__ import annotations

from math import log10

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_model.habits import FIRSTS, KINDS, KNOWN, LARGEST, Judged, Words, judge, merged, network_of

DAY_MS = 86_400_000
START_MS = 1_790_000_000_000
OPERATION, EFFECT = (1 << FIRSTS.index(name) for name in ("operation", "effect"))


def word(kind: str, value: int) -> int:
    return list(KINDS).index(kind) << 29 | value


def call(operation: int, *, effect: int = 0, network: int = 1) -> Words:
    return (
        word("lasting" if effect else "operation", operation),
        word("dealing", operation),
        word("effect", effect) if effect else 0,
        word("network", network),
        word("program", 1),
    )


def judged(sketch: bytes, calls: list[Words], seconds: list[int]) -> tuple[list[Judged], bytes]:
    return judge(sketch, calls, [START_MS + 1000 * second for second in seconds])


def novel(sketch: bytes, calls: list[Words], seconds: list[int]) -> list[int]:
    return [one.novel for one in judged(sketch, calls, seconds)[0]]


def known(*calls: Words, days: float = 30) -> bytes:
    """Sketch of a principal that made these calls that long ago."""
    return judge(b"", calls, [START_MS - int(days * DAY_MS)] * len(calls))[1]


def test_of_a_principal_of_which_nothing_is_known_nothing_is_new_in_its_first_second():
    assert novel(b"", [call(7), call(8, effect=3), call(7)], [0, 0, 5]) == [0, 0, KNOWN]


def test_what_it_did_before_is_not_new_and_what_it_never_did_is():
    sketch = known(call(7), call(8))
    found = novel(sketch, [call(7), call(9, effect=3)], [0, 1])
    assert found[0] == KNOWN
    assert found[1] & (KNOWN | OPERATION | EFFECT) == KNOWN | OPERATION | EFFECT


@pytest.mark.parametrize("name", FIRSTS)
def test_each_kind_is_told_apart(name: str):
    sketch, place = known(call(7, effect=2)), FIRSTS.index(name)
    own = call(7, effect=2)
    first, second, third, fourth, fifth = (each ^ 0x55 if place == number else each for number, each in enumerate(own))
    assert novel(sketch, [(first, second, third, fourth, fifth)], [0]) == [KNOWN | 1 << place]


def test_the_second_call_of_a_kind_is_no_first_and_two_of_one_second_both_are():
    sketch = known(call(1))
    assert [bits & OPERATION for bits in novel(sketch, [call(9), call(9), call(9)], [3, 3, 4])] == [OPERATION, OPERATION, 0]


def test_the_number_of_days_of_operations_and_of_hours_since_the_last_first_grow():
    sketch = known(call(1), call(2), call(3, effect=4), days=9)
    (one,), sketch = judged(sketch, [call(9)], [0])
    (later,), _ = judged(sketch, [call(9)], [9 * 3600])
    assert one.days == 32  # 32 · log10(1 + 9)
    assert one.operations == int(32 * log10(1 + 3))
    assert later.operations == int(32 * log10(1 + 4))
    assert later.since_operation == 32  # since the first call 9
    assert later.since_lasting == int(32 * log10(1 + 9 * 24 + 9))


calls = st.lists(
    st.tuples(st.integers(1, 12), st.integers(0, 3), st.integers(1, 4), st.integers(0, 400_000)), min_size=1, max_size=30
)  # fmt: skip


def made(told: list[tuple[int, int, int, int]]) -> list[tuple[Words, int]]:
    return [(call(operation, effect=effect, network=network), second) for operation, effect, network, second in told]


def judged_pairs(sketch: bytes, pairs: list[tuple[Words, int]]) -> tuple[list[Judged], bytes]:
    return judged(sketch, [words for words, _ in pairs], [second for _, second in pairs])


@given(calls, st.randoms(use_true_random=False))
def test_a_delivery_in_another_order_twice_or_scored_again_after_it_was_stored_is_judged_alike(told, rng):
    pairs, sketch = made(told), known(call(1), call(2, effect=1))
    found, after = judged_pairs(sketch, pairs)
    order = list(range(len(pairs)))
    rng.shuffle(order)
    assert judged_pairs(sketch, [pairs[place] for place in order]) == ([found[place] for place in order], after)
    assert judged_pairs(sketch, pairs * 2) == (found * 2, after)
    assert judged_pairs(after, pairs) == (found, after)


@given(calls, st.integers(0, 400_000))
def test_calls_in_two_batches_are_judged_as_in_one(told, cut):
    pairs = sorted(made(told), key=lambda pair: pair[1])
    whole, after = judged_pairs(b"", pairs)
    early, late = [pair for pair in pairs if pair[1] < cut], [pair for pair in pairs if pair[1] >= cut]
    if early and late:
        first, sketch = judged_pairs(b"", early)
        second, same = judged_pairs(sketch, late)
        assert (first + second, same) == (whole, after)


@given(calls, calls)
def test_sketches_of_two_sessions_together_are_the_sketch_of_both(one, other):
    apart = [judged_pairs(b"", made(told))[1] for told in (one, other)]
    assert merged(apart) == merged(apart[::-1]) == merged([b"", *apart, apart[0]]) == judged_pairs(b"", made(one + other))[1]
    assert merged([]) == merged([b""]) == b""


def test_the_sketch_is_bounded_and_what_was_seen_last_stays():
    sketch = known(call(1), days=200)
    for turn in range(40):
        many = [call(100 * turn + number, effect=1 + number % 14, network=100 * turn + number) for number in range(100)]
        sketch = judged(sketch, [*many, call(1)], [86_400 * turn] * 101)[1]
    assert len(sketch) <= LARGEST < 2_000
    found = novel(sketch, [call(1), call(3_905, effect=1 + 5 % 14)], [86_400 * 41] * 2)
    assert [bits & OPERATION for bits in found] == [0, 0]


@pytest.mark.parametrize("sketch", [b"\x01", b"\x09" * 65, b"\x01" + bytes(5)])
def test_a_sketch_of_another_format_counts_as_none(sketch: bytes):
    assert novel(sketch, [call(7), call(8)], [0, 0]) == [0, 0]


def test_an_address_stands_for_its_network_and_a_service_for_itself():
    assert network_of("198.51.100.7") == network_of("198.51.3.9") != network_of("198.52.100.7")
    assert network_of("2001:db8:1::1") == network_of("2001:db8:2::2") != network_of("2001:db9::1")
    assert network_of("cloudformation.amazonaws.com") == "cloudformation.amazonaws.com"
