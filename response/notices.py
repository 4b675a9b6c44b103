"""What a person should know, in words that need no other page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to a person.

    Attributes
    ----------
    id : str
        What it is about: the id of a journal entry. It may come twice, after a function was killed; then with the same id.
    subject : str
        At most 100 ASCII characters (the limit of SNS e-mail subjects).
    text : str
    correlation_id : str
    proposal_id : str
        The proposal that it asks about, ``""`` where it asks nothing.
    plan : str
        :func:`~response.proposals.digest` of the plan that it asks about.
    until_ms : int
        Until when the proposal can be answered.
    link : str
        Where the plan can be seen and answered (``response/links.py``), ``""`` where the deployment has no page for it.
    undoes : bool
        It asks about the undo of a containment: ``proposal_id`` is that one's id, and ``plan`` the plan that it was made by.
    case : str
        The incident that it belongs to: what is told of one case belongs to one thread.
    """

    id: str
    subject: str
    text: str
    correlation_id: str
    proposal_id: str = ""
    plan: str = ""
    until_ms: int = 0
    link: str = ""
    undoes: bool = False
    case: str = ""

    @property
    def title(self) -> str:
        """Under what it is told: the same for all of one case, since mail programs thread by the subject."""
        return f"[{self.case}] Breakwater" if self.case else self.subject

    @property
    def lines(self) -> tuple[str, ...]:
        """What stands under the title: what happened first, since a phone shows no more."""
        return (*((self.subject,) if self.case else ()), *self.text.splitlines())

    @property
    def opens(self) -> str:
        """What a person opens to see and answer, ``""`` where there is nothing."""
        what = "what it would give back, and to undo it" if self.undoes else "the plan and answer"
        return f"To see {what}: {self.link}" if self.link else ""

    @property
    def thread(self) -> str:
        """What a person does to see all of the case, ``""`` where there is none."""
        return f"Case {self.case}: breakwater show {self.case}" if self.case else ""


#: Tells a person. Called after the journal has the entry, and must not raise: the journal is the record, a notice is
#: a convenience, and a topic that is out of service must not undo or repeat a containment.
Notify = Callable[[Notice], None]


def notice(about: str, subject: str, lines: list[str], correlation_id: str) -> Notice:
    """Build the notice with the id ``about``; the subject is cut and made ASCII."""
    ascii_subject = subject.encode("ascii", "replace").decode()[:100]
    return Notice(about, ascii_subject, "\n".join(line for line in lines if line), correlation_id)
