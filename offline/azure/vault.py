"""A Key Vault with one EC key: it signs and verifies for whom the operator has given each of the two rights.

API: https://learn.microsoft.com/rest/api/keyvault/keys (get-key, sign, verify), version 7.4.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature

from offline.azure.callers import Caller
from offline.azure.endpoint import Endpoint, Link, Refusal, Wanted
from offline.azure.web import Answer, Request

KEY = "breakwater-links"
_VERSION = "0123456789abcdef" * 2
_PATH = re.compile(rf"/keys/{KEY}(?:/(?P<version>[0-9a-f]{{32}})/(?P<verb>sign|verify))?")
_RIGHT = "Microsoft.KeyVault/vaults/keys/"
#: What the operator gives each identity on the key (docs/deploy-azure.md).
GIVEN: Mapping[str, tuple[str, ...]] = {"respond": (f"{_RIGHT}read", f"{_RIGHT}sign/action"), "page": (f"{_RIGHT}verify/action",)}
_HALF = 32


class Vault(Endpoint):
    """The vault of an operator."""

    name = "vault"

    def __init__(self, **shared: Any) -> None:
        super().__init__(**shared)
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def audiences(self) -> tuple[str, ...]:  # type: ignore[override]
        """All vaults of a cloud have one audience: the address without the vault's own name, whatever that is here."""
        return (f"https://{urlsplit(self.url).netloc.partition('.')[2]}",)

    def wanted(self, request: Request) -> Wanted:
        found = _PATH.fullmatch(request.path)
        if found is None or request.query.get("api-version") != "7.4":
            raise Refusal(404, "KeyNotFound", f"{request.method} {request.path} is not served here.")
        verb = found["verb"]
        if verb is None and request.method == "GET":
            return Wanted(f"{_RIGHT}read", (), lambda _: Answer(200, {"key": {"kid": f"{self.url}/keys/{KEY}/{_VERSION}"}}))
        if request.method != "POST" or found["version"] != _VERSION:
            raise Refusal(404, "KeyNotFound", "A key with this version was not found.")
        body = request.object()
        make = self._sign if verb == "sign" else self._verify
        return Wanted(f"{_RIGHT}{verb}/action", (), lambda _: Answer(200, {"value": make(body)}))

    def denied(self, caller: Caller, wanted: Wanted, link: Link | None, request: Request) -> Refusal:
        return Refusal(403, "Forbidden", f"Caller is not authorized to perform action {wanted.operation}.")

    def _sign(self, body: Mapping[str, Any]) -> str:
        r, s = decode_dss_signature(self._key.sign(_bytes(body["value"]), ec.ECDSA(Prehashed(hashes.SHA256()))))
        return base64.urlsafe_b64encode(r.to_bytes(_HALF) + s.to_bytes(_HALF)).rstrip(b"=").decode()

    def _verify(self, body: Mapping[str, Any]) -> bool:
        value = _bytes(body["value"])
        signature = encode_dss_signature(int.from_bytes(value[:_HALF]), int.from_bytes(value[_HALF:]))
        try:
            self._key.public_key().verify(signature, _bytes(body["digest"]), ec.ECDSA(Prehashed(hashes.SHA256())))
        except InvalidSignature:
            return False
        return True


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
