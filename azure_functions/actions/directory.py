"""Users of the tenant, through Microsoft Graph."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from azure_functions.actions.persistence import Persistence
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudForbidden, CloudRefusal, in_core_words
from response.actions import CloudUnavailable
from response.guard import UNKNOWN_NAME

User = dict[str, Any]

_OBJECT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FIELDS = "id,displayName,userPrincipalName,accountEnabled,onPremisesSyncEnabled,signInSessionsValidFromDateTime"
_LONG_AGO = datetime(1601, 1, 1, tzinfo=UTC)


def is_object_id(text: str) -> bool:
    """Say whether this is an object id, which is safe in a path and a filter."""
    return _OBJECT_ID.fullmatch(text) is not None


class Directory:
    """Reads and changes users in the name of one identity group."""

    def __init__(self, clients: Clients, group: str, persistence: Persistence) -> None:
        self._clients = clients
        self._group = group
        self._persistence = persistence

    def user(self, object_id: str) -> User | None:
        """Return a user, None where the tenant has none of this id (another kind of principal, or deleted)."""
        if not is_object_id(object_id):
            return None
        try:
            found: User = self._call("GET", f"/v1.0/users/{object_id}", query={"$select": _FIELDS})
        except CloudRefusal as refusal:
            if refusal.is_missing:
                return None
            raise
        return found

    def names(self, object_id: str) -> tuple[str, ...]:
        """Return the ids by which a never-touch list may name a user; none where this is no user.

        Where this identity may not read users, one of them is :data:`response.guard.UNKNOWN_NAME`.
        """
        try:
            user = self.user(object_id)
        except CloudForbidden:
            return (UNKNOWN_NAME,)
        return names_of(user) if user else ()

    def count_users(self) -> int:
        """Return how many users the tenant has."""
        # https://learn.microsoft.com/graph/aad-advanced-queries: a count is only given at this level of consistency.
        query, eventually = {"$count": "true", "$select": "id", "$top": "1"}, {"ConsistencyLevel": "eventual"}
        return int(self._call("GET", "/v1.0/users", query=query, headers=eventually)["@odata.count"])

    def revoke_sessions(self, object_id: str) -> None:
        """Make every refresh token and session cookie of a user invalid that was issued until now."""
        answer = self._call("POST", f"/v1.0/users/{object_id}/revokeSignInSessions")
        if not (answer or {}).get("value"):
            raise CloudUnavailable(f"Graph did not revoke the sessions of {object_id}")

    def set_enabled(self, object_id: str, *, enabled: bool) -> None:
        """Let a user sign in, or not."""
        self._call("PATCH", f"/v1.0/users/{object_id}", body={"accountEnabled": enabled})

    def _call(self, method: str, path: str, **request: Any) -> Any:
        def attempt() -> Any:
            with in_core_words(f"{method} {path}"):
                return self._clients("graph", self._group).call(method, path, **request)

        return self._persistence.with_turns(attempt)


def sessions_valid_from(user: User) -> datetime:
    """Return since when a user's sessions are valid: what was issued before is not."""
    text = user.get("signInSessionsValidFromDateTime")
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")) if text else _LONG_AGO


def names_of(user: User) -> tuple[str, ...]:
    """Return the ids by which a never-touch list may name a user."""
    return tuple(str(name).lower() for name in (user["id"], user.get("userPrincipalName")) if name)


def is_external(user: User) -> bool:
    """Say whether a user of another directory was invited: Graph takes a revocation of theirs, and it revokes nothing.

    https://learn.microsoft.com/graph/api/user-revokesigninsessions
    """
    return "#ext#" in str(user.get("userPrincipalName")).lower()


def no_user(principal: str) -> str:
    """Return what to do with a principal that is no user."""
    return (
        f"there is no user {principal} in this tenant: a service principal or managed identity has no sign-in to end, "
        "use remove_role_assignments, and roll its credentials"
    )
