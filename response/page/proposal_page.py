"""GET shows a plan to whoever holds a valid link, and changes nothing. POST takes the answer of a person who has signed in.

The answer goes the same way as the console's: to the function that settles it, by one conditional write. So the page has no
right to contain, to write into the journal, or to make a link.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

from response.containment import Stream
from response.journal import Journal, Step
from response.links import Link, LinkExpired, LinkRefused, Verifier, path_of, read_link
from response.orders import Book
from response.page import forms, plan
from response.page.document import Markup, Reply, Site, element, page
from response.page.forms import Form, Visit
from response.page.questions import Question, ToApprove, ToUndo
from response.proposals import digest
from shared_model.errors import CloudUnavailable

_RANDOM_BYTES = 32


class ProposalPage:
    """The page of a deployment.

    Parameters
    ----------
    site : Site
    journal : Journal
        Only read.
    verifier : Verifier
    send : callable
        Sends an answer's body to the function that settles it. May raise CloudUnavailable.
    sender : callable
        Returns what that function knows this sender by. May raise CloudUnavailable.
    ask_undo : callable or None
        Sends a request for an undo to the function that undoes. None where the cloud attests who asks there; then the page shows
        a containment, and names the command. May raise CloudUnavailable.
    leaves : mapping of str to sequence of str
        By action, what it does not stop.
    random : callable
        Returns 64 hex digits that nobody can guess.
    """

    def __init__(
        self,
        site: Site,
        *,
        journal: Journal,
        verifier: Verifier,
        send: Callable[[str], None],
        sender: Callable[[], str],
        leaves: Mapping[str, Sequence[str]],
        ask_undo: Callable[[str], None] | None = None,
        random: Callable[[], str] = lambda: secrets.token_hex(_RANDOM_BYTES),
    ) -> None:
        self._site = site
        self._journal = journal
        self._verifier = verifier
        self._send = send
        self._sender = sender
        self._ask_undo = ask_undo
        self._leaves = leaves
        self._random = random

    def show(self, visit: Visit, *, now_ms: int) -> Reply:
        """Answer a GET. It may be sent any number of times, by anybody and by programs: nothing is written anywhere."""
        found = self._find(visit, now_ms)
        if isinstance(found, Reply):
            return found
        browser, request = visit.browser or self._random(), self._random()
        who = visit.sign_in.person.name if visit.sign_in else ""
        form = Form(self._again(visit), forms.form_token(browser, visit.query["signature"], request), request, who)
        return page(200, self._site, found.title, found.asked(self._site, form, now_ms), cookie=forms.cookie(browser))

    def answer(self, visit: Visit, *, now_ms: int) -> Reply:
        """Answer a POST: send on what a person says who has signed in, once for each page that was shown."""
        if visit.sign_in is None:
            return self._told(401, "Sign in first", "Only a person who has signed in can answer.", visit)
        if reason := forms.foreign(visit, self._site.origin):
            return self._told(403, "Not taken", f"This answer was not taken: {reason}. Open the link again.", visit)
        found = self._find(visit, now_ms)
        if isinstance(found, Reply):
            return found
        said = visit.form or {}
        if wrong := found.wrong(said):
            return self._told(422, "Not sent", wrong, visit)
        try:
            text = found.answer(said, visit.sign_in)
        except CloudUnavailable:
            return self._told(503, "Not sent", found.unsent, visit, retry=True)
        return self._told(202, "Sent", text, visit, link="See what came of it")

    def signed_in(self) -> Reply:
        """Answer the GET with which an identity provider sends a person back. It shows nothing; its script goes on."""
        return page(200, self._site, "Signing in", (Markup('<p id="said" role="alert">One moment …</p>'),))

    def _find(self, visit: Visit, now_ms: int) -> Question | Reply:
        """Return what a valid link asks of an open proposal, or a containment that stands; else the page that says why none."""
        try:
            link = read_link(visit.proposal_id, visit.query, self._verifier, now_ms=now_ms)
            return self._open(link, visit, now_ms)
        except LinkExpired:
            text = "A link lasts as long as its question. A new verdict asks again; what became of this one, the console knows."
            if "undo" in visit.query:
                text = f"A link to an undo lasts a day. Ask for a new one at the console: breakwater undo {visit.proposal_id}"
            return self._told(410, "This link has expired", text)
        except LinkRefused:
            return self._told(
                403, "Not a valid link", "Open it as it stands in the notification: it may have been cut, or broken."
            )
        except CloudUnavailable:
            text = "The journal or the key could not be asked just now. That says nothing about the proposal: try again."
            return self._told(503, "Could not look", text, retry=True)

    def _open(self, link: Link, visit: Visit, now_ms: int) -> Question | Reply:
        name = self._journal.find(link.proposal_id)
        stream = Book(self._journal).stream(name) if name is not None else None
        if link.undoes:
            return self._standing(link, stream, visit, now_ms)
        proposal = stream.proposals.get(link.proposal_id) if stream is not None else None
        if stream is None or proposal is None:
            return self._told(404, "No such proposal", "The journal of this deployment has no such proposal.")
        if not proposal.is_open(now_ms):
            status = 200 if visit.form is None else 409
            return page(status, self._site, "This has been answered", plan.what_became(stream, proposal))
        if digest(proposal.plan) != link.plan:
            text = (
                "What this link shows is not what is proposed now: the state changed, and the present plan was asked about "
                "in a newer notification. Open that one."
            )
            return self._told(409, "The plan has changed", text)
        return ToApprove(stream, proposal, self._leaves.get(proposal.plan.action, ()), self._send, self._sender)

    def _standing(self, link: Link, stream: Stream | None, visit: Visit, now_ms: int) -> Question | Reply:
        contained = stream.containments.get(link.proposal_id) if stream is not None else None
        if stream is None or contained is None or digest(contained.plan) != link.plan:
            return self._told(404, "No such containment", "The journal of this deployment has no such containment.")
        is_undone = contained.step is Step.UNDONE and not contained.is_held
        # What nobody can be at any more was left behind, or never begun by who undoes: it can be asked for again.
        if is_undone or (contained.step is Step.UNDOING and contained.may_be_being_undone(now_ms)):
            status = 200 if visit.form is None else 409
            title = "This was undone" if contained.step is Step.UNDONE else "This is being undone"
            return page(status, self._site, title, plan.undo_about(stream, contained))
        return ToUndo(stream, contained, self._ask_undo, self._sender)

    def _told(
        self,
        status: int,
        title: str,
        text: str,
        visit: Visit | None = None,
        *,
        link: str = "Open the page again",
        retry: bool = False,
    ) -> Reply:
        main = [element("p", text)]
        if visit is not None:
            main.append(element("p", element("a", link, href=self._again(visit), class_="button"), class_="answers"))
        return page(status, self._site, title, main, retry=retry)

    def _again(self, visit: Visit) -> str:
        """Return path and query of the link that was opened, and nothing else that the browser may have put beside."""
        names = ("plan", "until", "signature", *(("undo",) if "undo" in visit.query else ()))
        query = urlencode({name: visit.query.get(name, "") for name in names})
        return f"{self._site.base}{path_of(visit.proposal_id)}?{query}"
