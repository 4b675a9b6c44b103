"""Inline policies that Breakwater adds to a role or a user: each is its own, so that undo takes away exactly what was added."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from lambdas.actions.consistency import verified_in_time
from lambdas.actions.iam_principals import if_there
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from response.actions import CannotApply, CloudUnavailable, Difference, UndoResult, Verification

_NONE = "none"
#: What the names of our own policies begin with.
_OURS = "Breakwater"


class InlinePolicies:
    """The inline policies of roles, or of users."""

    def __init__(self, clients: Clients, of: Literal["role", "user"]) -> None:
        self._clients = clients
        self._of = of

    def document(self, principal: str, policy: str) -> Mapping[str, Any] | None:
        """Return the policy's document, None where there is none of that name."""
        answer = if_there(f"Get{self._of.title()}Policy", lambda: self._call("get", principal, policy))
        if answer is None:
            return None
        document = answer["PolicyDocument"]
        parsed: Mapping[str, Any] = json.loads(document) if isinstance(document, str) else document
        return parsed

    def objection(self, principal: str, policy: str, document: Mapping[str, Any]) -> str:
        """Return why this document cannot be put under that name, ``""`` where nothing or just this stands there."""
        now = self.document(principal, policy)
        return "" if now is None or now == document else f"{principal} has another policy {policy} by now: remove it by hand"

    def put(self, principal: str, policy: str, document: Mapping[str, Any]) -> None:
        """Put the document under that name. Raises CannotApply, with the alternative, and CloudUnavailable."""
        text = _text(document)
        try:
            with in_core_words(f"Put{self._of.title()}Policy"):
                self._call("put", principal, policy, PolicyDocument=text)
        except CloudRefusal as refusal:
            raise CannotApply(f"{refusal}. {_alternative(refusal, self._of, principal)}") from refusal

    def verify(self, principal: str, policy: str, document: Mapping[str, Any]) -> Verification:
        """Say whether just this document stands there."""

        def look() -> Verification:
            try:
                now = self.document(principal, policy)
            except (CloudUnavailable, CloudRefusal):
                return Verification.UNREACHABLE
            return Verification.VERIFIED if now == document else Verification.DRIFTED

        return verified_in_time(look)

    def compare(self, principal: str, policy: str, document: Mapping[str, Any]) -> Difference:
        """Say how the policy is now, beside this document."""
        now = self.document(principal, policy)
        what = f"inline policy {policy} of {principal}"
        return Difference(what, _NONE, _text(document), _NONE if now is None else _text(now), now not in (None, document))

    def remove(self, principal: str, policy: str, document: Mapping[str, Any], *, overwrite: bool = False) -> UndoResult:
        """Remove the policy; leave, and name, one that someone changed since, unless told to overwrite. Idempotent."""
        if not policy.startswith(_OURS):  # whatever the plan says: IAM lets who undoes take out any
            return UndoResult.leaving(f"policy {policy} of {principal} is not Breakwater's: remove it by hand")
        now = self.document(principal, policy)
        if now is None:
            return UndoResult((f"{principal} has no policy {policy}",))
        if now != document and not overwrite:
            return UndoResult.leaving(f"policy {policy} of {principal} was changed since: remove it by hand")
        try:
            with in_core_words(f"Delete{self._of.title()}Policy"):
                self._call("delete", principal, policy)
        except CloudRefusal as refusal:
            if refusal.code != "NoSuchEntity":
                return UndoResult.holding(f"policy {policy} of {principal} cannot be removed: {refusal}")
        return UndoResult((f"{principal} without policy {policy}",))

    def _call(self, verb: str, principal: str, policy: str, **more: str) -> Mapping[str, Any]:
        operation = getattr(self._clients("iam"), f"{verb}_{self._of}_policy")
        answer: Mapping[str, Any] = operation(**{f"{self._of.title()}Name": principal}, PolicyName=policy, **more)
        return answer


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _alternative(refusal: CloudRefusal, of: str, principal: str) -> str:
    if "LimitExceeded" in refusal.code:
        return f"The inline policies of {principal} are at their quota: remove one, attach a managed deny, or set a boundary"
    if "Unmodifiable" in refusal.code:
        return f"{principal} can only be changed by the service that made it"
    return f"Edit the trust policy of {principal}, or end what uses it" if of == "role" else f"Contain {principal} by hand"
