"""The master switch: whether anything may be changed at all.

It is a stream of the journal, so it survives every redeployment, nobody can take back who turned it, when and why, and both
clouds have it without another place or another right. The responder reads it, strongly consistent, right before each change:
an action that is being carried out at that moment is finished, and no other begins. Where it cannot be read, nothing is
changed. A person's undo stays possible; what would end by itself waits, and a person is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from response.journal import Journal, JournalEntry, Step, following
from response.turns import with_turns

#: Name of the stream. No containment has it: theirs are ``<action>#<entity key>``.
STREAM = "master-switch"
#: Under which ``breakwater show`` finds the switch's history.
ID = "master-switch"


@dataclass(frozen=True, slots=True)
class Switch:
    """How the switch stands.

    Attributes
    ----------
    armed : bool
        A switch that nobody has ever turned is armed: the policy's modes alone then say what is changed.
    by, reason : str
        Who turned it last, and why.
    since_ms : int
    """

    armed: bool = True
    by: str = ""
    reason: str = ""
    since_ms: int = 0

    @property
    def objection(self) -> str:
        """Why nothing may be changed now, ``""`` when it may."""
        if self.armed:
            return ""
        since = datetime.fromtimestamp(self.since_ms / 1000, UTC).isoformat(timespec="seconds")
        return f"disarmed by {self.by} at {since} ({self.reason}): nothing is changed until someone runs breakwater arm"


def read_switch(journal: Journal) -> Switch:
    """Return how the switch stands now. Raises CloudUnavailable."""
    return _switch(journal.stream(STREAM))


def turn(journal: Journal, *, armed: bool, by: str, reason: str, now_ms: int) -> Switch:
    """Turn the switch and return how it stands then; one that stands so already keeps who turned it first.

    Parameters
    ----------
    journal : Journal
    armed : bool
    by : str
        ARN or object id of the person, as the cloud attests it.
    reason : str
        Needed to disarm: whoever is woken by a refusal reads it.
    now_ms : int

    Raises
    ------
    ValueError
        Nobody, or no reason, was given.
    CloudUnavailable
    """
    if not by.strip() or not (armed or reason.strip()):
        raise ValueError("say who turns the switch and, to disarm, why: the journal and every refusal will name both")

    def attempt() -> Switch:
        entries = journal.stream(STREAM)
        standing = _switch(entries)
        if standing.armed is armed:
            return standing
        step = Step.ARMED if armed else Step.DISARMED
        turned = following(STREAM, entries, step, about=ID, actor=by, now_ms=now_ms, detail={"reason": reason})
        entry = replace(turned, correlation_id=turned.id)
        journal.append(entry)
        return _switch((entry,))

    return with_turns(STREAM, attempt)


def _switch(entries: list[JournalEntry] | tuple[JournalEntry, ...]) -> Switch:
    if not entries:
        return Switch()
    last = entries[-1]
    return Switch(last.step is not Step.DISARMED, last.actor, str(last.detail.get("reason", "")), last.time_ms)
