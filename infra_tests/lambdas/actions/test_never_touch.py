"""How long a never-touch list may be: as IAM counts it, on one inline and ten managed policies of each role."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.actions.catalogue import UNDO_GROUP
from lambdas.actions.never_touch import INLINE, MANAGED, MANAGED_A_ROLE, Denial, changes_of, denials, laid_out, objections
from lambdas.registry import Group
from response.policy import NeverTouch

GROUPS = [group for group in Group if group is not UNDO_GROUP]
ID = "i-{:017x}".format


def length(policy: tuple[Denial, ...]) -> int:
    document = {"Version": "2012-10-17", "Statement": [each.statement() for each in policy]}
    return len("".join(json.dumps(document, separators=(",", ":")).split()))


def denied(policies: tuple[tuple[Denial, ...], ...]) -> Counter[tuple[str, str]]:
    return Counter(
        (entry, permission) for policy in policies for each in policy for entry, _ in each.entries for permission in each.actions
    )


def longest_list(entry: str) -> int:
    """How many ids of this form fit."""
    fits, too_many = 0, 5_000
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        every = NeverTouch(resources=tuple(entry.format(number) for number in range(middle)))
        fits, too_many = (middle, too_many) if not objections(every) else (fits, middle)
    return fits


@given(
    tags=st.lists(st.text("abc:-_ ", min_size=1, max_size=128), unique=True, max_size=40),
    machines=st.integers(0, 900),
    names=st.lists(st.text("abcdef*?", min_size=1, max_size=400), unique=True, max_size=40),
)
def test_whatever_the_list_each_entry_is_denied_once_in_a_policy_that_iam_takes_or_said_to_be_left(
    tags: list[str], machines: int, names: list[str]
) -> None:
    never = NeverTouch(
        principals=tuple(f"arn:*:iam::*:role/{name}" for name in names),
        tags=tuple(tags),
        instances=tuple(map(ID, range(machines))),
        resources=tuple(f"arn:*:s3:::{name.replace('_', '-')}" for name in names),
    )
    for group in GROUPS:
        every = [*denials(never, changes_of(group))]
        made = laid_out(every)
        assert length(made.inline) <= INLINE
        assert len(made.managed) <= MANAGED_A_ROLE
        assert all(length(policy) <= MANAGED for policy in made.managed)
        assert denied((made.inline, *made.managed, made.left)) == denied((tuple(every),))


@pytest.mark.parametrize("entry", ["i-{:017x}", "sg-{:08x}", "arn:*:iam::*:role/team-{:04}", "arn:*:s3:::payroll-{:04}"])
def test_one_entry_more_than_fits_is_refused_by_its_name_with_what_to_do(entry: str) -> None:
    most = longest_list(entry)
    assert 1_000 < most < 3_000
    at_the_edge = NeverTouch(resources=tuple(entry.format(number) for number in range(most)))
    beyond = NeverTouch(resources=(*at_the_edge.resources, entry.format(most)))
    assert objections(at_the_edge) == []
    (said, *_) = objections(beyond)
    assert "no room for 1 of what" in said
    assert entry.format(most) in said
    assert "by one pattern" in said


def test_an_entry_longer_than_a_policy_is_named_and_those_after_it_still_have_room() -> None:
    endless = f"arn:*:iam::*:role/{'a' * MANAGED}"
    never = NeverTouch(principals=(endless, "arn:*:iam::*:role/break-glass"))
    (made,) = [laid_out(denials(never, changes_of(Group.IDENTITY)))]
    assert [entry for each in made.left for entry, _ in each.entries] == [endless]
    assert "role/break-glass" in json.dumps([each.statement() for policy in made.managed for each in policy])
    assert endless[:40] in objections(never)[0]


def test_a_list_that_is_far_too_long_names_some_and_counts_the_rest() -> None:
    said = objections(NeverTouch(tags=tuple(f"keep-{number}" for number in range(300))))
    assert len(said) == len(GROUPS)
    assert all(" more. " in each and "tag keep-" in each for each in said)


@pytest.mark.parametrize("key", ["не-трогать", "触れないで", "nie-dotykać"])
def test_a_tag_that_iam_cannot_write_is_refused_before_anything_is_deployed(key: str) -> None:
    """IAM would refuse the whole policy, in the middle of a deployment."""
    (said,) = objections(NeverTouch(tags=("break-glass", key, "nicht-berühren")))
    assert repr(key) in said
    assert "one more tag, in Latin letters" in said


def test_a_tag_in_latin_1_is_denied_as_it_is_written() -> None:
    never = NeverTouch(tags=("nicht-berühren",))
    assert objections(never) == []
    (denial,) = denials(never, changes_of(Group.NETWORK))
    assert denial.conditions["Null"] == {"aws:ResourceTag/nicht-berühren": "false"}
