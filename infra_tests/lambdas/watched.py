"""Every call that an action makes in a test, held against the policies of whoever makes it when it is deployed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

import pytest
import yaml
from botocore.client import BaseClient

from infra_tests.lambdas.account import ROOT
from infra_tests.lambdas.authorization import Asked, Unknown, asked
from infra_tests.lambdas.granted import Grant, allowing
from lambdas.actions.catalogue import ACTIONS, GROUPS, UNDO_GROUP
from response.actions import Plan

_CONTAIN = ("plan", "check", "apply", "verify")
_UNDO = ("undo", "compare", "overwrite")
_EXAMPLE: Mapping[str, Any] = yaml.safe_load((ROOT / "policy" / "example-enforcing.yaml").read_text(encoding="utf-8"))["actions"]
_AT_WORK: ContextVar[tuple[str, str]] = ContextVar("at_work")
#: What an action was told to work with, and its counterpart in the example, for whose settings the policies are synthesised.
_TOLD: ContextVar[Mapping[str, str]] = ContextVar("told")


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
        try:
            questions = [_of_the_example(question) for question in asked(service, operation, params)]
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
        token, told = _AT_WORK.set(identity), _TOLD.set(_told(*args))
        try:
            return step(*args, **kwargs)
        finally:
            _AT_WORK.reset(token)
            _TOLD.reset(told)

    return work


def _told(action: Any, *given: Any) -> dict[str, str]:
    """The sets, the function and the tags that the action's settings or its plan name, each with that of the example."""
    after = [each.after for each in given if isinstance(each, Plan)]
    sets = [name.arn for name in getattr(action, "_names", ())] + [arn for state in after for arn in state.get("blocks", ())]
    function = [state["function"] for state in after if "function" in state]
    if named := getattr(action, "_function", None):
        function.append(named.arn)
    tags = [key for state in after for key in state.get("tags", ())]
    if forensics := getattr(action, "_forensics", None):
        tags += forensics.tags
    (example_set,), (example_tag,) = (
        _EXAMPLE["block_address_in_waf"]["settings"]["ip_sets"],
        _EXAMPLE["quarantine_instance"]["settings"]["tags"],
    )
    example_function = _EXAMPLE["invoke_function"]["settings"]["function"]
    return dict.fromkeys(sets, example_set) | dict.fromkeys(function, example_function) | dict.fromkeys(tags, example_tag)


def _of_the_example(question: Asked) -> Asked:
    told, keys = _TOLD.get(), question.context.get("aws:TagKeys")
    renamed = {} if keys is None else {"aws:TagKeys": "\n".join(told.get(key, key) for key in keys.split("\n"))}
    return replace(question, resource=told.get(question.resource, question.resource), context={**question.context, **renamed})
