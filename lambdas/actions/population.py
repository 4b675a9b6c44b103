"""How many instances the account has in this region, how many roles and users at all: what a budget's share is a share of."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Literal

from lambdas.clients import Clients
from lambdas.cloud_errors import in_core_words
from shared_model.errors import CloudUnavailable

#: A count serves this long. What was launched since makes the share smaller than it is, never larger.
_KEEP_S = 3600
_STATES = ["pending", "running", "stopping", "stopped"]


class Instances:
    """Counts, a thousand a call, and at most once an hour in a function that stays warm."""

    def __init__(self, clients: Clients, clock: Callable[[], float] = time.monotonic) -> None:
        self._clients = clients
        self._clock = clock
        self._counted = 0
        self._until: float | None = None

    def count(self) -> int:
        """Return how many there are; 0 where nobody could count them now: no containment waits for a statistic."""
        if self._until is None or self._clock() >= self._until:
            filters = [{"Name": "instance-state-name", "Values": _STATES}]
            try:
                with in_core_words("DescribeInstances"):
                    pages = self._clients("ec2").get_paginator("describe_instances").paginate(Filters=filters, MaxResults=1000)
                    self._counted = sum(len(reservation["Instances"]) for page in pages for reservation in page["Reservations"])
            except CloudUnavailable:  # a share of it is then for a person to allow; the next plan asks again
                return 0
            self._until = self._clock() + _KEEP_S
        return self._counted


class Principals:
    """IAM's own count, in one call, at most once an hour in a function that stays warm."""

    def __init__(self, clients: Clients, clock: Callable[[], float] = time.monotonic) -> None:
        self._clients = clients
        self._clock = clock
        self._counted: Mapping[str, int] = {}
        self._until: float | None = None

    def count(self, kind: Literal["Roles", "Users"]) -> int:
        """Return how many there are, service-linked roles among them; 0 where nobody could count them now."""
        if self._until is None or self._clock() >= self._until:
            try:
                with in_core_words("GetAccountSummary"):
                    self._counted = self._clients("iam").get_account_summary()["SummaryMap"]
            except CloudUnavailable:  # as above
                return 0
            self._until = self._clock() + _KEEP_S
        return self._counted[kind]
