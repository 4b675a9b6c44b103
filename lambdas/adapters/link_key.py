"""The key that signs links to proposals: it stays in KMS, and whoever makes links and whoever checks them have one right each."""

from __future__ import annotations

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from shared_model.errors import CloudUnavailable

_ALGORITHM = "HMAC_SHA_256"


class LinkKey:
    """An HMAC key of KMS, as :class:`response.links.Signer` and :class:`response.links.Verifier`.

    Parameters
    ----------
    clients : Clients
    key : str
        ARN.
    """

    def __init__(self, clients: Clients, key: str) -> None:
        self._clients = clients
        self._key = key

    def sign(self, message: bytes) -> bytes:
        """Return the signature. Raises CloudRefusal, CloudUnavailable."""
        with in_core_words("link key"):
            made = self._clients("kms").generate_mac(KeyId=self._key, MacAlgorithm=_ALGORITHM, Message=message)
        return bytes(made["Mac"])

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether KMS knows the signature as the message's. Raises CloudUnavailable."""
        try:
            with in_core_words("link key"):
                kms = self._clients("kms")
                kms.verify_mac(KeyId=self._key, MacAlgorithm=_ALGORITHM, Message=message, Mac=signature)
        except CloudRefusal as refusal:
            if refusal.code == "KMSInvalidMacException":
                return False
            raise CloudUnavailable(str(refusal)) from refusal  # of the key, not of the signature
        return True
