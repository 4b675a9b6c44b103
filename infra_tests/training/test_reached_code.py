"""What a stored result depends on is followed by name, and nothing else makes it old."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.reached_code import reached

_ASKED = '''
"""Asks."""
from training.told import stories
from training.rooms import loaders
import training.fit as fit
if True:
    from training.measured import figures

LIMIT = 3

def run(key):
    """What a cell found."""
    from training.late import late
    return figures(fit.fit(stories(LIMIT), loaders.read), late())

def sum_up(results):
    return other(results)
'''
_WITHIN = """
class Story:
    def length(self):
        return depth()

def depth():
    return 1

def stories(n):
    return [Story()] * n

def unused():
    return 0
"""
_LOADERS = """
CUTS = {}
for name in ("a", "b"):
    CUTS[name] = 1

def read(n):
    return CUTS[n]

def write():
    return 2
"""
_FILES = {
    "training/__init__.py": "",
    "training/trials/__init__.py": "",
    "training/trials/asked.py": _ASKED,
    "training/told/__init__.py": "from training.told.within import stories\n",
    "training/told/within.py": _WITHIN,
    "training/rooms/__init__.py": "",
    "training/rooms/loaders.py": _LOADERS,
    "training/fit.py": "import numpy\n\ndef fit(told, reader):\n    return numpy.mean(told)\n\ndef tune():\n    return 5\n",
    "training/measured.py": "def figures(a, b):\n    return a\n",
    "training/late.py": "def late():\n    return 7\n",
}


def told(root: Path, *, file: str = "", before: str = "", after: str = "") -> tuple[str, ...]:
    """What ``run`` reaches in a project where one file says something else."""
    for name, text in _FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        assert name != file or before in text
        (root / name).write_text(text.replace(before, after) if name == file else text)
    return reached("training.trials.asked", "run", root)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("training/told/within.py", "return 1", "return 2"),
        ("training/rooms/loaders.py", "CUTS[name] = 1", "CUTS[name] = 2"),
        ("training/fit.py", "numpy.mean", "numpy.median"),
        ("training/measured.py", "return a", "return b"),
        ("training/late.py", "return 7", "return 8"),
        ("training/trials/asked.py", "LIMIT = 3", "LIMIT = 4"),
    ],
)
def test_what_a_function_names_far_away_makes_its_result_another(tmp_path, file, before, after):
    changed = told(tmp_path / "changed", file=file, before=before, after=after)
    assert changed != told(tmp_path / "as-it-was")


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("training/told/within.py", "return 0", "return 9"),
        ("training/rooms/loaders.py", "return 2", "return 9"),
        ("training/fit.py", "return 5", "return 9"),
        ("training/trials/asked.py", "other(results)", "another(results)"),
        ("training/trials/asked.py", '"""What a cell found."""', '"""Said better."""'),
        ("training/fit.py", "import numpy\n", "import numpy  # said\n"),
    ],
)
def test_what_it_does_not_name_and_how_it_is_worded_does_not(tmp_path, file, before, after):
    changed = told(tmp_path / "changed", file=file, before=before, after=after)
    assert changed == told(tmp_path / "as-it-was")


def test_a_function_that_is_not_there_is_no_empty_result(tmp_path):
    told(tmp_path)
    with pytest.raises(KeyError, match="defines no ran"):
        reached("training.trials.asked", "ran", tmp_path)
