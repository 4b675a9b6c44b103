"""Fixtures: an embedded AWS without Breakwater, and tiny functions on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra_tests.offline.tiny import Tiny, deploy_tiny
from offline.aws.embedded import EmbeddedAws


@pytest.fixture(scope="session")
def bare_aws() -> Iterator[EmbeddedAws]:
    """An embedded AWS with nothing deployed."""
    with EmbeddedAws.start() as aws:
        yield aws


@pytest.fixture
def tiny(bare_aws: EmbeddedAws) -> Tiny:
    """A tiny function of its own for one test."""
    return deploy_tiny(bare_aws)
