"""An action with something to do, whichever its cloud: what it is asked for, what can be seen of it, who interferes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra_tests.response.world import verdict
from response.actions import Action
from shared_model.events import Entity, Telemetry
from shared_model.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Subject:
    """An action and its world.

    Attributes
    ----------
    action : Action
    verdict : Verdict
        Its entity is the target.
    state : callable
        What the action changes and undo restores, as it is now.
    interfere : callable or None
        Somebody else changes what the action changed. None: nothing of it is theirs to change.
    gone : Verdict or None
        About a target that is not there. None: the action knows of no such thing.
    operations : callable
        Permissions that the calls since the last question needed, (by whom applies, by whom undoes). Empty in process.
    calls : callable
        How many calls of the cloud were made so far. Always 0 in process.
    renew : callable or None
        Somebody deletes the target and makes another of the same name. None: its names are never used again.
    change : callable or None
        Somebody else's change of it goes on from now on. None: its cloud says of nothing that it is being changed.
    refuse : callable or None
        The cloud refuses every change from now on, for another reason than a missing right. None in process.
    returns : bool
        Whether undo brings the state back. Sessions that were ended stay so; undo then says so.
    """

    action: Action
    verdict: Verdict
    state: Callable[[], Any]
    interfere: Callable[[], None] | None
    gone: Verdict | None
    operations: Callable[[], tuple[set[str], set[str]]]
    calls: Callable[[], int] = int
    renew: Callable[[], object] | None = None
    change: Callable[[], object] | None = None
    refuse: Callable[[], object] | None = None
    returns: bool = True

    @property
    def target(self) -> Entity:
        return self.verdict.entity


def about(target: Entity, *related: Entity) -> Verdict:
    return verdict("", "v", Telemetry.FLOW_LOGS, entity=target, related=related, completed_flow=True)
