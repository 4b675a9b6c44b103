"""How often Python looks for garbage that reference counts do not free."""

from __future__ import annotations

import gc

#: Containers made since the last look, before Python looks again; its own choice is 700 (from 3.12 on 2,000).
_MADE = 50_000


def look_seldom() -> None:
    """Let the process look for circular garbage once in many thousand containers.

    A batch of telemetry makes as many that live as long as it does: dicts and lists of JSON, records, windows. None of them is
    garbage when Python looks, and none is circular, so that nothing of them waits for a look to be freed.
    """
    gc.set_threshold(_MADE, *gc.get_threshold()[1:])
