"""Who answers a proposal, and whether that person may."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from response.policy import FourEyes
from shared_model.events import EntityKind
from shared_model.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who answers, as an adapter of the cloud knows them.

    Attributes
    ----------
    name : str
        ARN, sign-in name or object id: what the journal keeps as the actor.
    attested : str
        The id by which the cloud itself knows who sent the answer, and by which two people are told apart; ``""`` where
        there is only what the sender says.
    own_names : tuple of str
        Every other name under which a verdict may be about this person alone (session, user, object id).
    shared_names : tuple of str
        Names that others act under too: the role of a session.
    """

    name: str
    attested: str = ""
    own_names: tuple[str, ...] = ()
    shared_names: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """What tells this person from another."""
        return self.attested or self.name


def is_about(verdict: Verdict, person: Person) -> bool:
    """Say whether the verdict is about this person, or about what was done in the person's name.

    A role is many people's: whoever acts under it is meant only where the verdict is about the role itself.
    """
    people = (EntityKind.PRINCIPAL, EntityKind.SESSION)
    named = {entity.id.casefold() for entity in (verdict.entity, *verdict.related) if entity.kind in people}
    own = _folded((person.name, person.attested, *person.own_names))
    return bool(named & own) or verdict.entity.id.casefold() in _folded(person.shared_names)


def objection(person: Person, verdict: Verdict, rule: FourEyes, approved_by: Iterable[str]) -> str:
    """Return why this person's answer does not count, ``""`` when it does.

    Parameters
    ----------
    person : Person
    verdict : Verdict
    rule : FourEyes
    approved_by : iterable of str
        Ids of those who approved the same plan before.
    """
    if rule is FourEyes.NONE:
        return ""
    if is_about(verdict, person):
        return f"the verdict is about {person.name}: someone else must answer"
    if rule is FourEyes.TWO and not person.attested:
        return (
            "two people must answer, and nothing but the request says who sent it: answer where the cloud attests that, "
            "set four_eyes to other, or contain by hand"
        )
    if rule is FourEyes.TWO and person.id in approved_by:
        return f"{person.name} has approved it already: a second person must"
    return ""


def needed(rule: FourEyes) -> int:
    """How many people must approve."""
    return 2 if rule is FourEyes.TWO else 1


def _folded(names: Iterable[str]) -> set[str]:
    return {name.casefold() for name in names if name}
