"""Reads the scenario files: ``attacks/*.yaml`` and ``benign/*.yaml``. What is wrong with one is said with its file and line.

A file's name says what it tells: ``audit-…`` API calls, ``network-…`` flows, ``system-…`` a host's log; the family of
``audit-trail-stopped.yaml`` is ``audit/trail-stopped``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from shared_model.events import Telemetry
from training.scenarios.family import Family, Split
from training.scenarios.held_out import HELD_OUT_OPERATIONS
from training.scenarios.schema import ApiAttack, ApiBenign, FlowAttack, FlowBenign, HostAttack, HostBenign, Scenario
from training.scenarios.script import operations

FOLDER = Path(__file__).parent
_MODELS: dict[tuple[str, str], type[Scenario]] = {
    ("attacks", "audit"): ApiAttack,
    ("attacks", "network"): FlowAttack,
    ("attacks", "system"): HostAttack,
    ("benign", "audit"): ApiBenign,
    ("benign", "network"): FlowBenign,
    ("benign", "system"): HostBenign,
}
_TELEMETRY = {"audit": Telemetry.API_CALLS, "network": Telemetry.FLOW_LOGS, "system": Telemetry.SYSTEM_LOGS}


class InvalidScenario(Exception):
    """A scenario file that cannot be told; the text names the file, the line and what to write instead."""


@dataclass(frozen=True, slots=True)
class Told:
    """A family and the file that tells it."""

    family: Family
    scenario: Scenario


def load(path: Path) -> Told:
    """Read one file. Raises InvalidScenario."""
    kind, _, name = path.stem.partition("-")
    model = _MODELS.get((path.parent.name, kind))
    if model is None or not name:
        raise InvalidScenario(
            f"{_place(path)}: a scenario lies in attacks/ or benign/ and is named audit-…, network-… or system-….yaml"
        )
    text = path.read_text()
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InvalidScenario(f"{_place(path)}{line}: is no YAML: {getattr(error, 'problem', error)}") from error
    try:
        scenario = model.model_validate(document)
    except ValidationError as error:
        raise InvalidScenario("\n".join(_said(path, text, fault) for fault in error.errors())) from error
    technique = next((step.technique for step in reversed(scenario.steps) if not getattr(step, "innocent", False)), "")
    family = Family(
        f"{kind}/{name}", _TELEMETRY[kind], scenario.verdict, technique, scenario.about, _split(scenario),
        getattr(scenario, "cloud", ""), tuple((step.tactic, step.technique) for step in scenario.steps), scenario.looks_like,
    )  # fmt: skip
    return Told(family, scenario)


@cache
def scenarios_by_family() -> dict[Family, Scenario]:
    """Every scenario by its family, benign ones first, in the order of their names."""
    told = [load(path) for folder in ("benign", "attacks") for path in sorted((FOLDER / folder).glob("*.yaml"))]
    return {each.family: each.scenario for each in told}


def named(name: str) -> Family:
    """Family of that name. Raises InvalidScenario where there is none."""
    for family in scenarios_by_family():
        if family.name == name:
            return family
    raise InvalidScenario(f"no scenario is named {name}")


def attack_operations(scenario: Scenario) -> frozenset[str]:
    """The calls that make an attack what it is: those of its stages that are not innocent."""
    if not isinstance(scenario, ApiAttack):
        return frozenset()
    return frozenset().union(*(operations(stage.calls) for stage in scenario.chain if not stage.innocent and not stage.draw))


@cache
def reserved() -> frozenset[str]:
    """Calls that only validation and test attacks make, and those that are held out: never drawn for training."""
    by_split: dict[bool, frozenset[str]] = {True: frozenset(), False: frozenset()}
    for family, scenario in scenarios_by_family().items():
        if family.is_attack:
            seen = family.split is Split.TRAIN
            by_split[seen] = by_split[seen] | attack_operations(scenario)
    return (HELD_OUT_OPERATIONS | by_split[False]) - by_split[True]


def _split(scenario: Scenario) -> Split:
    """The file's split; test, whatever it says, for an attack that contains a call of a held-out recorded technique."""
    return Split.TEST if attack_operations(scenario) & HELD_OUT_OPERATIONS else scenario.split


def _place(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _said(path: Path, text: str, fault: Any) -> str:
    where = [part for part in fault["loc"] if not str(part).startswith(("function-", "tagged-"))]
    line = _line(text, where)
    written = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = "no such word in a scenario of this kind (docs/scenarios.md lists them)"
    return f"{_place(path)}:{line}: {written or 'the file'}: {message}"


def _line(text: str, where: Sequence[object]) -> int:
    """Line of the deepest part of the path that the file has."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for part in where:
        found = next(iter(_children(node, part)), None)
        if found is None:
            break
        line, node = found
    return line


def _children(node: Any, part: object) -> Iterator[tuple[int, Any]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                yield key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        yield node.value[part].start_mark.line + 1, node.value[part]
