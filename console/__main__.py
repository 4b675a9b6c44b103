"""What is contained, what would have been, and how to end it; and the policy, checked before it counts."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from console import containments, policy
from console.clouds import VARIABLE, Cloud, meant, stack_of
from console.deployment import Print, Stack
from shared_model.errors import BreakwaterError

Command = Callable[[Stack, argparse.Namespace, Print], int]
_DEFAULTS = {"cloud": "", "name": "breakwater", "account": ""}


def main(arguments: Sequence[str] | None = None, *, out: Print = print) -> int:
    """Run one command. Returns the exit status: 0 done, 1 not there or not possible (2, by argparse: not understood)."""
    options = _parser().parse_args(arguments)
    advice: Callable[[BreakwaterError], str] = str
    try:
        stack = stack_of(meant(options.cloud, os.environ, Path.home()))
        advice = stack.advice
        run: Command = options.run
        return run(stack, options, out)
    except BreakwaterError as error:
        for line in dict.fromkeys((str(error), advice(error))):
            if line:
                sys.stderr.write(f"breakwater: {line}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="breakwater", description=__doc__)
    _where(parser, **_DEFAULTS)
    commands = parser.add_subparsers(required=True, metavar="command")
    listing = _command(commands, "status", "list containments in force", containments.status)
    listing.add_argument("--all", action="store_true", help="also those that were undone")
    for name, text, run in (
        ("show", "print a containment's journal", containments.show),
        ("undo", "ask for the undo of a containment", containments.undo),
    ):
        _command(commands, name, text, run).add_argument("containment", help="its id, as status and the notification print it")
    of_policy = commands.add_parser("policy", help="check the policy, or put it where the functions read it")
    policies = of_policy.add_subparsers(required=True, metavar="command")
    for name, text, run in (
        ("check", "name every mistake with its line; asks no cloud", policy.check),
        ("upload", "check, show what changes, and replace the policy in force", policy.upload),
    ):
        _command(policies, name, text, run).add_argument("file", type=Path, help="policy/default.yaml and azure.yaml explain it")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, run: Command
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    _where(parser, **dict.fromkeys(_DEFAULTS, argparse.SUPPRESS))  # before the command or behind it: both are understood
    parser.set_defaults(run=run)
    return parser


def _where(parser: argparse.ArgumentParser, *, cloud: str, name: str, account: str) -> None:
    said = f"where both are configured here, or none, it must be said; {VARIABLE} says it for good"
    parser.add_argument("--cloud", choices=[str(each) for each in Cloud], default=cloud, help=said)
    parser.add_argument("--name", default=name, help="name prefix of the deployment (default: breakwater)")
    parser.add_argument(
        "--account", default=account, help="Azure: name or id of the state account; by default it is found by the name prefix"
    )


if __name__ == "__main__":
    sys.exit(main())
