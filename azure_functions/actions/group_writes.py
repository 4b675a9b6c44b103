"""Changes of a network security group that others write to at the same time: each is made against its ETag, or made again."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from azure_functions.actions import address_rules as own
from azure_functions.actions.resource_manager import ResourceManager
from azure_functions.actions.security_rules import Direction, read_rules
from azure_functions.cloud_errors import CloudRefusal
from response.actions import CannotApply, Difference, UndoResult

_logger = logging.getLogger(__name__)
_PRECONDITION_FAILED = 412
_NO_RULE = "no such rule"
_ON_OFF = {True: "on", False: "off"}
#: Another writer took the priority between our look and our write.
_PRIORITY_TAKEN = "SecurityRuleConflict"


class GroupWrites:
    """Rules and ``flushConnection`` of security groups. Everything is idempotent."""

    def __init__(self, arm: ResourceManager) -> None:
        self._arm = arm

    def put_rule(self, group_id: str, name: str, wanted: Mapping[str, Any]) -> None:
        """Write a rule; where its priority is taken by now, at the first one of the band that is free.

        Raises
        ------
        CannotApply
            The group is gone, or its band is full.
        CloudUnavailable
            Other writers kept the group busy.
        """
        refused = ""

        def attempt() -> None:
            nonlocal refused
            group = self._arm.security_group(group_id)
            if group is None:
                raise CannotApply(f"{group_id} is gone: contain it where the interfaces are guarded now")
            present = own.own_rules(group).get(name)
            if present is not None and own.says_the_same(present, wanted):
                return
            others = [rule for rule in read_rules(group) if rule.name != name]
            direction = Direction(wanted["direction"])
            priority: int | None = wanted["priority"]
            if any(rule.direction == direction and rule.priority == priority for rule in others):
                priority = own.free_priority(others, direction)
            if priority is None:
                raise CannotApply(f"all priorities {own.BAND[0]}–{own.BAND[-1]} of {group_id} are taken: end a containment")
            # A service that compares the ETag with the rule's own, which is not there yet, refuses the group's for ever.
            etag = "" if group["etag"] == refused else group["etag"]
            try:
                self._arm.write_rule(group_id, name, {**wanted, "priority": priority}, etag=etag)
            except CloudRefusal as refusal:
                if refusal.status == _PRECONDITION_FAILED:
                    refused = group["etag"]
                raise

        self._arm.persistence.with_turns(attempt, also=frozenset({_PRIORITY_TAKEN}))

    def compare(self, group_id: str, written: Mapping[str, Mapping[str, Any]], *, flushed_before: bool) -> Iterator[Difference]:
        """Yield each rule that was written by name, and ``flushConnection``, three ways."""
        group = self._arm.security_group(group_id)
        present = own.own_rules(group) if group else {}
        for name, wanted in written.items():
            found = present.get(name)
            same = found is not None and own.says_the_same(found, wanted)
            there = own.say(wanted) if same else own.say(found) if found else _NO_RULE
            yield Difference(f"rule {name} of {group_id}", _NO_RULE, own.say(wanted), there, found is not None and not same)
        now = "the group is gone" if group is None else _ON_OFF[own.flushes(group)]
        yield Difference(f"flushConnection of {group_id}", _ON_OFF[flushed_before], _ON_OFF[True], now, group is None)

    def remove_rule(self, group_id: str, name: str, written: Mapping[str, Any], *, overwrite: bool = False) -> UndoResult:
        """Delete a rule."""
        is_gone = UndoResult((f"{group_id} without rule {name}",))

        def attempt() -> UndoResult:
            group = self._arm.security_group(group_id)
            present = own.own_rules(group).get(name) if group else None
            if group is None or present is None:
                return is_gone
            if not overwrite and not own.says_the_same(present, written):
                return UndoResult.leaving(f"rule {name} of {group_id} was changed since: remove it by hand")
            self._arm.delete_rule(group_id, name, etag=group["etag"])
            return is_gone

        try:
            return self._arm.persistence.with_turns(attempt)
        except CloudRefusal as refusal:
            return UndoResult.holding(f"rule {name} of {group_id} cannot be removed: {refusal}", refusal=refusal)

    def set_flush(self, group_id: str, *, on: bool) -> None:
        """Turn ``flushConnection`` on or off: the group is written whole, with all that it holds, against its ETag.

        A region or subscription may not have this preview. The containment then holds for new connections, and verify says
        that it is not whole.
        """

        def attempt() -> None:
            group = self._arm.security_group(group_id)
            if group is None:
                raise CannotApply(f"{group_id} is gone: contain it where the interfaces are guarded now")
            if own.flushes(group) != on:
                group["properties"]["flushConnection"] = on
                self._arm.write_security_group(group, etag=group["etag"])

        try:
            self._arm.persistence.with_turns(attempt)
        except CloudRefusal as refusal:
            _logger.warning("open connections through %s live on, stop the machines to cut them: %s", group_id, refusal)

    def give_up_flush(self, group_id: str) -> UndoResult:
        """Turn ``flushConnection`` off where no rule of Breakwater needs it any more."""
        is_off = UndoResult((f"{group_id} without flushConnection",))

        def attempt() -> UndoResult:
            group = self._arm.security_group(group_id)
            if group is None or not own.flushes(group):
                return is_off
            if own.own_rules(group):
                reason = f"flushConnection of {group_id} stays on: other containments need it, the last of them turns it off"
                return UndoResult.leaving(reason)
            group["properties"]["flushConnection"] = False
            self._arm.write_security_group(group, etag=group["etag"])
            return is_off

        try:
            return self._arm.persistence.with_turns(attempt)
        except CloudRefusal as refusal:
            return UndoResult.holding(f"flushConnection of {group_id} cannot be turned off: {refusal}", refusal=refusal)
