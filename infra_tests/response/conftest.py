"""A deployment whose notices carry links, for the tests of the page behind them."""

from __future__ import annotations

import pytest

from infra_tests.response.linked import Linked
from infra_tests.response.test_approval import asking


@pytest.fixture(params=[False, True], ids=["script", "platform"])
def linked(request: pytest.FixtureRequest) -> Linked:
    return Linked(asking(), by_platform=request.param)
