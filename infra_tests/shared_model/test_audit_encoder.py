"""Rows and dense features of audit records."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from shared_model.encoders.audit import (
    FEATURES,
    ROW,
    ROW_BYTES,
    _Row,
    as_now,
    encode_api_calls,
    encode_system_events,
    expand,
    tell_firsts,
)
from shared_model.events import ApiCall, Entity, EntityKind, SystemEvent
from shared_model.log_templates import CATALOGUE

ACCOUNT = "123456789012"
CALL = ApiCall(
    event_id="e-1",
    time_ms=1_772_442_000_000,
    provider="aws",
    account=ACCOUNT,
    region="eu-central-1",
    service="secretsmanager",
    operation="GetSecretValue",
    principal=Entity(EntityKind.PRINCIPAL, f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT),
    session=None,
    caller_kind="IAMUser",
    succeeded=True,
    error_code="",
    read_only=True,
    source_address="198.51.100.7",
    user_agent="aws-cli/2.15",
    mfa=None,
    access_key_id="AKIAEXAMPLE",
    session_issued_ms=None,
    targets=("prod/db",),
)
EVENT = SystemEvent(
    event_id="s-1",
    time_ms=1_772_442_000_000,
    provider="aws",
    account=ACCOUNT,
    host=Entity(EntityKind.HOST, "web-1", ACCOUNT),
    process="sshd",
    severity=None,
    template="Failed password for <*> from <*> port <*> ssh2",
    verb="authenticate",
    object="user",
    outcome="failure",
    user="root",
    source_address="198.51.100.7",
    message="",
)


def features(*calls: ApiCall, length: int | None = None) -> list[dict[str, float]]:
    """Each event's features that are not zero."""
    return named(encode_api_calls(calls), length)


def named(rows: NDArray[np.uint8], length: int | None = None) -> list[dict[str, float]]:
    window = np.zeros((1, length or len(rows), ROW_BYTES), np.uint8)
    window[0, window.shape[1] - len(rows) :] = rows
    (dense,) = expand(window)
    return [{name: float(value) for name, value in zip(FEATURES, event, strict=True) if value} for event in dense]


def later(call: ApiCall, seconds: float, **changes: object) -> ApiCall:
    return replace(call, time_ms=call.time_ms + int(seconds * 1000), **changes)


def template_buckets(*templates: str) -> list[frozenset[str]]:
    rows = encode_system_events([replace(EVENT, template=template) for template in templates])
    return [frozenset(name for name in one if name.startswith("template_")) for one in named(rows)]


def test_a_log_record_names_its_template_and_a_call_none():
    shown = template_buckets("Accepted password for <*>", "Accepted password for <*>", "Failed password for <*>", "pam <*>")
    assert [len(names) for names in shown] == [2] * 4
    assert shown[0] == shown[1]
    assert len(set(shown)) == 3
    assert not [name for name in features(CALL)[0] if name.startswith("template_")]


def test_few_templates_of_the_catalogue_are_taken_for_another():
    templates = json.loads(CATALOGUE.read_text())["templates"]
    assert len(set(template_buckets(*templates))) >= 0.98 * len(templates)


def test_a_call_sets_exactly_the_words_it_says():
    (only,) = features(CALL)
    assert set(only) == {
        "present",
        "read_only",
        "service=secret",
        "verb=get",
        "object=secret",
        "effect=reads_secret",
        "outcome=success",
        "caller=user",
        "origin=public",
        "agent=cli",
        "distinct_operations",
        "distinct_sources",
        "distinct_targets",
    }


def test_a_failure_says_which_and_counts():
    good, bad = features(CALL, later(CALL, 5, succeeded=False, error_code="AccessDenied", mfa=False))
    assert "failure_share" not in good
    assert {"outcome=failure", "error=denied", "mfa=without"} <= set(bad)
    assert bad["failure_share"] == 0.5


def test_a_system_event_speaks_the_same_words():
    (only,) = named(encode_system_events([EVENT]))
    assert {
        "system_event",
        "service=remote_access",
        "verb=authenticate",
        "object=user",
        "outcome=failure",
        "error=authentication",
        "caller=root",
        "origin=public",
    } <= set(only)


def test_relations_are_to_the_window():
    first, second, third = features(
        CALL,
        later(CALL, 9, source_address="203.0.113.9", targets=("prod/api",)),
        later(CALL, 18, operation="ListSecrets", targets=()),
    )
    assert not [name for name in first if name.startswith(("same_", "new_"))]
    assert {name for name in second if name.startswith(("same_", "new_"))} == {"same_operation", "new_source", "new_target"}
    assert {name for name in third if name.startswith(("same_", "new_"))} == {"new_operation"}
    assert third["distinct_sources"] == pytest.approx(np.log1p(2))
    assert third["distinct_targets"] == pytest.approx(np.log1p(2))


def test_what_is_new_of_a_principal_is_said():
    made = later(CALL, 9, service="iam", operation="CreateAccessKey", read_only=False, user_agent="Boto3/1.34", grant="admin")
    _, second, third = features(CALL, made, later(made, 9))
    assert {"effect=makes_credential", "grant=admin", "new_service", "new_agent", "new_effect"} <= set(second)
    assert not {"new_service", "new_agent", "new_effect"} & set(third)


