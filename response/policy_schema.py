"""The policy file's schema: the boundary where text becomes a validated :class:`~response.policy.Policy`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, field_validator, model_validator

from response.actions import Mode
from response.hours import parse_hours
from response.policy import ActionPolicy, AtEnd, FourEyes, NeverTouch, Policy, Rule
from response.policy_values import (
    PATTERNS_OF_KIND,
    PROBABILITY_FROM,
    Account,
    AnyResource,
    Block,
    Canary,
    Count,
    Duration,
    Instance,
    Name,
    Principal,
    Probability,
    ProtectedKind,
    Region,
    SecurityGroup,
    Severity,
    Technique,
    Version,
    WatchedBlock,
    Window,
)
from response.rules import PrincipalKind
from shared_model.events import EntityKind, Telemetry


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WhenModel(_Strict):
    """Conditions of a rule; all that are given must hold."""

    detectors: list[str] = []
    techniques: list[Technique] = []
    telemetry: list[Telemetry] = []
    entities: list[EntityKind] = []
    principals: list[PrincipalKind] = []
    min_probability: Probability = 0.0
    min_severity: Severity | None = None
    accounts: list[Account] = []
    tags: dict[Annotated[str, Field(min_length=1, max_length=512)], str] = {}
    regions: list[Region] = []
    hours: list[Window] = []

    @field_validator("telemetry")
    @classmethod
    def _is_drawn_from_records(cls, telemetry: list[Telemetry]) -> list[Telemetry]:
        if outside := {Telemetry.WATCH_LIST, Telemetry.CANARY} & set(telemetry):
            raise ValueError(f"no verdict is drawn from {min(outside)}, it can only corroborate one: take it out")
        return telemetry


class RuleModel(_Strict):
    """One rule."""

    name: Name
    action: Name
    target: EntityKind
    when: WhenModel = WhenModel()
    corroborate: list[Telemetry] = []
    alone: StrictBool = False
    mode: Mode | None = Field(
        default=None,
        description="How far this rule goes: observe, approve or enforce. Where its action's entry gives a mode too, the more "
        "careful of the two counts; left out, that of the entry; given by neither, observe.",
    )
    time_to_live: Duration | None = Field(
        default=None,
        description="How long what this rule contains lasts (90s, 30m, 12h, 7d). Where its action's entry gives one too, the "
        "shorter of the two counts; left out, that of the entry; given by neither, 24h. What cannot be undone safely before "
        "(a session that was revoked) lasts until it can.",
    )

    @model_validator(mode="after")
    def _alone_needs_no_other(self) -> RuleModel:
        if self.alone and self.corroborate:
            raise ValueError("alone: true needs no second signal, corroborate names one: take out one of the two")
        return self

    @model_validator(mode="after")
    def _principals_are_targets(self) -> RuleModel:
        if self.when.principals and self.target is not EntityKind.PRINCIPAL:
            raise ValueError(f"when.principals says which principals to act on, and the target is {self.target}: take it out")
        return self


class ActionModel(_Strict):
    """What holds of every rule of one action."""

    mode: Mode | None = Field(
        default=None, description="The furthest that any rule of this action goes, and the mode of a rule that gives none."
    )
    time_to_live: Duration | None = Field(
        default=None,
        description="The longest that what a rule of this action contains lasts, unless it is extended (extend_to), and the time "
        "to live of a rule that gives none.",
    )
    at_end: AtEnd = AtEnd.ASK
    answer_within: Duration = 4 * 3600
    four_eyes: FourEyes = FourEyes.OTHER
    extend_to: Duration = 7 * 24 * 3600
    #: Read by the action (``response/policy_file.py``).
    settings: dict[Name, Any] = {}


class CorroborationModel(_Strict):
    """How near two independent signals must be."""

    window: Duration = 3600
    watch_list: list[WatchedBlock] = []
    canaries: list[Canary] = []


class FreshnessModel(_Strict):
    """How old the newest signal may be for anything to be changed."""

    limit: Duration = 3600


class BudgetModel(_Strict):
    """How much may be contained at most."""

    containments_per_hour: Count = Field(default=5, ge=0, le=1000)
    percent_at_once: Count = Field(default=100, ge=1, le=100)

    @model_validator(mode="before")
    @classmethod
    def _has_no_day(cls, given: Any) -> Any:
        if isinstance(given, dict) and "percent_a_day" in given:
            raise ValueError("percent_a_day began anew each day: write percent_at_once, which counts what is contained now")
        return given


class NeverTouchModel(_Strict):
    """What is never changed."""

    principals: list[Principal] = []
    principal_kinds: list[ProtectedKind] = []
    tags: list[Annotated[str, Field(min_length=1, max_length=128)]] = []
    security_groups: list[SecurityGroup] = []
    instances: list[Instance] = []
    addresses: list[Block] = []
    resources: list[AnyResource] = []


class PolicyModel(_Strict):
    """The whole file."""

    version: Version
    rules: list[RuleModel] = []
    actions: dict[Name, ActionModel] = {}
    corroboration: CorroborationModel = CorroborationModel()
    freshness: FreshnessModel = FreshnessModel()
    budget: BudgetModel = BudgetModel()
    never_touch: NeverTouchModel = NeverTouchModel()

    @model_validator(mode="after")
    def _names_are_unique(self) -> PolicyModel:
        names = [rule.name for rule in self.rules]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rules share the name {', '.join(repeated)}: the journal tells them apart by name")
        return self

    def to_policy(self) -> Policy:
        """Return the core's own type."""
        return Policy(
            rules=tuple(_rule(rule) for rule in self.rules),
            actions={
                name: ActionPolicy(
                    action.mode,
                    action.time_to_live,
                    action.at_end,
                    action.answer_within,
                    action.four_eyes,
                    action.extend_to,
                    action.settings,
                )
                for name, action in self.actions.items()
            },
            window_ms=self.corroboration.window * 1000,
            watch_list=tuple(self.corroboration.watch_list),
            canaries=tuple(self.corroboration.canaries),
            fresh_ms=self.freshness.limit * 1000,
            containments_per_hour=self.budget.containments_per_hour,
            percent_at_once=self.budget.percent_at_once,
            never_touch=NeverTouch(
                principals=(
                    *self.never_touch.principals,
                    *(pattern for kind in self.never_touch.principal_kinds for pattern in PATTERNS_OF_KIND[kind]),
                ),
                tags=tuple(self.never_touch.tags),
                security_groups=tuple(self.never_touch.security_groups),
                instances=tuple(self.never_touch.instances),
                addresses=tuple(self.never_touch.addresses),
                resources=tuple(self.never_touch.resources),
            ),
        )


def _rule(model: RuleModel) -> Rule:
    return Rule(
        name=model.name,
        action=model.action,
        target=model.target,
        detectors=frozenset(model.when.detectors),
        techniques=tuple(model.when.techniques),
        telemetry=frozenset(model.when.telemetry),
        entities=frozenset(model.when.entities),
        principals=frozenset(model.when.principals),
        min_probability=max(model.when.min_probability, PROBABILITY_FROM[model.when.min_severity or "low"]),
        accounts=frozenset(model.when.accounts),
        tags=dict(model.when.tags),
        regions=frozenset(model.when.regions),
        hours=tuple(map(parse_hours, model.when.hours)),
        corroborate=frozenset(model.corroborate),
        alone=model.alone,
        mode=model.mode,
        time_to_live_s=model.time_to_live,
    )
