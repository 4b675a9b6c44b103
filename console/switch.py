"""``breakwater disarm`` and ``breakwater arm``: the master switch, turned by whoever runs the command."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Protocol

from response.journal import Journal
from response.switch import Switch, read_switch, turn


class Switchable(Protocol):
    """A deployment, on either cloud."""

    @property
    def journal(self) -> Journal:
        """The journal, under the operator's own identity."""
        ...

    def operator(self) -> str:
        """Who runs this command, as the cloud attests it."""
        ...


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both commands to the parser."""
    off = commands.add_parser("disarm", help="stop every change within seconds, until someone arms it again")
    off.add_argument("--reason", required=True, help="why: every refusal and the journal will say it")
    off.set_defaults(run=disarm)
    on = commands.add_parser("arm", help="end a disarm: the policy's modes say again what is changed")
    on.add_argument("--reason", default="", help="why, for the journal")
    on.set_defaults(run=arm)


def disarm(where: Switchable, options: argparse.Namespace, out: Callable[[str], None]) -> int:
    """Turn the switch off, in the name of whoever runs this. It writes the journal itself: no function has to work for it."""
    if not options.reason.strip():
        out("say why with --reason: whoever is woken by a refusal will read it")
        return 1
    out(_turn(where, options.reason, armed=False).objection)
    out("What is being applied at this moment is finished; undo stays possible. See: breakwater show master-switch")
    return 0


def arm(where: Switchable, options: argparse.Namespace, out: Callable[[str], None]) -> int:
    """Turn the switch on again."""
    _turn(where, options.reason, armed=True)
    out("armed: the policy's modes say what is changed. What was refused meanwhile stays so; see: breakwater show master-switch")
    return 0


def warn(where: Switchable, out: Callable[[str], None]) -> None:
    """Say so when the switch is off."""
    if objection := read_switch(where.journal).objection:
        out(objection)


def _turn(where: Switchable, reason: str, *, armed: bool) -> Switch:
    return turn(where.journal, armed=armed, by=where.operator(), reason=reason, now_ms=time.time_ns() // 1_000_000)
