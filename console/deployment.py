"""What the commands need of a deployment, on either cloud: ``console/aws/stack.py`` and ``console/azure/stack.py`` give it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from response.actions import Plan
from response.journal import Journal
from response.policy import KnownAction, Policy
from shared_model.errors import BreakwaterError
from shared_model.events import Entity
from shared_model.verdicts import Verdict

Print = Callable[[str], None]


class NotPossible(BreakwaterError):
    """What was asked for cannot be done from here. Says how it is done."""


class Health(StrEnum):
    """What a sign of life says."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign of life, for a person.

    Attributes
    ----------
    health : Health
    what : str
    cure : str
        What to do about it, ``""`` where there is nothing to do.
    """

    health: Health
    what: str
    cure: str = ""


class Deployment(Protocol):
    """One deployment, under the identity of whoever runs the command."""

    @property
    def where(self) -> str:
        """Cloud and place, for messages: an empty answer of the wrong deployment must not look like a good one."""
        ...

    @property
    def journal(self) -> Journal:
        """The journal, to read."""
        ...

    def streams(self) -> Iterable[str]:
        """Return the name of every stream of the journal. Reads the whole table: for a person, not for a function."""
        ...

    def ask_for_undo(self, body: str) -> None:
        """Send a request to the function that undoes. Raises CloudUnavailable, CloudRefusal."""
        ...

    def send_answer(self, body: str) -> None:
        """Send a person's answer to the function that acts on it. Raises CloudUnavailable, CloudRefusal."""
        ...

    def operator(self) -> str:
        """Return who runs this command: the journal keeps it as who approved."""
        ...

    def requester(self) -> str:
        """Return who runs this command, as the functions can name them: who answers, or asks for an undo.

        Raises
        ------
        NotPossible
            The functions would refuse this identity.
        """
        ...

    def actions(self) -> Mapping[str, KnownAction]:
        """Return the actions of this cloud, and what a policy must fit of each. Asks nobody."""
        ...

    def too_much(self, policy: Policy, text: bytes) -> Iterable[str]:
        """Say what keeps a policy that is valid from being put to work on this cloud: its limits. Asks nobody."""
        ...

    def regions_unknown(self, names: Iterable[str]) -> list[str]:
        """Which of these are no region of this cloud, as far as this version knows: there may be newer ones. Asks nobody."""
        ...

    def plan(self, action: str, target: Entity, verdict: Verdict, policy: Policy) -> Plan:
        """Return what an action would change now, as whoever runs this can see it. Only reads.

        Raises
        ------
        CloudUnavailable
        CloudRefusal
            A right to read is missing.
        """
        ...

    @property
    def attests_answers(self) -> bool:
        """Whether this cloud attests who sent an answer to a proposal. Asks nobody."""
        ...

    def replace_policy(self, text: bytes) -> bytes:
        """Put a checked policy where the functions read it; return the one before, empty where there was none.

        Raises
        ------
        NotPossible
            Where the policy comes with the infrastructure.
        """
        ...

    def signs(self, now_ms: int) -> Iterable[Sign]:
        """Return whether telemetry comes and nothing is stuck. Only reads.

        Raises
        ------
        CloudUnavailable
        CloudRefusal
        """
        ...

    def advice(self, error: BreakwaterError) -> str:
        """Return what a person does about an error of this cloud, ``""`` where the error says it itself. Asks nobody."""
        ...
