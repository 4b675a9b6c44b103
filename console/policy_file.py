"""Mistakes in the operator's policy file, each with its line and what fits there. Asks no cloud."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml
from pydantic import ValidationError

from response.policy import NO_SETTINGS, FourEyes, Policy, PolicyError, SettingsReader
from response.policy_schema import PolicyModel
from shared_model.events import EntityKind

_Place = Sequence[str | int]
#: What fits where the schema can only give a pattern.
_FITS = {
    "techniques": "give a MITRE ATT&CK id such as T1110 or T1110.001",
    "principals": "give the ARN of a role or user, an object id of Entra, or a sign-in name; * and ? stand for any",
    "security_groups": "give sg-… on AWS, an ARM id (/subscriptions/…) on Azure",
    "instances": "give i-… on AWS, an ARM id (/subscriptions/…) on Azure",
    "name": "begin with a small letter; then small letters, digits, - and _, 64 at most",
    "action": "give the name of an action, such as quarantine_instance",
    "actions": "give the name of an action, such as quarantine_instance",
}


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake.

    Attributes
    ----------
    line : int
        From 1.
    place : str
        Keys and positions (from 0) that lead to it, e.g. ``rules.0.when.min_probability``.
    what : str
        What is wrong and what fits there.
    """

    line: int
    place: str
    what: str


def read(
    text: bytes,
    targets: Mapping[str, frozenset[EntityKind]],
    *,
    settings: Mapping[str, SettingsReader] = NO_SETTINGS,
    attests_answers: bool = True,
) -> tuple[Policy | None, list[Mistake]]:
    """Return the policy, None where it cannot be used, and every mistake.

    Parameters
    ----------
    text : bytes
        The file.
    targets : mapping of action to kinds of entities
        The actions of the cloud that the policy is for, and what each can act on.
    settings : mapping of action to SettingsReader
        Of the actions that have settings.
    attests_answers : bool
        Whether that cloud attests who answers a proposal: where it does not, two people could never be told apart.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return None, [_unreadable(error)]
    mistakes = [*_repeated(root, ())]
    policy = None
    try:
        policy = PolicyModel.model_validate(document).to_policy()
    except ValidationError as error:
        mistakes += (_mistake(root, _keys_and_positions(each["loc"]), _what(each)) for each in error.errors())
    else:
        mistakes += _against(policy, targets, settings, root)
        mistakes += () if attests_answers else _unattested(policy, root)
    return (None if mistakes else policy), sorted(mistakes)


def _unreadable(error: yaml.YAMLError | UnicodeDecodeError) -> Mistake:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return Mistake(mark.line + 1 if mark else 1, "", f"not YAML: {said}")


def _repeated(node: yaml.Node | None, place: tuple[str | int, ...]) -> Iterator[Mistake]:
    """Keys that stand twice in one mapping: the schema never sees the first."""
    if isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            yield from _repeated(child, (*place, number))
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, child in node.value:
            here, line = (*place, str(key.value)), key.start_mark.line + 1
            if key.value in first:
                said = f"stands in line {first[key.value]} already, which would not count: join the two"
                yield Mistake(line, _dotted(here), said)
            first.setdefault(key.value, line)
            yield from _repeated(child, here)


def _against(
    policy: Policy,
    targets: Mapping[str, frozenset[EntityKind]],
    settings: Mapping[str, SettingsReader],
    root: yaml.Node | None,
) -> Iterator[Mistake]:
    """What does not fit the actions that this cloud has, rule by rule and action by action."""
    parts: list[tuple[_Place, Policy]] = [
        (("rules", number, "action"), replace(policy, rules=(rule,), actions={})) for number, rule in enumerate(policy.rules)
    ]
    parts += [(("actions", name), replace(policy, rules=(), actions={name: each})) for name, each in policy.actions.items()]
    for place, part in parts:
        try:
            part.check_against(targets, settings)
        except PolicyError as error:
            where, _, what = str(error).partition(": ")
            if place[0] == "actions" and where.startswith(f"{_dotted(place)}."):  # it knows better where
                yield _mistake(root, tuple(int(each) if each.isdecimal() else each for each in where.split(".")), what)
            else:
                yield _mistake(root, place, str(error))


def _unattested(policy: Policy, root: yaml.Node | None) -> Iterator[Mistake]:
    """Actions that nobody could ever approve, where nothing attests who answers."""
    for name, action in policy.actions.items():
        if action.four_eyes is FourEyes.TWO:
            said = "two needs a cloud that attests who answers, and this one's queue does not: nobody could approve; give other"
            yield _mistake(root, ("actions", name, "four_eyes"), said)


def _what(error: Mapping[str, Any]) -> str:
    place: _Place = error["loc"]
    if error["type"] == "missing":
        return "is missing: add it"
    if error["type"] == "extra_forbidden":
        keys = _keys_beside(place)
        near = difflib.get_close_matches(str(place[-1]), keys, n=1)
        return f"there is no such key: did you mean {near[0]}?" if near else f"there is no such key: here stand {', '.join(keys)}"
    said = f"{error['msg'].removeprefix('Value error, ')} (it is {error['input']!r})" if place else error["msg"]
    if error["type"] == "string_pattern_mismatch":
        fits = next((_FITS[part] for part in reversed([*map(str, place)]) if part in _FITS), "")
        return f"{error['input']!r} does not fit: {fits}" if fits else said
    return said


def _keys_beside(place: _Place) -> list[str]:
    """Keys that the schema knows in the mapping that a place is in."""
    schema = PolicyModel.model_json_schema()
    here: Mapping[str, Any] = schema
    for part in place[:-1]:
        if isinstance(part, int):
            here = here["items"]
        elif "properties" in here:
            here = here["properties"][part]
        else:  # a mapping whose keys are the operator's names: one schema for all its values
            (here,) = here["patternProperties"].values()
        if reference := here.get("$ref"):
            here = schema["$defs"][reference.rpartition("/")[2]]
    return [*here["properties"]]


def _keys_and_positions(place: _Place) -> _Place:
    """A place without pydantic's word for a key that does not fit: the key itself stands before it."""
    return place[:-1] if place and place[-1] == "[key]" else place


def _mistake(root: yaml.Node | None, place: _Place, what: str) -> Mistake:
    return Mistake(_line(root, place), _dotted(place), what)


def _line(node: yaml.Node | None, place: _Place) -> int:
    """Line of the last part of a place that stands in the file."""
    line = node.start_mark.line + 1 if node else 1
    for part in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            key, node = found[-1]
            line = key.start_mark.line + 1
        else:
            break
    return line


def _dotted(place: _Place) -> str:
    return ".".join(map(str, place))
