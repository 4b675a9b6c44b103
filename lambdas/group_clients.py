"""Clients that speak for a group of actions, in sessions of its role: the function's own identity changes nothing.

While something is only looked at, one session serves, and is kept until shortly before it ends. What changes something has
a session of its own, named after its containment: CloudTrail then says of every such call for which containment it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lambdas.clients import Clients, LazyClients
from lambdas.cloud_errors import AccessDenied, CloudRefusal, in_core_words
from response.acting import acting
from shared_model.errors import CloudUnavailable

#: AWS gives a role that assumes another an hour at most, and a quarter of an hour at least.
_LOOKING_S, _CHANGING_S = 3600, 900
#: A session is not used any more when it may end before the function does (docs/response.md: ten minutes at most, these: one).
_MARGIN_S = 300


@dataclass(frozen=True, slots=True)
class _Session:
    name: str
    keys: Mapping[str, Any]
    ends_s: float


class GroupClients(LazyClients):
    """Clients of one group, as one function has them.

    Parameters
    ----------
    own : Clients
        Of the function itself: they assume the role, and what is waited for here counts as theirs.
    role_arn : str
        Role of the group.
    function : str
        Every session's name begins with it.
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, own: Clients, role_arn: str, function: str, clock: Callable[[], float] = time.time) -> None:
        super().__init__(counted_by=own)
        self._own_clients, self._role_arn, self._function, self._clock = own, role_arn, function, clock
        self._sessions: dict[bool, _Session] = {}

    def __call__(self, service: str, region: str = "", *, once: bool = False) -> Any:
        """Return the client.

        Raises
        ------
        CloudUnavailable
            The role cannot be assumed now: nothing was asked and nothing changed in its name.
        """
        self._keys()  # here, so that no call of an action is half made when the role cannot be assumed
        return super().__call__(service, region, once=once)

    def _make(self, service: str, config: Any) -> Any:
        return self._core.create_client(service, config=config)

    @cached_property
    def _core(self) -> Any:
        from lambdas.assumed_credentials import session_of  # here, because it imports botocore

        return session_of(self._keys)

    def _keys(self) -> Mapping[str, Any]:
        containment = acting()
        name = f"{self._function}-{containment}" if containment else self._function
        kept = self._sessions.get(bool(containment))
        if kept is None or kept.name != name or kept.ends_s - self._clock() < _MARGIN_S:
            kept = self._sessions[bool(containment)] = self._assume(name, _CHANGING_S if containment else _LOOKING_S)
        return kept.keys

    def _assume(self, name: str, seconds: int) -> _Session:
        wanted = {"RoleArn": self._role_arn, "RoleSessionName": name, "DurationSeconds": seconds}
        try:
            with in_core_words(f"AssumeRole of {self._role_arn}"):
                keys = self._own_clients("sts").assume_role(**wanted)["Credentials"]
        except (AccessDenied, CloudRefusal) as refusal:  # it says nothing about what the action asked for
            raise CloudUnavailable(str(refusal)) from refusal
        return _Session(name, keys, keys["Expiration"].timestamp())
