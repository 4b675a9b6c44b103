"""The operator's policy, checked before anything is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdas.actions.catalogue import KNOWN
from response.policy import NeverTouch, PolicyError, load_policy, policy_json

#: The most that a parameter of SSM holds (advanced tier).
_LONGEST = 8192


@dataclass(frozen=True, slots=True)
class PolicyText:
    """A valid policy.

    Attributes
    ----------
    json : str
        As functions read it.
    never : NeverTouch
        What must never be touched: denied by IAM too.
    settings : mapping of action name to settings
        What actions work with: granted by IAM, and nothing else.
    """

    json: str
    never: NeverTouch
    settings: Mapping[str, Mapping[str, Any]]


def read_policy(file: Path) -> PolicyText:
    """Read the operator's YAML file.

    Raises
    ------
    PolicyError
        It is no valid policy, does not fit the actions that there are, or is too long for a parameter.
    """
    policy, text = load_policy(file, KNOWN), policy_json(file, KNOWN)
    if (length := len(text.encode())) > _LONGEST:
        raise PolicyError(f"{file} is {length} bytes as JSON; a parameter holds {_LONGEST}: join rules, shorten names")
    return PolicyText(text, policy.never_touch, {name: each.settings for name, each in policy.actions.items()})
