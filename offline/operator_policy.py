"""Changes the operator's policy as an operator does: a new value of the parameter that the functions read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from offline.aws.embedded import EmbeddedAws


def arm(aws: EmbeddedAws, *, mode: str = "enforce", containments_per_hour: int | None = None) -> dict[str, Any]:
    """Set the mode of every rule, and the hourly budget if given; return the policy as it was.

    The functions that read it start anew, so that no cached policy is used.
    """
    before = read(aws)
    policy = json.loads(json.dumps(before))
    for rule in policy["rules"]:
        rule["mode"] = mode
    if containments_per_hour is not None:
        policy["budget"]["containments_per_hour"] = containments_per_hour
    write(aws, policy)
    return before


@contextmanager
def under(aws: EmbeddedAws, mode: str) -> Iterator[None]:
    """Let every rule have a mode for a while, and put back the policy that was there, whatever happens."""
    before = arm(aws, mode=mode)
    try:
        yield
    finally:
        write(aws, before)


def read(aws: EmbeddedAws) -> dict[str, Any]:
    """The policy as the functions get it."""
    value = aws.client("ssm").get_parameter(Name=aws.outputs()["PolicyParameterName"])["Parameter"]["Value"]
    policy: dict[str, Any] = json.loads(value)
    return policy


def write(aws: EmbeddedAws, policy: dict[str, Any]) -> None:
    """Replace the policy."""
    name = aws.outputs()["PolicyParameterName"]
    aws.client("ssm").put_parameter(Name=name, Value=json.dumps(policy), Type="String", Overwrite=True)
    for function in ("respond", "answer_proposals", "expire_containments"):
        aws.control.recycle(aws.function_name(function))
