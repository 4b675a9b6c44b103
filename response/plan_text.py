"""A plan as a person reads it: what is there, and what would be."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from response.actions import Plan


def diff_lines(plan: Plan) -> Iterator[str]:
    """Yield the summary, then the change as a unified diff of both states, pretty-printed; unchanged lines around each change."""
    yield plan.summary
    before, after = _lines(plan.before), _lines(plan.after)
    yield from difflib.unified_diff(before, after, "before", "after", n=2, lineterm="")


def _lines(state: Mapping[str, Any]) -> list[str]:
    return json.dumps(state, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
