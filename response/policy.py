"""The operator's policy: which verdicts lead to which actions, in which mode, for how long, and what is never touched.

These are the types that the core works with. Text becomes a :class:`Policy` only through :func:`parse_policy`, which
validates it with ``response/policy_file.py``; ``policy/default.yaml`` explains every key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from response.actions import Mode
from response.policy_text import Text, Unreadable, as_json, parse_json, parse_yaml
from response.rules import Rule
from shared_model.errors import BreakwaterError
from shared_model.events import EntityKind

__all__ = [
    "ActionPolicy",
    "AtEnd",
    "FourEyes",
    "KnownAction",
    "NeverTouch",
    "Policy",
    "PolicyError",
    "Rule",
    "Terms",
    "load_policy",
    "parse_policy",
    "parse_policy_yaml",
    "policy_json",
]


#: Reads the settings of one action. Raises ValueError with place and fix: ``ip_sets.0: give …``.
SettingsReader = Callable[[Mapping[str, Any]], object]


class PolicyError(BreakwaterError):
    """The policy cannot be used. Each line names the file, the line and the place in it, and what fits there."""


@dataclass(frozen=True, slots=True)
class KnownAction:
    """What a policy must fit, of an action that a cloud has.

    Attributes
    ----------
    handles : frozenset of EntityKind
    gives_back : str
        As :attr:`response.actions.Action.gives_back`.
    read_settings : SettingsReader or None
        None for an action that has no settings.
    carries : frozenset of str
        Forms of the ids that its plans carry (``response/resources.py``).
    """

    handles: frozenset[EntityKind]
    gives_back: str = ""
    read_settings: SettingsReader | None = None
    carries: frozenset[str] = frozenset()


class AtEnd(StrEnum):
    """What happens when the time to live of a containment is over."""

    ASK = "ask"  # tell a person, keep containing
    UNDO = "undo"  # restore, never before the plan's minimum lifetime; not where that gives anything back (Action.gives_back)


class FourEyes(StrEnum):
    """Who may answer a proposal."""

    NONE = "none"  # whoever may answer at all
    OTHER = "other"  # nobody whom the verdict is about
    TWO = "two"  # two different people, of whom each is attested, and neither is whom the verdict is about


@dataclass(frozen=True, slots=True)
class ActionPolicy:
    """What holds of every rule of one action.

    How far any of them may go, how long what it did lasts (both None: as the rule says), and at most, when it is extended;
    what is done then, and who answers how soon. ``settings`` are what only this action knows how to read: which IP sets,
    which function.
    """

    mode: Mode | None = None
    time_to_live_s: int | None = None
    at_end: AtEnd = AtEnd.ASK
    answer_within_s: int = 4 * 3600
    four_eyes: FourEyes = FourEyes.OTHER
    extend_to_s: int = 7 * 24 * 3600
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Terms:
    """How far a rule goes, and how long what it contains lasts: where rule and action both say, the more careful counts."""

    mode: Mode = Mode.OBSERVE
    time_to_live_s: int = 24 * 3600


#: The terms of a rule where neither it nor its action says any.
_UNSAID = Terms()


@dataclass(frozen=True, slots=True)
class NeverTouch:
    """What no action may change.

    Attributes
    ----------
    principals : tuple of str
        Patterns (``*`` and ``?``) of role and user ARNs, or of object ids; also of any other resource, such as Breakwater's own.
    tags : tuple of str
        A resource with this tag key is left alone, unless the tag's value is ``false``.
    security_groups, instances : tuple of str
        Ids, or patterns of them (ARM ids in lower case). An instance one of whose interfaces is in such a group is left alone.
    resources : tuple of str
        Patterns of any other resource, by its ARN or id, in one of the forms of ``response/resources.py``.
    addresses : tuple of str
        Blocks (``203.0.113.0/24``) whose addresses are never blocked.
    """

    principals: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy.

    Attributes
    ----------
    rules : tuple of Rule
        In order; for each action the first rule that matches decides, on its own terms (:meth:`terms`).
    actions : mapping of action name to ActionPolicy
    window_ms : int
        Two independent signals further apart than this do not corroborate each other.
    watch_list, canaries : tuple of str
        Blocks of addresses, and patterns of ids: a verdict whose own events show one has a second signal by it.
    fresh_ms : int
        A verdict that is older than this is told of, and changes nothing, whatever corroborates it.
    containments_per_hour : int
        Budget per account, of any sixty minutes. What comes beyond it is proposed instead, and asked about once.
    percent_at_once : int
        Of an account's instances, its roles, or whatever else actions count (``Plan.kind``), how many may be contained at the
        same time without a person's word, whichever actions contain them; 100 is no limit.
    never_touch : NeverTouch
    """

    rules: tuple[Rule, ...] = ()
    actions: Mapping[str, ActionPolicy] = field(default_factory=dict)
    window_ms: int = 3_600_000
    watch_list: tuple[str, ...] = ()
    canaries: tuple[str, ...] = ()
    fresh_ms: int = 3_600_000
    containments_per_hour: int = 5
    percent_at_once: int = 100
    never_touch: NeverTouch = field(default_factory=NeverTouch)

    def is_fresh(self, time_ms: int, now_ms: int) -> bool:
        """Say whether what was found at that time may still lead to a change.

        Who was behind an address or held a token long ago may be someone else now: a queue that stood still for a night, dead
        letters that are sent again and a replay of the lake are told of, and contain no strangers.
        """
        return now_ms - time_ms <= self.fresh_ms

    def of(self, action: str) -> ActionPolicy:
        """Return what holds of every rule of an action."""
        return self.actions.get(action, ActionPolicy())

    def terms(self, rule: Rule) -> Terms:
        """Return the terms of a rule: no further, and no longer, than it says itself and its action's entry says.

        What neither says is that of :class:`Terms`: observed.
        """
        return self._terms(rule.action, rule.mode, rule.time_to_live_s)

    def terms_under(self, actor: str, action: str) -> Terms:
        """Return the terms of the rule that the journal names (:attr:`Rule.actor`); of one that is gone, those of its action."""
        rule = next((each for each in self.rules if (each.actor, each.action) == (actor, action)), None)
        return self.terms(rule) if rule else self._terms(action, None, None)

    def _terms(self, action: str, mode: Mode | None, time_to_live_s: int | None) -> Terms:
        known, careful = self.of(action), [*Mode].index
        modes = [each for each in (mode, known.mode) if each is not None]
        times = [each for each in (time_to_live_s, known.time_to_live_s) if each is not None]
        return Terms(min(modes, key=careful, default=_UNSAID.mode), min(times, default=_UNSAID.time_to_live_s))

    def protecting(self, own: tuple[str, ...]) -> Policy:
        """Return the policy with Breakwater itself (role ARNs, object ids, ARM ids) on the never-touch list."""
        never = self.never_touch
        return replace(self, never_touch=replace(never, principals=(*never.principals, *own)))


