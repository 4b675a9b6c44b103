"""What every local Azure service does with a request: who calls, what it wants, may it, what befalls it, and the record of it."""

from __future__ import annotations

import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from offline.azure.callers import BadToken, Caller, read_caller
from offline.azure.calls import Call, CallLog, Grants
from offline.azure.faults import Fault, Faults
from offline.azure.web import HUNG_UP, Answer, BadBody, Request, WebService


class Refusal(Exception):
    """A request that a service refuses.

    Body format: the error response that Azure's services have in common, ``{"error": {"code", "message", "details": [...]}}``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Mapping[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message = status, code, message
        self.details, self.headers = details, dict(headers or {})

    def answer(self) -> Answer:
        """The refusal as it is sent."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.details is not None:
            error["details"] = [dict(detail) for detail in self.details]
        return Answer(self.status, {"error": error}, self.headers)


@dataclass(frozen=True, slots=True)
class Link:
    """A further operation that a call needs, on the resource that it points to."""

    operation: str
    scope: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for: the operation in access control's words, what else it needs, and how it is answered."""

    operation: str
    links: tuple[Link, ...]
    answer: Callable[[Caller], Answer]


class Endpoint(ABC):
    """A local Azure service over TLS on 127.0.0.1.

    Parameters
    ----------
    calls, grants
        The record of calls and the rights, which the services may share.
    clock
        Seconds since 1970, for the expiry of tokens.

    Attributes
    ----------
    faults
        What a test orders to go wrong.
    """

    name: ClassVar[str]
    audiences: ClassVar[tuple[str, ...]]
    refusal: ClassVar[type[Refusal]] = Refusal

    def __init__(
        self, *, calls: CallLog | None = None, grants: Grants | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.calls = CallLog() if calls is None else calls
        self.grants = Grants() if grants is None else grants
        self.faults = Faults()
        self.clock = clock
        self._service: WebService | None = None

    @abstractmethod
    def wanted(self, request: Request) -> Wanted:
        """Understand a request.

        Raises
        ------
        Refusal
        """

    @abstractmethod
    def denied(self, caller: Caller, wanted: Wanted, link: Link | None, request: Request) -> Refusal:
        """The refusal of a caller who lacks the operation, or what ``link`` needs."""

    def permitted(self, caller: Caller, operation: str) -> bool:
        """Whether a caller may do something."""
        return self.grants.permits(caller.client_id, operation)

    def answer(self, request: Request) -> Answer:
        """Answer one request, and record it."""
        caller, wanted, fault = Caller(), None, None
        try:
            caller = self._caller(request)
            wanted = self.wanted(request)
            self._authorize(caller, wanted, request)
            fault = self.faults.strike(request.method, request.path)
            if fault is None:
                answer = wanted.answer(caller)
            elif fault.applied:
                wanted.answer(caller)
                answer = self._struck(fault)
            else:
                answer = self._struck(fault)
        except Refusal as refusal:
            answer = refusal.answer()
        except BadBody as error:
            answer = self.refusal(400, "InvalidRequestContent", f"The request content was invalid: {error}").answer()
        operation = wanted.operation if wanted else ""
        linked = tuple(dict.fromkeys(link.operation for link in wanted.links)) if wanted else ()
        self.calls.add(
            Call(self.name, caller.client_id, operation, linked, request.method, request.path, answer.status, fault is not None)
        )
        return answer

    def serve(self, tls: ssl.SSLContext) -> Self:
        """Listen on a free port."""
        self._service = WebService(self.answer, tls)
        return self

    @property
    def url(self) -> str:
        """Where it listens: what the function app's setting names."""
        if self._service is None:
            raise RuntimeError(f"{self.name} does not listen yet: call serve() first")
        return self._service.url

    def close(self) -> None:
        """Stop listening. Harmless when it does not."""
        if self._service:
            self._service.close()
            self._service = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _caller(self, request: Request) -> Caller:
        try:
            return read_caller(request.headers.get("authorization", ""), (*self.audiences, base_url(request)), self.clock())
        except BadToken as error:
            challenge = {"WWW-Authenticate": 'Bearer authorization_uri="https://login.microsoftonline.com/"'}
            raise self.refusal(401, error.code, str(error), headers=challenge) from error

    def _authorize(self, caller: Caller, wanted: Wanted, request: Request) -> None:
        if not self.permitted(caller, wanted.operation):
            raise self.denied(caller, wanted, None, request)
        for link in wanted.links:
            if not self.permitted(caller, link.operation):
                raise self.denied(caller, wanted, link, request)

    def _struck(self, fault: Fault) -> Answer:
        if fault.status == HUNG_UP:
            return Answer(HUNG_UP)
        headers = {"Retry-After": f"{fault.retry_after_s:g}"} if fault.retry_after_s is not None else {}
        return self.refusal(fault.status, fault.code, fault.message, details=fault.details, headers=headers).answer()


def base_url(request: Request) -> str:
    """The address that the caller knows the service by."""
    return f"https://{request.headers.get('host', '')}"
