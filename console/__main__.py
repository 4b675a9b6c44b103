"""What is contained, what waits for an answer, and how to end it; the policy, checked before it counts; the master switch."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TypeAlias

from console import containments, doctor, explain, journal, policy, proposals, switch
from console.clouds import VARIABLE, Cloud, meant, open_deployment
from console.deployment import Deployment, Print
from shared_model.errors import BreakwaterError

Command = Callable[[Deployment, argparse.Namespace, Print], int]
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None, *, out: Print = print) -> int:
    """Run one command. Returns the exit status: 0 done, 1 not there or not possible (2, by argparse: not understood)."""
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal that has no arrows gets their numbers, as sys.stderr gives them
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    run: Command = options.run
    where: Deployment | None = None
    try:
        where = open_deployment(meant(options.cloud, os.environ, Path.home()), options.name, options.account)
        status = run(where, options, out)
        sys.stdout.flush()
        return status
    except BreakwaterError as error:
        for line in (str(error), where.advice(error) if where else ""):
            if line:
                sys.stderr.write(f"breakwater: {line}\n")
        return 1
    except BrokenPipeError:  # whoever reads has read enough, as in `breakwater journal export | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes out the rest when it ends
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("breakwater: interrupted; breakwater show ID says what was asked for by then\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="breakwater", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    listing = _add(commands, "status", "list containments in force", containments.status)
    listing.add_argument("--all", action="store_true", help="also those that were undone")
    listing = _add(commands, "cases", "list open cases: what belongs to one incident", containments.cases)
    listing.add_argument("--all", action="store_true", help="also those of which nothing is in force or proposed")
    showing = _add(commands, "show", "print the journal of a containment, or of a case", containments.show)
    showing.add_argument("id", help="its id, as status, cases and the notification print it")
    undoing = _add(commands, "undo", "ask for the undo of a containment, of a case, or of all about an entity", containments.undo)
    undoing.add_argument("id", nargs="?", default="", help="id of a containment or of a case")
    undoing.add_argument("--dry-run", action="store_true", help="look what it would find, and change nothing; show ID says it")
    undoing.add_argument("--overwrite", action="store_true", help="give back what was there though it was changed since")
    undoing.add_argument("--entity", default="", help="kind and id, such as instance:i-0123: all that contains it")
    _add(commands, "doctor", "look whether telemetry comes, nothing is stuck and the switch is armed", doctor.doctor)
    proposals.add_to(commands)
    switch.add_to(commands)
    journals = journal.add_to(commands)
    policies = commands.add_parser("policy", help="check the policy, or put it where the functions read it").add_subparsers(
        required=True, metavar="command"
    )
    for name, text, run in (
        ("check", "name every mistake with its line; asks no cloud", policy.check),
        ("upload", "check, show what changes, and replace the policy in force", policy.upload),
    ):
        _add(policies, name, text, run).add_argument("file", type=Path, help="policy/default.yaml and azure.yaml explain it")
    policies.choices["upload"].add_argument(
        "--page", action="store_true", help="Azure: this deployment has the page, where two people can answer what two must"
    )
    explain.add_to(policies)
    # Before the command or behind it: both are understood.
    _where(parser, cloud="", name="breakwater", account="")
    for each in (*commands.choices.values(), *policies.choices.values(), *journals.choices.values()):
        _where(each, cloud=argparse.SUPPRESS, name=argparse.SUPPRESS, account=argparse.SUPPRESS)
    return parser


def _add(commands: _Commands, name: str, text: str, run: Command) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    return parser


def _where(parser: argparse.ArgumentParser, *, cloud: str, name: str, account: str) -> None:
    said = f"must be said where both are configured here, or none; {VARIABLE} says it for good"
    parser.add_argument("--cloud", choices=[str(each) for each in Cloud], default=cloud, help=said)
    parser.add_argument("--name", default=name, help="name prefix of the deployment (default: breakwater)")
    parser.add_argument(
        "--account", default=account, help="Azure: name or id of the state account; by default it is found by the name prefix"
    )


if __name__ == "__main__":
    sys.exit(main())
