"""An identity provider: it signs tokens for the people of a demo, and publishes its keys.

OpenID Connect as far as the page needs it: discovery, keys, and the authorization code with PKCE, at once for whoever is said to
sit before the browser.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from offline.aws.loopback import Answer, Asked

#: The names under which the offline deployment knows it, and by which it knows the page.
ISSUER, CLIENT = "https://login.example.com/breakwater", "breakwater-page"
_LIVES_S = 300


@dataclass
class IdentityProvider:
    """One provider with a key of its own.

    Attributes
    ----------
    issuer, client : str
    before_the_browser : mapping
        Claims of who signs in when a browser asks.
    """

    issuer: str = ISSUER
    client: str = CLIENT
    before_the_browser: Mapping[str, Any] = field(default_factory=dict)
    _key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def keys(self, issuer: str) -> dict[str, Any]:
        """Return the keys of this issuer, none of another."""
        if issuer != self.issuer:
            return {"keys": []}
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [public | {"kid": "1", "use": "sig", "alg": "RS256"}]}

    def token(self, subject: str, *, lives_s: int = _LIVES_S, **claims: Any) -> str:
        """Sign an ID token."""
        now = int(time.time())
        told = {"iss": self.issuer, "aud": self.client, "sub": subject, "iat": now, "exp": now + lives_s} | claims
        return jwt.encode(told, self._key, algorithm="RS256", headers={"kid": "1"})

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request of a browser."""
        parts, base = urlsplit(asked.url), urlsplit(self.issuer).path
        query = dict(parse_qsl(parts.query))
        if parts.path == f"{base}/.well-known/openid-configuration":
            told = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}
            return _as_json(told | {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token")})
        if parts.path == f"{base}/keys":
            return _as_json(self.keys(self.issuer))
        if parts.path == f"{base}/authorization" and query.get("client_id") == self.client:
            code = secrets.token_urlsafe(16)
            self._codes[code] = query
            back = urlencode({"code": code, "state": query["state"]})
            return Answer(302, (("location", f"{query['redirect_uri']}?{back}"),), b"")
        if parts.path == f"{base}/token" and asked.method == "POST":
            return self._exchanged(dict(parse_qsl(asked.body.decode())))
        return _as_json({"error": "not_found"}, 404)

    def _exchanged(self, form: Mapping[str, str]) -> Answer:
        asked = self._codes.pop(form.get("code", ""), None)
        hashed = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if asked is None or asked["code_challenge"] != base64.urlsafe_b64encode(hashed).rstrip(b"=").decode():
            return _as_json({"error": "invalid_grant"}, 400)
        claims = dict(self.before_the_browser)
        token = self.token(str(claims.pop("sub")), nonce=asked["nonce"], **claims)
        return _as_json({"token_type": "Bearer", "id_token": token, "access_token": "none"})


def _as_json(document: Mapping[str, Any], status: int = 200) -> Answer:
    # Single-page applications of any origin ask it: that is what providers answer to these.
    headers = (("content-type", "application/json"), ("access-control-allow-origin", "*"))
    return Answer(status, headers, json.dumps(document).encode())
