"""The commands about containments. They know no cloud."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from console import switch
from console.deployment import Deployment, NotPossible, Print
from response.cases import is_case
from response.containment import Containment, Stream
from response.journal import JournalEntry, Step
from response.orders import Book
from response.proposals import Proposal
from shared_model.events import EntityKind

_STILL_HELD = "and still holds: undo it once more"


def status(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """List containments: those in force, or all of them."""
    shown = 0
    for stream in _streams(where):
        for containment in stream.containments.values():
            if options.all or containment.may_hold:
                out(_line(containment))
                for line in _holds(containment):
                    out(line)
                shown += 1
        for line in _disbelieved(stream):
            out(line)
    if not shown:
        out(f"nothing is contained ({where.where})")
    switch.warn(where, out)
    return 0


def cases(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """List cases: those of which something is in force or proposed, or all of them."""
    shown = 0
    for case, streams in sorted(_by_case(where).items()):
        if options.all or any(_is_open(containment) for stream in streams for containment in _of_case(stream, case)):
            for line in _case(case, streams):
                out(line)
            shown += 1
    if not shown:
        out(f"no case is open ({where.where})")
    switch.warn(where, out)
    return 0


def show(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Print the journal of a containment with its change, or that of a whole case in the order in which it happened."""
    if not is_case(options.id):
        entries = _entries(where, options.id, out)
        doubtful = Book(where.journal).without_order(entries)
        for entry in entries:
            out(_entry(entry) + _doubt(entry, doubtful))
        return 0 if entries else 1
    found = [(stream, entry) for stream in _by_case(where).get(options.id, ()) for entry in stream.entries]
    for stream, entry in sorted(found, key=lambda each: (each[1].time_ms, each[0].name, each[1].sequence)):
        if entry.case == options.id:
            out(f"{stream.name}  {entry.containment_id}\n{_entry(entry)}{_doubt(entry, stream.disbelieved)}")
    if not found:
        out(f"the journal has no case {options.id} ({where.where}); breakwater cases --all lists them")
    return 0 if found else 1


