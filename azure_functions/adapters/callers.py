"""Who sent an answer, or asked for an undo: a storage queue attests nobody, and there is only what the sender says."""

from __future__ import annotations

import re

from response.people import Person

#: Sign-in name and object id, as the operator's command writes them.
_NAMES = re.compile(r"[^\s()]+")


def who_says(said: str) -> Person:
    """Return who the sender says it is, by every name in it."""
    return Person(said, own_names=tuple(_NAMES.findall(said)))
