"""What a job is told to train. The same names on either cloud and on the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

#: Detectors that a job may build; kept equal to training.tasks.TASKS by a test, so that submitting needs no numpy.
DETECTORS = ("network", "audit")
#: Smallest and largest value of each number.
LIMITS = {"seed": (0, 2**31 - 1), "seeds": (1, 20), "repeats": (0, 1000), "epochs": (1, 500)}


class JobError(Exception):
    """A job cannot be submitted, run or taken back. Says what to do about it."""


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Arguments of ``training.build``.

    Attributes
    ----------
    detector : str
        ``network``, ``audit`` or ``all``.
    seed, seeds : int
        Seed of the shipped model, and how many seeds the figures are taken over.
    repeats : int
        Stories of each attack family; 0 for those of the shipped models.
    epochs : int
        At most.
    """

    detector: str = "all"
    seed: int = 1
    seeds: int = 3
    repeats: int = 0
    epochs: int = 20

    def __post_init__(self) -> None:
        if self.detector not in ("all", *DETECTORS):
            raise JobError(f"detector is {self.detector!r}: choose all, {' or '.join(DETECTORS)}")
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise JobError(f"{name} is {value!r}: give a whole number from {least} to {most}")

    @classmethod
    def read(cls, given: Mapping[str, object]) -> Hyperparameters:
        """Read values that may have come as text (SageMaker hands on nothing else). The service's own keys are passed over."""
        names = [field.name for field in fields(cls)]
        own = {name: value for name, value in given.items() if not name.startswith("sagemaker_")}
        unknown = sorted(set(own) - set(names))
        if unknown:
            raise JobError(f"unknown hyperparameter {unknown[0]!r}: there are {', '.join(names)}")
        return cls(**{name: _number(value) if name in LIMITS else _text(value) for name, value in own.items()})  # type: ignore[arg-type]

    def text(self) -> dict[str, str]:
        """All of them as text, as SageMaker takes them."""
        return {name: str(value) for name, value in asdict(self).items()}

    def detectors(self) -> tuple[str, ...]:
        return DETECTORS if self.detector == "all" else (self.detector,)


def _text(value: object) -> object:
    """The text without the quotes that the SageMaker SDK wraps text in."""
    if isinstance(value, str) and value[:1] == '"':
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _number(value: object) -> object:
    value = _text(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return value
    return value
