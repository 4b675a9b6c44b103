"""What every step of one response needs at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from response.budget import Ledgers
from response.journal import Journal, JournalEntry
from response.notices import Notify
from response.policy import Policy, Rule
from response.signals import Signal
from shared_model.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Room:
    """What every step of one response needs.

    Attributes
    ----------
    verdict : Verdict
    partners : tuple of Signal
        Independent second signals, newest first.
    look_again : callable
        Looks for those that came meanwhile.
    policy, journal, budget, now_ms, notify
    case : str
        The incident that the verdict belongs to.
    earlier : list of JournalEntry
        Collects what an earlier delivery wrote.
    delivery : str
        Id of the message that is being handled; ``""`` where there is none. Its earlier deliveries are over.
    first : bool
        Nobody has handled this verdict before.
    """

    verdict: Verdict
    partners: tuple[Signal, ...]
    look_again: Callable[[], tuple[Signal, ...]]
    policy: Policy
    journal: Journal
    budget: Ledgers
    now_ms: int
    notify: Notify
    case: str = ""
    earlier: list[JournalEntry] = field(default_factory=list)
    delivery: str = ""
    first: bool = False

    @property
    def partner(self) -> Signal | None:
        """The newest second signal, None where there is none."""
        return next(iter(self.partners), None)

    def among(self, partners: tuple[Signal, ...], rule: Rule) -> Room:
        """Return the room with those of these second signals that count for the rule."""
        return replace(self, partners=tuple(each for each in partners if rule.takes(each.telemetry)))
