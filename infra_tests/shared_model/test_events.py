"""Entities and their keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_model.events import Entity, EntityKind

ACCOUNT = "123456789012"


@pytest.mark.parametrize("identifier", ["i-0123456789abcdef0", "h" * 255, "a/b/c", "ü" * 400, "h" * 938])
def test_a_key_says_which_entity_it_is(identifier: str):
    entity = Entity(EntityKind.HOST, identifier, ACCOUNT)
    assert entity.key == f"{ACCOUNT}/host/{identifier}"
    assert Entity.from_key(entity.key) == entity


@given(st.text(min_size=1, max_size=20), st.integers(200, 2000))
def test_a_key_has_at_most_960_bytes_and_is_one_of_its_own(text: str, times: int):
    entity, other = (Entity(EntityKind.SESSION, text * times + end, ACCOUNT) for end in "ab")
    assert len(entity.key.encode()) <= 960
    assert entity.key != other.key
    assert Entity.from_key(entity.key).key == entity.key
