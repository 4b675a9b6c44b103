"""Access tokens as Entra ID shapes them, unsigned: what the embedded Azure's servers take for an identity.

Claims: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference (v1.0 tokens of applications).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo

TENANT_ID = "7a3e0001-0000-4000-8000-000000000001"
LIFETIME_S = 24 * 3600


def make_token(audience: str, client_id: str, *, now_s: float, principal_id: str = "", tenant_id: str = TENANT_ID) -> str:
    """Return a token for one audience that names a client.

    Parameters
    ----------
    audience : str
        Resource, such as ``https://storage.azure.com``.
    client_id : str
        The application that asks (``appid``).
    now_s : float
        Seconds since the epoch.
    principal_id : str
        Object id of its service principal (``oid``); the client id where it is left out.
    tenant_id : str
        Whose token it is.
    """
    issued = int(now_s)
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant_id}/",
        "iat": issued,
        "nbf": issued,
        "exp": issued + LIFETIME_S,
        "appid": client_id,
        "idtyp": "app",
        "oid": principal_id or client_id,
        "sub": principal_id or client_id,
        "tid": tenant_id,
        "ver": "1.0",
    }
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}.{_part('unsigned')}"


def read_token(token: str) -> dict[str, Any]:
    """Claims of a token. Raises ValueError where it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError(f"a token has three parts, this has {len(parts)}")
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    if not isinstance(claims, dict):
        raise ValueError("a token's claims are an object")
    return claims


class OfflineCredential:
    """A credential for code of the tests and the demo that stands outside the function app, as an operator does.

    Parameters
    ----------
    client_id : str
    clock : callable
        Seconds since the epoch.
    """

    def __init__(self, client_id: str = "operator", clock: Callable[[], float] = time.time) -> None:
        self._client_id, self._clock = client_id, clock

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """As azure.core.credentials.TokenCredential."""
        now = self._clock()
        return AccessToken(self._token(scopes, now), int(now) + LIFETIME_S)

    def get_token_info(self, *scopes: str, **_: Any) -> AccessTokenInfo:
        """As azure.core.credentials.SupportsTokenInfo."""
        now = self._clock()
        return AccessTokenInfo(self._token(scopes, now), int(now) + LIFETIME_S)

    def _token(self, scopes: tuple[str, ...], now: float) -> str:
        return make_token(scopes[0].removesuffix("/.default"), self._client_id, now_s=now)


def _part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).rstrip(b"=").decode()
