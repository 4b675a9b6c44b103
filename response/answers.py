"""An answer to a proposal, and the request that carries it from who answers to the function that acts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from response.people import Person, SignIn, signed_in
from shared_model.errors import BreakwaterError

#: What a person writes, at most: it stands in the journal and in every refusal that names it.
LONGEST_REASON = 1000


class MalformedAnswer(BreakwaterError):
    """A request that can never be an answer. Names the field."""

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's answer to a proposal.

    Attributes
    ----------
    proposal_id : str
    approves : bool
    by : Person
    request : str
        Names the request: the same when it is delivered again, another when the person asks again.
    reason : str
        Why. A denial needs one.
    plan : str
        :func:`~response.proposals.digest` of the plan that was shown. An approval needs it.
    beyond_budget : bool
        Whoever approves says in so many words that the budget may be exceeded.
    """

    proposal_id: str
    approves: bool
    by: Person
    request: str
    reason: str = ""
    plan: str = ""
    beyond_budget: bool = False


def answer_body(
    proposal_id: str,
    *,
    approves: bool,
    by: str,
    request: str,
    reason: str = "",
    plan: str = "",
    beyond_budget: bool = False,
    on_behalf_of: SignIn | None = None,
) -> str:
    """Return the request as JSON; :func:`read_answer` reads it.

    ``by`` is what the sender says of itself; who it really is, the function asks the cloud. Only the page may send what a person
    who signed in there says (``on_behalf_of``).
    """
    body: dict[str, Any] = {"approve" if approves else "deny": proposal_id, "by": by, "request": request}
    body |= {"reason": reason} if reason else {}
    body |= {"plan": plan} if plan else {}
    body |= {"beyond_budget": True} if beyond_budget else {}
    body |= {"on_behalf_of": asdict(on_behalf_of)} if on_behalf_of else {}
    return json.dumps(body)


def undo_body(containment_id: str, *, by: str, on_behalf_of: SignIn, overwrite: bool = False) -> str:
    """Return the request for an undo, as the page sends it for a person who signed in there, as JSON."""
    body: dict[str, Any] = {"undo": containment_id, "approved_by": by, "on_behalf_of": asdict(on_behalf_of)}
    return json.dumps(body | ({"overwrite": True} if overwrite else {}))


def vouched_for(request: Mapping[str, Any]) -> SignIn | None:
    """Return whom the sender of a request says that it speaks for, None where it speaks for itself. Raises MalformedAnswer."""
    if "on_behalf_of" not in request:
        return None
    said = request["on_behalf_of"]
    names = said.get("names") if isinstance(said, Mapping) else None
    found = signed_in(said.get("directory"), said.get("subject"), names) if isinstance(names, list) else None
    if found is None:
        raise MalformedAnswer("on_behalf_of needs directory, subject and names, all short texts", "on_behalf_of")
    return found


def sender_says(request: Mapping[str, Any]) -> str:
    """Return who a request says it is from. Raises MalformedAnswer."""
    return _text(request, "by", needed=True)


def read_answer(request: Mapping[str, Any], by: Person) -> Answer:
    """Read a request. Raises MalformedAnswer."""
    approves, denies = "approve" in request, "deny" in request
    if approves is denies:
        raise MalformedAnswer('neither {"approve": "<proposal id>", …} nor {"deny": "<proposal id>", …}', "approve")
    reason = _text(request, "reason", needed=denies)
    if len(reason) > LONGEST_REASON:
        raise MalformedAnswer(f"the reason has {len(reason)} characters: {LONGEST_REASON} at most", "reason")
    return Answer(
        proposal_id=_text(request, "approve" if approves else "deny", needed=True),
        approves=approves,
        by=by,
        request=_text(request, "request", needed=True),
        reason=reason,
        plan=_text(request, "plan", needed=approves),
        beyond_budget=request.get("beyond_budget") is True,
    )


def _text(request: Mapping[str, Any], field: str, *, needed: bool) -> str:
    value = request.get(field, "")
    if not isinstance(value, str) or (needed and not value.strip()):
        raise MalformedAnswer(f"an answer needs {field}, a text", field)
    return value
