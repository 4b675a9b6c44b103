"""Invoke a function of the customer's own with the verdict: for what no action here does.

The function is any HTTPS endpoint that Entra ID protects (an Azure Function, an API, a workflow). The policy names it and the
audience of its tokens, and it is waited for: what it answers with an error is why the containment failed.
docs/actions/azure/invoke_function.md has what it is sent and what it may answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from azure_functions.clients import Clients
from azure_functions.cloud_errors import in_core_words
from azure_functions.registry import Group
from response import customers_function as customers
from response.actions import CannotApply, Difference, Plan, UndoResult, Verification
from response.customers_function import LONGEST_ERROR, FunctionFailed
from response.resources import WEB_ADDRESS
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

if TYPE_CHECKING:
    from azure_functions.plain_rest import PlainRest

#: No query: what stands there as a key (``?code=…``) would be a secret in the policy.
_ADDRESS = re.compile(r"https://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:/[\w.~%/-]*)?", re.IGNORECASE)
_AUDIENCE = re.compile(r"api://[\w.-]+(?:/[\w.-]+)*")
#: Who holds a token for it may be able to become another application: federated credentials are exchanged for it.
_EXCHANGES = "api://azureadtokenexchange"
#: Answers of the platform before or instead of the function (it starts, is overloaded, took too long): it is asked again.
_LATER = frozenset({408, 429, 502, 503, 504})
_MEND = "Mend the policy, or let the identity in (docs/actions/azure/invoke_function.md)"


@dataclass(frozen=True, slots=True)
class NamedFunction:
    """The endpoint, what its tokens are for, and which phases it understands beside ``contain``."""

    address: str
    audience: str
    understands: tuple[str, ...] = ()


def read_function(settings: Mapping[str, Any]) -> NamedFunction:
    """Read ``{"function": address, "audience": URI, "understands": [verify, undo]}`` of the policy.

    Raises ValueError: place, and what fits there.
    """
    if unknown := sorted(settings.keys() - {"function", "audience", "understands"}):
        raise ValueError(f"{unknown[0]}: there is no such setting: here stand function, audience, understands")
    address, audience = settings.get("function"), settings.get("audience")
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        example = "https://contain.azurewebsites.net/api/contain"
        raise ValueError(f"function: give an address such as {example}, without a query or key (it is {address!r})")
    if not isinstance(audience, str) or not _AUDIENCE.fullmatch(audience) or audience.lower().startswith(_EXCHANGES):
        # Of no service of Microsoft's: whoever may write the policy could have a token for it sent anywhere.
        raise ValueError(
            "audience: give the application id URI of the function's own app registration, such as "
            f"api://11111111-2222-4333-8444-555555555555 (it is {audience!r})"
        )
    return NamedFunction(address, audience, customers.read_understands(settings))


class InvokeFunction:
    """One POST for each phase, with a key by which the function knows one that comes again."""

    name: ClassVar[str] = "invoke_function"
    group: ClassVar[Group] = Group.DATA
    handles: ClassVar[frozenset[EntityKind]] = frozenset(EntityKind)
    carries: ClassVar[frozenset[str]] = frozenset({WEB_ADDRESS})
    gives_back: ClassVar[str] = "whatever the function took"
    #: Nothing of Azure's: the function itself says whom it lets in.
    permissions: ClassVar[tuple[str, ...]] = ()
    undo_permissions: ClassVar[tuple[str, ...]] = ()

    def __init__(self, clients: Clients, settings: Mapping[str, Any] | None = None) -> None:
        self._clients = clients
        self._function = read_function(settings) if settings else None

    @staticmethod
    def read_settings(settings: Mapping[str, Any]) -> NamedFunction:
        """Read what the policy says of it. Raises ValueError."""
        return read_function(settings)

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        function = self._function
        if function is None:
            return customers.refused(self.name, target, customers.unnamed(self.name), (target.id.lower(),))
        resources = (target.id.lower(), function.address.lower())
        try:
            with _failing("token"):
                self._client(function.address, function.audience, self.group).authorization()
        except FunctionFailed as refusal:
            return customers.refused(self.name, target, f"{function.address} cannot be invoked: {refusal}. {_MEND}", resources)
        named = {"function": function.address, "audience": function.audience, "understands": list(function.understands)}
        return customers.planned(self.name, target, verdict, named, resources)

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """The function knows of the target, and what it does about it lasts until it is undone."""
        return True

    def check(self, plan: Plan) -> str:
        """Nothing that Breakwater knows of could have changed."""
        return ""

    def apply(self, plan: Plan) -> None:
        try:
            self._invoke(plan, "contain", self.group)
        except FunctionFailed as failure:
            raise CannotApply(f"{failure}. Its own log says more; what it did before is not known") from failure

    def verify(self, plan: Plan) -> Verification:
        return self._seen(plan, self.group)

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        """Only what the function itself says of it: what it changed, it alone knows."""
        return customers.compared(plan.after["function"], plan.target, self._seen(plan, Group.UNDO))

    def undo(self, plan: Plan) -> UndoResult:
        return customers.undone(plan, lambda: self._invoke(plan, "undo", Group.UNDO), lambda: self._seen(plan, Group.UNDO))

    def _seen(self, plan: Plan, group: Group) -> Verification:
        return customers.seen(plan, lambda: self._invoke(plan, "verify", group))

    def _invoke(self, plan: Plan, phase: str, group: Group) -> Any:
        """Ask for a phase; return what the function answered, None where that is no JSON.

        Raises
        ------
        FunctionFailed
            It answered with an error, or lets nobody of ours in.
        CloudUnavailable
            It did not answer, or says to come again.
        """
        body, address = customers.asked(plan, phase), plan.after["function"]
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Idempotency-Key": body["idempotency_key"]}
        with _failing(f"{address} ({phase})"):
            client = self._client(address, plan.after["audience"], group)
            return customers.read_answer(client.post(urlsplit(address).path or "/", json.dumps(body).encode(), headers=headers))

    def _client(self, address: str, audience: str, group: Group) -> PlainRest:
        parts = urlsplit(address)
        return self._clients.to_customers(f"{parts.scheme}://{parts.netloc}", audience, group)


@contextmanager
def _failing(what: str) -> Iterator[None]:
    """Turn an answer that says no into FunctionFailed, and what may succeed later into CloudUnavailable."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    with in_core_words(what):
        try:
            yield
        except ClientAuthenticationError as error:
            # Who gives tokens has answered, after retries of its own. Of an audience that is nobody's it says no more than 500.
            raise FunctionFailed(f"{what}: {error.message}"[:LONGEST_ERROR]) from error
        except HttpResponseError as error:
            if error.status_code in _LATER:
                raise
            said = error.response.text() if error.response is not None else ""
            raise FunctionFailed(f"{what}: {error.status_code} {error.reason}: {said}"[:LONGEST_ERROR]) from error