def test_the_gap_is_log_seconds_and_the_first_takes_its_neighbours():
    first, second, third = features(CALL, later(CALL, 9), later(CALL, 9.0))
    assert (first["gap"], second["gap"]) == (pytest.approx(np.log(10)), pytest.approx(np.log(10)))
    assert "gap_known" not in first
    assert second["gap_known"] == 1
    assert "gap" not in third
    assert third["gap_known"] == 1


def test_padding_is_zero_and_changes_nothing():
    calls = (CALL, later(CALL, 3), later(CALL, 60, operation="ListSecrets"))
    padded = features(*calls, length=16)
    assert padded[:13] == [{}] * 13
    assert padded[13:] == features(*calls)


def test_names_that_give_labels_away_change_no_feature():
    plain = features(CALL, later(CALL, 3))
    masked = replace(
        CALL,
        user_agent="aws-cli/9 md/stratus-red-team_1",
        principal=Entity(EntityKind.PRINCIPAL, f"arn:aws:iam::{ACCOUNT}:user/stratus-red-team-x", ACCOUNT),
        access_key_id="AKIAOTHER",
        account="210987654321",
        region="us-east-1",
        event_id="e-2",
        targets=("stratus-red-team-retrieve-secret-1",),
        source_address="203.0.113.200",
    )
    assert features(masked, later(masked, 3)) == plain


def test_a_record_that_does_not_state_read_only_is_like_one_that_does():
    assert features(replace(CALL, read_only=None)) == features(CALL)


def test_no_feature_carries_a_name():
    assert len(set(FEATURES)) == len(FEATURES)
    assert not [name for name in FEATURES if re.search(r"stratus|arn:|user_agent|account_id", name)]


def test_the_layout_of_rows_is_fixed():
    """Rows lie in entity memory: a change of the layout needs a new detector version."""
    assert ROW_BYTES == 37
    assert ROW.fields is not None
    assert {name: entry[1] for name, entry in ROW.fields.items()} == {
        "time_ms": 0,
        "operation": 8,
        "source": 12,
        "target": 16,
        "kind": 20,
        "service": 21,
        "verb": 22,
        "object": 23,
        "outcome": 24,
        "error": 25,
        "caller": 26,
        "origin": 27,
        "agent": 28,
        "read_only": 29,
        "mfa": 30,
        "grant": 31,
        "novel": 32,
        "days": 33,
        "operations": 34,
        "since_operation": 35,
        "since_lasting": 36,
    }


def test_rows_that_were_written_before_they_told_of_habits_are_as_they_were_and_tell_nothing_of_them():
    rows = encode_api_calls([CALL, later(CALL, 5, operation="ListSecrets")])
    former = rows[:, :32].tobytes()
    assert as_now(former, 2) == rows.tobytes()
    assert as_now(rows.tobytes(), 2) == rows.tobytes()
    assert as_now(b"x" * 31, 1) == b"x" * 31


def test_what_is_a_first_of_the_principal_is_a_feature():
    calls = [CALL, later(CALL, 86_400), later(CALL, 90_000, service="iam", operation="CreateAccessKey")]
    rows = encode_api_calls(calls)
    (sketch,) = tell_firsts(rows, calls, np.zeros(3, np.intp), [b""])
    first, known, never = named(rows)
    assert not [name for name in first if name.startswith(("first_", "past_"))]
    assert known["past_known"] == 1
    assert not [name for name in known if name.startswith("first_")]
    assert known["past_days"] == pytest.approx(np.log10(2), abs=1 / 32)
    assert {name for name in never if name.startswith("first_")} == {"first_operation", "first_dealing", "first_effect"}
    assert never["past_since_operation"] == pytest.approx(np.log10(26), abs=1 / 32)
    assert sketch


def test_nothing_in_gives_nothing_out():
    assert encode_api_calls([]).shape == (0, ROW_BYTES)
    assert expand(np.zeros((0, 16, ROW_BYTES), np.uint8)).shape == (0, 16, len(FEATURES))


@settings(max_examples=60)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(0, 3), st.integers(1, 5), st.just(ROW_BYTES))))
def test_any_bytes_in_memory_give_finite_features(windows: NDArray[np.uint8]):
    dense = expand(windows)
    assert dense.dtype == np.float32
    assert np.isfinite(dense).all()


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**7),
            st.sampled_from(["GetObject", "ListUsers", "X"]),
            st.sampled_from(["", "10.0.0.1", "198.51.100.7"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=10,
    )
)
def test_windows_do_not_depend_on_their_neighbours_in_the_batch(steps: list[tuple[int, str, str, bool]]):
    calls = [
        later(CALL, seconds, operation=operation, source_address=source, succeeded=good)
        for seconds, operation, source, good in sorted(steps)
    ]
    rows = encode_api_calls(calls)
    alone = expand(rows[None])
    beside = expand(np.stack([rows[::-1], rows]))
    np.testing.assert_array_equal(alone[0], beside[1])
    blocks = [
        [i for i, name in enumerate(FEATURES) if name.startswith(f"{block}=")]
        for block in ("service", "verb", "object", "outcome")
    ]
    for columns in blocks:
        assert (alone[..., columns].sum(axis=-1) == 1).all()


def test_every_feature_is_described():
    page = (Path(__file__).parents[2] / "docs" / "features-audit.md").read_text()
    names = {re.sub(r"=.*", "=…", name) for name in FEATURES}
    assert not [name for name in names if f"`{name}`" not in page]


def test_a_row_is_put_together_in_the_order_in_which_it_is_stored():
    assert _Row._fields == ROW.names
