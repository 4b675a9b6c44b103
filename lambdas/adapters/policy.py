"""The operator's policy from an SSM parameter, kept for a short while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aws_lambda_powertools import Logger

from lambdas.clients import Clients
from lambdas.cloud_errors import in_core_words
from response.policy import KnownAction, Policy, parse_policy

#: How long a change of the policy may go unnoticed by a function that is warm.
_KEEP_MS = 60_000
#: The most bytes that a parameter of SSM holds (advanced tier).
_LONGEST = 8192


def longer_than_a_parameter(text: str) -> Iterator[str]:
    """Say by how much a policy, as JSON, is too long; nothing where it fits."""
    if (length := len(text.encode())) > _LONGEST:
        yield (
            f"as JSON it is {length} bytes, {length - _LONGEST} more than a parameter of SSM holds ({_LONGEST}): join rules, "
            "shorten names, and name several things by one pattern or one tag"
        )


class PolicyParameter:
    """Reads the policy when it is older than a minute. A policy that does not validate stops the function, loudly.

    What an older version took and is safe is only warned of: a deployment may bring the functions before their policy.
    """

    def __init__(
        self,
        clients: Clients,
        parameter: str,
        own_role_arns: str,
        actions: Mapping[str, KnownAction],
        logger: Logger,
    ) -> None:
        self._clients = clients
        self._parameter = parameter
        self._own = tuple(arn.strip() for arn in own_role_arns.split(",") if arn.strip())
        self._actions = actions
        self._logger = logger
        self._policy: Policy | None = None
        self._read_ms = 0

    def load(self, now_ms: int) -> Policy:
        """Return the policy, with Breakwater's own roles protected. Raises PolicyError, CloudUnavailable."""
        if self._policy is None or now_ms - self._read_ms >= _KEEP_MS:
            with in_core_words(f"SSM parameter {self._parameter}"):
                text = self._clients("ssm").get_parameter(Name=self._parameter)["Parameter"]["Value"]
            policy = parse_policy(text, self._actions, name=self._parameter, warn=self._warn)
            self._policy = policy.protecting(self._own)
            self._read_ms = now_ms
        return self._policy

    def _warn(self, mistake: str) -> None:
        self._logger.warning("policy", extra={"mistake": mistake})
