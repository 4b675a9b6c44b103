"""The operator's policy, checked before anything is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdas.actions.catalogue import KNOWN
from lambdas.actions.never_touch import objections
from lambdas.adapters.policy import longer_than_a_parameter
from response.policy import NeverTouch, PolicyError, load_policy, policy_json


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
        It is no valid policy, does not fit the actions that there are, or is longer than AWS takes it.
    """
    policy, text = load_policy(file, KNOWN), policy_json(file, KNOWN)
    if too_long := [*longer_than_a_parameter(text), *objections(policy.never_touch)]:
        raise PolicyError("\n".join(f"{file}: {each}" for each in too_long))
    return PolicyText(text, policy.never_touch, {name: each.settings for name, each in policy.actions.items()})
