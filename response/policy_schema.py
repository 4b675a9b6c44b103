"""The policy file's schema: the boundary where text becomes a validated :class:`~response.policy.Policy`."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, field_validator, model_validator

from response.actions import Mode
from response.hours import parse_hours
from response.policy import ActionPolicy, AtEnd, FourEyes, NeverTouch, Policy, Rule
from response.resources import (
    ARM_ID,
    FORMS,
    INSTANCE,
    OBJECT_ID,
    ROLE_OR_USER,
    SECURITY_GROUP,
    SIGN_IN_NAME,
    in_one_spelling,
)
from response.rules import PrincipalKind
from shared_model.events import EntityKind, Telemetry

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(value: object) -> object:
    """Read ``90s``, ``30m``, ``12h`` or ``7d``."""
    match = re.fullmatch(r"([1-9]\d{0,6})([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("give a duration such as 90s, 30m, 12h or 7d")
    return int(match[1]) * _UNITS[match[2]]


def _no_truth(value: object) -> object:
    """YAML reads yes, on and true alike, and Python counts them as 1."""
    if isinstance(value, bool):
        raise ValueError("give a number")
    return value


Count = Annotated[int, BeforeValidator(_no_truth)]
Probability = Annotated[float, BeforeValidator(_no_truth), Field(ge=0, le=1)]
Duration = Annotated[int, BeforeValidator(_seconds), Field(ge=60, le=90 * 86400)]
Technique = Annotated[str, Field(pattern=r"^T\d{4}(\.\d{3})?$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


def _lower(value: object) -> object:
    """Accounts and regions mean the same in any case."""
    return value.lower() if isinstance(value, str) else value


def _spelled(value: object) -> object:
    return in_one_spelling(value) if isinstance(value, str) else value


def _any_of(*forms: str) -> str:
    return rf"^({'|'.join(FORMS[form][0] for form in forms)})$"


_Spelled = BeforeValidator(_spelled)
#: User principal names of Entra are what plans about users carry beside the object id.
Principal = Annotated[str, _Spelled, Field(pattern=_any_of(ROLE_OR_USER, OBJECT_ID, SIGN_IN_NAME))]
SecurityGroup = Annotated[str, _Spelled, Field(pattern=_any_of(SECURITY_GROUP, ARM_ID))]
Instance = Annotated[str, _Spelled, Field(pattern=_any_of(INSTANCE, ARM_ID))]
AnyResource = Annotated[str, _Spelled, Field(pattern=_any_of(*FORMS))]
#: Kinds of principals by name, as patterns. Those without one are always protected, and may be listed so that a reader knows.
_KINDS = {
    "root": (),
    "service_linked": (),
    "identity_center": (),
    "breakwater": (),
    "users": ("arn:*:iam::*:user/*",),
    "landing_zone": tuple(
        f"arn:*:iam::*:role/{name}"
        for name in ("OrganizationAccountAccessRole", "AWSControlTowerExecution", "stacksets-exec-*", "*/stacksets-exec-*")
    ),
}
ProtectedKind = Literal["root", "service_linked", "identity_center", "breakwater", "users", "landing_zone"]


def _readable_hours(text: str) -> str:
    parse_hours(text)
    return text


#: Where each severity begins, as a probability: GuardDuty's bands, as the OCSF records have them.
_FROM = {"low": 0.0, "medium": 0.4, "high": 0.7, "critical": 0.9}
Severity = Literal["low", "medium", "high", "critical"]
Account = Annotated[str, BeforeValidator(_lower), Field(pattern=r"^(\d{12}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$")]
Region = Annotated[str, BeforeValidator(_lower), Field(pattern=r"^[a-z0-9-]{3,32}$")]
Window = Annotated[str, AfterValidator(_readable_hours)]


def _block(value: object) -> object:
    """Read an address or a block of them. Bits behind the prefix are a slip of the pen that would protect others."""
    try:
        return str(ip_network(value)) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"give an address or a block such as 203.0.113.0/24: {error}") from error


Block = Annotated[str, BeforeValidator(_block)]


def _narrow(block: str) -> str:
    """Refuse what half the internet is in: every verdict would have its second signal by it."""
    network = ip_network(block)
    if network.prefixlen < (8 if network.version == 4 else 19):
        raise ValueError(f"{block} is too much of the internet to say anything about an address: give narrower blocks")
    return block


def one_thing(pattern: str) -> str:
    """Refuse a pattern that names too much: every verdict would have its second signal by it.

    What leads to a name (account, path, domain) is everybody's: with a wildcard, the name itself has to tell the canary.
    """
    if "[" in pattern:
        raise ValueError("[…] stands for any letter of a set: write the canary's own name, with * or ? where it must be")
    if re.fullmatch(r"akia[a-z0-9*?]+", pattern):
        raise ValueError(f"access key ids are written in capitals: write {pattern.upper()}")
    # A bucket's ARN has lost its partition, which says nothing of the others either.
    exact = not re.search(r"[*?]", re.sub(r"^arn:[^:]*:", "", pattern))
    telling = pattern if exact else re.split(r"[/:]", pattern)[-1].partition("@")[0]
    if len(re.sub(r"[*?]", "", telling)) < 8 or re.search(r"\s", pattern):
        raise ValueError(
            "give an access key id, an ARN, an ARM id or a name that only the canary has; "
            "one with * or ? needs eight other characters behind its last / or :"
        )
    return pattern


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
    watch_list: list[Annotated[Block, AfterValidator(_narrow)]] = []
    canaries: list[Annotated[str, BeforeValidator(_spelled), AfterValidator(one_thing)]] = []


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

    version: Annotated[Literal[1], BeforeValidator(_no_truth)]
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
                    *(pattern for kind in self.never_touch.principal_kinds for pattern in _KINDS[kind]),
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
        min_probability=max(model.when.min_probability, _FROM[model.when.min_severity or "low"]),
        accounts=frozenset(model.when.accounts),
        tags=dict(model.when.tags),
        regions=frozenset(model.when.regions),
        hours=tuple(map(parse_hours, model.when.hours)),
        corroborate=frozenset(model.corroborate),
        alone=model.alone,
        mode=model.mode,
        time_to_live_s=model.time_to_live,
    )