def undo(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Ask for the undo of a containment, of all of a case, or of all about an entity, in the name of whoever runs this."""
    wanted = _meant(where, options, out)
    if not wanted:
        return 1
    by = where.operator() if options.dry_run else where.requester()
    for containment_id in wanted:
        how = {name: True for name in ("dry_run", "overwrite") if getattr(options, name)}
        where.ask_for_undo(json.dumps({"undo": containment_id, "approved_by": by, **how}))
        out(f"asked for, as {by}; see: breakwater show {containment_id}")
    return 0


def _meant(where: Deployment, options: argparse.Namespace, out: Print) -> list[str]:
    """Ids of the containments that are to be undone; says so where there are none."""
    if options.dry_run and options.overwrite:
        raise NotPossible("--dry-run changes nothing: say --overwrite once you have seen what it found")
    if bool(options.id) == bool(options.entity):
        raise NotPossible("say what to undo: the id of a containment or of a case, or --entity instance:i-…")
    about = None if options.id else _entity(options.entity)
    if options.id and not is_case(options.id):
        return [options.id] if _may_be_undone(where, options.id, out) else []
    found, wanted = False, []
    for stream in _streams(where):
        for containment in stream.containments.values():
            if containment.case == options.id if about is None else _is_about(containment, *about):
                found = True
                wanted += [containment] if containment.may_hold else []
    for containment in wanted:
        out(_line(containment))
    if not wanted:
        what = f"case {options.id}" if options.id else options.entity
        out(
            f"all of {what} was undone before"
            if found
            else f"the journal has no containment of {what} ({where.where}); breakwater status --all lists them"
        )
    return [containment.id for containment in wanted]


def _may_be_undone(where: Deployment, containment_id: str, out: Print) -> bool:
    """Whether there is anything of a containment to undo; says so where there is not."""
    entries = _entries(where, containment_id, out)
    if not entries:
        return False
    containment = Book(where.journal).stream(entries[0].stream).containments.get(containment_id)
    see = f"nothing was sent; see: breakwater show {containment_id}"
    if containment is None:
        out(f"{containment_id} was never carried out ({entries[-1].step}), and there is nothing to undo: {see}")
    elif not containment.may_hold:
        out(f"{containment_id} was undone before: {see}")
    return containment is not None and containment.may_hold


def _entity(said: str) -> tuple[str, str]:
    """Kind and id of ``<kind>:<id>``."""
    kind, _, identifier = said.partition(":")
    if kind not in [*EntityKind] or not identifier:
        raise NotPossible(f"--entity {said}: say kind and id, such as instance:i-0123; kinds are {', '.join(EntityKind)}")
    return kind, identifier


def _is_about(containment: Containment, kind: str, identifier: str) -> bool:
    """Whether it is about the entity. Azure's ids know no capitals."""
    target = containment.plan.target
    return target.kind == kind and target.id.casefold() == identifier.casefold()


def _streams(where: Deployment) -> Iterator[Stream]:
    """What is believed of every stream of the journal."""
    book = Book(where.journal)
    return (book.stream(name) for name in where.streams())


def _disbelieved(stream: Stream) -> Iterator[str]:
    """What is said of the end of a containment that still holds."""
    for number, reason in stream.disbelieved.items():
        entry = next(each for each in stream.entries if each.sequence == number)
        if (containment := stream.containments.get(entry.containment_id)) is None or not containment.may_hold:
            continue
        yield f"    NOT BELIEVED: {stream.name}/{number} says UNDONE, and {reason}. See: breakwater journal verify"


def _doubt(entry: JournalEntry, disbelieved: Mapping[int, str]) -> str:
    return f"\n    NOT BELIEVED: {disbelieved[entry.sequence]}" if entry.sequence in disbelieved else ""


def _by_case(where: Deployment) -> dict[str, list[Stream]]:
    """Streams by the cases of their entries. Reads the whole journal."""
    found: dict[str, list[Stream]] = {}
    for stream in _streams(where):
        for case in dict.fromkeys(entry.case for entry in stream.entries if entry.case):
            found.setdefault(case, []).append(stream)
    return found


def _of_case(stream: Stream, case: str) -> list[Containment | Proposal]:
    """Containments and those proposals that became none."""
    proposals: list[Containment | Proposal] = [each for each in stream.proposals.values() if each.id not in stream.containments]
    return [each for each in [*stream.containments.values(), *proposals] if each.case == case]


def _is_open(each: Containment | Proposal) -> bool:
    if isinstance(each, Proposal):
        return each.step is Step.PROPOSED
    return each.step in (Step.APPLYING, Step.APPLIED, Step.UNDOING) or each.is_held


def _case(case: str, streams: list[Stream]) -> Iterator[str]:
    entries = [entry for stream in streams for entry in stream.entries if entry.case == case]
    verdicts = len({entry.verdict_id for entry in entries})
    yield f"{case}  {verdicts} verdicts  {_time(min(e.time_ms for e in entries))} … {_time(max(e.time_ms for e in entries))}"
    for stream in streams:
        held = _of_case(stream, case)
        for each in held:
            still = f"  {_STILL_HELD}" if isinstance(each, Containment) and each.is_held else ""
            yield f"    {each.id}  {each.step:<8}  {each.plan.summary}{still}"
            yield from _holds(each) if isinstance(each, Containment) else ()
        yield from _disbelieved(stream)
        if not held:
            last = next(entry for entry in reversed(stream.entries) if entry.case == case)
            yield f"    {'':32}  {last.step:<8}  {stream.name}"


def _entries(where: Deployment, containment_id: str, out: Print) -> list[JournalEntry]:
    """The containment's entries; says so where it has none."""
    if not containment_id.strip():
        raise NotPossible("say which: the id of a containment or of a case, as breakwater status and breakwater cases list them")
    name = where.journal.find(containment_id)
    # A function that was killed may have left the index without the entry.
    entries = [each for each in where.journal.stream(name) if each.containment_id == containment_id] if name is not None else []
    if not entries:
        out(f"the journal has no containment {containment_id} ({where.where}); breakwater status --all lists them")
    return entries


def _line(containment: Containment) -> str:
    ends = f"until {_time(containment.expires_ms)}" if containment.expires_ms else ""
    ends = _STILL_HELD if containment.is_held else ends
    return (
        f"{containment.id}  {containment.step:<8}  {_time(containment.applied_ms)}  {containment.plan.summary}  {ends}".rstrip()
    )


def _holds(containment: Containment) -> Iterator[str]:
    """Name what an undo left as the action had made it, and why."""
    return (f"    STILL CONTAINED: {each}" for each in containment.holds)


def _entry(entry: JournalEntry) -> str:
    lines = [f"{_time(entry.time_ms)}  {entry.step}  by {entry.actor}" + (f"  {entry.case}" if entry.case else "")]
    lines += [f"    {key}: {value}" for key, value in entry.detail.items() if value]
    if entry.plan is not None:
        lines += [f"    {entry.plan['summary']}"]
        lines += [f"    {side}: {json.dumps(entry.plan[side], sort_keys=True)}" for side in ("before", "after")]
        lines += [f"    touches {touched}" for touched in entry.plan["touches"]]
    return "\n".join(lines)


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
