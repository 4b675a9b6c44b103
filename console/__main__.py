"""``python -m console status | show <containment> | undo <containment>``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from console.stack import Deployment
from lambdas.clients import LazyClients
from response.containment import Containment, fold
from response.journal import JournalEntry
from shared_model.errors import BreakwaterError

Print = Callable[[str], None]


def main(arguments: Sequence[str] | None = None, *, deployment: Deployment | None = None, out: Print = print) -> int:
    """Run one command. Returns the exit status: 0 done, 1 not there or not possible."""
    options = _parser().parse_args(arguments)
    where = deployment or Deployment(LazyClients(), options.name)
    try:
        return int(options.run(where, options, out))
    except BreakwaterError as error:
        sys.stderr.write(f"breakwater: {error}\n")
        return 1


def status(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """List containments: those in force, or all of them."""
    shown = 0
    for name in where.streams():
        for containment in fold(name, where.journal.stream(name)).containments.values():
            if options.all or containment.step != "UNDONE":
                out(_line(containment))
                shown += 1
    if not shown:
        out("nothing is contained")
    return 0


def show(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Print a containment's journal with its change."""
    name = where.journal.find(options.containment)
    if name is None:
        out(f"the journal has no containment {options.containment}")
        return 1
    for entry in where.journal.stream(name):
        if entry.containment_id == options.containment:
            out(_entry(entry))
    return 0


def undo(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Ask for the undo of a containment, in the name of whoever runs this."""
    if where.journal.find(options.containment) is None:
        out(f"the journal has no containment {options.containment}")
        return 1
    by = where.operator()
    where.ask_for_undo(json.dumps({"undo": options.containment, "approved_by": by}))
    out(f"asked for, as {by}; see: breakwater show {options.containment}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="breakwater", description=__doc__)
    parser.add_argument("--name", default="breakwater", help="name prefix of the deployment (default: breakwater)")
    commands = parser.add_subparsers(required=True)
    listing = commands.add_parser("status", help="list containments in force")
    listing.add_argument("--all", action="store_true", help="also those that were undone")
    listing.set_defaults(run=status)
    for name, run, text in (("show", show, "print a containment's journal"), ("undo", undo, "ask for the undo of a containment")):
        command = commands.add_parser(name, help=text)
        command.add_argument("containment", help="its id, as status and the notification print it")
        command.set_defaults(run=run)
    return parser


def _line(containment: Containment) -> str:
    ends = f"until {_time(containment.expires_ms)}" if containment.expires_ms else ""
    return (
        f"{containment.id}  {containment.step:<8}  {_time(containment.applied_ms)}  {containment.plan.summary}  {ends}".rstrip()
    )


def _entry(entry: JournalEntry) -> str:
    lines = [f"{_time(entry.time_ms)}  {entry.step}  by {entry.actor}"]
    lines += [f"    {key}: {value}" for key, value in entry.detail.items() if value]
    if entry.plan is not None:
        lines += [f"    {entry.plan['summary']}"]
        lines += [f"    {side}: {json.dumps(entry.plan[side], sort_keys=True)}" for side in ("before", "after")]
        lines += [f"    touches {touched}" for touched in entry.plan["touches"]]
    return "\n".join(lines)


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    sys.exit(main())
