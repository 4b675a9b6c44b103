"""Who answers a proposal, and whether that person may."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from response.policy import FourEyes
from shared_model.events import EntityKind
from shared_model.verdicts import Verdict

#: Between a directory and what it calls a person, in an attested id. The ids of IAM hold none.
_OF = "#"
#: Longest name and most names that an identity provider's word about a person is taken for.
_LONGEST, _MOST = 200, 6


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
    sign_in_names : tuple of str
        What an identity provider outside of the cloud's own calls the person (a mail address): a verdict that names a user or a
        session of that name, with or without what stands behind the ``@``, is held to be about this person.
    """

    name: str
    attested: str = ""
    own_names: tuple[str, ...] = ()
    shared_names: tuple[str, ...] = ()
    sign_in_names: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """What tells this person from another."""
        return self.attested or self.name


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who signed in, as the platform read it from a token that it has checked.

    Attributes
    ----------
    directory : str
        Who vouches: the issuer of the token.
    subject : str
        The id that the directory never gives to anybody else.
    names : tuple of str
        What people know the person by, the best first.
    """

    directory: str
    subject: str
    names: tuple[str, ...] = ()

    @property
    def person(self) -> Person:
        """The person: known by the subject, since a name can be changed, or chosen to look like another one's."""
        who = f"{self.subject} of {self.directory}"
        return Person(
            name=f"{self.names[0]} ({who})" if self.names else who,
            attested=f"{self.directory}{_OF}{self.subject}",
            own_names=(self.subject, *self.names),
            sign_in_names=self.names,
        )


def signed_in(directory: object, subject: object, names: Sequence[object]) -> SignIn | None:
    """Return who signed in, None where the claims name nobody. Names that are no short text are left out."""
    if not (_is_name(directory) and _is_name(subject)) or _OF in str(directory):
        return None
    known = dict.fromkeys(str(name).strip() for name in names if _is_name(name))
    return SignIn(str(directory), str(subject), tuple(known)[:_MOST])


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= _LONGEST and value.isprintable()


def is_about(verdict: Verdict, person: Person) -> bool:
    """Say whether the verdict is about this person, or about what was done in the person's name.

    A role is many people's: whoever acts under it is meant only where the verdict is about the role itself.
    """
    people = (EntityKind.PRINCIPAL, EntityKind.SESSION)
    named = {entity.id.casefold() for entity in (verdict.entity, *verdict.related) if entity.kind in people}
    own = _folded((person.name, person.attested, *person.own_names))
    if person.sign_in_names:
        # In doubt it is the same person: whoever is taken for another only has to leave the answer to someone else.
        own |= {name.partition("@")[0] for name in _folded(person.sign_in_names)}
        named |= {part for name in named for last in (re.split("[/:]", name)[-1],) for part in (last, last.partition("@")[0])}
    return bool(named & own) or verdict.entity.id.casefold() in _folded(person.shared_names)


def objection(person: Person, verdict: Verdict, rule: FourEyes, approved_by: Collection[str]) -> str:
    """Return why this person's answer does not count, ``""`` when it does.

    Parameters
    ----------
    person : Person
    verdict : Verdict
    rule : FourEyes
    approved_by : collection of str
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
    if rule is FourEyes.TWO and (others := [each for each in approved_by if _directory(each) != _directory(person.id)]):
        return (
            f"{', '.join(others)} approved it in another way than {person.name}, and nobody can tell whether that is one person: "
            "both must approve by the link, or both by the console"
        )
    return ""


def undo_objection(person: Person, verdicts: Iterable[Verdict]) -> str:
    """Return why this person may not undo what these verdicts led to, ``""`` where nothing speaks against it.

    Whatever ``four_eyes`` says: whom something was taken from does not give it back to himself.
    """
    if not any(is_about(verdict, person) for verdict in verdicts):
        return ""
    return (
        f"the verdict is about {person.name}, and who was contained cannot undo it: someone else must ask. Who is alone signs in "
        "under another identity, or gives back by hand what breakwater show says it was before"
    )


def needed(rule: FourEyes) -> int:
    """How many people must approve."""
    return 2 if rule is FourEyes.TWO else 1


def _directory(identifier: str) -> str:
    """Return who vouches for an attested id, ``""`` for the cloud's own identity service."""
    return identifier.rpartition(_OF)[0]


def _folded(names: Iterable[str]) -> set[str]:
    return {name.casefold() for name in names if name}