def parse_policy(
    text: str | bytes,
    actions: Mapping[str, KnownAction] | None = None,
    *,
    name: str = "policy",
    warn: Callable[[str], None] | None = None,
) -> Policy:
    """Read a policy from JSON, as functions on AWS get it.

    Parameters
    ----------
    text : str or bytes
    actions : mapping of action to KnownAction, or None
        The actions of the cloud that it is for; None does not ask which there are.
    name : str
        Where it lies: errors name it, with the line.
    warn : callable or None
        For a function at start: told of what an older version took and what is safe all the same. None: that is refused too.

    Raises
    ------
    PolicyError
    """
    from response.policy_file import valid  # here, because pydantic costs a cold start

    return valid(_read(parse_json, text, name), actions, name, warn)


def parse_policy_yaml(
    text: str | bytes,
    actions: Mapping[str, KnownAction] | None = None,
    *,
    name: str = "policy",
    warn: Callable[[str], None] | None = None,
) -> Policy:
    """Read a policy from YAML, as functions on Azure get it, likewise. Raises PolicyError."""
    from response.policy_file import valid  # here, because pydantic and PyYAML cost a cold start

    return valid(_read(parse_yaml, text, name), actions, name, warn)


def load_policy(path: Path, actions: Mapping[str, KnownAction] | None = None) -> Policy:
    """Read a policy from the operator's YAML file. Raises PolicyError."""
    return parse_policy_yaml(path.read_bytes(), actions, name=str(path))


def policy_json(path: Path, actions: Mapping[str, KnownAction] | None = None) -> str:
    """Turn the operator's YAML file into the validated JSON that functions read, line by line. Raises PolicyError."""
    text = path.read_bytes()
    parse_policy_yaml(text, actions, name=str(path))
    return as_json(parse_yaml(text))


def _read(parse: Callable[[str | bytes], Text], text: str | bytes, name: str) -> Text:
    try:
        return parse(text)
    except Unreadable as error:
        raise PolicyError(f"{name}:{error.line}: {error}") from error
