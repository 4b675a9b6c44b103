"""Anchoring as the schedule does it: anchors, copies of them out of the journal's reach, and a word about what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from response.anchors import anchor, as_copy, heads, of_problem
from response.journal import Journal
from response.notices import Notify
from shared_model.errors import CloudUnavailable


class CopyStore(Protocol):
    """Where copies of anchors lie."""

    def put_anchor(self, copy: Mapping[str, Any], *, now_ms: int, cause: str) -> None:
        """Keep the copy of an anchor. Raises CloudUnavailable."""
        ...


class Log(Protocol):
    """The log of the function: who reads it verifies the journal by it too."""

    def info(self, msg: str, *, extra: Mapping[str, object]) -> None: ...

    def error(self, msg: str, *, extra: Mapping[str, object]) -> None: ...


def anchor_and_tell(
    journal: Journal, *, now_ms: int, copies: CopyStore, log: Log, notify: Notify, count: Callable[[str, int], None]
) -> tuple[CloudUnavailable, ...]:
    """Anchor the journal, put copies out of its reach, and tell a person of what does not fit in it.

    Returns why that is not possible now, empty when it is done.
    """
    try:
        done = anchor(journal, now_ms=now_ms)
        for each in done.anchors:
            log.info("journal anchored", extra={"anchor": each.id, "digest": each.digest, "heads": len([*heads(each)])})
            copies.put_anchor(as_copy(each), now_ms=now_ms, cause=each.id)
    except CloudUnavailable as error:
        return (error,)
    for problem in done.problems:
        log.error("journal does not verify", extra={"problem": str(problem)})
        notify(of_problem(problem))
    if done.problems:
        count("JournalProblems", len(done.problems))
    return ()
