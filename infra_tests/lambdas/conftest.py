"""One account in moto per test. What it keeps for Breakwater is made when somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from moto import mock_aws

from infra_tests.lambdas.account import Account
from infra_tests.lambdas.detecting import functions
from infra_tests.lambdas.watched import Watched, watch
from offline.aws.repairs import interfaces, tables

__all__ = ["an_account", "functions"]

interfaces.repair()
tables.repair()


@contextmanager
def an_account() -> Iterator[tuple[Account, Watched]]:
    """An account, and what actions do in it: each of their calls must be one that the deployed policies allow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        # 1,293 images of Amazon's, made anew for every test, twice: a third of the time of the actions' tests.
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        patch.setattr("lambdas.actions.consistency.sleep", lambda _: None)
        with mock_aws():
            watched = watch(patch)
            yield Account(), watched
            assert not watched.objections, "an action called what its deployed role may not"


@pytest.fixture
def account(what_leaves_fits: None) -> Iterator[Account]:
    with an_account() as (made, _):
        yield made
