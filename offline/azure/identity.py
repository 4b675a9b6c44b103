"""The managed-identity endpoint of an App Service (``IDENTITY_ENDPOINT``), on loopback.

Protocol: ``GET ?api-version=2019-08-01&resource=…&client_id=…`` with the header ``X-IDENTITY-HEADER``
[App Service, "Connect to Azure services in app code"]. azure-identity's ManagedIdentityCredential speaks it unmodified.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self
from uuid import NAMESPACE_URL, uuid4, uuid5

from offline.azure.credential import LIFETIME_S, TENANT_ID, make_token
from offline.azure.web import Answer, Request, WebService

API_VERSION = "2019-08-01"


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """A user-assigned identity: what the app names it by, and what it is in access control."""

    name: str
    client_id: str
    object_id: str


class IdentityEndpoint:
    """Tokens for the identities that are assigned to the app, and for no other.

    Parameters
    ----------
    tenant_id
        Names the issuer of the tokens.
    clock
        Seconds since 1970.
    """

    def __init__(self, tenant_id: str = TENANT_ID, *, clock: Callable[[], float] = time.time) -> None:
        self.tenant_id = tenant_id
        self.header = secrets.token_hex(16)
        self._clock = clock
        self._identities: dict[str, ManagedIdentity] = {}
        #: Every token that was asked for: client id and resource, in order.
        self.issued: list[tuple[str, str]] = []
        #: Resources that are no application of the tenant's, or that are not open to who asks.
        self.unknown: set[str] = set()
        self._service: WebService | None = None

    def assign(self, name: str, client_id: str = "", object_id: str = "") -> ManagedIdentity:
        """Assign an identity to the app; made-up ids, always the same for one name, where none are given."""
        identity = ManagedIdentity(
            name,
            (client_id or str(uuid5(NAMESPACE_URL, f"client of {name}"))).lower(),
            (object_id or str(uuid5(NAMESPACE_URL, f"principal of {name}"))).lower(),
        )
        self._identities[identity.client_id] = identity
        return identity

    def serve(self) -> Self:
        """Listen on a free port of 127.0.0.1, over plain http as the platform does."""
        self._service = WebService(self.answer)
        return self

    @property
    def environment(self) -> dict[str, str]:
        """What the app's environment must say for azure-identity to come here."""
        if self._service is None:
            raise RuntimeError("the identity endpoint does not listen yet: call serve() first")
        return {"IDENTITY_ENDPOINT": f"{self._service.url}/msi/token", "IDENTITY_HEADER": self.header}

    def token(self, client_id: str, audience: str) -> str:
        """A token of an assigned identity, without asking over the network."""
        identity = self._identities[client_id.lower()]
        return self._token(identity, audience, self._clock())

    def _token(self, identity: ManagedIdentity, audience: str, now: float) -> str:
        return make_token(audience, identity.client_id, now_s=now, principal_id=identity.object_id, tenant_id=self.tenant_id)

    def close(self) -> None:
        """Stop listening."""
        if self._service:
            self._service.close()
            self._service = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer(self, request: Request) -> Answer:
        """Answer one request for a token."""
        if not secrets.compare_digest(request.headers.get("x-identity-header", ""), self.header):
            return _refusal(401, "The X-IDENTITY-HEADER does not match.")
        if request.method != "GET" or request.query.get("api-version") != API_VERSION:
            return _refusal(400, f"The api-version must be {API_VERSION}.")
        resource = request.query.get("resource", "")
        if not resource:
            return _refusal(400, "The resource is missing.")
        identity = self._identities.get(request.query.get("client_id", "").lower())
        if identity is None:
            return _refusal(
                400, "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
            )
        if resource in self.unknown:  # as vague as the platform itself
            return _refusal(500, "An unexpected error occured while fetching the AAD token.")
        now = self._clock()
        self.issued.append((identity.client_id, resource))
        return Answer(
            200,
            {
                "access_token": self._token(identity, resource, now),
                "expires_on": str(int(now) + LIFETIME_S),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": identity.client_id,
            },
        )


def _refusal(status: int, message: str) -> Answer:
    return Answer(status, {"statusCode": status, "message": message, "correlationId": str(uuid4())})
