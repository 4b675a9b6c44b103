"""Replace one of moto's own functions or attributes, and notice when a newer moto has none of that name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

import moto

_WRITTEN_AGAINST = "5.2.5"


class SeamMissing(Exception):
    """moto has no such attribute any more: the repair must be looked at again."""


def substitute(owner: Any, name: str, value: Any) -> Any:
    """Put ``value`` in place of ``owner.name``; return what was there. Raises SeamMissing when there is none."""
    found = vars(owner).get(name)
    if found is None:
        raise SeamMissing(
            f"moto {moto.__version__} has no {getattr(owner, '__name__', owner)}.{name} (the repairs are written against "
            f"{_WRITTEN_AGAINST}): install that version, or adapt offline/aws/repairs"
        )
    setattr(owner, name, value)
    return found


def one_at_a_time(method: Callable[..., Any], lock: threading.RLock) -> Callable[..., Any]:
    """``method``, which waits for whoever holds ``lock``: moto's server is threaded, and what it keeps is not safe."""

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return method(*args, **kwargs)

    return call
