"""One account in moto per test. What it keeps for Breakwater is made when somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from infra_tests.lambdas.account import Account
from offline.aws.repairs import interfaces, tables

interfaces.repair()
tables.repair()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, what_leaves_fits: None) -> Iterator[Account]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    # 1,293 images of Amazon's, made anew for every test, twice: a third of the time of the actions' tests.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    monkeypatch.setattr("lambdas.actions.consistency.sleep", lambda _: None)
    with mock_aws():
        yield Account()
