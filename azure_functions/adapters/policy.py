"""The operator's policy from a blob, kept for a short while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import POLICY, POLICY_BLOB, Group
from response.policy import KnownAction, Policy, PolicyError, parse_policy_yaml

if TYPE_CHECKING:
    from azure_functions.logger import Logger

#: How long a change of the policy may go unnoticed by a function that is warm.
_KEEP_MS = 60_000


class PolicyBlob:
    """Reads ``policy/policy.yaml`` when it is older than a minute, and only when its ETag is another.

    A policy that does not validate stops the function, loudly; what an older version took and is safe is only warned of, since
    an update of the functions leaves the blob as it is.

    Parameters
    ----------
    clients : Clients
    own_principal_ids, own_resource_ids : str
        Comma-separated, as in the settings: Breakwater itself. What lies under one of these resources is protected too.
    actions : mapping of action name to KnownAction
    logger : Logger
    """

    def __init__(
        self,
        clients: Clients,
        own_principal_ids: str,
        own_resource_ids: str,
        actions: Mapping[str, KnownAction],
        logger: Logger,
    ) -> None:
        self._clients = clients
        self._own = (*listed(own_principal_ids), *(p for each in listed(own_resource_ids) for p in (each, f"{each}/*")))
        self._actions = actions
        self._logger = logger
        self._policy: Policy | None = None
        self._etag = ""
        self._read_ms = 0

    def load(self, now_ms: int) -> Policy:
        """Return the policy, with Breakwater itself protected. Raises PolicyError, CloudUnavailable."""
        if self._policy is None or now_ms - self._read_ms >= _KEEP_MS:
            changed = self._changed()
            if changed is not None:
                text, etag = changed
                policy = parse_policy_yaml(text, self._actions, name=f"{POLICY}/{POLICY_BLOB}", warn=self._warn)
                self._policy, self._etag = _in_any_case(policy).protecting(self._own), etag
            self._read_ms = now_ms
        assert self._policy is not None  # noqa: S101 - an unchanged one was read before
        return self._policy

    def _warn(self, mistake: str) -> None:
        self._logger.warning("policy", extra={"mistake": mistake})

    def _changed(self) -> tuple[bytes, str] | None:
        """Return text and ETag, None where it is what was read before."""
        from azure.core import MatchConditions

        unless = {"etag": self._etag, "match_condition": MatchConditions.IfModified} if self._policy is not None else {}
        try:
            with in_core_words(f"policy {POLICY}/{POLICY_BLOB}"):
                blob = self._clients("blobs", Group.RESPOND).get_blob_client(POLICY, POLICY_BLOB)
                download = blob.download_blob(**unless)
                return download.readall(), download.properties.etag
        except CloudRefusal as refusal:
            if refusal.is_unchanged:
                return None
            if refusal.is_missing:
                raise PolicyError(f"there is no blob {POLICY}/{POLICY_BLOB}: put policy/azure.yaml there") from refusal
            raise


def _in_any_case(policy: Policy) -> Policy:
    """Return the policy with the keys of its tags as the actions' plans have them: Azure tells no case apart."""
    never = policy.never_touch
    return replace(policy, never_touch=replace(never, tags=tuple(tag.lower() for tag in never.tags)))


def listed(text: str) -> tuple[str, ...]:
    """Read a setting of comma-separated ids, in lower case."""
    return tuple(each.strip().lower().rstrip("/") for each in text.split(",") if each.strip())
