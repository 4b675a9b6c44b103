"""The text of a policy: where each part of it stands, in YAML and in the JSON that is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from response.policy import PolicyError, parse_policy, policy_json
from response.policy_text import Unreadable, as_json, parse_json, parse_yaml

POLICIES = sorted((Path(__file__).parents[2] / "policy").glob("*.yaml"))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(_VALUES)
def test_json_reads_as_it_was_written_and_every_part_of_it_has_a_line(value: Any) -> None:
    said = parse_json(json.dumps(value, indent=1))
    assert said.document == value
    assert said.repeated == []
    for at, line in said.lines.items():
        inner, row = value, json.dumps(value, indent=1).splitlines()[line - 1]
        for part in at:
            inner = inner[part] if isinstance(inner, dict) else inner[int(part)]
        if not isinstance(inner, dict | list) or not inner:
            assert json.dumps(inner) in row


@given(_VALUES)
def test_what_is_made_of_yaml_says_the_same_in_the_same_lines(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    said, again = parse_yaml(text), parse_json(as_json(parse_yaml(text)))
    assert again.document == said.document
    assert {at: line for at, line in again.lines.items() if at} == {at: line for at, line in said.lines.items() if at}


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.name)
def test_the_shipped_policies_keep_their_lines(file: Path) -> None:
    text = policy_json(file)
    rows = text.splitlines()
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("  - name: "):
            assert f'"name":"{line.removeprefix("  - name: ")}"' in rows[number - 1]


def test_a_mistake_in_what_functions_read_is_named_by_the_line_of_the_file() -> None:
    text = policy_json(POLICIES[0]).replace('"min_probability":0.5', '"min_probability":7', 1)
    first = POLICIES[0].read_text(encoding="utf-8").splitlines()
    line = next(number for number, row in enumerate(first, start=1) if "min_probability: 0.5" in row)
    with pytest.raises(PolicyError, match=rf"^/breakwater/policy:{line}: rules\.0\.when\.min_probability: Input should be"):
        parse_policy(text, name="/breakwater/policy")


def test_a_key_that_stands_twice_in_json_is_a_mistake() -> None:
    with pytest.raises(PolicyError, match=r"^policy:3: version: stands in line 2 already"):
        parse_policy('{\n"version": 1,\n"version": 1}')


@pytest.mark.parametrize(
    ("parse", "text", "line"),
    [
        (parse_json, '{"a": 1,\n\n"b": }', 3),
        (parse_json, b"\xff", 1),
        (parse_json, "[" * 100_000, 1),
        (parse_yaml, "a: 1\n b: 2", 2),
        (parse_yaml, b"\xff\xfe\xff", 1),
        (parse_yaml, "&a [*a]", 1),
    ],
)
def test_what_cannot_be_read_says_where(parse: Any, text: str | bytes, line: int) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text)
    assert caught.value.line == line


@pytest.mark.parametrize("value", ["2026-99-99", "!!int x", "!!float x", "!!bool x", "!!timestamp x", "1" * 5000])
def test_a_value_that_is_not_what_it_looks_like_is_a_mistake_in_its_line(value: str) -> None:
    with pytest.raises(Unreadable, match=r"^not YAML: .* is no (timestamp|int|float|bool)$") as caught:
        parse_yaml(f"version: 1\nbudget: {value}\n")
    assert caught.value.line == 2


def test_a_short_text_that_says_more_than_fits_into_memory_is_no_policy() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(Unreadable, match="more than 100,000 parts"):
        parse_yaml("\n".join(lines))
