"""``make benchmark`` prints the machine and the versions beside every figure."""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.metadata import version

import pytest

from benchmarks.__main__ import _ALL
from benchmarks.machine import describe


def test_the_machine_is_said_with_python_and_what_was_measured() -> None:
    said = describe()
    assert f"numpy {version('numpy')}" in said
    assert "cores, load" in said
    assert "Python 3." in said


@pytest.mark.parametrize("name", _ALL)
def test_every_benchmark_says_it(name: str) -> None:
    module = import_module(f"benchmarks.{name}")
    assert any("describe())" in inspect.getsource(each) for each in vars(module).values() if inspect.isfunction(each))
