"""The key that signs links to proposals: it stays in Key Vault, and who makes links and who checks them have one right each."""

from __future__ import annotations

import base64
import hashlib
import re

from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import Group
from shared_model.errors import CloudUnavailable

_API_VERSION = "7.4"
#: ECDSA on P-256 with SHA-256: vaults keep no key for an HMAC.
_ALGORITHM, _SIGNATURE_BYTES = "ES256", 64
#: A key's version is 16 bytes; it stands before the signature, so that links outlive a new version.
_VERSION = re.compile(r"[0-9a-f]{32}")
_VERSION_BYTES = 16


class LinkKey:
    """An EC key of a vault, as :class:`response.links.Signer` and :class:`response.links.Verifier`.

    Parameters
    ----------
    clients : Clients
    key : str
        Its name in the vault.
    group : Group
        As whom it is used.
    """

    def __init__(self, clients: Clients, key: str, group: Group) -> None:
        self._clients = clients
        self._key = key
        self._group = group

    def sign(self, message: bytes) -> bytes:
        """Return the key's version and the signature. Raises CloudRefusal, CloudUnavailable."""
        with in_core_words("link key"):
            vault, query = self._clients("vault", self._group), {"api-version": _API_VERSION}
            version = str(vault.call("GET", f"/keys/{self._key}", query=query)["key"]["kid"]).rpartition("/")[2]
            body = {"alg": _ALGORITHM, "value": _encoded(hashlib.sha256(message).digest())}
            made = vault.call("POST", f"/keys/{self._key}/{version}/sign", query=query, body=body)
        if not _VERSION.fullmatch(version):
            raise CloudUnavailable(f"link key: {version!r} is no version of a key")
        return bytes.fromhex(version) + _decoded(str(made["value"]))

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether the vault knows the signature as the message's. Raises CloudUnavailable."""
        if len(signature) != _VERSION_BYTES + _SIGNATURE_BYTES:
            return False
        version, value = signature[:_VERSION_BYTES].hex(), signature[_VERSION_BYTES:]
        body = {"alg": _ALGORITHM, "digest": _encoded(hashlib.sha256(message).digest()), "value": _encoded(value)}
        try:
            with in_core_words("link key"):
                vault = self._clients("vault", self._group)
                said = vault.call("POST", f"/keys/{self._key}/{version}/verify", query={"api-version": _API_VERSION}, body=body)
        except CloudRefusal as refusal:
            if refusal.is_missing:  # there is no such version: nobody has ever signed with it
                return False
            raise CloudUnavailable(str(refusal)) from refusal
        return said["value"] is True


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
