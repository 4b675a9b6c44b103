"""Credentials that are asked for anew at each call, so that one client can speak in one session after the other.

Imports botocore: only what makes a client may import it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, ReadOnlyCredentials
from botocore.session import Session


class AssumedCredentials(Credentials):  # type: ignore[misc]
    """What botocore signs a request with: the keys of the session that is in force at that moment.

    Parameters
    ----------
    present : callable
        Returns ``Credentials`` of an answer of ``sts:AssumeRole``.
    """

    def __init__(self, present: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__("", "")
        self._present = present

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        keys = self._present()
        return ReadOnlyCredentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


class _Given(CredentialProvider):  # type: ignore[misc]
    METHOD = CANONICAL_NAME = "assumed"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Credentials:
        return self._credentials


def session_of(present: Callable[[], Mapping[str, Any]]) -> Session:
    """Return a botocore session whose clients sign with these credentials and never with the function's own."""
    session = Session()
    session.register_component("credential_provider", CredentialResolver([_Given(AssumedCredentials(present))]))
    return session
