"""The operator's policy file, read in one way by all: the operator's command, the infrastructure, and every function at start.

Each mistake has its line and what fits there.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from response.policy import AtEnd, KnownAction, Policy, PolicyError
from response.policy_schema import PolicyModel
from response.policy_text import Place, Text
from response.policy_values import one_thing
from response.resources import FORMS, form_of, in_one_spelling
from shared_model.verdicts import DETECTORS

#: What fits where the schema can only give a pattern.
_FITS = {
    "techniques": "give a MITRE ATT&CK id such as T1110 or T1110.001",
    "principals": "give the ARN of a role or user, an object id of Entra, or a sign-in name; * and ? stand for any",
    "security_groups": "give sg-… on AWS, an ARM id (/subscriptions/…) on Azure",
    "instances": "give i-… on AWS, an ARM id (/subscriptions/…) on Azure",
    "resources": "give one of " + ", ".join(example for _, example in FORMS.values()),
    "name": "begin with a small letter; then small letters, digits, - and _, 64 at most",
    "action": "give the name of an action, such as quarantine_instance",
    "actions": "give the name of an action, such as quarantine_instance",
}


#: The same, by the kind of value that is needed.
_NEEDED = {
    "model_type": "give keys and values below it, or take it out",
    "dict_type": "give keys and values below it, or take it out",
    "list_type": "give a list, or take it out",
    "string_type": "give a text; what YAML takes for something else, such as a number, stands in quotes",
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

    def in_file(self, name: str) -> str:
        """Return it in one line, as an editor finds it."""
        return ": ".join(part for part in (f"{name}:{self.line}", self.place, self.what) if part)


def read(
    text: Text, actions: Mapping[str, KnownAction] | None, warn: Callable[[Mistake], None] | None = None
) -> Policy | list[Mistake]:
    """Return the policy, or every mistake, in the order of their lines.

    Parameters
    ----------
    text : Text
    actions : mapping of action to KnownAction, or None
        The actions of the cloud that the policy is for. None: what actions there are is not asked.
    warn : callable or None
        Told of what an older version took and what is safe all the same, which is no mistake then: a function that was updated
        goes on with the policy of yesterday. None: these are mistakes too.
    """
    if warn is not None:
        text = _without_wide_canaries(_with_share_at_once(text, warn), warn)
    mistakes = [
        Mistake(line, _dotted(at), f"stands in line {first} already, which would not count: join the two")
        for at, line, first in text.repeated
    ]
    try:
        policy = PolicyModel.model_validate(text.document).to_policy()
    except ValidationError as error:
        places = ((_keys_and_positions(each["loc"]), _what(each)) for each in error.errors())
        return sorted([*mistakes, *_placed(text, places)])
    if actions is not None:
        mistakes += _placed(text, _against(policy, actions))
        safe = [*_placed(text, (*_ends_by_a_person(policy, actions), *_without_effect(text, actions), *_never_fits(policy)))]
        if warn is None:
            mistakes += safe
        elif not mistakes:
            for mistake in safe:
                warn(mistake)
    return sorted(mistakes) or policy


def _with_share_at_once(text: Text, warn: Callable[[Mistake], None]) -> Text:
    """Return the text with the budget's share under its name of today; one that stands there under both keeps today's."""
    document = text.document
    budget = document.get("budget") if isinstance(document, dict) else None
    if not isinstance(budget, dict) or "percent_a_day" not in budget:
        return text
    place = ("budget", "percent_a_day")
    warn(Mistake(text.line(place), _dotted(place), "is taken as percent_at_once, which counts what is contained now: write that"))
    budget = {"percent_at_once": budget["percent_a_day"]} | {key: budget[key] for key in budget if key != "percent_a_day"}
    return replace(text, document={**document, "budget": budget})


def _without_wide_canaries(text: Text, warn: Callable[[Mistake], None]) -> Text:
    """Return the text without canaries that may be everybody: fewer verdicts have a second signal then, never more."""
    document = text.document
    lists = document.get("corroboration") if isinstance(document, dict) else None
    canaries = lists.get("canaries") if isinstance(lists, dict) else None
    if not isinstance(lists, dict) or not isinstance(canaries, list) or not all(isinstance(each, str) for each in canaries):
        return text
    narrow = []
    for number, pattern in enumerate(canaries):
        place = ("corroboration", "canaries", number)
        try:
            one_thing(in_one_spelling(pattern))
            narrow.append(pattern)
        except ValueError as error:
            warn(Mistake(text.line(place), _dotted(place), f"counts for nothing: {error}"))
    return replace(text, document={**document, "corroboration": {**lists, "canaries": narrow}})


def _placed(text: Text, places: Iterable[tuple[Place, str]]) -> Iterator[Mistake]:
    return (Mistake(text.line(place), _dotted(place), what) for place, what in places)


def valid(text: Text, actions: Mapping[str, KnownAction] | None, name: str, warn: Callable[[str], None] | None = None) -> Policy:
    """Return the policy. Raises PolicyError, a line for each mistake: ``NAME:LINE: place: what fits there``."""
    found = read(text, actions, None if warn is None else lambda mistake: warn(mistake.in_file(name)))
    if isinstance(found, Policy):
        return found
    raise PolicyError("\n".join(mistake.in_file(name) for mistake in found))


def _against(policy: Policy, actions: Mapping[str, KnownAction]) -> Iterator[tuple[Place, str]]:
    """What does not fit the actions that this cloud has, rule by rule and action by action."""
    unknown = f"there are {', '.join(sorted(actions))}"
    for number, rule in enumerate(policy.rules):
        known = actions.get(rule.action)
        if known is None:
            yield ("rules", number, "action"), f"there is no action {rule.action!r}; {unknown}"
        elif rule.target not in known.handles:
            kinds = ", ".join(sorted(known.handles))
            yield ("rules", number, "target"), f"{rule.action} acts on {kinds}, not on {rule.target}"
    for name, action in policy.actions.items():
        known = actions.get(name)
        if known is None:
            yield ("actions", name), f"there is no action {name!r}; {unknown}"
            continue
        if known.read_settings is None:
            if action.settings:
                yield ("actions", name, "settings"), f"{name} has none: take them out"
            continue
        try:
            known.read_settings(action.settings)
        except ValueError as error:
            where, _, what = str(error).partition(": ")
            parts = tuple(int(each) if each.isdecimal() else each for each in where.split(".")) if what else ()
            yield ("actions", name, "settings", *parts), what or where


def _ends_by_a_person(policy: Policy, actions: Mapping[str, KnownAction]) -> Iterator[tuple[Place, str]]:
    """Ends by themselves of what gives something back: a person is asked whatever the policy says."""
    for name, action in policy.actions.items():
        if action.at_end is AtEnd.UNDO and name in actions and (gives_back := actions[name].gives_back):
            yield ("actions", name, "at_end"), f"undo gives back {gives_back}, and only a person may do that: give ask"


def _without_effect(text: Text, actions: Mapping[str, KnownAction]) -> Iterator[tuple[Place, str]]:
    """Patterns of what no action of this cloud changes or rests on: they look like protection, and protect nothing."""
    carried = {form for action in actions.values() for form in action.carries}
    never = (text.document or {}).get("never_touch") or {}
    for key in ("principals", "instances", "security_groups", "resources") if carried else ():
        for number, pattern in enumerate(never.get(key) or ()):
            form = form_of(in_one_spelling(pattern))
            if form not in carried:
                yield (
                    ("never_touch", key, number),
                    f"no action here touches what {pattern!r} names ({form}): it would protect nothing, take it out",
                )


def _never_fits(policy: Policy) -> Iterator[tuple[Place, str]]:
    """Conditions that no verdict meets: the rule reads as if it were armed, and never decides."""
    for number, rule in enumerate(policy.rules):
        for name in sorted(rule.detectors - {*DETECTORS}):
            near = difflib.get_close_matches(name, DETECTORS, n=1)
            fits = f"did you mean {near[0]}?" if near else f"there are {', '.join(DETECTORS)}"
            yield ("rules", number, "when", "detectors"), f"there is no detector {name!r}: {fits}"
        if len(rule.corroborate) == 1 and rule.corroborate == rule.telemetry:
            what = f"the rule is about {min(rule.telemetry)}, and a second signal is one of another telemetry: there never is one"
            yield ("rules", number, "corroborate"), what


def _what(error: Mapping[str, Any]) -> str:
    place: Place = error["loc"]
    if error["type"] == "missing":
        return "is missing: add it"
    if error["type"] == "extra_forbidden":
        keys = _keys_beside(place)
        near = difflib.get_close_matches(str(place[-1]), keys, n=1)
        return f"there is no such key: did you mean {near[0]}?" if near else f"there is no such key: here stand {', '.join(keys)}"
    if needed := _NEEDED.get(error["type"]):
        return f"{needed} (it is {error['input']!r})" if place else "a policy is keys and values, the first of them version: 1"
    said = f"{error['msg'].removeprefix('Value error, ')} (it is {error['input']!r})" if place else error["msg"]
    if error["type"] == "string_pattern_mismatch":
        fits = next((_FITS[part] for part in reversed([*map(str, place)]) if part in _FITS), "")
        return f"{error['input']!r} does not fit: {fits}" if fits else said
    return said


def _keys_beside(place: Place) -> list[str]:
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


def _keys_and_positions(place: Place) -> Place:
    """A place without pydantic's word for a key that does not fit: the key itself stands before it."""
    return place[:-1] if place and place[-1] == "[key]" else place


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))
