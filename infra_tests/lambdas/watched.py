"""Every call that an action makes in a test, held against the policies of whoever makes it when it is deployed."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import pytest
from botocore.client import BaseClient

from infra_tests.lambdas.authorization import Unknown, asked
from infra_tests.lambdas.granted import Grant, allowing, policies
from lambdas.actions.catalogue import ACTIONS, GROUPS, UNDO_GROUP

_CONTAIN = ("plan", "check", "apply", "verify")
_UNDO = ("undo", "compare", "overwrite")
#: Granted only on what the policy's settings name, so not in the golden file: infra_tests/cdk/test_access.py holds these.
_BY_SETTINGS = frozenset({"ec2:CreateSnapshots", "ec2:CreateTags", "ec2:DeleteTags"})
_AT_WORK: ContextVar[tuple[str, str]] = ContextVar("at_work")


@dataclass
class Watched:
    """What actions did.

    Attributes
    ----------
    used : set of Grant
    objections : list of str
        Calls that the deployed role would not have been allowed.
    """

    used: set[Grant] = field(default_factory=set)
    objections: list[str] = field(default_factory=list)

    def called(self, client: Any, operation: str, params: dict[str, Any]) -> None:
        """Note a call, where an action makes it."""
        role, policy = _AT_WORK.get(("", ""))
        if not role or operation == "AssumeRole":  # the function itself becomes who works
            return
        service = client.meta.service_model.signing_name
        if policy not in policies(role) or f"{service}:{operation}" in _BY_SETTINGS:
            return
        try:
            questions = asked(service, operation, params)
        except Unknown as unknown:
            self.objections.append(str(unknown))
            return
        for question in questions:
            grants = allowing(role, policy, question)
            self.used |= grants
            if not grants:
                self.objections.append(f"{role}/{policy} does not allow {question.permission} on {question.resource}")


def watch(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Watch all actions until the test ends."""
    watched = Watched()
    call = BaseClient._make_api_call

    def make_api_call(self: Any, operation_name: str, api_params: dict[str, Any]) -> Any:
        watched.called(self, operation_name, api_params)
        return call(self, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", make_api_call)
    for action in ACTIONS:
        name = action.name.replace("_", "-")
        contain, undo = (str(GROUPS[action.name]), f"contain-{name}"), (str(UNDO_GROUP), f"undo-{name}")
        for identity, steps in ((contain, _CONTAIN), (undo, _UNDO)):
            for step in steps:
                if hasattr(action, step):
                    monkeypatch.setattr(action, step, _as(identity, getattr(action, step)))
    return watched


def _as(identity: tuple[str, str], step: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(step)
    def work(*args: Any, **kwargs: Any) -> Any:
        token = _AT_WORK.set(identity)
        try:
            return step(*args, **kwargs)
        finally:
            _AT_WORK.reset(token)

    return work
