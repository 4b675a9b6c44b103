"""What a person who is asked must see of a proposal, as HTML, and the form of the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from response.answers import LONGEST_REASON
from response.containment import Containment, Stream
from response.journal import JournalEntry, Step
from response.page.document import Markup, SignInByPlatform, Site, element, joined, listed, text, void
from response.page.forms import Form
from response.plan_text import diff_lines
from response.proposals import Proposal
from shared_model.verdicts import Verdict

#: Lines of a change that are shown. Nobody approves by this page what it does not show.
MOST_LINES = 1500
_ANSWERS = {Step.APPROVED: "yes", Step.DENIED: "no", Step.REFUSED: "does not count"}


def change_lines(proposal: Proposal) -> list[str]:
    """Return the lines of the change, without its summary."""
    return [*diff_lines(proposal.plan)][1:]


def about(proposal: Proposal, leaves: Sequence[str], now_ms: int) -> Iterator[Markup]:
    """Yield who, what and why, the change, whom it touches, and what it does not stop."""
    plan, verdict = proposal.plan, Verdict.from_json(proposal.verdict)
    left_s = (proposal.expires_ms - now_ms) // 1000
    yield element("p", "Answer until ", element("strong", _time(proposal.expires_ms)), f" (in {_span(left_s)})", class_="until")
    target = (str(plan.target.kind), plan.target.id, f"in account {plan.target.account}", plan.region)
    score = f"{verdict.detector}: {verdict.probability:.2f}, threshold {verdict.threshold:.2f} {verdict.technique}"
    yield _facts(
        ("What", element("strong", plan.summary)),
        ("On", " ".join(part for part in target if part)),
        ("Why", verdict.title),
        ("About", f"{verdict.entity.kind} {verdict.entity.id}"),
        ("Score", score.strip()),
        ("Asked by", f"{proposal.actor}, {_time(proposal.proposed_ms)}"),
        ("Case", proposal.case),
    )
    if verdict.evidence:
        yield element("h2", "What was seen")
        yield listed(f"{_time(each.time_ms)}  {each.summary}" for each in verdict.evidence)
    yield element("h2", "The change, before and after")
    yield _diff(change_lines(proposal))
    yield element("h2", "Whom it touches besides")
    yield listed(plan.touches) or element("p", "Nobody and nothing, as far as the plan knows.")
    if leaves:
        yield element("h2", "What it does not stop")
        yield listed(leaves)
    yield element("h2", "The way back")
    yield element("p", "It can be undone: ", element("code", f"breakwater undo {proposal.id}"))
    if plan.min_lifetime_s:
        yield element("p", f"But not before {_span(plan.min_lifetime_s)} are over: it would revive what was contained.")
    if proposal.question:
        others = "The hour’s budget of containments was used up when this was asked. Others wait under the same question: "
        yield element("p", others, element("code", f"breakwater proposals --question {proposal.question}"))


def answers_so_far(stream: Stream, proposal: Proposal) -> Markup:
    """Return what people answered, newest last, also what did not count."""
    lines = []
    for entry in stream.entries:
        if entry.containment_id == proposal.id and entry.step in _ANSWERS and entry.detail.get("request"):
            reason = str(entry.detail.get("reason", ""))
            lines.append(f"{_ANSWERS[entry.step]}: {entry.actor}, {_time(entry.time_ms)}{': ' if reason else ''}{reason}")
    return joined((element("h2", "Answers so far"), listed(lines))) if lines else Markup()


def form(proposal: Proposal, site: Site, form: Form) -> Iterator[Markup]:
    """Yield the form of the answer, and the way to sign in for it."""
    by_platform = isinstance(site.sign_in, SignInByPlatform)
    yield Markup('<p id="said" class="said" role="alert"></p>')
    if not (by_platform and form.who):
        yield _sign_in(site, form.action, f"breakwater approve {proposal.id}", "Sign in to answer")
    if by_platform and not form.who:
        return
    hidden = (void("input", type="hidden", name=name, value=value) for name, value in form.hidden)
    beyond = void("input", type="checkbox", name="beyond_budget", value="yes")
    yes = element("button", "Approve", type="submit", name="answer", value="approve")
    no = element("button", "Deny", type="submit", name="answer", value="deny", class_="no")
    yield element(
        "form",
        element("h2", "Your answer"),
        element("p", "Signed in as ", element("strong", form.who, id="who"), ". Your answer and your name go into the journal."),
        *hidden,
        element("label", "Why (a no needs it)", for_="reason"),
        element("textarea", id="reason", name="reason", maxlength=str(LONGEST_REASON)),
        element("label", beyond, element("span", "Approve it also where the hour’s budget is used up"), class_="tick"),
        element("div", yes, no, class_="answers"),
        id="answer",
        method="post",
        action=form.action,
        hidden=not by_platform,
    )


def undo_about(stream: Stream, containment: Containment) -> Iterator[Markup]:
    """Yield what an undo would take back: what stands, since when, by whom, and the state before."""
    plan = containment.plan
    target = (str(plan.target.kind), plan.target.id, f"in account {plan.target.account}", plan.region)
    yield _facts(
        ("What", element("strong", plan.summary)),
        ("On", " ".join(part for part in target if part)),
        ("Decided by", containment.actor),
        ("Stands at", _stands(_last(stream, containment))),
        ("Case", containment.case),
    )
    if containment.holds:
        yield element("h2", "What an undo has left contained, and why")
        yield listed(containment.holds)
    yield element("h2", "What was changed, before and after: an undo gives back what was before")
    yield _diff([*diff_lines(plan)][1:])
    yield element(
        "p", "What somebody changed since is left, and named: ", element("code", f"breakwater undo {containment.id} --dry-run")
    )


def undo_form(containment: Containment, site: Site, form: Form) -> Markup:
    """Return the form that asks for the undo. Of who has not signed in, the way to do so."""
    if not form.who or not isinstance(site.sign_in, SignInByPlatform):
        return _sign_in(site, form.action, f"breakwater undo {containment.id}", "Sign in to undo it")
    hidden = (void("input", type="hidden", name=name, value=value) for name, value in form.hidden)
    over = void("input", type="checkbox", name="overwrite", value="yes")
    return element(
        "form",
        element("p", "Signed in as ", element("strong", form.who, id="who"), ". Your name goes into the journal."),
        *hidden,
        element("label", over, element("span", "Also write over what somebody changed since"), class_="tick"),
        element("div", element("button", "Undo it", type="submit", name="answer", value="undo"), class_="answers"),
        id="answer",
        method="post",
        action=form.action,
    )


def what_became(stream: Stream, proposal: Proposal) -> Iterator[Markup]:
    """Yield what came of a proposal that is answered."""
    answer, contained = proposal.answer, stream.containments.get(proposal.id)
    facts = [("What", proposal.plan.summary), ("On", f"{proposal.plan.target.kind} {proposal.plan.target.id}")]
    if proposal.approvals:
        facts.append(("Approved by", ", ".join(_named(entry) for entry in proposal.approvals)))
    if answer is not None and proposal.step is not Step.APPROVED:
        facts.append((_ended(proposal), f"{_named(answer)} {answer.detail.get('reason', '')}".strip()))
    if contained is not None:
        last = _last(stream, contained)
        reason = str(last.detail.get("reason", "")) if last.step is Step.FAILED else ""
        facts.append(("Stands at", f"{_stands(last)} {reason}".strip()))
    yield _facts(*facts)
    yield answers_so_far(stream, proposal)
    yield element("p", "All of it: ", element("code", f"breakwater show {proposal.id}"))


def _last(stream: Stream, containment: Containment) -> JournalEntry:
    """Return the entry at which it stands: neither a refusal nor a look at what an undo would find moves it."""
    asides = (Step.REFUSED, Step.COMPARED)
    believed = (entry for entry in stream.entries if entry.sequence not in stream.disbelieved)
    return [entry for entry in believed if entry.containment_id == containment.id and entry.step not in asides][-1]


def _stands(entry: JournalEntry) -> str:
    return f"{entry.step}, {_time(entry.time_ms)}"


def _ended(proposal: Proposal) -> str:
    return {Step.DENIED: "Denied by", Step.NOOP: "Overtaken, found by"}.get(proposal.step, "Lapsed")


def _named(entry: JournalEntry) -> str:
    return f"{entry.actor}, {_time(entry.time_ms)}"


def _sign_in(site: Site, action: str, command: str, words: str) -> Markup:
    also = Markup()
    if isinstance(site.sign_in, SignInByPlatform):
        start = element("a", words, href=f"{site.sign_in.path}{quote(action, safe='')}", class_="button in")
    else:
        start = element("button", words, type="button", id="start", class_="in")
        also = element("noscript", element("p", "Signing in here needs JavaScript."))
    console = element("code", command)
    return element(
        "section",
        element("h2", "Your answer"),
        element("p", "Nothing happens until a person signs in and answers. Or at the console: ", console),
        also,
        element("div", start, class_="answers"),
        id="sign-in",
    )


def _facts(*pairs: tuple[str, str]) -> Markup:
    return element("dl", *(joined((element("dt", name), element("dd", value))) for name, value in pairs if value))


def _diff(lines: Sequence[str]) -> Markup:
    marks: Mapping[str, str] = {"+": "ins", "-": "del"}
    shown = lines[2:MOST_LINES]  # the first two name the sides
    parts = (element(marks[line[0]], line) if line[:1] in marks else text(line) for line in shown)
    return element("pre", Markup("\n".join(parts) or "(none)"))


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _span(seconds: int) -> str:
    minutes = max(0, seconds) // 60
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d} min" if hours else f"{minutes} min"
