"""``breakwater policy explain VERDICT.json --policy FILE``: which rule, which guard, what would happen."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from console.deployment import Deployment, NotPossible, Print
from response.explain import explain
from response.policy import load_policy
from shared_model.verdicts import Verdict


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those about the policy."""
    command = commands.add_parser("explain", help="say what a policy would do with a verdict; changes and asks nothing")
    command.add_argument("verdict", type=Path, help="a verdict as JSON, as it lies in a queue or the dead letters")
    command.add_argument("--policy", type=Path, required=True, help="the policy file")
    command.add_argument("--at", type=int, default=None, help="when it is decided, in ms since 1970 (default: now)")
    command.set_defaults(run=run)


def run(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Print what each rule says."""
    try:
        verdict, policy = Verdict.from_json(options.verdict.read_bytes()), load_policy(options.policy, where.actions())
    except OSError as error:
        raise NotPossible(f"cannot read {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise NotPossible(f"{options.verdict}: {error}: give one verdict, as JSON") from error
    now_ms = time.time_ns() // 1_000_000 if options.at is None else options.at
    said = explain(verdict, policy=policy, now_ms=now_ms)
    for each in said:
        out(f"{'→' if each.applies else ' '} {each.rule}: {each.action}" + ("" if each.applies else " does not apply"))
        for line in each.why:
            out(f"    {line}")
    if not any(each.applies for each in said):
        out("No rule applies: the signal is told of, and nothing changed.")
    return 0
