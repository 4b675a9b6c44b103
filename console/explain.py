"""``breakwater policy explain VERDICT.json --policy FILE``: which rule, which guard, what would happen."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from console.deployment import Deployment, NotPossible, Print
from response.actions import Plan
from response.containment import Stream, stream_name
from response.explain import Explanation, Known, asked_about, explain
from response.journal import Journal
from response.orders import Book
from response.plan_text import diff_lines
from response.policy import Policy, load_policy
from response.switch import read_switch
from response.undone import begins_nothing, undone_with
from shared_model.errors import BreakwaterError
from shared_model.verdicts import Verdict

_LATEST_MS = 10**14  # in the year 5138


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those about the policy."""
    said = "say what a policy would do with a verdict: which rule, which guard, which change; changes nothing"
    command = commands.add_parser("explain", help=said, description=said)
    command.add_argument("verdict", type=Path, help="a verdict as JSON, as it lies in a queue or the dead letters")
    command.add_argument("--policy", type=Path, required=True, help="the policy file")
    command.add_argument("--at", type=int, default=None, help="when it is decided, in ms since 1970 (default: now)")
    command.add_argument(
        "--offline", action="store_true", help="ask no cloud: neither how the master switch stands, nor for a plan"
    )
    command.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What could be read; and by action why the rest was not, under ``""`` what is in the journal."""

    known: Known = field(default_factory=Known)
    unread: dict[str, str] = field(default_factory=dict)


def run(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Print what each rule says."""
    try:
        verdict, policy = Verdict.from_json(options.verdict.read_bytes()), load_policy(options.policy, where.actions())
    except OSError as error:
        raise NotPossible(f"cannot read {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise NotPossible(f"{options.verdict}: {error}: give one verdict, as JSON") from error
    now_ms = time.time_ns() // 1_000_000 if options.at is None else options.at
    if not 0 <= now_ms < _LATEST_MS:
        raise NotPossible(f"--at {now_ms}: give milliseconds since 1970, such as {time.time_ns() // 1_000_000} for now")
    seen = _Seen() if options.offline else _look(where, verdict, policy, now_ms)
    if "" in seen.unread:
        out(f"The journal was not read, and in it the master switch: {seen.unread['']}")
    elif seen.known.switch is not None and seen.known.switch.objection:
        out(seen.known.switch.objection)
    said = explain(verdict, policy=policy, now_ms=now_ms, known=seen.known)
    for each in said:
        said_no = "" if each.applies else ": does not apply"
        out(f"{'→' if each.applies else ' '} {each.rule}: {each.action}, {each.terms}{said_no}")
        for line in (*each.why, *(_plan(each, seen) if each.applies else ())):
            out(f"    {line}")
    if not any(each.applies for each in said):
        out("No rule applies: the signal is told of, and nothing changed.")
    return 0


def _look(where: Deployment, verdict: Verdict, policy: Policy, now_ms: int) -> _Seen:
    """Read what the rules that may decide would change, and the switch, as far as whoever runs this may."""
    known, plans, unread = Known(), dict[str, Plan](), dict[str, str]()
    try:
        known = _in_journal(where.journal, verdict, policy, now_ms)
    except BreakwaterError as error:
        unread[""] = str(error)
    for rule in policy.rules:
        target = rule.pick(verdict)
        if target is None or [*rule.misses(verdict)] or rule.action in {*plans, *unread}:
            continue
        try:
            plans[rule.action] = where.plan(rule.action, target, verdict, policy)
        except BreakwaterError as error:
            unread[rule.action] = str(error)
    return _Seen(replace(known, plans=plans), unread)


def _in_journal(journal: Journal, verdict: Verdict, policy: Policy, now_ms: int) -> Known:
    switch, streams = read_switch(journal), _streams(journal, verdict, policy)
    settled = {each.name: undone_with(each, verdict) for each in streams}
    return Known(
        switch=switch,
        undone={name: begins_nothing(containment) for name, containment in settled.items() if containment is not None},
        standing={each.name: each.current.id for each in streams if each.current is not None},
        asked={each.name: asked_about(each, now_ms) for each in streams},
    )


def _streams(journal: Journal, verdict: Verdict, policy: Policy) -> list[Stream]:
    """What the journal has of each action on what the rules would act on."""
    targets = ((rule.action, rule.pick(verdict)) for rule in policy.rules)
    names = {stream_name(action, target) for action, target in targets if target is not None}
    book = Book(journal)
    return [book.stream(name) for name in names]


def _plan(each: Explanation, seen: _Seen) -> Iterator[str]:
    plan = seen.known.plans.get(each.action)
    if plan is None or plan.target != each.target:
        why = seen.unread.get(each.action, "no cloud was asked")
        yield f"plan: not read ({why}); what would change, and whom it touches, is not known"
        return
    summary, *difference = diff_lines(plan)
    yield f"plan: {summary}"
    yield from (f"    {line}" for line in difference)
    yield from (f"    touches {touched}" for touched in plan.touches)
