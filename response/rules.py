"""A rule of the policy: which verdicts lead to one action on one kind of entity, and what must corroborate them.

A rule's conditions come in two kinds: what the verdict says, and what only its resource (tags, region) or the clock says. The
second kind is asked when the verdict is decided; what was begun under a rule is finished under it, whatever the clock says then.
A rule also says how far it goes (its mode) and how long what it contains lasts: ``Policy.terms`` has what holds of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from response.actions import Mode, Plan
from response.hours import Hours
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict


class PrincipalKind(StrEnum):
    """What a principal of AWS is: some actions fit the one and not the other."""

    USER = "user"
    ROLE = "role"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which verdicts lead to one action on one kind of entity. An empty condition matches everything.

    Attributes
    ----------
    name, action : str
    target : EntityKind
        Acts on the first entity of this kind among the verdict's entity, its related ones and what was opened.
    detectors : frozenset of str
    techniques : tuple of str
        MITRE ids; ``T1110`` also matches ``T1110.001``.
    telemetry : frozenset of Telemetry
    entities : frozenset of EntityKind
        Kinds that the verdict itself must be about.
    principals : frozenset of PrincipalKind
        A principal to act on must be one of these. Only an ARN says; an object id of Azure does not, and does not match.
    min_probability : float
    accounts : frozenset of str
        AWS accounts or Azure subscriptions of the target.
    tags : mapping of str to str
        Tags that the resource must carry, all of them: key (in any case) to a pattern of the value.
    regions : frozenset of str
        Where the resource must lie. A resource of which that is not known does not match.
    hours : tuple of Hours
        The decision must fall within one of them.
    corroborate : frozenset of Telemetry
        The second signal must be drawn from one of these; empty: from any but the verdict's own.
    alone : bool
        The operator has said that one signal is enough.
    mode : Mode or None
    time_to_live_s : int or None
        None where the rule leaves it to its action's entry.
    """

    name: str
    action: str
    target: EntityKind
    detectors: frozenset[str] = frozenset()
    techniques: tuple[str, ...] = ()
    telemetry: frozenset[Telemetry] = frozenset()
    entities: frozenset[EntityKind] = frozenset()
    principals: frozenset[PrincipalKind] = frozenset()
    min_probability: float = 0.0
    accounts: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)
    regions: frozenset[str] = frozenset()
    hours: tuple[Hours, ...] = ()
    corroborate: frozenset[Telemetry] = frozenset()
    alone: bool = False
    mode: Mode | None = None
    time_to_live_s: int | None = None

    @property
    def actor(self) -> str:
        """Who the journal says decided."""
        return f"policy:{self.name}"

    @property
    def looks(self) -> bool:
        """Whether the verdict alone does not say that the rule applies."""
        return bool(self.tags or self.regions or self.hours)

    def matches(self, verdict: Verdict) -> bool:
        """Say whether every condition on the verdict holds."""
        return next(self.misses(verdict), None) is None

    def misses(self, verdict: Verdict) -> Iterator[str]:
        """Yield each condition on the verdict that does not hold, in words."""
        target = self.pick(verdict)
        if target is None:
            kinds = f" ({_one_of(self.principals)})" if self.principals else ""
            yield f"it names no {self.target}{kinds} to act on"
        if verdict.probability < self.min_probability:
            yield f"its probability {verdict.probability:.2f} is below {self.min_probability:.2f}"
        if self.detectors and verdict.detector not in self.detectors:
            yield f"its detector {verdict.detector} is not {_one_of(self.detectors)}"
        if self.telemetry and verdict.telemetry not in self.telemetry:
            yield f"its telemetry {verdict.telemetry} is not {_one_of(self.telemetry)}"
        if self.entities and verdict.entity.kind not in self.entities:
            yield f"it is about {verdict.entity.kind}, not {_one_of(self.entities)}"
        if self.techniques and not any(_is_technique(verdict.technique, wanted) for wanted in self.techniques):
            yield f"its technique {verdict.technique or '(unknown)'} is not {_one_of(self.techniques)}"
        if self.accounts and target is not None and target.account not in self.accounts:
            yield f"its account {target.account} is not {_one_of(self.accounts)}"

    def leaves_nothing_to(self, later: Rule) -> bool:
        """Say whether it matches whatever a later rule of the policy matches, so that the later one never decides."""
        if self.looks or (self.action, self.target) != (later.action, later.target):
            return False
        if self.accounts and self.principals != later.principals:  # the account of another target
            return False
        conditions = (
            (self.principals, later.principals),
            (self.detectors, later.detectors),
            (self.telemetry, later.telemetry),
            (self.entities, later.entities),
            (self.accounts, later.accounts),
        )
        # Empty matches everything.
        wider = all(not mine or (theirs and theirs <= mine) for mine, theirs in conditions)
        within = [any(_is_technique(each, wanted) for wanted in self.techniques) for each in later.techniques]
        return wider and self.min_probability <= later.min_probability and (not self.techniques or (any(within) and all(within)))

    def pick(self, verdict: Verdict) -> Entity | None:
        """Return the entity to act on, None where the verdict names none of that kind."""
        named = (verdict.entity, *verdict.related, *verdict.opened)
        return next((entity for entity in named if self._may_act_on(entity)), None)

    def fits(self, plan: Plan, now_ms: int) -> bool:
        """Say whether what only the resource and the clock say holds too."""
        return next(self.misfits(plan, now_ms), None) is None

    def misfits(self, plan: Plan | None, now_ms: int) -> Iterator[str]:
        """Yield each condition on the resource and the clock that does not hold. Without a plan, the clock alone is asked."""
        if self.hours and not any(hours.hold(now_ms) for hours in self.hours):
            yield f"now is not within {_one_of(map(str, self.hours))}"
        if plan is None:
            return
        if self.regions and plan.region not in self.regions:
            yield f"its region {plan.region or '(unknown)'} is not {_one_of(self.regions)}"
        carried = {key.casefold(): value for key, value in (plan.tags or {}).items()}
        for key, pattern in self.tags.items():
            value = carried.get(key.casefold())
            if value is None or not fnmatchcase(value, pattern):
                yield f"its tag {key} is {'absent' if value is None else value}, not {pattern}"

    def _may_act_on(self, entity: Entity) -> bool:
        return entity.kind is self.target and (not self.principals or _principal_kind(entity.id) in self.principals)

    def takes(self, telemetry: Telemetry) -> bool:
        """Say whether a second signal from that telemetry counts for this rule."""
        return not self.corroborate or telemetry in self.corroborate


def _principal_kind(identifier: str) -> PrincipalKind | None:
    """Return what an IAM ARN says the principal is, None where it is another kind or no such ARN."""
    resource = identifier.split(":", 5)[-1] if identifier.startswith("arn:") else ""
    return next((kind for kind in PrincipalKind if resource.startswith(f"{kind}/")), None)


def _one_of(wanted: Iterable[str]) -> str:
    return " or ".join(sorted(map(str, wanted)))


def _is_technique(technique: str, wanted: str) -> bool:
    return technique == wanted or technique.startswith(f"{wanted}.")
