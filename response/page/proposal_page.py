"""GET shows a plan to whoever holds a valid link, and changes nothing. POST takes the answer of a person who has signed in.

The answer goes the same way as the console's: to the function that settles it, by one conditional write. So the page has no
right to contain, to write into the journal, or to make a link.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import urlencode

from response.answers import LONGEST_REASON, answer_body, undo_body
from response.containment import Containment, Stream
from response.journal import Journal, Step
from response.links import Link, LinkExpired, LinkRefused, Verifier, path_of, read_link
from response.orders import Book
from response.page import forms, plan
from response.page.document import Markup, Reply, Site, element, page
from response.page.forms import Visit
from response.people import SignIn
from response.proposals import Proposal, digest
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
        stream, proposal = found
        browser, request = visit.browser or self._random(), self._random()
        token = forms.form_token(browser, visit.query["signature"], request)
        if isinstance(proposal, Containment):
            main = self._undoing(stream, proposal, visit, token, request)
            title = f"Undo {proposal.plan.action.replace('_', ' ')}?"
            return page(200, self._site, title, main, cookie=forms.cookie(browser))
        return page(
            200,
            self._site,
            f"Approve {proposal.plan.action.replace('_', ' ')}?",
            self._asking(stream, proposal, visit, token, request, now_ms),
            cookie=forms.cookie(browser),
        )

    def answer(self, visit: Visit, *, now_ms: int) -> Reply:
        """Answer a POST: send on what a person says who has signed in, once for each page that was shown."""
        if visit.sign_in is None:
            return self._told(401, "Sign in first", "Only a person who has signed in can answer.", visit)
        if reason := forms.foreign(visit, self._site.origin):
            return self._told(403, "Not taken", f"This answer was not taken: {reason}. Open the link again.", visit)
        found = self._find(visit, now_ms)
        if isinstance(found, Reply):
            return found
        _, proposal = found
        if isinstance(proposal, Containment):
            return self._undo(proposal, visit, visit.sign_in)
        form = visit.form or {}
        says, reason = form.get("answer", ""), form.get("reason", "").strip()
        if wrong := _wrong(says, reason):
            return self._told(422, "Not sent", wrong, visit)
        try:
            body = answer_body(
                proposal.id,
                approves=says == "approve",
                by=self._sender(),
                # The same for one form however often it is sent: a double click is one answer.
                request=f"link-{form['request']}",
                reason=reason,
                plan=digest(proposal.plan),
                beyond_budget=says == "approve" and form.get("beyond_budget") == "yes",
                on_behalf_of=visit.sign_in,
            )
            self._send(body)
        except CloudUnavailable:
            text = "Your answer was not sent: the queue did not take it. Open the link again, and answer once more."
            return self._told(503, "Not sent", text, visit, retry=True)
        said = "yes" if says == "approve" else "no"
        text = (
            f"Your {said} was sent, as {visit.sign_in.person.name}. Everything is looked at once more before anything is "
            "changed; within seconds the page says what came of it."
        )
        return self._told(202, "Sent", text, visit, link="See what came of it")

    def signed_in(self) -> Reply:
        """Answer the GET with which an identity provider sends a person back. It shows nothing; its script goes on."""
        return page(200, self._site, "Signing in", (Markup('<p id="said" role="alert">One moment …</p>'),))

    def _asking(
        self, stream: Stream, proposal: Proposal, visit: Visit, token: str, request: str, now_ms: int
    ) -> Iterator[Markup]:
        yield from plan.about(proposal, self._leaves.get(proposal.plan.action, ()), now_ms)
        yield plan.answers_so_far(stream, proposal)
        if len(plan.change_lines(proposal)) > plan.MOST_LINES:
            text = "The change is longer than this page shows. See all of it, and answer, at the console: "
            yield element("p", text, element("code", f"breakwater approve {proposal.id}"))
        else:
            who = visit.sign_in.person.name if visit.sign_in else ""
            yield from plan.form(proposal, self._site, action=self._again(visit), token=token, request=request, who=who)
        yield element("footer", "This link shows one plan. Whoever holds it can read it; only a person who signs in can answer.")

    def _undoing(self, stream: Stream, containment: Containment, visit: Visit, token: str, request: str) -> Iterator[Markup]:
        yield from plan.undo_about(stream, containment)
        if self._ask_undo is None:
            yield element("p", "To undo it: ", element("code", f"breakwater undo {containment.id}"))
            return
        who = visit.sign_in.person.name if visit.sign_in else ""
        yield plan.undo_form(containment, self._site, action=self._again(visit), token=token, request=request, who=who)

    def _undo(self, containment: Containment, visit: Visit, who: SignIn) -> Reply:
        """Send on that a person who has signed in wants an undo. Sent twice, the second finds it undone."""
        form = visit.form or {}
        if form.get("answer") != "undo" or self._ask_undo is None:
            return self._told(422, "Not sent", "This page only asks for an undo.", visit)
        overwrite = form.get("overwrite") == "yes"
        try:
            self._ask_undo(undo_body(containment.id, by=self._sender(), on_behalf_of=who, overwrite=overwrite))
        except CloudUnavailable:
            text = "Your request was not sent: the queue did not take it. Open the link again, and ask once more."
            return self._told(503, "Not sent", text, visit, retry=True)
        text = f"The undo was asked for, as {who.person.name}. Within seconds the page says what came of it."
        return self._told(202, "Sent", text, visit, link="See what came of it")

    def _find(self, visit: Visit, now_ms: int) -> tuple[Stream, Proposal | Containment] | Reply:
        """Return what a valid link is about, with its stream: the open proposal, or the containment that stands.

        Else the page that says why there is none.
        """
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

    def _open(self, link: Link, visit: Visit, now_ms: int) -> tuple[Stream, Proposal | Containment] | Reply:
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
        return stream, proposal

    def _standing(self, link: Link, stream: Stream | None, visit: Visit, now_ms: int) -> tuple[Stream, Containment] | Reply:
        contained = stream.containments.get(link.proposal_id) if stream is not None else None
        if stream is None or contained is None or digest(contained.plan) != link.plan:
            return self._told(404, "No such containment", "The journal of this deployment has no such containment.")
        is_undone = contained.step is Step.UNDONE and not contained.is_held
        # What nobody can be at any more was left behind, or never begun by who undoes: it can be asked for again.
        if is_undone or (contained.step is Step.UNDOING and contained.may_be_being_undone(now_ms)):
            status = 200 if visit.form is None else 409
            title = "This was undone" if contained.step is Step.UNDONE else "This is being undone"
            return page(status, self._site, title, plan.undo_about(stream, contained))
        return stream, contained

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


def _wrong(says: str, reason: str) -> str:
    if says not in ("approve", "deny"):
        return "Say yes or no with one of the two buttons."
    if says == "deny" and not reason:
        return "Say why it is denied: the journal, and whoever looks at the next verdict, will name it."
    if len(reason) > LONGEST_REASON:
        return f"The reason has {len(reason)} characters; {LONGEST_REASON} fit."
    return ""
