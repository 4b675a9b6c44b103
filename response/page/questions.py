"""What a link asks a person: whether a proposal becomes a containment, or whether a containment is undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from response.answers import LONGEST_REASON, answer_body, undo_body
from response.containment import Containment, Stream
from response.page import plan
from response.page.document import Markup, Site, element
from response.page.forms import Form
from response.people import SignIn
from response.proposals import Proposal, digest


class Question(Protocol):
    """One question, with what it is about.

    Attributes
    ----------
    title : str
    unsent : str
        What is said where an answer could not be sent.
    """

    @property
    def title(self) -> str: ...

    @property
    def unsent(self) -> str: ...

    def asked(self, site: Site, form: Form, now_ms: int) -> Iterator[Markup]:
        """Yield what it is about, and the form of the answer."""
        ...

    def wrong(self, said: Mapping[str, str]) -> str:
        """Return why a form is no answer to it, ``""`` where it is one."""
        ...

    def answer(self, said: Mapping[str, str], who: SignIn) -> str:
        """Send on what a person who has signed in says; return what is told of it. May raise CloudUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class ToApprove:
    """Whether an open proposal is carried out.

    Attributes
    ----------
    stream : Stream
    proposal : Proposal
    leaves : sequence of str
        What its action does not stop.
    send, sender : callable
        As of the page.
    """

    stream: Stream
    proposal: Proposal
    leaves: Sequence[str]
    send: Callable[[str], None]
    sender: Callable[[], str]

    @property
    def title(self) -> str:
        return f"Approve {self.proposal.plan.action.replace('_', ' ')}?"

    @property
    def unsent(self) -> str:
        return "Your answer was not sent: the queue did not take it. Open the link again, and answer once more."

    def asked(self, site: Site, form: Form, now_ms: int) -> Iterator[Markup]:
        """Yield the plan, what people answered so far, and the form; where the plan is too long to be read here, the command."""
        yield from plan.about(self.proposal, self.leaves, now_ms)
        yield plan.answers_so_far(self.stream, self.proposal)
        if len(plan.change_lines(self.proposal)) > plan.MOST_LINES:
            text = "The change is longer than this page shows. See all of it, and answer, at the console: "
            yield element("p", text, element("code", f"breakwater approve {self.proposal.id}"))
        else:
            yield from plan.form(self.proposal, site, form)
        yield element("footer", "This link shows one plan. Whoever holds it can read it; only a person who signs in can answer.")

    def wrong(self, said: Mapping[str, str]) -> str:
        """A yes or a no, and of a no the reason."""
        answer, reason = said.get("answer", ""), _reason(said)
        if answer not in ("approve", "deny"):
            return "Say yes or no with one of the two buttons."
        if answer == "deny" and not reason:
            return "Say why it is denied: the journal, and whoever looks at the next verdict, will name it."
        if len(reason) > LONGEST_REASON:
            return f"The reason has {len(reason)} characters; {LONGEST_REASON} fit."
        return ""

    def answer(self, said: Mapping[str, str], who: SignIn) -> str:
        """Send the answer, the same for one form however often it is sent: a double click is one answer."""
        approves = said["answer"] == "approve"
        body = answer_body(
            self.proposal.id,
            approves=approves,
            by=self.sender(),
            request=f"link-{said['request']}",
            reason=_reason(said),
            plan=digest(self.proposal.plan),
            beyond_budget=approves and said.get("beyond_budget") == "yes",
            on_behalf_of=who,
        )
        self.send(body)
        return (
            f"Your {'yes' if approves else 'no'} was sent, as {who.person.name}. Everything is looked at once more before "
            "anything is changed; within seconds the page says what came of it."
        )


@dataclass(frozen=True, slots=True)
class ToUndo:
    """Whether a containment that stands is undone.

    Attributes
    ----------
    stream : Stream
    containment : Containment
    send : callable or None
        The page's ``ask_undo``.
    sender : callable
        As of the page.
    """

    stream: Stream
    containment: Containment
    send: Callable[[str], None] | None
    sender: Callable[[], str]

    @property
    def title(self) -> str:
        return f"Undo {self.containment.plan.action.replace('_', ' ')}?"

    @property
    def unsent(self) -> str:
        return "Your request was not sent: the queue did not take it. Open the link again, and ask once more."

    def asked(self, site: Site, form: Form, now_ms: int) -> Iterator[Markup]:
        """Yield what an undo would give back, and the form, or the command where nobody can ask here."""
        yield from plan.undo_about(self.stream, self.containment)
        if self.send is None:
            yield element("p", "To undo it: ", element("code", f"breakwater undo {self.containment.id}"))
        else:
            yield plan.undo_form(self.containment, site, form)

    def wrong(self, said: Mapping[str, str]) -> str:
        """It takes a yes only."""
        return "" if said.get("answer") == "undo" and self.send is not None else "This page only asks for an undo."

    def answer(self, said: Mapping[str, str], who: SignIn) -> str:
        """Send the request. Sent twice, the second finds it undone."""
        if self.send is None:
            raise ValueError("nobody can ask for an undo here")
        overwrite = said.get("overwrite") == "yes"
        self.send(undo_body(self.containment.id, by=self.sender(), on_behalf_of=who, overwrite=overwrite))
        return f"The undo was asked for, as {who.person.name}. Within seconds the page says what came of it."


def _reason(said: Mapping[str, str]) -> str:
    return said.get("reason", "").strip()
