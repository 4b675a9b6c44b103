"""``breakwater doctor``: whether a deployment is alive, after it was made and whenever it has said nothing for long."""

from __future__ import annotations

import argparse

from console.deployment import Deployment, Health, Print, Sign
from response.switch import read_switch

_WORDS = {Health.GOOD: "good", Health.BAD: "BAD", Health.UNKNOWN: "?"}


def doctor(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Print a line for each sign of life; changes nothing. Returns 1 where one of them is bad."""
    signs = [*where.signs(), _switch(where)]
    for sign in signs:
        out(f"{_WORDS[sign.health]:<5} {sign.what}")
    bad = sum(sign.health is Health.BAD for sign in signs)
    out(f"{bad} of {len(signs)} signs are bad ({where.where})" if bad else f"nothing is bad ({where.where})")
    return 1 if bad else 0


def _switch(where: Deployment) -> Sign:
    objection = read_switch(where.journal).objection
    return Sign(Health.BAD, objection) if objection else Sign(Health.GOOD, "armed: the policy's modes say what is changed")
