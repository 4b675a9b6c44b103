"""``breakwater proposals``, ``approve`` and ``deny``: what waits for a person's word, and the word. They know no cloud."""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

from console import switch
from console.deployment import Deployment, NotPossible, Print
from response.answers import answer_body
from response.containment import Stream, fold
from response.journal import Step
from response.plan_text import diff_lines
from response.proposals import Proposal, digest
from response.telling import moment

_WHICH = "say which: the id of a proposal, or --question; breakwater proposals lists both"


def _at_the_terminal(question: str) -> str:
    try:
        return input(question)
    except EOFError:
        raise NotPossible("nobody is there to ask: read the plan above, and say --yes; nothing was sent") from None


#: Asks the person at the terminal; tests answer by themselves.
ask: Callable[[str], str] = _at_the_terminal


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the parser."""
    listing = commands.add_parser("proposals", help="list what waits for a person's answer")
    listing.add_argument("--all", action="store_true", help="also what was answered, or lapsed")
    listing.add_argument("--question", default="", help="only those of one question about a burst")
    listing.set_defaults(run=proposals)
    for name, text, run in (
        ("approve", "show a proposal's plan, and have it carried out", approve),
        ("deny", "have a proposal not carried out, nor asked about again for a while", deny),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "proposal", nargs="*", help="its id, as proposals and the notice print it; several are answered alike"
        )
        command.add_argument("--question", default="", help="every open proposal of one question about a burst")
        command.add_argument("--reason", required=name == "deny", default="", help="why: the journal keeps it")
        command.add_argument("--yes", action="store_true", help="do not ask again after the plan was shown")
        command.set_defaults(run=run)
        if name == "approve":
            command.add_argument("--beyond-budget", action="store_true", help="also where the budget of containments is used up")


def proposals(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """List proposals: the open ones, or all of them."""
    now_ms, shown = _now_ms(), 0
    for stream in _streams(where):
        for proposal in stream.proposals.values():
            if (options.all or proposal.is_open(now_ms)) and options.question in ("", proposal.question):
                out(_line(proposal, now_ms))
                shown += 1
    if not shown:
        out(f"nothing waits for an answer ({where.where})")
    switch.warn(where, out)
    return 0


def approve(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Show each plan, ask, and send the yes of whoever runs this."""
    return _answer(where, options, out, approves=True)


def deny(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Show each plan, ask, and send the no of whoever runs this."""
    if not options.reason.strip():
        out("say why with --reason: whoever looks at the next verdict will read it")
        return 1
    return _answer(where, options, out, approves=False)


def _answer(where: Deployment, options: argparse.Namespace, out: Print, *, approves: bool) -> int:
    named, missing = _named(where, options.proposal, options.question, out)
    if not named:
        out("nothing was sent; breakwater proposals --all lists them" if missing else _WHICH)
        return 1
    status, now_ms = 1 if missing else 0, _now_ms()
    open_ones = [each for each in named if each.is_open(now_ms)]
    for each in named:
        if each not in open_ones:
            out(f"{each.id} cannot be answered any more: {_state(each, now_ms)}; see: breakwater show {each.id}")
            status = 1
    for each in open_ones:
        _show(each, out)
    switch.warn(where, out)
    word = "Approve" if approves else "Deny"
    if not open_ones or not (options.yes or ask(f"{word} {_many(len(open_ones))}? [y/N] ").strip().lower() in ("y", "yes")):
        out("nothing was sent")
        return 1
    by = where.requester()
    for each in open_ones:
        body = answer_body(
            each.id,
            approves=approves,
            by=by,
            request=str(uuid.uuid4()),
            reason=options.reason,
            plan=digest(each.plan),
            beyond_budget=approves and options.beyond_budget,
        )
        where.send_answer(body)
        out(f"sent, as {by}; what came of it: breakwater show {each.id}")
    return status


def _named(where: Deployment, ids: Sequence[str], question: str, out: Print) -> tuple[list[Proposal], bool]:
    """Return the proposals that are meant, and whether one of them is not there."""
    found: dict[str, Proposal] = {}
    missing = False
    for identifier in ids:
        if not identifier.strip():
            raise NotPossible(_WHICH)
        name = where.journal.find(identifier)
        entries = where.journal.stream(name) if name is not None else []
        proposal = fold(name, entries).proposals.get(identifier) if name is not None else None
        if proposal is None:
            steps = ", ".join(entry.step for entry in entries if entry.containment_id == identifier)
            none = f"{identifier} is no proposal ({steps}): nobody was asked; see: breakwater show {identifier}"
            out(none if steps else f"the journal has no proposal {identifier} ({where.where})")
            missing = True
        else:
            found[identifier] = proposal
    if question:
        now_ms = _now_ms()
        asked = [each for stream in _streams(where) for each in stream.proposals.values() if each.question == question]
        found |= {each.id: each for each in asked if each.is_open(now_ms)}
        if not asked:
            out(f"the journal has no proposal of question {question} ({where.where})")
            missing = True
    return [*found.values()], missing


def _streams(where: Deployment) -> Iterator[Stream]:
    return (fold(name, where.journal.stream(name)) for name in where.streams())


def _show(proposal: Proposal, out: Print) -> None:
    out(f"{proposal.id}  {proposal.plan.action}  {proposal.plan.target.kind} {proposal.plan.target.id}")
    for line in diff_lines(proposal.plan):
        out(f"    {line}")
    for touched in proposal.plan.touches:
        out(f"    touches {touched}")
    for entry in proposal.approvals:
        out(f"    approved by {entry.actor} at {moment(entry.time_ms)}")
    out(f"    proposed by {proposal.actor} at {moment(proposal.proposed_ms)}, to be answered until {moment(proposal.expires_ms)}")


def _line(proposal: Proposal, now_ms: int) -> str:
    question = f"  question {proposal.question}" if proposal.question else ""
    return f"{proposal.id}  {_state(proposal, now_ms)}  {proposal.plan.summary}{question}"


def _state(proposal: Proposal, now_ms: int) -> str:
    if proposal.is_open(now_ms):
        some = f", approved by {len(proposal.approvals)}" if proposal.approvals else ""
        return f"open until {moment(proposal.expires_ms)}{some}"
    if proposal.answer is not None:
        word = "overtaken" if proposal.step is Step.NOOP else proposal.step.lower()
        return f"{word} by {proposal.answer.actor} at {moment(proposal.answer.time_ms)}"
    return f"lapsed at {moment(proposal.expires_ms)}"


def _many(number: int) -> str:
    return "it" if number == 1 else f"all {number}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
