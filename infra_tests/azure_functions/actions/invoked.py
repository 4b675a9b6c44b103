"""A customer's function behind Entra ID, over TLS on loopback: it lets in whom it was told to, with a token for its audience."""

from __future__ import annotations

from typing import Any

from offline.azure.callers import Caller
from offline.azure.endpoint import Endpoint, Link, Refusal, Wanted
from offline.azure.web import Answer, Request

AUDIENCE = "api://5b1d7c1e-0000-4000-8000-00000000c0de"
PATH = "/api/contain"


class CustomersFunction(Endpoint):
    """Contains what it is told of, once for each key; an undo that finds it released says so.

    Attributes
    ----------
    contained : dict of containment id to target
    asked : list of dict
        Every payload, in order.
    sent : list of Request
        The requests that brought them.
    lets_in : set of str
        Client ids of identities.
    says : Answer or None
        What it answers, whatever it is asked; None: what fits.
    """

    name = "function"
    audiences = (AUDIENCE,)

    def __init__(self, **shared: Any) -> None:
        super().__init__(**shared)
        self.contained: dict[str, str] = {}
        self.asked: list[dict[str, Any]] = []
        self.sent: list[Request] = []
        self.lets_in: set[str] = set()
        self.says: Answer | None = None
        self._undone: set[str] = set()
        self._keeps = False

    @property
    def address(self) -> str:
        return f"{self.url}{PATH}"

    @property
    def settings(self) -> dict[str, Any]:
        """What a policy says of it."""
        return {"function": self.address, "audience": AUDIENCE, "understands": ["verify", "undo"]}

    def keep(self) -> None:
        """Take nothing back from now on."""
        self._keeps = True

    def permitted(self, caller: Caller, operation: str) -> bool:
        return caller.client_id in self.lets_in

    def wanted(self, request: Request) -> Wanted:
        if (request.method, request.path) != ("POST", PATH):
            raise Refusal(404, "NotFound", f"{request.method} {request.path} is not served here.")
        return Wanted("", (), lambda _: self._asked(request))

    def denied(self, caller: Caller, wanted: Wanted, link: Link | None, request: Request) -> Refusal:
        return Refusal(403, "Forbidden", "You do not have permission to view this directory or page.")

    def _asked(self, request: Request) -> Answer:
        payload = request.object()
        self.sent.append(request)
        self.asked.append(payload)
        return self.says or self._fitting(payload)

    def _fitting(self, payload: dict[str, Any]) -> Answer:
        containment = payload["containment_id"]
        if payload["phase"] == "contain":
            self.contained[containment] = payload["target"]["id"]
            self._undone.discard(containment)
            return Answer(202)
        if payload["phase"] == "verify":
            return Answer(200, {"contained": containment in self.contained})
        if self._keeps:
            return Answer(200, {"left": [f"{payload['target']['id']} stays: an investigation needs it"]})
        was_contained = self.contained.pop(containment, None) is not None or containment in self._undone
        self._undone.add(containment)
        return Answer(200, {} if was_contained else {"left": [f"{payload['target']['id']} was released by somebody"]})
