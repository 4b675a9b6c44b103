"""What goes with the isolation of an instance and never holds it up: protection from being ended, tags, snapshots."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from lambdas.actions.auto_scaling import STANDBY, AutoScaling
from lambdas.actions.forensics import Evidence
from lambdas.actions.instance_protection import InstanceProtection
from lambdas.clients import Clients
from lambdas.cloud_errors import AccessDenied, CloudRefusal, WrongState
from response.actions import CloudUnavailable, Difference, Plan, UndoResult

_logger = logging.getLogger(__name__)


class Safekeeping:
    """Each of its steps fails by itself: what EC2 refuses is logged, and found missing by :meth:`holds`."""

    def __init__(self, clients: Clients) -> None:
        self._protection = InstanceProtection(clients)
        self._evidence = Evidence(clients)
        self._auto_scaling = AutoScaling(clients)
        self._protecting: dict[str, Callable[..., None]] = {
            "it is not protected from being ended": self._protect,
            "its auto-scaling group may replace or terminate it": self._leave_group,
        }

    def begin(self, plan: Plan) -> list[str]:
        """Protect before the isolation, which whoever notices, or the auto-scaling group, may answer by ending the machine.

        One attempt each: the isolation waits for it. Returns what is not done, for :meth:`complete` to try again.
        """
        undone = list[str]()
        for words, attempt in self._protecting.items():
            try:
                attempt(plan, once=True)
            except (CloudRefusal, CloudUnavailable):
                undone.append(words)
        return undone

    def complete(self, plan: Plan, undone: Iterable[str]) -> None:
        """Do what is not done yet, after the isolation.

        Raises
        ------
        CloudUnavailable
            Some of it may succeed soon; all else was tried.
        """
        instance, missing, later = plan.target.id, list[str](), list[CloudUnavailable]()
        for words in undone:
            with _by_itself(missing, words, later):
                self._protecting[words](plan)
        with _by_itself(missing, "its tags are not set", later):
            self._evidence.tag(instance, plan.after.get("tags", {}))
        with _by_itself(missing, "its snapshots are not taken", later):
            if containment := plan.after.get("snapshots"):
                self._evidence.take_snapshots(instance, containment)
        for each in missing:
            _logger.warning("%s is isolated, but %s: do that by hand", instance, each)
        if later:
            raise later[0]

    def holds(self, plan: Plan) -> bool:
        """Say whether the instance is protected, and everything is kept of it that the plan says."""
        instance, after, scaling = plan.target.id, plan.after, plan.before["auto_scaling"]
        if scaling and not self._auto_scaling.holds(instance, scaling["group"]):
            return False
        return self._protection.holds(instance, plan.before.get("protection", {})) and self._evidence.holds(
            instance, after.get("tags", {}), after.get("snapshots") or ""
        )

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        """Say what its place in the auto-scaling group, protection and tags are now."""
        instance, tags, scaling = plan.target.id, plan.before.get("tags", {}), plan.before["auto_scaling"]
        return (
            *((self._auto_scaling.compare(instance, scaling["group"], scaling["state"]),) if scaling else ()),
            *self._protection.compare(instance, plan.before.get("protection", {})),
            *self._evidence.compare(instance, tags, plan.after.get("tags", {})),
        )

    def release(self, plan: Plan, *, overwrite: bool) -> UndoResult:
        """Let it be ended again and give tags back; snapshots are kept, and named. What EC2 refuses is left, and named."""
        instance, scaling = plan.target.id, plan.before["auto_scaling"]
        result, restored, left, held = UndoResult(), list[str](), list[str](), list[str]()
        if scaling and scaling["state"] != STANDBY:  # who found it in standby leaves it there
            with _named(left, held, f"{instance} stays in standby in {scaling['group']}"):
                result += self._auto_scaling.put_back(instance, scaling["group"])
        with _named(left, held, f"{instance} keeps its protection", gone=f"{instance} is gone"):
            restored.extend(self._protection.give_back(instance, plan.before.get("protection", {})))
        with _named(left, held, f"{instance} keeps its tags"):
            before, ours = plan.before.get("tags", {}), plan.after.get("tags", {})
            done, kept = self._evidence.give_back(instance, before, ours, overwrite=overwrite)
            restored += done
            left += kept
        with _by_itself(left, f"the snapshots of {instance} are kept, but cannot be named"):
            if containment := plan.after.get("snapshots"):
                restored += [f"{snapshot} is kept" for snapshot in self._evidence.snapshots(containment)]
        return result + UndoResult(tuple(restored), tuple(left)) + UndoResult.holding(*held)

    def _protect(self, plan: Plan, *, once: bool = False) -> None:
        self._protection.protect(plan.target.id, plan.before.get("protection", {}), once=once)

    def _leave_group(self, plan: Plan, *, once: bool = False) -> None:
        if scaling := plan.before["auto_scaling"]:
            self._auto_scaling.take_out(plan.target.id, scaling["group"], once=once)


@contextmanager
def _named(left: list[str], held: list[str], words: str, *, gone: str = "") -> Iterator[None]:
    """Name what an undo is refused, and ``gone`` where it is not there."""
    try:
        yield
    except (CloudRefusal, AccessDenied) as refusal:
        is_gone = isinstance(refusal, CloudRefusal) and refusal.is_missing
        # What has ended is in nobody's hands any more.
        said = left if is_gone or isinstance(refusal, WrongState) else held
        said.append(gone if gone and is_gone else f"{words} ({refusal})")


@contextmanager
def _by_itself(said: list[str], words: str, later: list[CloudUnavailable] | None = None) -> Iterator[None]:
    """Say what is refused; keep what may succeed soon in ``later``, or else raise it."""
    try:
        yield
    except (CloudRefusal, AccessDenied) as refusal:
        said.append(f"{words} ({refusal})")
    except CloudUnavailable as error:
        if later is None:
            raise
        later.append(error)
