"""What a scenario file may say: one model for each kind of telemetry, attack and benign. docs/scenarios.md is the guide.

Validation stands here alone; behind it the interpreters take every value as it is.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from training.scenarios.amounts import Amount, parse_amount
from training.scenarios.catalogue import VERDICTS_DRAWN, HabitsDrawn
from training.scenarios.classes import AUDIT_CLASSES, NETWORK_CLASSES
from training.scenarios.family import BENIGN, Split
from training.scenarios.published import ALERTS, FINDINGS, STRATUS, TECHNIQUES
from training.scenarios.script import of_azure, operations

Cloud = Literal["aws", "azure"]


def _script(written: object) -> object:
    """One text of all calls, whether they were written in one line or as a list."""
    return " ".join(written) if isinstance(written, list) and all(isinstance(each, str) for each in written) else written


def _valid_script(script: str) -> str:
    operations(script)  # raises with the word that is no call
    return script


AmountField = Annotated[Amount, BeforeValidator(parse_amount)]
Script = Annotated[str, BeforeValidator(_script), Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Imitated(_Strict):
    """What of the real world it is like: Stratus Red Team techniques, types of GuardDuty and Defender for Cloud, incidents."""

    stratus: tuple[str, ...] = ()
    guardduty: tuple[str, ...] = ()
    defender: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()

    @field_validator("stratus")
    @classmethod
    def _known_stratus(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _all_of(names, STRATUS, "technique of Stratus Red Team")

    @field_validator("guardduty")
    @classmethod
    def _known_findings(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _all_of(names, FINDINGS, "finding type of GuardDuty")

    @field_validator("defender")
    @classmethod
    def _known_alerts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _all_of(names, ALERTS, "alert type of Defender for Cloud")


class Step(_Strict):
    """One link of the chain: a technique under a tactic."""

    tactic: str
    technique: str

    @model_validator(mode="after")
    def _real(self) -> Step:
        known = TECHNIQUES.get(self.technique)
        if known is None:
            raise ValueError(f"{self.technique!r} is no technique of published.yaml: is the id right? If it is new there, add it")
        if self.tactic not in known.tactics:
            raise ValueError(f"{self.technique} ({known.name}) belongs to {', '.join(known.tactics)}, not to {self.tactic!r}")
        return self


class Stage(Step):
    """A link of a chain that is acted out by API calls.

    ``innocent`` stages are what honest principals do all day too: their calls are labelled benign. ``draw`` takes one to three
    sensitive calls of that class from the catalogue instead of ``calls``. ``after`` is how long the intruder waits before.
    """

    calls: Script = "-"
    draw: str = ""
    innocent: bool = False
    verdict: str = ""
    after: AmountField | None = None

    @model_validator(mode="after")
    def _acts(self) -> Stage:
        if (self.calls == "-") == (not self.draw):
            raise ValueError("a stage has either calls or draw")
        if self.calls != "-":
            _valid_script(self.calls)
        if self.draw and self.draw not in VERDICTS_DRAWN:
            raise ValueError(f"nothing can be drawn for {self.draw!r}: use one of {', '.join(VERDICTS_DRAWN)}")
        if self.verdict and self.verdict not in AUDIT_CLASSES:
            raise ValueError(f"{self.verdict!r} is no class of the audit detector: {', '.join(AUDIT_CLASSES)}")
        return self


class Scenario(_Strict):
    """What every file has.

    Attributes
    ----------
    about : str
        What happens, in one line.
    split : Split
        Who may see it. A scenario belongs to exactly one.
    verdict : str
        Class that the detector must name, ``benign`` where it must be silent.
    chain : tuple of Step
        Techniques in order; empty for benign ones.
    imitates : Imitated
    looks_like : str
        For a benign scenario that resembles an attack (a hard negative): which.
    """

    about: str = Field(min_length=8)
    split: Split
    verdict: str = BENIGN
    imitates: Imitated = Imitated()
    looks_like: str = ""

    @model_validator(mode="after")
    def _like_something(self) -> Self:
        if self.verdict != BENIGN and self.imitates == Imitated():
            raise ValueError(
                "an attack says what it imitates: a technique of Stratus, a type of GuardDuty or Defender, an incident"
            )
        return self

    @property
    def steps(self) -> tuple[Step, ...]:
        return ()


class ApiAttack(Scenario):
    """An intruder in the history of one principal, acted out by API calls."""

    telemetry: Literal["api_calls"]
    cloud: Cloud
    verdict: str
    chain: Annotated[tuple[Stage, ...], Field(min_length=1)]
    owner: Literal["user", "role", "instance", "root", ""] = ""
    stolen: bool = False
    mfa: bool | None = None
    pace: AmountField = Amount(1.6487212707001282, spread=1.3)

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.chain

    @model_validator(mode="after")
    def _consistent(self) -> ApiAttack:
        if self.verdict not in AUDIT_CLASSES or self.verdict == BENIGN:
            raise ValueError(f"verdict {self.verdict!r} is no attack class: {', '.join(name for name in AUDIT_CLASSES if name)}")
        if all(stage.innocent for stage in self.chain):
            raise ValueError("every stage is innocent: nothing is left to detect")
        _same_cloud(self.cloud, [stage.calls for stage in self.chain if not stage.draw])
        return self


class ApiBenign(Scenario):
    """A kind of honest principal: habits that it repeats, and rarities, which it shows now and then."""

    telemetry: Literal["api_calls"]
    cloud: Cloud
    principal: Literal["user", "role", "instance", "root"] = "role"
    agents: Annotated[tuple[Literal["cli", "sdk", "console", "terraform"], ...], Field(min_length=1)] = ("sdk",)
    mfa: bool = False
    habits: tuple[Script, ...] = ()
    rarities: tuple[Script, ...] = ()
    rare: Annotated[float, Field(ge=0, le=1)] = 0.08
    pause: AmountField = Amount(2.0, 2.0)
    draw: HabitsDrawn | None = None

    @model_validator(mode="after")
    def _acts(self) -> ApiBenign:
        if bool(self.habits) == bool(self.draw):
            raise ValueError("a benign principal has either habits or draw")
        for script in (*self.habits, *self.rarities):
            _valid_script(script)
        _same_cloud(self.cloud, [*self.habits, *self.rarities])
        return self


Outcomes = dict[Literal["answered", "silent", "refused", "rejected"], float]


class Stream(_Strict):
    """Connections of one kind. See docs/scenarios.md for every word."""

    who: Literal["victim", "front", "host", "hosts", "stranger", "strangers"]
    to: Literal[
        "outside", "anywhere", "front", "victim", "neighbours", "neighbour", "host", "subnet", "resolver", "multicast"
    ]  # fmt: skip
    copies: AmountField = Amount(1.0, 1.0)
    pool: AmountField = Amount(1.0, 1.0)
    protocol: Literal["tcp", "udp", "icmp", "web"] = "tcp"
    port: AmountField | None = None
    ports: AmountField | None = None
    source_port: Literal["", "fixed"] | int = ""
    count: AmountField | None = None
    lasting: AmountField | None = None
    starts: AmountField = Amount(0.0, 1200.0)
    every: AmountField = Amount(1.0, 1.0)
    rhythm: Annotated[str, Field(pattern=r"^(steady|random|jitter \d(\.\d+)?|spread \d(\.\d+)?)$")] = "random"
    rounds: AmountField = Amount(1.0, 1.0)
    up: AmountField = Amount(0.0, 0.0)
    down: AmountField = Amount(0.0, 0.0)
    lasts: AmountField = Amount(0.03, 0.03)
    rate: AmountField | None = None
    packets: AmountField = Amount(1.0, 1.0)
    varies: Annotated[float, Field(ge=0, le=3)] = 0.0
    outcome: Outcomes | None = None
    outcomes: Outcomes = {"answered": 1.0}
    tries: AmountField | None = None
    lookup: Annotated[float, Field(ge=0, le=1)] = 0.0
    chance: Annotated[float, Field(ge=0, le=1)] = 1.0
    attack: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Stream:
        if self.count is None and self.lasting is None and self.to != "neighbours":
            raise ValueError("say how many connections there are (count) or for how long (lasting)")
        if self.port is not None and self.ports is not None:
            raise ValueError("port is drawn once, ports anew for each connection: write one of them")
        return self


class FlowAttack(Scenario):
    """An attack as a network sees it. What the victim goes on doing meanwhile is told beside it."""

    telemetry: Literal["flow_logs"]
    verdict: str
    chain: Annotated[tuple[Step, ...], Field(min_length=1)]
    traffic: Annotated[tuple[Stream, ...], Field(min_length=1)]
    background: AmountField = Amount(choices=(Amount(), Amount(0.1, 0.1), Amount(0.5, 0.5), Amount(2.0, 2.0)))

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.chain

    @model_validator(mode="after")
    def _consistent(self) -> FlowAttack:
        if self.verdict not in NETWORK_CLASSES or self.verdict == BENIGN:
            raise ValueError(f"verdict {self.verdict!r} is no attack class of the network detector: {', '.join(NETWORK_CLASSES)}")
        if not any(stream.attack for stream in self.traffic):
            raise ValueError("no stream says attack: true")
        return self


class FlowBenign(Scenario):
    """What a network does all day."""

    telemetry: Literal["flow_logs"]
    traffic: Annotated[tuple[Stream, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _calm(self) -> FlowBenign:
        if any(stream.attack for stream in self.traffic):
            raise ValueError("a benign scenario has a stream that says attack: true")
        return self


Words = Annotated[tuple[str, ...], BeforeValidator(lambda written: (written,) if isinstance(written, str) else written)]


class Act(_Strict):
    """Something on a host that leaves lines in its log. Exactly one of the first seven says what.

    Texts may hold ``{name}`` of the scenario's ``names`` and ``{address}``, ``{port}``, ``{number}``, drawn anew for each line.
    """

    ordinary: AmountField | None = None
    sign_in: Words = ()
    sign_out: Words = ()
    guess: Words = ()
    sudo: Words = ()
    say: Words = ()
    background: Literal["cron", "services", ""] = ""

    program: str = ""
    numbered: bool = True
    source: str = ""
    method: Words = ("publickey",)
    commands: Words = ()
    known: Annotated[float, Field(ge=0, le=1)] = 0.0
    times: AmountField = Amount(1.0, 1.0)
    pause: AmountField = Amount(0.0, 0.0)
    chance: Annotated[float, Field(ge=0, le=1)] = 1.0
    then: tuple[Act, ...] = ()
    attack: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> Act:
        kinds = ("ordinary", "sign_in", "sign_out", "guess", "sudo", "say", "background")
        said = [kind for kind in kinds if getattr(self, kind) not in (None, (), "")]
        if len(said) != 1 and not (not said and self.then):
            raise ValueError(f"an act is exactly one of {', '.join(kinds)}, or a group with then; this one says {said or 'none'}")
        if self.say and not self.program:
            raise ValueError("a line that is said needs its program")
        if self.sudo and not self.commands:
            raise ValueError("sudo needs commands")
        return self


class HostAttack(Scenario):
    """An attack as one host's system log tells it, among the host's ordinary lines."""

    telemetry: Literal["system_logs"]
    verdict: str
    chain: Annotated[tuple[Step, ...], Field(min_length=1)]
    names: dict[str, Words] = {}
    acts: Annotated[tuple[Act, ...], Field(min_length=1)]

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.chain

    @model_validator(mode="after")
    def _consistent(self) -> HostAttack:
        if self.verdict not in AUDIT_CLASSES or self.verdict == BENIGN:
            raise ValueError(f"verdict {self.verdict!r} is no attack class of the audit detector: {', '.join(AUDIT_CLASSES)}")
        return self


class HostBenign(Scenario):
    """What one host's system log holds all day."""

    telemetry: Literal["system_logs"]
    names: dict[str, Words] = {}
    acts: Annotated[tuple[Act, ...], Field(min_length=1)]


def _all_of(names: tuple[str, ...], known: frozenset[str], what: str) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is no {what} of published.yaml: is it spelled right? If it is new there, add it")
    return names


def _same_cloud(cloud: str, scripts: list[str]) -> None:
    for script in scripts:
        if of_azure(script) != (cloud == "azure"):
            raise ValueError(f"cloud is {cloud}, but not every call is one of it: {script[:80]!r}")
