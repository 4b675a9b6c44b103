"""What goes with the isolation of an instance and never holds it up: protection from being ended, tags, snapshots."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from lambdas.actions.forensics import Evidence
from lambdas.actions.instance_protection import InstanceProtection
from lambdas.clients import Clients
from lambdas.cloud_errors import AccessDenied, CloudRefusal
from response.actions import CloudUnavailable, Plan

_logger = logging.getLogger(__name__)


class Safekeeping:
    """Each of its steps fails by itself: what EC2 refuses is logged, and found missing by :meth:`holds`."""

    def __init__(self, clients: Clients) -> None:
        self._protection = InstanceProtection(clients)
        self._evidence = Evidence(clients)

    def protect_first(self, plan: Plan) -> bool:
        """Protect before the isolation, which whoever notices may answer by ending the machine. Returns whether that is done.

        One attempt only: the isolation waits for it.
        """
        try:
            self._protection.protect(plan.target.id, plan.before.get("protection", {}), once=True)
        except (CloudRefusal, CloudUnavailable):
            return False
        return True

    def complete(self, plan: Plan, *, protected: bool) -> None:
        """Do what is not done yet, after the isolation.

        Raises
        ------
        CloudUnavailable
            Some of it may succeed soon; all else was tried.
        """
        instance, missing, later = plan.target.id, list[str](), list[CloudUnavailable]()
        with _by_itself(missing, "it is not protected from being ended", later):
            if not protected:
                self._protection.protect(instance, plan.before.get("protection", {}))
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
        instance, after = plan.target.id, plan.after
        return self._protection.holds(instance, plan.before.get("protection", {})) and self._evidence.holds(
            instance, after.get("tags", {}), after.get("snapshots") or ""
        )

    def release(self, plan: Plan, restored: list[str], left: list[str], *, overwrite: bool) -> None:
        """Let it be ended again and give tags back; snapshots are kept, and named. What EC2 refuses is left, and named."""
        instance = plan.target.id
        with _by_itself(left, f"{instance} keeps its protection"):
            restored.extend(self._protection.give_back(instance, plan.before.get("protection", {})))
        with _by_itself(left, f"{instance} keeps its tags"):
            before, ours = plan.before.get("tags", {}), plan.after.get("tags", {})
            done, kept = self._evidence.give_back(instance, before, ours, overwrite=overwrite)
            restored += done
            left += kept
        with _by_itself(left, f"the snapshots of {instance} are kept, but cannot be named"):
            if containment := plan.after.get("snapshots"):
                restored += [f"{snapshot} is kept" for snapshot in self._evidence.snapshots(containment)]


@contextmanager
def _by_itself(said: list[str], words: str, later: list[CloudUnavailable] | None = None) -> Iterator[None]:
    """Say what is refused; keep what may succeed soon in ``later``, or raise it where there is none."""
    try:
        yield
    except (CloudRefusal, AccessDenied) as refusal:
        said.append(f"{words} ({refusal})")
    except CloudUnavailable as error:
        if later is None:
            raise
        later.append(error)
