"""One account in moto per test: tables, queues, topic, policy and a small network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from infra_tests.lambdas.account import Account
from offline.aws.repairs import interfaces, tables

interfaces.repair()
tables.repair()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("lambdas.actions.consistency.sleep", lambda _: None)
    with mock_aws():
        yield Account.make()
